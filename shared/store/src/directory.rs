//! Organizations, solutions and customers: looked up for a request, written by an import.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, KeysAndAttributes, TransactWriteItem, Update};
use domain::suggest::Entry;
use domain::{
    Catalog, CatalogSolution, CustomerId, DirectoryCustomer, Flaw, Organization, OrganizationId, OrganizationKind,
    Party, References, Solution, SolutionId,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Cancelled, cancellation};
use crate::keys::Key;
use crate::records::{AddressRecord, from_item, key_of, read, text, to_item};
use crate::transaction::{put, refused};
use crate::{Error, Item, Store, keys};

/// BatchGetItem takes no more.
const BATCH: usize = 100;
/// How often a lost race, or what a batch left out, is tried again.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// What an import did with one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It was new.
    Created,
    /// It differed from what was there.
    Updated,
    /// It was there already, the same.
    Unchanged,
    /// It contradicts what is there; the pointer is into the line.
    Refused(&'static str, Flaw),
}

impl Imported {
    fn written(was_there: bool) -> Self {
        if was_there { Self::Updated } else { Self::Created }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationRecord {
    id: String,
    name: String,
    kind: String,
    countries: Vec<String>,
    solution_areas: Vec<String>,
    #[serde(default)]
    co_sell_ready_solutions: u64,
    /// Of the line that was imported last. An edit of the organization itself leaves it, so that the same line does not undo it.
    digest: String,
    /// Grows with each change of what an organization can change itself.
    #[serde(default = "first")]
    version: u64,
}

/// The version of what was written before there were versions.
fn first() -> u64 {
    1
}

/// What a line says of an organization.
#[derive(Serialize)]
struct OrganizationLine<'a>(&'a str, &'a str, &'a [String], &'a [String]);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SolutionItem {
    id: String,
    name: String,
    publisher: String,
    publisher_kind: String,
    co_sell_ready: bool,
    registration_eligible: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomerItem {
    id: String,
    name: String,
    country: String,
    address: AddressRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duns_number: Option<String>,
}

/// What an item alone has of what is also written elsewhere, to be found there.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Own {
    /// Tells whether an import changes the item, and is what its write is conditional on.
    digest: String,
    /// Where it is found: what a change takes away, whatever the code would make of it by then. Items that were written before
    /// there was such a thing have none; the next import adds it.
    #[serde(default)]
    entries: Vec<Key>,
}

/// A customer as it was before an import: where it is found, and its digest.
#[derive(Debug, Clone, Default)]
pub struct Known(Option<Own>);

impl Store {
    /// Those of the references that exist: one BatchGetItem. Not consistent: what was imported a moment ago may be missing
    /// for a moment, at half the price of every request.
    pub async fn catalog(&self, references: &References) -> Result<Catalog, Error> {
        let organizations = references.organizations.iter().map(keys::organization);
        let solutions = references.solutions.iter().map(keys::solution);
        let customer = references.customer.iter().map(keys::customer);
        let found = self
            .get_all(organizations.chain(solutions).chain(customer), false)
            .await?;
        let mut catalog = Catalog::default();
        for id in &references.organizations {
            if let Some(item) = found.get(&keys::organization(id)) {
                catalog.organizations.insert(id.clone(), organization(item)?);
            }
        }
        for id in &references.solutions {
            if let Some(item) = found.get(&keys::solution(id)) {
                catalog.solutions.insert(id.clone(), solution(item)?);
            }
        }
        if let Some(item) = references
            .customer
            .as_ref()
            .and_then(|id| found.get(&keys::customer(id)))
        {
            catalog.customer = Some(customer_of(item)?);
        }
        Ok(catalog)
    }

