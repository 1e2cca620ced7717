//! Creating a deal: private pipeline, or co-sell when it comes with invitations.

use serde_json::Value;

use crate::catalog::{Catalog, References};
use crate::deal::{Deal, evolve};
use crate::event::{Change, Event};
use crate::fault::{Faults, Flaw};
use crate::form::{Fields, FromJson, List};
use crate::invite::{self, Invite, InviteForm};
use crate::money::Money;
use crate::opportunity::{
    Actor, Address, Contact, Customer, DealType, Opportunity, OrganizationKind, Party, Person, Progress, Qualification,
    QualificationName, ResponseWindow, Solution, Work,
};
use crate::refusal::Refusal;
use crate::text::{
    CampaignId, Country, CrmId, CustomerId, CustomerName, DealId, DealName, DunsNumber, Prose, SolutionId,
};
use crate::time::{Date, Timestamp};

/// The owner and its invitees together: at most this many.
pub const MAX_PARTICIPANTS: usize = 10;
const MAX_INVITATIONS: usize = MAX_PARTICIPANTS - 1;

const MAX_TEAM: usize = 50;

pub(crate) type TeamList = List<Person, 1, MAX_TEAM>;
pub(crate) type SolutionList = List<SolutionId, 1, 50>;

/// A deal to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    id: DealId,
    owner: Party,
    name: DealName,
    qualification: QualificationName,
    estimated_value: Option<Money>,
    estimated_close_date: Option<Date>,
    crm_id: Option<CrmId>,
    campaign_id: Option<CampaignId>,
    customer: Customer,
    team: Vec<Person>,
    solutions: Vec<Solution>,
    note: Option<Prose>,
    invitations: Vec<Invite>,
}

impl Create {
    /// Who buys.
    pub fn customer(&self) -> &Customer {
        &self.customer
    }

    /// What is sold.
    pub fn solutions(&self) -> &[Solution] {
        &self.solutions
    }
}

/// The request, read but not yet compared with what it refers to.
#[derive(Debug, Clone)]
pub struct CreateForm {
    qualification: QualificationName,
    name: Option<DealName>,
    estimated_value: Option<Money>,
    estimated_close_date: Option<Date>,
    crm_id: Option<CrmId>,
    campaign_id: Option<CampaignId>,
    customer: Option<CustomerForm>,
    team: Option<TeamList>,
    solutions: Option<SolutionList>,
    note: Option<Prose>,
    invitations: Vec<Option<InviteForm>>,
    /// Whether there are invitations, be they too many to be read.
    invites: bool,
    faults: Faults,
}

#[derive(Debug, Clone)]
enum CustomerForm {
    Listed { id: Option<CustomerId>, contact: Contact },
    Given(Option<Box<Customer>>, Contact),
}

impl FromJson for CustomerForm {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults);
        let form = if fields.has("id") {
            let id = fields.required("id", faults);
            Self::Listed {
                id,
                contact: fields.optional("contact", faults).unwrap_or_default(),
            }
        } else {
            let name: Option<CustomerName> = fields.required("name", faults);
            let country: Option<Country> = fields.required("country", faults);
            let address: Address = fields.optional("address", faults).unwrap_or_default();
            let duns_number: Option<DunsNumber> = fields.optional("dunsNumber", faults);
            let contact: Contact = fields.optional("contact", faults).unwrap_or_default();
            let customer = name.zip(country).map(|(name, country)| {
                Box::new(Customer {
                    name,
                    country,
                    address,
                    duns_number,
                    contact: contact.clone(),
                })
            });
            Self::Given(customer, contact)
        };
        fields.finish(faults);
        Some(form)
    }
}

impl CreateForm {
    /// Reads the request body, noting every fault.
    pub fn read(body: &Value) -> Self {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let qualification = fields.optional("qualification", &mut faults);
        let qualification = qualification.unwrap_or(QualificationName::SalesQualified);
        let name = fields.required("name", &mut faults);
        // Of a lead nobody knows yet what it is worth.
        let (estimated_value, estimated_close_date) = match qualification {
            QualificationName::Lead => (
                fields.optional("estimatedValue", &mut faults),
                fields.optional("estimatedCloseDate", &mut faults),
            ),
            QualificationName::SalesQualified => (
                fields.required("estimatedValue", &mut faults),
                fields.required("estimatedCloseDate", &mut faults),
            ),
        };
        let mut form = Self {
            qualification,
            name,
            estimated_value,
            estimated_close_date,
            crm_id: fields.optional("crmId", &mut faults),
            campaign_id: fields.optional("campaignId", &mut faults),
            customer: fields.required("customer", &mut faults),
            team: fields.required("team", &mut faults),
            solutions: fields.required("solutions", &mut faults),
            note: fields.optional("note", &mut faults),
            invitations: fields
                .optional("invitations", &mut faults)
                .map_or_else(Vec::new, |list: List<InviteForm, 0, MAX_INVITATIONS>| list.0),
            invites: body["invitations"].as_array().is_some_and(|list| !list.is_empty()),
            faults: Faults::default(),
        };
        fields.finish(&mut faults);
        form.faults = faults;
        form
    }

