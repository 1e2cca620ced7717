//! From the queue to webhooks.
//!
//! The bus puts each event into the queue. For each webhook that wants it, one message of its own goes into the same queue,
//! in a group of its own, so that a receiver that is slow or down keeps nobody waiting. A message that cannot be delivered
//! stays in the queue and comes again later and later, until the queue puts it among the dead ones.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use domain::{Actor, OrganizationId, Timestamp, Webhook, WebhookId, WebhookStatus};
use edge::{App, Failure, clock, entropy, telemetry};
use events::webhook::{Delivery, Failed, Received, Secret, next_attempt};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use store::{AttemptRecord, Error};

/// A webhook that answers so wants no more.
const GONE: u16 = 410;

/// A message of the queue, as Lambda has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    receipt_handle: String,
    body: String,
    attributes: Attributes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    approximate_receive_count: String,
}

/// An event as the bus sends it.
#[derive(Deserialize)]
struct Published<'a> {
    #[serde(rename = "detail-type")]
    detail_type: String,
    #[serde(borrow)]
    detail: &'a RawValue,
}

#[derive(Deserialize)]
struct Addressed {
    id: String,
    recipient: Recipient,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    organization_id: String,
}

/// An event for one webhook.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    organization_id: String,
    webhook_id: String,
    /// The event's id.
    pub(crate) id: String,
    #[serde(rename = "type")]
    event_type: String,
    /// What is sent, to the letter.
    payload: String,
}

impl Message {
    /// An event that says nothing, to see whether the webhook works.
    pub(crate) fn test(by: &Actor, webhook: &Webhook, id: &WebhookId, now: Timestamp) -> Self {
        let id = id.to_string();
        let event_type = "Webhook Test";
        let payload = json!({
            "id": id,
            "version": events::VERSION,
            "type": event_type,
            "occurredAt": now.to_string(),
            "recipient": {"organizationId": by.organization.as_str()},
        });
        Self {
            organization_id: by.organization.to_string(),
            webhook_id: webhook.id.to_string(),
            id,
            event_type: event_type.to_owned(),
            payload: payload.to_string(),
        }
    }

    pub(crate) fn json(&self) -> String {
        serde_json::to_string(self).expect("strings only")
    }
}

/// Why a message is not done.
enum Undone {
    /// It is to come again after this.
    Later(Duration),
    /// It is to come again when the queue likes.
    Failed,
}

/// Delivers the messages of a batch, all at once, and answers which of them are to come again (`batchItemFailures`).
pub async fn handle(app: App, event: Value, _deadline: u64) -> Result<Value, Failure> {
    let records = Vec::<Record>::deserialize(event.get("Records").unwrap_or(&Value::Null));
    let records =
        records.map_err(|error| Failure::new("BadEvent", format!("The event must be a batch of a queue: {error}")))?;
    let queue = app.config.deliveries.get()?;
    let work = records.iter().map(|record| async {
        let undone = match deal_with(&app, queue, record).await {
            Ok(()) => return None,
            Err(undone) => undone,
        };
        if let Undone::Later(time) = undone
            && let Err(error) = app.queues().hide(queue, &record.receipt_handle, time).await
        {
            // It comes again all the same, after the queue's own time.
            telemetry::failure(&error);
        }
        Some(json!({"itemIdentifier": record.message_id}))
    });
    let failures: Vec<Value> = join_all(work).await.into_iter().flatten().collect();
    Ok(json!({"batchItemFailures": failures}))
}

async fn deal_with(app: &App, queue: &str, record: &Record) -> Result<(), Undone> {
    if let Ok(message) = serde_json::from_str::<Message>(&record.body) {
        let attempt = record.attributes.approximate_receive_count.parse().unwrap_or(1);
        return deliver(app, &message, attempt).await;
    }
    let published: Result<Published<'_>, _> = serde_json::from_str(&record.body);
    let addressed = published
        .as_ref()
        .map(|published| serde_json::from_str::<Addressed>(published.detail.get()));
    let (Ok(published), Ok(Ok(addressed))) = (&published, addressed) else {
        // It ends among the dead ones, where it can be looked at.
        tracing::error!(message = record.message_id, "not an event");
        return Err(Undone::Failed);
    };
    spread(app, queue, published, &addressed).await
}

