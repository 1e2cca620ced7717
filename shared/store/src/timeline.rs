//! A deal's notes and its history: both are its items in the order of their ids, newest first, page by page.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{DealId, OrganizationId};
use serde::de::DeserializeOwned;

use crate::cursor::{CursorError, place_after, place_of};
use crate::records::{EventRecord, NoteRecord, from_item, text};
use crate::{Error, Item, Store, keys};

/// A request reads at most about this many items that its caller may not see, and then answers with what it has and a
/// cursor.
const MAX_READ: usize = 1_000;

/// Which deal's, who asks, and from where on.
#[derive(Debug, Clone)]
pub struct TimelineQuery<'a> {
    /// The deal.
    pub deal: &'a DealId,
    /// Who asks.
    pub organization: &'a OrganizationId,
    /// At most this many.
    pub limit: usize,
    /// Where the last page ended.
    pub cursor: Option<&'a str>,
}

/// A part of a timeline, newest first.
#[derive(Debug, Clone)]
pub struct TimelinePage<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<String>,
}

/// A walk through items of one partition, newest first, past what its caller may not see.
pub(crate) struct Walk<'a> {
    pub(crate) pk: String,
    pub(crate) prefix: &'static str,
    /// What a cursor is bound to.
    pub(crate) scope: String,
    pub(crate) limit: usize,
    pub(crate) cursor: Option<&'a str>,
    pub(crate) filter: &'static str,
    pub(crate) names: &'static [(&'static str, &'static str)],
    pub(crate) values: Vec<(&'static str, AttributeValue)>,
}

impl<'a> TimelineQuery<'a> {
    fn walk(&self, prefix: &'static str, filter: &'static str) -> Walk<'a> {
        Walk {
            pk: keys::deal(self.deal),
            prefix,
            scope: format!("{}/{}/{prefix}", self.organization, self.deal),
            limit: self.limit,
            cursor: self.cursor,
            filter,
            names: &[],
            values: vec![(":me", keys::text(self.organization.as_str()))],
        }
    }
}

impl Store {
    /// The notes that an organization may read: its own, and the shared ones if `shared`.
    pub async fn notes(
        &self,
        query: &TimelineQuery<'_>,
        shared: bool,
    ) -> Result<Result<TimelinePage<NoteRecord>, CursorError>, Error> {
        let mut walk = query.walk(keys::NOTES, "author.organizationId = :me");
        if shared {
            walk.filter = "author.organizationId = :me OR visibility = :shared";
            walk.values.push((":shared", keys::text("shared")));
        }
        self.walk(walk).await
    }

    /// The events that an organization may know of: all of its own view, and of others' how far they came.
    pub async fn history(
        &self,
        query: &TimelineQuery<'_>,
    ) -> Result<Result<TimelinePage<EventRecord>, CursorError>, Error> {
        let mut walk = query.walk(
            keys::EVENTS,
            "organizationId = :me OR NOT (#type IN (:updated, :noteAdded, :reminded) OR begins_with(#type, :registration))",
        );
        walk.names = &[("#type", "type")];
        walk.values.extend([
            (":updated", keys::text("updated")),
            (":noteAdded", keys::text("noteAdded")),
            (":reminded", keys::text("reminded")),
            // What became of a registration is its organization's alone.
            (":registration", keys::text("registration")),
        ]);
        self.walk(walk).await
    }

    pub(crate) async fn walk<T: DeserializeOwned>(
        &self,
        walk: Walk<'_>,
    ) -> Result<Result<TimelinePage<T>, CursorError>, Error> {
        let Walk { pk, scope, limit, .. } = walk;
        let place = match walk.cursor.map(|text| place_of(text, &scope)).transpose() {
            // Another place is outside of what is read, which the database refuses.
            Ok(Some(sk)) if !sk.strip_prefix(walk.prefix).is_some_and(keys::is_ulid) => return Ok(Err(CursorError)),
            Ok(place) => place,
            Err(error) => return Ok(Err(error)),
        };
        let mut start = place.map(|sk| keys::Key { pk: pk.clone(), sk }.attributes());
        let (mut items, mut read) = (Vec::new(), 0);
        let more = loop {
            let mut request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .scan_index_forward(false)
                .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                .filter_expression(walk.filter)
                .expression_attribute_values(":pk", keys::text(&pk))
                .expression_attribute_values(":prefix", keys::text(walk.prefix))
                // One more, to know whether there is one.
                .limit(i32::try_from(limit + 1).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take());
            for (name, value) in &walk.values {
                request = request.expression_attribute_values(*name, value.clone());
            }
            for (name, attribute) in walk.names {
                request = request.expression_attribute_names(*name, *attribute);
            }
            let answer = request.send().await?;
            read += usize::try_from(answer.scanned_count).unwrap_or(0);
            items.extend(answer.items.unwrap_or_default());
            if items.len() > limit {
                items.truncate(limit);
                break items.last().map(sort_key).transpose()?;
            }
            let Some(last) = answer.last_evaluated_key else {
                break None;
            };
            if read >= MAX_READ {
                break Some(sort_key(&last)?);
            }
            start = Some(last);
        };
        let next = more.map(|sk| place_after(&sk, &scope));
        let items = items.into_iter().map(from_item).collect::<Result<_, _>>()?;
        Ok(Ok(TimelinePage { items, next }))
    }
}

pub(crate) fn sort_key(item: &Item) -> Result<String, Error> {
    text(item, keys::SK).map(ToOwned::to_owned)
}
