//! What each action asks of DynamoDB, in request units, beside the least that it takes: the table in functions/README.md.
//! `COSELL_REWRITE=1 cargo test -p tests --test capacity` writes it anew.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnConsumedCapacity, TransactWriteItem};
use axum::http::Method;
use chrono::TimeDelta;
use local::Options;
use serde_json::{Value, json};
use tests::bus::{FakeBus, Manner as BusManner};
use tests::capacity::Need::{Each, Entries, One, Together};
use tests::capacity::Read::{Consistent, Eventual};
use tests::capacity::{self, Need, Units, Which, least_reads, least_writes};
use tests::receiver::{Manner, Receiver};
use tests::{Client, Recorder, World, but, deal, eventually, id, invitation, options, registration, rewrite};

/// Why something costs more than the least.
const SHARDS: &str = "spread over 16 partitions, so that no one takes all writes, and each is asked";
const PARTNER_SHARDS: &str = "spread over 4 partitions, and each is asked";
const STAGES: &str = "each stage is a range of the index, and a page may be made of any one of them";
const FIFTY: &str = "fifty teams at a time, until they have enough people in them";
const ONE_ITEM: &str = "a transaction of one item, as with an `Idempotency-Key`: it is rare";

/// Opportunities of a page.
const PAGE: usize = 25;

/// One action, as it was measured.
struct Row {
    action: String,
    measured: Units,
    least: Units,
    why: &'static str,
}

/// A world, and what was measured in it.
struct Meter {
    world: World,
    recorder: Recorder,
    rows: Vec<Row>,
}

impl Meter {
    fn new(world: World, recorder: Recorder) -> Self {
        Self {
            world,
            recorder,
            rows: Vec::new(),
        }
    }

    async fn measure<F: Future>(&mut self, action: &str, needs: &[Need<'_>], why: &'static str, act: F) -> F::Output {
        let before = self.world.dump().await;
        self.recorder.clear();
        let output = act.await;
        let measured = self.recorder.units().await;
        let least = Units {
            reads: least_reads(&before, needs),
            writes: least_writes(&before, &self.world.dump().await),
        };
        self.rows.push(Row {
            action: action.to_owned(),
            measured,
            least,
            why,
        });
        output
    }

    /// Events that nobody was told of yet, as a batch of the stream: only this one.
    async fn event(&self, deal: &str, kind: &str) -> Value {
        let batch = self.world.batch(Duration::ZERO).await;
        let records = batch["Records"].as_array().expect("records").iter();
        let records = records.filter(|record| {
            let image = &record["dynamodb"]["NewImage"];
            image["dealId"]["S"] == id(deal) && image["type"]["S"] == kind
        });
        let records: Vec<_> = records.cloned().collect();
        assert_eq!(records.len(), 1, "{kind}");
        json!({"Records": records})
    }
}

fn is(pk: impl Into<String>, sk: impl Into<String>) -> Which<'static> {
    let (partition, beginning) = (pk.into(), sk.into());
    Box::new(move |pk, sk| pk == partition && sk.starts_with(&beginning))
}

/// All views of a deal: what every decision about it is made on.
fn views(deal: &str) -> Need<'static> {
    Together(Consistent, is(format!("DEAL#{}", id(deal)), "ORG#"))
}

fn view(deal: &str, organization: &str) -> Need<'static> {
    One(Consistent, format!("DEAL#{}", id(deal)), format!("ORG#{organization}"))
}

/// The caller's own mark on a deal, which the answer shows.
fn mark(deal: &str, organization: &str) -> Need<'static> {
    let user = format!("USER#{organization}#{organization}-user");
    One(Consistent, user, format!("FAV#{}", id(deal)))
}

/// What a request names: organizations, solutions, the customer.
fn named(ids: &'static [&'static str]) -> Need<'static> {
    Each(
        Eventual,
        Box::new(|pk, sk| {
            let found = match sk {
                "PROFILE" => pk.strip_prefix("ORG#"),
                "CUSTOMER" => pk.strip_prefix("CUSTOMER#"),
                _ if pk.starts_with("SOLUTIONS#") && !sk.contains('#') => Some(sk),
                _ => None,
            };
            found.is_some_and(|found| ids.contains(&found))
        }),
    )
}

fn tab(pk: &str, entries: usize) -> Need<'static> {
    Entries("byTab", pk.to_owned(), entries)
}

fn vendor() -> Need<'static> {
    One(Eventual, "EXCHANGE".to_owned(), "VENDOR".to_owned())
}

