//! Registrations: a part of the view that they belong to, and, written in the same transaction, a record of their own, which is
//! all that the vendor reads.

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::{
    Customer, Deal, DealId, Opportunity, OrganizationId, Party, Registration, RegistrationId, RegistrationState,
    RegistrationStatus, Terms, Timestamp, Verdict,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cursor::{Cursor, CursorError, Place};
use crate::records::{
    AddressRecord, ChangeRecord, MoneyRecord, PartyRecord, SolutionRecord, from_item, read, read_optional, read_time,
    text, written,
};
use crate::transaction::put;
use crate::{Error, Item, Store, keys};

/// A registration as it is stored, in a view or by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegistrationRecord {
    id: String,
    vendor: String,
    version: u64,
    created_at: String,
    submitted_at: String,
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reviewed_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    solution: SolutionRecord,
    #[serde(flatten)]
    terms: TermsRecord,
}

/// What a registration says, under the names that the HTTP interface has for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TermsRecord {
    solution_id: String,
    contract_value: MoneyRecord,
    solution_value: MoneyRecord,
    signed_date: String,
    start_date: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant_reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// The customer as the vendor learns of it: the company, and nobody who works there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CompanyRecord {
    name: String,
    country: String,
    address: AddressRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duns_number: Option<String>,
}

/// The registration's own item. It holds the deal's id, for the review, which only shows it to participants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegistrationItem {
    pk: String,
    sk: String,
    tab_pk: String,
    tab_sk: String,
    customer_pk: String,
    customer_sk: String,
    deal_id: String,
    organization: PartyRecord,
    vendor_takes_part: bool,
    customer: CompanyRecord,
    /// What a write is conditional on.
    version: u64,
    registration: RegistrationRecord,
}

/// A registration, and all that may be told with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The deal.
    pub deal: DealId,
    /// Who registers.
    pub organization: Party,
    /// Whether the vendor has a part in the deal, and so knows it.
    pub vendor_takes_part: bool,
    /// Who buys; without a contact.
    pub customer: Customer,
    /// The registration itself.
    pub registration: Registration,
}

/// From which side one looks at a list of registrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The vendor's, that reviews them.
    Vendor,
    /// That of the organization that registers.
    Organization,
}

/// Which registrations, and from where on.
#[derive(Debug, Clone)]
pub struct RegistrationQuery<'a> {
    /// Who asks.
    pub organization: &'a OrganizationId,
    /// From which side.
    pub side: Side,
    /// Only this status.
    pub status: Option<RegistrationStatus>,
    /// At most this many.
    pub limit: usize,
    /// Where the last page ended.
    pub cursor: Option<&'a str>,
}

/// A part of a list of registrations.
#[derive(Debug, Clone)]
pub struct RegistrationPage {
    /// What has waited longest first.
    pub items: Vec<Registered>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<String>,
}

impl RegistrationRecord {
    pub(crate) fn of(registration: &Registration) -> Self {
        Self {
            id: registration.id.to_string(),
            vendor: registration.vendor.to_string(),
            version: registration.version,
            created_at: registration.created_at.to_string(),
            submitted_at: registration.submitted_at.to_string(),
            status: registration.status().to_string(),
            reviewed_at: written(registration.reviewed_at().as_ref()),
            reason: written(registration.reason()),
            solution: SolutionRecord::of(&registration.terms.solution),
            terms: TermsRecord::of(&registration.terms),
        }
    }

    pub(crate) fn registration(&self) -> Result<Registration, Error> {
        let missing = || {
            Error::Corrupt(format!(
                "registration {} has no reason or no time of its review",
                self.id
            ))
        };
        let reason = || read(self.reason.as_deref().ok_or_else(missing)?);
        let verdict = match read(&self.status)? {
            RegistrationStatus::Submitted => None,
            RegistrationStatus::ActionRequired => Some(Verdict::ActionRequired { reason: reason()? }),
            RegistrationStatus::Rejected => Some(Verdict::Rejected { reason: reason()? }),
            RegistrationStatus::Approved => Some(Verdict::Approved {
                reason: read_optional(self.reason.as_ref())?,
            }),
        };
        let state = match verdict {
            None => RegistrationState::Submitted,
            Some(verdict) => RegistrationState::Reviewed {
                verdict,
                at: read_time(self.reviewed_at.as_deref().ok_or_else(missing)?)?,
            },
        };
        let terms = &self.terms;
        Ok(Registration {
            id: read(&self.id)?,
            vendor: read(&self.vendor)?,
            version: self.version,
            created_at: read_time(&self.created_at)?,
            submitted_at: read_time(&self.submitted_at)?,
            terms: Terms {
                solution: self.solution.solution()?,
                contract_value: terms.contract_value.money()?,
                solution_value: terms.solution_value.money()?,
                signed_date: read(&terms.signed_date)?,
                start_date: read(&terms.start_date)?,
                end_date: read_optional(terms.end_date.as_ref())?,
                tenant_reference: read_optional(terms.tenant_reference.as_ref())?,
                note: read_optional(terms.note.as_ref())?,
            },
            state,
        })
    }
}

