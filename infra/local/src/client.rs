//! The commands' way to a stack that is running on this machine.

use std::net::Ipv4Addr;

use axum::body::{Body, Bytes};
use axum::http::header::HOST;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::gateway::{EVENTS, REDRIVE, SWEEP};

/// Why a command did not get its answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Nobody listens there.
    #[error("no stack is running on port {0}: start one with `cargo run`, or name its port with --port")]
    NotRunning(u16),
    /// Somebody does, but it is no stack, or it went away.
    #[error("what listens on port {port} did not answer as a stack does: {reason}")]
    NoStack {
        /// Where.
        port: u16,
        /// What it did.
        reason: String,
    },
    /// The function that was to do it failed.
    #[error("{0}")]
    Failed(String),
}

/// Runs the sweep once in the stack on this port of the machine, and gives its report.
pub async fn sweep(port: u16) -> Result<Value, CommandError> {
    post(port, SWEEP, String::new()).await
}

/// What was published at the bus of the stack on this port, oldest first.
pub async fn events(port: u16) -> Result<Vec<Value>, CommandError> {
    let answer = call(port, Method::GET, EVENTS, String::new()).await?;
    Ok(answer["items"].as_array().cloned().unwrap_or_default())
}

/// Publishes again in the stack on this port, until all is done, and gives how many events that were and which failed.
pub async fn redrive(port: u16, mut redrive: Value) -> Result<(u64, Vec<String>), CommandError> {
    let (mut events, mut failed) = (0, Vec::new());
    loop {
        let report = post(port, REDRIVE, redrive.to_string()).await?;
        events += report["events"].as_u64().unwrap_or(0);
        let ids = report["failed"].as_array().into_iter().flatten();
        failed.extend(ids.filter_map(|id| id.as_str().map(str::to_owned)));
        match &report["next"] {
            Value::String(next) => redrive["cursor"] = next.clone().into(),
            _ => return Ok((events, failed)),
        }
    }
}

pub(crate) async fn post(port: u16, path: &str, body: String) -> Result<Value, CommandError> {
    call(port, Method::POST, path, body).await
}

async fn call(port: u16, method: Method, path: &str, body: String) -> Result<Value, CommandError> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|_| CommandError::NotRunning(port))?;
    let (status, body) = exchange(stream, port, method, path, body)
        .await
        .map_err(|error| CommandError::NoStack {
            port,
            reason: error.to_string(),
        })?;
    let answer: Option<Value> = serde_json::from_slice(&body).ok();
    let message = answer.as_ref().and_then(|answer| answer["message"].as_str());
    match (status, answer.as_ref(), message) {
        (StatusCode::OK, Some(_), _) => Ok(answer.unwrap_or_default()),
        (StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_REQUEST, _, Some(message)) => {
            Err(CommandError::Failed(message.to_owned()))
        }
        _ => Err(CommandError::NoStack {
            port,
            reason: status.to_string(),
        }),
    }
}

async fn exchange(
    stream: TcpStream,
    port: u16,
    method: Method,
    path: &str,
    body: String,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, format!("127.0.0.1:{port}"))
        .body(Body::from(body))?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    driver.abort();
    Ok((parts.status, body))
}
