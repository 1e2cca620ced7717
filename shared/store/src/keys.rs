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
//! | organization | `ORG#<id>` | `PROFILE` | `PARTNERS#<shard>`, `<id>#PROFILE` | – |
//! | its counters | `STATS#<id>#<shard>` | `TAB#<direction>#<stage>#<outcome>#<currency>`, `CAMPAIGN#<campaign>` | – | – |
//! | its record: what it did with invitations, counted | `ORG#<id>` | `EVENTS` | `PARTNERS#<shard>`, `<id>#EVENTS` | – |
//! | accepted deals of an organization with a solution, country or size, counted, and how they were reported | `ALIKE#<likeness>` | `<id>` | – | – |
//! | message to an organization | `FEED#<organization>` | `INBOX#<number>` | – | – |
//! | number of its last message | `FEED#<organization>` | `HEAD` | – | – |
//! | its webhooks | `ORG#<id>` | `WEBHOOKS` | – | – |
//! | attempt to deliver to a webhook | `WEBHOOK#<id>` | `ATTEMPT#<ulid>` | – | – |
//! | the exchange's vendor | `EXCHANGE` | `VENDOR` | – | – |
//! | solution | `SOLUTIONS#<shard>` | `<id>` | – | – |
//! | customer | `CUSTOMER#<id>` | `CUSTOMER` | – | – |
//! | registration, as the vendor knows it | `REGISTRATION#<id>` | `REGISTRATION` | the vendor's: `ORG#<vendor>#REGISTRATION#<status>`, `<submittedAt>#<id>` | – |
//! | the same: index `byCustomer` (`customerPk`, `customerSk`) | `ORG#<organization>#REGISTRATION#<status>` | `<submittedAt>#<id>` | | |
//! | customer, by its name and by its later words | `CUSTOMERS#<country>#<first characters>` | `NAME#<folded name>#<digest of the id>`, `WORD#<folded name from the word on>#<digest of the id>` | – | – |
//! | co-sell ready solution, by name; of all, and of its publisher | `SOLUTIONS#NAMES`, `SOLUTIONS#OF#<organization>` | `<folded name>#<id>` | – | – |
//! | team that was set | `ORG#<organization>` | `CONTACTS#<instant>#<deal>` | – | – |
//!
//! Ids have no `#`, save users', customers' and idempotency keys, which stand last. Instants have a fixed width, so that text
//! order is time order.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::suggest::{self, Entry, Place};
use domain::{
    Actor, Country, Customer, CustomerId, DealId, Direction, IdempotencyKey, Likeness, OrganizationId, RegistrationId,
    RegistrationStatus, Solution, SolutionId, Stage, Timestamp, UserId, WebhookId,
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
/// Partition key of [`BY_CUSTOMER`].
pub const CUSTOMER_PK: &str = "customerPk";
/// Sort key of [`BY_CUSTOMER`].
pub const CUSTOMER_SK: &str = "customerSk";
/// How every view's sort key begins.
pub(crate) const VIEWS: &str = "ORG#";
/// The deadline index is spread over this many partitions, an organization's counters and the catalog too.
pub const SHARDS: u8 = 16;

/// The list of all organizations is spread over this many partitions: all of them are read together, and each takes a
/// thousand writes a second.
pub(crate) const PARTNER_SHARDS: u8 = 4;
/// What is an organization's profile, and not its counts, ends so in the list of all.
const PROFILE: &str = "PROFILE";
const COUNTS: &str = "EVENTS";

/// `pk` and `sk` of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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

/// The attributes of a place in a partition.
pub(crate) fn place(pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
    Key::new(pk.to_owned(), sk).attributes()
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
    Key::new(format!("ORG#{id}"), PROFILE)
}

/// A partition of the list of all organizations.
pub(crate) fn partners(shard: u8) -> String {
    format!("PARTNERS#{shard:02}")
}

/// Where an organization's profile stands in the list of all.
pub(crate) fn listed_profile(id: &str) -> (String, String) {
    (partners(partner_shard(id)), format!("{id}#{PROFILE}"))
}

/// Where an organization's counts stand in the list of all: next to its profile.
pub(crate) fn listed_counts(id: &str) -> (String, String) {
    (partners(partner_shard(id)), format!("{id}#{COUNTS}"))
}

/// Whether a sort key of the list of all is that of a profile; else it is that of counts.
pub(crate) fn is_listed_profile(tab_sk: &str) -> bool {
    tab_sk.ends_with(PROFILE)
}

/// The organization of a sort key of the list of all.
pub(crate) fn listed_organization(tab_sk: &str) -> Option<OrganizationId> {
    OrganizationId::parse(tab_sk.rsplit_once('#')?.0).ok()
}

fn partner_shard(id: &str) -> u8 {
    Sha256::digest(id)[0] % PARTNER_SHARDS
}

/// All organizations that accepted deals which have something in common.
pub(crate) fn alike(likeness: &Likeness) -> String {
    format!("ALIKE#{likeness}")
}

pub(crate) fn alike_of(likeness: &Likeness, organization: &str) -> Key {
    Key::new(alike(likeness), organization)
}

/// A counter of an organization. Spread over shards by deal, since all changes of an organization's deals meet there.
pub(crate) fn counter(organization: &OrganizationId, deal: &DealId, counted: &str) -> Key {
    Key::new(counters(organization, due_shard(deal)), counted)
}

/// A shard of an organization's counters.
pub(crate) fn counters(organization: &OrganizationId, shard: u8) -> String {
    format!("STATS#{organization}#{shard:02}")
}

/// How often what happened to an organization's opportunities.
pub(crate) fn event_counts(organization: &str) -> Key {
    Key::new(format!("ORG#{organization}"), COUNTS)
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

/// All that is found in a country by words that begin with these characters.
pub(crate) fn customers(country: &Country, text: &str) -> String {
    format!("CUSTOMERS#{country}#{}", suggest::start(text))
}

/// How the sort keys of a probe begin.
pub(crate) fn customers_beginning(place: Place, text: &str) -> String {
    let kind = match place {
        Place::Name => "NAME",
        Place::Word => "WORD",
        Place::Pair => "PAIR",
    };
    format!("{kind}#{text}")
}

/// Where a customer is found. A digest of the id: an id can be longer than a sort key may be.
pub(crate) fn customer_entry(country: &Country, entry: &Entry, id: &CustomerId) -> Key {
    let beginning = customers_beginning(entry.place, &entry.text);
    let digest = hex_digest(id.as_str());
    Key::new(customers(country, &entry.text), format!("{beginning}#{digest}"))
}

/// The last that a whole word's entries can be: a hyphen goes on with another word, and `#` ends a text.
pub(crate) fn whole_word_until(beginning: &str) -> String {
    format!("{beginning}-{}", char::MAX)
}

/// A whole word's entries come after this.
pub(crate) fn whole_word_from(beginning: &str) -> String {
    format!("{beginning}#")
}

/// Every co-sell ready solution, by name.
pub(crate) fn solution_names() -> String {
    "SOLUTIONS#NAMES".to_owned()
}

/// An organization's co-sell ready solutions, by name.
pub(crate) fn solutions_of(publisher: &OrganizationId) -> String {
    format!("SOLUTIONS#OF#{publisher}")
}

/// Where a solution is listed.
pub(crate) fn solution_entries(solution: &Solution) -> [Key; 2] {
    let sk = format!("{}#{}", suggest::sorting(solution.name.as_str()), solution.id);
    [
        Key::new(solution_names(), sk.clone()),
        Key::new(solutions_of(&solution.publisher), sk),
    ]
}

/// How the sort key of every team that was set begins.
pub(crate) const CONTACTS: &str = "CONTACTS#";

/// All teams that an organization has set share this partition key.
pub(crate) fn contacts(organization: &OrganizationId) -> String {
    format!("ORG#{organization}")
}

/// A team that was set: a deal has no two events at one instant.
pub(crate) fn team(organization: &OrganizationId, at: Timestamp, deal: &DealId) -> Key {
    Key::new(contacts(organization), format!("{CONTACTS}{at}#{deal}"))
}

fn hex_digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest
        .iter()
        .take(16)
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

pub(crate) fn registration(id: &RegistrationId) -> Key {
    Key::new(format!("REGISTRATION#{id}"), "REGISTRATION")
}

/// A list of registrations: those that a vendor reviews, or those of an organization.
pub(crate) fn registrations(organization: &OrganizationId, status: RegistrationStatus) -> String {
    format!("ORG#{organization}#REGISTRATION#{status}")
}

/// What has waited longest sorts first.
pub(crate) fn registrations_sk(submitted_at: Timestamp, id: &RegistrationId) -> String {
    format!("{submitted_at}#{id}")
}

/// The registration of a place in a list.
pub(crate) fn registration_of_sk(sk: &str) -> Option<RegistrationId> {
    sk.rsplit_once('#').and_then(|(_, id)| RegistrationId::parse(id).ok())
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
    format!("ORG#{organization}#CUSTOMER#{}", hex_digest(&customer.identity()))
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