    /// What has to be looked up before [`Self::check`].
    pub fn references(&self, by: &Actor) -> References {
        let invited = self
            .invitations
            .iter()
            .flatten()
            .filter_map(InviteForm::organization)
            .cloned();
        References {
            organizations: invited.chain([by.organization.clone()]).collect(),
            solutions: self
                .solutions
                .iter()
                .flat_map(|list| list.0.iter().flatten())
                .cloned()
                .collect(),
            customer: match &self.customer {
                Some(CustomerForm::Listed { id, .. }) => id.clone(),
                _ => None,
            },
        }
    }

    /// The command, or all that is wrong. `window` is how long an invited organization has to answer.
    pub fn check(
        &self,
        id: DealId,
        catalog: &Catalog,
        by: &Actor,
        window: ResponseWindow,
        now: Timestamp,
    ) -> Result<Create, Refusal> {
        let owner = catalog.organizations.get(&by.organization).ok_or_else(|| {
            Refusal::forbidden(
                "organizationUnknown",
                "Your organization is not in this exchange; its operator can import it.",
            )
        })?;
        let lead = self.qualification == QualificationName::Lead;
        if lead && owner.party.kind != OrganizationKind::Vendor {
            return Err(Refusal::forbidden(
                "notVendor",
                "Only the vendor passes on leads; send an opportunity instead.",
            ));
        }
        if self.invites {
            invite::may_invite(owner)?;
        }
        let mut faults = self.faults.clone();
        if lead && !self.invites && !faults.within("/invitations") {
            let message = "is required of a lead: at least one partner, the best first";
            faults.push(Flaw::new("required", message).at("/invitations"));
        }
        let estimated_close_date = self
            .estimated_close_date
            .and_then(|date| faults.check("/estimatedCloseDate", date.not_before(now)));
        let team = self
            .team
            .clone()
            .and_then(|team| owners_team(team, &mut faults))
            .and_then(|team| with_creator(team, by, &mut faults));
        let solutions = self
            .solutions
            .as_ref()
            .and_then(|list| check_solutions(list, catalog, &mut faults));
        let customer = self.check_customer(catalog, &mut faults);
        let invitations = self.check_invitations(&owner.party, catalog, window, &mut faults);
        let command = (|| {
            Some(Create {
                id,
                owner: owner.party.clone(),
                name: self.name.clone()?,
                qualification: self.qualification,
                estimated_value: self.estimated_value,
                estimated_close_date,
                crm_id: self.crm_id.clone(),
                campaign_id: self.campaign_id.clone(),
                customer: customer?,
                team: team?,
                solutions: solutions?,
                note: self.note.clone(),
                invitations: invitations?,
            })
        })();
        faults.or(command)
    }

    fn check_customer(&self, catalog: &Catalog, faults: &mut Faults) -> Option<Customer> {
        let (customer, contact) = match self.customer.as_ref()? {
            CustomerForm::Given(customer, contact) => (customer.as_deref().cloned(), contact),
            CustomerForm::Listed { id: None, contact } => (None, contact),
            CustomerForm::Listed { id: Some(_), contact } => {
                let found = catalog.customer.as_ref().map(|listed| Customer {
                    contact: contact.clone(),
                    ..listed.as_customer()
                });
                if found.is_none() {
                    let flaw = Flaw::new(
                        "unknownCustomer",
                        "is not in the customer directory; give its name and country instead",
                    );
                    faults.push(flaw.at("/customer/id"));
                }
                (found, contact)
            }
        };
        if self.invites {
            for field in contact.missing() {
                let pointer = format!("/customer/contact/{field}");
                if !faults.has(&pointer) {
                    faults.push(Flaw::new("required", "is required for an invitation").at(pointer));
                }
            }
        }
        customer
    }

