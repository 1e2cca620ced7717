//! What a request may refer to: organizations, solutions and customers that were imported.

use std::collections::{BTreeMap, BTreeSet};

use crate::opportunity::{Address, Customer, OrganizationKind, Party, Solution, words};
use crate::text::{Country, CustomerId, CustomerName, DunsNumber, Label, OrganizationId, SolutionId};

words!(
    /// Whose a solution is, to who looks.
    SolutionType {
        /// One's own.
        Own = "own",
        /// The exchange's vendor's.
        Vendor = "vendor",
        /// Another partner's.
        ThirdParty = "thirdParty",
    }
);

/// An organization's profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Id, name, kind.
    pub party: Party,
    /// Where it sells.
    pub countries: Vec<Country>,
    /// What it is good at, in its own words.
    pub solution_areas: Vec<Label>,
    /// How many solutions it publishes that are co-sell ready.
    pub co_sell_ready_solutions: u64,
}

/// A solution of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogSolution {
    /// Id, name, publisher.
    pub solution: Solution,
    /// Whether it may be part of a deal.
    pub co_sell_ready: bool,
    /// Whether a won deal with it may be registered with the vendor.
    pub registration_eligible: bool,
}

/// A company of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryCustomer {
    /// Its id.
    pub id: CustomerId,
    /// Its name.
    pub name: CustomerName,
    /// Where it is.
    pub country: Country,
    /// Where exactly.
    pub address: Address,
    /// Its D-U-N-S number.
    pub duns_number: Option<DunsNumber>,
}

/// What a request names and does not itself contain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// The caller's own organization and those it invites.
    pub organizations: BTreeSet<OrganizationId>,
    /// Solutions.
    pub solutions: BTreeSet<SolutionId>,
    /// The customer.
    pub customer: Option<CustomerId>,
}

/// Those of the [`References`] that exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Organizations.
    pub organizations: BTreeMap<OrganizationId, Organization>,
    /// Solutions.
    pub solutions: BTreeMap<SolutionId, CatalogSolution>,
    /// The customer.
    pub customer: Option<DirectoryCustomer>,
}

impl Solution {
    /// Whose it is, to an organization.
    pub fn type_for(&self, organization: &OrganizationId) -> SolutionType {
        match self.publisher_kind {
            _ if self.publisher == *organization => SolutionType::Own,
            OrganizationKind::Vendor => SolutionType::Vendor,
            OrganizationKind::Partner => SolutionType::ThirdParty,
        }
    }
}

impl DirectoryCustomer {
    /// The company as a deal's customer; its contact is the caller's to give.
    pub(crate) fn as_customer(&self) -> Customer {
        Customer {
            name: self.name.clone(),
            country: self.country.clone(),
            address: self.address.clone(),
            duns_number: self.duns_number.clone(),
            contact: crate::Contact::default(),
        }
    }
}

impl Organization {
    /// The vendor's own solutions, and a partner's, are what makes it someone to sell with.
    pub fn is_co_sell_ready(&self) -> bool {
        self.party.kind == OrganizationKind::Vendor || self.co_sell_ready_solutions > 0
    }
}
