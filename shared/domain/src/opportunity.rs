//! The state: one organization's own view of a deal.

use chrono::TimeDelta;
use serde_json::Value;

use crate::fault::Faults;
use crate::form::{Fields, FromJson};
use crate::invite::Invite;
use crate::money::Money;
use crate::registration::Registration;
use crate::text::{
    AddressLine, CampaignId, Country, CrmId, CustomerName, DealId, DealName, DunsNumber, Email, Label, OrganizationId,
    PersonName, Phone, PostalCode, Prose, SolutionId, UserId,
};
use crate::time::{Date, Timestamp};

/// Declares an enum whose cases have one text each, in requests, answers and records alike.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$case_doc])* $case),+ }

        impl $name {
            /// Every case.
            pub const ALL: &'static [Self] = &[$(Self::$case),+];

            /// The text of the case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $text),+ }
            }

            /// The case, or the list of what there is.
            pub fn parse(text: &str) -> Result<Self, $crate::Flaw> {
                match text {
                    $($text => Ok(Self::$case),)+
                    _ => Err($crate::Flaw::choice(&[$($text),+])),
                }
            }
        }

        impl $crate::form::Parse for $name {
            fn parse(text: &str) -> Result<Self, $crate::Flaw> {
                Self::parse(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words!(
    /// What an organization is in the exchange.
    OrganizationKind {
        /// The platform owner; there is one.
        Vendor = "vendor",
        /// Everyone else.
        Partner = "partner",
    }
);
words!(
    /// On which side of a deal an organization stands.
    Direction {
        /// It was invited.
        Inbound = "inbound",
        /// It created the deal.
        Outbound = "outbound",
    }
);
words!(
    /// Whether anybody was ever invited. The change is one way.
    DealType {
        /// Nobody was.
        PrivatePipeline = "privatePipeline",
        /// Somebody was.
        CoSell = "coSell",
    }
);
words!(
    /// Where an opportunity is in its life.
    Stage {
        /// Waits for the invited organization's answer.
        Received = "received",
        /// Is being worked.
        Accepted = "accepted",
        /// Has ended.
        Archived = "archived",
    }
);
words!(
    /// How an archived opportunity ended.
    Outcome {
        /// The customer bought.
        Won = "won",
        /// The customer did not.
        Lost = "lost",
        /// The invited organization said no.
        Declined = "declined",
        /// The invited organization said nothing in time.
        Expired = "expired",
        /// The owner took the invitation back.
        Withdrawn = "withdrawn",
    }
);
words!(
    /// Why an opportunity was declined or lost.
    Reason {
        /// No budget.
        Budget = "budget",
        /// The customer does not answer.
        CustomerUnresponsive = "customerUnresponsive",
        /// The customer bought elsewhere.
        ChoseCompetitor = "choseCompetitor",
        /// The solution does not fit.
        RequirementsNotMet = "requirementsNotMet",
        /// No such customer.
        NotACustomer = "notACustomer",
        /// Not enough time.
        TimelineTooShort = "timelineTooShort",
        /// Nobody free to work it.
        NoCapacity = "noCapacity",
        /// Known already.
        Duplicate = "duplicate",
        /// Not meant seriously.
        Spam = "spam",
        /// Told in a note, which is then required.
        Other = "other",
    }
);
words!(
    /// What the owner asks the invited organization for.
    HelpType {
        /// Design of the solution.
        TechnicalArchitecture = "technicalArchitecture",
        /// A proof of concept or demonstration.
        ProofOfConcept = "proofOfConcept",
        /// Prices or licences.
        QuotesOrLicensing = "quotesOrLicensing",
        /// Help after the sale.
        PostSales = "postSales",
        /// The value of a workload to the customer.
        WorkloadValueProposition = "workloadValueProposition",
        /// Strategy with the customer.
        BusinessStrategy = "businessStrategy",
        /// Terms of the contract.
        DealDesk = "dealDesk",
        /// Anything else.
        General = "general",
    }
);

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The organization acted for.
    pub organization: OrganizationId,
    /// The person or machine.
    pub user: UserId,
    /// The person's name, where the token has one.
    pub name: Option<String>,
    /// Which of the organization's opportunities it works with.
    pub access: Access,
}

/// Which of its organization's opportunities a person works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// All of them.
    All,
    /// Those whose team lists this address, and those that wait for an answer: a seller's.
    Team(Email),
}

impl Actor {
    /// Whether its access covers what this team works with.
    pub fn is_on(&self, team: &[Person]) -> bool {
        match &self.access {
            Access::All => true,
            Access::Team(email) => team.iter().any(|member| member.has_email(email)),
        }
    }

    /// The team with the person on it, if its access depends on that. Whether there was room is the caller's to check.
    pub(crate) fn joining(&self, mut team: Vec<Person>) -> Vec<Person> {
        if let Access::Team(email) = &self.access
            && !self.is_on(&team)
        {
            let name = self.name.as_deref().and_then(|name| PersonName::parse(name).ok());
            // A token without a usable name: the part of the address before the @ is at most 64 characters.
            let local = email.as_str().split('@').next().unwrap_or_default();
            if let Some(name) = name.or_else(|| PersonName::parse(local).ok()) {
                team.push(Person {
                    name,
                    phone: None,
                    email: Some(email.clone()),
                });
            }
        }
        team
    }
}

/// An organization as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Its id.
    pub id: OrganizationId,
    /// Its name at the time it came into the deal.
    pub name: Label,
    /// Vendor or partner.
    pub kind: OrganizationKind,
}

