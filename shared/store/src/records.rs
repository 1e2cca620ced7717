//! Items of the table as they are stored, and their way from and to the domain. A record is not a domain type: it can be
//! wrong, and then says so instead of being believed.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use domain::{
    Actor, Address, Change, CloseResult, Closed, Contact, Counter, Customer, Deal, DealId, Direction, Edit, Event,
    FromTo, Invitation, Invite, Money, Notice, Opportunity, OrganizationId, Party, Person, Progress, Qualification,
    QualificationName, Recipient, RegistrationNotice, Response, ResponseWindow, Snapshot, Solution, Stage, Timestamp,
    UserId, Work,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ulid::Ulid;

use crate::registrations::{self, RegistrationRecord};
use crate::{Error, Item, keys};

/// Reads a checked domain value back.
pub(crate) fn read<T: domain::Parse>(text: &str) -> Result<T, Error> {
    T::parse(text).map_err(|flaw| Error::Corrupt(flaw.message))
}

pub(crate) fn read_optional<T: domain::Parse>(text: Option<&String>) -> Result<Option<T>, Error> {
    text.map(|text| read(text)).transpose()
}

pub(crate) fn read_time(text: &str) -> Result<Timestamp, Error> {
    Timestamp::parse(text).map_err(|flaw| Error::Corrupt(flaw.message))
}

pub(crate) fn written<T: ToString>(value: Option<&T>) -> Option<String> {
    value.map(ToString::to_string)
}

/// A text attribute that every such item has.
pub(crate) fn text<'a>(item: &'a Item, name: &str) -> Result<&'a str, Error> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value
        .map(String::as_str)
        .ok_or_else(|| Error::Corrupt(format!("an item without {name}")))
}

pub(crate) fn key_of(item: &Item) -> Result<keys::Key, Error> {
    let part = |name| text(item, name).map(ToOwned::to_owned);
    Ok(keys::Key {
        pk: part(keys::PK)?,
        sk: part(keys::SK)?,
    })
}

pub(crate) fn to_item(record: &impl Serialize) -> Result<Item, Error> {
    serde_dynamo::to_item(record).map_err(|error| Error::Corrupt(error.to_string()))
}

pub(crate) fn from_item<'a, T: Deserialize<'a>>(item: Item) -> Result<T, Error> {
    serde_dynamo::from_item(item).map_err(|error| Error::Corrupt(error.to_string()))
}

/// An organization as others see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PartyRecord {
    /// Its id.
    pub organization_id: String,
    /// Its name.
    pub name: String,
    /// `vendor` or `partner`.
    pub kind: String,
}

impl PartyRecord {
    pub(crate) fn of(party: &Party) -> Self {
        Self {
            organization_id: party.id.to_string(),
            name: party.name.to_string(),
            kind: party.kind.to_string(),
        }
    }

    pub(crate) fn party(&self) -> Result<Party, Error> {
        Ok(Party {
            id: read(&self.organization_id)?,
            name: read(&self.name)?,
            kind: read(&self.kind)?,
        })
    }
}

/// Money as a decimal string and an ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyRecord {
    /// The decimal string.
    pub amount: String,
    /// The code.
    pub currency: String,
}

impl MoneyRecord {
    pub(crate) fn of(money: &Money) -> Self {
        Self {
            amount: money.amount(),
            currency: money.currency().to_owned(),
        }
    }

