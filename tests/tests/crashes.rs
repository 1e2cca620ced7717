//! The program is killed at any moment, under load, and starts again on the same file: what it had said is there, nothing is half
//! made, and everything that happened is told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use chrono::TimeDelta;
use local::Claims;
use serde_json::{Value, json};
use tests::bus::{FakeBus, Manner};
use tests::consistency::{Table, deals, everybody_agrees, everything_is_told, notices};
use tests::{Answer, Client, Dice, JSON, but, deal, dump, engine, eventually, invitation, size};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

const ORGANIZATIONS: [&str; 4] = ["contoso", "fabrikam", "northwind", "tailspin"];
const ROUNDS: usize = 5;
const CLIENTS: u64 = 6;
/// How long a start may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// So many commands are answered at most before the program is killed, and so many microseconds go by after that.
const LIFE: (usize, usize) = (80, 20_000);

/// A folder that ends with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("crashes-{:032x}", edge::entropy::entropy());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program as it runs.
struct Running {
    child: Child,
    url: String,
    engine: String,
}

impl Running {
    async fn start(program: &Path, data: &Path, bus: &FakeBus) -> Self {
        let mut command = Command::new(program);
        command
            .args(["--port=0", "--no-seed"])
            .args(["--response-window=P14D", "--sweep-rate=PT1S"])
            .arg(format!("--data={}", data.display()))
            .arg(format!("--events-endpoint={}", bus.url))
            .env("COSELL_DEV_SECRET", tests::SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut line = async || {
            let line = timeout(PATIENCE, lines.next_line()).await.expect("in time");
            line.expect("readable").expect("a line")
        };
        let first = line().await;
        let url = first
            .strip_prefix("Cosell is ready at ")
            .expect("where it is")
            .to_owned();
        let second = line().await;
        let engine = second.split([' ', ',']).find(|word| word.starts_with("http://"));
        let engine = engine.expect("where its table is").to_owned();
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, url, engine }
    }

    /// At once, in the middle of whatever it is at.
    async fn kill(mut self) {
        self.child.kill().await.expect("it is killed");
    }

    fn client(&self, organization: &str) -> Client {
        client(&self.url, organization)
    }

    fn clients(&self) -> Vec<(&'static str, Client)> {
        ORGANIZATIONS.map(|id| (id, self.client(id))).to_vec()
    }

    async fn table(&self) -> Table {
        dump(&engine(&self.engine)).await
    }
}

fn client(url: &str, organization: &str) -> Client {
    let claims = Claims {
        org: organization.to_owned(),
        roles: vec!["referrals_admin".to_owned()],
        email: format!("ana@{organization}.example"),
        name: None,
        sub: "ana".to_owned(),
    };
    Client::at(url, &local::token(tests::SECRET, &claims, TimeDelta::hours(1)))
}

/// A command, and what was said to it; `None` if it went down with the program.
#[derive(Debug, Clone)]
struct Sent {
    organization: &'static str,
    path: String,
    key: String,
    body: Value,
    answer: Option<Answer>,
}

impl Sent {
    async fn send(&self, url: &str) -> Option<Answer> {
        let headers = [JSON, ("idempotency-key", self.key.as_str())];
        let client = client(url, self.organization);
        let sent = client.try_send(Method::POST, &self.path, &headers, Some(self.body.to_string()));
        sent.await.ok()
    }
}

/// Works on deals of its own until the program is gone.
async fn work(url: String, mut dice: Dice, name: String, sent: Arc<Mutex<Vec<Sent>>>) {
    let mut number = 0;
    let mut post = async |organization: &'static str, path: String, body: Value| {
        number += 1;
        let mut now = Sent {
            organization,
            path,
            key: format!("{name}/{number}"),
            body,
            answer: None,
        };
        now.answer = now.send(&url).await;
        let answer = now.answer.clone();
        sent.lock().expect("not poisoned").push(now);
        answer
    };
    loop {
        let body = but(deal(&["fabrikam", "northwind"]), "/name", json!(name));
        let Some(created) = post("contoso", "/v1/opportunities".into(), body).await else {
            return;
        };
        let path = created.is(201).header("location").to_owned();
        let accept = json!({"decision": "accept", "name": "Ours", "note": "We take it."});
        let Some(accepted) = post("fabrikam", format!("{path}/response"), accept).await else {
            return;
        };
        accepted.is(200);
        let decline = json!({"decision": "decline", "reason": "noCapacity"});
        let Some(declined) = post("northwind", format!("{path}/response"), decline).await else {
            return;
        };
        declined.is(200);
        if dice.roll(2) == 0 {
            let note = json!({"text": "Tuesday.", "visibility": "shared"});
            let Some(noted) = post("fabrikam", format!("{path}/notes"), note).await else {
                return;
            };
            noted.is(201);
        }
        if dice.roll(2) == 0 {
            let Some(invited) = post("contoso", format!("{path}/invitations"), invitation("tailspin")).await else {
                return;
            };
            invited.is(201);
        }
        if dice.roll(2) == 0 {
            let lost = json!({"outcome": "lost", "reason": "budget"});
            let Some(closed) = post("contoso", format!("{path}/close"), lost).await else {
                return;
            };
            closed.is(200);
        }
    }
}

/// The deal that an answer is about.
fn deal_of(sent: &Sent, answer: &Answer) -> String {
    let path = answer.headers.get("location").unwrap_or(&sent.path);
    path.split('/').nth(3).expect("of a deal").to_owned()
}