/// One organization's own view of a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opportunity {
    /// The deal, shared by all participants.
    pub deal: DealId,
    /// Whose view this is.
    pub organization: Party,
    /// Who created the deal.
    pub owner: Party,
    /// Grows by one with each event that touches this view.
    pub version: u64,
    /// When this view came to be: for an invited organization, with its latest invitation.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its organization's last note was added. A note is no change of the view, but what follows it comes after it.
    pub noted_at: Option<Timestamp>,
    /// What the organization calls the deal.
    pub name: DealName,
    /// Whether anybody has looked into what the customer needs.
    pub qualification: Qualification,
    /// What it hopes to earn. Always there where it is sales qualified from the start, or was accepted from a lead.
    pub estimated_value: Option<Money>,
    /// When it hopes to close; there as the value is.
    pub estimated_close_date: Option<Date>,
    /// Its own CRM's id.
    pub crm_id: Option<CrmId>,
    /// Its own campaign.
    pub campaign_id: Option<CampaignId>,
    /// Who buys.
    pub customer: Customer,
    /// Who works it here.
    pub team: Vec<Person>,
    /// What is sold.
    pub solutions: Vec<Solution>,
    /// Which side this is, and how far it has come.
    pub progress: Progress,
    /// Its registration with the vendor, once it was won.
    pub registration: Option<Box<Registration>>,
}

/// Whether anybody has looked into what the customer needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Qualification {
    /// Nobody yet: the vendor passes on a customer who asked for help.
    Lead {
        /// Whom it goes to next, best first, should the partner that has it decline or be silent. Only in the owner's view.
        next: Vec<Invite>,
    },
    /// Somebody has.
    SalesQualified,
}

words!(
    /// The names of the qualifications.
    QualificationName {
        /// A lead.
        Lead = "lead",
        /// An opportunity proper.
        SalesQualified = "salesQualified",
    }
);

impl Qualification {
    /// Its name.
    pub const fn name(&self) -> QualificationName {
        match self {
            Self::Lead { .. } => QualificationName::Lead,
            Self::SalesQualified => QualificationName::SalesQualified,
        }
    }
}

/// How far an opportunity has come, for each side what can be true of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The owner's: accepted from the start.
    Outbound {
        /// Whether anybody was ever invited.
        deal_type: DealType,
        /// How the work goes.
        work: Work,
    },
    /// An invited organization's.
    Inbound {
        /// The latest invitation.
        invitation: Invitation,
        /// What became of it.
        response: Response,
    },
}

