//! Whom an organization works with: the teams that it has set, newest first.
//!
//! Each team that is set leaves one item of its own, in the transaction that sets it: it exists exactly when the team does,
//! needs no read, and meets no other writer. Who is listed how often is sorted out when somebody asks, over a bounded number of
//! the newest.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use chrono::TimeDelta;
use domain::contacts::{RecentContacts, Use};
use domain::{Actor, Opportunity, Person, RecentContact, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cursor::{CursorError, place_after, place_of};
use crate::records::{PersonRecord, from_item, read_time};
use crate::transaction::put;
use crate::{Error, Store, keys};

/// How long a team counts as used of late, and personal data is kept for it.
const LIFE: TimeDelta = TimeDelta::days(365);
/// So many of the newest teams are looked at.
const MAX_TEAMS: usize = 500;
/// What is read at a time.
const STEP: i32 = 50;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TeamRecord {
    pk: String,
    sk: String,
    at: String,
    team: Vec<PersonRecord>,
    /// Seconds since 1970: the table's TTL attribute.
    expires_at: i64,
}

/// Some of an organization's contacts, newest first.
#[derive(Debug, Clone)]
pub struct ContactsPage {
    /// Who, and when last.
    pub items: Vec<RecentContact>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<String>,
}

impl Store {
    /// Notes the team of a view, where the change sets one.
    pub(crate) fn note_team(
        &self,
        before: Option<&Opportunity>,
        view: &Opportunity,
    ) -> Result<Option<TransactWriteItem>, Error> {
        if view.team.is_empty() || before.is_some_and(|before| before.team == view.team) {
            return Ok(None);
        }
        let keys::Key { pk, sk } = keys::team(&view.organization.id, view.updated_at, &view.deal);
        let record = TeamRecord {
            pk,
            sk,
            at: view.updated_at.to_string(),
            team: view.team.iter().map(PersonRecord::of).collect(),
            expires_at: view.updated_at.plus(LIFE).datetime().timestamp(),
        };
        put(self.put(&record)?.condition_expression("attribute_not_exists(pk)")).map(Some)
    }

    /// The people of the teams that the caller may see, each once, newest first: one Query for each fifty teams, until there
    /// are enough people or no more of the newest teams.
    pub async fn recent_contacts(
        &self,
        by: &Actor,
        limit: usize,
        cursor: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<ContactsPage, CursorError>, Error> {
        let scope = format!("{}/{}/{:?}", by.organization, keys::CONTACTS, by.access);
        let after = match cursor.map(|text| place_of(text, &scope)).transpose() {
            Ok(after) => after,
            Err(error) => return Ok(Err(error)),
        };
        let mut contacts = RecentContacts::after(after, limit);
        let pages = self
            .client
            .query()
            .table_name(&self.table)
            .scan_index_forward(false)
            .key_condition_expression("pk = :pk AND begins_with(sk, :contacts)")
            // Deletion of what has expired may lag by days: it counts as absent.
            .filter_expression("expiresAt > :now")
            .expression_attribute_values(":pk", keys::text(&keys::contacts(&by.organization)))
            .expression_attribute_values(":contacts", keys::text(keys::CONTACTS))
            .expression_attribute_values(":now", AttributeValue::N(now.datetime().timestamp().to_string()))
            .limit(STEP);
        let mut items = pages.into_paginator().items().send();
        let mut read = 0;
        while !contacts.is_complete() && read < MAX_TEAMS {
            let Some(item) = items.next().await else { break };
            read += 1;
            let record: TeamRecord = from_item(item?)?;
            let team: Vec<Person> = record.team.iter().map(PersonRecord::person).collect::<Result<_, _>>()?;
            if by.is_on(&team) {
                contacts.add(Use {
                    place: record.sk,
                    at: read_time(&record.at)?,
                    team,
                });
            }
        }
        let (items, next) = contacts.page();
        let next = next.map(|place| place_after(&place, &scope));
        Ok(Ok(ContactsPage { items, next }))
    }
}
