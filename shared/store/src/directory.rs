//! Organizations, solutions and customers: looked up for a request, written by an import.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem, Update};
use domain::{
    Catalog, CatalogSolution, CustomerId, DirectoryCustomer, Flaw, Organization, OrganizationId, OrganizationKind,
    Party, References, Solution, SolutionId,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Cancelled, cancellation};
use crate::keys::Key;
use crate::records::{AddressRecord, from_item, to_item};
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
    digest: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SolutionItem {
    id: String,
    name: String,
    publisher: String,
    publisher_kind: String,
    co_sell_ready: bool,
    registration_eligible: bool,
    digest: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomerItem {
    id: String,
    name: String,
    country: String,
    address: AddressRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duns_number: Option<String>,
    digest: String,
}

/// The only attribute that tells whether an import changes an item, and what its write is conditional on.
#[derive(Debug, Deserialize)]
struct Digested {
    digest: String,
}

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

    /// Writes an organization's profile. There is one vendor, and an organization stays what it is.
    pub async fn import_organization(&self, organization: &Organization) -> Result<Imported, Error> {
        let party = &organization.party;
        let key = keys::organization(&party.id);
        let record = OrganizationRecord {
            id: party.id.to_string(),
            name: party.name.to_string(),
            kind: party.kind.to_string(),
            countries: organization.countries.iter().map(ToString::to_string).collect(),
            solution_areas: organization.solution_areas.iter().map(ToString::to_string).collect(),
            co_sell_ready_solutions: 0,
            digest: String::new(),
        };
        let digest = digest(&record);
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
                .table_name(&self.table)
                .set_key(Some(key.attributes()))
                .update_expression(
                    "SET id = :id, #name = :name, kind = :kind, countries = :countries, solutionAreas = :areas, \
                     digest = :digest, coSellReadySolutions = if_not_exists(coSellReadySolutions, :zero)",
                )
                .expression_attribute_names("#name", "name")
                .expression_attribute_values(":id", keys::text(&record.id))
                .expression_attribute_values(":name", keys::text(&record.name))
                .expression_attribute_values(":kind", keys::text(&record.kind))
                .expression_attribute_values(":countries", texts(&record.countries))
                .expression_attribute_values(":areas", texts(&record.solution_areas))
                .expression_attribute_values(":digest", keys::text(&digest))
                .expression_attribute_values(":zero", AttributeValue::N("0".into()));
            let update = match &old {
                None => update.condition_expression("attribute_not_exists(pk)"),
                Some(old) => update
                    .condition_expression("digest = :old")
                    .expression_attribute_values(":old", keys::text(&old.digest)),
            };
            let mut items = vec![
                TransactWriteItem::builder()
                    .update(update.build().map_err(refused)?)
                    .build(),
            ];
            if party.kind == OrganizationKind::Vendor {
                items.push(self.put_vendor(&party.id)?);
            }
            match self.transact(items).await? {
                Written::Yes => {
                    return Ok(if old.is_some() {
                        Imported::Updated
                    } else {
                        Imported::Created
                    });
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

    /// Writes a solution, and counts those that are co-sell ready in their publisher's profile.
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
            let mut item = SolutionItem {
                id: id.to_string(),
                name: new.solution.name.to_string(),
                publisher: new.solution.publisher.to_string(),
                publisher_kind: organization(publisher)?.party.kind.to_string(),
                co_sell_ready: new.co_sell_ready,
                registration_eligible: new.registration_eligible,
                digest: String::new(),
            };
            item.digest = digest(&item);
            let old = found.remove(&key).map(from_item::<SolutionItem>).transpose()?;
            if old.as_ref().is_some_and(|old| old.digest == item.digest) {
                return Ok(Imported::Unchanged);
            }
            let before = old
                .as_ref()
                .filter(|old| old.co_sell_ready)
                .map(|old| old.publisher.clone());
            let after = item.co_sell_ready.then(|| item.publisher.clone());
            let put = self.put_digested(&key, &item, old.as_ref().map(|old| old.digest.as_str()))?;
            let mut items = vec![TransactWriteItem::builder().put(put).build()];
            if before != after {
                for (publisher, step) in [(before, "-1"), (after, "1")] {
                    if let Some(publisher) = publisher {
                        items.push(self.count_solutions(&publisher, step)?);
                    }
                }
            }
            if let Written::Yes = self.transact(items).await? {
                return Ok(if old.is_some() {
                    Imported::Updated
                } else {
                    Imported::Created
                });
            }
        }
        Err(Error::unavailable("the solution kept changing"))
    }

    /// Writes a customer of the directory.
    pub async fn import_customer(&self, customer: &DirectoryCustomer) -> Result<Imported, Error> {
        let key = keys::customer(&customer.id);
        let mut item = CustomerItem {
            id: customer.id.to_string(),
            name: customer.name.to_string(),
            country: customer.country.to_string(),
            address: AddressRecord::of(&customer.address),
            duns_number: customer.duns_number.as_ref().map(ToString::to_string),
            digest: String::new(),
        };
        item.digest = digest(&item);
        // A write whose answer was lost looks like a lost race when it is repeated.
        let mut lost_race = None;
        for _ in 0..ATTEMPTS {
            let found = self.get_all([key.clone()], true).await?.remove(&key);
            let old = found.map(from_item::<Digested>).transpose()?.map(|old| old.digest);
            if old.as_ref() == Some(&item.digest) {
                return Ok(lost_race.unwrap_or(Imported::Unchanged));
            }
            let imported = if old.is_some() {
                Imported::Updated
            } else {
                Imported::Created
            };
            let put = self.put_digested(&key, &item, old.as_deref())?;
            let request = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(put.item))
                .set_condition_expression(put.condition_expression)
                .set_expression_attribute_values(put.expression_attribute_values);
            match request.send().await {
                Ok(_) => return Ok(imported),
                Err(error) if lost(&error) => lost_race = Some(imported),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::unavailable("the customer kept changing"))
    }

    fn put_digested(&self, key: &Key, record: &impl Serialize, old: Option<&str>) -> Result<Put, Error> {
        let mut item = to_item(record)?;
        item.extend(key.attributes());
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match old {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(old) => put
                .condition_expression("digest = :old")
                .expression_attribute_values(":old", keys::text(old)),
        };
        put.build().map_err(refused)
    }

    fn put_vendor(&self, id: &OrganizationId) -> Result<TransactWriteItem, Error> {
        let mut item = keys::vendor().attributes();
        item.insert("organizationId".to_owned(), keys::text(id.as_str()));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR organizationId = :id")
            .expression_attribute_values(":id", keys::text(id.as_str()));
        Ok(TransactWriteItem::builder().put(put.build().map_err(refused)?).build())
    }

    fn count_solutions(&self, publisher: &str, step: &str) -> Result<TransactWriteItem, Error> {
        let id = OrganizationId::parse(publisher).map_err(|flaw| Error::Corrupt(flaw.message))?;
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::organization(&id).attributes()))
            .update_expression("ADD coSellReadySolutions :step")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":step", AttributeValue::N(step.to_owned()));
        Ok(TransactWriteItem::builder()
            .update(update.build().map_err(refused)?)
            .build())
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

fn lost(error: &SdkError<PutItemError>) -> bool {
    error
        .as_service_error()
        .is_some_and(PutItemError::is_conditional_check_failed_exception)
}

fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Refused(error.into())
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

fn key_of(item: &Item) -> Result<Key, Error> {
    let text = |name| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    match (text(keys::PK), text(keys::SK)) {
        (Some(pk), Some(sk)) => Ok(Key { pk, sk }),
        _ => Err(Error::Corrupt("an item without a key".into())),
    }
}

fn read<T: domain::Parse>(text: &str) -> Result<T, Error> {
    T::parse(text).map_err(|flaw| Error::Corrupt(flaw.message))
}

fn organization(item: &Item) -> Result<Organization, Error> {
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

fn solution(item: &Item) -> Result<CatalogSolution, Error> {
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

fn customer_of(item: &Item) -> Result<DirectoryCustomer, Error> {
    let record: CustomerItem = from_item(item.clone())?;
    Ok(DirectoryCustomer {
        id: read::<CustomerId>(&record.id)?,
        name: read(&record.name)?,
        country: read(&record.country)?,
        address: record.address.address()?,
        duns_number: record.duns_number.as_deref().map(read).transpose()?,
    })
}
