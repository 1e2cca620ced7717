//! The record that makes a repeated request do nothing: written in the same transaction as what it protects.

use chrono::TimeDelta;
use domain::{IdempotencyKey, OrganizationId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Item, Store, keys};

/// How long a record counts. DynamoDB deletes it some time after that; until then it counts as absent.
const LIFE: TimeDelta = TimeDelta::hours(24);

/// A key that a request came with, and what identifies the request.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Whose key it is: keys of different organizations never meet.
    pub organization: OrganizationId,
    /// The key.
    pub key: IdempotencyKey,
    /// Digest of method, path and body.
    pub fingerprint: String,
}

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// Digest of the request that used it.
    pub fingerprint: String,
    /// The answer to that request, as its writer had it.
    pub answer: String,
    /// Seconds since 1970: the table's TTL attribute.
    expires_at: i64,
}

impl Recorded {
    pub(crate) fn new(fingerprint: &str, answer: String, now: Timestamp) -> Self {
        let expires_at = now.plus(LIFE).datetime().timestamp();
        Self {
            fingerprint: fingerprint.to_owned(),
            answer,
            expires_at,
        }
    }

    pub(crate) fn from_item(item: Item) -> Result<Self, Error> {
        serde_dynamo::from_item(item).map_err(|error| Error::Corrupt(error.to_string()))
    }
}

impl Idempotency {
    /// 128 bits that are the same for the same request with the same key: what is done outside the table can be done with the
    /// same id when it is repeated.
    pub fn seed(&self) -> u128 {
        let digest = Sha256::digest(format!("{}#{}#{}", self.organization, self.key, self.fingerprint));
        digest
            .iter()
            .take(16)
            .fold(0, |seed, byte| seed << 8 | u128::from(*byte))
    }
}

impl Store {
    /// Records that the key was used, where what it protects is in no transaction of the table. [`Error::Used`] if it was.
    pub async fn record(&self, used: &Idempotency, answer: String, now: Timestamp, entropy: u128) -> Result<(), Error> {
        let item = self.put_idempotency(used, answer, now)?;
        self.write_together(vec![item], true, entropy).await
    }

    /// What the key was used for, if it was in the last 24 hours.
    pub async fn recorded(&self, used: &Idempotency, now: Timestamp) -> Result<Option<Recorded>, Error> {
        let found = self.get(&keys::idempotency(&used.organization, &used.key)).await?;
        let record = found.map(Recorded::from_item).transpose()?;
        Ok(record.filter(|record| record.expires_at > now.datetime().timestamp()))
    }
}
