//! Whatever becomes of any call to the database: every answer is the truth or a clean 503, a repetition never applies twice, and
//! in the end everything agrees.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use chrono::TimeDelta;
use local::Options;
use serde_json::{Value, json};
use tests::bus::{FakeBus, Manner as BusManner};
use tests::consistency::{deals, everybody_agrees, everything_is_told, notices};
use tests::faults::{Lasts, Manner, Proxy};
use tests::receiver::{Manner as ReceiverManner, Receiver};
use tests::{Answer, Client, Dice, JSON, World, but, deal, eventually, id, invitation, options, size};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

const ORGANIZATIONS: [&str; 4] = ["contoso", "fabrikam", "northwind", "tailspin"];
/// So many cases are on their way at once: most of the time they wait for what does not come.
const LANES: usize = 16;
/// A stack is used for so many cases: the SDK has a quota of retries.
const CASES: usize = 20;
/// So many of them start at once.
const STARTS: usize = 4;

fn clients(world: &World) -> Vec<(&'static str, Client)> {
    ORGANIZATIONS.map(|id| (id, world.admin(id))).to_vec()
}

/// Whether it belongs to the short size: of calls that change nothing, what an error, a lost answer and half an answer do; and
/// no more seconds of waiting than are needed.
fn is_short(operation: &str, manner: Manner, lasts: Lasts) -> bool {
    let reads = ["Query", "GetItem", "BatchGetItem"].contains(&operation);
    let told_apart = [Manner::Fails, Manner::LosesAnswer, Manner::LeavesOut].contains(&manner);
    if reads {
        told_apart
    } else {
        !manner.is_slow() || lasts == Lasts::Once
    }
}

/// Something that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Create,
    CreateAndInvite,
    Update,
    Accept,
    Decline,
    Win,
    OwnerCloses,
    Invite,
    Withdraw,
    NoteInternally,
    ShareNote,
    Mark,
    Unmark,
    AddWebhook,
    RemoveWebhook,
    Get,
    List,
    History,
    Notes,
    Summary,
    Notifications,
}

const ALL: [What; 21] = [
    What::Create,
    What::CreateAndInvite,
    What::Update,
    What::Accept,
    What::Decline,
    What::Win,
    What::OwnerCloses,
    What::Invite,
    What::Withdraw,
    What::NoteInternally,
    What::ShareNote,
    What::Mark,
    What::Unmark,
    What::AddWebhook,
    What::RemoveWebhook,
    What::Get,
    What::List,
    What::History,
    What::Notes,
    What::Summary,
    What::Notifications,
];

/// A request that is ready to be sent, again and again.
struct Request {
    organization: String,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
    success: u16,
    /// The deal that it is about, if that is there already.
    deal: Option<String>,
}

impl Request {
    fn new(organization: &str, method: Method, path: String, success: u16) -> Self {
        let deal = path.starts_with("/v1/opportunities/");
        Self {
            organization: organization.to_owned(),
            method,
            deal: deal.then(|| path.split('/').take(4).collect::<Vec<_>>().join("/")),
            path,
            headers: Vec::new(),
            body: None,
            success,
        }
    }

    fn with_key(self, number: usize, body: Value) -> Self {
        Self {
            headers: vec![
                (JSON.0, JSON.1.to_owned()),
                ("idempotency-key", format!("key-{number}")),
            ],
            body: Some(body),
            ..self
        }
    }

    /// What a client does that is told to come again, when nothing is struck any more: a machine may be slow all the same.
    async fn send_until_done(&self, world: &World) -> Answer {
        for _ in 0..10 {
            let answer = self.send(world).await;
            if answer.status != 503 {
                return answer;
            }
        }
        panic!("in vain: {} {}", self.method, self.path);
    }

    async fn send(&self, world: &World) -> Answer {
        let headers: Vec<(&str, &str)> = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let body = self.body.as_ref().map(ToString::to_string);
        let client = world.admin(&self.organization);
        client.send(self.method.clone(), &self.path, &headers, body).await
    }

    fn has_key(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == "idempotency-key")
    }
}

