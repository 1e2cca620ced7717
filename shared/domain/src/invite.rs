//! Inviting another organization to a deal, and taking an invitation back.

use serde_json::Value;

use crate::catalog::{Catalog, Organization, References};
use crate::create::MAX_PARTICIPANTS;
use crate::deal::Deal;
use crate::event::{Change, Event};
use crate::fault::{Faults, Flaw};
use crate::form::{Fields, FromJson, List};
use crate::opportunity::{
    Actor, HelpType, Invitation, Opportunity, Party, Person, Progress, Qualification, Response, ResponseWindow, Stage,
};
use crate::refusal::Refusal;
use crate::text::{OrganizationId, Prose};
use crate::time::Timestamp;

type ContactList = List<Person, 0, 50>;

/// An invitation to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// To whom.
    pub organization: Party,
    /// What is asked for.
    pub help_type: HelpType,
    /// In the owner's words.
    pub message: Prose,
    /// Whom to talk to at the owner's.
    pub contacts: Vec<Person>,
    /// Internal.
    pub note: Option<Prose>,
    /// How long there is to answer.
    pub window: ResponseWindow,
}

/// The request, read but not yet compared with what it refers to.
#[derive(Debug, Clone, Default)]
pub struct InviteForm {
    organization: Option<OrganizationId>,
    help_type: Option<HelpType>,
    message: Option<Prose>,
    contacts: Option<ContactList>,
    note: Option<Prose>,
    faults: Faults,
}

impl FromJson for InviteForm {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults);
        let form = Self::members(&mut fields, faults);
        fields.finish(faults);
        Some(form)
    }
}

impl InviteForm {
    /// Reads the request body, noting every fault.
    pub fn read(body: &Value) -> Self {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let mut form = Self::members(&mut fields, &mut faults);
        form.note = fields.optional("note", &mut faults);
        fields.finish(&mut faults);
        form.faults = faults;
        form
    }

    fn members(fields: &mut Fields<'_>, faults: &mut Faults) -> Self {
        let form = Self {
            organization: fields.required("organizationId", faults),
            help_type: fields.required("helpType", faults),
            message: fields.required("message", faults),
            contacts: fields.optional("contacts", faults),
            ..Self::default()
        };
        if fields.required("customerConsent", faults) == Some(false) {
            let message = "must be true: the customer agreed that its contact is shared";
            faults.push(Flaw::new("consentRequired", message).at(fields.at("customerConsent")));
        }
        form
    }

    pub(crate) fn organization(&self) -> Option<&OrganizationId> {
        self.organization.as_ref()
    }

    /// What has to be looked up before [`Self::check`].
    pub fn references(&self, by: &Actor) -> References {
        let organizations = self.organization.iter().chain([&by.organization]).cloned().collect();
        References {
            organizations,
            ..References::default()
        }
    }

    /// The command, or why the deal does not take it, or all that is wrong. `window` is how long the invited organization
    /// has to answer.
    pub fn check(&self, deal: &Deal, catalog: &Catalog, by: &Actor, window: ResponseWindow) -> Result<Invite, Refusal> {
        let own = open_deal(deal, by)?;
        let inviter = catalog
            .organizations
            .get(&by.organization)
            .ok_or_else(|| not_co_sell_ready(&own.organization))?;
        may_invite(inviter)?;
        let mut faults = self.faults.clone();
        let missing = own.customer.contact.missing();
        if !missing.is_empty() {
            let message = format!(
                "needs the customer's contact to be complete; PATCH customer.contact: {} first",
                missing.join(", ")
            );
            faults.push(Flaw::new("contactIncomplete", message).at(""));
        }
        let command = self.command("", &own.organization, catalog, window, &mut faults);
        faults.or(command)
    }

    pub(crate) fn command(
        &self,
        pointer: &str,
        owner: &Party,
        catalog: &Catalog,
        window: ResponseWindow,
        faults: &mut Faults,
    ) -> Option<Invite> {
        let organization = self.organization.as_ref().and_then(|id| {
            let found = match catalog.organizations.get(id) {
                _ if owner.is(id) => Err(Flaw::new("selfInvitation", "is your own organization")),
                Some(found) => Ok(found.party.clone()),
                None => Err(Flaw::new(
                    "unknownOrganization",
                    "is not an organization of this exchange",
                )),
            };
            faults.check(&format!("{pointer}/organizationId"), found)
        });
        Some(Invite {
            organization: organization?,
            help_type: self.help_type?,
            message: self.message.clone()?,
            contacts: self.contacts.clone().map_or(Some(Vec::new()), List::complete)?,
            note: self.note.clone(),
            window,
        })
    }
}

