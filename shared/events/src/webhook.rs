//! Webhooks: where one may be, how a delivery is signed and made, and when it is made again.
//!
//! Deliveries follow the Standard Webhooks specification
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::{Flaw, Timestamp, WebhookUrl};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use ring::hmac;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tls;

/// A receiver has this long to answer, its name's resolution and the handshakes included. Standard Webhooks: 15 to 30 seconds.
const ATTEMPT: Duration = Duration::from_secs(15);
/// How long after each failed attempt the next one is made, as Standard Webhooks suggests, within what SQS can wait: nine
/// attempts over a day and a half.
const SCHEDULE: [Duration; 8] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(8),
    Duration::from_hours(10),
    Duration::from_hours(10),
];

/// Where webhooks may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// Anywhere on the public internet, by HTTPS.
    Public,
    /// On this machine as well, by HTTP too: the local stack.
    Loopback,
}

/// When the attempt after this one (1 for the first) is to be made; `None` after the last. `asked_for` is what the receiver
/// wishes in `Retry-After`, which counts when it is later.
pub fn next_attempt(attempt: u32, asked_for: Option<Duration>) -> Option<Duration> {
    let index = usize::try_from(attempt.max(1) - 1).ok()?;
    let planned = *SCHEDULE.get(index)?;
    Some(asked_for.map_or(planned, |wish| wish.clamp(planned, crate::queue::LONGEST_HIDDEN)))
}

/// What signatures are made with. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    const PREFIX: &str = "whsec_";

    /// A new one, of 32 random bytes.
    pub fn new(entropy: [u128; 2]) -> Self {
        Self(entropy.iter().flat_map(|half| half.to_be_bytes()).collect())
    }

    /// Reads [`Self::reveal`] back.
    pub fn parse(text: &str) -> Option<Self> {
        STANDARD.decode(text.strip_prefix(Self::PREFIX)?).ok().map(Self)
    }

    /// `whsec_` and the bytes in Base64: what the receiver is given, once.
    pub fn reveal(&self) -> String {
        format!("{}{}", Self::PREFIX, STANDARD.encode(&self.0))
    }

    /// The `webhook-signature`: `v1,` and the HMAC-SHA256 of `<id>.<seconds since 1970>.<body>` in Base64.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

/// Why a delivery failed, other than by its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The URL is none that a webhook may have.
    #[error("badUrl")]
    BadUrl,
    /// Its name leads nowhere.
    #[error("hostNotFound")]
    HostNotFound,
    /// Its name leads to an address that is not public.
    #[error("privateAddress")]
    PrivateAddress,
    /// Nobody listens there.
    #[error("connectionFailed")]
    ConnectionFailed,
    /// There is no trust.
    #[error("tlsFailed")]
    TlsFailed,
    /// What listens there does not speak HTTP.
    #[error("badAnswer")]
    BadAnswer,
    /// It took too long.
    #[error("timedOut")]
    TimedOut,
}

/// What the receiver answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The HTTP status. Only 2xx is a success; redirects are not followed.
    pub status: u16,
    /// `Retry-After`, in seconds; dates are not understood.
    pub retry_after: Option<Duration>,
}

/// Whether a webhook may be there, as far as its text tells: on AWS only HTTPS.
pub fn check_scheme(url: &WebhookUrl, targets: Targets) -> Result<(), Flaw> {
    let target = Target::of(url).ok_or_else(|| Flaw::new("invalidUrl", "must be an absolute URL"))?;
    if target.tls || targets == Targets::Loopback {
        Ok(())
    } else {
        Err(Flaw::new("notHttps", "must begin with https://"))
    }
}

/// Whether a webhook may be there, now that its name is resolved. A later delivery looks again, since names change.
pub async fn check_addresses(url: &WebhookUrl, targets: Targets) -> Result<(), Flaw> {
    let target = Target::of(url).ok_or_else(|| Flaw::new("invalidUrl", "must be an absolute URL"))?;
    match timeout(ATTEMPT, target.resolve(targets))
        .await
        .unwrap_or(Err(Failed::HostNotFound))
    {
        Ok(_) => Ok(()),
        Err(Failed::PrivateAddress) => Err(Flaw::new(
            "privateAddress",
            "must lead to public addresses, not to private, loopback or link-local ones",
        )),
        Err(_) => Err(Flaw::new("hostNotFound", "must have a host whose name can be resolved")),
    }
}

