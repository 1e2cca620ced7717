//! Registering a won deal with the vendor, and the vendor's review of that (DESIGN section 7).
//!
//! ```text
//! – ──register──▶ submitted ──approve──▶ approved
//!                  ▲     │ ├──reject───▶ rejected
//!           register     requestInfo
//!                  └─────┴──▶ actionRequired
//! ```
//!
//! A registration is a matter of its own: it begins when the opportunity is archived as won, and approved and rejected are
//! final. It belongs to the organization's view of the deal, so that the two change together. The vendor sees what the
//! registration contains and who buys, and of the deal only what it knows as a participant itself.

use serde_json::Value;

use crate::catalog::{Catalog, References};
use crate::deal::Deal;
use crate::event::{Change, Event, FromTo, Notice, NoticeType, Recipient, RegistrationNotice};
use crate::fault::{Faults, Flaw};
use crate::form::Fields;
use crate::money::Money;
use crate::opportunity::{Actor, Opportunity, OrganizationKind, Outcome, Solution, Stage, words};
use crate::refusal::Refusal;
use crate::text::{OrganizationId, Prose, RegistrationId, SolutionId, TenantReference};
use crate::time::{Date, Timestamp};

/// A contract can be registered for so many days after it was signed.
pub const MAX_AGE: u64 = 60;

words!(
    /// Where a registration stands.
    RegistrationStatus {
        /// Waits for the vendor's review.
        Submitted = "submitted",
        /// The vendor wants to know more: the organization submits it again.
        ActionRequired = "actionRequired",
        /// The vendor agreed. Final.
        Approved = "approved",
        /// The vendor did not. Final.
        Rejected = "rejected",
    }
);

words!(
    /// What the vendor decides.
    Decision {
        /// It agrees.
        Approve = "approve",
        /// It does not.
        Reject = "reject",
        /// It wants to know more.
        RequestInfo = "requestInfo",
    }
);

/// A won deal, or a part of it, as it is registered with the vendor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its own id, which tells nothing of the deal's.
    pub id: RegistrationId,
    /// Who reviews it.
    pub vendor: OrganizationId,
    /// Grows by one with each submission and each review.
    pub version: u64,
    /// When it was submitted first.
    pub created_at: Timestamp,
    /// When it was submitted last.
    pub submitted_at: Timestamp,
    /// What it says.
    pub terms: Terms,
    /// What became of it.
    pub state: RegistrationState,
}

/// What a registration says. Everything in it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What was sold.
    pub solution: Solution,
    /// What the whole contract is worth.
    pub contract_value: Money,
    /// How much of that is the solution's.
    pub solution_value: Money,
    /// When the contract was signed.
    pub signed_date: Date,
    /// When it begins.
    pub start_date: Date,
    /// When it ends, if that was agreed.
    pub end_date: Option<Date>,
    /// Where the customer uses it.
    pub tenant_reference: Option<TenantReference>,
    /// For the vendor.
    pub note: Option<Prose>,
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationState {
    /// It waits for the vendor's review.
    Submitted,
    /// It was reviewed.
    Reviewed {
        /// With this result.
        verdict: Verdict,
        /// When.
        at: Timestamp,
    },
}

/// The result of a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The organization is to submit it again.
    ActionRequired {
        /// What the vendor wants to know.
        reason: Prose,
    },
    /// Final.
    Approved {
        /// What the vendor has to say.
        reason: Option<Prose>,
    },
    /// Final.
    Rejected {
        /// Why.
        reason: Prose,
    },
}

impl Verdict {
    /// The status that it gives.
    pub fn status(&self) -> RegistrationStatus {
        match self {
            Self::ActionRequired { .. } => RegistrationStatus::ActionRequired,
            Self::Approved { .. } => RegistrationStatus::Approved,
            Self::Rejected { .. } => RegistrationStatus::Rejected,
        }
    }

