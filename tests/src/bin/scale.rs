//! What must not grow with the exchange, as ratios: of a list page in a small and a large organization, of a sweep with nothing
//! and with much that is not due, of a keystroke in a small and a large directory. Each beside the same ratio of the embedded
//! engine alone, which is `SQLite`: what both have in common is the engine's.
//!
//! `cargo run -p tests --bin scale`. With `COSELL_SIZE=10` there are 100,000 opportunities and as many that are not due;
//! with `COSELL_SIZE=50`, a million companies. `-- lists`, `-- sweeps` and `-- keystrokes` are a part each.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client as Engine;
use aws_sdk_dynamodb::types::{AttributeValue, Put, PutRequest, TransactWriteItem, WriteRequest};
use chrono::TimeDelta;
use domain::DealId;
use edge::{clock, entropy};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, stream};
use local::{Options, TABLE};
use serde_json::{Value, json};
use tests::capacity::Table;
use tests::companies::fill;
use tests::{Client, Item, Recorder, World, id, options, size};

/// Of a size of 1.
const SMALL: usize = 100;
const LARGE: usize = 10_000;
const FEW_COMPANIES: u32 = 1_000;
const MANY_COMPANIES: u32 = 20_000;
/// The number of the first one: all begin with the same digits, which tell their partition, and are long enough to be nothing else.
const FIRST_COMPANY: u32 = 10_000_000;
/// Invitations that lapse for one sweep, and for a large one.
const DUE: usize = 160;
const MUCH_DUE: usize = 640;
/// What the sweep works on at once.
const AT_ONCE: usize = 16;
/// How often something short is measured.
const TIMES: usize = 200;

type Typed = HashMap<String, AttributeValue>;

#[tokio::main]
async fn main() {
    println!("| | small | large | ratio | the engine alone | units |\n|---|--:|--:|--:|--:|---|");
    let parts: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |part| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    if wanted("lists") {
        lists().await;
    }
    if wanted("sweeps") {
        sweeps().await;
    }
    if wanted("keystrokes") {
        keystrokes().await;
    }
}

fn line(what: &str, times: [Duration; 2], engine: Option<f64>, units: &str) {
    let engine = engine.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
    let ([small, large], ratio) = (times, ratio(times));
    println!("| {what} | {small:.1?} | {large:.1?} | {ratio:.2} | {engine} | {units} |");
}

/// A page of 25 in an organization with few, and in one with many opportunities.
async fn lists() {
    let world = World::start().await;
    let engine = world.table();
    let recorder = Recorder::before(world.engine().to_owned()).await;
    let watched = world.through(recorder.url(), options()).await;
    for (organization, count) in [("fabrikam", SMALL), ("northwind", LARGE * size())] {
        let path = world.deal(&[organization]).await;
        let accept = json!({"decision": "accept"});
        let partner = world.admin(organization);
        partner.post(&format!("{path}/response"), &accept).await.is(200);
        copy(&engine, &views(&world.dump().await, &path), &path, count).await;
    }
    for query in ["tab=inbound&stage=accepted", "tab=inbound"] {
        let path = format!("/v1/opportunities?{query}");
        let get = async |world: &World, organization: &str| {
            let answer = world.admin(organization).get(&path).await;
            assert_eq!(answer.is(200).body["items"].as_array().map(Vec::len), Some(25));
        };
        let times = alternating(async |large| get(&world, ["fabrikam", "northwind"][usize::from(large)]).await).await;
        let raw =
            alternating(async |large| raw_page(&engine, ["fabrikam", "northwind"][usize::from(large)]).await).await;
        let mut units = Vec::new();
        for organization in ["fabrikam", "northwind"] {
            recorder.clear();
            get(&watched, organization).await;
            units.push(recorder.units().await.reads);
        }
        line(
            &format!("a page of 25 among {SMALL} and {} ({query})", LARGE * size()),
            times,
            Some(ratio(raw)),
            &format!("{} and {}", units[0], units[1]),
        );
    }
}

