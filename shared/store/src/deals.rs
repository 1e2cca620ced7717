//! One deal: read whole, written conditionally.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use domain::{Deal, DealId, Event, Opportunity, OrganizationId, Timestamp, evolve};
use ulid::Ulid;

use crate::idempotency::{Idempotency, Recorded};
use crate::records::{EventRecord, NoteRecord, OpportunityRecord, from_item, to_item};
use crate::transaction::put;
use crate::{Error, Store, keys};

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
            items.push(put(self.put(&event)?.condition_expression("attribute_not_exists(pk)"))?);
            if let Some(note) = note {
                items.push(put(self.put(&note)?.condition_expression("attribute_not_exists(pk)"))?);
            }
        }
        Ok(items)
    }

    /// A view is written while its version is the one that was read, and while it has no note from later on: a note has no version of
    /// its own, so that many can be added at once.
    fn put_view(&self, view: &Opportunity, version: Option<u64>) -> Result<TransactWriteItem, Error> {
        let record = self.put(&OpportunityRecord::of(view))?;
        put(match version {
            None => record.condition_expression("attribute_not_exists(pk)"),
            Some(version) => record
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
        put(self
            .put_item(item)
            // Deletion of what has expired may lag by days: it counts as absent.
            .condition_expression("attribute_not_exists(pk) OR expiresAt <= :now")
            .expression_attribute_values(":now", AttributeValue::N(seconds))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld))
    }
}

/// Ids in order, the first at the instant: each is the one before it plus one.
fn ids(now: Timestamp, entropy: u128) -> impl Iterator<Item = Ulid> {
    std::iter::successors(Some(Ulid::from_parts(now.millis(), entropy)), |id| id.increment().ok())
}
