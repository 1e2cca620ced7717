//! What must hold of the table and of what everybody sees of it, whatever happened before: nothing lost, nothing twice, nothing
//! half made.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::{Client, Item, size, standing};

/// Everything in a table, by keys.
pub type Table = BTreeMap<(String, String), Item>;

/// Requests that are on their way at once.
const AT_ONCE: usize = 16;
/// So many deals are always looked at one by one.
const SOME: usize = 80;

fn text<'a>(item: &'a Item, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

/// Stage and outcome of a record.
fn stands(view: &Item) -> String {
    let outcome = view.get("outcome").and_then(Value::as_str);
    outcome.map_or_else(
        || text(view, "stage").to_owned(),
        |outcome| format!("{} {outcome}", text(view, "stage")),
    )
}

/// One deal as the table has it.
#[derive(Debug, Default)]
pub struct Stored<'a> {
    /// By organization.
    pub views: BTreeMap<&'a str, &'a Item>,
    /// In their order.
    pub events: Vec<&'a Item>,
    /// In their order.
    pub notes: Vec<&'a Item>,
}

/// All deals of a table, by id.
pub fn deals(table: &Table) -> BTreeMap<&str, Stored<'_>> {
    let mut deals: BTreeMap<&str, Stored<'_>> = BTreeMap::new();
    for ((pk, sk), item) in table {
        let Some(id) = pk.strip_prefix("DEAL#") else { continue };
        let deal = deals.entry(id).or_default();
        match sk.split_once('#') {
            Some(("ORG", organization)) => drop(deal.views.insert(organization, item)),
            Some(("EVENT", _)) => deal.events.push(item),
            Some(("NOTE", _)) => deal.notes.push(item),
            _ => panic!("an item of a kind that nothing writes: {pk} {sk}"),
        }
    }
    deals
}

/// The views of each deal are what its events come to, one by one: so each change has its event, and each event its change.
pub fn events_make_views(table: &Table) {
    for (id, deal) in deals(table) {
        let mut stand: BTreeMap<&str, (String, u64)> = BTreeMap::new();
        let mut fields: BTreeMap<(&str, &str), &Value> = BTreeMap::new();
        let mut owner = "";
        for event in &deal.events {
            let (kind, organization) = (text(event, "type"), text(event, "organizationId"));
            let before = stand.get(organization).cloned();
            let from = before.as_ref().map_or("", |(stands, _)| stands.as_str());
            let to = match (kind, from) {
                ("created", "") | ("accepted", "received") | ("updated", "accepted") => "accepted",
                ("invited", "" | "archived declined" | "archived expired" | "archived withdrawn")
                | ("reminded", "received") => "received",
                ("declined", "received") => "archived declined",
                ("expired", "received") => "archived expired",
                ("withdrawn", "received") => "archived withdrawn",
                ("won", "accepted") => "archived won",
                ("lost", "accepted") => "archived lost",
                ("noteAdded", from) if !from.is_empty() => continue,
                _ => panic!("{id}: {kind} after {from:?}: {:#?}", deal.events),
            };
            let version = before.map_or(0, |(_, version)| version) + 1;
            stand.insert(organization, (to.to_owned(), version));
            match kind {
                "created" => owner = organization,
                "invited" => {
                    fields.retain(|(of, _), _| *of != organization);
                    if let Some((_, version)) = stand.get_mut(owner) {
                        *version += 1;
                    }
                }
                _ => {}
            }
            let changes = event.get("changes").and_then(Value::as_array);
            for change in changes.into_iter().flatten() {
                let key = (organization, change["field"].as_str().expect("a field"));
                if let Some(last) = fields.insert(key, &change["to"]) {
                    assert_eq!(*last, change["from"], "{id}: a change is missing: {event:?}");
                }
            }
        }
        let found: BTreeMap<&str, (String, u64)> = deal
            .views
            .iter()
            .map(|(organization, view)| {
                (
                    *organization,
                    (stands(view), view["version"].as_u64().expect("a version")),
                )
            })
            .collect();
        assert_eq!(found, stand, "{id}: {:#?}", deal.events);
        for ((organization, field), value) in fields {
            if ["name", "crmId"].contains(&field) {
                let kept = deal.views[organization].get(field).unwrap_or(&Value::Null);
                assert_eq!(kept, value, "{id}: {organization} {field}");
            }
        }
    }
}

