//! Every key of the one table. No other file has a key literal.
//!
//! | item | `pk` | `sk` | `byTab` (`tabPk`, `tabSk`) | `byDeadline` (`duePk`, `dueSk`) |
//! |---|---|---|---|---|
//! | opportunity (view) | `DEAL#<id>` | `ORG#<organization>` | `ORG#<organization>#<direction>#<stage>`, `<updatedAt>#<id>`; while received `<respondBy>#<id>` | only while received: `DUE#<shard>`, `<dueAt>#<id>#<organization>`, where `dueAt` is the reminder's time and, after it, `respondBy` |
//! | the same, while not archived: index `byCustomer` (`customerPk`, `customerSk`) | `ORG#<organization>#CUSTOMER#<digest>` | `<id>` | | |
//! | event | `DEAL#<id>` | `EVENT#<ulid>` | – | only if it tells somebody something: `TOLD#<shard>`, `<ulid>#<id>` |
//! | note | `DEAL#<id>` | `NOTE#<ulid>` | – | – |
//! | favourite | `USER#<organization>#<user>` | `FAV#<id>` | – | – |
//! | idempotency record | `IDEM#<organization>#<key>` | `IDEM` | – | – |
//! | organization | `ORG#<id>` | `PROFILE` | – | – |
//! | its counters | `ORG#<id>` | `STATS#<shard>#TAB#<direction>#<stage>#<outcome>#<currency>`, `STATS#<shard>#CAMPAIGN#<campaign>` | – | – |
//! | its events, counted | `ORG#<id>` | `EVENTS` | – | – |
//! | message to an organization | `FEED#<organization>` | `INBOX#<number>` | – | – |
//! | number of its last message | `FEED#<organization>` | `HEAD` | – | – |
//! | its webhooks | `ORG#<id>` | `WEBHOOKS` | – | – |
//! | attempt to deliver to a webhook | `WEBHOOK#<id>` | `ATTEMPT#<ulid>` | – | – |
//! | the exchange's vendor | `EXCHANGE` | `VENDOR` | – | – |
//! | solution | `SOLUTIONS#<shard>` | `<id>` | – | – |
//! | customer | `CUSTOMER#<id>` | `CUSTOMER` | – | – |
//!
//! Ids have no `#`, save users', customers' and idempotency keys, which stand last. Instants have a fixed width, so that text
//! order is time order.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Actor, Customer, CustomerId, DealId, Direction, IdempotencyKey, OrganizationId, SolutionId, Stage, Timestamp,
    UserId, WebhookId,
};
use sha2::{Digest, Sha256};
use ulid::Ulid;

/// The partition key's attribute.
pub const PK: &str = "pk";
/// The sort key's attribute.
pub const SK: &str = "sk";
/// The index of an organization's lists.
pub const BY_TAB: &str = "byTab";
/// The index of what is due.
pub const BY_DEADLINE: &str = "byDeadline";
/// Partition key of [`BY_TAB`].
pub const TAB_PK: &str = "tabPk";
/// Sort key of [`BY_TAB`].
pub const TAB_SK: &str = "tabSk";
/// Partition key of [`BY_DEADLINE`].
pub const DUE_PK: &str = "duePk";
/// Sort key of [`BY_DEADLINE`].
pub const DUE_SK: &str = "dueSk";
/// The index of an organization's open opportunities by customer.
pub const BY_CUSTOMER: &str = "byCustomer";
/// How every view's sort key begins.
pub(crate) const VIEWS: &str = "ORG#";
/// The deadline index is spread over this many partitions, the catalog too.
pub const SHARDS: u8 = 16;

/// `pk` and `sk` of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Key {
    fn new(pk: String, sk: impl Into<String>) -> Self {
        Self { pk, sk: sk.into() }
    }

    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([(PK.to_owned(), text(&self.pk)), (SK.to_owned(), text(&self.sk))])
    }
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(crate) fn deal(id: &DealId) -> String {
    format!("DEAL#{id}")
}

pub(crate) fn view(id: &DealId, organization: &OrganizationId) -> Key {
    Key::new(deal(id), format!("{VIEWS}{organization}"))
}

pub(crate) fn event(deal_id: &DealId, id: Ulid) -> Key {
    Key::new(deal(deal_id), format!("{EVENTS}{id}"))
}

pub(crate) fn note(deal_id: &DealId, id: Ulid) -> Key {
    Key::new(deal(deal_id), format!("{NOTES}{id}"))
}

/// How every event's sort key begins.
pub(crate) const EVENTS: &str = "EVENT#";
/// How every note's sort key begins.
pub(crate) const NOTES: &str = "NOTE#";
/// How every favourite's sort key begins.
pub(crate) const FAVORITES: &str = "FAV#";

pub(crate) fn user(organization: &OrganizationId, user: &UserId) -> String {
    format!("USER#{organization}#{user}")
}

pub(crate) fn favorite(by: &Actor, id: &DealId) -> Key {
    Key::new(user(&by.organization, &by.user), format!("{FAVORITES}{id}"))
}

pub(crate) fn deal_of_favorite(sk: &str) -> Option<DealId> {
    DealId::parse(sk.strip_prefix(FAVORITES)?).ok()
}

pub(crate) fn idempotency(organization: &OrganizationId, key: &IdempotencyKey) -> Key {
    Key::new(format!("IDEM#{organization}#{key}"), "IDEM")
}

pub(crate) fn organization(id: &OrganizationId) -> Key {
    Key::new(format!("ORG#{id}"), "PROFILE")
}