/// One message for each webhook that wants the event.
async fn spread(app: &App, queue: &str, published: &Published<'_>, addressed: &Addressed) -> Result<(), Undone> {
    let Ok(organization) = OrganizationId::parse(&addressed.recipient.organization_id) else {
        tracing::error!(event = addressed.id, "not for an organization");
        return Err(Undone::Failed);
    };
    let webhooks = app.store.webhooks(&organization).await?;
    for (webhook, _) in &webhooks.entries {
        if !webhook.wants(&published.detail_type) {
            continue;
        }
        let message = Message {
            organization_id: organization.to_string(),
            webhook_id: webhook.id.to_string(),
            id: addressed.id.clone(),
            event_type: published.detail_type.clone(),
            payload: published.detail.get().to_owned(),
        };
        let sent = app
            .queues()
            .send(queue, message.json(), Some(webhook.id.as_str()))
            .await;
        sent.map_err(|error| {
            telemetry::failure(&error);
            Undone::Later(Duration::from_secs(5))
        })?;
    }
    Ok(())
}

async fn deliver(app: &App, message: &Message, attempt: u32) -> Result<(), Undone> {
    let ids = (
        OrganizationId::parse(&message.organization_id),
        WebhookId::parse(&message.webhook_id),
    );
    let (Ok(organization), Ok(id)) = ids else {
        tracing::error!(event = message.id, "not a message of ours");
        return Err(Undone::Failed);
    };
    let webhooks = app.store.webhooks(&organization).await?;
    let found = webhooks.entries.iter().find(|(webhook, _)| webhook.id == id);
    let Some((webhook, secret)) = found.filter(|(webhook, _)| webhook.status == WebhookStatus::Enabled) else {
        // Deleted or disabled in the meantime.
        return Ok(());
    };
    let Some(secret) = Secret::parse(secret) else {
        tracing::error!(webhook = id.as_str(), "its secret is not readable");
        return Err(Undone::Failed);
    };
    let delivery = Delivery {
        url: &webhook.url,
        secret: &secret,
        id: &message.id,
        body: &message.payload,
    };
    let (at, started) = (clock::now(), Instant::now());
    let result = delivery.attempt(at, app.config.webhook_targets).await;
    let duration = started.elapsed();
    let delivered = matches!(result, Ok(Received { status: 200..300, .. }));
    let gone = matches!(result, Ok(Received { status: GONE, .. }));
    let asked_for = result.ok().and_then(|received| received.retry_after);
    let next = if delivered || gone {
        None
    } else {
        next_attempt(attempt, asked_for)
    };
    let record = attempt_record(message, at, attempt, result, duration, next);
    if let Err(error) = app.store.log_attempt(&id, &record, at, entropy::entropy()).await {
        // A log that cannot be written is no reason to deliver twice.
        telemetry::failure(&error);
    }
    tracing::info!(
        webhook = id.as_str(),
        organization = organization.as_str(),
        event = message.id,
        attempt,
        status = record.status,
        error = record.error,
        "delivered {delivered}"
    );
    if gone {
        return Ok(disable(app, &organization, &id).await?);
    }
    match (delivered, next) {
        (true, _) => Ok(()),
        (false, Some(next)) => Err(Undone::Later(next)),
        (false, None) => Err(Undone::Failed),
    }
}

fn attempt_record(
    message: &Message,
    at: Timestamp,
    attempt: u32,
    result: Result<Received, Failed>,
    duration: Duration,
    next: Option<Duration>,
) -> AttemptRecord {
    let next = next.and_then(|next| TimeDelta::from_std(next).ok());
    AttemptRecord {
        event_id: message.id.clone(),
        event_type: message.event_type.clone(),
        at: at.to_string(),
        attempt,
        status: result.ok().map(|received| received.status),
        error: result.err().map(|failed| failed.to_string()),
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        next_attempt_at: next.map(|next| at.plus(next).to_string()),
    }
}

/// Standard Webhooks: a receiver that is gone is not called again.
async fn disable(app: &App, organization: &OrganizationId, id: &WebhookId) -> Result<(), Error> {
    let before = app.store.webhooks(organization).await?;
    let mut entries = before.entries.clone();
    for (webhook, _) in &mut entries {
        if webhook.id == *id {
            webhook.status = WebhookStatus::Disabled;
        }
    }
    let (now, entropy) = (clock::now(), entropy::entropy());
    app.store
        .replace_webhooks(organization, &before, &entries, None, now, entropy)
        .await
}

impl From<Error> for Undone {
    /// Here the failure of the database ends, so here it is logged.
    fn from(error: Error) -> Self {
        telemetry::failure(&error);
        Self::Later(Duration::from_secs(30))
    }
}