    /// What the vendor said.
    pub fn reason(&self) -> Option<&Prose> {
        match self {
            Self::ActionRequired { reason } | Self::Rejected { reason } => Some(reason),
            Self::Approved { reason } => reason.as_ref(),
        }
    }
}

impl Registration {
    /// Where it stands.
    pub fn status(&self) -> RegistrationStatus {
        match &self.state {
            RegistrationState::Submitted => RegistrationStatus::Submitted,
            RegistrationState::Reviewed { verdict, .. } => verdict.status(),
        }
    }

    /// What the vendor said to it, unless it was submitted again since.
    pub fn reason(&self) -> Option<&Prose> {
        match &self.state {
            RegistrationState::Submitted => None,
            RegistrationState::Reviewed { verdict, .. } => verdict.reason(),
        }
    }

    /// When the vendor reviewed it, unless it was submitted again since.
    pub fn reviewed_at(&self) -> Option<Timestamp> {
        match self.state {
            RegistrationState::Submitted => None,
            RegistrationState::Reviewed { at, .. } => Some(at),
        }
    }

    pub(crate) fn apply(&mut self, verdict: &Verdict, at: Timestamp) {
        self.version += 1;
        self.state = RegistrationState::Reviewed {
            verdict: verdict.clone(),
            at,
        };
    }

    fn not_to_be_submitted(&self) -> Refusal {
        self.wrong_status("to be actionRequired before it is submitted again")
    }

    fn wrong_status(&self, needed: &str) -> Refusal {
        Refusal::WrongStatus {
            message: format!("The registration is {}; this needs it {needed}.", self.status()),
            status: self.status(),
        }
    }
}

impl Opportunity {
    /// Whether the registration can become this one.
    pub(crate) fn takes_registration(&self, next: &Registration) -> bool {
        let follows = self.registration.as_ref().is_none_or(|registration| {
            registration.status() == RegistrationStatus::ActionRequired
                && (registration.id == next.id && registration.version < next.version)
        });
        self.standing().outcome == Some(Outcome::Won) && follows
    }

    /// Whether its registration waits for the vendor's review.
    pub(crate) fn awaits_review(&self) -> bool {
        let registration = self.registration.as_ref();
        registration.is_some_and(|registration| registration.status() == RegistrationStatus::Submitted)
    }
}

/// What has to be looked up before an opportunity is won, for [`registrable`]. The vendor registers nothing with itself, and what
/// is not being worked will not be won.
pub fn registrable_references(view: &Opportunity) -> References {
    if view.organization.kind == OrganizationKind::Vendor || view.standing().stage != Stage::Accepted {
        return References::default();
    }
    References {
        solutions: view.solutions.iter().map(|solution| solution.id.clone()).collect(),
        ..References::default()
    }
}

/// Those of an opportunity's solutions that its organization can register once it is won, whoever publishes them.
pub fn registrable<'a>(view: &'a Opportunity, catalog: &Catalog) -> Vec<&'a SolutionId> {
    let eligible = |id: &&SolutionId| {
        let found = catalog.solutions.get(*id);
        found.is_some_and(|found| found.registration_eligible)
    };
    let partner = view.organization.kind == OrganizationKind::Partner;
    let ids = view.solutions.iter().map(|solution| &solution.id);
    ids.filter(|_| partner).filter(eligible).collect()
}

/// A registration to be submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    id: RegistrationId,
    vendor: OrganizationId,
    terms: Terms,
}

impl Register {
    /// Whether just this waits for the vendor's review already: then there is nothing to be done.
    pub fn is_there(&self, view: &Opportunity) -> bool {
        let registration = view.registration.as_deref();
        view.awaits_review() && registration.is_some_and(|registration| registration.terms == self.terms)
    }
}

/// The request, read but not yet compared with the deal.
#[derive(Debug, Clone)]
pub struct RegisterForm {
    solution: Option<SolutionId>,
    contract_value: Option<Money>,
    solution_value: Option<Money>,
    signed_date: Option<Date>,
    start_date: Option<Date>,
    end_date: Option<Date>,
    tenant_reference: Option<TenantReference>,
    note: Option<Prose>,
    faults: Faults,
}

