//! What the Lambda service is to a function: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. One for each
//! process that is started, so that it is known who asks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Failed;

/// Nothing that is measured here takes as long.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a function said.
enum Said {
    /// It asks for its next event, and waits.
    Next(Turn),
    /// Its answer to the last.
    Answer(Instant, Bytes),
    /// It failed.
    Failed(Bytes),
}

/// A function that waits for its next event.
pub struct Turn {
    /// Since when.
    pub at: Instant,
    give: oneshot::Sender<Given>,
}

struct Given {
    event: Bytes,
    sent: oneshot::Sender<Instant>,
}

/// One invocation.
pub struct Invocation {
    /// When the answer was there.
    pub answered: Instant,
    /// From the event's going out to the answer's coming in.
    pub took: Duration,
    /// The answer.
    pub answer: Bytes,
}

/// The service, for one function.
pub struct Service {
    address: SocketAddr,
    said: mpsc::UnboundedReceiver<Said>,
    serving: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Service {
    /// Listens on a free port.
    pub async fn start() -> Result<Self, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (say, said) = mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let say = say.clone();
                let answer = service_fn(move |request| answer(say.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Ok(Self { address, said, serving })
    }

    /// `AWS_LAMBDA_RUNTIME_API`
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    async fn hear(&mut self) -> Result<Said, Failed> {
        let said = timeout(PATIENCE, self.said.recv()).await;
        said.map_err(|_| "the function says nothing")?
            .ok_or_else(|| "nobody listens".into())
    }

    /// Waits until the function asks for an event.
    pub async fn turn(&mut self) -> Result<Turn, Failed> {
        match self.hear().await? {
            Said::Next(turn) => Ok(turn),
            Said::Answer(..) => Err("an answer to nothing".into()),
            Said::Failed(why) => Err(failed(&why)),
        }
    }

    /// Gives the function an event and waits for the answer.
    pub async fn invoke(&mut self, turn: Turn, event: &Value) -> Result<Invocation, Failed> {
        let (sent, was_sent) = oneshot::channel();
        let event = Bytes::from(event.to_string());
        turn.give
            .send(Given { event, sent })
            .map_err(|_| "the function is gone")?;
        let sent = was_sent.await?;
        match self.hear().await? {
            Said::Answer(answered, answer) => Ok(Invocation {
                answered,
                took: answered - sent,
                answer,
            }),
            Said::Next(_) => Err("no answer".into()),
            Said::Failed(why) => Err(failed(&why)),
        }
    }
}

fn failed(why: &[u8]) -> Failed {
    format!("the function failed: {}", String::from_utf8_lossy(why)).into()
}

async fn answer(say: mpsc::UnboundedSender<Said>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Failed> {
    let path = request.uri().path().to_owned();
    if path.ends_with("/invocation/next") {
        let (give, given) = oneshot::channel();
        let at = Instant::now();
        say.send(Said::Next(Turn { at, give }))?;
        let Given { event, sent } = given.await?;
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
            .header("lambda-runtime-deadline-ms", "4102444800000")
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-central-1:111122223333:function:bench",
            )
            .header(
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
            )
            .body(Full::from(event))?;
        let _ = sent.send(Instant::now());
        return Ok(response);
    }
    let body = request.into_body().collect().await?.to_bytes();
    let at = Instant::now();
    say.send(if path.ends_with("/response") {
        Said::Answer(at, body)
    } else {
        Said::Failed(body)
    })?;
    Ok::<_, Infallible>(Response::builder().status(202).body(Full::default()).expect("a status"))
        .map_err(|never| match never {})
}
