//! Stands between the functions and the engine, and does to their calls what networks and busy tables do.
//!
//! No local engine throttles, and none of them conflicts or loses an answer.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::{Dice, exchange};

/// Longer than any attempt of the SDK lasts.
const SILENCE: Duration = Duration::from_secs(30);

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manner {
    /// Refused: too many calls.
    Throttles,
    /// Refused: too many calls at this partition.
    Exceeds,
    /// The transaction is cancelled: another one is at one of its items.
    Conflicts,
    /// The transaction is cancelled: one of its items gets too many writes.
    CancelsThrottled,
    /// Refused: a transaction is at the item.
    MeetsTransaction,
    /// Refused: the transaction is still running.
    InProgress,
    /// Some of the batch is left out; all of it.
    LeavesOut,
    /// An error of the engine's own.
    Fails,
    /// The connection ends before the call is carried out.
    Breaks,
    /// The call is carried out, and the connection ends before the answer.
    LosesAnswer,
    /// Carried out too late, and nobody hears of it.
    Hangs,
    /// The call is carried out, and the answer does not come.
    AnswersTooLate,
}

impl Manner {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Throttles,
        Self::Exceeds,
        Self::Conflicts,
        Self::CancelsThrottled,
        Self::MeetsTransaction,
        Self::InProgress,
        Self::LeavesOut,
        Self::Fails,
        Self::Breaks,
        Self::LosesAnswer,
        Self::Hangs,
        Self::AnswersTooLate,
    ];

    /// Whether this can happen to such a call.
    pub fn happens_to(self, operation: &str) -> bool {
        match self {
            Self::Conflicts | Self::CancelsThrottled | Self::InProgress => operation == "TransactWriteItems",
            Self::MeetsTransaction => ["PutItem", "UpdateItem", "DeleteItem"].contains(&operation),
            Self::LeavesOut => operation == "BatchGetItem",
            _ => true,
        }
    }

    /// Whether it takes seconds until somebody notices.
    pub fn is_slow(self) -> bool {
        matches!(self, Self::Hangs | Self::AnswersTooLate)
    }
}

/// Which calls it becomes of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lasts {
    /// The first attempt at one call.
    Once,
    /// So many attempts, at that call and at those after it.
    Times(usize),
    /// That call and every one after it.
    On,
}

#[derive(Debug, Clone)]
enum Plan {
    Nothing,
    /// The call of this number, from 0.
    At(usize, Manner, Lasts),
    /// One attempt in so many.
    Random(Dice, usize),
}

#[derive(Debug)]
struct State {
    plan: Plan,
    /// What was asked for since the plan was made; the SDK's repetitions of a call are no calls of their own.
    calls: Vec<String>,
    invocations: HashMap<String, usize>,
    struck: HashSet<usize>,
    /// How often something became of an attempt.
    strikes: HashMap<Manner, usize>,
}

/// What stands between.
#[derive(Clone)]
pub struct Proxy {
    /// Where it is.
    pub url: String,
    engine: String,
    state: Arc<Mutex<State>>,
}

/// The connection ends here.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

