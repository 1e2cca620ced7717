//! All organizations with what was counted of them: what a ranking is made from.
//!
//! Profile and counts of an organization stand next to each other in the index `byTab`, in one of a few partitions, so that all
//! of them are one Query each, however many organizations there are, until a page's megabyte is full. What accepted deals have
//! in common with others is not there: it can be any number of solutions and countries. It has a partition of its own for each
//! solution, country and size, and only those that are asked for are read.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Candidate, Counter, Likeness, Organization, OrganizationId, Record};
use futures_util::future::{try_join, try_join_all};

use crate::directory::organization;
use crate::records::{read, text};
use crate::{Error, Item, Store, keys};

/// Of which counter an attribute is.
type AlikeCount = (&'static str, fn(Likeness) -> Counter);

/// What is counted of an organization's accepted deals that have something in common: each is an attribute of one item.
const ALIKE: [AlikeCount; 3] = [
    ("count", Counter::Alike),
    ("inTime", Counter::AlikeInTime),
    ("late", Counter::AlikeLate),
];

/// The attribute of a counter that is in the item of what deals have in common; `None` for those that are not.
pub(crate) fn alike_count(counter: &Counter) -> Option<(&Likeness, &'static str)> {
    match counter {
        Counter::Alike(likeness) => Some((likeness, ALIKE[0].0)),
        Counter::AlikeInTime(likeness) => Some((likeness, ALIKE[1].0)),
        Counter::AlikeLate(likeness) => Some((likeness, ALIKE[2].0)),
        _ => None,
    }
}

impl Store {
    /// Every organization of the exchange, with its record; of what deals have in common only what is asked for. The index
    /// follows the table by a moment.
    pub async fn candidates(&self, asked: &[Likeness]) -> Result<Vec<Candidate>, Error> {
        let listed = try_join_all((0..keys::PARTNER_SHARDS).map(|shard| self.listed(shard)));
        let alike = try_join_all(asked.iter().map(|likeness| self.alike(likeness)));
        let (listed, alike) = try_join(listed, alike).await?;
        let mut profiles: BTreeMap<OrganizationId, Organization> = BTreeMap::new();
        let mut records: BTreeMap<OrganizationId, Record> = BTreeMap::new();
        for item in listed.into_iter().flatten() {
            let tab_sk = text(&item, keys::TAB_SK)?;
            let id = keys::listed_organization(tab_sk).ok_or_else(|| Error::Corrupt(format!("lists {tab_sk}")))?;
            if keys::is_listed_profile(tab_sk) {
                profiles.insert(id, organization(&item)?);
            } else {
                count(&item, records.entry(id).or_default());
            }
        }
        for (likeness, counts) in asked.iter().zip(alike) {
            for (id, item) in counts {
                let record = records.entry(id).or_default();
                for (name, counter) in ALIKE {
                    record.add(counter(likeness.clone()), item.get(name).and_then(number).unwrap_or(0));
                }
            }
        }
        let candidates = profiles.into_iter().map(|(id, organization)| Candidate {
            organization,
            record: records.remove(&id).unwrap_or_default(),
        });
        Ok(candidates.collect())
    }

    async fn listed(&self, shard: u8) -> Result<Vec<Item>, Error> {
        let pages = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(keys::BY_TAB)
            .key_condition_expression("tabPk = :pk")
            .expression_attribute_values(":pk", keys::text(&keys::partners(shard)))
            .into_paginator()
            .items()
            .send();
        Ok(pages.collect::<Result<_, _>>().await?)
    }

    async fn alike(&self, likeness: &Likeness) -> Result<Vec<(OrganizationId, Item)>, Error> {
        let pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", keys::text(&keys::alike(likeness)))
            .into_paginator()
            .items()
            .send();
        let items: Vec<Item> = pages.collect::<Result<_, _>>().await?;
        let of = |item: Item| {
            let id = read(text(&item, keys::SK)?)?;
            Ok((id, item))
        };
        items.into_iter().map(of).collect()
    }
}

/// Everything in the item that is a number of the record; what else is counted there is not part of it.
fn count(item: &Item, record: &mut Record) {
    for (name, value) in item {
        if let (Some(counter), Some(number)) = (Counter::parse(name), number(value)) {
            record.add(counter, number);
        }
    }
}

fn number(value: &AttributeValue) -> Option<i64> {
    value.as_n().ok()?.parse().ok()
}