/// What became of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Nothing yet.
    Pending {
        /// When the organization is to be reminded; `None` once it was, and where the response window is too short for it.
        remind_at: Option<Timestamp>,
    },
    /// The organization works the deal.
    Accepted(Work),
    /// The organization said no.
    Declined {
        /// When.
        at: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// `respondBy` passed without an answer.
    Expired {
        /// The invitation's `respondBy`.
        at: Timestamp,
    },
    /// The owner took it back.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
}

/// Accepted work on a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// Since when.
    pub accepted_at: Timestamp,
    /// How it ended, if it has.
    pub closed: Option<Closed>,
}

/// The end of accepted work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// How.
    pub result: CloseResult,
}

/// Won or lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseResult {
    /// The customer bought.
    Won {
        /// For this much.
        final_value: Money,
    },
    /// The customer did not.
    Lost {
        /// Why.
        reason: Reason,
    },
}

/// What the owner sent with an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// What is asked for.
    pub help_type: HelpType,
    /// In the owner's words.
    pub message: Prose,
    /// Whom to talk to at the owner's.
    pub contacts: Vec<Person>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// From this instant on it has expired.
    pub respond_by: Timestamp,
}

/// How long an invited organization has to answer, and when it is reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseWindow {
    /// From the invitation to `respondBy`: exact.
    pub length: TimeDelta,
    /// The reminder comes this long before `respondBy`; none where the window is no longer than that.
    pub reminder: TimeDelta,
}

impl ResponseWindow {
    /// `respondBy` of an invitation that is sent now.
    pub(crate) fn respond_by(self, now: Timestamp) -> Timestamp {
        now.plus(self.length)
    }

    /// When the invited organization is reminded.
    pub(crate) fn remind_at(self, now: Timestamp) -> Option<Timestamp> {
        (self.length > self.reminder).then(|| now.plus(self.length - self.reminder))
    }
}

/// The company that buys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Its name.
    pub name: CustomerName,
    /// Where it is.
    pub country: Country,
    /// Where exactly.
    pub address: Address,
    /// Its D-U-N-S number.
    pub duns_number: Option<DunsNumber>,
    /// Whom to talk to there.
    pub contact: Contact,
}

/// A postal address; the country stands beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// Street, number.
    pub line1: Option<AddressLine>,
    /// Building, floor.
    pub line2: Option<AddressLine>,
    /// City.
    pub city: Option<AddressLine>,
    /// State, province or region.
    pub region: Option<AddressLine>,
    /// Postal code.
    pub postal_code: Option<PostalCode>,
}

/// The customer's contact: may be incomplete until somebody is invited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contact {
    /// Name.
    pub name: Option<PersonName>,
    /// Phone.
    pub phone: Option<Phone>,
    /// Email.
    pub email: Option<Email>,
}

/// A team member, or a named contact of the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name.
    pub name: PersonName,
    /// Phone.
    pub phone: Option<Phone>,
    /// Email.
    pub email: Option<Email>,
}

/// A solution that is part of the deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// Its id in the catalog.
    pub id: SolutionId,
    /// Its name when it was added.
    pub name: Label,
    /// Who sells it.
    pub publisher: OrganizationId,
    /// Whether that is the vendor.
    pub publisher_kind: OrganizationKind,
}

/// Stage and outcome together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Stage.
    pub stage: Stage,
    /// Only when archived.
    pub outcome: Option<Outcome>,
}

impl Work {
    /// Work that begins.
    pub fn since(accepted_at: Timestamp) -> Self {
        Self {
            accepted_at,
            closed: None,
        }
    }

    fn standing(&self) -> Standing {
        match self.closed.as_ref().map(|closed| &closed.result) {
            None => Standing {
                stage: Stage::Accepted,
                outcome: None,
            },
            Some(CloseResult::Won { .. }) => Standing::archived(Outcome::Won),
            Some(CloseResult::Lost { .. }) => Standing::archived(Outcome::Lost),
        }
    }
}

impl Standing {
    pub(crate) fn archived(outcome: Outcome) -> Self {
        Self {
            stage: Stage::Archived,
            outcome: Some(outcome),
        }
    }
}