/// One message, to be sent to one webhook.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Where to.
    pub url: &'a WebhookUrl,
    /// What it is signed with.
    pub secret: &'a Secret,
    /// The event's id: the same in every attempt.
    pub id: &'a str,
    /// What is sent.
    pub body: &'a str,
}

impl Delivery<'_> {
    /// Makes one attempt.
    pub async fn attempt(&self, now: Timestamp, targets: Targets) -> Result<Received, Failed> {
        timeout(ATTEMPT, self.send(now, targets))
            .await
            .unwrap_or(Err(Failed::TimedOut))
    }

    async fn send(&self, now: Timestamp, targets: Targets) -> Result<Received, Failed> {
        let target = Target::of(self.url).ok_or(Failed::BadUrl)?;
        if !target.tls && targets == Targets::Public {
            return Err(Failed::BadUrl);
        }
        // The addresses that were checked are those that are connected to: the name is not resolved again in between.
        let addresses = target.resolve(targets).await?;
        let stream = TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|_| Failed::ConnectionFailed)?;
        let request = self.request(&target, now).ok_or(Failed::BadUrl)?;
        if target.tls {
            let name = ServerName::try_from(target.host.clone()).map_err(|_| Failed::BadUrl)?;
            let stream = connector().connect(name, stream).await;
            exchange(stream.map_err(|_| Failed::TlsFailed)?, request).await
        } else {
            exchange(stream, request).await
        }
    }

    fn request(&self, target: &Target, now: Timestamp) -> Option<Request<Full<Bytes>>> {
        let timestamp = now.datetime().timestamp();
        Request::post(&target.path)
            .header(HOST, &target.authority)
            .header(USER_AGENT, "Cosell")
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", self.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.secret.sign(self.id, timestamp, self.body))
            .body(Full::from(self.body.to_owned()))
            .ok()
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Received, Failed>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Failed::BadAnswer)?;
    // Driven here and not in a task of its own, so that nothing outlives the attempt. What the receiver says beyond its
    // headers is not read.
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(sender.send_request(request));
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // The receiver closes after its answer, which then is there.
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(error),
        }
    };
    let answer = answer.map_err(|_| Failed::BadAnswer)?;
    let retry_after = answer
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    Ok(Received {
        status: answer.status().as_u16(),
        retry_after: retry_after.map(Duration::from_secs),
    })
}

/// The certificates that the system trusts are read once for each process.
fn connector() -> TlsConnector {
    static CONFIG: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| Arc::new(tls::client(tls::system_roots())));
    TlsConnector::from(Arc::clone(&CONFIG))
}

/// A URL in its parts.
struct Target {
    tls: bool,
    authority: String,
    host: String,
    port: u16,
    path: String,
}

impl Target {
    fn of(url: &WebhookUrl) -> Option<Self> {
        let uri: Uri = url.as_str().parse().ok()?;
        let tls = uri.scheme_str()? == "https";
        let authority = uri.authority()?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            tls,
            authority: authority.to_string(),
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// Where its name leads: all of it must be allowed, since any of it may be connected to.
    async fn resolve(&self, targets: Targets) -> Result<Vec<SocketAddr>, Failed> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses: Vec<SocketAddr> = found.map_err(|_| Failed::HostNotFound)?.collect();
        if addresses.is_empty() {
            return Err(Failed::HostNotFound);
        }
        let allowed = |ip: IpAddr| is_public(ip) || (targets == Targets::Loopback && ip.is_loopback());
        if addresses.iter().all(|address| allowed(address.ip())) {
            Ok(addresses)
        } else {
            Err(Failed::PrivateAddress)
        }
    }
}

