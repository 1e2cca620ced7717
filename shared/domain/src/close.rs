//! Reporting how a deal ended.

use serde_json::Value;

use crate::deal::{Deal, evolve};
use crate::event::{Change, Event};
use crate::fault::{Faults, Flaw};
use crate::form::Fields;
use crate::money::Money;
use crate::opportunity::{Actor, Direction, Opportunity, Reason, Stage, words};
use crate::refusal::Refusal;
use crate::respond::reason_and_note;
use crate::text::Prose;
use crate::time::Timestamp;

words!(
    /// How accepted work ends.
    Ending {
        /// The customer bought.
        Won = "won",
        /// The customer did not.
        Lost = "lost",
    }
);

/// An end to be reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// The customer bought.
    Won {
        /// For this much; else the estimate stands.
        final_value: Option<Money>,
        /// Internal.
        note: Option<Prose>,
    },
    /// The customer did not.
    Lost {
        /// Why.
        reason: Reason,
        /// Internal; required when the reason is `other`.
        note: Option<Prose>,
    },
}

/// The request, read but not yet compared with the deal.
#[derive(Debug, Clone)]
pub struct CloseForm {
    command: Option<Close>,
    faults: Faults,
}

impl CloseForm {
    /// Reads the request body, noting every fault.
    pub fn read(body: &Value) -> Self {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let ending = fields.required("outcome", &mut faults);
        let command = match ending {
            Some(Ending::Won) => {
                fields.not_here(&["reason"]);
                Some(Close::Won {
                    final_value: fields.optional("finalValue", &mut faults),
                    note: fields.optional("note", &mut faults),
                })
            }
            Some(Ending::Lost) => {
                let (reason, note) = reason_and_note(&mut fields, &mut faults);
                fields.not_here(&["finalValue"]);
                reason.map(|reason| Close::Lost { reason, note })
            }
            None => None,
        };
        if ending.is_some() {
            // Which fields belong here depends on the outcome.
            fields.finish(&mut faults);
        }
        Self { command, faults }
    }

    /// Whether it reports a deal that was won.
    pub fn is_won(&self) -> bool {
        matches!(self.command, Some(Close::Won { .. }))
    }

    /// The command, or why the deal does not take it, or all that is wrong.
    pub fn check(&self, deal: &Deal, by: &Actor) -> Result<Close, Refusal> {
        let view = open(deal, by)?;
        let mut faults = self.faults.clone();
        let for_nothing = matches!(self.command, Some(Close::Won { final_value: None, .. }));
        if for_nothing && view.estimated_value.is_none() && !faults.within("/finalValue") {
            let message = "is required: there is no estimated value that could stand for it";
            faults.push(Flaw::new("required", message).at("/finalValue"));
        }
        faults.or(self.command.clone())
    }
}

/// The rule: every participant, for its own opportunity, while it works it. The owner's end also takes back the
/// invitations that are still pending.
pub(crate) fn close(deal: &Deal, close: &Close, by: &Actor, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let deal = deal.clone().at(now);
    let view = open(&deal, by)?;
    let (change, note) = match close {
        Close::Won { final_value, note } => {
            let value = final_value.or(view.estimated_value);
            let missing = || Refusal::invalid("/finalValue", Flaw::new("required", "is required"));
            (Change::Won(value.ok_or_else(missing)?), note)
        }
        Close::Lost { reason, note } => (Change::Lost(*reason), note),
    };
    let closed = Event {
        note: note.clone(),
        ..deal.event(&by.organization, change, Some(by), now)
    };
    if view.direction() == Direction::Inbound {
        return Ok(vec![closed]);
    }
    let after = evolve(Some(deal.clone()), &closed).ok_or(Refusal::NotFound)?;
    let withdrawn = deal
        .views()
        .filter(|view| view.standing().stage == Stage::Received)
        .map(|view| after.event(&view.organization.id, Change::Withdrawn, Some(by), now));
    Ok(std::iter::once(closed).chain(withdrawn).collect())
}

fn open<'a>(deal: &'a Deal, by: &Actor) -> Result<&'a Opportunity, Refusal> {
    let view = deal.seen_by(by)?;
    match view.standing().stage {
        Stage::Accepted => Ok(view),
        Stage::Received | Stage::Archived => Err(Refusal::wrong_stage(view, "to be accepted")),
    }
}