impl RegisterForm {
    /// Reads the request body, noting every fault.
    pub fn read(body: &Value) -> Self {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let mut form = Self {
            solution: fields.required("solutionId", &mut faults),
            contract_value: fields.required("contractValue", &mut faults),
            solution_value: fields.required("solutionValue", &mut faults),
            signed_date: fields.required("signedDate", &mut faults),
            start_date: fields.required("startDate", &mut faults),
            end_date: fields.optional("endDate", &mut faults),
            tenant_reference: fields.optional("tenantReference", &mut faults),
            note: fields.optional("note", &mut faults),
            faults: Faults::default(),
        };
        fields.finish(&mut faults);
        form.faults = faults;
        form
    }

    /// What has to be looked up before [`Self::check`].
    pub fn references(&self) -> References {
        References {
            solutions: self.solution.iter().cloned().collect(),
            ..References::default()
        }
    }

    /// The command, or why the deal does not take it, or all that is wrong. `id` is for a registration that is new, `vendor` who
    /// reviews it.
    pub fn check(
        &self,
        deal: &Deal,
        catalog: &Catalog,
        vendor: Option<&OrganizationId>,
        id: RegistrationId,
        by: &Actor,
        now: Timestamp,
    ) -> Result<Register, Refusal> {
        let view = won(deal, by)?;
        let existing = view.registration.as_deref();
        let Some(vendor) = vendor else {
            return Err(Refusal::conflict(
                "noVendor",
                "This exchange has no vendor to register a deal with.",
                view,
            ));
        };
        let terms = match existing.map(|registration| (registration, registration.status())) {
            None | Some((_, RegistrationStatus::ActionRequired)) => self.terms(view, catalog, now)?,
            // What is wrong with a request cannot be what waits already.
            Some((waiting, RegistrationStatus::Submitted)) => self
                .terms(view, catalog, now)
                .map_err(|_| waiting.not_to_be_submitted())?,
            Some((ended, RegistrationStatus::Approved | RegistrationStatus::Rejected)) => {
                return Err(ended.not_to_be_submitted());
            }
        };
        Ok(Register {
            id: existing.map_or(id, |registration| registration.id.clone()),
            vendor: existing.map_or(vendor, |registration| &registration.vendor).clone(),
            terms,
        })
    }

    /// What the registration would say, or all that is wrong.
    fn terms(&self, view: &Opportunity, catalog: &Catalog, now: Timestamp) -> Result<Terms, Refusal> {
        // What was registered in time stays so, however long the vendor asks back.
        let submitted_first = view
            .registration
            .as_ref()
            .map_or(now, |registration| registration.created_at);
        let mut faults = self.faults.clone();
        let solution = self
            .solution
            .as_ref()
            .and_then(|id| faults.check("/solutionId", solution(view, catalog, id)));
        let signed_date = self
            .signed_date
            .and_then(|date| faults.check("/signedDate", signed(date, submitted_first, now)));
        if let Some((start, end)) = self.start_date.zip(self.end_date)
            && end < start
        {
            faults.push(Flaw::new("endBeforeStart", format!("must not be before startDate, {start}")).at("/endDate"));
        }
        self.check_values(&mut faults);
        let terms = (|| {
            Some(Terms {
                solution: solution?,
                contract_value: self.contract_value?,
                solution_value: self.solution_value?,
                signed_date: signed_date?,
                start_date: self.start_date?,
                end_date: self.end_date,
                tenant_reference: self.tenant_reference.clone(),
                note: self.note.clone(),
            })
        })();
        faults.or(terms)
    }

