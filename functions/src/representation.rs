//! How an opportunity looks in an answer (DESIGN section 4).

use domain::{
    Address, Contact, Deal, Direction, Invitation, Money, Opportunity, OrganizationId, Party, Person, Qualification,
    Registration, Solution,
};
use edge::Answer;
use serde::Serialize;

/// A deal as one of its participants sees it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpportunityBody<'a> {
    id: &'a str,
    direction: &'static str,
    deal_type: &'static str,
    stage: &'static str,
    outcome: Option<&'static str>,
    reason: Option<&'static str>,
    organization_id: &'a str,
    owner: PartyBody<'a>,
    name: &'a str,
    qualification: &'static str,
    /// Of a lead, for its owner: whom it goes to next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_partners: Option<Vec<&'a str>>,
    estimated_value: Option<MoneyBody>,
    final_value: Option<MoneyBody>,
    estimated_close_date: Option<String>,
    crm_id: Option<&'a str>,
    campaign_id: Option<&'a str>,
    customer: CustomerBody<'a>,
    team: Vec<PersonBody<'a>>,
    solutions: Vec<SolutionBody<'a>>,
    invitation: Option<InvitationBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participants: Option<Vec<ParticipantBody<'a>>>,
    favorite: bool,
    registration: Option<RegistrationSummary<'a>>,
    version: u64,
    created_at: String,
    updated_at: String,
    accepted_at: Option<String>,
    closed_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartyBody<'a> {
    organization_id: &'a str,
    name: &'a str,
    kind: &'static str,
}

#[derive(Serialize)]
pub(crate) struct MoneyBody {
    amount: String,
    currency: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomerBody<'a> {
    name: &'a str,
    country: &'a str,
    address: Option<AddressBody<'a>>,
    duns_number: Option<&'a str>,
    contact: Option<PersonBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AddressBody<'a> {
    address_line1: Option<&'a str>,
    address_line2: Option<&'a str>,
    city: Option<&'a str>,
    region: Option<&'a str>,
    postal_code: Option<&'a str>,
}

#[derive(Serialize)]
struct PersonBody<'a> {
    name: Option<&'a str>,
    phone: Option<&'a str>,
    email: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct SolutionBody<'a> {
    id: &'a str,
    name: &'a str,
    publisher: &'a str,
    #[serde(rename = "type")]
    solution_type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InvitationBody<'a> {
    from: &'a str,
    help_type: &'static str,
    message: &'a str,
    contacts: Vec<PersonBody<'a>>,
    sent_at: String,
    respond_by: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ParticipantBody<'a> {
    organization_id: &'a str,
    name: &'a str,
    stage: &'static str,
    outcome: Option<&'static str>,
    respond_by: Option<String>,
}

/// Where the organization's own registration stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RegistrationSummary<'a> {
    id: &'a str,
    solution_id: &'a str,
    status: &'static str,
    reason: Option<&'a str>,
    submitted_at: String,
    reviewed_at: Option<String>,
}

impl<'a> RegistrationSummary<'a> {
    fn of(registration: &'a Registration) -> Self {
        Self {
            id: registration.id.as_str(),
            solution_id: registration.terms.solution.id.as_str(),
            status: registration.status().as_str(),
            reason: registration.reason().map(domain::Prose::as_str),
            submitted_at: registration.submitted_at.to_string(),
            reviewed_at: registration.reviewed_at().map(|at| at.to_string()),
        }
    }
}

impl<'a> OpportunityBody<'a> {
    /// One view, as it stands in a list.
    pub(crate) fn of(view: &'a Opportunity, favorite: bool) -> Self {
        let standing = view.standing();
        let organization = &view.organization.id;
        Self {
            id: view.deal.as_str(),
            direction: view.direction().as_str(),
            deal_type: view.deal_type().as_str(),
            stage: standing.stage.as_str(),
            outcome: standing.outcome.map(domain::Outcome::as_str),
            reason: view.reason().map(domain::Reason::as_str),
            organization_id: organization.as_str(),
            owner: PartyBody::of(&view.owner),
            name: view.name.as_str(),
            qualification: view.qualification.name().as_str(),
            next_partners: match &view.qualification {
                Qualification::Lead { next } if view.direction() == Direction::Outbound => {
                    Some(next.iter().map(|invite| invite.organization.id.as_str()).collect())
                }
                _ => None,
            },
            estimated_value: view.estimated_value.as_ref().map(MoneyBody::of),
            final_value: view.final_value().as_ref().map(MoneyBody::of),
            estimated_close_date: view.estimated_close_date.map(|date| date.to_string()),
            crm_id: view.crm_id.as_ref().map(domain::CrmId::as_str),
            campaign_id: view.campaign_id.as_ref().map(domain::CampaignId::as_str),
            customer: CustomerBody::of(&view.customer),
            team: view.team.iter().map(PersonBody::of).collect(),
            solutions: view
                .solutions
                .iter()
                .map(|solution| SolutionBody::of(solution, organization))
                .collect(),
            invitation: view
                .invitation()
                .map(|invitation| InvitationBody::of(invitation, &view.owner)),
            participants: None,
            favorite,
            registration: view.registration.as_deref().map(RegistrationSummary::of),
            version: view.version,
            created_at: view.created_at.to_string(),
            updated_at: view.updated_at.to_string(),
            accepted_at: view.accepted_at().map(|at| at.to_string()),
            closed_at: view.closed_at().map(|at| at.to_string()),
        }
    }