fn marks(organization: &str) -> Which<'static> {
    is(format!("USER#{organization}#{organization}-user"), "FAV#")
}

/// A world with more deals than fit on a page, each with a customer of its own; Fabrikam has accepted them, or has still to answer.
async fn world(bus: &FakeBus) -> (World, Recorder) {
    let (world, recorder) = World::recorded_with(Options {
        events_endpoint: Some(bus.url.clone()),
        ..options()
    })
    .await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    for n in 0..2 * PAGE + 2 {
        let contact = &deal(&[])["customer"]["contact"];
        let customer = json!({"name": format!("Customer {n:02}"), "country": "US", "contact": contact});
        let answer = contoso
            .post("/v1/opportunities", &but(deal(&["fabrikam"]), "/customer", customer))
            .await;
        let path = answer.is(201).header("location").to_owned();
        if n % 2 == 0 {
            let accept = json!({"decision": "accept"});
            fabrikam.post(&format!("{path}/response"), &accept).await.is(200);
        }
    }
    (world, recorder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_action_costs_what_the_readme_says_and_nothing_without_a_reason() {
    let bus = FakeBus::start(BusManner::Takes).await;
    let (world, recorder) = world(&bus).await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let mut meter = Meter::new(world, recorder);
    let path = creation(&mut meter, &contoso).await;
    work(&mut meter, &contoso, &fabrikam, &path).await;
    lists(&mut meter, &contoso, &fabrikam).await;
    registrations(&mut meter, &contoso, &fabrikam, &path).await;
    directory(&mut meter, &contoso, &fabrikam, &path).await;
    customers(&mut meter, &contoso).await;
    let mut rows = meter.rows;
    rows.extend(webhooks().await);
    rows.extend(sweep().await);
    let table = shown(&rows);
    println!("{table}");
    for Row {
        action,
        measured,
        least,
        why,
    } in &rows
    {
        let above = measured.reads > least.reads || measured.writes > least.writes;
        assert!(
            measured.reads >= least.reads && measured.writes >= least.writes,
            "{action}: {measured:?} is less than {least:?}"
        );
        assert_eq!(
            above,
            !why.is_empty(),
            "{action}: {measured:?}, at least {least:?}: {why:?}"
        );
    }
    in_the_readme("functions", "capacity", &table);
}

/// A day of deals that no partition may be too slow for.
const A_DAY: f64 = 10e6;
/// As if all of a day's deals came in eight hours.
const PEAK: f64 = 3.0;
/// What a partition takes in a second.
const LIMIT: f64 = 1_000.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_busiest_partitions_are_those_that_the_readme_names() {
    let bus = FakeBus::start(BusManner::Takes).await;
    let (world, _) = World::recorded_with(Options {
        events_endpoint: Some(bus.url.clone()),
        ..options()
    })
    .await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let mut writes: BTreeMap<String, f64> = BTreeMap::new();
    let mut before = world.dump().await;
    let mut path = String::new();
    let (accept, won) = (json!({"decision": "accept"}), json!({"outcome": "won"}));
    let note = json!({"text": "Budget is approved for Q3.", "visibility": "shared"});
    for step in 0..6 {
        match step {
            0 => path = world.deal(&["fabrikam"]).await,
            1 => drop(fabrikam.post(&format!("{path}/response"), &accept).await.is(200)),
            2 => drop(contoso.patch(&path, "*", &json!({"name": "ERP"})).await.is(200)),
            3 => drop(fabrikam.post(&format!("{path}/notes"), &note).await.is(201)),
            4 => drop(fabrikam.post(&format!("{path}/close"), &won).await.is(200)),
            _ => drop(contoso.post(&format!("{path}/close"), &won).await.is(200)),
        }
        let after = world.dump().await;
        let wrote = capacity::writes(&before, &after);
        world
            .stack
            .invoke("notify", world.batch(Duration::ZERO).await)
            .await
            .expect("it runs");
        let told = world.dump().await;
        for (partition, units) in wrote.into_iter().chain(capacity::writes(&after, &told)) {
            *writes.entry(spread(&partition, &path).0).or_default() += units;
        }
        before = told;
    }
    let mut rows: Vec<(f64, String)> = writes
        .into_iter()
        .map(|(partition, units)| (units / spread(&partition, &path).1, partition))
        // A deal's own items are its own, and a partner's and a customer's are not of every deal.
        .filter(|(_, partition)| {
            !["<deal>", "<partner>", "#CUSTOMER#"]
                .iter()
                .any(|of| partition.contains(of))
        })
        .collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut text =
        "| partition key | units a deal | a second, mean | at the peak | reaches 1,000 at |\n|---|--:|--:|--:|--:|\n"
            .to_owned();
    for (units, partition) in rows {
        let mean = units * A_DAY / 86_400.0;
        let most = LIMIT / units / PEAK * 86_400.0 / 1e6;
        let holds = if mean * PEAK > LIMIT { "**" } else { "" };
        writeln!(
            text,
            "| `{partition}` | {units} | {mean:.0} | {holds}{:.0}{holds} | {most:.1} million a day |",
            mean * PEAK
        )
        .expect("a text");
    }
    in_the_readme("shared", "partitions", &text);
}

/// What stands for all partitions of a kind, and over how many of them deals are spread evenly.
fn spread(partition: &str, path: &str) -> (String, f64) {
    let partition = partition
        .replace(id(path), "<deal>")
        .replace("fabrikam", "<partner>")
        .replace("contoso", "<vendor>");
    for (kind, shards) in [
        ("STATS#<vendor>#", 16.0),
        ("STATS#<partner>#", 16.0),
        ("DUE#", 16.0),
        ("TOLD#", 16.0),
        ("PARTNERS#", 4.0),
    ] {
        if let Some((before, _)) = partition.split_once(kind) {
            return (format!("{before}{kind}<shard>"), shards);
        }
    }
    (partition, 1.0)
}

async fn creation(meter: &mut Meter, contoso: &Client) -> String {
    const NAMED: &[&str] = &["contoso", "cloud", "erp", "123456789"];
    const NAMED_AND_INVITED: &[&str] = &["contoso", "fabrikam", "cloud", "erp", "123456789"];
    const DUPLICATES: fn() -> Need<'static> = || Entries("byCustomer", String::new(), 0);
    let create = |body: Value, key: &'static str| {
        let contoso = contoso.clone();
        async move {
            let answer = match key {
                "" => contoso.post("/v1/opportunities", &body).await,
                key => {
                    contoso
                        .post_with("/v1/opportunities", "idempotency-key", key, &body)
                        .await
                }
            };
            answer.is(201).header("location").to_owned()
        }
    };
    let body = deal(&["fabrikam"]);
    let dry = contoso.post("/v1/opportunities?dryRun=true", &body);
    let needs = [named(NAMED_AND_INVITED), DUPLICATES()];
    meter.measure("create, as a dry run", &needs, "", dry).await.is(200);
    let needs = [named(NAMED), DUPLICATES()];
    let act = create(deal(&[]), "");
    meter.measure("create, private", &needs, "", act).await;
    let customer = json!({"name": "Customer", "country": "US", "contact": deal(&[])["customer"]["contact"]});
    let body = but(deal(&["fabrikam"]), "/customer", customer);
    let needs = [named(&["contoso", "fabrikam", "cloud", "erp"]), DUPLICATES()];
    let act = create(body, "");
    let path = meter.measure("create with an invitation", &needs, "", act).await;
    let customer = json!({"name": "Another", "country": "US", "contact": deal(&[])["customer"]["contact"]});
    let act = create(but(deal(&["fabrikam"]), "/customer", customer), "a");
    meter
        .measure("create with an invitation and an `Idempotency-Key`", &needs, "", act)
        .await;
    let act = contoso.get(&path);
    meter
        .measure("get", &[views(&path), mark(&path, "contoso")], "", act)
        .await
        .is(200);
    let event = meter.event(&path, "invited").await;
    let act = notify(meter, event);
    meter
        .measure("notify: an invitation", &[feed("fabrikam")], "", act)
        .await;
    path
}

/// The number of the last message to an organization.
fn feed(organization: &str) -> Need<'static> {
    One(Consistent, format!("FEED#{organization}"), "HEAD".to_owned())
}