/// What it needs, made where nothing fails, and the request itself. `number` is different each time.
async fn prepare(world: &World, what: What, number: usize) -> Request {
    let contoso = world.admin("contoso");
    let request = Request::new;
    let post = |organization: &str, path: String, body: Value, success| {
        Request::new(organization, Method::POST, path, success).with_key(number, body)
    };
    let named = |invited: &[&str]| but(deal(invited), "/name", json!(format!("Deal {number}")));
    match what {
        What::Create => post("contoso", "/v1/opportunities".into(), named(&[]), 201),
        What::CreateAndInvite => post(
            "contoso",
            "/v1/opportunities".into(),
            named(&["fabrikam", "northwind"]),
            201,
        ),
        What::Update => {
            let deal = world.deal(&["fabrikam"]).await;
            let etag = contoso.get(&deal).await.header("etag").to_owned();
            let mut request = request("contoso", Method::PATCH, deal, 200);
            request.headers = vec![
                ("content-type", "application/merge-patch+json".into()),
                ("if-match", etag),
            ];
            request.body = Some(json!({"name": format!("Deal {number}"), "crmId": null}));
            request
        }
        What::Accept | What::Decline => {
            let deal = world.deal(&["fabrikam", "northwind"]).await;
            let body = if what == What::Accept {
                json!({"decision": "accept", "name": "Ours", "crmId": "c", "note": "We take it."})
            } else {
                json!({"decision": "decline", "reason": "budget"})
            };
            post("fabrikam", format!("{deal}/response"), body, 200)
        }
        What::Win => {
            let deal = world.accepted_deal().await;
            post("fabrikam", format!("{deal}/close"), json!({"outcome": "won"}), 200)
        }
        What::OwnerCloses => {
            let deal = world.accepted_deal().await;
            let invite = format!("{deal}/invitations");
            contoso.post(&invite, &invitation("northwind")).await.is(201);
            let body = json!({"outcome": "lost", "reason": "budget"});
            post("contoso", format!("{deal}/close"), body, 200)
        }
        What::Invite => {
            let deal = world.deal(&[]).await;
            post("contoso", format!("{deal}/invitations"), invitation("tailspin"), 201)
        }
        What::Withdraw => {
            let deal = world.deal(&["fabrikam"]).await;
            request("contoso", Method::DELETE, format!("{deal}/invitations/fabrikam"), 204)
        }
        What::NoteInternally | What::ShareNote => {
            let deal = world.accepted_deal().await;
            let visibility = if what == What::ShareNote { "shared" } else { "internal" };
            let body = json!({"text": format!("Note {number}"), "visibility": visibility});
            post("fabrikam", format!("{deal}/notes"), body, 201)
        }
        What::Mark | What::Unmark => {
            let deal = world.deal(&[]).await;
            let favorite = format!("{deal}/favorite");
            if what == What::Unmark {
                contoso.put(&favorite).await.is(204);
            }
            let method = if what == What::Mark {
                Method::PUT
            } else {
                Method::DELETE
            };
            request("contoso", method, favorite, 204)
        }
        What::AddWebhook | What::RemoveWebhook => prepare_webhook(world, what, number).await,
        _ => prepare_reading(world, what).await,
    }
}

/// Of an organization of its own: all webhooks of one organization are one item.
async fn prepare_webhook(world: &World, what: What, number: usize) -> Request {
    let organization = format!("w{number}");
    let body = json!({"url": "https://127.0.0.1:1/hooks"});
    if what == What::AddWebhook {
        return Request::new(&organization, Method::POST, "/v1/webhooks".into(), 201).with_key(number, body);
    }
    let added = world.admin(&organization).post("/v1/webhooks", &body).await;
    let path = added.is(201).header("location").to_owned();
    Request::new(&organization, Method::DELETE, path, 204)
}

async fn prepare_reading(world: &World, what: What) -> Request {
    // Of an organization that nothing else happens to.
    let quiet = |path: &str| Request::new("litware", Method::GET, path.to_owned(), 200);
    let path = match what {
        What::List => return quiet("/v1/opportunities?tab=inbound&limit=3"),
        What::Summary => return quiet("/v1/summary"),
        What::Notifications => return quiet("/v1/notifications"),
        What::History => "/history",
        What::Notes => "/notes",
        _ => "",
    };
    let deal = world.accepted_deal().await;
    Request::new("fabrikam", Method::GET, format!("{deal}{path}"), 200)
}

