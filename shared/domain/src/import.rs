//! The lines of an import: organizations, solutions and customers, one JSON object a line.

use serde_json::Value;

use crate::catalog::{CatalogSolution, DirectoryCustomer, Organization};
use crate::fault::{Faults, Flaw};
use crate::form::{Fields, List};
use crate::opportunity::{Address, OrganizationKind, Party, Solution, words};
use crate::text::{Country, CustomerId, CustomerName, DunsNumber, Label, OrganizationId, SolutionId};

words!(
    /// What a line is about.
    Kind {
        /// A company of the exchange.
        Organization = "organization",
        /// Something that is sold.
        Solution = "solution",
        /// A company that buys.
        Customer = "customer",
    }
);

/// One line, checked on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// `co_sell_ready_solutions` is 0: it is counted, not imported.
    Organization(Organization),
    /// The publisher's kind is that of a partner until the publisher has been looked up.
    Solution(CatalogSolution),
    /// With the id that follows from it.
    Customer(DirectoryCustomer),
}

impl Line {
    /// Reads one line, or tells all that is wrong with it.
    pub fn read(line: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut fields = Fields::of(line, "", &mut faults);
        let kind = fields.required("kind", &mut faults);
        let read = match kind {
            Some(Kind::Organization) => organization(&mut fields, &mut faults).map(Self::Organization),
            Some(Kind::Solution) => solution(&mut fields, &mut faults).map(Self::Solution),
            Some(Kind::Customer) => customer(&mut fields, &mut faults).map(Self::Customer),
            None => None,
        };
        if kind.is_some() {
            // Which fields belong here depends on the kind.
            fields.finish(&mut faults);
        }
        match read {
            Some(line) if faults.is_empty() => Ok(line),
            _ => Err(faults),
        }
    }
}

fn organization(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Organization> {
    let id: Option<OrganizationId> = fields.required("id", faults);
    let name: Option<Label> = fields.required("name", faults);
    let kind: Option<OrganizationKind> = fields.required("organizationKind", faults);
    let countries: Option<List<Country, 0, 300>> = fields.optional("countries", faults);
    let solution_areas: Option<List<Label, 0, 100>> = fields.optional("solutionAreas", faults);
    Some(Organization {
        party: Party {
            id: id?,
            name: name?,
            kind: kind?,
        },
        countries: countries.and_then(List::complete).unwrap_or_default(),
        solution_areas: solution_areas.and_then(List::complete).unwrap_or_default(),
        co_sell_ready_solutions: 0,
    })
}

fn solution(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<CatalogSolution> {
    let id: Option<SolutionId> = fields.required("id", faults);
    let name: Option<Label> = fields.required("name", faults);
    let publisher: Option<OrganizationId> = fields.required("publisher", faults);
    let co_sell_ready = fields.optional("coSellReady", faults).unwrap_or(false);
    let registration_eligible = fields.optional("registrationEligible", faults).unwrap_or(false);
    Some(CatalogSolution {
        solution: Solution {
            id: id?,
            name: name?,
            publisher: publisher?,
            publisher_kind: OrganizationKind::Partner,
        },
        co_sell_ready,
        registration_eligible,
    })
}

fn customer(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<DirectoryCustomer> {
    let name: Option<CustomerName> = fields.required("name", faults);
    let country: Option<Country> = fields.required("country", faults);
    let duns_number: Option<DunsNumber> = fields.optional("dunsNumber", faults);
    let address: Address = fields.optional("address", faults).unwrap_or_default();
    let (name, country) = (name?, country?);
    let id = customer_id(&name, &country, duns_number.as_ref(), &address);
    let id = faults.check("/name", id)?;
    Some(DirectoryCustomer {
        id,
        name,
        country,
        address,
        duns_number,
    })
}

/// The same company gets the same id however often it is imported: its D-U-N-S number, which is unique in the world, else
/// country, name and city with everything but letters and digits read as one hyphen.
fn customer_id(
    name: &CustomerName,
    country: &Country,
    duns_number: Option<&DunsNumber>,
    address: &Address,
) -> Result<CustomerId, Flaw> {
    if let Some(duns_number) = duns_number {
        return CustomerId::parse(duns_number.as_str());
    }
    let city = address.city.as_ref().map_or("", |city| city.as_str());
    let text = format!("{country} {name} {city}").to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    CustomerId::parse(&words.join("-"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_customer_keeps_its_id() {
        let id = |line: Value| match Line::read(&line) {
            Ok(Line::Customer(customer)) => customer.id.as_str().to_owned(),
            other => panic!("{other:?}"),
        };
        let atlassian =
            json!({"kind": "customer", "name": "Atlassian", "country": "AU", "address": {"city": "Sydney"}});
        assert_eq!(id(atlassian), "au-atlassian-sydney");
        assert_eq!(
            id(json!({"kind": "customer", "name": "AT&T Inc.", "country": "US"})),
            "us-at-t-inc"
        );
        assert_eq!(
            id(json!({"kind": "customer", "name": "日本電気", "country": "JP"})),
            "jp-日本電気"
        );
        assert_eq!(
            id(json!({"kind": "customer", "name": "X", "country": "US", "dunsNumber": "123456789"})),
            "123456789"
        );
    }

    #[test]
    fn a_bad_line_tells_all_that_is_wrong() {
        let faults =
            Line::read(&json!({"kind": "solution", "id": "a b", "coSellReady": "yes", "extra": 1})).expect_err("bad");
        let found: Vec<_> = faults
            .0
            .iter()
            .map(|fault| (fault.pointer.as_str(), fault.code))
            .collect();
        let expected = [
            ("/id", "invalidId"),
            ("/name", "required"),
            ("/publisher", "required"),
            ("/coSellReady", "wrongType"),
            ("/extra", "unknownField"),
        ];
        assert_eq!(found, expected);
    }
}
