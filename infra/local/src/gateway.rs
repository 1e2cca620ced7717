//! The local API Gateway.
//!
//! It answers as an HTTP API on AWS does: unknown paths and methods, tokens and sizes are its own business, the rest is a
//! function's. Beside the API it has `GET /healthz`, `GET /_local/events`, and what the commands of the command line call.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use edge::{clock, entropy};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::authorizer::Authorizer;
use crate::bus::Bus;
use crate::event::{Incoming, decoded_path, response};
use crate::lambda::Lambda;
use crate::routes::{Route, find};
use crate::{TABLE, schedule};

/// API Gateway's limit of a request's body.
const MAX_BODY: usize = 10 * 1024 * 1024;
/// What is larger is read to this size all the same, so that the sender hears why it is refused instead of a broken connection.
const MAX_DRAINED: usize = 10 * MAX_BODY;

/// Where the commands of the command line go.
pub(crate) const SWEEP: &str = "/_local/sweep";
pub(crate) const IMPORT: &str = "/_local/import";
pub(crate) const EVENTS: &str = "/_local/events";
pub(crate) const REDRIVE: &str = "/_local/redrive";

#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) lambda: Lambda,
    pub(crate) routes: Arc<[Route]>,
    pub(crate) authorizer: Arc<Authorizer>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// To see whether the engine answers.
    pub(crate) engine: Client,
    /// To see what was published.
    pub(crate) bus: Bus,
    /// Told when something may have been written, so that the stream is read at once.
    pub(crate) written: Arc<Notify>,
}

#[derive(Serialize)]
struct Published {
    items: Vec<Box<RawValue>>,
}

impl Gateway {
    pub(crate) fn router(self) -> Router {
        Router::new().fallback(serve).with_state(self)
    }

    /// Answers one request; without its body where that was too large.
    pub(crate) async fn answer(&self, request: Request<Option<Bytes>>, source: IpAddr) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let path = decoded_path(&parts);
        match (&parts.method, path.as_str()) {
            (&Method::GET, "/healthz") => return self.health().await,
            (&Method::GET, EVENTS) => {
                if !is_operator(&parts.headers) {
                    return message(StatusCode::FORBIDDEN, "Forbidden");
                }
                let items = self.bus.published();
                return json_response(StatusCode::OK, &Published { items });
            }
            (&Method::POST, SWEEP | IMPORT | REDRIVE) => {
                return match body {
                    _ if !is_operator(&parts.headers) => message(StatusCode::FORBIDDEN, "Forbidden"),
                    None => message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large"),
                    Some(body) => self.operate(&path, &body).await,
                };
            }
            _ => {}
        }
        let Some((route, parameters)) = find(&self.routes, parts.method.as_str(), &path) else {
            return message(StatusCode::NOT_FOUND, "Not Found");
        };
        // Several are joined by a comma, as all headers are, and then hold no token.
        let mut authorization = parts.headers.get_all(AUTHORIZATION).iter();
        let authorization = match (authorization.next(), authorization.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        };
        let Some(claims) = self.authorizer.claims(authorization) else {
            let mut response = message(StatusCode::UNAUTHORIZED, "Unauthorized");
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return response;
        };
        let Some(body) = body else {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        };
        let incoming = Incoming {
            parts: &parts,
            body: &body,
            source,
            route,
            parameters,
            claims,
            domain: &self.address.to_string(),
            id: &format!("{:032x}", entropy::entropy()),
            now: clock::now(),
        };
        let result = self.lambda.invoke(&route.function, incoming.event()).await;
        self.written.notify_one();
        result.and_then(response).unwrap_or_else(|error| {
            tracing::error!(
                function = route.function,
                error,
                "function failed: {}: {error}",
                route.function
            );
            message(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
        })
    }

    async fn health(&self) -> Response<Body> {
        match self.engine.describe_table().table_name(TABLE).send().await {
            Ok(_) => message(StatusCode::OK, "ready"),
            Err(_) => message(StatusCode::SERVICE_UNAVAILABLE, "the engine does not answer"),
        }
    }

    async fn operate(&self, path: &str, body: &[u8]) -> Response<Body> {
        let (function, event) = match str::from_utf8(body) {
            _ if path == SWEEP => ("expire", schedule::event(clock::now())),
            Ok(redrive) if path == REDRIVE => match serde_json::from_str::<Value>(redrive) {
                Ok(redrive) => ("notify", json!({"redrive": redrive})),
                Err(error) => return message(StatusCode::BAD_REQUEST, &error.to_string()),
            },
            Ok(lines) => ("import", json!({"lines": lines})),
            Err(_) => return message(StatusCode::BAD_REQUEST, "the lines are not UTF-8"),
        };
        let result = self.lambda.invoke(function, event).await;
        self.written.notify_one();
        match result {
            Ok(report) => json_response(StatusCode::OK, &report),
            Err(error) => message(StatusCode::INTERNAL_SERVER_ERROR, &error),
        }
    }
}

async fn serve(
    State(gateway): State<Gateway>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    match read(body).await {
        Ok(body) => gateway.answer(Request::from_parts(parts, body), peer.ip()).await,
        // The sender is gone, or does not speak HTTP.
        Err(_) => message(StatusCode::BAD_REQUEST, "Bad Request"),
    }
}

/// The whole body; `None` if there is too much of it.
async fn read(mut body: Body) -> Result<Option<Bytes>, axum::Error> {
    let (mut kept, mut seen) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        seen += data.len();
        if seen <= MAX_BODY {
            kept.extend_from_slice(&data);
        } else if seen > MAX_DRAINED {
            break;
        }
    }
    Ok((seen <= MAX_BODY).then(|| kept.into()))
}

/// Whether a request comes from a program on this machine rather than from a page in its browser: pages send an `Origin`, and a
/// name that was made to lead here (DNS rebinding) stands in `Host`.
fn is_operator(headers: &HeaderMap) -> bool {
    let host = headers
        .get(HOST)
        .and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let is_loopback = host.is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].contains(&host.host()));
    is_loopback && !headers.contains_key(ORIGIN)
}

/// What the gateway has to say itself, in the words of API Gateway.
fn message(status: StatusCode, message: &str) -> Response<Body> {
    json_response(status, &json!({"message": message}))
}

fn json_response(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_string(body).expect("string keys and no fallible parts");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_foreign_names_cannot_operate_the_stack() {
        let operator = |headers: &[(&'static str, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (
                    axum::http::HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            });
            is_operator(&headers.collect())
        };
        for host in [
            "127.0.0.1",
            "127.0.0.1:9000",
            "localhost:9000",
            "localhost",
            "[::1]:9000",
        ] {
            assert!(operator(&[("host", host)]), "{host}");
            for origin in ["http://evil.example", "http://127.0.0.1:9000", "null"] {
                assert!(!operator(&[("host", host), ("origin", origin)]), "{host} {origin}");
            }
        }
        for host in [
            "evil.example",
            "evil.example:9000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "a b",
        ] {
            assert!(!operator(&[("host", host)]), "{host}");
        }
        assert!(!operator(&[]));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_the_limit() {
        let of = |size| read(Body::from(vec![b'a'; size]));
        assert_eq!(of(0).await.expect("read"), Some(Bytes::new()));
        assert_eq!(of(MAX_BODY).await.expect("read").map(|body| body.len()), Some(MAX_BODY));
        assert_eq!(of(MAX_BODY + 1).await.expect("read"), None);
    }
}