/// What becomes of which call.
#[derive(Debug, Clone, Copy)]
struct Case {
    what: What,
    call: usize,
    manner: Manner,
    lasts: Lasts,
}

/// Sends a request while a call fails, and again when none does any more; the deal that it was about.
async fn survives(world: &World, faulty: &World, proxy: &Proxy, case: Case, number: usize) -> Option<String> {
    let Case {
        what, manner, lasts, ..
    } = case;
    let request = prepare(world, what, number).await;
    let before = match request.method {
        Method::GET => Some(request.send(world).await),
        _ => None,
    };
    proxy.strike(case.call, manner, lasts);
    let started = Instant::now();
    let first = request.send(faulty).await;
    // Longer than one attempt that hangs: then more was slow than what was struck.
    let slow_machine = started.elapsed() > Duration::from_secs(6);
    proxy.rest();
    if first.status == 503 {
        first.refuses(503, "unavailable");
        assert_eq!(first.header("retry-after"), "1");
        // What happens once is over when the call is repeated. This one is not repeated: what it meets is no transaction of ours.
        assert!(
            lasts == Lasts::On || manner == Manner::MeetsTransaction || slow_machine,
            "{case:?}: given up too early: {first}"
        );
    } else {
        assert_eq!(first.status, request.success, "{case:?}: {first}");
    }
    if let Some(before) = before {
        let again = request.send_until_done(faulty).await;
        // A cursor of a list holds the instant of its first page.
        let shown = |answer: &Answer| match answer.body.get("items") {
            Some(items) => items.clone(),
            None => answer.body.clone(),
        };
        assert_eq!(shown(&again), shown(&before), "{case:?}");
        assert!(
            first.status == 503 || shown(&first) == shown(&before),
            "{case:?}: {first}"
        );
        return None;
    }
    let own = world.admin(&request.organization);
    // An answer is the truth.
    if first.status == 200 {
        let now = own.get(request.deal.as_deref().expect("a deal")).await;
        let mut told = first.body.clone();
        if let Some(told) = told.as_object_mut() {
            // Beside the opportunity, for who has won.
            told.remove("registrableSolutions");
        }
        assert_eq!(now.body, told, "{case:?}");
        assert_eq!(now.header("etag"), first.header("etag"), "{case:?}");
    }
    let last = if request.has_key() {
        let second = request.send_until_done(faulty).await;
        assert_eq!(second.status, request.success, "{case:?}: {second}");
        if first.status == request.success {
            assert_eq!(second, first, "{case:?}");
        }
        assert_eq!(request.send_until_done(world).await, second, "{case:?}");
        second
    } else if first.status == request.success {
        first
    } else {
        let second = request.send_until_done(faulty).await;
        // Without a key, a repetition is told that what it asks for has happened.
        let done = match what {
            What::Update => 412,
            What::Withdraw => 409,
            What::RemoveWebhook => 404,
            _ => 204,
        };
        assert!([request.success, done].contains(&second.status), "{case:?}: {second}");
        second
    };
    match what {
        What::Create | What::CreateAndInvite => Some(last.header("location").to_owned()),
        What::Update => {
            let deal = request.deal.expect("a deal");
            assert_eq!(own.get(&deal).await.body["name"], format!("Deal {number}"), "{case:?}");
            Some(deal)
        }
        What::Mark | What::Unmark => {
            let deal = request.deal.expect("a deal");
            assert_eq!(
                own.get(&deal).await.body["favorite"],
                json!(what == What::Mark),
                "{case:?}"
            );
            Some(deal)
        }
        What::AddWebhook | What::RemoveWebhook => {
            let webhooks = own.all("/v1/webhooks?").await;
            assert_eq!(webhooks.len(), usize::from(what == What::AddWebhook), "{case:?}");
            if what == What::AddWebhook {
                assert_eq!(webhooks[0]["id"], last.body["id"], "{case:?}");
            }
            None
        }
        _ => request.deal,
    }
}

/// Some deals of an organization that only reads.
async fn litware_reads(world: &World) {
    for _ in 0..4 {
        world.deal(&["litware"]).await;
    }
}