fn notify(meter: &Meter, event: Value) -> impl Future<Output = ()> + use<> {
    let app = meter.world.stack.app().clone();
    async move {
        let deadline = edge::clock::now().millis() + 60_000;
        let answer = functions::invoke("notify", &app, event, deadline).await;
        assert_eq!(answer.expect("it runs")["batchItemFailures"], json!([]));
    }
}

async fn work(meter: &mut Meter, contoso: &Client, fabrikam: &Client, path: &str) {
    let invitations = format!("{path}/invitations");
    let needs = [named(&["contoso", "northwind"]), views(path), mark(path, "contoso")];
    let body = invitation("northwind");
    let act = contoso.post(&invitations, &body);
    meter.measure("invite", &needs, "", act).await.is(201);
    let other = format!("{invitations}/northwind");
    let act = contoso.delete(&other);
    meter.measure("withdraw", &[views(path)], "", act).await.is(204);
    let command = [views(path), mark(path, "fabrikam")];
    let response = format!("{path}/response");
    let body = json!({"decision": "accept"});
    let act = fabrikam.post(&response, &body);
    meter.measure("respond: accept", &command, "", act).await.is(200);
    let event = meter.event(path, "accepted").await;
    let act = notify(meter, event);
    meter
        .measure("notify: an acceptance", &[feed("contoso")], "", act)
        .await;
    let body = json!({"name": "ERP for Adatum, phase 1"});
    let act = fabrikam.patch(path, "*", &body);
    meter.measure("update", &command, "", act).await.is(200);
    let body = json!({"text": "Budget is approved for Q3.", "visibility": "shared"});
    let notes = format!("{path}/notes");
    let act = fabrikam.post(&notes, &body);
    meter.measure("notes: add", &[views(path)], "", act).await.is(201);
    let favorite = format!("{path}/favorite");
    let needs = [view(path, "fabrikam"), Together(Eventual, marks("fabrikam"))];
    meter
        .measure("favorite: mark", &needs, "", fabrikam.put(&favorite))
        .await
        .is(204);
    let act = fabrikam.delete(&favorite);
    meter
        .measure("favorite: take the mark away", &[view(path, "fabrikam")], "", act)
        .await
        .is(204);
    let close = format!("{path}/close");
    let needs = [views(path), mark(path, "fabrikam"), named(&["cloud", "erp"])];
    let body = json!({"outcome": "won"});
    let act = fabrikam.post(&close, &body);
    meter.measure("close: won", &needs, "", act).await.is(200);
    let needs = [
        view(path, "fabrikam"),
        Together(Consistent, is(format!("DEAL#{}", id(path)), "NOTE#")),
    ];
    let act = fabrikam.get(&notes);
    meter.measure("notes: list", &needs, "", act).await.is(200);
    let needs = [
        view(path, "contoso"),
        Together(Consistent, is(format!("DEAL#{}", id(path)), "EVENT#")),
    ];
    let history = format!("{path}/history");
    let act = contoso.get(&history);
    meter.measure("get: history", &needs, "", act).await.is(200);
}