    /// There is something to register, and the solution is a part of the contract.
    fn check_values(&self, faults: &mut Faults) {
        for (pointer, value) in [
            ("/contractValue/amount", self.contract_value),
            ("/solutionValue/amount", self.solution_value),
        ] {
            if value.is_some_and(|value| value.minor() == 0) {
                faults.push(Flaw::new("notPositive", "must be more than zero").at(pointer));
            }
        }
        let Some((contract, solution)) = self.contract_value.zip(self.solution_value) else {
            return;
        };
        if contract.iso() != solution.iso() {
            let message = format!("must be that of contractValue, {}", contract.currency());
            faults.push(Flaw::new("currencyMismatch", message).at("/solutionValue/currency"));
        } else if solution.minor() > contract.minor() {
            let message = format!("must not be more than contractValue, {contract}");
            faults.push(Flaw::new("moreThanContract", message).at("/solutionValue/amount"));
        }
    }
}

/// It is part of the opportunity, and eligible now.
fn solution(view: &Opportunity, catalog: &Catalog, id: &SolutionId) -> Result<Solution, Flaw> {
    let Some(solution) = view.solutions.iter().find(|solution| solution.id == *id) else {
        let ids: Vec<_> = view.solutions.iter().map(|solution| solution.id.as_str()).collect();
        let message = format!("must be one of the opportunity's solutions: {}", ids.join(", "));
        return Err(Flaw::new("notInOpportunity", message));
    };
    let eligible = catalog
        .solutions
        .get(id)
        .is_some_and(|found| found.registration_eligible);
    if eligible {
        Ok(solution.clone())
    } else {
        let message = "is not eligible for registration; the answer to a won close tells which are";
        Err(Flaw::new("notRegistrationEligible", message))
    }
}

fn signed(date: Date, submitted_first: Timestamp, now: Timestamp) -> Result<Date, Flaw> {
    let (today, earliest) = (Date::of(now), Date::of(submitted_first).days_before(MAX_AGE));
    if date > today {
        let message = format!("must not be in the future; today is {today} in UTC");
        Err(Flaw::new("dateInFuture", message))
    } else if date < earliest {
        let message = format!("must be at most {MAX_AGE} days back, not before {earliest}");
        Err(Flaw::new("dateTooOld", message))
    } else {
        Ok(date)
    }
}

/// The caller's own opportunity, won, of an organization that has somebody to register it with.
fn won<'a>(deal: &'a Deal, by: &Actor) -> Result<&'a Opportunity, Refusal> {
    let view = deal.seen_by(by)?;
    if view.organization.kind == OrganizationKind::Vendor {
        return Err(Refusal::forbidden(
            "notPartner",
            "Partners register their deals with the vendor; the vendor registers nothing with itself.",
        ));
    }
    match view.standing().outcome {
        Some(Outcome::Won) => Ok(view),
        _ => Err(Refusal::wrong_stage(view, "to be won")),
    }
}

/// The rule: a partner, for its own opportunity, once it is won; again when the vendor wants to know more. What has been
/// submitted just so and waits is left as it is.
pub(crate) fn register(deal: &Deal, register: &Register, by: &Actor, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let deal = deal.clone().at(now);
    let view = won(&deal, by)?;
    let existing = view.registration.as_deref();
    if let Some(registration) = existing {
        match registration.status() {
            RegistrationStatus::ActionRequired => {}
            RegistrationStatus::Submitted if register.is_there(view) => return Ok(Vec::new()),
            _ => return Err(registration.not_to_be_submitted()),
        }
    }
    let next = Registration {
        id: register.id.clone(),
        vendor: register.vendor.clone(),
        version: existing.map_or(1, |registration| registration.version + 1),
        created_at: existing.map_or(now, |registration| registration.created_at),
        submitted_at: now,
        terms: register.terms.clone(),
        state: RegistrationState::Submitted,
    };
    let change = Change::RegistrationSubmitted(Box::new(FromTo {
        from: existing.map(|registration| registration.terms.clone()),
        to: next,
    }));
    Ok(vec![deal.event(&by.organization, change, Some(by), now)])
}