/// A stack whose calls go through a proxy.
async fn behind_a_proxy(world: &World, options: Options) -> (World, Proxy) {
    let proxy = Proxy::before(world.engine()).await;
    let faulty = world.through(proxy.url.clone(), options).await;
    proxy.rest();
    (faulty, proxy)
}

/// The k-th call of each request fails in each manner, once or from then on: for every request, k and manner.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_call_of_every_request_may_fail() {
    let world = Arc::new(World::start().await);
    litware_reads(&world).await;
    let numbers = Arc::new(AtomicUsize::new(0));
    // Without a fault: which calls there are, and what they come to.
    let (faulty, proxy) = behind_a_proxy(&world, options()).await;
    let mut cases = Vec::new();
    let mut references: BTreeMap<What, (String, String)> = BTreeMap::new();
    for what in ALL {
        let request = prepare(&world, what, numbers.fetch_add(1, Ordering::Relaxed)).await;
        proxy.rest();
        let answer = request.send(&faulty).await;
        answer.is(request.success);
        let calls = proxy.rest();
        let deal = request.deal.or_else(|| Some(answer.headers.get("location")?.clone()));
        if let Some(deal) = deal {
            references.insert(what, (deal, calls.join(" ")));
        }
        for (call, operation) in calls.iter().enumerate() {
            for manner in Manner::ALL {
                for lasts in [Lasts::Once, Lasts::On] {
                    let short = is_short(operation, manner, lasts);
                    if manner.happens_to(operation) && (short || size() > 1) {
                        cases.push(Case {
                            what,
                            call,
                            manner,
                            lasts,
                        });
                    }
                }
            }
        }
    }
    // What waits longest first, so that the waiting overlaps.
    cases.sort_by_key(|case| (!case.manner.is_slow(), case.lasts == Lasts::Once));
    println!("faults: {} cases", cases.len());
    let (count, starts) = (cases.len(), Arc::new(Semaphore::new(STARTS)));
    let cases = Arc::new(Mutex::new(VecDeque::from(cases)));
    let mut lanes = JoinSet::new();
    for _ in 0..LANES {
        let (world, cases, numbers) = (Arc::clone(&world), Arc::clone(&cases), Arc::clone(&numbers));
        let starts = Arc::clone(&starts);
        lanes.spawn(async move {
            let mut done = Vec::new();
            let next = || cases.lock().expect("not poisoned").pop_front();
            let mut case = next();
            while case.is_some() {
                let (faulty, proxy) = {
                    let _turn = starts.acquire().await;
                    behind_a_proxy(&world, options()).await
                };
                for _ in 0..CASES {
                    let Some(now) = case else { break };
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    if let Some(deal) = survives(&world, &faulty, &proxy, now, number).await {
                        done.push((now, deal));
                    }
                    case = next();
                }
            }
            done
        });
    }
    let done: Vec<(Case, String)> = lanes.join_all().await.into_iter().flatten().collect();
    println!("faults: {count} cases done");
    let table = world.dump().await;
    // As often, and in the same order, as without a fault.
    let stored = deals(&table);
    let happened = |path: &str| -> Vec<(String, String)> {
        let events = stored[id(path)].events.iter();
        let name = |event: &tests::Item, name: &str| event[name].as_str().expect("text").to_owned();
        events
            .map(|event| (name(event, "type"), name(event, "organizationId")))
            .collect()
    };
    for (case, deal) in &done {
        let (reference, _) = &references[&case.what];
        assert_eq!(happened(deal), happened(reference), "{case:?}");
        assert_eq!(
            stored[id(deal)].notes.len(),
            stored[id(reference)].notes.len(),
            "{case:?}"
        );
    }
    let mut names: Vec<&str> = Vec::new();
    for deal in stored.values() {
        let created = deal.views["contoso"];
        names.extend(created["name"].as_str().filter(|name| name.starts_with("Deal ")));
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "a deal was created twice");
    everybody_agrees(&table, &clients(&world)).await;
}