impl Opportunity {
    /// On which side of the deal its organization stands.
    pub fn direction(&self) -> Direction {
        match self.progress {
            Progress::Outbound { .. } => Direction::Outbound,
            Progress::Inbound { .. } => Direction::Inbound,
        }
    }

    /// Private pipeline until somebody was invited.
    pub fn deal_type(&self) -> DealType {
        match self.progress {
            Progress::Outbound { deal_type, .. } => deal_type,
            Progress::Inbound { .. } => DealType::CoSell,
        }
    }

    /// Stage and outcome.
    pub fn standing(&self) -> Standing {
        match &self.progress {
            Progress::Outbound { work, .. }
            | Progress::Inbound {
                response: Response::Accepted(work),
                ..
            } => work.standing(),
            Progress::Inbound { response, .. } => match response {
                Response::Pending { .. } | Response::Accepted(_) => Standing {
                    stage: Stage::Received,
                    outcome: None,
                },
                Response::Declined { .. } => Standing::archived(Outcome::Declined),
                Response::Expired { .. } => Standing::archived(Outcome::Expired),
                Response::Withdrawn { .. } => Standing::archived(Outcome::Withdrawn),
            },
        }
    }

    /// Why it was declined or lost.
    pub fn reason(&self) -> Option<Reason> {
        match (&self.progress, self.work().and_then(|work| work.closed.as_ref())) {
            (
                _,
                Some(Closed {
                    result: CloseResult::Lost { reason },
                    ..
                }),
            )
            | (
                Progress::Inbound {
                    response: Response::Declined { reason, .. },
                    ..
                },
                _,
            ) => Some(*reason),
            _ => None,
        }
    }

    /// Whether a person of its organization works with it.
    pub fn is_open_to(&self, by: &Actor) -> bool {
        by.is_on(&self.team) || self.pending_until().is_some()
    }

    /// The accepted work, ended or not.
    pub fn work(&self) -> Option<&Work> {
        match &self.progress {
            Progress::Outbound { work, .. }
            | Progress::Inbound {
                response: Response::Accepted(work),
                ..
            } => Some(work),
            Progress::Inbound { .. } => None,
        }
    }

    pub(crate) fn work_mut(&mut self) -> Option<&mut Work> {
        match &mut self.progress {
            Progress::Outbound { work, .. }
            | Progress::Inbound {
                response: Response::Accepted(work),
                ..
            } => Some(work),
            Progress::Inbound { .. } => None,
        }
    }

    /// The latest invitation, on the invited side.
    pub fn invitation(&self) -> Option<&Invitation> {
        match &self.progress {
            Progress::Outbound { .. } => None,
            Progress::Inbound { invitation, .. } => Some(invitation),
        }
    }

    /// The value that it was won for.
    pub fn final_value(&self) -> Option<Money> {
        match self.work()?.closed.as_ref()?.result {
            CloseResult::Won { final_value } => Some(final_value),
            CloseResult::Lost { .. } => None,
        }
    }

    /// When it was accepted.
    pub fn accepted_at(&self) -> Option<Timestamp> {
        self.work().map(|work| work.accepted_at)
    }

    /// When it was archived.
    pub fn closed_at(&self) -> Option<Timestamp> {
        match &self.progress {
            Progress::Inbound { response, .. } => match response {
                Response::Declined { at, .. } | Response::Expired { at } | Response::Withdrawn { at } => Some(*at),
                Response::Pending { .. } => None,
                Response::Accepted(work) => work.closed.as_ref().map(|closed| closed.at),
            },
            Progress::Outbound { work, .. } => work.closed.as_ref().map(|closed| closed.at),
        }
    }

    /// Until when an answer is awaited; `None` once there is one.
    pub fn pending_until(&self) -> Option<Timestamp> {
        match &self.progress {
            Progress::Inbound {
                invitation,
                response: Response::Pending { .. },
            } => Some(invitation.respond_by),
            _ => None,
        }
    }