    fn check_invitations(
        &self,
        owner: &Party,
        catalog: &Catalog,
        window: ResponseWindow,
        faults: &mut Faults,
    ) -> Option<Vec<Invite>> {
        let mut invited = Vec::new();
        for (index, form) in self.invitations.iter().enumerate() {
            let Some(form) = form else { continue };
            let pointer = format!("/invitations/{index}");
            if let Some(organization) = form.organization() {
                if invited.contains(&organization) {
                    let flaw = Flaw::new("alreadyInvited", "is invited twice in this request");
                    faults.push(flaw.at(format!("{pointer}/organizationId")));
                }
                invited.push(organization);
            }
        }
        let checked: Vec<_> = self
            .invitations
            .iter()
            .enumerate()
            .map(|(index, form)| {
                form.as_ref()?
                    .command(&format!("/invitations/{index}"), owner, catalog, window, faults)
            })
            .collect();
        checked.into_iter().collect()
    }
}

/// The rule: the owner's opportunity is accepted from the start, and each invitation in the request is sent; of a lead, the
/// first one, and the others wait.
pub(crate) fn create(
    existing: Option<&Deal>,
    create: &Create,
    by: &Actor,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    if let Some(deal) = existing {
        return Err(Refusal::conflict(
            "alreadyExists",
            "There is a deal with this id already.",
            deal.owner(),
        ));
    }
    let view = Opportunity {
        deal: create.id.clone(),
        organization: create.owner.clone(),
        owner: create.owner.clone(),
        version: 1,
        created_at: now,
        updated_at: now,
        noted_at: None,
        name: create.name.clone(),
        qualification: match create.qualification {
            QualificationName::Lead => Qualification::Lead {
                next: create.invitations.clone(),
            },
            QualificationName::SalesQualified => Qualification::SalesQualified,
        },
        estimated_value: create.estimated_value,
        estimated_close_date: create.estimated_close_date,
        crm_id: create.crm_id.clone(),
        campaign_id: create.campaign_id.clone(),
        customer: create.customer.clone(),
        team: create.team.clone(),
        solutions: create.solutions.clone(),
        progress: Progress::Outbound {
            deal_type: DealType::PrivatePipeline,
            work: Work::since(now),
        },
        registration: None,
    };
    let created = Event {
        at: now,
        actor: Some(by.clone()),
        organization: by.organization.clone(),
        change: Change::Created(Box::new(view)),
        note: create.note.clone(),
        notices: Vec::new(),
        counts: Vec::new(),
    };
    let mut deal = evolve(None, &created).ok_or(Refusal::NotFound)?;
    let mut events = vec![created];
    let at_once = match create.qualification {
        QualificationName::Lead => 1,
        QualificationName::SalesQualified => create.invitations.len(),
    };
    for invite in create.invitations.iter().take(at_once) {
        let sent = invite::invite(&deal, invite, by, now)?;
        deal = sent
            .iter()
            .try_fold(deal, |deal, event| evolve(Some(deal), event))
            .ok_or(Refusal::NotFound)?;
        events.extend(sent);
    }
    Ok(events)
}

/// The owner's team: somebody on it can be reached.
pub(crate) fn owners_team(team: TeamList, faults: &mut Faults) -> Option<Vec<Person>> {
    let team = team.complete()?;
    // A phone or email that is wrong is told already, and may be what makes the member incomplete.
    if !faults.within("/team") && !team.iter().any(Person::is_complete) {
        let message = "must have at least one member with name, phone and email";
        faults.push(Flaw::new("teamContactRequired", message).at("/team"));
    }
    Some(team)
}

/// Solutions of a deal: each in the catalog, co-sell ready, and named once.
pub(crate) fn check_solutions(list: &SolutionList, catalog: &Catalog, faults: &mut Faults) -> Option<Vec<Solution>> {
    let mut seen = Vec::new();
    let mut check = |id: &SolutionId| {
        if seen.contains(id) {
            return Err(Flaw::new("duplicate", "is named twice"));
        }
        seen.push(id.clone());
        match catalog.solutions.get(id) {
            None => Err(Flaw::new("unknownSolution", "is not in the catalog")),
            Some(found) if !found.co_sell_ready => Err(Flaw::new("solutionNotCoSellReady", "is not co-sell ready")),
            Some(found) => Ok(found.solution.clone()),
        }
    };
    let checked: Vec<_> = list
        .0
        .iter()
        .enumerate()
        .map(|(index, id)| faults.check(&format!("/solutions/{index}"), check(id.as_ref()?)))
        .collect();
    checked.into_iter().collect()
}

/// A seller is on the team of what it creates or accepts: else it would not see it again.
pub(crate) fn with_creator(team: Vec<Person>, by: &Actor, faults: &mut Faults) -> Option<Vec<Person>> {
    let team = by.joining(team);
    if team.len() > MAX_TEAM {
        let message = format!("must have at most {MAX_TEAM} items, yourself included");
        faults.push(Flaw::new("tooMany", message).at("/team"));
        return None;
    }
    Some(team)
}