    pub(crate) fn money(&self) -> Result<Money, Error> {
        Money::parse(&self.amount, &self.currency).map_err(|flaw| Error::Corrupt(flaw.message))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PersonRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

impl PersonRecord {
    pub(crate) fn of(person: &Person) -> Self {
        Self {
            name: Some(person.name.to_string()),
            phone: written(person.phone.as_ref()),
            email: written(person.email.as_ref()),
        }
    }

    fn of_contact(contact: &Contact) -> Self {
        Self {
            name: written(contact.name.as_ref()),
            phone: written(contact.phone.as_ref()),
            email: written(contact.email.as_ref()),
        }
    }

    pub(crate) fn person(&self) -> Result<Person, Error> {
        Ok(Person {
            name: read(self.name.as_deref().unwrap_or_default())?,
            phone: read_optional(self.phone.as_ref())?,
            email: read_optional(self.email.as_ref())?,
        })
    }

    fn contact(&self) -> Result<Contact, Error> {
        Ok(Contact {
            name: read_optional(self.name.as_ref())?,
            phone: read_optional(self.phone.as_ref())?,
            email: read_optional(self.email.as_ref())?,
        })
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address_line1: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address_line2: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
}

impl AddressRecord {
    pub(crate) fn of(address: &Address) -> Self {
        Self {
            address_line1: written(address.line1.as_ref()),
            address_line2: written(address.line2.as_ref()),
            city: written(address.city.as_ref()),
            region: written(address.region.as_ref()),
            postal_code: written(address.postal_code.as_ref()),
        }
    }

    pub(crate) fn address(&self) -> Result<Address, Error> {
        Ok(Address {
            line1: read_optional(self.address_line1.as_ref())?,
            line2: read_optional(self.address_line2.as_ref())?,
            city: read_optional(self.city.as_ref())?,
            region: read_optional(self.region.as_ref())?,
            postal_code: read_optional(self.postal_code.as_ref())?,
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomerRecord {
    name: String,
    country: String,
    address: AddressRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duns_number: Option<String>,
    contact: PersonRecord,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SolutionRecord {
    id: String,
    name: String,
    publisher: String,
    publisher_kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InvitationRecord {
    help_type: String,
    message: String,
    contacts: Vec<PersonRecord>,
    sent_at: String,
    respond_by: String,
}

/// An invitation that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NextRecord {
    organization: PartyRecord,
    help_type: String,
    message: String,
    contacts: Vec<PersonRecord>,
    window_ms: i64,
    reminder_ms: i64,
}

impl NextRecord {
    fn of(invite: &Invite) -> Self {
        Self {
            organization: PartyRecord::of(&invite.organization),
            help_type: invite.help_type.to_string(),
            message: invite.message.to_string(),
            contacts: invite.contacts.iter().map(PersonRecord::of).collect(),
            window_ms: invite.window.length.num_milliseconds(),
            reminder_ms: invite.window.reminder.num_milliseconds(),
        }
    }

    fn invite(&self) -> Result<Invite, Error> {
        let milliseconds = |number| {
            TimeDelta::try_milliseconds(number).ok_or_else(|| Error::Corrupt(format!("{number} milliseconds")))
        };
        Ok(Invite {
            organization: self.organization.party()?,
            help_type: read(&self.help_type)?,
            message: read(&self.message)?,
            contacts: self
                .contacts
                .iter()
                .map(PersonRecord::person)
                .collect::<Result<_, _>>()?,
            note: None,
            window: ResponseWindow {
                length: milliseconds(self.window_ms)?,
                reminder: milliseconds(self.reminder_ms)?,
            },
        })
    }
}

/// One organization's view of a deal. `outcome`, `reason` and the instants are there as far as its stage has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpportunityRecord {
    pk: String,
    sk: String,
    tab_pk: String,
    tab_sk: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_sk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_sk: Option<String>,
    /// The deal.
    pub deal_id: String,
    organization: PartyRecord,
    owner: PartyRecord,
    /// Grows with each event that touches the view: what every write is conditional on.
    pub version: u64,
    created_at: String,
    updated_at: String,
    /// Only where there is a note of its organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    noted_at: Option<String>,
    name: String,
    /// Absent: `salesQualified`, as it was before there were leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    qualification: Option<String>,
    /// Of a lead in the owner's view: whom it goes to next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    next: Vec<NextRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    estimated_value: Option<MoneyRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    estimated_close_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crm_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    campaign_id: Option<String>,
    customer: CustomerRecord,
    team: Vec<PersonRecord>,
    solutions: Vec<SolutionRecord>,
    direction: String,
    deal_type: String,
    /// `received`, `accepted` or `archived`.
    pub stage: String,
    /// Only when archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    final_value: Option<MoneyRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    invitation: Option<InvitationRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remind_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registration: Option<RegistrationRecord>,
}

impl OpportunityRecord {
    /// The record of a view, with its keys.
    pub(crate) fn of(view: &Opportunity) -> Self {
        let organization = &view.organization.id;
        let keys::Key { pk, sk } = keys::view(&view.deal, organization);
        let standing = view.standing();
        let pending_until = view.pending_until();
        let open = standing.stage != Stage::Archived;
        Self {
            pk,
            sk,
            tab_pk: keys::tab_pk(organization, view.direction(), standing.stage),
            tab_sk: keys::tab_sk(pending_until.unwrap_or(view.updated_at), &view.deal),
            due_pk: view.due_at().map(|_| keys::due_pk(keys::due_shard(&view.deal))),
            due_sk: view.due_at().map(|at| keys::due_sk(at, &view.deal, organization)),
            customer_pk: open.then(|| keys::customer_pk(organization, &view.customer)),
            customer_sk: open.then(|| view.deal.to_string()),
            deal_id: view.deal.to_string(),
            organization: PartyRecord::of(&view.organization),
            owner: PartyRecord::of(&view.owner),
            version: view.version,
            created_at: view.created_at.to_string(),
            updated_at: view.updated_at.to_string(),
            noted_at: written(view.noted_at.as_ref()),
            name: view.name.to_string(),
            qualification: view.is_lead().then(|| QualificationName::Lead.to_string()),
            next: match &view.qualification {
                Qualification::Lead { next } => next.iter().map(NextRecord::of).collect(),
                Qualification::SalesQualified => Vec::new(),
            },
            estimated_value: view.estimated_value.as_ref().map(MoneyRecord::of),
            estimated_close_date: written(view.estimated_close_date.as_ref()),
            crm_id: written(view.crm_id.as_ref()),
            campaign_id: written(view.campaign_id.as_ref()),
            customer: CustomerRecord {
                name: view.customer.name.to_string(),
                country: view.customer.country.to_string(),
                address: AddressRecord::of(&view.customer.address),
                duns_number: written(view.customer.duns_number.as_ref()),
                contact: PersonRecord::of_contact(&view.customer.contact),
            },
            team: view.team.iter().map(PersonRecord::of).collect(),
            solutions: view.solutions.iter().map(SolutionRecord::of).collect(),
            direction: view.direction().to_string(),
            deal_type: view.deal_type().to_string(),
            stage: standing.stage.to_string(),
            outcome: written(standing.outcome.as_ref()),
            reason: written(view.reason().as_ref()),
            final_value: view.final_value().as_ref().map(MoneyRecord::of),
            accepted_at: written(view.accepted_at().as_ref()),
            closed_at: written(view.closed_at().as_ref()),
            invitation: view.invitation().map(InvitationRecord::of),
            remind_at: written(view.remind_at().as_ref()),
            registration: view.registration.as_deref().map(RegistrationRecord::of),
        }
    }

    /// The view, if the record makes sense.
    pub(crate) fn opportunity(&self) -> Result<Opportunity, Error> {
        let people = |records: &[PersonRecord]| records.iter().map(PersonRecord::person).collect::<Result<Vec<_>, _>>();
        Ok(Opportunity {
            deal: read(&self.deal_id)?,
            organization: self.organization.party()?,
            owner: self.owner.party()?,
            version: self.version,
            created_at: read_time(&self.created_at)?,
            updated_at: read_time(&self.updated_at)?,
            noted_at: self.noted_at.as_deref().map(read_time).transpose()?,
            name: read(&self.name)?,
            qualification: self.qualification()?,
            estimated_value: self.estimated_value.as_ref().map(MoneyRecord::money).transpose()?,
            estimated_close_date: read_optional(self.estimated_close_date.as_ref())?,
            crm_id: read_optional(self.crm_id.as_ref())?,
            campaign_id: read_optional(self.campaign_id.as_ref())?,
            customer: Customer {
                name: read(&self.customer.name)?,
                country: read(&self.customer.country)?,
                address: self.customer.address.address()?,
                duns_number: read_optional(self.customer.duns_number.as_ref())?,
                contact: self.customer.contact.contact()?,
            },
            team: people(&self.team)?,
            solutions: self
                .solutions
                .iter()
                .map(SolutionRecord::solution)
                .collect::<Result<_, _>>()?,
            progress: self.progress(people)?,
            registration: self
                .registration
                .as_ref()
                .map(|record| record.registration().map(Box::new))
                .transpose()?,
        })
    }

    fn qualification(&self) -> Result<Qualification, Error> {
        let name = self.qualification.as_deref().map(read).transpose()?;
        Ok(match name.unwrap_or(QualificationName::SalesQualified) {
            QualificationName::Lead => Qualification::Lead {
                next: self.next.iter().map(NextRecord::invite).collect::<Result<_, _>>()?,
            },
            QualificationName::SalesQualified => Qualification::SalesQualified,
        })
    }

    fn progress(&self, people: impl Fn(&[PersonRecord]) -> Result<Vec<Person>, Error>) -> Result<Progress, Error> {
        if read::<Direction>(&self.direction)? == Direction::Outbound {
            return Ok(Progress::Outbound {
                deal_type: read(&self.deal_type)?,
                work: self.work()?,
            });
        }
        let invitation = self.invitation.as_ref().ok_or_else(|| self.missing("invitation"))?;
        let invitation = Invitation {
            help_type: read(&invitation.help_type)?,
            message: read(&invitation.message)?,
            contacts: people(&invitation.contacts)?,
            sent_at: read_time(&invitation.sent_at)?,
            respond_by: read_time(&invitation.respond_by)?,
        };
        let response = match (read(&self.stage)?, self.outcome.as_deref()) {
            (Stage::Received, _) => Response::Pending {
                remind_at: self.remind_at.as_deref().map(read_time).transpose()?,
            },
            (Stage::Archived, Some("declined")) => Response::Declined {
                at: self.closed_at()?,
                reason: self.reason()?,
            },
            (Stage::Archived, Some("expired")) => Response::Expired { at: self.closed_at()? },
            (Stage::Archived, Some("withdrawn")) => Response::Withdrawn { at: self.closed_at()? },
            (Stage::Accepted | Stage::Archived, _) => Response::Accepted(self.work()?),
        };
        Ok(Progress::Inbound { invitation, response })
    }

    fn work(&self) -> Result<Work, Error> {
        let accepted_at = self.accepted_at.as_deref().ok_or_else(|| self.missing("acceptedAt"))?;
        let result = match self.outcome.as_deref() {
            None => None,
            Some("won") => {
                let final_value = self.final_value.as_ref().ok_or_else(|| self.missing("finalValue"))?;
                Some(CloseResult::Won {
                    final_value: final_value.money()?,
                })
            }
            Some("lost") => Some(CloseResult::Lost { reason: self.reason()? }),
            Some(other) => return Err(Error::Corrupt(format!("{}: outcome {other}", self.pk))),
        };
        let closed = result
            .map(|result| {
                Ok::<_, Error>(Closed {
                    at: self.closed_at()?,
                    result,
                })
            })
            .transpose()?;
        Ok(Work {
            accepted_at: read_time(accepted_at)?,
            closed,
        })
    }

    fn closed_at(&self) -> Result<Timestamp, Error> {
        read_time(self.closed_at.as_deref().ok_or_else(|| self.missing("closedAt"))?)
    }

    fn reason<T: domain::Parse>(&self) -> Result<T, Error> {
        read(self.reason.as_deref().ok_or_else(|| self.missing("reason"))?)
    }

    fn missing(&self, attribute: &str) -> Error {
        Error::Corrupt(format!("{} {} has no {attribute}", self.pk, self.sk))
    }
}

impl SolutionRecord {
    pub(crate) fn of(solution: &Solution) -> Self {
        Self {
            id: solution.id.to_string(),
            name: solution.name.to_string(),
            publisher: solution.publisher.to_string(),
            publisher_kind: solution.publisher_kind.to_string(),
        }
    }

    pub(crate) fn solution(&self) -> Result<Solution, Error> {
        Ok(Solution {
            id: read(&self.id)?,
            name: read(&self.name)?,
            publisher: read(&self.publisher)?,
            publisher_kind: read(&self.publisher_kind)?,
        })
    }
}

impl InvitationRecord {
    fn of(invitation: &Invitation) -> Self {
        Self {
            help_type: invitation.help_type.to_string(),
            message: invitation.message.to_string(),
            contacts: invitation.contacts.iter().map(PersonRecord::of).collect(),
            sent_at: invitation.sent_at.to_string(),
            respond_by: invitation.respond_by.to_string(),
        }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorRecord {
    /// The organization acted for.
    pub organization_id: String,
    /// The `sub` of the token.
    pub user_id: String,
    /// The name in the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl ActorRecord {
    fn of(actor: &Actor) -> Self {
        Self {
            organization_id: actor.organization.to_string(),
            user_id: actor.user.to_string(),
            name: actor.name.clone(),
        }
    }
}

/// One field's old and new value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeRecord {
    /// The field's name in the HTTP interface.
    pub field: String,
    /// Before.
    pub from: Value,
    /// After.
    pub to: Value,
}

/// One event: what history shows, and the outbox that the stream carries on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventRecord {
    pk: String,
    sk: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_pk: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_sk: Option<String>,
    /// ULID: the order of a deal's events.
    pub id: String,
    /// The deal.
    pub deal_id: String,
    /// What happened, in the past tense.
    #[serde(rename = "type")]
    pub event_type: String,
    /// When it took effect.
    pub at: String,
    /// Who did it; absent for the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorRecord>,
    /// Whose view changed.
    pub organization_id: String,
    /// Why it was declined or lost; what the vendor said to a registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The fields that changed with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeRecord>,
    /// Who is to be told what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<NoticeRecord>,
    /// What it adds to the organization's record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, i64>,
}

/// An organization that is told something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecipientRecord {
    /// Its id.
    pub organization_id: String,
    /// `vendor` or `partner`.
    pub kind: String,
}

/// What one organization is to be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeRecord {
    /// ULID: the same however often it is published.
    pub id: String,
    /// The EventBridge detail type.
    #[serde(rename = "type")]
    pub notice_type: String,
    /// Who is told.
    pub recipient: RecipientRecord,
    /// The deal as the recipient knows it; absent for one that has no part in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opportunity: Option<SnapshotRecord>,
    /// The registration that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<RegistrationNoticeRecord>,
    /// Until when an answer is awaited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond_by: Option<String>,
}

/// A registration as vendor and registering organization are told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationNoticeRecord {
    /// Its id.
    pub id: String,
    /// Who registers.
    pub organization_id: String,
    /// What was sold.
    pub solution_id: String,
    /// Who buys.
    pub customer_name: String,
    /// Where it stands.
    pub status: String,
    /// What the vendor said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The deal as the recipient of a notice knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotRecord {
    /// In its own view.
    pub name: String,
    /// Who buys.
    pub customer_name: String,
    /// In its own view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_value: Option<MoneyRecord>,
    /// Of the view that changed.
    pub stage: String,
    /// Of the view that changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Only for the inviter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl EventRecord {
    /// The record of an event; `ids` gives its id and those of its notices.
    pub(crate) fn of(deal: &Deal, event: &Event, ids: &mut impl Iterator<Item = Ulid>) -> Option<Self> {
        let id = ids.next()?;
        let keys::Key { pk, sk } = keys::event(deal.id(), id);
        let (edits, reason) = match &event.change {
            Change::Accepted(edits) | Change::Updated(edits) => (edits.as_slice(), None),
            Change::Declined(reason) | Change::Lost(reason) => (&[][..], Some(reason.to_string())),
            Change::RegistrationReviewed(verdict) => (&[][..], written(verdict.reason())),
            _ => (&[][..], None),
        };
        let mut changes: Vec<ChangeRecord> = edits.iter().map(ChangeRecord::of).collect();
        if let Change::Won(final_value) = &event.change {
            changes.push(ChangeRecord {
                field: "finalValue".into(),
                from: Value::Null,
                to: money(final_value),
            });
        }
        if let Change::RegistrationSubmitted(submitted) = &event.change {
            changes.extend(registrations::changes(submitted.from.as_ref(), &submitted.to.terms));
        }
        let tells = !event.notices.is_empty() || !event.counts.is_empty();
        Some(Self {
            pk,
            sk,
            due_pk: tells.then(|| keys::told_pk(keys::due_shard(deal.id()))),
            due_sk: tells.then(|| keys::told_sk(id, deal.id())),
            id: id.to_string(),
            deal_id: deal.id().to_string(),
            event_type: event.change.name().to_owned(),
            at: event.at.to_string(),
            actor: event.actor.as_ref().map(ActorRecord::of),
            organization_id: event.organization.to_string(),
            reason,
            changes,
            notices: event
                .notices
                .iter()
                .zip(ids)
                .map(|(notice, id)| NoticeRecord::of(notice, id))
                .collect(),
            counts: event
                .counts
                .iter()
                .map(|(counter, number)| (counter.to_string(), *number))
                .collect(),
        })
    }
}

impl EventRecord {
    /// Reads an image of the stream: an item in DynamoDB's own JSON.
    pub fn from_image(image: &Value) -> Result<Self, Error> {
        let item = serde_dynamo::Item::deserialize(image).map_err(|error| Error::Corrupt(error.to_string()))?;
        serde_dynamo::from_item(item).map_err(|error| Error::Corrupt(error.to_string()))
    }

    pub(crate) fn key(&self) -> keys::Key {
        keys::Key {
            pk: self.pk.clone(),
            sk: self.sk.clone(),
        }
    }

    /// When it took effect.
    pub fn at(&self) -> Result<Timestamp, Error> {
        read_time(&self.at)
    }

    /// The deal.
    pub fn deal(&self) -> Result<DealId, Error> {
        read(&self.deal_id)
    }

    /// Who did it; `None` for the clock.
    pub fn by(&self) -> Result<Option<(OrganizationId, UserId)>, Error> {
        let by = self.actor.as_ref();
        by.map(|actor| Ok((read(&actor.organization_id)?, read(&actor.user_id)?)))
            .transpose()
    }

    /// What it adds to the organization's record.
    pub fn counts(&self) -> Result<Vec<(Counter, i64)>, Error> {
        let counts = self.counts.iter();
        counts
            .map(|(name, number)| {
                let counter = Counter::parse(name).ok_or_else(|| Error::Corrupt(format!("counts {name}")))?;
                Ok((counter, *number))
            })
            .collect()
    }

    /// Who is told what, each with its id.
    pub fn notices(&self) -> Result<Vec<(String, Notice)>, Error> {
        let notices = self.notices.iter();
        notices
            .map(|record| Ok((record.id.clone(), record.notice()?)))
            .collect()
    }
}

impl NoticeRecord {
    fn notice(&self) -> Result<Notice, Error> {
        Ok(Notice {
            notice_type: read(&self.notice_type)?,
            recipient: Recipient {
                organization: read(&self.recipient.organization_id)?,
                kind: read(&self.recipient.kind)?,
            },
            opportunity: self.opportunity.as_ref().map(SnapshotRecord::snapshot).transpose()?,
            registration: self
                .registration
                .as_ref()
                .map(RegistrationNoticeRecord::registration)
                .transpose()?,
            respond_by: self.respond_by.as_deref().map(read_time).transpose()?,
        })
    }

    fn of(notice: &Notice, id: Ulid) -> Self {
        Self {
            id: id.to_string(),
            notice_type: notice.notice_type.to_string(),
            recipient: RecipientRecord {
                organization_id: notice.recipient.organization.to_string(),
                kind: notice.recipient.kind.to_string(),
            },
            opportunity: notice.opportunity.as_ref().map(SnapshotRecord::of),
            registration: notice.registration.as_ref().map(RegistrationNoticeRecord::of),
            respond_by: written(notice.respond_by.as_ref()),
        }
    }
}

impl SnapshotRecord {
    fn of(snapshot: &Snapshot) -> Self {
        Self {
            name: snapshot.name.to_string(),
            customer_name: snapshot.customer_name.to_string(),
            estimated_value: snapshot.estimated_value.as_ref().map(MoneyRecord::of),
            stage: snapshot.stage.to_string(),
            outcome: written(snapshot.outcome.as_ref()),
            reason: written(snapshot.reason.as_ref()),
        }
    }

    fn snapshot(&self) -> Result<Snapshot, Error> {
        Ok(Snapshot {
            name: read(&self.name)?,
            customer_name: read(&self.customer_name)?,
            estimated_value: self.estimated_value.as_ref().map(MoneyRecord::money).transpose()?,
            stage: read(&self.stage)?,
            outcome: read_optional(self.outcome.as_ref())?,
            reason: read_optional(self.reason.as_ref())?,
        })
    }
}

impl RegistrationNoticeRecord {
    fn of(notice: &RegistrationNotice) -> Self {
        Self {
            id: notice.id.to_string(),
            organization_id: notice.organization.to_string(),
            solution_id: notice.solution.to_string(),
            customer_name: notice.customer_name.to_string(),
            status: notice.status.to_string(),
            reason: written(notice.reason.as_ref()),
        }
    }

    fn registration(&self) -> Result<RegistrationNotice, Error> {
        Ok(RegistrationNotice {
            id: read(&self.id)?,
            organization: read(&self.organization_id)?,
            solution: read(&self.solution_id)?,
            customer_name: read(&self.customer_name)?,
            status: read(&self.status)?,
            reason: read_optional(self.reason.as_ref())?,
        })
    }
}

impl ChangeRecord {
    fn of(edit: &Edit) -> Self {
        fn pair<T>(field: &str, edit: &FromTo<T>, show: impl Fn(&T) -> Value) -> ChangeRecord {
            ChangeRecord {
                field: field.to_owned(),
                from: show(&edit.from),
                to: show(&edit.to),
            }
        }
        fn shown<T: ToString>(value: &T) -> Value {
            Value::String(value.to_string())
        }
        fn optional<T: ToString>(value: Option<&T>) -> Value {
            value.map_or(Value::Null, shown)
        }
        match edit {
            Edit::Name(edit) => pair("name", edit, shown),
            Edit::EstimatedValue(edit) => pair("estimatedValue", edit, |value| {
                value.as_ref().map_or(Value::Null, money)
            }),
            Edit::EstimatedCloseDate(edit) => pair("estimatedCloseDate", edit, |date| optional(date.as_ref())),
            Edit::CrmId(edit) => pair("crmId", edit, |id| optional(id.as_ref())),
            Edit::CampaignId(edit) => pair("campaignId", edit, |id| optional(id.as_ref())),
            Edit::Team(edit) => pair("team", edit, |team| {
                json!(team.iter().map(PersonRecord::of).collect::<Vec<_>>())
            }),
            Edit::Solutions(edit) => pair("solutions", edit, |solutions| {
                json!(
                    solutions
                        .iter()
                        .map(|solution| solution.id.as_str())
                        .collect::<Vec<_>>()
                )
            }),
            Edit::Contact(edit) => pair("customer.contact", edit, |contact| {
                json!(PersonRecord::of_contact(contact))
            }),
        }
    }
}

fn money(money: &Money) -> Value {
    json!({"amount": money.amount(), "currency": money.currency()})
}

/// A note on a deal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoteRecord {
    pk: String,
    sk: String,
    /// ULID: the order of a deal's notes.
    pub id: String,
    /// What it says.
    pub text: String,
    /// `internal`: of the author's organization only.
    pub visibility: String,
    /// Who wrote it.
    pub author: ActorRecord,
    /// When.
    pub created_at: String,
}

impl NoteRecord {
    /// The note that came with an event, if one did.
    pub(crate) fn of(deal: &Deal, event: &Event, ids: &mut impl Iterator<Item = Ulid>) -> Option<Self> {
        let (text, actor) = event.note.as_ref().zip(event.actor.as_ref())?;
        let id = ids.next()?;
        let keys::Key { pk, sk } = keys::note(deal.id(), id);
        Some(Self {
            pk,
            sk,
            id: id.to_string(),
            text: text.to_string(),
            visibility: event.note_visibility().to_string(),
            author: ActorRecord::of(actor),
            created_at: event.at.to_string(),
        })
    }
}
