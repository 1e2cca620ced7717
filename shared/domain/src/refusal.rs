//! Why a command was not carried out. A refused command changes nothing.

use crate::fault::{Faults, Flaw};
use crate::opportunity::{Opportunity, Standing};
use crate::registration::RegistrationStatus;

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such deal, or the caller's organization has no part in it: the two are not told apart.
    NotFound,
    /// The caller's organization may not do this.
    Forbidden {
        /// Stable, machine-readable.
        code: &'static str,
        /// For a person.
        message: String,
    },
    /// The state of things does not allow it.
    Conflict {
        /// Stable, machine-readable.
        code: &'static str,
        /// For a person.
        message: String,
        /// Where the opportunity stands instead, if it is about one.
        standing: Option<Standing>,
    },
    /// The registration's status does not allow it.
    WrongStatus {
        /// For a person.
        message: String,
        /// Where the registration stands instead.
        status: RegistrationStatus,
    },
    /// The request itself is wrong.
    Invalid(Faults),
}

impl Refusal {
    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::Forbidden {
            code,
            message: message.into(),
        }
    }

    /// The opportunity has left the stage that the command is for, or is not there yet.
    pub(crate) fn wrong_stage(opportunity: &Opportunity, needed: &str) -> Self {
        let standing = opportunity.standing();
        let is = standing
            .outcome
            .map_or(standing.stage.as_str(), |outcome| outcome.as_str());
        Self::Conflict {
            code: "wrongStage",
            message: format!("The opportunity is {is}; this needs it {needed}."),
            standing: Some(standing),
        }
    }

    pub(crate) fn conflict(code: &'static str, message: impl Into<String>, opportunity: &Opportunity) -> Self {
        Self::Conflict {
            code,
            message: message.into(),
            standing: Some(opportunity.standing()),
        }
    }

    pub(crate) fn invalid(pointer: &str, flaw: Flaw) -> Self {
        Self::Invalid(Faults(vec![flaw.at(pointer)]))
    }
}

impl Faults {
    /// The value, unless something was noted.
    pub(crate) fn or<T>(self, value: Option<T>) -> Result<T, Refusal> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(Refusal::Invalid(self)),
        }
    }
}
