//! What is written together: all of it or none.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::{PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::Serialize;

use crate::error::{Cancelled, cancellation, in_progress};
use crate::idempotency::Recorded;
use crate::records::to_item;
use crate::{Error, Item, Store};

/// How often a transaction is tried that only met another one at the same items.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// How long to wait, time after time, for an attempt at a transaction that is still running: beyond 5 seconds in all, since from
/// then on a repetition completes one that got stuck
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors>).
const IN_PROGRESS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_millis(2_500),
];

impl Store {
    /// Writes all of the items or none. `idempotent`: the first one is the record of an idempotency key.
    ///
    /// `entropy` is that of one call: the token of each transaction comes from it, so that DynamoDB, when an answer was lost and the
    /// SDK asks again, answers as it did the first time, and not that the conditions no longer hold.
    pub(crate) async fn write_together(
        &self,
        items: Vec<TransactWriteItem>,
        idempotent: bool,
        entropy: u128,
    ) -> Result<(), Error> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let Err(error) = self.transact_once(items.clone(), token(entropy, attempt)).await else {
                return Ok(());
            };
            let Some(reasons) = cancellation(&error) else {
                return Err(error.into());
            };
            match verdict(idempotent, reasons)? {
                Verdict::Final(reason) => return Err(reason),
                Verdict::Passing if attempt < ATTEMPTS => {
                    tokio::time::sleep(jittered(pause, entropy, attempt)).await;
                    pause *= 2;
                }
                Verdict::Passing => break,
            }
        }
        Err(Error::unavailable(
            "the transaction met others at the same items every time",
        ))
    }

    /// One transaction. When an earlier attempt at it is still running, it is asked for until that is over.
    async fn transact_once(
        &self,
        items: Vec<TransactWriteItem>,
        token: String,
    ) -> Result<(), SdkError<TransactWriteItemsError>> {
        let mut waited = IN_PROGRESS.iter();
        loop {
            let request = self
                .client
                .transact_write_items()
                .client_request_token(&token)
                .set_transact_items(Some(items.clone()));
            let Err(error) = request.send().await else {
                return Ok(());
            };
            match waited.next().filter(|_| in_progress(&error)) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(error),
            }
        }
    }

    /// The put of a record, which holds its own key.
    pub(crate) fn put(&self, record: &impl Serialize) -> Result<PutBuilder, Error> {
        Ok(self.put_item(to_item(record)?))
    }

    pub(crate) fn put_item(&self, item: Item) -> PutBuilder {
        Put::builder().table_name(&self.table).set_item(Some(item))
    }

    pub(crate) fn update(&self, update: UpdateBuilder) -> Result<TransactWriteItem, Error> {
        let update = update.table_name(&self.table).build().map_err(refused)?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

pub(crate) fn put(put: PutBuilder) -> Result<TransactWriteItem, Error> {
    let put = put.build().map_err(refused)?;
    Ok(TransactWriteItem::builder().put(put).build())
}

pub(crate) fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Refused(error.into())
}

enum Verdict {
    Final(Error),
    Passing,
}

/// Tells a repeated request from a lost race from a passing conflict. The idempotency record, when there is one, is
/// the first item.
fn verdict(idempotent: bool, reasons: Vec<Cancelled>) -> Result<Verdict, Error> {
    let mut stale = false;
    let mut passing = false;
    for (index, reason) in reasons.into_iter().enumerate() {
        match reason {
            Cancelled::No => {}
            Cancelled::Condition(item) if index == 0 && idempotent => {
                let item =
                    item.ok_or_else(|| Error::unavailable("the record of the idempotency key was not returned"))?;
                return Ok(Verdict::Final(Error::Used(Box::new(Recorded::from_item(item)?))));
            }
            Cancelled::Condition(_) => stale = true,
            Cancelled::Passing => passing = true,
            Cancelled::Other(code) => return Ok(Verdict::Final(Error::Refused(code.into()))),
        }
    }
    Ok(match (stale, passing) {
        (true, _) => Verdict::Final(Error::Stale),
        (false, true) => Verdict::Passing,
        (false, false) => Verdict::Final(Error::Refused("cancelled without a reason".into())),
    })
}

/// The `ClientRequestToken` of a transaction: another one for each that is asked for anew.
fn token(entropy: u128, attempt: u32) -> String {
    format!("{:032x}", entropy.wrapping_add(attempt.into()))
}

/// A pause before another attempt: half of it at random, so that two that met do not meet again.
pub(crate) fn jittered(pause: Duration, entropy: u128, attempt: u32) -> Duration {
    let byte = entropy.to_le_bytes()[attempt as usize % 16];
    pause.mul_f64(0.5 + f64::from(byte) / 255.0 / 2.0)
}