impl Proxy {
    /// Stands before an engine, and does nothing yet.
    pub async fn before(engine: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let proxy = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            engine: engine.strip_prefix("http://").expect("plain HTTP").to_owned(),
            state: Arc::new(Mutex::new(State {
                plan: Plan::Nothing,
                calls: Vec::new(),
                invocations: HashMap::new(),
                struck: HashSet::new(),
                strikes: HashMap::new(),
            })),
        };
        tokio::spawn(proxy.clone().listen(listener));
        proxy
    }

    /// From now on this becomes of the call of that number, counted from 0.
    pub fn strike(&self, call: usize, manner: Manner, lasts: Lasts) {
        self.plan(Plan::At(call, manner, lasts));
    }

    /// From now on something becomes of one attempt in so many.
    pub fn strike_at_random(&self, dice: Dice, one_in: usize) {
        self.plan(Plan::Random(dice, one_in));
    }

    /// From now on nothing becomes of any call; what was called since the last time.
    pub fn rest(&self) -> Vec<String> {
        self.plan(Plan::Nothing)
    }

    /// How often what became of calls, in all.
    pub fn strikes(&self) -> HashMap<Manner, usize> {
        self.state.lock().expect("not poisoned").strikes.clone()
    }

    fn plan(&self, plan: Plan) -> Vec<String> {
        let mut state = self.state.lock().expect("not poisoned");
        state.plan = plan;
        state.invocations.clear();
        state.struck.clear();
        std::mem::take(&mut state.calls)
    }

    fn becomes(&self, operation: &str, invocation: &str) -> Option<Manner> {
        let mut state = self.state.lock().expect("not poisoned");
        let state = &mut *state;
        let known = state.invocations.get(invocation).copied();
        let number = known.unwrap_or_else(|| {
            state.calls.push(operation.to_owned());
            let number = state.calls.len() - 1;
            state.invocations.insert(invocation.to_owned(), number);
            number
        });
        let manner = match &mut state.plan {
            Plan::Nothing => None,
            Plan::At(call, manner, Lasts::Once) => (number == *call && state.struck.insert(number)).then_some(*manner),
            Plan::At(call, manner, Lasts::Times(left)) => {
                let strikes = number >= *call && *left > 0 && manner.happens_to(operation);
                *left -= usize::from(strikes);
                strikes.then_some(*manner)
            }
            Plan::At(call, manner, Lasts::On) => (number >= *call).then_some(*manner),
            Plan::Random(dice, one_in) => (dice.roll(*one_in) == 0).then(|| {
                // What takes seconds is rare, so that a load of commands does not only wait.
                let manner = *dice.pick(&Manner::ALL);
                if manner.is_slow() && dice.roll(8) > 0 {
                    Manner::LosesAnswer
                } else {
                    manner
                }
            }),
        };
        let manner = manner.filter(|manner| manner.happens_to(operation));
        if let Some(manner) = manner {
            *state.strikes.entry(manner).or_default() += 1;
        }
        manner
    }

    async fn listen(self, listener: TcpListener) -> Infallible {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            tokio::spawn(self.clone().serve(stream));
        }
    }

    async fn serve(self, stream: TcpStream) {
        let service = service_fn(|request| self.answer(request));
        // An error of the service ends the connection, which is what it is for.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
        let header = |name: &str| {
            let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let operation = header("x-amz-target").rsplit('.').next().unwrap_or_default().to_owned();
        let manner = self.becomes(&operation, &header("amz-sdk-invocation-id"));
        let forward = async {
            let mut request = Request::builder().method(parts.method.clone()).uri(parts.uri.clone());
            for (name, value) in &parts.headers {
                request = request.header(name, value);
            }
            let (parts, body) = exchange(&self.engine, request.body(Full::new(body.clone())).expect("a request"))
                .await
                .into_parts();
            let mut response = Response::from_parts(parts, Full::new(body));
            // Its length is told anew.
            response.headers_mut().remove(hyper::header::TRANSFER_ENCODING);
            response
        };
        match manner {
            None => Ok(forward.await),
            Some(Manner::Breaks) => Err(Broken),
            Some(Manner::LosesAnswer) => {
                forward.await;
                Err(Broken)
            }
            Some(Manner::Hangs) => {
                tokio::time::sleep(SILENCE).await;
                Err(Broken)
            }
            Some(Manner::AnswersTooLate) => {
                let answer = forward.await;
                tokio::time::sleep(SILENCE).await;
                Ok(answer)
            }
            Some(refused) => Ok(refusal(refused, &body)),
        }
    }
}

fn refusal(manner: Manner, body: &[u8]) -> Response<Full<Bytes>> {
    let error =
        |name: &str| json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": "Not now."});
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let (status, body) = match manner {
        Manner::Throttles => (400, error("ThrottlingException")),
        Manner::Exceeds => (400, error("ProvisionedThroughputExceededException")),
        Manner::Conflicts => (400, cancelled(&request, "TransactionConflict")),
        Manner::CancelsThrottled => (400, cancelled(&request, "ThrottlingError")),
        Manner::MeetsTransaction => (400, error("TransactionConflictException")),
        Manner::InProgress => (400, error("TransactionInProgressException")),
        Manner::LeavesOut => (
            200,
            json!({"Responses": {}, "UnprocessedKeys": request["RequestItems"]}),
        ),
        _ => (500, error("InternalServerError")),
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/x-amz-json-1.0")
        .body(Full::new(Bytes::from(body.to_string())))
        .expect("a response")
}

/// The last item was the reason, and none of the others.
fn cancelled(request: &Value, code: &str) -> Value {
    let items = request["TransactItems"].as_array().map_or(0, Vec::len);
    let mut reasons = vec![json!({"Code": "None"}); items];
    if let Some(last) = reasons.last_mut() {
        *last = json!({"Code": code, "Message": "Not now."});
    }
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    })
}