async fn lists(meter: &mut Meter, contoso: &Client, fabrikam: &Client) {
    let shown = |answer: tests::Answer| {
        assert_eq!(answer.is(200).body["items"].as_array().map(Vec::len), Some(PAGE));
        answer
    };
    let needs = |organization: &str, entries| [Together(Eventual, marks(organization)), entries];
    let of_one = needs("contoso", tab("ORG#contoso#outbound#accepted", PAGE));
    let act = contoso.get("/v1/opportunities?tab=outbound&stage=accepted");
    shown(meter.measure("list: a page of one stage", &of_one, "", act).await);
    let of_all = needs("fabrikam", tab("ORG#fabrikam#inbound#received", PAGE));
    let act = fabrikam.get("/v1/opportunities?tab=inbound");
    shown(meter.measure("list: a page of all stages", &of_all, STAGES, act).await);
    let act = fabrikam.get("/v1/opportunities?tab=inbound&stage=accepted&q=adatum");
    let narrowed = needs("fabrikam", tab("ORG#fabrikam#inbound#accepted", PAGE));
    shown(
        meter
            .measure("list: a page of one stage, narrowed by `q`", &narrowed, "", act)
            .await,
    );
    let table = meter.world.dump().await;
    let accepted = table
        .iter()
        .filter(|((_, sk), view)| sk == "ORG#fabrikam" && view.get("stage") == Some(&json!("accepted")));
    for (pk, _) in accepted.map(|(key, _)| key).take(PAGE) {
        let id = pk.trim_start_matches("DEAL#");
        fabrikam.put(&format!("/v1/opportunities/{id}/favorite")).await.is(204);
    }
    let table = meter.world.dump().await;
    let marked: Vec<String> = table
        .keys()
        .filter(|(pk, _)| pk.starts_with("USER#"))
        .map(|(_, sk)| sk.replace("FAV#", "DEAL#"))
        .collect();
    let each: Which<'_> = Box::new(move |pk, sk| sk == "ORG#fabrikam" && marked.iter().any(|deal| deal == pk));
    let needs = [Together(Eventual, marks("fabrikam")), Each(Eventual, each)];
    let act = fabrikam.get("/v1/opportunities?tab=favorites");
    shown(meter.measure("list: a page of favourites", &needs, "", act).await);
    let counters = Together(
        Consistent,
        Box::new(|pk: &str, _: &str| pk.starts_with("STATS#contoso#")),
    );
    let needs = [counters, tab("ORG#contoso#inbound#received", 0)];
    meter
        .measure("summary", &needs, SHARDS, contoso.get("/v1/summary"))
        .await
        .is(200);
    let needs = [Together(Consistent, is("FEED#fabrikam", "INBOX#"))];
    let act = fabrikam.get("/v1/notifications");
    meter.measure("notifications", &needs, "", act).await.is(200);
}