    /// An organization's view with all participants: of the others no more than who they are and how far they have come.
    pub(crate) fn with_participants(view: &'a Opportunity, deal: &'a Deal, favorite: bool) -> Self {
        Self {
            participants: Some(deal.views().map(ParticipantBody::of).collect()),
            ..Self::of(view, favorite)
        }
    }
}

/// The answer that shows an organization its view of a deal.
pub(crate) fn show(
    status: u16,
    deal: &Deal,
    organization: &OrganizationId,
    favorite: bool,
) -> Result<Answer, domain::Refusal> {
    let view = deal.view(organization)?;
    let body = OpportunityBody::with_participants(view, deal, favorite);
    Ok(Answer::json(status, &body).versioned(view.version))
}

impl<'a> PartyBody<'a> {
    pub(crate) fn of(party: &'a Party) -> Self {
        Self {
            organization_id: party.id.as_str(),
            name: party.name.as_str(),
            kind: party.kind.as_str(),
        }
    }
}

impl MoneyBody {
    pub(crate) fn of(money: &Money) -> Self {
        Self {
            amount: money.amount(),
            currency: money.currency(),
        }
    }
}

impl<'a> CustomerBody<'a> {
    fn of(customer: &'a domain::Customer) -> Self {
        let contact = (customer.contact != Contact::default()).then(|| PersonBody::of_contact(&customer.contact));
        Self {
            name: customer.name.as_str(),
            country: customer.country.as_str(),
            address: AddressBody::unless_empty(&customer.address),
            duns_number: customer.duns_number.as_ref().map(domain::DunsNumber::as_str),
            contact,
        }
    }
}

impl<'a> AddressBody<'a> {
    pub(crate) fn unless_empty(address: &'a Address) -> Option<Self> {
        (*address != Address::default()).then(|| Self::of(address))
    }

    fn of(address: &'a Address) -> Self {
        let line = |line: &'a Option<domain::AddressLine>| line.as_ref().map(domain::AddressLine::as_str);
        Self {
            address_line1: line(&address.line1),
            address_line2: line(&address.line2),
            city: line(&address.city),
            region: line(&address.region),
            postal_code: address.postal_code.as_ref().map(domain::PostalCode::as_str),
        }
    }
}

impl<'a> PersonBody<'a> {
    fn of(person: &'a Person) -> Self {
        Self {
            name: Some(person.name.as_str()),
            phone: person.phone.as_ref().map(domain::Phone::as_str),
            email: person.email.as_ref().map(domain::Email::as_str),
        }
    }

    fn of_contact(contact: &'a Contact) -> Self {
        Self {
            name: contact.name.as_ref().map(domain::PersonName::as_str),
            phone: contact.phone.as_ref().map(domain::Phone::as_str),
            email: contact.email.as_ref().map(domain::Email::as_str),
        }
    }
}

impl<'a> SolutionBody<'a> {
    /// The type is relative to who looks.
    pub(crate) fn of(solution: &'a Solution, organization: &OrganizationId) -> Self {
        Self {
            id: solution.id.as_str(),
            name: solution.name.as_str(),
            publisher: solution.publisher.as_str(),
            solution_type: solution.type_for(organization).as_str(),
        }
    }
}

impl<'a> InvitationBody<'a> {
    fn of(invitation: &'a Invitation, owner: &'a Party) -> Self {
        Self {
            from: owner.id.as_str(),
            help_type: invitation.help_type.as_str(),
            message: invitation.message.as_str(),
            contacts: invitation.contacts.iter().map(PersonBody::of).collect(),
            sent_at: invitation.sent_at.to_string(),
            respond_by: invitation.respond_by.to_string(),
        }
    }
}

impl<'a> ParticipantBody<'a> {
    fn of(view: &'a Opportunity) -> Self {
        let standing = view.standing();
        Self {
            organization_id: view.organization.id.as_str(),
            name: view.organization.name.as_str(),
            stage: standing.stage.as_str(),
            outcome: standing.outcome.map(domain::Outcome::as_str),
            respond_by: view.invitation().map(|invitation| invitation.respond_by.to_string()),
        }
    }
}