impl TermsRecord {
    fn of(terms: &Terms) -> Self {
        Self {
            solution_id: terms.solution.id.to_string(),
            contract_value: MoneyRecord::of(&terms.contract_value),
            solution_value: MoneyRecord::of(&terms.solution_value),
            signed_date: terms.signed_date.to_string(),
            start_date: terms.start_date.to_string(),
            end_date: written(terms.end_date.as_ref()),
            tenant_reference: written(terms.tenant_reference.as_ref()),
            note: written(terms.note.as_ref()),
        }
    }
}

/// What a submission says otherwise than the one before, for the history: every field of the first one.
pub(crate) fn changes(from: Option<&Terms>, to: &Terms) -> Vec<ChangeRecord> {
    let fields = |terms: &Terms| match serde_json::to_value(TermsRecord::of(terms)) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (from, to) = (from.map(fields).unwrap_or_default(), fields(to));
    let names: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let value = |fields: &Map<String, Value>, name: &str| fields.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|name| ChangeRecord {
            field: format!("registration.{name}"),
            from: value(&from, name),
            to: value(&to, name),
        })
        .filter(|change| change.from != change.to)
        .collect()
}

impl RegistrationItem {
    fn of(deal: &Deal, view: &Opportunity, registration: &Registration) -> Self {
        let keys::Key { pk, sk } = keys::registration(&registration.id);
        let status = registration.status();
        let place = keys::registrations_sk(registration.submitted_at, &registration.id);
        Self {
            pk,
            sk,
            tab_pk: keys::registrations(&registration.vendor, status),
            tab_sk: place.clone(),
            customer_pk: keys::registrations(&view.organization.id, status),
            customer_sk: place,
            deal_id: deal.id().to_string(),
            organization: PartyRecord::of(&view.organization),
            vendor_takes_part: deal.view(&registration.vendor).is_ok(),
            customer: CompanyRecord {
                name: view.customer.name.to_string(),
                country: view.customer.country.to_string(),
                address: AddressRecord::of(&view.customer.address),
                duns_number: written(view.customer.duns_number.as_ref()),
            },
            version: registration.version,
            registration: RegistrationRecord::of(registration),
        }
    }

    fn registered(&self) -> Result<Registered, Error> {
        Ok(Registered {
            deal: read(&self.deal_id)?,
            organization: self.organization.party()?,
            vendor_takes_part: self.vendor_takes_part,
            customer: Customer {
                name: read(&self.customer.name)?,
                country: read(&self.customer.country)?,
                address: self.customer.address.address()?,
                duns_number: read_optional(self.customer.duns_number.as_ref())?,
                contact: domain::Contact::default(),
            },
            registration: self.registration.registration()?,
        })
    }
}

impl Registered {
    /// What is told of a view's registration.
    pub fn of(deal: &Deal, view: &Opportunity) -> Option<Self> {
        let registration = view.registration.as_deref()?.clone();
        Some(Self {
            vendor_takes_part: deal.view(&registration.vendor).is_ok(),
            ..Self::own(view, registration)
        })
    }

    /// The same, for the organization that registers.
    pub fn own(view: &Opportunity, registration: Registration) -> Self {
        Self {
            deal: view.deal.clone(),
            organization: view.organization.clone(),
            vendor_takes_part: false,
            customer: Customer {
                contact: domain::Contact::default(),
                ..view.customer.clone()
            },
            registration,
        }
    }
}

impl Store {
    /// A registration as it is stored; consistent.
    pub async fn registration(&self, id: &RegistrationId) -> Result<Option<Registered>, Error> {
        let item = self.get(&keys::registration(id)).await?;
        item.map(|item| from_item::<RegistrationItem>(item)?.registered())
            .transpose()
    }