/// A review of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    organization: OrganizationId,
    verdict: Verdict,
}

/// The request, read but not yet compared with the registration.
#[derive(Debug, Clone)]
pub struct ReviewForm {
    verdict: Option<Verdict>,
    faults: Faults,
}

impl ReviewForm {
    /// Reads the request body, noting every fault. Who does not agree says why.
    pub fn read(body: &Value) -> Self {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let decision = fields.required("decision", &mut faults);
        let verdict = match decision {
            Some(Decision::Approve) => Some(Verdict::Approved {
                reason: fields.optional("reason", &mut faults),
            }),
            Some(Decision::Reject) => fields
                .required("reason", &mut faults)
                .map(|reason| Verdict::Rejected { reason }),
            Some(Decision::RequestInfo) => fields
                .required("reason", &mut faults)
                .map(|reason| Verdict::ActionRequired { reason }),
            None => {
                let _: Option<Prose> = fields.optional("reason", &mut faults);
                None
            }
        };
        fields.finish(&mut faults);
        Self { verdict, faults }
    }

    /// The command, or why the registration does not take it, or all that is wrong. `organization` is who registers.
    pub fn check(&self, deal: &Deal, organization: &OrganizationId, by: &Actor) -> Result<Review, Refusal> {
        reviewed(deal, organization, by)?;
        let verdict = self.faults.clone().or(self.verdict.clone())?;
        Ok(Review {
            organization: organization.clone(),
            verdict,
        })
    }
}

/// The rule: the vendor, once it was submitted.
pub(crate) fn review(deal: &Deal, review: &Review, by: &Actor, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let deal = deal.clone().at(now);
    reviewed(&deal, &review.organization, by)?;
    let change = Change::RegistrationReviewed(review.verdict.clone());
    Ok(vec![deal.event(&review.organization, change, Some(by), now)])
}

/// An organization's registration that waits for the vendor; to others there is none.
fn reviewed<'a>(deal: &'a Deal, organization: &OrganizationId, by: &Actor) -> Result<&'a Registration, Refusal> {
    let registration = deal.view(organization)?.registration.as_deref();
    let registration = registration.ok_or(Refusal::NotFound)?;
    if registration.vendor != by.organization {
        return Err(if by.organization == *organization {
            Refusal::forbidden("notVendor", "Registrations are reviewed by the vendor.")
        } else {
            Refusal::NotFound
        });
    }
    match registration.status() {
        RegistrationStatus::Submitted => Ok(registration),
        _ => Err(registration.wrong_status("to be submitted")),
    }
}

impl Deal {
    /// Who is told of what became of an organization's registration: the vendor of a submission, the organization of a review.
    pub(crate) fn registration_notice(&self, organization: &OrganizationId) -> Option<Notice> {
        let subject = self.view(organization).ok()?;
        let registration = subject.registration.as_deref()?;
        let status = registration.status();
        let (notice_type, recipient) = match status {
            RegistrationStatus::Submitted => (NoticeType::RegistrationSubmitted, &registration.vendor),
            RegistrationStatus::ActionRequired => (NoticeType::RegistrationActionRequired, organization),
            RegistrationStatus::Approved => (NoticeType::RegistrationApproved, organization),
            RegistrationStatus::Rejected => (NoticeType::RegistrationRejected, organization),
        };
        let own = self.view(recipient).ok();
        Some(Notice {
            notice_type,
            recipient: Recipient {
                organization: recipient.clone(),
                kind: own.map_or(OrganizationKind::Vendor, |view| view.organization.kind),
            },
            opportunity: own.map(|own| self.snapshot(own, subject)),
            respond_by: None,
            registration: Some(RegistrationNotice {
                id: registration.id.clone(),
                organization: organization.clone(),
                solution: registration.terms.solution.id.clone(),
                customer_name: subject.customer.name.clone(),
                status,
                reason: registration.reason().cloned(),
            }),
        })
    }
}
