//! A publisher that fails wholly, partly, or dies in the middle loses nothing, doubles nothing but the publication itself,
//! and keeps the order of each deal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use local::Options;
use serde_json::{Value, json};
use tests::bus::{FakeBus, Manner};
use tests::{World, eventually, id, invitation, options};

const ORGANIZATIONS: [&str; 4] = ["contoso", "fabrikam", "northwind", "tailspin"];
/// What [`some_deals`] tells.
const TOLD: usize = 5 * 5;

/// A world whose events go to this bus.
async fn with(bus: &FakeBus, stream: bool) -> World {
    World::with(Options {
        events_endpoint: Some(bus.url.clone()),
        stream,
        ..options()
    })
    .await
}

/// Deals with some history; their paths.
async fn some_deals(world: &World) -> Vec<String> {
    let mut deals = Vec::new();
    for _ in 0..5 {
        let deal = world.accepted_deal().await;
        let invite = format!("{deal}/invitations");
        world
            .admin("contoso")
            .post(&invite, &invitation("northwind"))
            .await
            .is(201);
        world
            .admin("contoso")
            .delete(&format!("{invite}/northwind"))
            .await
            .is(204);
        let close = format!("{deal}/close");
        world
            .admin("fabrikam")
            .post(&close, &json!({"outcome": "won"}))
            .await
            .is(200);
        deals.push(deal);
    }
    deals
}

fn text<'a>(detail: &'a Value, name: &str) -> &'a str {
    detail[name].as_str().expect("text")
}

/// What arrived first of each event, in the order of arrival.
fn first_arrivals(taken: &[Value]) -> Vec<&Value> {
    let mut seen = BTreeSet::new();
    taken.iter().filter(|detail| seen.insert(text(detail, "id"))).collect()
}

