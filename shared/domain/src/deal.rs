//! The deal: all participants' views, how commands are decided on it, and how events change it.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::close::Close;
use crate::create::Create;
use crate::event::{Change, Event, Notice, NoticeType, Recipient, Snapshot};
use crate::invite::Invite;
use crate::note::{self, AddNote, Visibility};
use crate::opportunity::{
    Actor, CloseResult, Closed, DealType, Direction, Opportunity, Party, Progress, Qualification, Response, Stage, Work,
};
use crate::refusal::Refusal;
use crate::registration::{Register, Review};
use crate::respond::Respond;
use crate::text::{DealId, OrganizationId};
use crate::time::Timestamp;
use crate::update::Update;
use crate::{close, create, invite, record, registration, respond, update};

/// A deal with the views of all its participants. There is always the owner's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    id: DealId,
    owner: OrganizationId,
    views: BTreeMap<OrganizationId, Opportunity>,
}

/// What a person asks for. Everything in it has been checked, save against the state of the deal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Bring a deal into being.
    Create(Box<Create>),
    /// Send the deal to another organization.
    Invite(Box<Invite>),
    /// Take a pending invitation back.
    Withdraw(OrganizationId),
    /// Answer an invitation.
    Respond(Box<Respond>),
    /// Change one's own view.
    Update(Update),
    /// Report how the deal ended.
    Close(Box<Close>),
    /// Add a note.
    Note(AddNote),
    /// Register one's own opportunity with the vendor.
    Register(Box<Register>),
    /// Review another organization's registration, as the vendor.
    Review(Review),
}

/// What follows from a command: the events, in order, or why not. Pure: the same arguments give the same answer.
pub fn decide(deal: Option<&Deal>, command: &Command, by: &Actor, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let known = || deal.ok_or(Refusal::NotFound);
    match command {
        Command::Create(create) => create::create(deal, create, by, now),
        Command::Invite(invite) => invite::invite(known()?, invite, by, now),
        Command::Withdraw(organization) => invite::withdraw(known()?, organization, by, now),
        Command::Respond(respond) => respond::respond(known()?, respond, by, now),
        Command::Update(update) => update::update(known()?, update, by, now),
        Command::Close(close) => close::close(known()?, close, by, now),
        Command::Note(note) => note::note(known()?, note, by, now),
        Command::Register(register) => registration::register(known()?, register, by, now),
        Command::Review(review) => registration::review(known()?, review, by, now),
    }
}

/// The deal after an event. Total: an event that cannot have happened in this state changes nothing.
pub fn evolve(deal: Option<Deal>, event: &Event) -> Option<Deal> {
    match (deal, &event.change) {
        (None, Change::Created(view)) => Deal::from_views([(**view).clone()]),
        (None, _) => None,
        (Some(mut deal), change) => {
            deal.apply(&event.organization, change, event.at);
            Some(deal)
        }
    }
}

impl Deal {
    /// The deal of these views; `None` without the owner's, or when they are of several deals.
    pub fn from_views(views: impl IntoIterator<Item = Opportunity>) -> Option<Self> {
        let views: BTreeMap<_, _> = views
            .into_iter()
            .map(|view| (view.organization.id.clone(), view))
            .collect();
        let owner = views.values().find(|view| view.direction() == Direction::Outbound)?;
        let (id, owner) = (owner.deal.clone(), owner.organization.id.clone());
        views
            .values()
            .all(|view| view.deal == id)
            .then_some(Self { id, owner, views })
    }

    /// Its id.
    pub fn id(&self) -> &DealId {
        &self.id
    }

    /// The owner's view.
    pub fn owner(&self) -> &Opportunity {
        // Every way to build a deal puts the owner's view in, and nothing takes one out.
        &self.views[&self.owner]
    }

    /// An organization's own view; to one without, the deal does not exist.
    pub fn view(&self, organization: &OrganizationId) -> Result<&Opportunity, Refusal> {
        self.views.get(organization).ok_or(Refusal::NotFound)
    }

