//! Reading a JSON document into typed values, noting every fault and where it is, instead of stopping at the first.

use serde_json::{Map, Value};

use crate::fault::{Faults, Flaw};

/// A value written as a JSON string.
pub trait Parse: Sized {
    /// The value, or what is wrong with the text.
    fn parse(text: &str) -> Result<Self, Flaw>;
}

/// A value written as any JSON.
pub(crate) trait FromJson: Sized {
    /// The value, or `None` with at least one fault noted.
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self>;
}

impl<T: Parse> FromJson for T {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::String(text) => faults.check(pointer, T::parse(text)),
            other => wrong_type(other, "a string", pointer, faults),
        }
    }
}

impl FromJson for bool {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        value
            .as_bool()
            .or_else(|| wrong_type(value, "true or false", pointer, faults))
    }
}

/// A list of `MIN` to `MAX` items, with holes where an item was wrong: its other items can still be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<T, const MIN: usize, const MAX: usize>(pub(crate) Vec<Option<T>>);

impl<T, const MIN: usize, const MAX: usize> List<T, MIN, MAX> {
    /// All items, if none was wrong.
    pub(crate) fn complete(self) -> Option<Vec<T>> {
        self.0.into_iter().collect()
    }
}

impl<T: FromJson, const MIN: usize, const MAX: usize> FromJson for List<T, MIN, MAX> {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let Value::Array(items) = value else {
            return wrong_type(value, "an array", pointer, faults);
        };
        if items.len() < MIN {
            let message = format!("must have at least {MIN} items, not {}", items.len());
            faults.push(Flaw::new("tooFew", message).at(pointer));
        }
        // What comes after the most that may be there is not even looked at.
        let read = |(index, item)| T::from_json(item, &format!("{pointer}/{index}"), faults);
        let list = Self(items.iter().take(MAX).enumerate().map(read).collect());
        if items.len() > MAX {
            let message = format!("must have at most {MAX} items, not {}", items.len());
            faults.push(Flaw::new("tooMany", message).at(pointer));
            // What it names is not looked up: a request costs no more than the longest right one.
            return None;
        }
        Some(list)
    }
}

/// What a JSON Merge Patch (RFC 7396) says of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Patch<T> {
    /// The member is `null`.
    Clear,
    /// The member has a value.
    Set(T),
}

/// The members of one JSON object, taken by name; [`Fields::finish`] notes those that nobody asked for.
pub(crate) struct Fields<'a> {
    members: Option<&'a Map<String, Value>>,
    pointer: &'a str,
    known: Vec<&'static str>,
    elsewhere: &'static [&'static str],
}

impl<'a> Fields<'a> {
    /// Starts reading; a value that is no object is a fault, and then has no members.
    pub(crate) fn of(value: &'a Value, pointer: &'a str, faults: &mut Faults) -> Self {
        let members = value.as_object();
        if members.is_none() {
            wrong_type::<()>(value, "an object", pointer, faults);
        }
        Self {
            members,
            pointer,
            known: Vec::new(),
            elsewhere: &[],
        }
    }

    /// Where a member stands.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escape(name))
    }

    fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.members?.get(name)
    }

    /// Whether the member is there, be it `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.is_some_and(|members| members.contains_key(name))
    }

    /// A member that must be there; absent and `null` are the same fault.
    pub(crate) fn required<T: FromJson>(&mut self, name: &'static str, faults: &mut Faults) -> Option<T> {
        match self.take(name) {
            None | Some(Value::Null) => {
                if self.members.is_some() {
                    faults.push(Flaw::new("required", "is required").at(self.at(name)));
                }
                None
            }
            Some(value) => T::from_json(value, &self.at(name), faults),
        }
    }

    /// A member that may be absent or `null`.
    pub(crate) fn optional<T: FromJson>(&mut self, name: &'static str, faults: &mut Faults) -> Option<T> {
        let value = self.take(name).filter(|value| !value.is_null())?;
        T::from_json(value, &self.at(name), faults)
    }

    /// A member of a merge patch: absent is `None`.
    pub(crate) fn patch<T: FromJson>(&mut self, name: &'static str, faults: &mut Faults) -> Option<Patch<T>> {
        match self.take(name)? {
            Value::Null => Some(Patch::Clear),
            value => T::from_json(value, &self.at(name), faults).map(Patch::Set),
        }
    }

    /// A member of a merge patch that cannot be cleared.
    pub(crate) fn replace<T: FromJson>(&mut self, name: &'static str, faults: &mut Faults) -> Option<T> {
        match self.patch(name, faults)? {
            Patch::Set(value) => Some(value),
            Patch::Clear => {
                faults.push(Flaw::new("required", "cannot be removed").at(self.at(name)));
                None
            }
        }
    }

    /// Names members that belong to another choice than the one that the request made.
    pub(crate) fn not_here(&mut self, names: &'static [&'static str]) {
        self.elsewhere = names;
    }

    /// Notes every member that was never taken: a misspelt field must not be lost in silence.
    pub(crate) fn finish(self, faults: &mut Faults) {
        for (name, value) in self.members.into_iter().flatten() {
            if self.elsewhere.contains(&name.as_str()) {
                if !value.is_null() {
                    let message = format!("does not go with this choice; the fields are {}", self.known.join(", "));
                    faults.push(Flaw::new("notAllowed", message).at(self.at(name)));
                }
            } else if !self.known.contains(&name.as_str()) {
                let message = format!("is not a field here; the fields are {}", self.known.join(", "));
                faults.push(Flaw::new("unknownField", message).at(self.at(name)));
            }
        }
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn wrong_type<T>(value: &Value, wanted: &str, pointer: &str, faults: &mut Faults) -> Option<T> {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    faults.push(Flaw::new("wrongType", format!("must be {wanted}, not {found}")).at(pointer));
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::DealName;

    #[test]
    fn what_is_beyond_the_end_of_a_list_is_not_read() {
        let mut faults = Faults::default();
        let value = json!(["", "x", 1, 2, 3]);
        assert_eq!(List::<DealName, 0, 3>::from_json(&value, "/list", &mut faults), None);
        let found: Vec<_> = faults.0.iter().map(|f| (f.pointer.as_str(), f.code)).collect();
        let expected = [("/list/0", "empty"), ("/list/2", "wrongType"), ("/list", "tooMany")];
        assert_eq!(found, expected);
    }

    #[test]
    fn all_faults_are_found_each_with_its_place() {
        let mut faults = Faults::default();
        let value = json!({"name": 3, "a/b~c": 1, "list": ["", "x", null]});
        let mut fields = Fields::of(&value, "", &mut faults);
        assert_eq!(fields.required::<DealName>("name", &mut faults), None);
        assert_eq!(fields.required::<DealName>("missing", &mut faults), None);
        assert_eq!(
            fields
                .optional::<List<DealName, 4, 9>>("list", &mut faults)
                .map(|list| list.0.len()),
            Some(3)
        );
        fields.finish(&mut faults);
        let found: Vec<_> = faults.0.iter().map(|f| (f.pointer.as_str(), f.code)).collect();
        assert_eq!(
            found,
            [
                ("/name", "wrongType"),
                ("/missing", "required"),
                ("/list", "tooFew"),
                ("/list/0", "empty"),
                ("/list/2", "wrongType"),
                ("/a~1b~0c", "unknownField"),
            ]
        );
    }
}