/// What a client does that was told to come again.
async fn until_done(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Answer {
    for _ in 0..50 {
        let body = body.map(ToString::to_string);
        let answer = client.send(method.clone(), path, headers, body).await;
        if answer.status != 503 {
            return answer;
        }
        assert_eq!(answer.header("retry-after"), "1");
    }
    panic!("in vain: {method} {path}");
}

/// A load of commands of four organizations while calls fail at random: those that were told to come again do, with the same key.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_load_of_commands_survives_faults_at_random() {
    const CLIENTS: u64 = 8;
    let rounds = 6 * size();
    let dice = Dice::seeded("faults");
    let bus = FakeBus::start(BusManner::Takes).await;
    let world = World::start().await;
    let with_stream = Options {
        stream: true,
        events_endpoint: Some(bus.url.clone()),
        ..options()
    };
    let (faulty, proxy) = behind_a_proxy(&world, with_stream).await;
    let faulty = Arc::new(faulty);
    proxy.strike_at_random(dice.clone(), 8);
    let mut tasks = JoinSet::new();
    for number in 0..CLIENTS {
        let (faulty, mut dice) = (Arc::clone(&faulty), Dice(dice.0.wrapping_add(number)));
        tasks.spawn(async move {
            let mut sent = Vec::new();
            for round in 0..rounds {
                sent.extend(a_deal_from_beginning_to_end(&faulty, &mut dice, &format!("{number}.{round}")).await);
            }
            sent
        });
    }
    let sent: Vec<Sent> = tasks.join_all().await.into_iter().flatten().collect();
    proxy.rest();
    println!("faults: {} commands, {:?}", sent.len(), proxy.strikes());
    let table = world.dump().await;
    let expected: usize = notices(&table).values().map(Vec::len).sum();
    eventually("everything is published", || async {
        let mut published: Vec<String> = bus.taken().iter().map(|detail| detail["id"].to_string()).collect();
        published.sort();
        published.dedup();
        (published.len() == expected).then_some(())
    })
    .await;
    let table = world.dump().await;
    everybody_agrees(&table, &clients(&world)).await;
    everything_is_told(&table, &clients(&world), &bus.taken()).await;
    // A repetition, however late, changes nothing and gets the same answer.
    for Sent {
        organization,
        path,
        key,
        body,
        answer,
    } in &sent
    {
        let again = world
            .admin(organization)
            .post_with(path, "idempotency-key", key, body)
            .await;
        if answer.status < 300 {
            assert_eq!(again, *answer);
        }
    }
    let after = world.dump().await;
    assert_eq!(deals(&after).len(), deals(&table).len());
    consistent_events(&table, &after);
}

fn consistent_events(before: &tests::consistency::Table, after: &tests::consistency::Table) {
    let count = |table| deals(table).values().map(|deal| deal.events.len()).sum::<usize>();
    assert_eq!(count(before), count(after), "a repetition has happened again");
}

struct Sent {
    organization: &'static str,
    path: String,
    key: String,
    body: Value,
    answer: Answer,
}

/// Who sends commands about one deal, each with a key of its own.
struct Sender<'a> {
    world: &'a World,
    name: &'a str,
    sent: Vec<Sent>,
}

impl Sender<'_> {
    async fn post(&mut self, organization: &'static str, path: String, body: Value, success: u16) {
        let key = format!("{}/{}", self.name, self.sent.len());
        let client = self.world.admin(organization);
        let headers = [JSON, ("idempotency-key", key.as_str())];
        let answer = until_done(&client, Method::POST, &path, &headers, Some(&body)).await;
        assert_eq!(answer.status, success, "{key}: {body}: {answer}");
        self.sent.push(Sent {
            organization,
            path,
            key,
            body,
            answer,
        });
    }

    async fn edit(&self, path: &str, name: &str) {
        let contoso = self.world.admin("contoso");
        let seen = until_done(&contoso, Method::GET, path, &[], None).await;
        assert_eq!(seen.standing(), "accepted");
        let headers = [
            ("content-type", "application/merge-patch+json"),
            ("if-match", seen.header("etag")),
        ];
        let edited = until_done(&contoso, Method::PATCH, path, &headers, Some(&json!({"name": name}))).await;
        // An edit whose answer was lost is there when it comes again.
        assert!([200, 412].contains(&edited.status), "{edited}");
        let now = until_done(&contoso, Method::GET, path, &[], None).await;
        assert_eq!(now.body["name"], name);
    }
}