    /// The view that a person works with: that of its organization, as far as its role goes.
    pub fn seen_by(&self, by: &Actor) -> Result<&Opportunity, Refusal> {
        self.view(&by.organization)
            .ok()
            .filter(|view| view.is_open_to(by))
            .ok_or(Refusal::NotFound)
    }

    /// The views of all participants: the owner's first, then by organization id.
    pub fn views(&self) -> impl Iterator<Item = &Opportunity> {
        let invited = self.views.values().filter(|view| view.organization.id != self.owner);
        std::iter::once(self.owner()).chain(invited)
    }

    /// The deal as it stands at `now`: what has lapsed has expired.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.views = self.views.into_iter().map(|(id, view)| (id, view.at(now))).collect();
        self
    }

    /// The instant of the next event: `now`, but later than everything that is known to have happened to the deal. So the
    /// order of events is the order of their instants, even when the clocks of two machines differ.
    #[must_use]
    pub fn next_instant(&self, now: Timestamp) -> Timestamp {
        let latest = self.views.values().map(Opportunity::latest).max();
        latest.map_or(now, |latest| now.max(latest.plus(TimeDelta::milliseconds(1))))
    }

    /// What the clock has done to an organization's invitation and nobody has written down yet: an expiry, which the inviter is
    /// told of, and of a lead, that it goes to the next partner.
    pub fn lapse(&self, organization: &OrganizationId, now: Timestamp) -> Vec<Event> {
        match self.expire(organization, now) {
            Some(expired) => self.and_pass_on(expired, now),
            None => Vec::new(),
        }
    }

    /// The expiry alone: at most one.
    pub(crate) fn expire(&self, organization: &OrganizationId, now: Timestamp) -> Option<Event> {
        let respond_by = self
            .views
            .get(organization)?
            .pending_until()
            .filter(|&respond_by| respond_by <= now)?;
        Some(self.event(organization, Change::Expired, None, respond_by))
    }

    /// What the clock has to do with an organization's invitation and nobody has done yet: to expire it, or else to remind the
    /// organization, once.
    pub fn due(&self, organization: &OrganizationId, now: Timestamp) -> Vec<Event> {
        let lapsed = self.lapse(organization, now);
        if !lapsed.is_empty() {
            return lapsed;
        }
        let remind_at = self.views.get(organization).and_then(Opportunity::remind_at);
        let reminded = remind_at.filter(|&remind_at| remind_at <= now);
        let reminded = reminded.map(|_| self.event(organization, Change::Reminded, None, now));
        reminded.into_iter().collect()
    }

    /// The event, and where it frees a lead, the invitation of the next partner.
    pub(crate) fn and_pass_on(&self, event: Event, now: Timestamp) -> Vec<Event> {
        let after = evolve(Some(self.clone()), &event);
        let passed_on = after.and_then(|after| invite::pass_on(&after, now));
        std::iter::once(event).chain(passed_on).collect()
    }

    /// The views whose organization has not answered yet.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Opportunity> {
        self.views.values().filter(|view| view.pending_until().is_some())
    }

    /// Whom a lead goes to next, if it is with nobody and there is somebody left.
    pub(crate) fn next_partner(&self) -> Option<&Invite> {
        let owner = self.owner();
        let Qualification::Lead { next } = &owner.qualification else {
            return None;
        };
        if owner.standing().stage == Stage::Archived || self.pending().next().is_some() {
            return None;
        }
        let takes = |invite: &&Invite| {
            let previous = self.views.get(&invite.organization.id);
            previous.is_none_or(Opportunity::may_be_invited_again)
        };
        next.iter().find(takes)
    }

    /// The owner's view, for what only the owner may do.
    pub(crate) fn owned_by(&self, by: &Actor) -> Result<&Opportunity, Refusal> {
        let view = self.seen_by(by)?;
        match view.direction() {
            Direction::Outbound => Ok(view),
            Direction::Inbound => Err(Refusal::forbidden(
                "notOwner",
                "Only the organization that created the deal invites others to it.",
            )),
        }
    }

    /// An event with its notices: who is told of what is one rule, here.
    pub(crate) fn event(
        &self,
        organization: &OrganizationId,
        change: Change,
        by: Option<&Actor>,
        at: Timestamp,
    ) -> Event {
        let mut after = self.clone();
        after.apply(organization, &change, at);
        let notices = after.notices(organization, &change);
        let counts = record::counts(self, &after, organization, &change, at);
        Event {
            at,
            actor: by.cloned(),
            organization: organization.clone(),
            change,
            note: None,
            notices,
            counts,
        }
    }

    /// DESIGN section 2: an answer and a silence go to the inviter, an invitation and its withdrawal to the invited, the
    /// end of an invitee's work to the owner, and that of the owner's to everyone that accepted, closed or not.
    fn notices(&self, organization: &OrganizationId, change: &Change) -> Vec<Notice> {
        let to_subject = || vec![organization.clone()];
        let to_owner = || vec![self.owner.clone()];
        let counterparts = || {
            if *organization != self.owner {
                return to_owner();
            }
            self.views
                .values()
                .filter(|view| view.direction() == Direction::Inbound && view.work().is_some())
                .map(|view| view.organization.id.clone())
                .collect()
        };
        let note_readers = || {
            let readers = self
                .views
                .values()
                .filter(|view| view.shares_notes() && !view.organization.is(organization));
            readers.map(|view| view.organization.id.clone()).collect()
        };
        let (notice_type, recipients) = match change {
            Change::Created(_) | Change::Updated(_) | Change::NoteAdded(Visibility::Internal) => return Vec::new(),
            Change::NoteAdded(Visibility::Shared) => (NoticeType::NoteShared, note_readers()),
            Change::Invited(_) => (NoticeType::OpportunityReceived, to_subject()),
            Change::Reminded => (NoticeType::OpportunityExpiring, to_subject()),
            Change::Withdrawn => (NoticeType::InvitationWithdrawn, to_subject()),
            Change::Accepted(_) => (NoticeType::OpportunityAccepted, to_owner()),
            Change::Declined(_) => (NoticeType::OpportunityDeclined, to_owner()),
            Change::Expired => (NoticeType::OpportunityExpired, to_owner()),
            Change::Won(_) => (NoticeType::OpportunityWon, counterparts()),
            Change::Lost(_) => (NoticeType::OpportunityLost, counterparts()),
            Change::RegistrationSubmitted(_) | Change::RegistrationReviewed(_) => {
                return self.registration_notice(organization).into_iter().collect();
            }
        };
        let Some(subject) = self.views.get(organization) else {
            return Vec::new();
        };
        // A lead that nobody is left for comes back to its owner: a second thing to be told.
        let returned = matches!(change, Change::Declined(_) | Change::Expired)
            && self.owner().is_lead()
            && self.owner().standing().stage != Stage::Archived
            && self.pending().next().is_none()
            && self.next_partner().is_none();
        let returned = returned.then_some((NoticeType::LeadReturned, &self.owner));
        recipients
            .iter()
            .map(|recipient| (notice_type, recipient))
            .chain(returned)
            .filter_map(|(notice_type, recipient)| Some((notice_type, self.views.get(recipient)?)))
            .map(|(notice_type, own)| Notice {
                notice_type,
                recipient: Recipient {
                    organization: own.organization.id.clone(),
                    kind: own.organization.kind,
                },
                opportunity: Some(self.snapshot(own, subject)),
                registration: None,
                respond_by: matches!(change, Change::Invited(_) | Change::Reminded)
                    .then(|| subject.pending_until())
                    .flatten(),
            })
            .collect()
    }

    /// The deal as one that has a part in it knows it, after something happened to the subject.
    pub(crate) fn snapshot(&self, own: &Opportunity, subject: &Opportunity) -> Snapshot {
        let standing = subject.standing();
        Snapshot {
            name: own.name.clone(),
            customer_name: own.customer.name.clone(),
            estimated_value: own.estimated_value,
            stage: standing.stage,
            outcome: standing.outcome,
            reason: subject.reason().filter(|_| own.organization.id == self.owner),
        }
    }

    /// Whether an invited organization's view can come to be, or start afresh, in this state.
    fn takes_invitation(&self, view: &Opportunity) -> bool {
        let previous = self.views.get(&view.organization.id);
        self.owner().standing().stage != Stage::Archived
            && previous.is_none_or(|previous| previous.may_be_invited_again() && previous.version < view.version)
    }

    fn apply(&mut self, organization: &OrganizationId, change: &Change, at: Timestamp) {
        if let Change::Invited(view) = change {
            if !self.takes_invitation(view) {
                return;
            }
            self.views.insert(organization.clone(), (**view).clone());
            if let Some(owner) = self.views.get_mut(&self.owner) {
                if let Progress::Outbound { deal_type, .. } = &mut owner.progress {
                    *deal_type = DealType::CoSell;
                }
                if let Qualification::Lead { next } = &mut owner.qualification {
                    next.retain(|invite| !invite.organization.is(organization));
                }
                owner.touch(at);
            }
            return;
        }
        let Some(view) = self.views.get_mut(organization) else {
            return;
        };
        let stage = view.standing().stage;
        let edit = |view: &mut Opportunity, edits: &[crate::Edit]| edits.iter().for_each(|edit| edit.apply(view));
        match (change, stage) {
            (Change::Expired, Stage::Received) if view.pending_until() == Some(at) => return view.expire(at),
            (Change::Reminded, Stage::Received) if view.remind_at().is_some_and(|remind_at| remind_at <= at) => {
                return view.remind(at);
            }
            (Change::Accepted(edits), Stage::Received) => {
                view.respond(Response::Accepted(Work::since(at)));
                edit(view, edits);
                view.touch(at);
                if view.is_lead() {
                    view.qualification = Qualification::SalesQualified;
                    self.qualify_owner(at);
                }
                return;
            }
            (Change::NoteAdded(_), Stage::Received | Stage::Accepted) => {
                view.noted_at = Some(view.latest().max(at));
                return;
            }
            (Change::Declined(reason), Stage::Received) => view.respond(Response::Declined { at, reason: *reason }),
            (Change::Withdrawn, Stage::Received) => view.respond(Response::Withdrawn { at }),
            (Change::Updated(edits), Stage::Accepted) => edit(view, edits),
            (Change::Won(final_value), Stage::Accepted) => close_work(
                view,
                at,
                CloseResult::Won {
                    final_value: *final_value,
                },
            ),
            (Change::Lost(reason), Stage::Accepted) => close_work(view, at, CloseResult::Lost { reason: *reason }),
            (Change::RegistrationSubmitted(submitted), Stage::Archived) if view.takes_registration(&submitted.to) => {
                view.registration = Some(Box::new(submitted.to.clone()));
            }
            (Change::RegistrationReviewed(verdict), Stage::Archived) if view.awaits_review() => {
                if let Some(registration) = &mut view.registration {
                    registration.apply(verdict, at);
                }
            }
            _ => return,
        }
        view.touch(at);
    }
}

impl Deal {
    /// Somebody has taken the lead up: from then on it is an opportunity for its owner as well.
    fn qualify_owner(&mut self, at: Timestamp) {
        if let Some(owner) = self.views.get_mut(&self.owner) {
            owner.qualification = Qualification::SalesQualified;
            owner.touch(at);
        }
    }
}

fn close_work(view: &mut Opportunity, at: Timestamp, result: CloseResult) {
    if let Some(work) = view.work_mut() {
        work.closed = Some(Closed { at, result });
    }
}

impl Party {
    /// Whether these are the same organization.
    pub(crate) fn is(&self, organization: &OrganizationId) -> bool {
        self.id == *organization
    }
}