    /// The registration's own record, if the change of its view is one of it.
    pub(crate) fn put_registration(
        &self,
        after: &Deal,
        view: &Opportunity,
        before: Option<&Opportunity>,
    ) -> Result<Option<TransactWriteItem>, Error> {
        let before = before.and_then(|before| before.registration.as_deref());
        let Some(registration) = view.registration.as_deref() else {
            return Ok(None);
        };
        if before == Some(registration) {
            return Ok(None);
        }
        let item = self.put(&RegistrationItem::of(after, view, registration))?;
        put(match before {
            None => item.condition_expression("attribute_not_exists(pk)"),
            Some(before) => item
                .condition_expression("version = :version")
                .expression_attribute_values(":version", AttributeValue::N(before.version.to_string())),
        })
        .map(Some)
    }

    /// One page of a list, what has waited longest first: one Query for each status; an organization's own also a BatchGetItem.
    pub async fn registrations(
        &self,
        query: &RegistrationQuery<'_>,
    ) -> Result<Result<RegistrationPage, CursorError>, Error> {
        let scope = format!(
            "{}/registrations/{:?}/{:?}",
            query.organization, query.side, query.status
        );
        let every = RegistrationStatus::ALL;
        let statuses = query.status.as_ref().map_or(every, std::slice::from_ref);
        let since = Timestamp::from_datetime(chrono::DateTime::UNIX_EPOCH);
        let places = match query.cursor.map(|text| Cursor::decode(text, &scope)) {
            None => vec![Place::Start; statuses.len()],
            Some(Ok(cursor)) if cursor.places.len() == statuses.len() => cursor.places,
            Some(_) => return Ok(Err(CursorError)),
        };
        let place_name = match query.side {
            Side::Vendor => keys::TAB_SK,
            Side::Organization => keys::CUSTOMER_SK,
        };
        // Each place with the status that it is of: text order is the order of time.
        let mut found: Vec<(String, usize, Item)> = Vec::new();
        for (index, (status, place)) in statuses.iter().zip(&places).enumerate() {
            for item in self.registrations_of(query, *status, place).await? {
                found.push((text(&item, place_name)?.to_owned(), index, item));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let more = found.len() > query.limit;
        found.truncate(query.limit);
        let next = more.then(|| {
            let mut places = places;
            for (place, index, _) in &found {
                places[*index] = Place::After(place.clone());
            }
            Cursor { since, places }.encode(&scope)
        });
        let items = match query.side {
            Side::Vendor => found.into_iter().map(|(_, _, item)| item).collect(),
            Side::Organization => {
                let ids = found.iter().filter_map(|(place, ..)| keys::registration_of_sk(place));
                let keys: Vec<_> = ids.map(|id| keys::registration(&id)).collect();
                let mut items = self.get_all(keys.clone(), false).await?;
                keys.iter().filter_map(|key| items.remove(key)).collect::<Vec<_>>()
            }
        };
        let mut items = items
            .into_iter()
            .map(|item| from_item::<RegistrationItem>(item)?.registered())
            .collect::<Result<Vec<_>, Error>>()?;
        // The index may lag behind the records.
        items.retain(|found| query.status.is_none_or(|status| status == found.registration.status()));
        Ok(Ok(RegistrationPage { items, next }))
    }

    /// Those of one status, one more than a page takes, or all that are left.
    async fn registrations_of(
        &self,
        query: &RegistrationQuery<'_>,
        status: RegistrationStatus,
        place: &Place,
    ) -> Result<Vec<Item>, Error> {
        let (index, condition) = match query.side {
            Side::Vendor => (keys::BY_TAB, "tabPk = :list AND tabSk > :after"),
            Side::Organization => (keys::BY_CUSTOMER, "customerPk = :list AND customerSk > :after"),
        };
        let after = match place {
            Place::After(place) => place.as_str(),
            // Sorts before every instant.
            Place::Start | Place::End => "!",
        };
        let wanted = query.limit + 1;
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(index)
                .key_condition_expression(condition)
                .expression_attribute_values(":list", keys::text(&keys::registrations(query.organization, status)))
                .expression_attribute_values(":after", keys::text(after))
                .limit(i32::try_from(wanted - items.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take())
                .send()
                .await?;
            items.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() || items.len() >= wanted {
                return Ok(items);
            }
        }
    }
}