    /// Writes an organization's profile. There is one vendor, and an organization stays what it is. What the organization has
    /// changed itself since is overwritten only by a line that says something else than the last one did.
    pub async fn import_organization(&self, organization: &Organization) -> Result<Imported, Error> {
        let party = &organization.party;
        let key = keys::organization(&party.id);
        let record = OrganizationRecord::of(organization);
        let digest = digest(&OrganizationLine(
            &record.name,
            &record.kind,
            &record.countries,
            &record.solution_areas,
        ));
        let (listed_in, listed_as) = keys::listed_profile(&record.id);
        for _ in 0..ATTEMPTS {
            let found = self.get_all([key.clone()], true).await?.remove(&key);
            let old = found.map(from_item::<OrganizationRecord>).transpose()?;
            if let Some(old) = old.as_ref().filter(|old| old.kind != record.kind) {
                let flaw = Flaw::new(
                    "kindIsFixed",
                    format!("is {} already, and an organization stays what it is", old.kind),
                );
                return Ok(Imported::Refused("/organizationKind", flaw));
            }
            if old.as_ref().is_some_and(|old| old.digest == digest) {
                return Ok(Imported::Unchanged);
            }
            // An update, not a put: the count of solutions is another writer's.
            let update = Update::builder()
                .set_key(Some(key.attributes()))
                .update_expression(
                    "SET id = :id, #name = :name, kind = :kind, countries = :countries, solutionAreas = :areas, \
                     digest = :digest, coSellReadySolutions = if_not_exists(coSellReadySolutions, :zero), \
                     version = if_not_exists(version, :version) + :one, tabPk = :tabPk, tabSk = :tabSk",
                )
                .expression_attribute_values(":tabPk", keys::text(&listed_in))
                .expression_attribute_values(":tabSk", keys::text(&listed_as))
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":id", keys::text(&record.id))
                .expression_attribute_values(":name", keys::text(&record.name))
                .expression_attribute_values(":kind", keys::text(&record.kind))
                .expression_attribute_values(":countries", texts(&record.countries))
                .expression_attribute_values(":areas", texts(&record.solution_areas))
                .expression_attribute_values(":digest", keys::text(&digest))
                .expression_attribute_values(":zero", AttributeValue::N("0".into()))
                .expression_attribute_values(":version", AttributeValue::N(u8::from(old.is_some()).to_string()))
                .expression_attribute_values(":one", AttributeValue::N("1".into()));
            let update = match &old {
                None => update.condition_expression("attribute_not_exists(pk)"),
                Some(old) => update
                    .condition_expression("digest = :old")
                    .expression_attribute_values(":old", keys::text(&old.digest)),
            };
            let mut items = vec![self.update(update)?];
            if party.kind == OrganizationKind::Vendor {
                items.push(self.put_vendor(&party.id)?);
            }
            match self.transact(items).await? {
                Written::Yes => {
                    return Ok(Imported::written(old.is_some()));
                }
                Written::Condition(1) => {
                    let flaw = Flaw::new(
                        "secondVendor",
                        "must be partner: an exchange has one vendor, and this one has it already",
                    );
                    return Ok(Imported::Refused("/organizationKind", flaw));
                }
                Written::Condition(_) => {}
            }
        }
        Err(Error::unavailable("the organization kept changing"))
    }

    /// An organization's profile and its version; consistent.
    pub async fn profile(&self, id: &OrganizationId) -> Result<Option<(Organization, u64)>, Error> {
        let Some(item) = self.get(&keys::organization(id)).await? else {
            return Ok(None);
        };
        let version = from_item::<OrganizationRecord>(item.clone())?.version;
        Ok(Some((organization(&item)?, version)))
    }

