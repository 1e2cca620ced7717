//! The engine behind TLS: what the SDK meets at the endpoint of AWS, with a root that is made for the one time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Failed;

/// A server that speaks TLS for another.
pub struct Tls {
    /// Where it is: `https://localhost:PORT`.
    pub url: String,
    /// The root to trust, as PEM.
    pub root: PathBuf,
}

/// Puts TLS before the server at `host`; the root's file goes to `folder`. Root, intermediate and leaf, as AWS has them.
pub async fn before(host: String, folder: &Path) -> Result<Tls, Failed> {
    let authority = |name: &str| -> Result<CertificateParams, Failed> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(params)
    };
    let root = CertifiedIssuer::self_signed(authority("root")?, KeyPair::generate()?)?;
    let middle = CertifiedIssuer::signed_by(authority("intermediate")?, KeyPair::generate()?, &root)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(vec!["localhost".to_owned()])?.signed_by(&key, &middle)?;
    let file = folder.join("root.pem");
    std::fs::write(&file, root.pem())?;

    let chain = vec![leaf.der().clone(), middle.der().clone()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // Like DynamoDB.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://localhost:{}", listener.local_addr()?.port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, host) = (acceptor.clone(), host.clone());
            tokio::spawn(async move {
                let _ = stream.set_nodelay(true);
                let mut server = TcpStream::connect(host).await?;
                server.set_nodelay(true)?;
                let mut client = acceptor.accept(stream).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    Ok(Tls { url, root: file })
}