async fn registrations(meter: &mut Meter, contoso: &Client, fabrikam: &Client, path: &str) {
    let own = format!("{path}/registration");
    let needs = [views(path), named(&["erp"]), vendor()];
    let body = registration();
    let act = fabrikam.put_json(&own, &body);
    let answer = meter.measure("register", &needs, "", act).await;
    let registered = answer.is(201).body["id"].as_str().expect("an id").to_owned();
    let act = fabrikam.get(&own);
    meter
        .measure("register: one's own", &[view(path, "fabrikam")], "", act)
        .await
        .is(200);
    let record = |read| One(read, format!("REGISTRATION#{registered}"), "REGISTRATION".to_owned());
    let one = format!("/v1/registrations/{registered}");
    meter
        .measure("register: one", &[record(Consistent)], "", contoso.get(&one))
        .await
        .is(200);
    let needs = [vendor(), tab("ORG#contoso#REGISTRATION#submitted", PAGE)];
    let act = contoso.get("/v1/registrations?status=submitted");
    meter
        .measure("register: the vendor's list", &needs, "", act)
        .await
        .is(200);
    let needs = [
        vendor(),
        Entries("byCustomer", "ORG#fabrikam#REGISTRATION#submitted".to_owned(), PAGE),
        record(Eventual),
    ];
    let act = fabrikam.get("/v1/registrations?status=submitted");
    meter
        .measure("register: a partner's list", &needs, "", act)
        .await
        .is(200);
    let needs = [record(Consistent), views(path)];
    let (review, body) = (format!("{one}/review"), json!({"decision": "approve"}));
    let act = contoso.post(&review, &body);
    meter.measure("register: review", &needs, "", act).await.is(200);
}

async fn directory(meter: &mut Meter, contoso: &Client, fabrikam: &Client, path: &str) {
    let needs = [Together(Eventual, is("ORG#contoso", "CONTACTS#"))];
    let act = contoso.get("/v1/contacts/recent");
    meter
        .measure("directory: recent contacts", &needs, FIFTY, act)
        .await
        .is(200);
    let needs = [Together(Eventual, is("SOLUTIONS#NAMES", ""))];
    let act = contoso.get("/v1/solutions");
    meter.measure("directory: solutions", &needs, "", act).await.is(200);
    let profile = |read| One(read, "ORG#fabrikam".to_owned(), "PROFILE".to_owned());
    let all = || tab("PARTNERS#", 1_000);
    let act = contoso.get("/v1/partners");
    meter
        .measure("directory: partners", &[all()], PARTNER_SHARDS, act)
        .await
        .is(200);
    let act = fabrikam.get("/v1/partners/me");
    meter
        .measure("directory: one's own record", &[all()], PARTNER_SHARDS, act)
        .await
        .is(200);
    let partners = format!("{path}/partners");
    let alike = |pk| Together(Eventual, is(pk, ""));
    let likenesses = ["solution:cloud", "solution:erp", "country:US", "size:USD-6"];
    let alike = likenesses.map(|likeness| alike(format!("ALIKE#{likeness}")));
    let needs: Vec<Need<'_>> = alike.into_iter().chain([views(path), all()]).collect();
    let act = contoso.get(&partners);
    meter
        .measure("directory: partners for a deal", &needs, PARTNER_SHARDS, act)
        .await
        .is(200);
    let act = fabrikam.get("/v1/organizations/me");
    meter
        .measure("directory: one's profile", &[profile(Consistent)], "", act)
        .await
        .is(200);
    let body = json!({"name": "Fabrikam AG"});
    let act = fabrikam.patch("/v1/organizations/me", "*", &body);
    meter
        .measure("organization", &[profile(Consistent)], "", act)
        .await
        .is(200);
}

