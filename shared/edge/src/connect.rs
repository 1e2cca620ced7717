//! How the SDK reaches AWS: HTTP/1.1 by hyper's own client, TLS by rustls.
//!
//! DynamoDB, EventBridge and SQS speak HTTP/1.1. The SDK's own client does what is done here with the same libraries, but links
//! HTTP/2 and proxies as well, which no function uses.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use events::tls;
use hyper::Uri;
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector as Tcp, capture_connection};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tower::BoxError;
use tower::timeout::Timeout;
use tower::timeout::error::Elapsed;
use tower::util::BoxCloneSyncService;

/// <https://www.amazontrust.com/repository/>
const AMAZON: &[u8] = include_bytes!("amazon.pem");

/// Who vouches for the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Amazon and nobody else: what the endpoints of AWS have. Built in, since reading the system's takes longer than all
    /// else that a function does at its start.
    Amazon,
    /// Whom the system trusts, or, where they are set, `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
}

impl Roots {
    fn load(self) -> RootCertStore {
        match self {
            Self::Amazon => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(CertificateDer::pem_slice_iter(AMAZON).filter_map(Result::ok));
                roots
            }
            Self::System => tls::system_roots(),
        }
    }
}

/// An HTTP client for one client of the SDK.
#[derive(Debug)]
pub(crate) struct Http {
    roots: Roots,
    /// Made for the first request, and not at the start: a function that is started is not always asked. All requests of a
    /// client have the same settings.
    connector: OnceLock<SharedHttpConnector>,
}

impl Http {
    pub(crate) fn new(roots: Roots) -> Self {
        let connector = OnceLock::new();
        Self { roots, connector }
    }
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let connector = self.connector.get_or_init(|| {
            let pool = Pool::new(self.roots.load(), settings.connect_timeout());
            SharedHttpConnector::new(pool)
        });
        connector.clone()
    }
}

type Connect = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// Connections that are kept.
#[derive(Debug)]
struct Pool(Client<Connect, SdkBody>);

impl Pool {
    fn new(roots: RootCertStore, connect_timeout: Option<Duration>) -> Self {
        let mut tcp = Tcp::new();
        tcp.set_nodelay(true);
        // Or it would refuse `https`.
        tcp.enforce_http(false);
        let connect = HttpsConnectorBuilder::new()
            .with_tls_config(tls::client(roots))
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        // Of name, TCP and TLS together. There is no limit on reading: `edge::config` has one for the whole attempt.
        let connect = match connect_timeout {
            Some(limit) => Connect::new(Timeout::new(connect, limit)),
            None => Connect::new(connect),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connect);
        Self(client)
    }
}

impl HttpConnector for Pool {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        // What the SDK takes for broken, the pool does not give again.
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || metadata(&connection));
        }
        let response = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let response = response.await.map_err(classified)?;
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// The connection of a request, once it has one.
fn metadata(connection: &CaptureConnection) -> Option<ConnectionMetadata> {
    connection.connection_metadata().as_ref()?;
    let connection = connection.clone();
    let poison = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(false).poison_fn(poison).build())
}

/// What has gone wrong, as the SDK wants to know it: whether another attempt may do better.
fn classified(error: ClientError) -> ConnectorError {
    let http = source::<hyper::Error>(&error);
    if source::<Elapsed>(&error).is_some() {
        ConnectorError::timeout(error.into())
    } else if http.is_some_and(hyper::Error::is_user) {
        ConnectorError::user(error.into())
    } else if http.is_some_and(|http| http.is_closed() || http.is_canceled())
        || error.is_connect()
        || source::<std::io::Error>(&error).is_some()
    {
        ConnectorError::io(error.into())
    } else if http.is_some_and(hyper::Error::is_incomplete_message) {
        ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
    } else {
        ConnectorError::other(error.into(), None)
    }
}

