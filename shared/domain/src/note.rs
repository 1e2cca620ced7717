//! Notes on a deal: appended, never changed.

use serde_json::Value;

use crate::deal::Deal;
use crate::event::{Change, Event};
use crate::fault::Faults;
use crate::form::Fields;
use crate::opportunity::{Actor, Opportunity, Stage, words};
use crate::refusal::Refusal;
use crate::text::Prose;
use crate::time::Timestamp;

words!(
    /// Who may read a note.
    Visibility {
        /// The author's organization.
        Internal = "internal",
        /// The owner and every participant that has accepted.
        Shared = "shared",
    }
);

/// A note to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddNote {
    text: Prose,
    visibility: Visibility,
}

/// The request, read but not yet compared with the deal.
#[derive(Debug, Clone)]
pub struct NoteForm {
    command: Option<AddNote>,
    faults: Faults,
}

impl NoteForm {
    /// Reads the request body, noting every fault.
    pub fn read(body: &Value) -> Self {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let text = fields.required("text", &mut faults);
        let visibility = fields.required("visibility", &mut faults);
        fields.finish(&mut faults);
        let command = text
            .zip(visibility)
            .map(|(text, visibility)| AddNote { text, visibility });
        Self { command, faults }
    }

    /// The command, or why the deal does not take it, or all that is wrong.
    pub fn check(&self, deal: &Deal, by: &Actor) -> Result<AddNote, Refusal> {
        open(deal, by)?;
        self.faults.clone().or(self.command.clone())
    }
}

/// The rule: every participant, until its opportunity is archived; shared by those who read what is shared.
pub(crate) fn note(deal: &Deal, note: &AddNote, by: &Actor, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let deal = deal.clone().at(now);
    let view = open(&deal, by)?;
    if note.visibility == Visibility::Shared && !view.shares_notes() {
        return Err(Refusal::wrong_stage(view, "to be accepted before notes are shared"));
    }
    let event = deal.event(&by.organization, Change::NoteAdded(note.visibility), Some(by), now);
    Ok(vec![Event {
        note: Some(note.text.clone()),
        ..event
    }])
}

impl Opportunity {
    /// Whether its organization reads and writes shared notes: the owner does, and everyone that has accepted, closed or not.
    pub fn shares_notes(&self) -> bool {
        self.work().is_some()
    }
}

fn open<'a>(deal: &'a Deal, by: &Actor) -> Result<&'a Opportunity, Refusal> {
    let view = deal.seen_by(by)?;
    match view.standing().stage {
        Stage::Received | Stage::Accepted => Ok(view),
        Stage::Archived => Err(Refusal::wrong_stage(view, "not to be archived")),
    }
}