/// What customers are found by, and what it costs to have them found.
async fn customers(meter: &mut Meter, contoso: &Client) {
    let found = |sk: &'static str| {
        Together(
            Eventual,
            Box::new(move |pk: &str, key: &str| pk.starts_with("CUSTOMERS#US#") && key.starts_with(sk)),
        )
    };
    let act = contoso.get("/v1/customers?country=US&q=adat");
    meter
        .measure(
            "directory: customers",
            &[found("NAME#adat"), found("WORD#adat")],
            "",
            act,
        )
        .await
        .is(200);
    let customer = json!({"kind": "customer", "name": "Proseware", "country": "US", "dunsNumber": "987654321"});
    let report = import(meter, "import: a customer of one word", &customer).await;
    assert_eq!(report["created"], 1);
    let report = import(meter, "import: the same again", &customer).await;
    assert_eq!(report["unchanged"], 1);
    let customer =
        json!({"kind": "customer", "name": "Trey Alpine Research Inc.", "country": "US", "dunsNumber": "987654322"});
    let report = import(meter, "import: a customer of three words, incorporated", &customer).await;
    assert_eq!(report["created"], 1);
    let beginnings = [
        "NAME#research-trey",
        "WORD#research-trey",
        "NAME#researchtrey",
        "PAIR#research-trey",
    ];
    let act = contoso.get("/v1/customers?country=US&q=research%20trey");
    meter
        .measure(
            "directory: customers, by two words that stand apart",
            &beginnings.map(found),
            "",
            act,
        )
        .await
        .is(200);
}

async fn import(meter: &mut Meter, action: &'static str, customer: &Value) -> Value {
    let number = customer["dunsNumber"].as_str().expect("a number");
    let known = One(Consistent, format!("CUSTOMER#{number}"), "CUSTOMER".to_owned());
    let app = meter.world.stack.app().clone();
    let lines = json!({"lines": customer.to_string()});
    let act = async {
        functions::invoke("import", &app, lines, u64::MAX)
            .await
            .expect("it runs")
    };
    meter.measure(action, &[known], "", act).await
}

/// What goes to webhooks.
async fn webhooks() -> Vec<Row> {
    let (world, recorder) = World::recorded().await;
    let (contoso, app, table) = (world.admin("contoso"), world.stack.app().clone(), world.table());
    let mut meter = Meter::new(world, recorder);
    let receiver = Receiver::start(Manner::Answers(204)).await;
    let own = || One(Consistent, "ORG#contoso".to_owned(), "WEBHOOKS".to_owned());
    let body = json!({"url": receiver.url});
    let act = contoso.post("/v1/webhooks", &body);
    let answer = meter.measure("webhooks: register", &[own()], ONE_ITEM, act).await;
    let webhook = answer.is(201).header("location").to_owned();
    let act = contoso.get("/v1/webhooks");
    meter.measure("webhooks: list", &[own()], "", act).await.is(200);
    let delivered = |count: usize| {
        let table = &table;
        eventually("it is delivered", move || async move {
            let table = tests::dump(table).await;
            let attempts = table.keys().filter(|(_, sk)| sk.starts_with("ATTEMPT#"));
            (attempts.count() == count).then_some(())
        })
    };
    let test = format!("{webhook}/test");
    let act = async {
        contoso.send(Method::POST, &test, &[], None).await.is(202);
        delivered(1).await;
    };
    meter
        .measure("webhooks: test, and its delivery", &[own(), own()], "", act)
        .await;
    let mut event: Value = serde_json::from_str(include_str!("../events/deliver.json")).expect("an event");
    let record = &mut event["Records"][0]["body"];
    *record = json!(record.as_str().expect("a body").replace(
        r#""recipient":{"organizationId":"fabrikam""#,
        r#""recipient":{"organizationId":"contoso""#
    ));
    let act = async {
        let answer = functions::invoke("deliver", &app, event, u64::MAX)
            .await
            .expect("it runs");
        assert_eq!(answer["batchItemFailures"], json!([]));
        delivered(2).await;
    };
    meter.measure("deliver, to one webhook", &[own(), own()], "", act).await;
    let attempts = Together(Consistent, is(format!("WEBHOOK#{}", id(&webhook)), "ATTEMPT#"));
    let deliveries = format!("{webhook}/deliveries");
    let act = contoso.get(&deliveries);
    meter
        .measure("webhooks: deliveries", &[own(), attempts], "", act)
        .await
        .is(200);
    let act = contoso.delete(&webhook);
    meter.measure("webhooks: delete", &[own()], ONE_ITEM, act).await.is(204);
    meter.rows
}