/// A deal and what becomes of it, as the dice have it. Nobody else is at it, so that no command is refused.
async fn a_deal_from_beginning_to_end(world: &World, dice: &mut Dice, name: &str) -> Vec<Sent> {
    let mut sender = Sender {
        world,
        name,
        sent: Vec::new(),
    };
    sender
        .post("contoso", "/v1/opportunities".into(), deal(&["fabrikam"]), 201)
        .await;
    let path = sender.sent[0].answer.header("location").to_owned();
    let (response, close) = (format!("{path}/response"), format!("{path}/close"));
    let invitations = format!("{path}/invitations");
    for round in 0..dice.roll(3) {
        sender.edit(&path, &format!("{name}, {round}")).await;
    }
    if dice.roll(3) == 0 {
        let decline = json!({"decision": "decline", "reason": "budget"});
        sender.post("fabrikam", response.clone(), decline, 200).await;
        sender
            .post("contoso", invitations.clone(), invitation("fabrikam"), 201)
            .await;
    }
    let accept = json!({"decision": "accept", "note": "Ours."});
    sender.post("fabrikam", response, accept, 200).await;
    sender.post("contoso", invitations, invitation("northwind"), 201).await;
    if dice.roll(2) == 0 {
        let note = json!({"text": "Tuesday.", "visibility": "shared"});
        sender.post("fabrikam", format!("{path}/notes"), note, 201).await;
    }
    if dice.roll(2) == 0 {
        sender
            .post("fabrikam", close.clone(), json!({"outcome": "won"}), 200)
            .await;
    }
    if dice.roll(2) == 0 {
        let lost = json!({"outcome": "lost", "reason": "choseCompetitor"});
        sender.post("contoso", close, lost, 200).await;
    }
    sender.sent
}

