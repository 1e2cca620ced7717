//! The commands' way to a stack that is running on this machine.

use std::net::Ipv4Addr;

use axum::body::{Body, Bytes};
use axum::http::header::HOST;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::gateway::SWEEP;

/// Why a command did not get its answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Nobody listens there.
    #[error("no stack is running on port {0}: start one with `cargo run`, or name its port with --port")]
    NotRunning(u16),
    /// Somebody does, but it is no stack, or it went away.
    #[error("what runs on port {port} does not answer as a Cosell stack: {reason}")]
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

pub(crate) async fn post(port: u16, path: &str, body: String) -> Result<Value, CommandError> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|_| CommandError::NotRunning(port))?;
    let (status, body) = exchange(stream, port, path, body)
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
    path: &str,
    body: String,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = Request::post(path)
        .header(HOST, format!("127.0.0.1:{port}"))
        .body(Body::from(body))?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    driver.abort();
    Ok((parts.status, body))
}