async fn raw_page(engine: &Engine, organization: &str) {
    let query = engine.query().table_name(TABLE).index_name("byTab").limit(26);
    let query = query.scan_index_forward(false).key_condition_expression("tabPk = :tab");
    let tab = AttributeValue::S(format!("ORG#{organization}#inbound#accepted"));
    let answer = query.expression_attribute_values(":tab", tab).send().await;
    assert_eq!(answer.expect("a page").count, 26);
}

/// Some that are due, alone and among many that are not; more of them; and what the engine does alone with the same transactions.
async fn sweeps() {
    let world = World::start().await;
    let engine = world.table();
    let lapsing = world
        .beside(Options {
            response_window: TimeDelta::milliseconds(1),
            ..options()
        })
        .await;
    let pending = world.deal(&["northwind"]).await;
    let pending_views = views(&world.dump().await, &pending);
    let path = lapsing.deal(&["fabrikam"]).await;
    let table = world.dump().await;
    let lapsed = views(&table, &path);
    // Not due by now itself: the sweep writes what it finds.
    let sweep = async |count: usize| {
        copy(&engine, &lapsed, &path, count).await;
        let begun = Instant::now();
        let report = world.stack.sweep().await.expect("swept");
        let took = begun.elapsed();
        assert_eq!(
            (&report["failed"], &report["complete"]),
            (&json!(0), &json!(true)),
            "{report}"
        );
        assert!(
            report["expired"]
                .as_u64()
                .is_some_and(|expired| expired >= count as u64),
            "{report}"
        );
        took
    };
    // To warm up.
    sweep(DUE).await;
    let few = [sweep(DUE).await, sweep(DUE).await, sweep(DUE).await]
        .into_iter()
        .min()
        .expect("three");
    let much = sweep(MUCH_DUE).await;
    line(
        &format!("a sweep of {DUE} and of {MUCH_DUE} that are due, for {DUE} each"),
        [few, much / u32::try_from(MUCH_DUE / DUE).expect("small")],
        None,
        "",
    );
    copy(&engine, &lapsed, &path, MUCH_DUE).await;
    let before = world.dump().await;
    let begun = Instant::now();
    world.stack.sweep().await.expect("swept");
    let swept = begun.elapsed();
    let alone = replay(&engine, &before, &world.dump().await).await;
    println!(
        "| {MUCH_DUE} expiries, and the engine alone with the same transactions, {AT_ONCE} at once | {:.0} a second | {:.0} a second | {:.2} | | |",
        rate(swept),
        rate(alone),
        rate(swept) / rate(alone)
    );
    copy(&engine, &pending_views, &pending, LARGE * size()).await;
    let among = [sweep(DUE).await, sweep(DUE).await, sweep(DUE).await]
        .into_iter()
        .min()
        .expect("three");
    line(
        &format!(
            "a sweep of {DUE} that are due, alone and among {} that are not",
            LARGE * size()
        ),
        [few, among],
        None,
        "",
    );
}

#[expect(clippy::cast_precision_loss, reason = "some hundreds")]
fn rate(took: Duration) -> f64 {
    MUCH_DUE as f64 / took.as_secs_f64()
}