/// What each organization sees agrees with the table and with what the others see: lists, views, participants, history, summary.
pub async fn everybody_agrees(table: &Table, clients: &[(&str, Client)]) {
    events_make_views(table);
    let deals = deals(table);
    let mut seen: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (organization, client) in clients {
        let own = |deal: &Stored<'_>| deal.views.contains_key(organization);
        let stored: BTreeSet<&str> = deals.iter().filter(|(_, deal)| own(deal)).map(|(id, _)| *id).collect();
        let mut listed = BTreeMap::new();
        let mut totals: BTreeMap<(String, String, String), (i64, i128)> = BTreeMap::new();
        for tab in ["inbound", "outbound"] {
            for item in client.all(&format!("/v1/opportunities?tab={tab}&limit=100")).await {
                let money = if item["finalValue"].is_null() {
                    &item["estimatedValue"]
                } else {
                    &item["finalValue"]
                };
                let currency = money["currency"].as_str().unwrap_or("-").to_owned();
                let total = totals.entry((tab.to_owned(), standing(&item), currency)).or_default();
                *total = (total.0 + 1, total.1 + digits(&money["amount"]));
                let id = item["id"].as_str().expect("an id").to_owned();
                assert!(listed.insert(id, item).is_none(), "{organization}: twice in its lists");
            }
        }
        let ids: BTreeSet<&str> = listed.keys().map(String::as_str).collect();
        assert_eq!(ids, stored, "{organization}: its lists and its views");
        assert_eq!(
            summary(client).await,
            totals,
            "{organization}: its summary and its lists"
        );
        // Of very many, the short size asks for some, the same ones for everybody.
        let step = if size() == 1 { deals.len() / SOME + 1 } else { 1 };
        let some = deals.keys().step_by(step).filter(|id| stored.contains(*id));
        let answers = some.map(|id| async move {
            let path = format!("/v1/opportunities/{id}");
            let view = client.get(&path).await;
            (*id, view, client.all(&format!("{path}/history?limit=100")).await)
        });
        let answers: Vec<_> = stream::iter(answers).buffer_unordered(AT_ONCE).collect().await;
        for (id, view, history) in answers {
            view.is(200);
            assert_eq!(
                view.standing(),
                standing(&listed[id]),
                "{organization}: its list and {view}"
            );
            let participants: BTreeMap<String, String> = view.body["participants"]
                .as_array()
                .expect("participants")
                .iter()
                .map(|one| (one["organizationId"].to_string(), standing(one)))
                .collect();
            let others = seen.entry(id.to_owned()).or_insert_with(|| participants.clone());
            assert_eq!(
                *others, participants,
                "{organization} sees another deal than others: {view}"
            );
            let may_see = |event: &&&Item| {
                text(event, "organizationId") == *organization
                    || !["updated", "noteAdded", "reminded"].contains(&text(event, "type"))
            };
            let events = deals[id].events.iter().rev().filter(may_see);
            let expected: Vec<&str> = events.map(|event| text(event, "id")).collect();
            let found: Vec<&str> = history.iter().map(|item| item["id"].as_str().expect("an id")).collect();
            assert_eq!(found, expected, "{organization}: the history of {id}");
        }
    }
}

fn digits(amount: &Value) -> i128 {
    let amount = amount.as_str().map(|amount| amount.replace('.', ""));
    amount.map_or(0, |amount| amount.parse().expect("a number"))
}

/// Tab, stage and outcome, currency; how many, and what they come to.
async fn summary(client: &Client) -> BTreeMap<(String, String, String), (i64, i128)> {
    let answer = client.get("/v1/summary").await;
    let totals = answer.is(200).body["totals"].as_array().expect("totals").clone();
    let totals = totals.iter().map(|total| {
        let name = |name: &str| total[name].as_str().unwrap_or("-").to_owned();
        let key = (name("tab"), standing(total), name("currency"));
        (
            key,
            (total["count"].as_i64().expect("a count"), digits(&total["value"])),
        )
    });
    totals.collect()
}