/// The first error of a kind among an error and what caused it.
fn source<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body_util::BodyExt;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    use sha2::{Digest, Sha256};
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::answer::hex;

    /// Serves one request of a connection; gives what came.
    async fn serve(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
        let mut request = Vec::new();
        while !request.ends_with(b"{}") {
            assert_ne!(stream.read_buf(&mut request).await.expect("a request"), 0, "all of it");
        }
        let response = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(response).await.expect("an answer");
        String::from_utf8(request).expect("text")
    }

    fn pool() -> Pool {
        Pool::new(Roots::Amazon.load(), None)
    }

    fn request(url: &str) -> HttpRequest {
        let mut request = HttpRequest::new(SdkBody::from("{}"));
        request.set_method("POST").expect("a method");
        request.set_uri(url.to_owned()).expect("a URL");
        request.headers_mut().insert("content-length", "2");
        request
    }

    async fn ask(pool: &Pool, request: HttpRequest) -> Result<String, ConnectorError> {
        let response = pool.call(request).await?;
        let body = response.into_body().collect().await.expect("all of it").to_bytes();
        Ok(String::from_utf8(body.to_vec()).expect("text"))
    }

    async fn listen() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    }

    #[tokio::test]
    async fn a_connection_is_kept_until_the_sdk_takes_it_for_broken() {
        let (listener, port) = listen().await;
        let server = tokio::spawn(async move {
            let (mut first, _) = listener.accept().await.expect("a connection");
            let requests = (serve(&mut first).await, serve(&mut first).await);
            let (mut second, _) = listener.accept().await.expect("another");
            serve(&mut second).await;
            requests
        });
        let (pool, url) = (pool(), format!("http://localhost:{port}/a?b=c"));
        assert_eq!(ask(&pool, request(&url)).await.expect("an answer"), "ok");
        let (mut watched, capture) = (request(&url), CaptureSmithyConnection::new());
        watched.add_extension(capture.clone());
        assert!(capture.get().is_none(), "not yet");
        assert_eq!(ask(&pool, watched).await.expect("an answer"), "ok");
        capture.get().expect("a connection").poison();
        assert_eq!(ask(&pool, request(&url)).await.expect("an answer"), "ok");
        let (first, second) = server.await.expect("three requests on two connections");
        assert!(first.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{first}");
        assert!(first.contains(&format!("host: localhost:{port}\r\n")), "{first}");
        assert_eq!(first, second);
    }

    #[tokio::test]
    async fn what_cannot_be_reached_may_be_tried_again() {
        let (listener, port) = listen().await;
        drop(listener);
        let error = ask(&pool(), request(&format!("http://127.0.0.1:{port}/"))).await;
        assert!(error.expect_err("nobody is there").is_io());
    }

    #[tokio::test]
    async fn an_answer_that_never_comes_may_be_asked_for_again() {
        let (listener, port) = listen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.read_buf(&mut Vec::new()).await.expect("a request");
        });
        let error = ask(&pool(), request(&format!("http://127.0.0.1:{port}/"))).await;
        let error = error.expect_err("it hung up");
        assert_eq!(error.as_other(), Some(ErrorKind::TransientError), "{error:?}");
        server.await.expect("a request");
    }

    /// It is taken in by the kernel, but never speaks TLS.
    #[tokio::test]
    async fn connecting_takes_only_so_long() {
        let (_listener, port) = listen().await;
        let pool = Pool::new(Roots::Amazon.load(), Some(Duration::from_millis(1)));
        let error = ask(&pool, request(&format!("https://127.0.0.1:{port}/"))).await;
        let error = error.expect_err("no handshake");
        assert!(error.is_timeout(), "{error:?}");
    }

    #[tokio::test]
    async fn only_whom_we_trust_is_talked_to() {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a root");
        let key = KeyPair::generate().expect("a key");
        let leaf = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let leaf = leaf.signed_by(&key, &root).expect("a certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .expect("its key");
        let (listener, port) = listen().await;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    return serve(&mut stream).await;
                }
            }
        });
        let url = format!("https://localhost:{port}/");
        let error = ask(&pool(), request(&url)).await.expect_err("not Amazon");
        assert!(error.is_io(), "{error:?}");
        let mut own = RootCertStore::empty();
        own.add(root.der().clone()).expect("a root");
        let answer = ask(&Pool::new(own, None), request(&url)).await;
        assert_eq!(answer.expect("an answer"), "ok");
        server.await.expect("a request");
    }

    #[test]
    fn the_roots_of_amazon_are_all_there() {
        assert_eq!(Roots::Amazon.load().len(), 5);
        let certificates = CertificateDer::pem_slice_iter(AMAZON).map(|found| found.expect("a certificate"));
        let fingerprints: Vec<String> = certificates.map(|found| hex(&Sha256::digest(&found))).collect();
        // As they are published.
        let expected = [
            // Amazon Root CA 1
            "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
            // Amazon Root CA 2
            "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
            // Amazon Root CA 3
            "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
            // Amazon Root CA 4
            "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
            // Starfield Services Root Certificate Authority - G2
            "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5",
        ];
        assert_eq!(fingerprints, expected);
    }
}
