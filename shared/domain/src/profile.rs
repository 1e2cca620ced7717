//! An organization's own profile: a JSON Merge Patch (RFC 7396) of it.

use serde_json::Value;

use crate::catalog::Organization;
use crate::fault::{Faults, Flaw};
use crate::form::{Fields, List, Patch};
use crate::refusal::Refusal;
use crate::text::{Country, Label};

/// The new values of some fields of a profile. What kind of organization it is, and its id, are not its own to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileForm {
    name: Option<Label>,
    countries: Option<Vec<Country>>,
    solution_areas: Option<Vec<Label>>,
}

impl ProfileForm {
    /// The request, or all that is wrong with it. `null` for a list is an empty one.
    pub fn read(body: &Value) -> Result<Self, Refusal> {
        let mut faults = Faults::default();
        let mut fields = Fields::of(body, "", &mut faults);
        let name = fields.replace("name", &mut faults);
        let countries: Option<Patch<List<Country, 0, 300>>> = fields.patch("countries", &mut faults);
        let solution_areas: Option<Patch<List<Label, 0, 100>>> = fields.patch("solutionAreas", &mut faults);
        fields.finish(&mut faults);
        let form = Self {
            name,
            countries: distinct(countries, "countries", &mut faults),
            solution_areas: distinct(solution_areas, "solutionAreas", &mut faults),
        };
        faults.or(Some(form))
    }

    /// The profile with the new values.
    pub fn onto(&self, profile: &Organization) -> Organization {
        let mut after = profile.clone();
        if let Some(name) = &self.name {
            after.party.name = name.clone();
        }
        if let Some(countries) = &self.countries {
            after.countries.clone_from(countries);
        }
        if let Some(solution_areas) = &self.solution_areas {
            after.solution_areas.clone_from(solution_areas);
        }
        after
    }
}

fn distinct<T: PartialEq, const MAX: usize>(
    patch: Option<Patch<List<T, 0, MAX>>>,
    name: &str,
    faults: &mut Faults,
) -> Option<Vec<T>> {
    let list = match patch? {
        Patch::Clear => return Some(Vec::new()),
        Patch::Set(list) => list.0,
    };
    for (index, item) in list.iter().enumerate() {
        if item.is_some() && list[..index].contains(item) {
            faults.push(Flaw::new("duplicate", "is there twice").at(format!("/{name}/{index}")));
        }
    }
    list.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::opportunity::{OrganizationKind, Party};
    use crate::text::OrganizationId;

    fn fabrikam() -> Organization {
        Organization {
            party: Party {
                id: OrganizationId::parse("fabrikam").expect("an id"),
                name: Label::parse("Fabrikam").expect("a name"),
                kind: OrganizationKind::Partner,
            },
            countries: vec![Country::parse("US").expect("a country")],
            solution_areas: vec![Label::parse("ERP").expect("an area")],
            co_sell_ready_solutions: 2,
        }
    }

    fn patched(body: &Value) -> Organization {
        ProfileForm::read(body).expect("right").onto(&fabrikam())
    }

    #[test]
    fn what_is_not_named_stays_and_null_empties_a_list() {
        assert_eq!(patched(&json!({})), fabrikam());
        let after = patched(&json!({"name": "Fabrikam Inc.", "countries": ["DE", "US"], "solutionAreas": null}));
        assert_eq!(after.party.name.as_str(), "Fabrikam Inc.");
        let countries: Vec<_> = after.countries.iter().map(Country::as_str).collect();
        assert_eq!(countries, ["DE", "US"]);
        assert_eq!(after.solution_areas, []);
        assert_eq!(
            (after.party.id, after.co_sell_ready_solutions),
            (fabrikam().party.id, 2)
        );
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let body = json!({
            "name": null, "countries": ["US", "us", "US"], "solutionAreas": ["", "ERP", "ERP"],
            "organizationKind": "vendor",
        });
        let Err(Refusal::Invalid(faults)) = ProfileForm::read(&body) else {
            panic!("it is right");
        };
        let found: Vec<_> = faults
            .0
            .iter()
            .map(|fault| (fault.pointer.as_str(), fault.code))
            .collect();
        let expected = [
            ("/name", "required"),
            ("/countries/1", "invalidCountry"),
            ("/solutionAreas/0", "empty"),
            ("/organizationKind", "unknownField"),
            ("/countries/2", "duplicate"),
            ("/solutionAreas/2", "duplicate"),
        ];
        assert_eq!(found, expected);
    }
}