    /// Changes what an organization may change of its profile, if it still has the version. [`Error::Stale`] means that
    /// nothing was written. The digest of the last imported line stays: see [`Store::import_organization`].
    pub async fn change_profile(&self, organization: &Organization, version: u64) -> Result<(), Error> {
        let record = OrganizationRecord::of(organization);
        let request = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::organization(&organization.party.id).attributes()))
            .update_expression("SET #name = :name, countries = :countries, solutionAreas = :areas, version = :next")
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":name", keys::text(&record.name))
            .expression_attribute_values(":countries", texts(&record.countries))
            .expression_attribute_values(":areas", texts(&record.solution_areas))
            .expression_attribute_values(":version", AttributeValue::N(version.to_string()))
            .expression_attribute_values(":next", AttributeValue::N((version + 1).to_string()))
            .condition_expression(if version == first() {
                "version = :version OR (attribute_exists(pk) AND attribute_not_exists(version))"
            } else {
                "version = :version"
            });
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Err(Error::Stale)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The exchange's vendor, if it has one. Not consistent: an organization stays what it is.
    pub async fn vendor(&self) -> Result<Option<OrganizationId>, Error> {
        let found = self.get_all([keys::vendor()], false).await?;
        let Some(item) = found.values().next() else {
            return Ok(None);
        };
        read(text(item, "organizationId")?).map(Some)
    }

    /// Writes a solution, where it is listed, and counts those that are co-sell ready in their publisher's profile.
    pub async fn import_solution(&self, new: &CatalogSolution) -> Result<Imported, Error> {
        let id = &new.solution.id;
        let (key, profile) = (keys::solution(id), keys::organization(&new.solution.publisher));
        for _ in 0..ATTEMPTS {
            let mut found = self.get_all([key.clone(), profile.clone()], true).await?;
            let Some(publisher) = found.get(&profile) else {
                let flaw = Flaw::new(
                    "unknownOrganization",
                    "is not an organization of this exchange; import it first",
                );
                return Ok(Imported::Refused("/publisher", flaw));
            };
            let item = SolutionItem {
                id: id.to_string(),
                name: new.solution.name.to_string(),
                publisher: new.solution.publisher.to_string(),
                publisher_kind: organization(publisher)?.party.kind.to_string(),
                co_sell_ready: new.co_sell_ready,
                registration_eligible: new.registration_eligible,
            };
            let old = found.remove(&key);
            let own_before = known(old.clone())?.0;
            let old = old.map(from_item::<SolutionItem>).transpose()?;
            let entries = if new.co_sell_ready {
                keys::solution_entries(&new.solution).to_vec()
            } else {
                Vec::new()
            };
            let own = Own::new(&item, entries);
            if own_before.as_ref().is_some_and(|before| before.digest == own.digest) {
                return Ok(Imported::Unchanged);
            }
            let mut items = self.put_with_entries(&key, &item, &own, own_before.as_ref())?;
            let before = old
                .as_ref()
                .filter(|old| old.co_sell_ready)
                .map(|old| old.publisher.clone());
            let after = item.co_sell_ready.then(|| item.publisher.clone());
            if before != after {
                for (publisher, step) in [(before, "-1"), (after, "1")] {
                    if let Some(publisher) = publisher {
                        items.push(self.count_solutions(&publisher, step)?);
                    }
                }
            }
            if let Written::Yes = self.transact(items).await? {
                return Ok(Imported::written(old.is_some()));
            }
        }
        Err(Error::unavailable("the solution kept changing"))
    }

    /// The customers of these ids as they are, for [`Store::import_customer`]: one BatchGetItem for each hundred.
    pub async fn known_customers(&self, ids: &[CustomerId]) -> Result<Vec<Known>, Error> {
        let keys: Vec<Key> = ids.iter().map(keys::customer).collect();
        let mut found = self.get_all(keys.iter().cloned(), true).await?;
        let known = keys.iter().map(|key| known(found.remove(key)));
        known.collect()
    }

    /// Writes a customer of the directory, in one transaction with all entries that it is found by: directory and index
    /// cannot disagree. `known` is what was there a moment ago.
    pub async fn import_customer(&self, customer: &DirectoryCustomer, known: Option<Known>) -> Result<Imported, Error> {
        let key = keys::customer(&customer.id);
        let item = CustomerItem::of(customer);
        let entries = Entry::all(customer.name.as_str());
        let entries = entries
            .iter()
            .map(|entry| keys::customer_entry(&customer.country, entry, &customer.id));
        let own = Own::new(&item, entries.collect());
        let mut known = known;
        for _ in 0..ATTEMPTS {
            let old = match known.take() {
                Some(known) => known.0,
                None => self::known(self.get_all([key.clone()], true).await?.remove(&key))?.0,
            };
            if old.as_ref().is_some_and(|old| old.digest == own.digest) {
                return Ok(Imported::Unchanged);
            }
            let items = self.put_with_entries(&key, &item, &own, old.as_ref())?;
            if let Written::Yes = self.transact(items).await? {
                return Ok(Imported::written(old.is_some()));
            }
        }
        Err(Error::unavailable("the customer kept changing"))
    }

    /// An item if it is still as it was read, what it is found by, and no longer what it was found by. Entries are nobody
    /// else's, so that the item's condition is theirs too.
    fn put_with_entries(
        &self,
        key: &Key,
        item: &impl Serialize,
        own: &Own,
        old: Option<&Own>,
    ) -> Result<Vec<TransactWriteItem>, Error> {
        let found = to_item(item)?;
        let mut whole = found.clone();
        whole.extend(to_item(own)?);
        whole.extend(key.attributes());
        let whole = self.put_item(whole);
        let mut items = vec![put(match old {
            None => whole.condition_expression("attribute_not_exists(pk)"),
            Some(old) => whole
                .condition_expression("digest = :old")
                .expression_attribute_values(":old", keys::text(&old.digest)),
        })?];
        for entry in &own.entries {
            let mut item = found.clone();
            item.extend(entry.attributes());
            items.push(put(self.put_item(item))?);
        }
        let gone = old.into_iter().flat_map(|old| &old.entries);
        for entry in gone.filter(|entry| !own.entries.contains(entry)) {
            let delete = Delete::builder()
                .table_name(&self.table)
                .set_key(Some(entry.attributes()));
            let delete = delete.build().map_err(refused)?;
            items.push(TransactWriteItem::builder().delete(delete).build());
        }
        Ok(items)
    }

    fn put_vendor(&self, id: &OrganizationId) -> Result<TransactWriteItem, Error> {
        let mut item = keys::vendor().attributes();
        item.insert("organizationId".to_owned(), keys::text(id.as_str()));
        put(self
            .put_item(item)
            .condition_expression("attribute_not_exists(pk) OR organizationId = :id")
            .expression_attribute_values(":id", keys::text(id.as_str())))
    }

    fn count_solutions(&self, publisher: &str, step: &str) -> Result<TransactWriteItem, Error> {
        let id: OrganizationId = read(publisher)?;
        self.update(
            Update::builder()
                .set_key(Some(keys::organization(&id).attributes()))
                .update_expression("ADD coSellReadySolutions :step")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":step", AttributeValue::N(step.to_owned())),
        )
    }

    /// One transaction, again when it only met another one. The SDK makes the token of each.
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Written, Error> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..ATTEMPTS {
            let request = self.client.transact_write_items();
            let Err(error) = request.set_transact_items(Some(items.clone())).send().await else {
                return Ok(Written::Yes);
            };
            let Some(reasons) = cancellation(&error) else {
                return Err(error.into());
            };
            let condition = |reason: &Cancelled| matches!(reason, Cancelled::Condition(_));
            if let Some(failed) = reasons.iter().position(condition) {
                return Ok(Written::Condition(failed));
            }
            if !reasons.iter().any(|reason| matches!(reason, Cancelled::Passing)) {
                return Err(error.into());
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Error::unavailable(
            "the transaction met others at the same items every time",
        ))
    }

    /// The items of the keys that exist. What a batch leaves out is asked for again.
    pub(crate) async fn get_all(
        &self,
        keys: impl IntoIterator<Item = Key>,
        consistent: bool,
    ) -> Result<HashMap<Key, Item>, Error> {
        let keys: HashSet<Key> = keys.into_iter().collect();
        let mut found = HashMap::new();
        let keys: Vec<Item> = keys.iter().map(Key::attributes).collect();
        for batch in keys.chunks(BATCH) {
            let mut wanted = batch.to_vec();
            let mut pause = FIRST_PAUSE;
            for attempt in 1.. {
                let request = KeysAndAttributes::builder()
                    .set_keys(Some(wanted))
                    .consistent_read(consistent);
                let request = request.build().map_err(refused)?;
                let answer = self
                    .client
                    .batch_get_item()
                    .request_items(&self.table, request)
                    .send()
                    .await?;
                for item in answer.responses.unwrap_or_default().into_values().flatten() {
                    found.insert(key_of(&item)?, item);
                }
                wanted = answer
                    .unprocessed_keys
                    .unwrap_or_default()
                    .into_values()
                    .flat_map(|left| left.keys)
                    .collect();
                if wanted.is_empty() {
                    break;
                }
                if attempt == ATTEMPTS {
                    return Err(Error::unavailable("a batch was left unprocessed every time"));
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
        Ok(found)
    }
}

/// What became of a transaction of the import.
enum Written {
    Yes,
    /// The condition of the item at this place did not hold.
    Condition(usize),
}

fn digest(record: &impl Serialize) -> String {
    // Fields are written in their order in the code; a change of that only makes the next import write once more.
    let text = serde_json::to_vec(record).unwrap_or_default();
    Sha256::digest(text)
        .iter()
        .take(16)
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn texts(values: &[String]) -> AttributeValue {
    AttributeValue::L(values.iter().map(|value| keys::text(value)).collect())
}

pub(crate) fn organization(item: &Item) -> Result<Organization, Error> {
    let record: OrganizationRecord = from_item(item.clone())?;
    Ok(Organization {
        party: Party {
            id: read(&record.id)?,
            name: read(&record.name)?,
            kind: read(&record.kind)?,
        },
        countries: record
            .countries
            .iter()
            .map(|country| read(country))
            .collect::<Result<_, _>>()?,
        solution_areas: record
            .solution_areas
            .iter()
            .map(|area| read(area))
            .collect::<Result<_, _>>()?,
        co_sell_ready_solutions: record.co_sell_ready_solutions,
    })
}

pub(crate) fn solution(item: &Item) -> Result<CatalogSolution, Error> {
    let record: SolutionItem = from_item(item.clone())?;
    Ok(CatalogSolution {
        solution: Solution {
            id: read::<SolutionId>(&record.id)?,
            name: read(&record.name)?,
            publisher: read(&record.publisher)?,
            publisher_kind: read(&record.publisher_kind)?,
        },
        co_sell_ready: record.co_sell_ready,
        registration_eligible: record.registration_eligible,
    })
}

pub(crate) fn customer_of(item: &Item) -> Result<DirectoryCustomer, Error> {
    let record: CustomerItem = from_item(item.clone())?;
    Ok(DirectoryCustomer {
        id: read::<CustomerId>(&record.id)?,
        name: read(&record.name)?,
        country: read(&record.country)?,
        address: record.address.address()?,
        duns_number: record.duns_number.as_deref().map(read).transpose()?,
    })
}

fn known(item: Option<Item>) -> Result<Known, Error> {
    item.map(from_item::<Own>).transpose().map(Known)
}

impl Own {
    /// The digest covers where the item is found: when the code finds more, the next import writes it.
    fn new(item: &impl Serialize, entries: Vec<Key>) -> Self {
        Self {
            digest: digest(&(item, &entries)),
            entries,
        }
    }
}

impl CustomerItem {
    fn of(customer: &DirectoryCustomer) -> Self {
        Self {
            id: customer.id.to_string(),
            name: customer.name.to_string(),
            country: customer.country.to_string(),
            address: AddressRecord::of(&customer.address),
            duns_number: customer.duns_number.as_ref().map(ToString::to_string),
        }
    }
}

impl OrganizationRecord {
    fn of(organization: &Organization) -> Self {
        let party = &organization.party;
        Self {
            id: party.id.to_string(),
            name: party.name.to_string(),
            kind: party.kind.to_string(),
            countries: organization.countries.iter().map(ToString::to_string).collect(),
            solution_areas: organization.solution_areas.iter().map(ToString::to_string).collect(),
            co_sell_ready_solutions: 0,
            digest: String::new(),
            version: first(),
        }
    }
}
