//! Changing one's own view of a deal: a JSON Merge Patch (RFC 7396).

use serde_json::Value;

use crate::catalog::{Catalog, References};
use crate::create::{SolutionList, TeamList, check_solutions, owners_team};
use crate::deal::Deal;
use crate::event::{Change, Edit, Event, FromTo};
use crate::fault::{Faults, Flaw};
use crate::form::{Fields, FromJson, List, Patch};
use crate::money::{Money, MoneyPatch};
use crate::opportunity::{Actor, Contact, DealType, Direction, Opportunity, Person, Solution, Stage};
use crate::refusal::Refusal;
use crate::text::{CampaignId, CrmId, DealName, Email, PersonName, Phone};
use crate::time::{Date, Timestamp};

/// The new values of some fields of a view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    pub(crate) name: Option<DealName>,
    pub(crate) estimated_value: Option<Money>,
    pub(crate) estimated_close_date: Option<Date>,
    pub(crate) crm_id: Option<Patch<CrmId>>,
    pub(crate) campaign_id: Option<Patch<CampaignId>>,
    pub(crate) team: Option<Vec<Person>>,
    pub(crate) solutions: Option<Vec<Solution>>,
    pub(crate) contact: Option<Contact>,
}

/// A change to be made.
pub type Update = Edits;

