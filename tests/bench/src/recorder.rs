//! Stands before the engine and writes down what a function asks of it, for the floor to ask the same.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};

use crate::Failed;

/// An operation and its input.
type Call = (String, Value);

/// A recorder, and where it is.
pub struct Recorder {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    log: Arc<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    /// What was asked, in its order; together what was asked before the last was answered.
    stages: Vec<Vec<Call>>,
    running: usize,
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Host and port of an engine.
pub fn host(url: &str) -> &str {
    url.trim_start_matches("http://")
}

impl Recorder {
    /// Before the engine there.
    pub async fn before(engine: &str) -> Result<Self, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (log, engine) = (Arc::<Mutex<Log>>::default(), host(engine).to_owned());
        let shared = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, engine) = (Arc::clone(&shared), engine.clone());
                let pass = service_fn(move |request| pass(Arc::clone(&log), engine.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), pass));
            }
        });
        Ok(Self { url, log })
    }

    /// What was asked so far.
    pub fn stages(&self) -> Vec<Vec<Call>> {
        lock(&self.log).stages.clone()
    }
}

async fn pass(
    log: Arc<Mutex<Log>>,
    engine: String,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Failed> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let target = parts.headers.get("x-amz-target").ok_or("no operation")?.to_str()?;
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    {
        let mut log = lock(&log);
        if log.running == 0 {
            log.stages.push(Vec::new());
        }
        log.running += 1;
        let call = (operation, serde_json::from_slice(&body)?);
        log.stages.last_mut().ok_or("no stage")?.push(call);
    }
    let (mut sender, connection) = handshake(TokioIo::new(TcpStream::connect(&engine).await?)).await?;
    tokio::spawn(connection);
    let response = sender
        .send_request(Request::from_parts(parts, Full::<Bytes>::from(body)))
        .await?;
    let (mut parts, body) = response.into_parts();
    // Its length is told anew.
    parts.headers.remove("transfer-encoding");
    let body = body.collect().await?.to_bytes();
    lock(&log).running -= 1;
    Ok(Response::from_parts(parts, Full::from(body)))
}
