//! What happened to a deal, and who is told.

use crate::money::Money;
use crate::note::Visibility;
use crate::opportunity::{
    Actor, Contact, Opportunity, OrganizationKind, Outcome, Person, Reason, Solution, Stage, words,
};
use crate::record::Counter;
use crate::registration::{Registration, RegistrationStatus, Terms, Verdict};
use crate::text::{CampaignId, CrmId, CustomerName, DealName, OrganizationId, Prose, RegistrationId, SolutionId};
use crate::time::{Date, Timestamp};

/// One thing that happened to one organization's view of a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it took effect.
    pub at: Timestamp,
    /// Who did it; `None` for the clock.
    pub actor: Option<Actor>,
    /// Whose view changed.
    pub organization: OrganizationId,
    /// What happened.
    pub change: Change,
    /// A note that the actor gave with it: internal to the actor's organization, unless the change says otherwise.
    pub note: Option<Prose>,
    /// Who is told, each in terms of its own view.
    pub notices: Vec<Notice>,
    /// What it adds to the organization's record.
    pub counts: Vec<(Counter, i64)>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The owner created the deal.
    Created(Box<Opportunity>),
    /// The owner invited the organization: its view (afresh), and the owner's deal is co-sell from now on.
    Invited(Box<Opportunity>),
    /// The organization took the invitation, with first edits of its own.
    Accepted(Vec<Edit>),
    /// The organization refused the invitation.
    Declined(Reason),
    /// `respondBy` is near: the organization is reminded.
    Reminded,
    /// `respondBy` passed.
    Expired,
    /// The owner took the invitation back.
    Withdrawn,
    /// The organization changed its view.
    Updated(Vec<Edit>),
    /// The organization won the deal, for this much.
    Won(Money),
    /// The organization lost the deal.
    Lost(Reason),
    /// The organization added a note.
    NoteAdded(Visibility),
    /// The organization submitted the registration, as it is from now on; what it said before, if it was there.
    RegistrationSubmitted(Box<FromTo<Option<Terms>, Registration>>),
    /// The vendor reviewed the organization's registration.
    RegistrationReviewed(Verdict),
}

impl Change {
    /// The type's name in history.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "created",
            Self::Invited(_) => "invited",
            Self::Accepted(_) => "accepted",
            Self::Declined(_) => "declined",
            Self::Reminded => "reminded",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Updated(_) => "updated",
            Self::Won(_) => "won",
            Self::Lost(_) => "lost",
            Self::NoteAdded(_) => "noteAdded",
            Self::RegistrationSubmitted(_) => "registrationSubmitted",
            Self::RegistrationReviewed(Verdict::ActionRequired { .. }) => "registrationActionRequired",
            Self::RegistrationReviewed(Verdict::Approved { .. }) => "registrationApproved",
            Self::RegistrationReviewed(Verdict::Rejected { .. }) => "registrationRejected",
        }
    }
}

/// One field's old and new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromTo<T, U = T> {
    /// Before.
    pub from: T,
    /// After.
    pub to: U,
}

impl Event {
    /// Who may read the note that came with it.
    pub fn note_visibility(&self) -> Visibility {
        match self.change {
            Change::NoteAdded(visibility) => visibility,
            _ => Visibility::Internal,
        }
    }
}

/// The change of one field of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// `name`
    Name(FromTo<DealName>),
    /// `estimatedValue`
    EstimatedValue(FromTo<Option<Money>>),
    /// `estimatedCloseDate`
    EstimatedCloseDate(FromTo<Option<Date>>),
    /// `crmId`
    CrmId(FromTo<Option<CrmId>>),
    /// `campaignId`
    CampaignId(FromTo<Option<CampaignId>>),
    /// `team`
    Team(FromTo<Vec<Person>>),
    /// `solutions`
    Solutions(FromTo<Vec<Solution>>),
    /// `customer.contact`
    Contact(FromTo<Contact>),
}

impl Edit {
    /// Sets the field's new value.
    pub(crate) fn apply(&self, view: &mut Opportunity) {
        match self.clone() {
            Self::Name(edit) => view.name = edit.to,
            Self::EstimatedValue(edit) => view.estimated_value = edit.to,
            Self::EstimatedCloseDate(edit) => view.estimated_close_date = edit.to,
            Self::CrmId(edit) => view.crm_id = edit.to,
            Self::CampaignId(edit) => view.campaign_id = edit.to,
            Self::Team(edit) => view.team = edit.to,
            Self::Solutions(edit) => view.solutions = edit.to,
            Self::Contact(edit) => view.customer.contact = edit.to,
        }
    }
}

words!(
    /// The detail types that other organizations are told of (DESIGN section 6).
    NoticeType {
        /// To the invited organization.
        OpportunityReceived = "Opportunity Received",
        /// To the owner.
        OpportunityAccepted = "Opportunity Accepted",
        /// To the owner.
        OpportunityDeclined = "Opportunity Declined",
        /// To the invited organization, which has not answered yet.
        OpportunityExpiring = "Opportunity Expiring",
        /// To the owner.
        OpportunityExpired = "Opportunity Expired",
        /// To the owner: a lead was declined, or met with silence, and there is no partner left to ask.
        LeadReturned = "Lead Returned",
        /// To the counterparts.
        OpportunityWon = "Opportunity Won",
        /// To the counterparts.
        OpportunityLost = "Opportunity Lost",
        /// To the invited organization.
        InvitationWithdrawn = "Invitation Withdrawn",
        /// To everyone that reads shared notes.
        NoteShared = "Note Shared",
        /// To the vendor.
        RegistrationSubmitted = "Registration Submitted",
        /// To the organization that registers.
        RegistrationActionRequired = "Registration Action Required",
        /// To the organization that registers.
        RegistrationApproved = "Registration Approved",
        /// To the organization that registers.
        RegistrationRejected = "Registration Rejected",
    }
);

/// An organization that is told something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Which.
    pub organization: OrganizationId,
    /// Vendor or partner: what a rule of the bus can tell them by.
    pub kind: OrganizationKind,
}

/// What one organization is told of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub notice_type: NoticeType,
    /// Who is told.
    pub recipient: Recipient,
    /// The deal as the recipient knows it; `None` for one that has no part in it, and so does not learn which deal it is.
    pub opportunity: Option<Snapshot>,
    /// Until when an answer is awaited.
    pub respond_by: Option<Timestamp>,
    /// The registration that it is about.
    pub registration: Option<RegistrationNotice>,
}

/// The deal as one organization knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The deal's name in its own view.
    pub name: DealName,
    /// Who buys.
    pub customer_name: CustomerName,
    /// The value in its own view; a lead may have none.
    pub estimated_value: Option<Money>,
    /// Where the changed view stands now.
    pub stage: Stage,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Why it was declined or lost: only the inviter is told.
    pub reason: Option<Reason>,
}

/// What vendor and registering organization are told of a registration: nothing of the deal but who buys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationNotice {
    /// Its id.
    pub id: RegistrationId,
    /// Who registers.
    pub organization: OrganizationId,
    /// What was sold.
    pub solution: SolutionId,
    /// Who buys.
    pub customer_name: CustomerName,
    /// Where it stands now.
    pub status: RegistrationStatus,
    /// What the vendor said to it.
    pub reason: Option<Prose>,
}