impl Edits {
    /// What really differs from the view.
    pub(crate) fn against(&self, view: &Opportunity) -> Vec<Edit> {
        fn differ<T: Clone + PartialEq>(from: &T, to: Option<&T>, edit: impl Fn(FromTo<T>) -> Edit) -> Option<Edit> {
            to.filter(|to| *to != from).map(|to| {
                edit(FromTo {
                    from: from.clone(),
                    to: to.clone(),
                })
            })
        }
        [
            differ(&view.name, self.name.as_ref(), Edit::Name),
            differ(
                &view.estimated_value,
                self.estimated_value.map(Some).as_ref(),
                Edit::EstimatedValue,
            ),
            differ(
                &view.estimated_close_date,
                self.estimated_close_date.map(Some).as_ref(),
                Edit::EstimatedCloseDate,
            ),
            differ(
                &view.crm_id,
                self.crm_id.clone().map(Patch::value).as_ref(),
                Edit::CrmId,
            ),
            differ(
                &view.campaign_id,
                self.campaign_id.clone().map(Patch::value).as_ref(),
                Edit::CampaignId,
            ),
            differ(&view.team, self.team.as_ref(), Edit::Team),
            differ(&view.solutions, self.solutions.as_ref(), Edit::Solutions),
            differ(&view.customer.contact, self.contact.as_ref(), Edit::Contact),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// A close date lies ahead when it is set; one that has passed since may stay.
    pub(crate) fn check_date(&self, view: &Opportunity, now: Timestamp, faults: &mut Faults) {
        if let Some(date) = self
            .estimated_close_date
            .filter(|&date| Some(date) != view.estimated_close_date)
        {
            faults.check("/estimatedCloseDate", date.not_before(now));
        }
    }
}

/// The request, read but not yet compared with what it refers to.
#[derive(Debug, Clone)]
pub struct UpdateForm {
    edits: Edits,
    estimated_value: Option<MoneyPatch>,
    team: Option<TeamList>,
    solutions: Option<SolutionList>,
    contact: Option<Patch<ContactPatch>>,
    faults: Faults,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ContactPatch {
    name: Option<Patch<PersonName>>,
    phone: Option<Patch<Phone>>,
    email: Option<Patch<Email>>,
}

/// The part of `customer` that a patch may touch.
struct CustomerPatch(Option<Patch<ContactPatch>>);

impl UpdateForm {
    /// Reads the request body, noting every fault.
    pub fn read(body: &Value) -> Self {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let edits = Edits {
            name: fields.replace("name", &mut faults),
            estimated_close_date: fields.replace("estimatedCloseDate", &mut faults),
            crm_id: fields.patch("crmId", &mut faults),
            campaign_id: fields.patch("campaignId", &mut faults),
            ..Edits::default()
        };
        let estimated_value = fields.replace("estimatedValue", &mut faults);
        let team = fields.replace("team", &mut faults);
        let solutions = fields.replace("solutions", &mut faults);
        let contact = fields
            .replace("customer", &mut faults)
            .and_then(|CustomerPatch(contact)| contact);
        fields.finish(&mut faults);
        Self {
            edits,
            estimated_value,
            team,
            solutions,
            contact,
            faults,
        }
    }

    /// What has to be looked up before [`Self::check`].
    pub fn references(&self) -> References {
        let solutions = self
            .solutions
            .iter()
            .flat_map(|list| list.0.iter().flatten())
            .cloned()
            .collect();
        References {
            solutions,
            ..References::default()
        }
    }

    /// The command, or why the deal does not take it, or all that is wrong.
    pub fn check(&self, deal: &Deal, catalog: &Catalog, by: &Actor, now: Timestamp) -> Result<Update, Refusal> {
        let view = open(deal, by)?;
        let mut faults = self.faults.clone();
        self.edits.check_date(view, now, &mut faults);
        let estimated_value = self
            .estimated_value
            .as_ref()
            .filter(|_| !faults.has("/estimatedValue/amount") && !faults.has("/estimatedValue/currency"))
            .and_then(|patch| match patch.onto(view.estimated_value) {
                Ok(money) => Some(money),
                Err((member, flaw)) => {
                    faults.push(flaw.at(format!("/estimatedValue/{member}")));
                    None
                }
            });
        let team = self.team.clone().and_then(|team| match view.direction() {
            Direction::Outbound => owners_team(team, &mut faults),
            Direction::Inbound => List::complete(team),
        });
        let solutions = self
            .solutions
            .as_ref()
            .and_then(|list| check_own_solutions(list, view, catalog, &mut faults));
        let contact = self.contact.clone().map(|patch| {
            patch
                .value()
                .map_or_else(Contact::default, |patch| patch.onto(&view.customer.contact))
        });
        let locked =
            view.deal_type() == DealType::CoSell && contact.as_ref().is_some_and(|new| *new != view.customer.contact);
        if locked {
            let message = "cannot change any more: it was shared with the first invitation";
            faults.push(Flaw::new("contactLocked", message).at("/customer/contact"));
        }
        faults.or(Some(Edits {
            estimated_value,
            team,
            solutions,
            contact,
            ..self.edits.clone()
        }))
    }
}

/// Solutions that the deal holds already may stay, whatever has become of them in the catalog.
fn check_own_solutions(
    list: &SolutionList,
    view: &Opportunity,
    catalog: &Catalog,
    faults: &mut Faults,
) -> Option<Vec<Solution>> {
    let mut known = catalog.clone();
    for solution in &view.solutions {
        let held = crate::CatalogSolution {
            solution: solution.clone(),
            co_sell_ready: true,
            registration_eligible: false,
        };
        known.solutions.insert(solution.id.clone(), held);
    }
    check_solutions(list, &known, faults)
}

/// The rule: every participant changes its own view, while it works it. A change of nothing is no event.
pub(crate) fn update(deal: &Deal, update: &Update, by: &Actor, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let deal = deal.clone().at(now);
    let edits = update.against(open(&deal, by)?);
    if edits.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![deal.event(
        &by.organization,
        Change::Updated(edits),
        Some(by),
        now,
    )])
}

fn open<'a>(deal: &'a Deal, by: &Actor) -> Result<&'a Opportunity, Refusal> {
    let view = deal.seen_by(by)?;
    match view.standing().stage {
        Stage::Accepted => Ok(view),
        Stage::Received | Stage::Archived => Err(Refusal::wrong_stage(view, "to be accepted")),
    }
}

impl<T> Patch<T> {
    fn value(self) -> Option<T> {
        match self {
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

impl ContactPatch {
    fn onto(self, contact: &Contact) -> Contact {
        Contact {
            name: self.name.map_or_else(|| contact.name.clone(), Patch::value),
            phone: self.phone.map_or_else(|| contact.phone.clone(), Patch::value),
            email: self.email.map_or_else(|| contact.email.clone(), Patch::value),
        }
    }
}

impl FromJson for CustomerPatch {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults);
        let contact = fields.patch("contact", faults);
        fields.finish(faults);
        Some(Self(contact))
    }
}

impl FromJson for ContactPatch {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults);
        let patch = Self {
            name: fields.patch("name", faults),
            phone: fields.patch("phone", faults),
            email: fields.patch("email", faults),
        };
        fields.finish(faults);
        Some(patch)
    }
}