/// The time of the transactions that get from one table to the other, one for each deal, when nothing is read or decided.
async fn replay(engine: &Engine, before: &Table, after: &Table) -> Duration {
    let mut deals: HashMap<&str, Vec<Typed>> = HashMap::new();
    let (mut restored, mut counters) = (Vec::new(), Vec::new());
    for (key, item) in after.iter().filter(|(key, item)| before.get(*key) != Some(*item)) {
        if key.0.starts_with("DEAL#") {
            deals.entry(&key.0).or_default().push(typed(item));
            restored.extend(before.get(key).map(typed));
        } else {
            counters.push(typed(item));
        }
    }
    write(engine, restored).await;
    // Each transaction of the sweep moves a count from one to another.
    let spread = counters.len() / 2;
    let put = |item: Typed| {
        let put = Put::builder().table_name(TABLE).set_item(Some(item));
        let put = put.condition_expression("attribute_exists(pk) OR attribute_not_exists(pk)");
        TransactWriteItem::builder().put(put.build().expect("a put")).build()
    };
    let transactions: Vec<Vec<TransactWriteItem>> = deals
        .into_values()
        .enumerate()
        .map(|(n, items)| {
            let counts = [counters[n % spread].clone(), counters[spread + n % spread].clone()];
            items.into_iter().chain(counts).map(put).collect()
        })
        .collect();
    let begun = Instant::now();
    stream::iter(transactions)
        .for_each_concurrent(AT_ONCE, |items| async {
            let request = engine.transact_write_items().set_transact_items(Some(items));
            request.send().await.expect("written");
        })
        .await;
    begun.elapsed()
}

/// A keystroke in a country with few, and in one with many companies.
async fn keystrokes() {
    let world = World::start().await;
    let engine = world.table();
    let recorder = Recorder::before(world.engine().to_owned()).await;
    let watched = world.through(recorder.url(), options()).await;
    let times = u32::try_from(size()).expect("a number");
    let many = MANY_COMPANIES * times;
    for (country, count) in [("DE", FEW_COMPANIES), ("US", MANY_COMPANIES)] {
        fill(&world, country, FIRST_COMPANY..FIRST_COMPANY + count).await;
    }
    multiply(&engine, &world.dump().await, "US", times).await;
    let fabrikam = world.admin("fabrikam");
    // A third of the names has no number.
    let last = (FIRST_COMPANY..FIRST_COMPANY + many).rfind(|number| number % 3 != 0);
    let last = last.expect("many");
    let answer = fabrikam.get(&format!("/v1/customers?country=US&q={last}")).await;
    assert_eq!(
        answer.is(200).body["items"][0]["address"]["city"],
        format!("City {last}")
    );
    for text in [
        "al",
        "alpine",
        "the%20alder%20b",
        "national",
        "national%20bank",
        "bank%20alp",
        "bank%20alpine%202",
        "inc",
        "zzz",
    ] {
        let get = async |client: &Client, country: &str| {
            client
                .get(&format!("/v1/customers?country={country}&q={text}"))
                .await
                .is(200);
        };
        let times = alternating(async |large| get(&fabrikam, ["DE", "US"][usize::from(large)]).await).await;
        let (mut units, mut asked) = (Vec::new(), Vec::new());
        for country in ["DE", "US"] {
            recorder.clear();
            get(&watched.admin("fabrikam"), country).await;
            units.push(recorder.units().await.reads);
            asked.push(recorder.take());
        }
        let alone = alternating(async |large| ask(&engine, &asked[usize::from(large)]).await).await;
        line(
            &format!("`{}` among {FEW_COMPANIES} and {many}", text.replace("%20", " ")),
            times,
            Some(ratio(alone)),
            &format!("{} and {}", units[0], units[1]),
        );
    }
}

/// Writes a country's companies so many times over, as an import would, with other ids and numbers. An import takes the engine
/// longer and longer: with each transaction it looks at all of the last ten minutes, whose tokens it remembers.
async fn multiply(engine: &Engine, table: &Table, country: &str, times: u32) {
    let number = |item: &Item| {
        item.get("address")?["city"]
            .as_str()?
            .strip_prefix("City ")?
            .parse::<u32>()
            .ok()
    };
    let companies = table
        .values()
        .filter(|item| item.get("country") == Some(&json!(country)));
    let companies: Vec<_> = companies.filter_map(|item| Some((number(item)?, item))).collect();
    for more in 1..times {
        let other = |(number, item): &(u32, &Item)| {
            let of = |name: &str| item[name].as_str().expect("text");
            // Of an entry, or of one that the company names: they all end with the same digest.
            let entries = item.get("entries").and_then(|entries| entries[0]["sk"].as_str());
            let digest = entries.unwrap_or(of("sk")).rsplit('#').next().expect("a part");
            let mut text = serde_json::to_string(item).expect("JSON");
            let ids = [of("id"), digest].map(|id| (id.to_owned(), format!("{more:04x}{}", &id[4..])));
            let numbers = (number.to_string(), (number + more * MANY_COMPANIES).to_string());
            for (old, new) in ids.into_iter().chain([numbers]) {
                text = text.replace(&old, &new);
            }
            typed(&serde_json::from_str(&text).expect("an item"))
        };
        for portion in companies.chunks(10_000) {
            write(engine, portion.iter().map(other).collect()).await;
        }
    }
}

