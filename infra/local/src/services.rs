//! The endpoint of EventBridge and SQS: what the functions' clients of the AWS SDK call.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::bus::{Bus, Entry};
use crate::queue::Queues;

/// What one call of `PutEvents` takes.
const MAX_ENTRIES: usize = 10;

#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) bus: Bus,
    pub(crate) queues: Queues,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: String,
    message_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeMessageVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: u64,
}

/// The code of an error, and what it says.
type Failed = (&'static str, String);

/// The URL of a queue at this endpoint.
pub(crate) fn queue_url(endpoint: &str, queue: &str) -> String {
    format!("{endpoint}/000000000000/{queue}")
}

fn queue_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

impl Services {
    pub(crate) fn router(self) -> Router {
        Router::new().fallback(serve).with_state(self)
    }

    fn call(&self, target: &str, body: &[u8]) -> Result<Value, Failed> {
        match target {
            "AWSEvents.PutEvents" => {
                let PutEvents { entries } = read(body)?;
                if entries.is_empty() || entries.len() > MAX_ENTRIES {
                    let message = format!("1 to {MAX_ENTRIES} entries, not {}", entries.len());
                    return Err(("ValidationException", message));
                }
                let entries = entries.iter().map(|entry| match self.bus.put(entry) {
                    Ok(id) => json!({"EventId": id}),
                    Err((code, message)) => json!({"ErrorCode": code, "ErrorMessage": message}),
                });
                let entries: Vec<Value> = entries.collect();
                let failed = entries.iter().filter(|entry| entry.get("ErrorCode").is_some()).count();
                Ok(json!({"FailedEntryCount": failed, "Entries": entries}))
            }
            "AmazonSQS.SendMessage" => {
                let message: SendMessage = read(body)?;
                let sent = self.queues.send(queue_of(&message.queue_url), message.message_body);
                let id = sent.ok_or_else(|| no_queue(&message.queue_url))?;
                Ok(json!({"MessageId": id}))
            }
            "AmazonSQS.ChangeMessageVisibility" => {
                let change: ChangeMessageVisibility = read(body)?;
                let time = Duration::from_secs(change.visibility_timeout);
                if self
                    .queues
                    .hide(queue_of(&change.queue_url), &change.receipt_handle, time)
                {
                    Ok(json!({}))
                } else {
                    Err(("ReceiptHandleIsInvalid", "there is no such message".into()))
                }
            }
            other => Err(("UnknownOperationException", format!("{other} is not done here"))),
        }
    }
}

fn no_queue(url: &str) -> Failed {
    ("QueueDoesNotExist", format!("there is no queue {url}"))
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failed> {
    serde_json::from_slice(body).map_err(|error| ("SerializationException", error.to_string()))
}

async fn serve(State(services): State<Services>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let (status, answer) = match services.call(target.unwrap_or_default(), &body) {
        Ok(answer) => (StatusCode::OK, answer),
        Err((code, message)) => (StatusCode::BAD_REQUEST, json!({"__type": code, "message": message})),
    };
    let mut response = Response::new(Body::from(answer.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}