/// Whether the address is one of the public internet, by IANA's registries of special purpose addresses
/// (<https://www.iana.org/assignments/iana-ipv4-special-registry>, <https://www.iana.org/assignments/iana-ipv6-special-registry>).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !matches!(
        (a, b, c),
        // This network, private, loopback, multicast, reserved and broadcast; carrier-grade NAT; link-local, where cloud
        // instances find their credentials; private.
        (0 | 10 | 127 | 224..=255, _, _) | (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _)
            // Protocol assignments, documentation, 6to4 relays; benchmarks; documentation.
            | (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113)
    )
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // Protocol assignments (Teredo among them), documentation, 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast. Everything else is special: loopback, link-local, unique local, mapped and translated IPv4.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> WebhookUrl {
        WebhookUrl::parse(text).expect("a URL")
    }

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_is_read_back_and_not_shown() {
        let secret = Secret::new([1, u128::MAX]);
        assert_eq!(Secret::parse(&secret.reveal()), Some(secret.clone()));
        assert_eq!(secret.0.len(), 32);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), None);
    }

    #[test]
    fn the_schedule_grows_and_ends() {
        let all: Vec<_> = (1..).map_while(|attempt| next_attempt(attempt, None)).collect();
        assert_eq!(all, SCHEDULE);
        assert!(all.is_sorted());
        assert!(all.iter().sum::<Duration>() > Duration::from_hours(24));
        let wish = |seconds| next_attempt(1, Some(Duration::from_secs(seconds)));
        assert_eq!(wish(1), Some(SCHEDULE[0]), "not sooner");
        assert_eq!(wish(600), Some(Duration::from_mins(10)));
        assert_eq!(wish(u64::MAX), Some(crate::queue::LONGEST_HIDDEN));
        assert_eq!(next_attempt(9, Some(Duration::from_secs(1))), None);
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        let public = [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2a00::1",
        ];
        for ip in public {
            assert!(is_public(ip.parse().expect("an address")), "{ip}");
        }
        let special = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "169.254.100.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for ip in special {
            assert!(!is_public(ip.parse().expect("an address")), "{ip}");
        }
    }

    #[tokio::test]
    async fn what_leads_to_this_machine_is_refused_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "0",
            "[::ffff:127.0.0.1]",
            "169.254.169.254",
        ] {
            let url = url(&format!("https://{host}/x"));
            let refused = check_addresses(&url, Targets::Public).await.map_err(|flaw| flaw.code);
            assert!(
                matches!(refused, Err("privateAddress" | "hostNotFound" | "invalidUrl")),
                "{host}: {refused:?}"
            );
        }
        assert_eq!(
            check_addresses(&url("http://127.0.0.1:9/x"), Targets::Loopback).await,
            Ok(())
        );
        let private = check_addresses(&url("http://10.0.0.1/x"), Targets::Loopback).await;
        assert_eq!(private.map_err(|flaw| flaw.code), Err("privateAddress"));
    }

    #[tokio::test]
    async fn a_delivery_looks_again() {
        let secret = Secret::new([1, 2]);
        let attempt = async |text: &str, targets| {
            let url = url(text);
            let delivery = Delivery {
                url: &url,
                secret: &secret,
                id: "x",
                body: "{}",
            };
            delivery
                .attempt(Timestamp::parse("2026-11-21T12:00:00Z").expect("an instant"), targets)
                .await
        };
        assert_eq!(
            attempt("https://127.0.0.1:9/", Targets::Public).await,
            Err(Failed::PrivateAddress)
        );
        assert_eq!(attempt("http://8.8.8.8/", Targets::Public).await, Err(Failed::BadUrl));
    }

    #[test]
    fn https_is_a_must_on_aws() {
        let code = |text, targets| check_scheme(&url(text), targets).map_err(|flaw| flaw.code);
        assert_eq!(code("http://a.example", Targets::Public), Err("notHttps"));
        assert_eq!(code("https://a.example", Targets::Public), Ok(()));
        assert_eq!(code("http://127.0.0.1:1/", Targets::Loopback), Ok(()));
        assert_eq!(code("https://a:b:c/", Targets::Public), Err("invalidUrl"));
    }
}
