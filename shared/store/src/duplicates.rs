//! Deals that may be the same one: found before a new one is written, to warn.

use chrono::TimeDelta;
use domain::{Actor, Customer, Solution, SolutionId, Timestamp};
use serde::Deserialize;

use crate::records::{PersonRecord, SolutionRecord, from_item};
use crate::{Error, Store, keys};

/// No more are looked at, newest first: enough to warn.
const MAX_READ: i32 = 100;

/// An open opportunity of the same organization for the same customer with a common solution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PossibleDuplicate {
    /// The deal.
    pub id: String,
    /// What the organization calls it.
    pub name: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// `received` or `accepted`.
    pub stage: String,
    /// The solutions that both have.
    pub solutions: Vec<SolutionId>,
}

/// What the index holds of an opportunity.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    customer_sk: String,
    name: String,
    direction: String,
    stage: String,
    solutions: Vec<SolutionRecord>,
    team: Vec<PersonRecord>,
    tab_sk: String,
}

impl Store {
    /// The possible duplicates of a deal with this customer and these solutions, as far as the person may know of them. The
    /// index follows the table by a moment: two deals that are created at once may not see each other.
    pub async fn possible_duplicates(
        &self,
        by: &Actor,
        customer: &Customer,
        solutions: &[Solution],
        now: Timestamp,
    ) -> Result<Vec<PossibleDuplicate>, Error> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_CUSTOMER)
            .scan_index_forward(false)
            .key_condition_expression("customerPk = :customer")
            .expression_attribute_values(":customer", keys::text(&keys::customer_pk(&by.organization, customer)))
            .limit(MAX_READ)
            .send()
            .await?;
        let mut found = Vec::new();
        for item in answer.items.unwrap_or_default() {
            let entry: Entry = from_item(item)?;
            let received = entry.stage == domain::Stage::Received.as_str();
            // The key of what is received begins with `respondBy`.
            let lapsed = received && entry.tab_sk < keys::tab_split(now.plus(TimeDelta::milliseconds(1)));
            let team = entry
                .team
                .iter()
                .map(PersonRecord::person)
                .collect::<Result<Vec<_>, _>>()?;
            let has = entry
                .solutions
                .iter()
                .map(SolutionRecord::solution)
                .collect::<Result<Vec<_>, _>>()?;
            let common = has.into_iter().map(|solution| solution.id);
            let common: Vec<_> = common
                .filter(|id| solutions.iter().any(|solution| solution.id == *id))
                .collect();
            let open_to = received || by.is_on(&team);
            if !lapsed && open_to && !common.is_empty() {
                found.push(PossibleDuplicate {
                    id: entry.customer_sk,
                    name: entry.name,
                    direction: entry.direction,
                    stage: entry.stage,
                    solutions: common,
                });
            }
        }
        Ok(found)
    }
}