/// The same Queries, all at once.
async fn ask(engine: &Engine, queries: &[(String, Value)]) {
    let answers = queries.iter().map(|(_, body)| {
        let item = |name| {
            serde_json::from_value::<serde_dynamo::Item>(body[name].clone())
                .ok()
                .map(Into::into)
        };
        let query = engine.query().table_name(TABLE);
        let query = query.key_condition_expression(body["KeyConditionExpression"].as_str().expect("a condition"));
        let query = query.set_expression_attribute_values(item("ExpressionAttributeValues"));
        let limit = body["Limit"].as_i64().and_then(|limit| i32::try_from(limit).ok());
        query
            .set_exclusive_start_key(item("ExclusiveStartKey"))
            .set_limit(limit)
            .send()
    });
    try_join_all(answers).await.expect("answers");
}

/// The medians of the small and of the large, which take turns, so that what else the machine does happens to both.
async fn alternating(act: impl AsyncFn(bool)) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..2 * TIMES {
        let large = round % 2 == 1;
        let begun = Instant::now();
        act(large).await;
        times[usize::from(large)].push(begun.elapsed());
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

fn ratio([small, large]: [Duration; 2]) -> f64 {
    large.as_secs_f64() / small.as_secs_f64()
}

/// All views of a deal.
fn views(table: &Table, path: &str) -> Vec<Item> {
    let pk = format!("DEAL#{}", id(path));
    let views = table
        .iter()
        .filter(|((key, sk), _)| *key == pk && sk.starts_with("ORG#"));
    views.map(|(_, view)| view.clone()).collect()
}

fn typed(item: &Item) -> Typed {
    serde_dynamo::to_item(item).expect("an item")
}

/// Writes a deal's views so many times more, under other ids, evenly over the shards of what is due.
async fn copy(engine: &Engine, views: &[Item], path: &str, count: usize) {
    let old = id(path);
    let mut items = Vec::new();
    for n in 0..count {
        let new = DealId::new(clock::now(), entropy::entropy()).to_string();
        // The last character of an id tells its shard.
        let shard = n % AT_ONCE;
        let new = format!("{}{shard:X}", &new[..new.len() - 1]);
        for view in views {
            let text = serde_json::to_string(view).expect("JSON").replace(old, &new);
            let mut copied: Item = serde_json::from_str(&text).expect("an item");
            if let Some(due) = copied.get_mut("duePk") {
                *due = json!(format!("DUE#{shard:02}"));
            }
            items.push(typed(&copied));
        }
    }
    write(engine, items).await;
}

async fn write(engine: &Engine, items: Vec<Typed>) {
    let request = |item: &Typed| {
        let put = PutRequest::builder()
            .set_item(Some(item.clone()))
            .build()
            .expect("a put");
        WriteRequest::builder().put_request(put).build()
    };
    let batches: Vec<Vec<WriteRequest>> = items
        .chunks(25)
        .map(|batch| batch.iter().map(request).collect())
        .collect();
    stream::iter(batches)
        .for_each_concurrent(8, |batch| async {
            let answer = engine
                .batch_write_item()
                .request_items(TABLE, batch)
                .send()
                .await
                .expect("written");
            assert!(answer.unprocessed_items.unwrap_or_default().is_empty());
        })
        .await;
}
