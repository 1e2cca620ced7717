//! Somebody who receives webhooks.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::eventually;

/// What a receiver does with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Answers so.
    Answers(u16),
    /// Answers so once, and then takes everything.
    AnswersOnce(u16),
    /// Never answers.
    Hangs,
    /// Sends the caller elsewhere.
    Redirects(&'static str),
}

/// A delivery that came in.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// `webhook-id`
    pub id: String,
    /// `webhook-timestamp`
    pub timestamp: String,
    /// `webhook-signature`
    pub signature: String,
    /// The body to the letter.
    pub body: String,
}

/// A receiver of webhooks on this machine.
#[derive(Clone)]
pub struct Receiver {
    /// Where it is.
    pub url: String,
    received: Arc<Mutex<Vec<Delivered>>>,
    manner: Arc<Mutex<Manner>>,
}

impl Receiver {
    /// Starts one.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!(
            "http://{}/hooks?from=cosell",
            listener.local_addr().expect("an address")
        );
        let receiver = Self {
            url,
            received: Arc::default(),
            manner: Arc::new(Mutex::new(manner)),
        };
        let app = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        receiver
    }

    /// What came in so far.
    pub fn received(&self) -> Vec<Delivered> {
        self.received.lock().expect("not poisoned").clone()
    }

    /// What came in, once that is as much as this.
    pub async fn wait(&self, count: usize) -> Vec<Delivered> {
        eventually(&format!("{count} deliveries"), || async {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

impl Delivered {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Whether the signature is right, by the specification and not by what signed it.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").expect("a secret"))
            .expect("Base64");
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        self.signature == format!("v1,{}", STANDARD.encode(tag))
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers[name].to_str().expect("ASCII").to_owned();
    receiver.received.lock().expect("not poisoned").push(Delivered {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: String::from_utf8(body.to_vec()).expect("UTF-8"),
    });
    let manner = {
        let mut manner = receiver.manner.lock().expect("not poisoned");
        let now = *manner;
        if matches!(now, Manner::AnswersOnce(_)) {
            *manner = Manner::Answers(204);
        }
        now
    };
    let status = |status| StatusCode::from_u16(status).expect("a status");
    match manner {
        Manner::Answers(answer) | Manner::AnswersOnce(answer) => status(answer).into_response(),
        Manner::Hangs => std::future::pending().await,
        Manner::Redirects(to) => {
            let location = HeaderValue::from_static(to);
            (status(307), [("location", location)]).into_response()
        }
    }
}