    /// When its organization is to be reminded that an answer is awaited; `None` where it was, or is not.
    pub fn remind_at(&self) -> Option<Timestamp> {
        match self.progress {
            Progress::Inbound {
                response: Response::Pending { remind_at },
                ..
            } => remind_at,
            _ => None,
        }
    }

    /// Whether nobody has looked into what the customer needs.
    pub fn is_lead(&self) -> bool {
        self.qualification.name() == QualificationName::Lead
    }

    /// When the clock has something to do with it next: to remind, or else to expire.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.remind_at().or(self.pending_until())
    }

    /// Whether its invitation came to nothing, so that another may follow.
    pub(crate) fn may_be_invited_again(&self) -> bool {
        let outcome = self.standing().outcome;
        matches!(outcome, Some(Outcome::Declined | Outcome::Expired | Outcome::Withdrawn))
    }

    /// The view as it stands at `now`: an invitation whose `respondBy` has come has expired, at that instant, whether or
    /// not anybody has written that down.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        if let Some(respond_by) = self.pending_until().filter(|&respond_by| respond_by <= now) {
            self.expire(respond_by);
        }
        self
    }

    pub(crate) fn remind(&mut self, at: Timestamp) {
        self.respond(Response::Pending { remind_at: None });
        self.touch(at);
    }

    pub(crate) fn expire(&mut self, at: Timestamp) {
        self.respond(Response::Expired { at });
        self.touch(at);
    }

    pub(crate) fn respond(&mut self, answer: Response) {
        if let Progress::Inbound { response, .. } = &mut self.progress {
            *response = answer;
        }
    }

    /// The latest that is known to have happened to it.
    pub fn latest(&self) -> Timestamp {
        self.noted_at
            .map_or(self.updated_at, |noted_at| noted_at.max(self.updated_at))
    }

    /// Counts a change. Time does not run backwards within a view, whatever the clocks of two machines say.
    pub(crate) fn touch(&mut self, at: Timestamp) {
        self.version += 1;
        self.updated_at = self.updated_at.max(at);
    }
}

impl Customer {
    /// What makes two customers the same: the D-U-N-S number, else name and country, regardless of case and accents.
    pub fn identity(&self) -> String {
        match &self.duns_number {
            Some(number) => format!("duns {number}"),
            None => format!("name {} {}", self.country, crate::fold(self.name.as_str())),
        }
    }
}

impl Contact {
    /// The names of the fields that an invitation needs and that are not there.
    pub fn missing(&self) -> Vec<&'static str> {
        [
            ("name", self.name.is_none()),
            ("phone", self.phone.is_none()),
            ("email", self.email.is_none()),
        ]
        .into_iter()
        .filter_map(|(field, missing)| missing.then_some(field))
        .collect()
    }
}

impl Person {
    /// Addresses differ in more than case only on paper.
    fn has_email(&self, email: &Email) -> bool {
        self.email
            .as_ref()
            .is_some_and(|own| own.as_str().eq_ignore_ascii_case(email.as_str()))
    }

    /// Whether one can reach this person by phone and email.
    pub(crate) fn is_complete(&self) -> bool {
        self.phone.is_some() && self.email.is_some()
    }
}

impl FromJson for Contact {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults);
        let contact = Self {
            name: fields.optional("name", faults),
            phone: fields.optional("phone", faults),
            email: fields.optional("email", faults),
        };
        fields.finish(faults);
        Some(contact)
    }
}

impl FromJson for Person {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults);
        let name = fields.required("name", faults);
        let phone = fields.optional("phone", faults);
        let email = fields.optional("email", faults);
        fields.finish(faults);
        Some(Self {
            name: name?,
            phone,
            email,
        })
    }
}

impl FromJson for Address {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults);
        let address = Self {
            line1: fields.optional("addressLine1", faults),
            line2: fields.optional("addressLine2", faults),
            city: fields.optional("city", faults),
            region: fields.optional("region", faults),
            postal_code: fields.optional("postalCode", faults),
        };
        fields.finish(faults);
        Some(address)
    }
}