/// How every counter's sort key begins.
pub(crate) const COUNTERS: &str = "STATS#";

/// A counter of an organization. Spread over shards by deal, since all changes of an organization's deals meet there.
pub(crate) fn counter(organization: &OrganizationId, deal: &DealId, counted: &str) -> Key {
    let shard = due_shard(deal);
    Key::new(format!("ORG#{organization}"), format!("{COUNTERS}{shard:02}#{counted}"))
}

/// All counters of an organization share this partition key.
pub(crate) fn counters(organization: &OrganizationId) -> String {
    format!("ORG#{organization}")
}

/// How often what happened to an organization's opportunities.
pub(crate) fn event_counts(organization: &str) -> Key {
    Key::new(format!("ORG#{organization}"), "EVENTS")
}

/// All messages to an organization share this partition key.
pub(crate) fn feed(organization: &OrganizationId) -> String {
    format!("FEED#{organization}")
}

pub(crate) fn feed_head(organization: &OrganizationId) -> Key {
    Key::new(feed(organization), "HEAD")
}

/// How every message's sort key begins.
pub(crate) const MESSAGES: &str = "INBOX#";

/// Of a fixed width, so that text order is the order of numbers.
pub(crate) fn message(organization: &OrganizationId, number: u64) -> Key {
    Key::new(feed(organization), format!("{MESSAGES}{number:020}"))
}

pub(crate) fn number_of_message(sk: &str) -> Option<u64> {
    sk.strip_prefix(MESSAGES)?.parse().ok()
}

pub(crate) fn webhooks(organization: &OrganizationId) -> Key {
    Key::new(format!("ORG#{organization}"), "WEBHOOKS")
}

/// How every attempt's sort key begins.
pub(crate) const ATTEMPTS: &str = "ATTEMPT#";

/// All attempts to deliver to a webhook share this partition key.
pub(crate) fn attempts(webhook: &WebhookId) -> String {
    format!("WEBHOOK#{webhook}")
}

pub(crate) fn attempt(webhook: &WebhookId, id: Ulid) -> Key {
    Key::new(attempts(webhook), format!("{ATTEMPTS}{id}"))
}

pub(crate) fn told_pk(shard: u8) -> String {
    format!("TOLD#{shard:02}")
}

/// Events in the order in which they were written.
pub(crate) fn told_sk(id: Ulid, deal: &DealId) -> String {
    format!("{id}#{deal}")
}

/// Sorts before everything that was written at the instant or later, and after everything before.
pub(crate) fn told_from(at: Timestamp) -> String {
    Ulid::from_parts(at.millis(), 0).to_string()
}

pub(crate) fn vendor() -> Key {
    Key::new("EXCHANGE".to_owned(), "VENDOR")
}

pub(crate) fn solution(id: &SolutionId) -> Key {
    let shard = Sha256::digest(id.as_str())[0] % SHARDS;
    Key::new(format!("SOLUTIONS#{shard:02}"), id.as_str())
}

pub(crate) fn customer(id: &CustomerId) -> Key {
    Key::new(format!("CUSTOMER#{id}"), "CUSTOMER")
}

pub(crate) fn tab_pk(organization: &OrganizationId, direction: Direction, stage: Stage) -> String {
    format!("ORG#{organization}#{direction}#{stage}")
}

pub(crate) fn tab_sk(at: Timestamp, id: &DealId) -> String {
    format!("{at}#{id}")
}

/// Parts everything before the instant from the instant itself and what follows.
pub(crate) fn tab_split(at: Timestamp) -> String {
    format!("{at}#")
}

/// The deal of a `tabSk`; `None` for what is none.
pub(crate) fn deal_of_tab_sk(tab_sk: &str) -> Option<DealId> {
    let (at, id) = tab_sk.split_once('#')?;
    let at = Timestamp::parse(at).ok().filter(|parsed| parsed.to_string() == at);
    at.and_then(|_| DealId::parse(id).ok())
}

/// Whether that is an id as events, notes and attempts have it.
pub(crate) fn is_ulid(text: &str) -> bool {
    Ulid::from_string(text).is_ok_and(|ulid| ulid.to_string() == text)
}

/// A digest, since a name can be longer than a key may be.
pub(crate) fn customer_pk(organization: &OrganizationId, customer: &Customer) -> String {
    let digest = Sha256::digest(customer.identity());
    let hex = digest
        .iter()
        .take(16)
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    format!("ORG#{organization}#CUSTOMER#{hex}")
}

pub(crate) fn due_pk(shard: u8) -> String {
    format!("DUE#{shard:02}")
}

/// A deal's shard of the deadline index: from the random part of its id, so that they fill evenly.
pub(crate) fn due_shard(id: &DealId) -> u8 {
    let bytes = Ulid::from_string(id.as_str()).map_or([0; 16], |ulid| ulid.to_bytes());
    bytes[15] % SHARDS
}

pub(crate) fn due_sk(at: Timestamp, id: &DealId, organization: &OrganizationId) -> String {
    format!("{at}#{id}#{organization}")
}

/// Everything due at the instant or before it sorts below this.
pub(crate) fn due_until(at: Timestamp) -> String {
    format!("{at}$")
}

/// The deal and organization of a view's key.
pub(crate) fn parse_view(pk: &str, sk: &str) -> Option<(DealId, OrganizationId)> {
    let id = DealId::parse(pk.strip_prefix("DEAL#")?).ok()?;
    let organization = OrganizationId::parse(sk.strip_prefix(VIEWS)?).ok()?;
    Some((id, organization))
}
