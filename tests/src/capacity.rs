//! What DynamoDB charges, by its own rules
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>), and what an action needs at
//! least: for what it has written, found by comparing the table before and after; for what it has to read, as it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use local::Template;
use serde_json::Value;

use crate::Item;

/// The table, by keys.
pub type Table = BTreeMap<(String, String), Item>;

/// Request units of an on-demand table.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Units {
    /// Of reading.
    pub reads: f64,
    /// Of writing, indexes included.
    pub writes: f64,
}

/// Dollars for a million units each: on demand, table class Standard, US East (N. Virginia), since 1 November 2024.
pub const PRICE: Units = Units {
    reads: 0.125,
    writes: 0.625,
};

impl Units {
    pub(crate) fn add(&mut self, writes: bool, units: f64) {
        *(if writes { &mut self.writes } else { &mut self.reads }) += units;
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, number: f64) -> Self {
        Self {
            reads: self.reads * number,
            writes: self.writes * number,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            reads: self.reads + other.reads,
            writes: self.writes + other.writes,
        }
    }

    /// Dollars for a million times this.
    pub fn dollars_a_million(self) -> f64 {
        self.reads * PRICE.reads + self.writes * PRICE.writes
    }
}

/// How much a read has to be sure of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// May lag behind by a moment: half the price.
    Eventual,
    /// Sees every write before it.
    Consistent,
}

/// Which items, by their keys.
pub type Which<'a> = Box<dyn Fn(&str, &str) -> bool + 'a>;

/// What an action has to know.
pub enum Need<'a> {
    /// One item, whether or not it is there.
    One(Read, String, String),
    /// Items from all over the table: each by itself.
    Each(Read, Which<'a>),
    /// Items that stand together: their sizes add up.
    Together(Read, Which<'a>),
    /// So many entries of an index whose partition key begins so, from the highest sort key down.
    Entries(&'static str, String, usize),
}

/// An index of the template.
#[derive(Debug, Clone)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// The attributes of its key: partition, sort.
    pub key: [String; 2],
    /// What else it has of an item, beside the table's key; `None` for everything.
    pub projected: Option<BTreeSet<String>>,
}

impl Index {
    /// All that the template has.
    pub fn all() -> &'static [Self] {
        static ALL: LazyLock<Vec<Index>> = LazyLock::new(Index::read);
        &ALL
    }

    fn read() -> Vec<Self> {
        let template = Template::embedded().expect("the template");
        let indexes = template.table.global_secondary_indexes.into_iter();
        let index = |index: local::template::Index| {
            let projected = match index.projection.kind.as_str() {
                "ALL" => None,
                _ => Some(index.projection.attributes.into_iter().flatten().collect()),
            };
            let key = index.key_schema.iter().map(|key| key.name.clone()).collect::<Vec<_>>();
            Self {
                name: index.name,
                key: key.try_into().expect("partition and sort key"),
                projected,
            }
        };
        indexes.map(index).collect()
    }

    /// What the index has of an item; `None` of one that is not in it.
    pub fn entry(&self, item: &Item) -> Option<Item> {
        if !self.key.iter().all(|name| item.contains_key(name)) {
            return None;
        }
        let mut entry = item.clone();
        if let Some(projected) = &self.projected {
            let key = |name: &String| name == "pk" || name == "sk" || self.key.contains(name);
            entry.retain(|name, _| key(name) || projected.contains(name));
        }
        Some(entry)
    }

    /// What the change of an item writes to which of the index's partitions: nothing where its entry stays the same; twice
    /// where it moves.
    fn writes(&self, before: Option<&Item>, after: Option<&Item>) -> Vec<(String, f64)> {
        let entry = |item: Option<&Item>| item.and_then(|item| self.entry(item));
        let write = |entry: &Item| {
            let partition = entry[&self.key[0]].as_str().unwrap_or_default();
            (format!("{} {partition}", self.name), write_units(item_size(entry)))
        };
        match (entry(before), entry(after)) {
            (None, None) => Vec::new(),
            (Some(one), None) | (None, Some(one)) => vec![write(&one)],
            (Some(before), Some(after)) if before == after => Vec::new(),
            (Some(before), Some(after)) if self.key.iter().any(|name| before[name] != after[name]) => {
                vec![write(&before), write(&after)]
            }
            (Some(before), Some(after)) => {
                let ((partition, before), (_, after)) = (write(&before), write(&after));
                vec![(partition, before.max(after))]
            }
        }
    }
}

