//! Customers by what is typed of their name.
//!
//! Each keystroke is two or three Queries at once, and up to three more for several words that are not found side by side; each
//! reads a bounded range, however many companies there are. A range is in the order of ranks, so that what is cut off is
//! what would have come last. Entries hold all that is shown, so nothing is looked up after them.

use std::collections::BTreeMap;

use domain::suggest::{Probe, Typed};
use domain::{Country, DirectoryCustomer};
use futures_util::future::try_join_all;

use crate::directory::customer_of;
use crate::records::text;
use crate::{Error, Item, Store, keys};

/// A name has mostly two entries that begin alike: with what the company is by law, and without.
const ENTRIES_EACH: usize = 2;
/// What is read of a range at most, where that was not enough: a name has more such entries, or more words were typed than
/// are looked up.
const AT_MOST: usize = 100;

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
        for probes in [typed.probes(), typed.scattered_probes()] {
            let queries = probes.iter().map(|probe| self.reached(country, probe, typed, limit));
            for customers in try_join_all(queries).await? {
                found.extend(customers);
            }
            if found.len() >= limit {
                break;
            }
        }
        found.values().map(customer_of).collect()
    }

    /// The first companies that a probe reaches and that are what was typed, `limit` or more if there are; by id.
    async fn reached(
        &self,
        country: &Country,
        probe: &Probe,
        typed: &Typed,
        limit: usize,
    ) -> Result<BTreeMap<String, Item>, Error> {
        let mut found = BTreeMap::new();
        let (mut after, mut at_most) = (None, limit * ENTRIES_EACH);
        loop {
            let (entries, last) = self.entries(country, probe, after, at_most).await?;
            for entry in entries {
                if !probe.partial || typed.rank(text(&entry, "name")?).is_some() {
                    found.insert(text(&entry, "id")?.to_owned(), entry);
                }
            }
            if last.is_none() || found.len() >= limit || at_most == AT_MOST {
                return Ok(found);
            }
            (after, at_most) = (last, AT_MOST);
        }
    }

    /// So many entries of a probe's range, and where they end, if that is not the end of the range.
    async fn entries(
        &self,
        country: &Country,
        probe: &Probe,
        after: Option<Item>,
        at_most: usize,
    ) -> Result<(Vec<Item>, Option<Item>), Error> {
        let beginning = keys::customers_beginning(probe.place, &probe.text);
        let request = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":pk", keys::text(&keys::customers(country, &probe.text)))
            .set_exclusive_start_key(after)
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
        let answer = request.send().await?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key))
    }
}
