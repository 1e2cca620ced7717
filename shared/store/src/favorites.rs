//! Favourites: each user's own marks, beside the deals and never part of them.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use domain::{Actor, DealId, Opportunity};

use crate::cursor::{Cursor, CursorError, Place};
use crate::lists::{ListQuery, Page};
use crate::records::{OpportunityRecord, from_item, text};
use crate::{Error, Item, Store, keys};

/// A user marks at most this many deals: what a page of favourites reads.
pub const MAX_FAVORITES: usize = 500;

impl Store {
    /// Whether the user has marked the deal.
    pub async fn is_favorite(&self, by: &Actor, id: &DealId) -> Result<bool, Error> {
        Ok(self.get(&keys::favorite(by, id)).await?.is_some())
    }

    /// Marks the deal; `false` if the user has marked as many as one may. To mark it again changes nothing.
    pub async fn mark(&self, by: &Actor, id: &DealId) -> Result<bool, Error> {
        let marked = self.favorites(by).await?;
        if marked.contains(id) {
            return Ok(true);
        }
        if marked.len() >= MAX_FAVORITES {
            return Ok(false);
        }
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(keys::favorite(by, id).attributes()))
            .condition_expression("attribute_not_exists(pk)");
        match request.send().await {
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutItemError::is_conditional_check_failed_exception) =>
            {
                Ok(true)
            }
            answer => Ok(answer.map(|_| true)?),
        }
    }

    /// Takes the mark away, if there is one.
    pub async fn unmark(&self, by: &Actor, id: &DealId) -> Result<(), Error> {
        let key = keys::favorite(by, id).attributes();
        // Unconditional: taking away what is not there is what was asked for.
        self.client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .send()
            .await?;
        Ok(())
    }

    /// All that the user has marked, of which there are at most [`MAX_FAVORITES`]: one Query, which costs less than to look for
    /// the marks on the deals of a page one by one.
    pub async fn favorites(&self, by: &Actor) -> Result<BTreeSet<DealId>, Error> {
        let items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", keys::text(&keys::user(&by.organization, &by.user)))
            .expression_attribute_values(":prefix", keys::text(keys::FAVORITES))
            .into_paginator()
            .items()
            .send();
        let items: Vec<Item> = items.collect::<Result<_, _>>().await?;
        let deals = items
            .iter()
            .map(|item| Ok(keys::deal_of_favorite(text(item, keys::SK)?)));
        deals.filter_map(Result::transpose).collect()
    }

    /// One page of what the user has marked, inbound and outbound together, newest change first. Reads all marks, which are
    /// not many ([`MAX_FAVORITES`]), since a change of a deal does not touch them.
    pub(crate) async fn favorites_page(
        &self,
        query: &ListQuery,
        cursor: Option<&str>,
    ) -> Result<Result<Page, CursorError>, Error> {
        let scope = query.scope();
        let (since, place) = match cursor.map(|text| Cursor::decode(text, &scope)) {
            None => (query.now, Place::Start),
            Some(Ok(Cursor { since, places })) if places.len() == 1 => (since, places[0].clone()),
            Some(_) => return Ok(Err(CursorError)),
        };
        let by = &query.by;
        let keys = self
            .favorites(by)
            .await?
            .into_iter()
            .map(|id| keys::view(&id, &by.organization));
        let found = self.get_all(keys, false).await?;
        let views = found
            .into_values()
            .map(|item| from_item::<OpportunityRecord>(item)?.opportunity());
        let mut views: Vec<Opportunity> = views
            .map(|view| Ok::<_, Error>(view?.at(query.now)))
            .collect::<Result<_, _>>()?;
        let position = |view: &Opportunity| keys::tab_sk(view.updated_at, &view.deal);
        views.retain(|view| {
            query.filter.shows(view, by) && !matches!(&place, Place::After(after) if position(view) >= *after)
        });
        views.sort_by_key(|view| std::cmp::Reverse(position(view)));
        let more = views.len() > query.limit;
        views.truncate(query.limit);
        let next = views.last().filter(|_| more).map(|last| {
            Cursor {
                since,
                places: vec![Place::After(position(last))],
            }
            .encode(&scope)
        });
        Ok(Ok(Page { items: views, next }))
    }
}