/// How many events each deal has.
fn lengths(table: &Table) -> BTreeMap<String, usize> {
    deals(table)
        .into_iter()
        .map(|(deal, found)| (deal.to_owned(), found.events.len()))
        .collect()
}

/// What was answered has happened.
fn nothing_is_missing(table: &Table, all: &[Sent]) {
    let deals = deals(table);
    for sent in all {
        let Some(answer) = &sent.answer else { continue };
        let kind = match (sent.path.rsplit('/').next(), sent.body["decision"].as_str()) {
            (Some("opportunities"), _) => "created",
            (Some("response"), Some("accept")) => "accepted",
            (Some("response"), _) => "declined",
            (Some("notes"), _) => "noteAdded",
            (Some("invitations"), _) => "invited",
            _ => "lost",
        };
        let events = deals.get(deal_of(sent, answer).as_str()).map(|deal| &deal.events);
        assert!(
            events.is_some_and(|events| events.iter().any(|event| event["type"] == kind)),
            "{}: {answer} is not there: {events:?}",
            sent.organization
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_program_that_is_killed_at_any_moment_loses_nothing() {
    let program = tests::program();
    let (folder, bus) = (Scratch::new(), FakeBus::start(Manner::Takes).await);
    let data = folder.0.join("cosell.db");
    let mut dice = Dice::seeded("crashes");
    let first = Running::start(&program, &data, &bus).await;
    let port = first.url.rsplit(':').next().expect("a port").parse().expect("a port");
    local::import(port, tests::CATALOG, |_| ()).await.expect("imported");
    first.kill().await;

    let mut all: Vec<Sent> = Vec::new();
    let (rounds, mut unanswered, mut applied) = (ROUNDS * size(), 0, 0);
    for round in 0..rounds {
        let running = Running::start(&program, &data, &bus).await;
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut workers = JoinSet::new();
        for number in 0..CLIENTS {
            let dice = Dice(dice.0.wrapping_add(number));
            workers.spawn(work(
                running.url.clone(),
                dice,
                format!("{round}.{number}"),
                Arc::clone(&sent),
            ));
        }
        let (answers, micros) = (1 + dice.roll(LIFE.0), u64::try_from(dice.roll(LIFE.1)).expect("small"));
        eventually("some commands are answered", || async {
            (sent.lock().expect("not poisoned").len() >= answers).then_some(())
        })
        .await;
        // Any moment: this is no waiting for something.
        tokio::time::sleep(Duration::from_micros(micros)).await;
        running.kill().await;
        while let Some(worker) = workers.join_next().await {
            worker.expect("no answer but the right one");
        }
        let sent: Vec<Sent> = sent.lock().expect("not poisoned").clone();

        let running = Running::start(&program, &data, &bus).await;
        let table = running.table().await;
        nothing_is_missing(&table, &sent);
        tests::consistency::events_make_views(&table);
        // Who got no answer asks again with the same key: it happens once, whether or not it had happened. Each works on deals
        // of its own, one command after the other, so that none of these deals has two.
        let before = lengths(&table);
        let mut repeated = Vec::new();
        for lost in sent.iter().filter(|sent| sent.answer.is_none()) {
            let key = (format!("IDEM#{}#{}", lost.organization, lost.key), "IDEM".to_owned());
            let answer = lost.send(&running.url).await.expect("an answer");
            assert!(answer.status < 300, "{answer}");
            repeated.push((lost, deal_of(lost, &answer), table.contains_key(&key)));
        }
        let after = lengths(&running.table().await);
        let changed: BTreeSet<&String> = after
            .keys()
            .filter(|deal| before.get(*deal) != after.get(*deal))
            .collect();
        let happened_now = repeated.iter().filter(|(_, _, had_happened)| !had_happened);
        let expected: BTreeSet<&String> = happened_now.map(|(_, deal, _)| deal).collect();
        assert_eq!(changed, expected, "{repeated:?}");
        unanswered += repeated.len();
        applied += repeated.len() - expected.len();
        for answered in sent.iter().filter(|sent| sent.answer.is_some()).take(5) {
            assert_eq!(
                answered.send(&running.url).await,
                answered.answer,
                "the same answer again"
            );
        }
        all.extend(sent);
        // And it is killed again, perhaps while it still tells.
        running.kill().await;
    }

    let running = Running::start(&program, &data, &bus).await;
    eventually("everything is told", || async {
        let table = running.table().await;
        let open = table
            .values()
            .any(|item| item.contains_key("notices") && !item.contains_key("toldAt"));
        let mut published: Vec<String> = bus.taken().iter().map(|detail| detail["id"].to_string()).collect();
        published.sort();
        published.dedup();
        let expected: usize = notices(&table).values().map(Vec::len).sum();
        (!open && published.len() == expected).then_some(())
    })
    .await;
    let table = running.table().await;
    nothing_is_missing(&table, &all);
    everybody_agrees(&table, &running.clients()).await;
    everything_is_told(&table, &running.clients(), &bus.taken()).await;
    println!(
        "crashes: {rounds} rounds, {} commands, {unanswered} without an answer of which {applied} had happened, {} events published {} times",
        all.len(),
        notices(&table).values().map(Vec::len).sum::<usize>(),
        bus.taken().len(),
    );
    running.kill().await;
}