/// What the clock does.
async fn sweep() -> Vec<Row> {
    let (world, recorder) = World::recorded().await;
    let path = world.deal(&["fabrikam"]).await;
    let after = |days| Options {
        clock_ahead: TimeDelta::days(days),
        ..options()
    };
    let reminding = world.through(recorder.url(), after(12)).await;
    let expiring = world.through(recorder.url(), after(15)).await;
    let due = || Entries("byDeadline", "DUE#".to_owned(), 0);
    let mut meter = Meter::new(world, recorder);
    let sweep = |world: &World| {
        let (app, later) = (world.stack.app().clone(), world.stack.app().config.clock_ahead);
        async move {
            let deadline = edge::clock::now().plus(later).millis() + 60_000;
            functions::invoke("expire", &app, json!({}), deadline)
                .await
                .expect("it runs")
        }
    };
    let act = sweep(&meter.world);
    meter
        .measure("expire: a sweep that finds nothing", &[due()], SHARDS, act)
        .await;
    let (act, needs) = (sweep(&reminding), [due(), views(&path)]);
    let report = meter.measure("expire: one reminder", &needs, SHARDS, act).await;
    assert_eq!(report["reminded"], 1);
    let (act, needs) = (sweep(&expiring), [due(), views(&path)]);
    let report = meter.measure("expire: one expiry", &needs, SHARDS, act).await;
    assert_eq!(report["expired"], 1);
    meter.rows
}

fn shown(rows: &[Row]) -> String {
    let mut text = "| action | reads | least | writes | least | a million | above the least, because |\n\
                    |---|--:|--:|--:|--:|--:|---|\n"
        .to_owned();
    for Row {
        action,
        measured,
        least,
        why,
    } in rows
    {
        let (Units { reads, writes }, dollars) = (measured, measured.dollars_a_million());
        writeln!(
            text,
            "| {action} | {reads} | {} | {writes} | {} | ${dollars:.2} | {why} |",
            least.reads, least.writes
        )
        .expect("a text");
    }
    let of = |(action, times): &(&str, f64)| {
        let row = rows.iter().find(|row| row.action == *action);
        row.expect("it was measured").measured.times(*times)
    };
    let Units { reads, writes } = LIFE.iter().map(of).fold(Units::default(), Units::plus);
    let dollars = Units { reads, writes }.dollars_a_million();
    writeln!(
        text,
        "\nA deal that is created with an invitation, seen by both in a list, opened twice by each, accepted, changed, noted on, and won \
         by both, with\nall that told, is {reads} read and {writes} write units: a million such deals are ${dollars:.0}."
    )
    .expect("a text");
    text
}

/// The life of a deal, in actions.
const LIFE: [(&str, f64); 10] = [
    ("create with an invitation", 1.0),
    ("list: a page of one stage", 1.0),
    ("list: a page of all stages", 1.0),
    ("get", 4.0),
    ("respond: accept", 1.0),
    ("update", 1.0),
    ("notes: add", 1.0),
    ("close: won", 2.0),
    // Also of the note, and of what the owner won.
    ("notify: an invitation", 3.0),
    // Also of what the partner won.
    ("notify: an acceptance", 2.0),
];

/// What stands in the README between the marks is this, or becomes it.
fn in_the_readme(of: &str, name: &str, table: &str) {
    let marks = [format!("<!-- {name} -->\n"), format!("<!-- /{name} -->")];
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../{of}/README.md"));
    let readme = std::fs::read_to_string(&path).expect("the README");
    let (before, rest) = readme.split_once(&marks[0]).expect("the table begins");
    let (found, after) = rest.split_once(&marks[1]).expect("the table ends");
    if rewrite() {
        let readme = [before, &marks[0], table, &marks[1], after].concat();
        std::fs::write(&path, readme).expect("the README can be written");
    } else {
        assert_eq!(found, table, "COSELL_REWRITE=1 writes it anew, for you to read");
    }
}

/// An item of so many bytes: `pk`, `sk`, `text` and a key of one letter each are ten, and the rest is the text.
fn sized(key: &str, bytes: usize) -> HashMap<String, AttributeValue> {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    HashMap::from([
        ("pk".to_owned(), text(key)),
        ("sk".to_owned(), text("s")),
        ("text".to_owned(), text(&"x".repeat(bytes - 10))),
    ])
}