/// The ids of what the events of a table tell each organization, in the order of the events of each deal.
pub fn notices(table: &Table) -> BTreeMap<String, Vec<String>> {
    let mut notices: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for deal in deals(table).into_values() {
        for event in deal.events {
            for notice in event.get("notices").and_then(Value::as_array).into_iter().flatten() {
                let recipient = notice["recipient"]["organizationId"].as_str().expect("a recipient");
                let id = notice["id"].as_str().expect("an id").to_owned();
                notices.entry(recipient.to_owned()).or_default().push(id);
            }
        }
    }
    notices
}

/// What is counted of an organization: the item and the attribute, and how many.
type Counts = BTreeMap<(String, String), i64>;

/// As the table has it.
fn counts(table: &Table, organization: &str) -> Counts {
    let own = (format!("ORG#{organization}"), "EVENTS".to_owned());
    let is_count =
        |(pk, sk): &(String, String)| (pk, sk) == (&own.0, &own.1) || pk.starts_with("ALIKE#") && sk == organization;
    let items = table.iter().filter(|(key, _)| is_count(key));
    let counts = items.flat_map(|((pk, _), item)| {
        let names = item
            .iter()
            .filter(|(name, _)| !["pk", "sk", "tabPk", "tabSk"].contains(&name.as_str()));
        names.map(|(name, count)| ((pk.clone(), name.clone()), count.as_i64().expect("a count")))
    });
    // What was opened and closed again is nothing.
    counts.filter(|(_, count)| *count != 0).collect()
}

/// As its events say, each of them once.
fn expected_counts(table: &Table, organization: &str) -> Counts {
    let own = format!("ORG#{organization}");
    let mut counts = Counts::new();
    let deals = deals(table);
    let events = deals.values().flat_map(|deal| deal.events.iter());
    let counted = events.filter(|event| text(event, "organizationId") == organization && event.contains_key("duePk"));
    for event in counted {
        let added = event.get("counts").and_then(Value::as_object).into_iter().flatten();
        for (counter, number) in added {
            // What deals have in common has an item of its own: `country:US`, `inTime:country:US`, `late:country:US`.
            let (item, name) = match counter.split_once(':') {
                None | Some(("open", _)) => (own.clone(), counter.as_str()),
                Some((name @ ("inTime" | "late"), likeness)) => (format!("ALIKE#{likeness}"), name),
                Some(_) => (format!("ALIKE#{counter}"), "count"),
            };
            *counts.entry((item, name.to_owned())).or_default() += number.as_i64().expect("a number");
        }
    }
    counts.retain(|_, count| *count != 0);
    counts
}

/// Each event was told each of its recipients once, and counted once; and all of them are on the bus, first arrivals in the order
/// of each deal.
pub async fn everything_is_told(table: &Table, clients: &[(&str, Client)], published: &[Value]) {
    let notices = notices(table);
    let sorted = |ids: &mut Vec<String>| ids.sort();
    for (organization, client) in clients {
        let feed = client.all("/v1/notifications?limit=100").await;
        let mut told: Vec<String> = feed
            .iter()
            .map(|detail| detail["id"].as_str().expect("an id").to_owned())
            .collect();
        let mut expected = notices.get(*organization).cloned().unwrap_or_default();
        sorted(&mut told);
        sorted(&mut expected);
        assert_eq!(told, expected, "{organization}: its feed and the events");
        assert_eq!(
            counts(table, organization),
            expected_counts(table, organization),
            "{organization}: what was counted"
        );
    }
    let mut first = BTreeSet::new();
    let mut of_deals: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for detail in published {
        let id = detail["id"].as_str().expect("an id");
        if first.insert(id.to_owned()) {
            let deal = detail["dealId"].as_str().expect("a deal");
            of_deals.entry(deal).or_default().push(id);
        }
    }
    let all: BTreeSet<String> = notices.into_values().flatten().collect();
    assert_eq!(first, all, "what is on the bus and what happened");
    for (deal, ids) in of_deals {
        assert!(ids.is_sorted(), "{deal}: {ids:?}");
    }
}