/// The size of an item in bytes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).
pub fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 1,
        // A byte for each two digits that count, and one more; one more still below zero.
        Value::Number(number) => {
            let text = number.to_string();
            let digits = text.trim_start_matches('-').trim_end_matches('0').len();
            digits.div_ceil(2) + 1 + usize::from(text.starts_with('-'))
        }
        Value::String(text) => text.len(),
        Value::Array(items) => 3 + items.iter().map(|item| 1 + value_size(item)).sum::<usize>(),
        Value::Object(map) => {
            3 + map
                .iter()
                .map(|(name, value)| 1 + name.len() + value_size(value))
                .sum::<usize>()
        }
    }
}

/// A write of so many bytes: in steps of 1 KB.
pub fn write_units(bytes: usize) -> f64 {
    steps(bytes, 1_024)
}

/// A read of so many bytes: in steps of 4 KB.
pub fn read_units(read: Read, bytes: usize) -> f64 {
    let units = steps(bytes, 4_096);
    match read {
        Read::Consistent => units,
        Read::Eventual => units / 2.0,
    }
}

fn steps(bytes: usize, step: usize) -> f64 {
    f64::from(u32::try_from(bytes.div_ceil(step).max(1)).expect("an item is small"))
}

/// What it takes to get from one table to the other, by the partitions that it goes to: each item that differs once, in one
/// transaction, which is twice the price, where there are several; and what that changes in the indexes, which is not.
pub fn writes(before: &Table, after: &Table) -> BTreeMap<String, f64> {
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changes = keys.into_iter().map(|key| (key, before.get(key), after.get(key)));
    let changes: Vec<_> = changes.filter(|(_, before, after)| before != after).collect();
    let together = if changes.len() > 1 { 2.0 } else { 1.0 };
    let mut writes: BTreeMap<String, f64> = BTreeMap::new();
    for ((pk, _), before, after) in changes {
        let size = |item: Option<&Item>| item.map_or(0, item_size);
        let units = write_units(size(before).max(size(after)));
        *writes.entry(format!("table {pk}")).or_default() += together * units;
        for (partition, units) in Index::all().iter().flat_map(|index| index.writes(before, after)) {
            *writes.entry(partition).or_default() += units;
        }
    }
    writes
}

/// All of that.
pub fn least_writes(before: &Table, after: &Table) -> f64 {
    writes(before, after).into_values().fold(0.0, |sum, units| sum + units)
}

/// What it takes to read that.
pub fn least_reads(table: &Table, needs: &[Need<'_>]) -> f64 {
    let sizes = |which: &Which<'_>| -> Vec<usize> {
        let items = table.iter().filter(|((pk, sk), _)| which(pk, sk));
        items.map(|(_, item)| item_size(item)).collect()
    };
    let needed = |need: &Need<'_>| match need {
        Need::One(read, pk, sk) => {
            let item = table.get(&(pk.clone(), sk.clone()));
            read_units(*read, item.map_or(0, item_size))
        }
        Need::Each(read, which) => sizes(which).into_iter().map(|size| read_units(*read, size)).sum(),
        Need::Together(read, which) => read_units(*read, sizes(which).into_iter().sum()),
        Need::Entries(name, partition, limit) => {
            let index = Index::all().iter().find(|index| index.name == *name);
            let index = index.expect("an index of the template");
            let [pk, sk] = &index.key;
            let mut entries: Vec<Item> = table.values().filter_map(|item| index.entry(item)).collect();
            entries.retain(|entry| entry[pk].as_str().is_some_and(|pk| pk.starts_with(partition.as_str())));
            entries.sort_by_key(|entry| std::cmp::Reverse(entry[sk].as_str().map(str::to_owned)));
            // An index cannot be read consistently.
            read_units(Read::Eventual, entries.iter().take(*limit).map(item_size).sum())
        }
    };
    needs.iter().map(needed).sum()
}
