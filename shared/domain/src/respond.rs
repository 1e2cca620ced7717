//! Accepting or declining an invitation.

use serde_json::Value;

use crate::create::{TeamList, with_creator};
use crate::deal::Deal;
use crate::event::{Change, Event};
use crate::fault::{Faults, Flaw};
use crate::form::{Fields, Patch};
use crate::opportunity::{Access, Actor, Direction, Opportunity, Reason, Stage, words};
use crate::refusal::Refusal;
use crate::text::Prose;
use crate::time::Timestamp;
use crate::update::Edits;

words!(
    /// The answer to an invitation.
    Decision {
        /// Yes.
        Accept = "accept",
        /// No.
        Decline = "decline",
    }
);

/// An answer to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Respond {
    /// Yes, with first edits of one's own view.
    Accept {
        /// What to change at once.
        edits: Box<Edits>,
        /// Internal.
        note: Option<Prose>,
    },
    /// No.
    Decline {
        /// Why.
        reason: Reason,
        /// Internal; required when the reason is `other`.
        note: Option<Prose>,
    },
}

/// The request, read but not yet compared with the deal.
#[derive(Debug, Clone)]
pub struct RespondForm {
    command: Option<Respond>,
    faults: Faults,
}

impl RespondForm {
    /// Reads the request body, noting every fault.
    pub fn read(body: &Value) -> Self {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let decision = fields.required("decision", &mut faults);
        let command = match decision {
            Some(Decision::Accept) => {
                let edits = Edits {
                    name: fields.optional("name", &mut faults),
                    estimated_value: fields.optional("estimatedValue", &mut faults),
                    estimated_close_date: fields.optional("estimatedCloseDate", &mut faults),
                    crm_id: fields.optional("crmId", &mut faults).map(Patch::Set),
                    campaign_id: fields.optional("campaignId", &mut faults).map(Patch::Set),
                    team: fields.optional("team", &mut faults).and_then(TeamList::complete),
                    ..Edits::default()
                };
                fields.not_here(&["reason"]);
                Some(Respond::Accept {
                    edits: Box::new(edits),
                    note: fields.optional("note", &mut faults),
                })
            }
            Some(Decision::Decline) => {
                let (reason, note) = reason_and_note(&mut fields, &mut faults);
                fields.not_here(&[
                    "name",
                    "estimatedValue",
                    "estimatedCloseDate",
                    "crmId",
                    "campaignId",
                    "team",
                ]);
                reason.map(|reason| Respond::Decline { reason, note })
            }
            None => None,
        };
        if decision.is_some() {
            // Which fields belong here depends on the decision.
            fields.finish(&mut faults);
        }
        Self { command, faults }
    }

    /// The command, or why the deal does not take it, or all that is wrong.
    pub fn check(&self, deal: &Deal, by: &Actor, now: Timestamp) -> Result<Respond, Refusal> {
        let view = awaiting(deal, by)?;
        let mut faults = self.faults.clone();
        let mut command = self.command.clone();
        if let Some(Respond::Accept { edits, .. }) = &mut command {
            edits.check_date(view, now, &mut faults);
            if view.is_lead() {
                // Accepting turns it into an opportunity, which has both.
                let missing = [
                    (
                        "/estimatedValue",
                        edits.estimated_value.or(view.estimated_value).is_none(),
                    ),
                    (
                        "/estimatedCloseDate",
                        edits.estimated_close_date.or(view.estimated_close_date).is_none(),
                    ),
                ];
                for (pointer, missing) in missing {
                    if missing && !faults.within(pointer) {
                        faults.push(Flaw::new("required", "is required to accept this lead").at(pointer));
                    }
                }
            }
            if matches!(by.access, Access::Team(_)) {
                let team = edits.team.take().unwrap_or_else(|| view.team.clone());
                edits.team = with_creator(team, by, &mut faults);
            }
        }
        faults.or(command)
    }
}

/// The reason of a decline or a loss; `other` is told in the note.
pub(crate) fn reason_and_note(fields: &mut Fields<'_>, faults: &mut Faults) -> (Option<Reason>, Option<Prose>) {
    let reason = fields.required("reason", faults);
    let note: Option<Prose> = fields.optional("note", faults);
    if reason == Some(Reason::Other) && note.is_none() && !faults.has("/note") {
        faults.push(Flaw::new("noteRequired", "is required when the reason is other").at("/note"));
    }
    (reason, note)
}

/// The rule: the invited organization, before `respondBy`.
pub(crate) fn respond(deal: &Deal, respond: &Respond, by: &Actor, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let deal = deal.clone().at(now);
    let view = awaiting(&deal, by)?;
    let (change, note) = match respond {
        Respond::Accept { edits, note } => (Change::Accepted(edits.against(view)), note),
        Respond::Decline { reason, note } => (Change::Declined(*reason), note),
    };
    let answered = Event {
        note: note.clone(),
        ..deal.event(&by.organization, change, Some(by), now)
    };
    Ok(deal.and_pass_on(answered, now))
}

fn awaiting<'a>(deal: &'a Deal, by: &Actor) -> Result<&'a Opportunity, Refusal> {
    let view = deal.seen_by(by)?;
    match (view.direction(), view.standing().stage) {
        (Direction::Inbound, Stage::Received) => Ok(view),
        _ => Err(Refusal::wrong_stage(view, "to be received")),
    }
}
