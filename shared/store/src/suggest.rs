//! Customers by what is typed of their name.
//!
//! Each keystroke is two or three Queries at once, and four more for several words that are not found side by side; each
//! reads a bounded range, however many companies there are. A range is in the order of ranks, so that what is cut off is
//! what would have come last. Entries hold all that is shown, so nothing is looked up after them.

use std::collections::BTreeMap;

use domain::suggest::{Probe, Typed};
use domain::{Country, DirectoryCustomer};
use futures_util::future::try_join_all;

use crate::directory::customer_of;
use crate::{Error, Store, keys};

/// A name has about this many entries that begin alike, such as `att`, `att-inc`, `at-t` and `at-t-inc`.
const ENTRIES_EACH: usize = 4;
/// What is read of each word when several are looked for that do not stand side by side.
const SCATTERED: usize = 200;

impl Store {
    /// Customers of a country that what was typed may mean, the best `limit` of them among them; each once. Not consistent: what
    /// was imported a moment ago may be missing for a moment.
    pub async fn customers(
        &self,
        country: &Country,
        typed: &Typed,
        limit: usize,
    ) -> Result<Vec<DirectoryCustomer>, Error> {
        let mut found = BTreeMap::new();
        let stages = [
            (typed.probes(), limit * ENTRIES_EACH),
            (typed.scattered_probes(), SCATTERED),
        ];
        for (probes, at_most) in stages {
            let queries = probes.iter().map(|probe| self.entries(country, probe, at_most));
            for customer in try_join_all(queries).await?.into_iter().flatten() {
                found.insert(customer.id.clone(), customer);
            }
            let matching = found
                .values()
                .filter(|customer| typed.rank(customer.name.as_str()).is_some());
            if matching.count() >= limit {
                break;
            }
        }
        Ok(found.into_values().collect())
    }

    async fn entries(&self, country: &Country, probe: &Probe, at_most: usize) -> Result<Vec<DirectoryCustomer>, Error> {
        let beginning = keys::customers_beginning(probe.leading, &probe.text);
        let request = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":pk", keys::text(&keys::customers(country, &probe.text)))
            .limit(i32::try_from(at_most).unwrap_or(i32::MAX));
        let request = if probe.whole {
            request
                .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :until")
                .expression_attribute_values(":from", keys::text(&keys::whole_word_from(&beginning)))
                .expression_attribute_values(":until", keys::text(&keys::whole_word_until(&beginning)))
        } else {
            request
                .key_condition_expression("pk = :pk AND begins_with(sk, :beginning)")
                .expression_attribute_values(":beginning", keys::text(&beginning))
        };
        let items = request.send().await?.items.unwrap_or_default();
        items.iter().map(customer_of).collect()
    }
}
