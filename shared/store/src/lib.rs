//! The one table: how deals, lists, deadlines, idempotency records and the catalog are read and written.
//!
//! A command is one read ([`Store::deal`]) and one conditional write ([`Store::commit`]); a list page is one Query for each
//! stage it covers ([`Store::page`]). Nothing is ever scanned.
//!
//! Architecture invariant: this crate decides nothing. What may happen is `domain`'s; this is only where it is kept.

mod contacts;
mod counters;
mod cursor;
mod deadlines;
mod deals;
mod directory;
mod duplicates;
mod error;
mod favorites;
mod feed;
mod idempotency;
pub mod keys;
mod lists;
mod partners;
mod records;
mod redrive;
mod registrations;
mod solutions;
mod suggest;
mod timeline;
mod transaction;
mod webhooks;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

pub use contacts::ContactsPage;
pub use cursor::{CursorError, place_after, place_of};
pub use deadlines::Due;
pub use deals::Commit;
pub use directory::{Imported, Known};
pub use duplicates::PossibleDuplicate;
pub use error::Error;
pub use favorites::MAX_FAVORITES;
pub use feed::{FeedPage, Telling};
pub use idempotency::{Idempotency, Recorded};
pub use lists::{ListQuery, Page};
pub use records::{
    ActorRecord, ChangeRecord, EventRecord, MoneyRecord, NoteRecord, NoticeRecord, OpportunityRecord, PartyRecord,
    RecipientRecord, RegistrationNoticeRecord, SnapshotRecord,
};
pub use redrive::WrittenPage;
pub use registrations::{Registered, RegistrationPage, RegistrationQuery, Side};
pub use solutions::{SolutionsPage, SolutionsQuery};
pub use timeline::{TimelinePage, TimelineQuery};
pub use webhooks::{AttemptRecord, Webhooks};

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The table, through a client of its engine.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
}

impl Store {
    /// The table of that name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// One item, as it is stored; consistent.
    async fn get(&self, key: &keys::Key) -> Result<Option<Item>, Error> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()));
        Ok(request.consistent_read(true).send().await?.item)
    }
}