/// Items at the steps of the documented rules, with the units that follow from these by hand.
#[tokio::test]
async fn the_engine_counts_writes_as_dynamodb_documents_it() {
    let (_world, recorder) = World::recorded().await;
    let client = tests::engine(&recorder.url());
    let indexed = |mut item: HashMap<String, AttributeValue>, tab: &str| {
        // 5 + 1 + 5 + 1 bytes more.
        item.insert("tabPk".to_owned(), AttributeValue::S(tab.to_owned()));
        item.insert("tabSk".to_owned(), AttributeValue::S("s".to_owned()));
        item
    };
    let due = |mut item: HashMap<String, AttributeValue>| {
        item.insert("duePk".to_owned(), AttributeValue::S("d".to_owned()));
        item.insert("dueSk".to_owned(), AttributeValue::S("s".to_owned()));
        item
    };
    let total = ReturnConsumedCapacity::Total;
    for (items, units) in [
        (vec![sized("a", 1_024)], 1.0),
        (vec![sized("a", 1_025)], 2.0),
        // What it was counts as well as what it becomes.
        (vec![sized("a", 20)], 2.0),
        (vec![sized("a", 20)], 1.0),
        // In a transaction, twice.
        (vec![sized("b", 1_024), sized("c", 1_025)], 2.0 * (1.0 + 2.0)),
        // An index with everything in it, written once; moved: taken away and put; left alone; changed in its place.
        (vec![indexed(sized("d", 1_012), "t")], 1.0 + 1.0),
        (vec![indexed(sized("d", 1_012), "u")], 1.0 + 2.0),
        (vec![indexed(sized("d", 1_012), "u")], 1.0),
        (vec![indexed(sized("d", 1_013), "u")], 2.0 + 2.0),
        // An index is not part of the transaction: no twice.
        (
            vec![indexed(sized("e", 1_013), "u"), sized("b", 20)],
            2.0 * (2.0 + 1.0) + 2.0,
        ),
        // An index of keys only: however large the item, and nothing when something else of it changes.
        (vec![due(sized("f", 3_000))], 3.0 + 1.0),
        (vec![due(sized("f", 3_001))], 3.0),
        (vec![sized("f", 20)], 3.0 + 1.0),
    ] {
        let put = |item: &HashMap<String, AttributeValue>| {
            let put = Put::builder().table_name(local::TABLE).set_item(Some(item.clone()));
            TransactWriteItem::builder().put(put.build().expect("a put")).build()
        };
        let before = tests::dump(&client).await;
        recorder.clear();
        if let [item] = &items[..] {
            let request = client.put_item().table_name(local::TABLE).set_item(Some(item.clone()));
            request
                .return_consumed_capacity(total.clone())
                .send()
                .await
                .expect("written");
        } else {
            let request = client
                .transact_write_items()
                .set_transact_items(Some(items.iter().map(put).collect()));
            request
                .return_consumed_capacity(total.clone())
                .send()
                .await
                .expect("written");
        }
        let expected = Units {
            writes: units,
            reads: 0.0,
        };
        assert_eq!(recorder.units().await, expected, "{items:?}");
        let after = tests::dump(&client).await;
        let least = Units {
            writes: least_writes(&before, &after),
            reads: 0.0,
        };
        // Where nothing changed, nothing need have been written.
        assert!(least == expected || before == after, "{least:?} and {expected:?}");
    }
}

/// The same of reading.
#[tokio::test]
async fn the_engine_counts_reads_as_dynamodb_documents_it() {
    let (_world, recorder) = World::recorded().await;
    let client = tests::engine(&recorder.url());
    let total = ReturnConsumedCapacity::Total;
    for (bytes, strong, units) in [
        (4_096, true, 1.0),
        (4_097, true, 2.0),
        (4_096, false, 0.5),
        (4_097, false, 1.0),
    ] {
        let item = sized("r", bytes);
        client
            .put_item()
            .table_name(local::TABLE)
            .set_item(Some(item))
            .send()
            .await
            .expect("written");
        let key = |name: &str, value: &str| (name.to_owned(), AttributeValue::S(value.to_owned()));
        for (sort, expected) in [("s", units), ("absent", if strong { 1.0 } else { 0.5 })] {
            recorder.clear();
            let request = client.get_item().table_name(local::TABLE);
            let request = request.set_key(Some(HashMap::from([key("pk", "r"), key("sk", sort)])));
            let request = request.consistent_read(strong).return_consumed_capacity(total.clone());
            request.send().await.expect("read");
            let expected = Units {
                reads: expected,
                writes: 0.0,
            };
            assert_eq!(recorder.units().await, expected, "{sort}, {bytes} bytes");
        }
    }
}
