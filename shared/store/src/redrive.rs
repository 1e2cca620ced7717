//! Reading events again: those of a deal, and those that were written in a span of time.

use domain::{DealId, Timestamp};
use ulid::Ulid;

use crate::records::{EventRecord, from_item, key_of, text};
use crate::{Error, Item, Store, keys};

/// What is read at a time.
const PAGE: i32 = 100;

/// A part of the events of a span of time.
#[derive(Debug, Clone)]
pub struct WrittenPage {
    /// Those of each deal in their order.
    pub events: Vec<EventRecord>,
    /// Where reading goes on; `None` at the end.
    pub next: Option<String>,
}

impl Store {
    /// All events of a deal, in order.
    pub async fn events_of(&self, deal: &DealId) -> Result<Vec<EventRecord>, Error> {
        let pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :events)")
            .expression_attribute_values(":pk", keys::text(&keys::deal(deal)))
            .expression_attribute_values(":events", keys::text(keys::EVENTS))
            .into_paginator()
            .items()
            .send();
        let items: Vec<Item> = pages.collect::<Result<_, _>>().await?;
        items.into_iter().map(from_item).collect()
    }

    /// Some of the events that tell somebody something and were written in the span: at `from` or later, and before `to`.
    /// `None` if `after` is not what a page before gave.
    pub async fn events_written(
        &self,
        from: Timestamp,
        to: Timestamp,
        after: Option<&str>,
    ) -> Result<Option<WrittenPage>, Error> {
        let Some((shard, start)) = after.map_or(Some((0, None)), place) else {
            return Ok(None);
        };
        let pk = keys::told_pk(shard);
        let first = start.map_or_else(|| keys::told_from(from), |after| format!("{after}\u{1}"));
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_DEADLINE)
            .key_condition_expression("duePk = :pk AND dueSk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", keys::text(&pk))
            .expression_attribute_values(":first", keys::text(&first))
            // Sorts before everything that was written at `to`.
            .expression_attribute_values(":last", keys::text(&keys::told_from(to)))
            .limit(PAGE)
            .send()
            .await?;
        let found = answer
            .items
            .iter()
            .flatten()
            .map(key_of)
            .collect::<Result<Vec<_>, _>>()?;
        let mut items = self.get_all(found.clone(), true).await?;
        let events = found.iter().filter_map(|key| items.remove(key)).map(from_item);
        let last = answer.last_evaluated_key.as_ref().map(|last| text(last, keys::DUE_SK));
        let next = match last.transpose()? {
            Some(last) => Some(format!("{shard}/{last}")),
            None => (shard + 1 < keys::SHARDS).then(|| format!("{}/", shard + 1)),
        };
        Ok(Some(WrittenPage {
            events: events.collect::<Result<_, _>>()?,
            next,
        }))
    }
}

/// Reads back what a page gave: the shard, and how far it was read.
fn place(text: &str) -> Option<(u8, Option<&str>)> {
    let (shard, after) = text.split_once('/')?;
    let shard = shard.parse().ok().filter(|shard| *shard < keys::SHARDS)?;
    match after {
        "" => Some((shard, None)),
        after => Ulid::from_string(after.split('#').next()?)
            .ok()
            .map(|_| (shard, Some(after))),
    }
}
