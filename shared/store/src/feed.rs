//! What each organization was told: its feed, in the order in which it was told, without gaps.
//!
//! A poller that has read up to a place must never find later that something came in before it. Ids cannot give that: they
//! are drawn before they are written, by several writers. So each feed counts: a message and the number at the feed's head
//! are written in one transaction, on condition that the head is as it was read. The transaction also marks the event as
//! told and counts it, so that all of that happens exactly once, however often the event comes by.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use chrono::TimeDelta;
use domain::{Actor, DealId, Likeness, Opportunity, OrganizationId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cursor::{CursorError, place_after, place_of};
use crate::error::{Cancelled, cancellation};
use crate::partners::alike_count;
use crate::records::{OpportunityRecord, from_item};
use crate::transaction::{jittered, put};
use crate::{Error, EventRecord, Item, Store, keys};

/// How long a message can be read.
const LIFE: TimeDelta = TimeDelta::days(90);
/// What a transaction takes.
const MAX_ITEMS: usize = 100;
/// How often a transaction is tried that others keep getting in the way of.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// How often a page is read again that shows the middle of a transaction.
const READS: u32 = 3;

/// An event, and what it tells whom.
#[derive(Debug, Clone)]
pub struct Telling {
    /// The event.
    pub event: EventRecord,
    /// Each recipient, and what it is told as JSON.
    pub messages: Vec<(OrganizationId, String)>,
}

impl Telling {
    /// As many items as it may add to a transaction: the mark, the counters, for each recipient message and head, and one
    /// for everything that an accepted deal has in common with others.
    fn items(&self) -> usize {
        2 + 2 * self.messages.len() + self.event.counts.len()
    }
}

/// A part of a feed, oldest first.
#[derive(Debug, Clone)]
pub struct FeedPage {
    /// The deal and the message, JSON as it was published.
    pub messages: Vec<(DealId, String)>,
    /// Where reading goes on; `None` when there was nothing to read.
    pub next: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageRecord {
    pk: String,
    sk: String,
    deal_id: String,
    detail: String,
    /// Seconds since 1970: the table's TTL attribute.
    expires_at: i64,
}

/// What an item of the transaction is, to tell why it failed.
#[derive(Clone, Copy)]
enum Part {
    Mark(usize),
    Other,
}

impl Store {
    /// Writes what events tell into the feeds of those who are told, in order, counts the events, and says of each whether it
    /// was told now: `false` if that had happened before.
    pub async fn tell(&self, tellings: &[Telling], now: Timestamp, entropy: u128) -> Result<Vec<bool>, Error> {
        let mut told = vec![false; tellings.len()];
        let mut start = 0;
        while start < tellings.len() {
            let mut room = MAX_ITEMS;
            let fits = tellings[start..].iter().take_while(|telling| {
                let fits = room.checked_sub(telling.items());
                room = fits.unwrap_or(0);
                fits.is_some()
            });
            let end = start + fits.count().max(1);
            let open: BTreeSet<usize> = (start..end).collect();
            for index in self.tell_together(tellings, open, now, entropy).await? {
                told[index] = true;
            }
            start = end;
        }
        Ok(told)
    }

    /// One transaction for those of the tellings; gives those that had not been told before.
    async fn tell_together(
        &self,
        tellings: &[Telling],
        mut open: BTreeSet<usize>,
        now: Timestamp,
        entropy: u128,
    ) -> Result<BTreeSet<usize>, Error> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            if open.is_empty() {
                return Ok(open);
            }
            let recipients = open.iter().flat_map(|&index| &tellings[index].messages);
            let recipients: BTreeSet<&OrganizationId> = recipients.map(|(recipient, _)| recipient).collect();
            let heads = self.heads(recipients).await?;
            let (parts, items): (Vec<Part>, Vec<TransactWriteItem>) =
                self.telling_items(tellings, &open, heads, now)?.into_iter().unzip();
            let request = self.client.transact_write_items().set_transact_items(Some(items));
            let Err(error) = request.send().await else {
                return Ok(open);
            };
            let Some(reasons) = cancellation(&error) else {
                return Err(error.into());
            };
            for (part, reason) in parts.into_iter().zip(reasons) {
                match (part, reason) {
                    (Part::Mark(index), Cancelled::Condition(_)) => {
                        open.remove(&index);
                    }
                    (_, Cancelled::Other(code)) => return Err(Error::Refused(code.into())),
                    _ => {}
                }
            }
            tokio::time::sleep(jittered(pause, entropy, attempt)).await;
            pause *= 2;
        }
        Err(Error::unavailable("the feeds were written by others every time"))
    }

    /// The number of the last message of each feed.
    async fn heads<'a>(
        &self,
        recipients: BTreeSet<&'a OrganizationId>,
    ) -> Result<BTreeMap<&'a OrganizationId, u64>, Error> {
        let found = self
            .get_all(recipients.iter().map(|id| keys::feed_head(id)), true)
            .await?;
        let head = |id: &OrganizationId| {
            let Some(item) = found.get(&keys::feed_head(id)) else {
                return Ok(0);
            };
            let last = item.get("last").and_then(|last| last.as_n().ok()?.parse().ok());
            last.ok_or_else(|| Error::Corrupt(format!("the head of the feed of {id}")))
        };
        recipients.into_iter().map(|id| Ok((id, head(id)?))).collect()
    }

    fn telling_items(
        &self,
        tellings: &[Telling],
        open: &BTreeSet<usize>,
        heads: BTreeMap<&OrganizationId, u64>,
        now: Timestamp,
    ) -> Result<Vec<(Part, TransactWriteItem)>, Error> {
        let mut items = Vec::new();
        let mut last = heads.clone();
        // One update of each counting item, whatever is counted in it: a transaction takes an item once.
        let mut counts: BTreeMap<&str, BTreeMap<String, i64>> = BTreeMap::new();
        let mut alike: BTreeMap<(Likeness, &str), BTreeMap<&str, i64>> = BTreeMap::new();
        for &index in open {
            let Telling { event, messages } = &tellings[index];
            items.push((Part::Mark(index), self.mark_told(event, now)?));
            let organization = event.organization_id.as_str();
            for (counter, count) in event.counts()? {
                let sum = if let Some((likeness, name)) = alike_count(&counter) {
                    let counted = alike.entry((likeness.clone(), organization)).or_default();
                    counted.entry(name).or_default()
                } else {
                    let counted = counts.entry(organization).or_default();
                    counted.entry(counter.to_string()).or_default()
                };
                *sum += count;
            }
            for (recipient, detail) in messages {
                let number = last.get_mut(recipient).expect("every recipient's head was read");
                *number += 1;
                let keys::Key { pk, sk } = keys::message(recipient, *number);
                let record = MessageRecord {
                    pk,
                    sk,
                    deal_id: event.deal_id.clone(),
                    detail: detail.clone(),
                    expires_at: now.plus(LIFE).datetime().timestamp(),
                };
                let new = self.put(&record)?.condition_expression("attribute_not_exists(pk)");
                items.push((Part::Other, put(new)?));
            }
        }
        for (recipient, before) in heads {
            let update = Update::builder()
                .set_key(Some(keys::feed_head(recipient).attributes()))
                .update_expression("SET #last = :last")
                .condition_expression(if before == 0 {
                    "attribute_not_exists(pk)"
                } else {
                    "#last = :before"
                })
                .expression_attribute_names("#last", "last")
                .expression_attribute_values(":last", number(last[recipient]));
            let update = match before {
                0 => update,
                before => update.expression_attribute_values(":before", number(before)),
            };
            items.push((Part::Other, self.update(update)?));
        }
        for (organization, counts) in counts {
            let (listed_in, listed_as) = keys::listed_counts(organization);
            let adds = adds(counts.len());
            let update = Update::builder()
                .set_key(Some(keys::event_counts(organization).attributes()))
                .update_expression(format!("SET tabPk = :tabPk, tabSk = :tabSk {adds}"))
                .expression_attribute_values(":tabPk", keys::text(&listed_in))
                .expression_attribute_values(":tabSk", keys::text(&listed_as));
            items.push((Part::Other, self.update(adding(update, counts))?));
        }
        for ((likeness, organization), counts) in alike {
            let update = Update::builder()
                .set_key(Some(keys::alike_of(&likeness, organization).attributes()))
                .update_expression(adds(counts.len()));
            items.push((Part::Other, self.update(adding(update, counts))?));
        }
        Ok(items)
    }

    fn mark_told(&self, event: &EventRecord, now: Timestamp) -> Result<TransactWriteItem, Error> {
        self.update(
            Update::builder()
                .set_key(Some(event.key().attributes()))
                .update_expression("SET toldAt = :now")
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(toldAt)")
                .expression_attribute_values(":now", keys::text(&now.to_string())),
        )
    }

    /// What an organization was told after the cursor, oldest first: one Query, as long as nothing has been told for longer
    /// than it can be read.
    pub async fn feed(
        &self,
        organization: &OrganizationId,
        limit: usize,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<FeedPage, CursorError>, Error> {
        let scope = format!("{organization}/{}", keys::MESSAGES);
        let mut after = match cursor.map(|text| place_of(text, &scope)).transpose() {
            Ok(None) => 0,
            Ok(Some(sk)) => match keys::number_of_message(&sk) {
                Some(number) => number,
                None => return Ok(Err(CursorError)),
            },
            Err(error) => return Ok(Err(error)),
        };
        let mut messages = Vec::new();
        loop {
            let found = self.messages(organization, after, limit).await?;
            let Some((last, _)) = found.last() else {
                break;
            };
            after = *last;
            for (_, record) in found {
                // Deletion of what has expired may lag by days: it counts as absent.
                if record.expires_at > now.datetime().timestamp() {
                    let deal = DealId::parse(&record.deal_id).map_err(|flaw| Error::Corrupt(flaw.message))?;
                    messages.push((deal, record.detail));
                }
            }
            if !messages.is_empty() {
                break;
            }
        }
        let last = keys::message(organization, after).sk;
        let next = (!messages.is_empty()).then(|| place_after(&last, &scope));
        Ok(Ok(FeedPage { messages, next }))
    }

    /// The messages after a number, without a gap that will close: a Query may see a part of a transaction. What is missing
    /// and not there when it is asked for by itself was deleted, since it had expired.
    async fn messages(
        &self,
        organization: &OrganizationId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, MessageRecord)>, Error> {
        for _ in 0..READS {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
                .expression_attribute_values(":pk", keys::text(&keys::feed(organization)))
                .expression_attribute_values(
                    ":first",
                    keys::text(&keys::message(organization, after.saturating_add(1)).sk),
                )
                .expression_attribute_values(":last", keys::text(&keys::message(organization, u64::MAX).sk))
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .send()
                .await?;
            let records = answer.items.unwrap_or_default().into_iter().map(|item: Item| {
                let record: MessageRecord = from_item(item)?;
                let number = keys::number_of_message(&record.sk);
                Ok((
                    number.ok_or_else(|| Error::Corrupt(format!("{} {}", record.pk, record.sk)))?,
                    record,
                ))
            });
            let records = records.collect::<Result<Vec<_>, Error>>()?;
            let before = std::iter::once(after).chain(records.iter().map(|(number, _)| *number));
            let gaps = before
                .zip(&records)
                .filter(|(before, (number, _))| before.saturating_add(1) < *number);
            let missing: Vec<_> = gaps
                .map(|(_, (number, _))| keys::message(organization, number - 1))
                .collect();
            if missing.is_empty() || self.get_all(missing, true).await?.is_empty() {
                return Ok(records);
            }
        }
        Err(Error::unavailable("the feed was being written every time it was read"))
    }

    /// Those of the deals that a person sees, as they stand now.
    pub async fn seen_among(
        &self,
        by: &Actor,
        deals: &BTreeSet<DealId>,
        now: Timestamp,
    ) -> Result<BTreeSet<DealId>, Error> {
        let found: HashMap<_, Item> = self
            .get_all(deals.iter().map(|deal| keys::view(deal, &by.organization)), false)
            .await?;
        let views = found
            .into_values()
            .map(|item| from_item::<OpportunityRecord>(item)?.opportunity())
            .collect::<Result<Vec<Opportunity>, Error>>()?;
        let seen = views
            .into_iter()
            .map(|view| view.at(now))
            .filter(|view| view.is_open_to(by));
        Ok(seen.map(|view| view.deal).collect())
    }
}

fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// The expression that adds so many numbers, and [`adding`] what it refers to.
fn adds(numbers: usize) -> String {
    let adds: Vec<_> = (0..numbers).map(|index| format!("#c{index} :c{index}")).collect();
    format!("ADD {}", adds.join(", "))
}

fn adding(update: UpdateBuilder, counts: BTreeMap<impl Into<String>, i64>) -> UpdateBuilder {
    let counts = counts.into_iter().enumerate();
    counts.fold(update, |update, (index, (counter, count))| {
        update
            .expression_attribute_names(format!("#c{index}"), counter)
            .expression_attribute_values(format!(":c{index}"), number(count))
    })
}
