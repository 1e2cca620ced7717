//! What is wrong with a request, and where.

use std::fmt;

/// What is wrong with one value, without saying where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Stable, machine-readable.
    pub code: &'static str,
    /// For a person: what was wrong and what would be right.
    pub message: String,
    /// The values that would be accepted, where they are few.
    pub allowed: Vec<&'static str>,
}

impl Flaw {
    /// A flaw without a list of allowed values.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            allowed: Vec::new(),
        }
    }

    /// A value outside a closed list.
    pub fn choice(allowed: &[&'static str]) -> Self {
        let message = format!("must be one of {}", allowed.join(", "));
        Self {
            code: "invalidChoice",
            message,
            allowed: allowed.to_vec(),
        }
    }

    /// The flaw at a place: a JSON Pointer (RFC 6901) into the request.
    pub fn at(self, pointer: impl Into<String>) -> Fault {
        Fault {
            pointer: pointer.into(),
            code: self.code,
            message: self.message,
            allowed: self.allowed,
        }
    }
}

/// A [`Flaw`] and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON Pointer (RFC 6901) into the request body; empty for the whole of it.
    pub pointer: String,
    /// Stable, machine-readable.
    pub code: &'static str,
    /// For a person: what was wrong and what would be right.
    pub message: String,
    /// The values that would be accepted, where they are few.
    pub allowed: Vec<&'static str>,
}

/// The most faults of one request that are told. A body of a few bytes for each fault could have tens of thousands, and an
/// answer that names them all is more than Lambda passes on.
const MOST: usize = 1_000;

/// All faults of one request, as far as they are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Adds one. After very many, the last one says that there are more.
    pub fn push(&mut self, fault: Fault) {
        match self.0.len() {
            ..MOST => self.0.push(fault),
            MOST => {
                let message = format!("has more faults than the {MOST} that are listed here");
                self.0.push(Flaw::new("tooMany", message).at(""));
            }
            _ => {}
        }
    }

    /// Keeps the value, or notes what is wrong with it.
    pub fn check<T>(&mut self, pointer: &str, parsed: Result<T, Flaw>) -> Option<T> {
        parsed.map_err(|flaw| self.push(flaw.at(pointer))).ok()
    }

    /// Whether something is wrong with the value at a place.
    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.0.iter().any(|fault| fault.pointer == pointer)
    }

    /// Whether something is wrong with the value at a place, or within it.
    pub(crate) fn within(&self, pointer: &str) -> bool {
        self.0.iter().any(|fault| fault.pointer.starts_with(pointer))
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(found: I) -> Self {
        let mut faults = Self::default();
        found.into_iter().for_each(|fault| faults.push(fault));
        faults
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}", fault.pointer, fault.message)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_told_as_an_answer_holds() {
        let many = |count: usize| (0..count).map(|index| Flaw::new("wrongType", "is wrong").at(format!("/{index}")));
        let all: Faults = many(MOST).collect();
        assert_eq!(all.0.len(), MOST);
        assert!(all.0.iter().all(|fault| fault.code == "wrongType"));
        let more: Faults = many(100_000).collect();
        assert_eq!(more.0[..MOST], all.0[..]);
        let last = [("", "tooMany", "has more faults than the 1000 that are listed here")];
        let told = more.0[MOST..].iter();
        assert!(
            told.map(|fault| (fault.pointer.as_str(), fault.code, fault.message.as_str()))
                .eq(last)
        );
    }
}