/// All events arrived, those of each deal in the order of their ids, and each is in the feed of its recipient once.
async fn nothing_is_lost(world: &World, bus: &FakeBus) {
    let taken = bus.taken();
    let arrived = first_arrivals(&taken);
    assert_eq!(arrived.len(), TOLD);
    let mut deals: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for detail in &arrived {
        deals
            .entry(text(detail, "dealId"))
            .or_default()
            .push(text(detail, "id"));
    }
    for (deal, ids) in deals {
        assert!(ids.is_sorted(), "{deal}: {ids:?}");
    }
    let mut in_feeds = Vec::new();
    for organization in ORGANIZATIONS {
        in_feeds.extend(world.admin(organization).all("/v1/notifications?limit=100").await);
    }
    let ids = |details: &mut dyn Iterator<Item = &Value>| {
        let mut ids: Vec<String> = details.map(|detail| text(detail, "id").to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(
        ids(&mut in_feeds.iter()),
        ids(&mut arrived.into_iter()),
        "each once in its feed"
    );
    // Counted once: five of each.
    let counts = &world.dump().await[&("ORG#fabrikam".to_owned(), "EVENTS".to_owned())];
    assert_eq!(
        (&counts["answered"], &counts["taken"], &counts["closedInTime"]),
        (&json!(5), &json!(5), &json!(5))
    );
}

async fn all_arrive(world: &World, bus: &FakeBus) {
    eventually("all events arrive", || async {
        (first_arrivals(&bus.taken()).len() >= TOLD).then_some(())
    })
    .await;
    nothing_is_lost(world, bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bus_that_is_down_gets_all_when_it_is_up_again() {
    let bus = FakeBus::start(Manner::Fails).await;
    let world = with(&bus, true).await;
    some_deals(&world).await;
    bus.is_called().await;
    assert!(bus.taken().is_empty());
    bus.becomes(Manner::Takes);
    all_arrive(&world, &bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_bus_refuses_is_sent_again_and_the_rest_of_the_deal_waits() {
    let takes_one_in = async |many| {
        let bus = FakeBus::start(Manner::TakesOneIn(many)).await;
        let world = with(&bus, true).await;
        some_deals(&world).await;
        all_arrive(&world, &bus).await;
        assert!(bus.calls().iter().all(|entries| (1..=10).contains(entries)));
    };
    tokio::join!(takes_one_in(2), takes_one_in(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_publisher_that_dies_after_any_call_loses_nothing() {
    let bus = FakeBus::start(Manner::Takes).await;
    let world = with(&bus, false).await;
    some_deals(&world).await;
    let batch = world.batch(Duration::ZERO).await;
    // Dies while the bus has taken a batch and not yet answered, again and again.
    bus.becomes(Manner::TakesInSilence);
    for _ in 0..3 {
        let app = world.stack.app().clone();
        let (deadline, event) = (edge::clock::now().millis() + 60_000, batch.clone());
        let dying = tokio::spawn(async move { functions::invoke("notify", &app, event, deadline).await });
        bus.is_called().await;
        dying.abort();
        assert!(dying.await.expect_err("it died").is_cancelled());
    }
    bus.becomes(Manner::Takes);
    let answer = world.stack.invoke("notify", batch.clone()).await.expect("it runs");
    assert_eq!(answer, json!({"batchItemFailures": []}));
    assert!(bus.taken().len() > TOLD, "some were published again, with the same id");
    nothing_is_lost(&world, &bus).await;
    // And once more, for a batch that Lambda brings again without need.
    world.stack.invoke("notify", batch).await.expect("it runs");
    nothing_is_lost(&world, &bus).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_at_once_with_the_same_events_tell_each_once() {
    let bus = FakeBus::start(Manner::Takes).await;
    let world = with(&bus, false).await;
    some_deals(&world).await;
    let batch = world.batch(Duration::ZERO).await;
    let halves = batch["Records"].as_array().expect("records").clone();
    let (first, second) = halves.split_at(halves.len() / 2);
    let invoke = |records: &[Value]| world.stack.invoke("notify", json!({"Records": records}));
    let (a, b, c, d) = tokio::join!(invoke(&halves), invoke(first), invoke(second), invoke(&halves));
    for answer in [a, b, c, d] {
        assert_eq!(answer.expect("it runs")["batchItemFailures"], json!([]));
    }
    // Published several times, and by several at once, whose order among each other nobody can promise.
    let mut numbers = Vec::new();
    for organization in ORGANIZATIONS {
        let feed = world.admin(organization).all("/v1/notifications?limit=7").await;
        numbers.push(feed.len());
        let ids: BTreeSet<_> = feed.iter().map(|detail| text(detail, "id")).collect();
        assert_eq!(ids.len(), feed.len(), "each once");
    }
    assert_eq!(numbers, [10, 5, 10, 0]);
}

#[tokio::test]
async fn what_failed_comes_again_and_other_deals_do_not_wait() {
    let bus = FakeBus::start(Manner::Takes).await;
    let world = with(&bus, false).await;
    let deals = some_deals(&world).await;
    let mut batch = world.batch(Duration::ZERO).await;
    // One event of the first deal that nobody can read goes to the dead letters with what it says, and no further.
    let records = batch["Records"].as_array_mut().expect("records");
    let of_first = |record: &Value| record["dynamodb"]["Keys"]["pk"]["S"] == json!(format!("DEAL#{}", id(&deals[0])));
    let tells = |record: &Value| record["dynamodb"]["NewImage"].get("notices").is_some();
    let bad = records
        .iter()
        .position(|record| of_first(record) && tells(record))
        .expect("some");
    records[bad]["dynamodb"]["NewImage"]["notices"] = json!({"S": "unreadable"});
    let answer = world.stack.invoke("notify", batch).await.expect("it runs");
    assert_eq!(answer["batchItemFailures"], json!([]));
    let letters = world.stack.messages("DeadLetters");
    assert_eq!(letters.len(), 1);
    let letter: Value = serde_json::from_str(&letters[0]).expect("JSON");
    assert_eq!(letter["why"], "unreadable");
    assert_eq!(
        letter["event"]["dealId"]["S"],
        json!(id(&deals[0])),
        "with what it says"
    );
    assert_eq!(first_arrivals(&bus.taken()).len(), TOLD - 1);
}

#[tokio::test]
async fn failures_are_reported_for_each_event_until_they_are_given_up() {
    let bus = FakeBus::start(Manner::Fails).await;
    let world = with(&bus, false).await;
    world.deal(&["fabrikam"]).await;
    let batch = world.batch(Duration::ZERO).await;
    let tells = |record: &Value| record["dynamodb"]["NewImage"].get("notices").is_some();
    let records = batch["Records"].as_array().expect("records");
    let expected: Vec<Value> = records
        .iter()
        .filter(|record| tells(record))
        .map(|record| json!({"itemIdentifier": record["dynamodb"]["SequenceNumber"]}))
        .collect();
    assert_eq!(expected.len(), 1);
    let answer = world.stack.invoke("notify", batch).await.expect("it runs");
    assert_eq!(answer["batchItemFailures"], json!(expected));
    assert!(world.stack.messages("DeadLetters").is_empty());

    let six_hours_later = world.batch(Duration::from_hours(6)).await;
    let answer = world.stack.invoke("notify", six_hours_later).await.expect("it runs");
    assert_eq!(answer["batchItemFailures"], json!([]));
    let letters = world.stack.messages("DeadLetters");
    let letter: Value = serde_json::from_str(&letters[0]).expect("JSON");
    assert_eq!(letter["event"]["type"]["S"], "invited");
    assert!(letter["event"]["notices"]["L"][0]["M"]["opportunity"].is_object());
    assert_eq!(
        world.admin("fabrikam").all("/v1/notifications?limit=9").await.len(),
        1,
        "its feed has it"
    );
}

#[tokio::test]
async fn without_time_nothing_is_begun_and_all_comes_again() {
    let bus = FakeBus::start(Manner::Takes).await;
    let world = with(&bus, false).await;
    some_deals(&world).await;
    let batch = world.batch(Duration::ZERO).await;
    let late = edge::clock::now().millis() + 1_000;
    let answer = functions::invoke("notify", world.stack.app(), batch, late)
        .await
        .expect("it runs");
    assert_eq!(answer["batchItemFailures"].as_array().expect("failures").len(), TOLD);
    assert!(bus.taken().is_empty());
}

#[tokio::test]
async fn a_redrive_publishes_again_what_a_deal_or_a_span_of_time_holds() {
    let bus = FakeBus::start(Manner::Takes).await;
    let world = with(&bus, false).await;
    let before = edge::clock::now();
    let deals = some_deals(&world).await;
    let between = edge::clock::now();
    // Nothing has been told yet: a redrive makes up for that as well.
    let report = world
        .stack
        .redrive(&json!({"dealId": id(&deals[0])}))
        .await
        .expect("it runs");
    assert_eq!(report, json!({"events": 5, "failed": [], "next": null}));
    let taken = bus.taken();
    assert!(taken.iter().all(|detail| text(detail, "dealId") == id(&deals[0])));
    assert_eq!(world.admin("contoso").all("/v1/notifications?limit=9").await.len(), 2);

    world.deal(&["tailspin"]).await;
    let span = async |from: String, to: String| {
        let (mut events, mut cursor) = (0, Value::Null);
        loop {
            let mut redrive = json!({"from": from, "to": to});
            if !cursor.is_null() {
                redrive["cursor"] = cursor;
            }
            let report = world.stack.redrive(&redrive).await.expect("it runs");
            events += report["events"].as_u64().expect("a count");
            assert_eq!(report["failed"], json!([]));
            cursor = report["next"].clone();
            if cursor.is_null() {
                return events;
            }
        }
    };
    assert_eq!(span(before.to_string(), between.to_string()).await, TOLD as u64);
    nothing_is_lost(&world, &bus).await;
    let all = span(before.to_string(), "2099-01-01T00:00:00Z".into()).await;
    assert_eq!(all, TOLD as u64 + 1);
    assert_eq!(span("2020-01-01T00:00:00Z".into(), before.to_string()).await, 0);

    for wrong in [
        json!({}),
        json!({"dealId": "x"}),
        json!({"from": "2026-01-01T00:00:00Z"}),
        json!({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}),
        json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "cursor": "99/x"}),
        json!({"dealId": id(&deals[0]), "form": "x"}),
    ] {
        let error = world.stack.redrive(&wrong).await.expect_err("refused");
        assert!(error.starts_with("BadEvent: "), "{wrong}: {error}");
    }
}

#[tokio::test]
async fn what_is_no_batch_is_refused() {
    let world = World::start().await;
    for event in [json!({}), json!({"Records": 1}), json!({"Records": [{}]}), json!([])] {
        let error = world.stack.invoke("notify", event).await.expect_err("refused");
        assert!(error.starts_with("BadEvent: "), "{error}");
    }
    let answer = world.stack.invoke("notify", json!({"Records": []})).await;
    assert_eq!(answer, Ok(json!({"batchItemFailures": []})));
}

/// A folder that ends with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("publishing-{:032x}", edge::entropy::entropy());
        Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stack_that_starts_again_goes_on_where_it_stopped() {
    let folder = Scratch::new();
    let data = local::Data::File(folder.0.join("cosell.db"));
    let bus = FakeBus::start(Manner::Takes).await;
    let start = |stream| Options {
        data: data.clone(),
        // A file is the embedded engine's.
        dynamodb_endpoint: None,
        events_endpoint: Some(bus.url.clone()),
        stream,
        ..options()
    };
    let world = World::with(start(true)).await;
    some_deals(&world).await;
    all_arrive(&world, &bus).await;
    let published = bus.taken().len();
    world.stack.shutdown().await;
    // What happens while nobody reads the stream is not lost either.
    let world = World::with(start(false)).await;
    let deal = world.deal(&["tailspin"]).await;
    world.stack.shutdown().await;
    let world = World::with(start(true)).await;
    let told = world.admin("tailspin").told(1).await;
    assert_eq!(told[0]["dealId"], json!(id(&deal)));
    // Feeds are written first.
    let taken = eventually("it is published", || async {
        let taken = bus.taken();
        (taken.len() > published).then_some(taken)
    })
    .await;
    assert_eq!(
        taken.len(),
        published + 1,
        "and nothing is published again without need"
    );
    world.stack.shutdown().await;
}
