//! The bus: EventBridge, as far as one process needs it. What was published is kept in memory, to be looked at.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use edge::{clock, entropy};
use quamina::Quamina;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::queue::Queues;
use crate::template::Rule;

/// As many events are kept, the latest.
const KEPT: usize = 10_000;

/// The one bus.
#[derive(Clone)]
pub(crate) struct Bus {
    name: String,
    rules: Arc<Quamina<usize>>,
    targets: Arc<[Vec<String>]>,
    queues: Queues,
    published: Arc<Mutex<VecDeque<Box<RawValue>>>>,
}

/// An entry of `PutEvents`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
}

/// An event as targets get it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Event<'a> {
    version: &'a str,
    id: String,
    detail_type: &'a str,
    source: &'a str,
    account: &'a str,
    time: String,
    region: &'a str,
    resources: [&'a str; 0],
    detail: &'a RawValue,
}

/// Why an entry is not taken: EventBridge's code, and what it says.
pub(crate) type Refused = (&'static str, &'static str);

impl Bus {
    /// A bus with these rules. The error names what of a pattern is not understood.
    pub(crate) fn new(name: String, rules: Vec<Rule>, queues: Queues) -> Result<Self, String> {
        let mut patterns = Quamina::new();
        for (index, rule) in rules.iter().enumerate() {
            let pattern = &rule.pattern;
            patterns
                .add_pattern(index, pattern)
                .map_err(|error| format!("the pattern {pattern}: {error}"))?;
        }
        Ok(Self {
            name,
            rules: Arc::new(patterns),
            targets: rules.into_iter().map(|rule| rule.queues).collect(),
            queues,
            published: Arc::default(),
        })
    }

    /// Takes an entry, passes it on to the targets of the rules that match, and gives its id.
    pub(crate) fn put(&self, entry: &Entry) -> Result<String, Refused> {
        let invalid = |what| ("InvalidArgument", what);
        if entry.event_bus_name.as_ref() != Some(&self.name) {
            return Err(("ResourceNotFoundException", "There is no such bus."));
        }
        let detail = entry.detail.as_deref().ok_or(invalid("Detail is required."))?;
        let malformed = ("MalformedDetail", "Detail is malformed.");
        let detail: &RawValue = serde_json::from_str(detail).map_err(|_| malformed)?;
        if !detail.get().starts_with('{') {
            return Err(malformed);
        }
        let id = format!("{:032x}", entropy::entropy());
        let event = Event {
            version: "0",
            id: id.clone(),
            detail_type: entry.detail_type.as_deref().ok_or(invalid("DetailType is required."))?,
            source: entry.source.as_deref().ok_or(invalid("Source is required."))?,
            account: "000000000000",
            time: clock::now().datetime().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            region: "local",
            resources: [],
            detail,
        };
        let event = serde_json::value::to_raw_value(&event).map_err(|_| malformed)?;
        let matching = self
            .rules
            .matches_for_event(event.get().as_bytes())
            .map_err(|_| malformed)?;
        for queue in matching.iter().flat_map(|&rule| &self.targets[rule]) {
            self.queues.send(queue, event.get().to_owned());
        }
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if published.len() == KEPT {
            published.pop_front();
        }
        published.push_back(event);
        Ok(id)
    }

    /// What was published, oldest first.
    pub(crate) fn published(&self) -> Vec<Box<RawValue>> {
        let published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        published.iter().cloned().collect()
    }
}