/// Runs a function while each of its calls fails in each manner, over and over until nothing does. `prepare` gives the event;
/// `check` gets what each run came to.
async fn every_call_of(
    world: &World,
    function: &str,
    with: Options,
    prepare: impl AsyncFn(usize) -> Value,
    check: impl AsyncFn(&Value, Result<Value, String>, Lasts) -> bool,
) -> usize {
    let (faulty, proxy) = behind_a_proxy(world, with.clone()).await;
    let event = prepare(0).await;
    proxy.rest();
    let answer = faulty.stack.invoke(function, event.clone()).await;
    assert!(
        check(&event, answer, Lasts::Once).await,
        "{function} works where nothing fails"
    );
    let calls = proxy.rest();
    let (mut stacks, mut cases) = (vec![(faulty, proxy)], 0);
    for (call, operation) in calls.iter().enumerate() {
        // Many that are the same, and made at once, are one.
        if size() == 1 && call > 2 && calls[call - 2..call].iter().all(|before| before == operation) {
            continue;
        }
        for manner in Manner::ALL {
            if !manner.happens_to(operation) {
                continue;
            }
            for lasts in [Lasts::Once, Lasts::On] {
                // What takes seconds is for the long size.
                let slow = manner.is_slow() || (manner, lasts) == (Manner::InProgress, Lasts::On);
                // Nobody waits for an import at the other end of a gateway: it is patient.
                let slow = slow || (function, lasts) == ("import", Lasts::On);
                if size() == 1 && (slow || !is_short(operation, manner, lasts)) {
                    continue;
                }
                cases += 1;
                let event = prepare(cases).await;
                if cases % CASES == 0 {
                    stacks = vec![behind_a_proxy(world, with.clone()).await];
                }
                let (faulty, proxy) = &stacks[0];
                proxy.strike(call, manner, lasts);
                let answer = faulty.stack.invoke(function, event.clone()).await;
                proxy.rest();
                let done = check(&event, answer.clone(), lasts).await;
                if lasts == Lasts::Once && manner != Manner::MeetsTransaction {
                    assert!(done, "{function} {call} {manner:?}: given up too early: {answer:?}");
                }
                if !done {
                    let answer = faulty.stack.invoke(function, event.clone()).await;
                    assert!(
                        check(&event, answer.clone(), Lasts::On).await,
                        "{function} {call} {manner:?}: {answer:?}"
                    );
                }
            }
        }
    }
    println!("faults: {function}: {cases} cases");
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_call_of_notify_may_fail() {
    let bus = FakeBus::start(BusManner::Takes).await;
    let world = World::start().await;
    let with = Options {
        events_endpoint: Some(bus.url.clone()),
        ..options()
    };
    let prepare = async |_| {
        let deal = world.accepted_deal().await;
        let mut batch = world.batch(Duration::ZERO).await;
        let records = batch["Records"].as_array_mut().expect("records");
        records.retain(|record| record["dynamodb"]["Keys"]["pk"]["S"] == json!(format!("DEAL#{}", id(&deal))));
        batch
    };
    let check = async |_: &Value, answer: Result<Value, String>, _| {
        let failures = answer.expect("a batch is never lost")["batchItemFailures"].clone();
        failures == json!([])
    };
    every_call_of(&world, "notify", with, prepare, check).await;
    let table = world.dump().await;
    everything_is_told(&table, &clients(&world), &bus.taken()).await;
    assert!(world.stack.messages("DeadLetters").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_call_of_the_sweep_may_fail() {
    let world = World::start().await;
    let with = Options {
        clock_ahead: TimeDelta::days(15),
        ..options()
    };
    let deals_of_a_case = Mutex::new(Vec::new());
    let prepare = async |_| {
        let (one, other) = (
            world.deal(&["fabrikam", "northwind"]).await,
            world.deal(&["tailspin"]).await,
        );
        *deals_of_a_case.lock().expect("not poisoned") = vec![one, other];
        json!({})
    };
    let check = async |_: &Value, answer: Result<Value, String>, _| {
        let report = answer.expect("a report");
        let done = report["complete"] == true && report["failed"] == 0;
        let swept = deals_of_a_case.lock().expect("not poisoned").clone();
        // What it says it has done is done; a failure may have been a lost answer. By the clock of this world nothing has lapsed
        // but what is written down.
        for path in swept.iter().filter(|_| done) {
            let seen = world.admin("contoso").get(path).await;
            let participants = seen.body["participants"].as_array().expect("participants");
            let open = participants.iter().any(|one| one["stage"] == "received");
            assert!(!open, "{report}: {seen}");
        }
        done
    };
    every_call_of(&world, "expire", with.clone(), prepare, check).await;
    let (later, _) = behind_a_proxy(&world, with).await;
    everybody_agrees(&world.dump().await, &clients(&later)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_call_of_an_import_may_fail() {
    let world = World::start().await;
    let prepare = async |number: usize| {
        let lines = [
            json!({"kind": "organization", "id": format!("o{number}"), "name": "O", "organizationKind": "partner"}),
            json!({"kind": "solution", "id": format!("s{number}"), "name": "S", "publisher": format!("o{number}"), "coSellReady": true}),
            json!({"kind": "customer", "name": format!("Customer {number}"), "country": "US", "dunsNumber": format!("{number:09}")}),
        ];
        json!({"lines": lines.map(|line| line.to_string()).join("\n")})
    };
    let check = async |_: &Value, answer: Result<Value, String>, lasts| match answer {
        Ok(report) => {
            let count = |name: &str| report[name].as_u64().expect("a count");
            assert_eq!((count("read"), &report["bad"]), (3, &json!([])));
            if lasts == Lasts::Once {
                assert_eq!(count("created"), 3, "what it did, it says: {report}");
            }
            assert_eq!(count("created") + count("unchanged"), 3, "{report}");
            true
        }
        Err(error) => {
            assert!(error.starts_with("Unavailable: "), "{error}");
            false
        }
    };
    let cases = every_call_of(&world, "import", options(), prepare, check).await;
    let table = world.dump().await;
    for number in 0..=cases {
        let profile = &table[&(format!("ORG#o{number}"), "PROFILE".to_owned())];
        assert_eq!(profile["coSellReadySolutions"], 1, "counted once: {profile:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_call_of_a_delivery_may_fail() {
    let world = World::start().await;
    let receiver = Receiver::start(ReceiverManner::Answers(204)).await;
    let added = world
        .admin("fabrikam")
        .post("/v1/webhooks", &json!({"url": receiver.url}))
        .await;
    let webhook = added.is(201).body["id"].as_str().expect("an id").to_owned();
    let prepare = async |number: usize| {
        let message = json!({
            "organizationId": "fabrikam", "webhookId": webhook, "id": format!("event-{number}"), "type": "Note Shared", "payload": "{}",
        });
        let attributes = json!({"ApproximateReceiveCount": "1"});
        json!({"Records": [{"messageId": "m", "receiptHandle": "r", "body": message.to_string(), "attributes": attributes}]})
    };
    let check = async |_: &Value, answer: Result<Value, String>, _| {
        let failures = answer.expect("a batch is never lost")["batchItemFailures"].clone();
        failures == json!([])
    };
    let cases = every_call_of(&world, "deliver", options(), prepare, check).await;
    // Each once: a log that cannot be written is no reason to deliver again.
    let mut delivered: Vec<String> = receiver.received().into_iter().map(|delivered| delivered.id).collect();
    delivered.sort();
    let mut expected: Vec<String> = (0..=cases).map(|number| format!("event-{number}")).collect();
    expected.sort();
    assert_eq!(delivered, expected);
}

/// The answer was lost, and the SDK asks again before the transaction is over, more often than it repeats anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_that_is_still_running_is_waited_for() {
    let world = World::start().await;
    let (faulty, proxy) = behind_a_proxy(&world, options()).await;
    let path = world.deal(&["fabrikam"]).await;
    proxy.strike(0, Manner::InProgress, Lasts::Times(7));
    let fabrikam = faulty.admin("fabrikam");
    let answer = fabrikam
        .post(&format!("{path}/response"), &json!({"decision": "accept"}))
        .await;
    assert_eq!(answer.is(200).standing(), "accepted");
    assert_eq!(proxy.strikes()[&Manner::InProgress], 7);
}

/// A test event is sent before that is recorded: what is repeated has the same id.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_test_of_a_webhook_that_is_repeated_keeps_its_id() {
    let world = World::start().await;
    let receiver = Receiver::start(ReceiverManner::Answers(204)).await;
    let (faulty, proxy) = behind_a_proxy(&world, options()).await;
    let (fabrikam, broken) = (world.admin("fabrikam"), faulty.admin("fabrikam"));
    let added = fabrikam.post("/v1/webhooks", &json!({"url": receiver.url})).await;
    let path = format!("{}/test", added.is(201).header("location"));
    let mut ids = Vec::new();
    // Whether the key was used, the webhooks, and the record of the key.
    for call in 0..3 {
        for manner in [Manner::Fails, Manner::LosesAnswer] {
            let headers = [("idempotency-key", &*format!("{call} {manner:?}"))];
            proxy.strike(call, manner, Lasts::On);
            broken
                .send(Method::POST, &path, &headers, None)
                .await
                .refuses(503, "unavailable");
            proxy.rest();
            let answer = until_done(&broken, Method::POST, &path, &headers, None).await;
            let again = fabrikam.send(Method::POST, &path, &headers, None).await;
            assert_eq!(again, *answer.is(202));
            ids.push(answer.body["id"].as_str().expect("an id").to_owned());
        }
    }
    let delivered = eventually("all are delivered", || async {
        let mut delivered: Vec<String> = receiver.received().into_iter().map(|delivered| delivered.id).collect();
        delivered.sort();
        delivered.dedup();
        (delivered.len() >= ids.len()).then_some(delivered)
    })
    .await;
    ids.sort();
    assert_eq!(delivered, ids, "each once, by its id");
}

/// The function answers before it is killed, and is killed before the gateway gives up.
#[test]
fn there_is_time_for_an_answer() {
    let template: Value = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(include_str!("../../infra/template.yaml"))
        .ok()
        .and_then(|template| Some(json!(template["Globals"]["Function"]["Timeout"].as_u64()?)))
        .expect("a timeout");
    let killed = Duration::from_secs(template.as_u64().expect("seconds"));
    assert!(edge::lambda::BUDGET < killed && killed < Duration::from_secs(29));
}
