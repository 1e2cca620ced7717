//! The webhooks of an organization: one item, so that its limit holds and one read finds them all; and the log of attempts.

use aws_sdk_dynamodb::types::AttributeValue;
use chrono::TimeDelta;
use domain::{OrganizationId, Timestamp, Webhook, WebhookId};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::cursor::CursorError;
use crate::records::{from_item, read, read_time, to_item};
use crate::timeline::{TimelinePage, Walk};
use crate::transaction::put;
use crate::{Error, Idempotency, Store, keys};

/// How long an attempt can be looked up.
const LIFE: TimeDelta = TimeDelta::days(30);

/// All webhooks of an organization, as they are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Webhooks {
    version: u64,
    /// Each with the text of its secret.
    pub entries: Vec<(Webhook, String)>,
}

#[derive(Serialize, Deserialize)]
struct WebhooksRecord {
    pk: String,
    sk: String,
    version: u64,
    webhooks: Vec<WebhookRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookRecord {
    id: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_types: Option<Vec<String>>,
    status: String,
    created_at: String,
    secret: String,
}

/// One attempt to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    /// The event's id.
    pub event_id: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When.
    pub at: String,
    /// 1 for the first.
    pub attempt: u32,
    /// What the receiver answered, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
    /// When the next one is made, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredAttempt<'a> {
    pk: String,
    sk: String,
    /// Seconds since 1970: the table's TTL attribute.
    expires_at: i64,
    #[serde(flatten)]
    attempt: &'a AttemptRecord,
}

impl WebhookRecord {
    fn of((webhook, secret): &(Webhook, String)) -> Self {
        let types = webhook.event_types.as_ref();
        Self {
            id: webhook.id.to_string(),
            url: webhook.url.to_string(),
            event_types: types.map(|types| types.iter().map(ToString::to_string).collect()),
            status: webhook.status.to_string(),
            created_at: webhook.created_at.to_string(),
            secret: secret.clone(),
        }
    }

    fn entry(self) -> Result<(Webhook, String), Error> {
        let types = self
            .event_types
            .map(|types| types.iter().map(|text| read(text)).collect());
        let webhook = Webhook {
            id: read(&self.id)?,
            url: read(&self.url)?,
            event_types: types.transpose()?,
            status: read(&self.status)?,
            created_at: read_time(&self.created_at)?,
        };
        Ok((webhook, self.secret))
    }
}

impl Store {
    /// An organization's webhooks; consistent.
    pub async fn webhooks(&self, organization: &OrganizationId) -> Result<Webhooks, Error> {
        let Some(item) = self.get(&keys::webhooks(organization)).await? else {
            return Ok(Webhooks::default());
        };
        let record: WebhooksRecord = from_item(item)?;
        Ok(Webhooks {
            version: record.version,
            entries: record
                .webhooks
                .into_iter()
                .map(WebhookRecord::entry)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Replaces an organization's webhooks by others, if they are still as they were read, with the idempotency record in one
    /// transaction. [`Error::Stale`] and [`Error::Used`] mean that nothing was written.
    pub async fn replace_webhooks(
        &self,
        organization: &OrganizationId,
        before: &Webhooks,
        entries: &[(Webhook, String)],
        idempotency: Option<(&Idempotency, String)>,
        now: Timestamp,
        entropy: u128,
    ) -> Result<(), Error> {
        let keys::Key { pk, sk } = keys::webhooks(organization);
        let record = WebhooksRecord {
            pk,
            sk,
            version: before.version + 1,
            webhooks: entries.iter().map(WebhookRecord::of).collect(),
        };
        let new = self.put(&record)?;
        let new = match before.version {
            0 => new.condition_expression("attribute_not_exists(pk)"),
            version => new
                .condition_expression("version = :version")
                .expression_attribute_values(":version", AttributeValue::N(version.to_string())),
        };
        let idempotent = idempotency.is_some();
        let record = idempotency.map(|(used, answer)| self.put_idempotency(used, answer, now));
        let items = record.transpose()?.into_iter().chain([put(new)?]).collect();
        self.write_together(items, idempotent, entropy).await
    }

    /// Notes an attempt in the webhook's log.
    pub async fn log_attempt(
        &self,
        webhook: &WebhookId,
        attempt: &AttemptRecord,
        now: Timestamp,
        entropy: u128,
    ) -> Result<(), Error> {
        let keys::Key { pk, sk } = keys::attempt(webhook, Ulid::from_parts(now.millis(), entropy));
        let stored = StoredAttempt {
            pk,
            sk,
            expires_at: now.plus(LIFE).datetime().timestamp(),
            attempt,
        };
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(&stored)?))
            .condition_expression("attribute_not_exists(pk)");
        request.send().await?;
        Ok(())
    }

    /// The log of a webhook, newest attempt first.
    pub async fn attempts(
        &self,
        organization: &OrganizationId,
        webhook: &WebhookId,
        limit: usize,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<TimelinePage<AttemptRecord>, CursorError>, Error> {
        let walk = Walk {
            pk: keys::attempts(webhook),
            prefix: keys::ATTEMPTS,
            scope: format!("{organization}/{webhook}/{}", keys::ATTEMPTS),
            limit,
            cursor,
            // Deletion of what has expired may lag by days: it counts as absent.
            filter: "expiresAt > :now",
            names: &[],
            values: vec![(":now", AttributeValue::N(now.datetime().timestamp().to_string()))],
        };
        self.walk(walk).await
    }
}