/// The rule: the owner, while its own opportunity is open, one open invitation an organization; again after it declined,
/// expired or was withdrawn.
pub(crate) fn invite(deal: &Deal, invite: &Invite, by: &Actor, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let invited = &invite.organization.id;
    // Its last invitation may have lapsed without anybody having written that down: that comes first.
    let lapsed = deal.expire(invited, now);
    let deal = &deal.clone().at(now);
    let own = open_deal(deal, by)?;
    if own.is_lead()
        && let Some(pending) = deal.pending().find(|view| !view.organization.is(invited))
    {
        let message = format!(
            "A lead is with one partner at a time, and {} has not answered yet; its invitation can be withdrawn.",
            pending.organization.name
        );
        return Err(Refusal::conflict("leadPending", message, own));
    }
    let previous = deal.view(invited).ok();
    match previous.map(|view| (view, &view.progress)) {
        Some((
            view,
            Progress::Inbound {
                response: Response::Pending { .. },
                ..
            },
        )) => {
            let message = format!(
                "{} has a pending invitation to this deal; it can be withdrawn.",
                view.organization.name
            );
            return Err(Refusal::conflict("alreadyInvited", message, own));
        }
        Some((
            view,
            Progress::Inbound {
                response: Response::Accepted(_),
                ..
            },
        )) => {
            let message = format!("{} has accepted this deal.", view.organization.name);
            return Err(Refusal::conflict("alreadyParticipates", message, own));
        }
        Some((_, Progress::Outbound { .. })) => {
            return Err(Refusal::invalid(
                "/organizationId",
                Flaw::new("selfInvitation", "is your own organization"),
            ));
        }
        None if deal.views().count() >= MAX_PARTICIPANTS => {
            let message = format!("A deal has at most {MAX_PARTICIPANTS} participants, its owner included.");
            return Err(Refusal::conflict("tooManyParticipants", message, own));
        }
        Some((_, Progress::Inbound { .. })) | None => {}
    }
    let change = Change::Invited(Box::new(received(own, previous, invite, now)));
    let event = Event {
        note: invite.note.clone(),
        ..deal.event(invited, change, Some(by), now)
    };
    Ok(lapsed.into_iter().chain([event]).collect())
}

/// Whom the owner could invite to the deal as it stands: those that have no part in it, while there is room, and those whose
/// last invitation came to nothing. The same rule as that of [`invite`], before anything is sent, save that of a lead these are
/// those that could have it next: whoever waits for it already is not among them.
pub fn invitable(deal: &Deal, by: &Actor) -> Result<impl Fn(&OrganizationId) -> bool, Refusal> {
    let own = open_deal(deal, by)?;
    let room = deal.views().count() < MAX_PARTICIPANTS;
    let waits = |organization: &OrganizationId| match &own.qualification {
        Qualification::Lead { next } => next.iter().any(|invite| invite.organization.id == *organization),
        Qualification::SalesQualified => false,
    };
    Ok(move |organization: &OrganizationId| {
        let takes_it = deal.view(organization).map_or(room, Opportunity::may_be_invited_again);
        takes_it && !own.organization.is(organization) && !waits(organization)
    })
}

/// The rule: the owner takes back what is still pending.
pub(crate) fn withdraw(
    deal: &Deal,
    organization: &OrganizationId,
    by: &Actor,
    now: Timestamp,
) -> Result<Vec<Event>, Refusal> {
    let deal = deal.clone().at(now);
    deal.owned_by(by)?;
    let view = deal.view(organization)?;
    if view.standing().stage != Stage::Received {
        return Err(Refusal::wrong_stage(
            view,
            "to be received: only a pending invitation can be withdrawn",
        ));
    }
    // The owner's end took back what was pending: only a clock that runs behind sees it pending still.
    open_deal(&deal, by)?;
    let withdrawn = deal.event(organization, Change::Withdrawn, Some(by), now);
    Ok(deal.and_pass_on(withdrawn, now))
}

/// The rule of leads: what was declined, met with silence or was taken back goes to the next partner by itself. Nobody did
/// it: the clock is what moves it on.
pub(crate) fn pass_on(deal: &Deal, now: Timestamp) -> Option<Event> {
    let next = deal.next_partner()?;
    let own = deal.owner();
    let previous = deal.view(&next.organization.id).ok();
    let change = Change::Invited(Box::new(received(own, previous, next, now)));
    Some(deal.event(&next.organization.id, change, None, now))
}

/// A partner invites only when it has something to sell together.
pub(crate) fn may_invite(inviter: &Organization) -> Result<(), Refusal> {
    if inviter.is_co_sell_ready() {
        Ok(())
    } else {
        Err(not_co_sell_ready(&inviter.party))
    }
}

fn not_co_sell_ready(inviter: &Party) -> Refusal {
    let message = format!(
        "{} publishes no co-sell ready solution, which an organization needs before it invites others.",
        inviter.name
    );
    Refusal::forbidden("notCoSellReady", message)
}

fn open_deal<'a>(deal: &'a Deal, by: &Actor) -> Result<&'a Opportunity, Refusal> {
    let own = deal.owned_by(by)?;
    match own.standing().stage {
        Stage::Archived => Err(Refusal::wrong_stage(own, "not to be archived")),
        Stage::Received | Stage::Accepted => Ok(own),
    }
}

/// The invited organization's view. Never copied: CRM id, campaign id, notes, and the team beyond the named contacts.
fn received(own: &Opportunity, previous: Option<&Opportunity>, invite: &Invite, now: Timestamp) -> Opportunity {
    Opportunity {
        deal: own.deal.clone(),
        organization: invite.organization.clone(),
        owner: own.owner.clone(),
        version: previous.map_or(1, |view| view.version + 1),
        created_at: now,
        updated_at: previous.map_or(now, |view| view.updated_at.max(now)),
        noted_at: None,
        name: own.name.clone(),
        qualification: match own.qualification {
            Qualification::Lead { .. } => Qualification::Lead { next: Vec::new() },
            Qualification::SalesQualified => Qualification::SalesQualified,
        },
        estimated_value: own.estimated_value,
        estimated_close_date: own.estimated_close_date,
        crm_id: None,
        campaign_id: None,
        customer: own.customer.clone(),
        team: Vec::new(),
        solutions: own.solutions.clone(),
        progress: Progress::Inbound {
            invitation: Invitation {
                help_type: invite.help_type,
                message: invite.message.clone(),
                contacts: invite.contacts.clone(),
                sent_at: now,
                respond_by: invite.window.respond_by(now),
            },
            response: Response::Pending {
                remind_at: invite.window.remind_at(now),
            },
        },
        registration: None,
    }
}
