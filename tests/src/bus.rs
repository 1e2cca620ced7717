//! An EventBridge that is as bad as one likes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What it does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Takes everything.
    Takes,
    /// Takes one entry in so many, with no pattern that the sender could fall in step with, and refuses the others.
    TakesOneIn(u64),
    /// Answers with an error of its own.
    Fails,
    /// Takes everything and does not answer until it is told to go on.
    TakesInSilence,
}

/// A bus on this machine.
#[derive(Clone)]
pub struct FakeBus {
    /// Where it is.
    pub url: String,
    state: Arc<Mutex<State_>>,
    go_on: Arc<Notify>,
    called: Arc<Notify>,
}

struct State_ {
    manner: Manner,
    entries: usize,
    calls: Vec<usize>,
    taken: Vec<Value>,
}

impl FakeBus {
    /// Starts one.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let bus = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            state: Arc::new(Mutex::new(State_ {
                manner,
                entries: 0,
                calls: Vec::new(),
                taken: Vec::new(),
            })),
            go_on: Arc::default(),
            called: Arc::default(),
        };
        let app = Router::new().fallback(put_events).with_state(bus.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        bus
    }

    /// From now on it does so.
    pub fn becomes(&self, manner: Manner) {
        self.state.lock().expect("not poisoned").manner = manner;
        self.go_on.notify_waiters();
    }

    /// The details that it took, in the order of their arrival.
    pub fn taken(&self) -> Vec<Value> {
        self.state.lock().expect("not poisoned").taken.clone()
    }

    /// How many entries each call had.
    pub fn calls(&self) -> Vec<usize> {
        self.state.lock().expect("not poisoned").calls.clone()
    }

    /// Until the next call comes in.
    pub async fn is_called(&self) {
        self.called.notified().await;
    }
}

/// A number that looks like chance, the same in every run.
fn scattered(number: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    number.hash(&mut hasher);
    hasher.finish()
}

async fn put_events(State(bus): State<FakeBus>, body: Bytes) -> Response {
    let call: Value = serde_json::from_slice(&body).expect("JSON");
    let entries = call["Entries"].as_array().expect("entries").clone();
    let (manner, results) = {
        let mut state = bus.state.lock().expect("not poisoned");
        state.calls.push(entries.len());
        let manner = state.manner;
        let mut results = Vec::new();
        for entry in entries {
            state.entries += 1;
            let takes = match manner {
                Manner::Takes | Manner::TakesInSilence => true,
                Manner::TakesOneIn(many) => scattered(state.entries).is_multiple_of(many),
                Manner::Fails => false,
            };
            results.push(if takes {
                let detail = entry["Detail"].as_str().expect("a detail");
                state.taken.push(serde_json::from_str(detail).expect("JSON"));
                json!({"EventId": state.entries.to_string()})
            } else {
                json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "Not now."})
            });
        }
        (manner, results)
    };
    bus.called.notify_one();
    if manner == Manner::TakesInSilence {
        bus.go_on.notified().await;
    }
    let kind = [("content-type", "application/x-amz-json-1.1")];
    if manner == Manner::Fails {
        let error = json!({"__type": "InternalException", "message": "It is broken."});
        return (StatusCode::INTERNAL_SERVER_ERROR, kind, error.to_string()).into_response();
    }
    let failed = results
        .iter()
        .filter(|result| result.get("ErrorCode").is_some())
        .count();
    let answer = json!({"FailedEntryCount": failed, "Entries": results});
    (StatusCode::OK, kind, answer.to_string()).into_response()
}
