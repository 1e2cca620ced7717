//! One deal: read whole, written conditionally.

use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::{Deal, DealId, Event, Opportunity, OrganizationId, Timestamp, evolve};
use ulid::Ulid;

use crate::error::{Cancelled, cancellation, in_progress};
use crate::idempotency::{Idempotency, Recorded};
use crate::records::{EventRecord, NoteRecord, OpportunityRecord, from_item, to_item};
use crate::{Error, Store, keys};

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

/// A change of a deal, to be written as a whole or not at all.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The deal as it was read; `None` when it is created.
    pub stored: Option<&'a Deal>,
    /// What was decided.
    pub events: &'a [Event],
    /// When: the ids of events sort by it.
    pub now: Timestamp,
    /// 128 random bits, for the ids.
    pub entropy: u128,
    /// The request's idempotency key and the answer that a repetition gets.
    pub idempotency: Option<(&'a Idempotency, String)>,
}

impl Commit<'_> {
    /// The notes that come with the events, as they will be stored.
    pub fn notes(&self) -> Result<Vec<NoteRecord>, Error> {
        let records = self.records(&self.after()?)?;
        Ok(records.into_iter().filter_map(|(_, note)| note).collect())
    }

    fn after(&self) -> Result<Deal, Error> {
        let after = self.events.iter().fold(self.stored.cloned(), evolve);
        after.ok_or_else(|| Error::Corrupt("the events do not create a deal".into()))
    }

    fn records(&self, after: &Deal) -> Result<Vec<(EventRecord, Option<NoteRecord>)>, Error> {
        let mut ids = ids(self.now, self.entropy);
        let records = self.events.iter().map(|event| {
            let record = EventRecord::of(after, event, &mut ids)?;
            Some((record, NoteRecord::of(after, event, &mut ids)))
        });
        let records: Option<Vec<_>> = records.collect();
        records.ok_or_else(|| Error::Corrupt("no more ids in this millisecond".into()))
    }
}

impl Store {
    /// The deal with all its views, as it is stored; consistent. `None` if there is no such deal.
    pub async fn deal(&self, id: &DealId) -> Result<Option<Deal>, Error> {
        let pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :views)")
            .expression_attribute_values(":pk", keys::text(&keys::deal(id)))
            .expression_attribute_values(":views", keys::text(keys::VIEWS))
            .into_paginator()
            .items()
            .send();
        let items = pages.collect::<Result<Vec<_>, _>>().await?;
        if items.is_empty() {
            return Ok(None);
        }
        let views = items
            .into_iter()
            .map(|item| from_item::<OpportunityRecord>(item)?.opportunity())
            .collect::<Result<Vec<Opportunity>, Error>>()?;
        Deal::from_views(views)
            .map(Some)
            .ok_or_else(|| Error::Corrupt(format!("deal {id} has no owner's view")))
    }

    /// One organization's view, as it is stored; consistent. `None` if it has none.
    pub async fn view(&self, id: &DealId, organization: &OrganizationId) -> Result<Option<Opportunity>, Error> {
        let item = self.get(&keys::view(id, organization)).await?;
        item.map(|item| from_item::<OpportunityRecord>(item)?.opportunity())
            .transpose()
    }

    /// Writes the views that the events changed, each on condition that it is still as it was read, the events, the notes
    /// and the idempotency record in one transaction.
    ///
    /// [`Error::Stale`] and [`Error::Used`] mean that nothing was written; after [`Error::Unavailable`] it may have been.
    pub async fn commit(&self, commit: &Commit<'_>) -> Result<(), Error> {
        let items = self.items(commit)?;
        self.write_together(items, commit.idempotency.is_some(), commit.entropy)
            .await
    }

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
                    // Half of it at random, so that two that met do not meet again.
                    tokio::time::sleep(pause.mul_f64(0.5 + jitter(entropy, attempt) / 2.0)).await;
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
    pub(crate) async fn transact_once(
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

    fn items(&self, commit: &Commit<'_>) -> Result<Vec<TransactWriteItem>, Error> {
        let after = commit.after()?;
        let mut items = Vec::new();
        if let Some((idempotency, answer)) = &commit.idempotency {
            items.push(self.put_idempotency(idempotency, answer.clone(), commit.now)?);
        }
        for view in after.views() {
            let before = commit.stored.and_then(|deal| deal.view(&view.organization.id).ok());
            if before != Some(view) {
                items.push(self.put_view(view, before.map(|before| before.version))?);
                items.extend(self.note_team(before, view)?);
                items.extend(self.put_registration(&after, view, before)?);
            }
        }
        items.extend(self.count(commit.stored, &after)?);
        for (event, note) in commit.records(&after)? {
            items.push(transact(
                self.put(&event)?.condition_expression("attribute_not_exists(pk)"),
            )?);
            if let Some(note) = note {
                items.push(transact(
                    self.put(&note)?.condition_expression("attribute_not_exists(pk)"),
                )?);
            }
        }
        Ok(items)
    }

    /// A view is written while its version is the one that was read, and while it has no note from later on: a note has no version of
    /// its own, so that many can be added at once.
    fn put_view(&self, view: &Opportunity, version: Option<u64>) -> Result<TransactWriteItem, Error> {
        let put = self.put(&OpportunityRecord::of(view))?;
        transact(match version {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(version) => put
                .condition_expression("version = :version AND (attribute_not_exists(notedAt) OR notedAt <= :latest)")
                .expression_attribute_values(":version", AttributeValue::N(version.to_string()))
                .expression_attribute_values(":latest", keys::text(&view.latest().to_string())),
        })
    }

    pub(crate) fn put_idempotency(
        &self,
        used: &Idempotency,
        answer: String,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let key = keys::idempotency(&used.organization, &used.key);
        let mut item = to_item(&Recorded::new(&used.fingerprint, answer, now))?;
        item.extend(key.attributes());
        let seconds = now.datetime().timestamp().to_string();
        transact(
            Put::builder()
                .table_name(&self.table)
                .set_item(Some(item))
                // Deletion of what has expired may lag by days: it counts as absent.
                .condition_expression("attribute_not_exists(pk) OR expiresAt <= :now")
                .expression_attribute_values(":now", AttributeValue::N(seconds))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld),
        )
    }

    pub(crate) fn put(
        &self,
        record: &impl serde::Serialize,
    ) -> Result<aws_sdk_dynamodb::types::builders::PutBuilder, Error> {
        Ok(Put::builder().table_name(&self.table).set_item(Some(to_item(record)?)))
    }
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

pub(crate) fn transact(put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Result<TransactWriteItem, Error> {
    let put = put.build().map_err(|error| Error::Refused(error.into()))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// The `ClientRequestToken` of a transaction: another one for each that is asked for anew.
pub(crate) fn token(entropy: u128, attempt: u32) -> String {
    format!("{:032x}", entropy.wrapping_add(attempt.into()))
}

/// Ids in order, the first at the instant: each is the one before it plus one.
fn ids(now: Timestamp, entropy: u128) -> impl Iterator<Item = Ulid> {
    std::iter::successors(Some(Ulid::from_parts(now.millis(), entropy)), |id| id.increment().ok())
}

/// A number from 0 to 1 that differs between requests and attempts.
pub(crate) fn jitter(entropy: u128, attempt: u32) -> f64 {
    let byte = entropy.to_le_bytes()[attempt as usize % 16];
    f64::from(byte) / 255.0
}
