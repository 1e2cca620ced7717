//! The whole stack against a model: random commands by several organizations and users, over HTTP. After each step the answer
//! is what the model says, and at the end every view, list, total, history, note, message and published event is.
//!
//! What fails is shrunk and left as a script; `COSELL_REPLAY=<file>` runs it again. `COSELL_SIZE` makes the suite longer,
//! `COSELL_SEED` repeats one.
//!
//! Time passes in two ways. Two instances work on one table: at one an invitation can be answered for two weeks, at the other
//! for moments, so that some lapse between two commands, and are expired whether or not the sweep has run. The instant of a
//! change is taken from its answer, has to lie between request and answer, and counts from then on.

mod commands;
mod exchange;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use axum::http::Method;
use chrono::TimeDelta;
use local::{Claims, Options, Stack};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use tests::{Answer, Client, JSON, SECRET, World, eventually, options};

use crate::commands::{Ask, Field, Listing, ORGANIZATIONS, Side, Step, Tag, User, Who, asked_fields};
use crate::exchange::{Asked, Exchange, IfMatch, Instant, Narrowed, Reply, What, Window, instant, written};

/// Scripts of one thread at the short size, and how long they are at most.
const SCRIPTS: usize = 5;
const STEPS: usize = 300;
const THREADS: usize = 2;
/// How long the search for a shorter script that fails goes on.
const SHRINKING: Duration = Duration::from_mins(3);

/// What can be answered for long is reminded of at once, what is not is not.
const LONG: Window = Window {
    length: 14 * 24 * 3_600_000,
    remind_after: Some(1),
};
const SHORT: Window = Window {
    length: 60,
    remind_after: None,
};

/// What an instance's clock may be ahead of ours when it has several things to do in one millisecond.
const LEEWAY: Instant = 2;

const UNKNOWN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

#[test]
fn everything_is_as_the_model_says() {
    if let Some(file) = tests::replay() {
        let script = std::fs::read_to_string(file).expect("the script is readable");
        let script: Vec<Step> = serde_json::from_str(&script).expect("a script");
        if let Err(failure) = run(&script, true) {
            panic!("{}", failure.why);
        }
        return;
    }
    let seed = tests::seed();
    println!("COSELL_SEED={seed} COSELL_SIZE={}", tests::size());
    let threads =
        (0..THREADS as u64).map(|thread| std::thread::spawn(move || explore(seed.wrapping_add(thread << 48))));
    let threads: Vec<_> = threads.collect();
    let found: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().expect("a thread of scripts"))
        .collect();
    let steps: usize = found.iter().map(|found| found.as_ref().map_or(0, |steps| *steps)).sum();
    println!("{steps} commands");
    if let Some(why) = found.into_iter().find_map(Result::err) {
        panic!("COSELL_SEED={seed}\n{why}");
    }
}

/// Runs random scripts; the number of their steps, or the shortest one found that fails.
fn explore(seed: u64) -> Result<usize, String> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let scripts = commands::script(STEPS);
    let mut steps = 0;
    for _ in 0..SCRIPTS * tests::size() {
        let script = scripts.new_tree(&mut runner).map_err(|why| why.to_string())?.current();
        if let Err(failure) = attempt(&script) {
            println!("found, and now made shorter: {}", failure.why);
            return Err(report(seed, &shorter(script, failure)));
        }
        steps += script.len();
    }
    Ok(steps)
}

/// What fails, how, and after how many of its steps.
struct Failure {
    why: String,
    after: usize,
}

/// Plays a script; a panic of a helper is a failure like any other.
fn attempt(script: &[Step]) -> Result<(), Failure> {
    let played = std::panic::catch_unwind(|| run(script, false));
    played.unwrap_or_else(|panic| {
        let why = panic
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| "a panic".to_owned());
        Err(Failure {
            why,
            after: script.len(),
        })
    })
}

/// Leaves out parts of a script, large ones first, as long as the rest fails, in this way or another. A run takes seconds, so
/// that a search step by step would take hours.
fn shorter(mut script: Vec<Step>, mut failure: Failure) -> (Vec<Step>, Failure) {
    let end = std::time::Instant::now() + SHRINKING;
    script.truncate(failure.after);
    let mut part = script.len().div_ceil(2);
    loop {
        let mut from = 0;
        while from < script.len() && std::time::Instant::now() < end {
            let rest = [&script[..from], &script[script.len().min(from + part)..]].concat();
            match attempt(&rest) {
                Ok(()) => from += part,
                Err(other) => {
                    script = rest;
                    script.truncate(other.after);
                    failure = other;
                }
            }
        }
        if part <= 1 {
            return (script, failure);
        }
        part = part.div_ceil(2);
    }
}

fn report(seed: u64, (script, failure): &(Vec<Step>, Failure)) -> String {
    let file = format!("{}/model-{seed}.json", env!("CARGO_TARGET_TMPDIR"));
    let text = serde_json::to_string_pretty(script).expect("JSON");
    std::fs::write(&file, &text).expect("there is room for the script");
    format!(
        "{}\n\nThe script, shortened to {} steps:\n{text}\n\nCOSELL_REPLAY={file} cargo test -p tests --test model -- --nocapture",
        failure.why,
        script.len(),
    )
}

/// Plays a script in a world of its own.
fn run(script: &[Step], aloud: bool) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut player = Player::start(aloud).await;
        for (number, step) in script.iter().enumerate() {
            let outcome = player.play(step).await;
            outcome.map_err(|why| Failure {
                why: format!("step {number}, {step:?}\n{}\n{why}", player.said),
                after: number + 1,
            })?;
        }
        player.agree().await.map_err(|why| Failure {
            why: format!("at the end\n{}\n{why}", player.said),
            after: script.len(),
        })
    })
}

struct Player {
    world: World,
    /// The instance whose invitations lapse soon.
    soon: Stack,
    model: Exchange,
    /// Requests with a key, to be repeated.
    keyed: Vec<Request>,
    /// The tag that somebody was last given, and for what.
    tags: BTreeMap<(Who, usize), (String, Value)>,
    tokens: BTreeMap<Who, String>,
    /// The last request, as a line of the shell.
    said: String,
    aloud: bool,
}

#[derive(Clone, Debug)]
struct Request {
    asked: Asked,
    method: Method,
    path: String,
    body: Option<String>,
    soon: bool,
}

fn now() -> Instant {
    edge::clock::now().datetime().timestamp_millis()
}

impl Player {
    async fn start(aloud: bool) -> Self {
        let milliseconds = TimeDelta::milliseconds;
        let world = World::with(Options {
            response_window: milliseconds(LONG.length),
            expiring_before: milliseconds(LONG.length - 1),
            stream: true,
            ..options()
        })
        .await;
        let soon = Stack::start(Options {
            response_window: milliseconds(SHORT.length),
            dynamodb_endpoint: Some(world.stack.engine_url()),
            ..options()
        });
        Self {
            soon: soon.await.expect("a second instance"),
            world,
            model: Exchange::default(),
            keyed: Vec::new(),
            tags: BTreeMap::new(),
            tokens: BTreeMap::new(),
            said: String::new(),
            aloud,
        }
    }

    fn client(&mut self, who: Who, soon: bool) -> Client {
        let token = self.tokens.entry(who).or_insert_with(|| {
            let claims = Claims {
                org: who.organization().to_owned(),
                roles: vec![who.role().to_owned()],
                email: who.email(),
                name: Some(who.id().to_owned()),
                sub: who.id().to_owned(),
            };
            local::token(SECRET, &claims, TimeDelta::days(1))
        });
        let stack = if soon { &self.soon } else { &self.world.stack };
        Client::at(&stack.url(), token)
    }

    async fn play(&mut self, step: &Step) -> Result<(), String> {
        match &step.ask {
            Ask::Sweep => self.sweep().await,
            Ask::History | Ask::Notes | Ask::View { .. } => {
                let (who, deal) = self.whom(step);
                match (&step.ask, deal) {
                    (_, None) => {
                        let client = self.client(who, step.soon);
                        let answer = client.get(&path(UNKNOWN, "")).await;
                        agree(&refused_as_unknown(), &answer)
                    }
                    (Ask::History, Some(deal)) => self.timeline(who, deal, "history").await,
                    (Ask::Notes, Some(deal)) => self.timeline(who, deal, "notes").await,
                    (Ask::View { known }, Some(deal)) => self.view(who, deal, *known).await,
                    _ => unreachable!("only these are here"),
                }
            }
            Ask::List(listing) => {
                let (who, deal) = self.whom(step);
                self.list(who, deal, *listing).await
            }
            Ask::Summary => {
                let (who, _) = self.whom(step);
                self.summary(who).await
            }
            _ => match self.request(step) {
                Some(request) => self.command(&request).await,
                None => Ok(()),
            },
        }
    }

    /// Who asks, about which deal.
    fn whom(&self, step: &Step) -> (Who, Option<usize>) {
        let place = usize::from(step.deal);
        let many = self.model.deals.len();
        let pending = self.model.pending();
        let mut aimed = None;
        let deal = match step.ask {
            _ if many == 0 || place == 255 => None,
            // Most answers are given, and most withdrawals made, where one is awaited.
            Ask::Accept { .. } | Ask::Decline { .. } | Ask::Withdraw if place % 4 != 0 && !pending.is_empty() => {
                let (deal, of) = pending[pending.len() - 1 - place / 4 % pending.len()];
                aimed = Some(of);
                Some(deal)
            }
            _ => Some(many - 1 - place % many.min(8)),
        };
        let any = |number: u8| usize::from(number) % ORGANIZATIONS.len();
        let org = match (step.side, deal) {
            (Side::Owner, Some(deal)) => self.model.owner(deal),
            (Side::Owner, None) => 0,
            (Side::Any(number), _) | (Side::Invited(number), None) => any(number),
            (Side::Invited(number), Some(deal)) => {
                let invited = self.model.invited(deal);
                let one = || invited.get(usize::from(number) % invited.len().max(1)).copied();
                aimed.or_else(one).unwrap_or(any(number))
            }
        };
        (Who { org, user: step.user }, deal)
    }

    /// What a step asks for.
    fn what(&self, step: &Step, deal: Option<usize>) -> What {
        match step.ask.clone() {
            Ask::Create { draft, dry_run } => What::Create { draft, dry_run },
            Ask::Edit(fields) => What::Edit(fields),
            Ask::Invite { invitee, note } => What::Invite { invitee, note },
            Ask::Withdraw => {
                let invited = deal.map_or(Vec::new(), |deal| self.model.invited(deal));
                let pending = self.model.pending();
                let waits = |of: &&usize| pending.iter().any(|(other, org)| Some(*other) == deal && org == *of);
                let of = invited.iter().find(waits).or(invited.first()).copied();
                What::Withdraw(of.unwrap_or(usize::from(step.deal) % ORGANIZATIONS.len()))
            }
            Ask::Accept { fields, note } => What::Accept { fields, note },
            Ask::Decline { reason, note } => What::Decline { reason, note },
            Ask::Won { value, note } => What::Won { value, note },
            Ask::Lost { reason, note } => What::Lost { reason, note },
            Ask::Note { shared, text } => What::Note { shared, text },
            Ask::Mark(on) => What::Mark(on),
            _ => unreachable!("no command"),
        }
    }

    /// The request of a step; none if it is to repeat one where there is none.
    fn request(&self, step: &Step) -> Option<Request> {
        if let Ask::Again { which, same } = step.ask {
            // One of the last, so that it stays the same one when steps before it are left out.
            let mut last = self.keyed.iter().rev();
            let mut request = last.nth(usize::from(which) % self.keyed.len().clamp(1, 12))?.clone();
            if !same {
                // The same to a reader, and not to the byte.
                request.body = request.body.map(|body| format!("{body} "));
            }
            request.asked.who.user = if step.user == User::Seller {
                User::Seller
            } else {
                request.asked.who.user
            };
            request.soon = step.soon;
            request.asked.window = if step.soon { SHORT } else { LONG };
            let key = request.asked.key.as_ref().map(|(key, _)| key.clone());
            request.asked.key = key.map(|key| (key, sameness(&request)));
            return Some(request);
        }
        let (who, deal) = self.whom(step);
        let id = deal.map_or(UNKNOWN, |deal| &self.model.deals[deal].id);
        let version = deal.and_then(|deal| self.model.version(who.org, deal, now()));
        let if_match = match step.tag {
            Tag::Absent => None,
            Tag::Any => Some(IfMatch::Any),
            Tag::Right => Some(IfMatch::Version(version.map_or(1, |(version, _)| version))),
            Tag::Stale => Some(IfMatch::Version(version.map_or(2, |(version, _)| version + 1))),
        };
        let what = self.what(step, deal);
        let (method, path, body) = wire(&what, who, id);
        let creates = matches!(what, What::Create { .. });
        let if_match = if_match.filter(|_| !creates && !matches!(what, What::Mark(_)));
        let mut request = Request {
            asked: Asked {
                who,
                what,
                deal,
                if_match,
                key: None,
                window: if step.soon { SHORT } else { LONG },
            },
            method,
            path,
            body: body.map(|body| body.to_string()),
            soon: step.soon,
        };
        if let (Some(key), &Method::POST) = (step.key, &request.method) {
            request.asked.key = Some((format!("key-{key}"), sameness(&request)));
        }
        Some(request)
    }

    async fn command(&mut self, request: &Request) -> Result<(), String> {
        let Asked {
            who,
            what,
            deal,
            if_match,
            key,
            ..
        } = &request.asked;
        let client = self.client(*who, request.soon);
        let dry_run = matches!(what, What::Create { dry_run: true, .. });
        let path = if dry_run {
            format!("{}?dryRun=true", request.path)
        } else {
            request.path.clone()
        };
        let tag = if_match.map(|if_match| match if_match {
            IfMatch::Any => "*".to_owned(),
            IfMatch::Version(version) => format!("\"{version}-0123456789abcdef\""),
        });
        let mut headers = Vec::new();
        if request.body.is_some() {
            headers.push(JSON);
        }
        if let Some(tag) = &tag {
            headers.push(("if-match", tag.as_str()));
        }
        if let Some((key, _)) = key {
            headers.push(("idempotency-key", key.as_str()));
        }
        self.say(*who, request, &path, &headers);
        let sent = now();
        let mut answer = client
            .send(request.method.clone(), &path, &headers, request.body.clone())
            .await;
        if let Some(shown) = answer.body.as_object_mut() {
            // Beside the opportunity, for who has won; registrations are not in the model.
            shown.remove("registrableSolutions");
        }
        let received = now() + LEEWAY;
        if self.aloud {
            println!("    {} {}", answer.status, answer.text);
        }
        if key.is_some() && !self.keyed.iter().any(|other| other.asked.key == request.asked.key) {
            self.keyed.push(request.clone());
        }
        // When it happened: the answer tells, if it tells anything.
        let told = match what {
            What::Withdraw(of) if answer.status == 204 => {
                let invited = self
                    .client(
                        Who {
                            org: *of,
                            user: User::Admin,
                        },
                        false,
                    )
                    .get(&self::path(self.id(*deal), ""))
                    .await;
                instant(&invited.body["closedAt"])
            }
            What::Create { .. } | What::Note { .. } => instant(&answer.body["createdAt"]),
            _ => instant(&answer.body["updatedAt"]),
        };
        let told = told.filter(|at| (sent..=received).contains(at) && answer.status < 300);
        let turns = told.map_or_else(|| self.model.turns(*deal, sent, received), |at| vec![at]);
        let id = answer.body["id"].as_str().unwrap_or_default();
        let mut why = String::new();
        for turn in turns {
            let mut model = self.model.clone();
            let reply = model.ask(&request.asked, turn, id);
            match agree(&reply, &answer) {
                Ok(()) => {
                    if answer.status < 300 && !dry_run {
                        model.remember(&request.asked, &answer);
                    }
                    self.model = model;
                    return Ok(());
                }
                Err(difference) => {
                    let _ = write!(why, "\nif decided at {}: {difference}", written(turn));
                }
            }
        }
        Err(format!("{why}\nwhat came back: {answer}"))
    }

    fn id(&self, deal: Option<usize>) -> &str {
        deal.map_or(UNKNOWN, |deal| &self.model.deals[deal].id)
    }

    fn say(&mut self, who: Who, request: &Request, path: &str, headers: &[(&str, &str)]) {
        let mut line = format!(
            "curl -X {} -H \"Authorization: Bearer ${}_{}\"",
            request.method,
            who.organization(),
            who.id()
        );
        for (name, value) in headers {
            let _ = write!(line, " -H '{name}: {value}'");
        }
        let api = if request.soon { "$soon" } else { "$api" };
        let _ = write!(line, " {api}{path}");
        if let Some(body) = &request.body {
            let _ = write!(line, " -d '{body}'");
        }
        self.utter(line);
    }

    fn utter(&mut self, line: String) {
        if self.aloud {
            println!("{line}");
        }
        self.said = line;
    }

    fn say_get(&mut self, who: Who, path: &str) {
        self.utter(format!(
            "curl -H \"Authorization: Bearer ${}_{}\" '$api{path}'",
            who.organization(),
            who.id()
        ));
    }

    /// What is due soon comes due, and the sweep runs.
    async fn sweep(&mut self) -> Result<(), String> {
        self.utter("cargo run -- sweep".to_owned());
        if let Some(due) = self.model.due(now() + 1_000) {
            eventually("what is due soon is due", || async { (now() > due).then_some(()) }).await;
        }
        let sent = now();
        let report = self.world.stack.sweep().await?;
        let received = now() + LEEWAY;
        // When it reminded and passed on shows in the views.
        let asked = RefCell::new(Vec::new());
        self.model.clone().sweep(sent, &|deal, of| {
            asked.borrow_mut().push((deal, of));
            sent
        });
        let mut instants = BTreeMap::new();
        for (deal, of) in asked.into_inner() {
            let who = Who {
                org: of,
                user: User::Admin,
            };
            let view = self.client(who, false).get(&path(self.id(Some(deal)), "")).await;
            let at = instant(&view.body["updatedAt"]).filter(|at| (sent..=received).contains(at));
            instants.insert(
                (deal, of),
                at.ok_or_else(|| format!("not changed by the sweep: {view}"))?,
            );
        }
        let swept = self.model.sweep(sent, &|deal, of| instants[&(deal, of)]);
        let expected = json!({
            "due": swept.expired + swept.reminded, "expired": swept.expired, "reminded": swept.reminded,
            "alreadyAnswered": 0, "failed": 0, "complete": true,
        });
        same(&expected, &report)
    }

    /// Reads, again if something lapsed meanwhile; what was read, and when.
    async fn read<T>(&mut self, reading: impl AsyncFn() -> T) -> (T, Instant) {
        loop {
            let sent = now();
            let read = reading().await;
            if !self.model.lapses(sent, now() + LEEWAY) {
                return (read, sent);
            }
        }
    }

    async fn view(&mut self, who: Who, deal: usize, known: bool) -> Result<(), String> {
        let client = self.client(who, false);
        let path = path(self.id(Some(deal)), "");
        self.say_get(who, &path);
        let had = self.tags.get(&(who, deal)).filter(|_| known).cloned();
        let tag = had.as_ref().map_or("\"0-0000000000000000\"", |(tag, _)| tag).to_owned();
        let (answer, at) = self
            .read(async || client.get_with(&path, "if-none-match", &tag).await)
            .await;
        let asked = Asked {
            who,
            what: What::View,
            deal: Some(deal),
            if_match: None,
            key: None,
            window: LONG,
        };
        let mut reply = self.model.ask(&asked, at, "");
        if let (Reply::Shown { body, .. }, Some((_, seen))) = (&reply, &had)
            && body == seen
        {
            reply = Reply::Empty(304);
        }
        agree(&reply, &answer)?;
        if let Some(tag) = answer.headers.get("etag").filter(|_| answer.status == 200) {
            self.tags.insert((who, deal), (tag.clone(), answer.body.clone()));
        }
        Ok(())
    }

    async fn timeline(&mut self, who: Who, deal: usize, name: &str) -> Result<(), String> {
        let client = self.client(who, false);
        let path = format!("{}?limit=100", path(self.id(Some(deal)), &format!("/{name}")));
        self.say_get(who, &path);
        let (answer, at) = self.read(async || client.get(&path).await).await;
        let expected = match name {
            "history" => self.model.history(who, deal, at),
            _ => self.model.notes(who, deal, at),
        };
        let Some(expected) = expected else {
            return agree(&refused_as_unknown(), &answer);
        };
        let items = if answer.body["nextCursor"].is_null() {
            answer.body["items"].as_array().cloned().unwrap_or_default()
        } else {
            client.all(&path).await
        };
        let ids: Vec<_> = items.iter().map(|item| item["id"].as_str()).collect();
        if !ids.windows(2).all(|pair| pair[0] > pair[1]) {
            return Err(format!("{path} of {who:?}: not newest first: {ids:?}"));
        }
        same(&expected.into(), &items.into_iter().map(without_id).collect())
    }

    async fn list(&mut self, who: Who, deal: Option<usize>, listing: Listing) -> Result<(), String> {
        let tab = ["inbound", "outbound", "favorites"][listing.tab];
        let chosen = |choices: &[&'static str], index: usize| index.checked_sub(1).map(|index| choices[index]);
        let narrowed = Narrowed {
            stage: chosen(&["received", "accepted", "archived"], listing.stage),
            outcome: chosen(&["won", "lost", "declined", "expired", "withdrawn"], listing.outcome),
            qualification: chosen(&["lead", "salesQualified"], listing.qualification),
            text: listing.text.map(|text| exchange::search(text, &self.model.deals)),
            campaign: commands::CAMPAIGNS[listing.campaign],
            crm_id: commands::CRM_IDS[listing.crm_id],
            since: deal
                .filter(|_| listing.since.is_some())
                .and_then(|deal| self.model.version(who.org, deal, now()).map(|(_, changed)| changed)),
        };
        let mut path = format!("/v1/opportunities?tab={tab}&limit={}", listing.limit);
        let parameters = [
            ("stage", narrowed.stage.map(str::to_owned)),
            ("outcome", narrowed.outcome.map(str::to_owned)),
            ("qualification", narrowed.qualification.map(str::to_owned)),
            ("q", narrowed.text.clone()),
            ("campaignId", narrowed.campaign.map(str::to_owned)),
            ("crmId", narrowed.crm_id.map(str::to_owned)),
            ("updatedSince", narrowed.since.map(written)),
        ];
        for (name, value) in parameters {
            if let Some(value) = value {
                let encoded = value
                    .bytes()
                    .fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
                let _ = write!(path, "&{name}={encoded}");
            }
        }
        let client = self.client(who, false);
        self.say_get(who, &path);
        let (items, at) = self.read(async || client.all(&path).await).await;
        let expected = self.model.list(who, tab, &narrowed, at);
        // What waits for an answer is in the order of `respondBy`, which two instances give as they like.
        let in_order = |items: &[Value]| -> Vec<Value> {
            let settled = items
                .iter()
                .filter(|item| tab == "favorites" || item["stage"] != "received");
            settled.cloned().collect()
        };
        let by_id = |mut items: Vec<Value>| -> Value {
            items.sort_by_key(|item| item["id"].as_str().map(str::to_owned));
            items.into()
        };
        same(&in_order(&expected).into(), &in_order(&items).into()).and_then(|()| same(&by_id(expected), &by_id(items)))
    }

    async fn summary(&mut self, who: Who) -> Result<(), String> {
        let client = self.client(who, false);
        self.say_get(who, "/v1/summary");
        let (answer, at) = self.read(async || client.get("/v1/summary").await).await;
        let expected = self.model.summary(who, at);
        same(&expected, &exchange::sorted(answer.body))
    }

    /// Everything that anybody can see is as the model says.
    async fn agree(&mut self) -> Result<(), String> {
        self.utter("# reading everything".to_owned());
        let everybody =
            (0..ORGANIZATIONS.len()).flat_map(|org| [User::Admin, User::Seller].map(|user| Who { org, user }));
        for who in everybody {
            for deal in 0..self.model.deals.len() {
                let takes_part = self.model.version(who.org, deal, now()).is_some();
                // Nobody else sees it; one of them is asked.
                if takes_part || deal % ORGANIZATIONS.len() == who.org {
                    self.view(who, deal, true).await?;
                }
                if takes_part {
                    self.timeline(who, deal, "history").await?;
                    self.timeline(who, deal, "notes").await?;
                }
            }
            self.summary(who).await?;
            let everything = Listing {
                tab: 0,
                stage: 0,
                outcome: 0,
                qualification: 0,
                text: None,
                campaign: 0,
                crm_id: 0,
                since: None,
                limit: 100,
            };
            for tab in 0..3 {
                self.list(
                    who,
                    None,
                    Listing {
                        tab,
                        limit: 7,
                        ..everything
                    },
                )
                .await?;
            }
            if who.user == User::Seller {
                continue;
            }
            let mut listings = Vec::new();
            for tab in 0..2 {
                listings.extend((1..4).map(|stage| Listing {
                    tab,
                    stage,
                    ..everything
                }));
                listings.extend((1..6).map(|outcome| Listing {
                    tab,
                    outcome,
                    ..everything
                }));
                listings.extend((1..3).map(|qualification| Listing {
                    tab,
                    qualification,
                    ..everything
                }));
            }
            listings.extend((0..8).map(|text| Listing {
                tab: text % 3,
                text: Some(text),
                ..everything
            }));
            listings.extend((1..3).map(|one| Listing {
                tab: one - 1,
                campaign: one,
                ..everything
            }));
            listings.extend((1..3).map(|one| Listing {
                tab: 2 - one,
                crm_id: one,
                ..everything
            }));
            for listing in listings {
                self.list(who, None, listing).await?;
            }
            // What changed at the very instant that is asked for belongs to it.
            for deal in (0..self.model.deals.len()).filter(|deal| deal % 3 == 0) {
                if self.model.version(who.org, deal, now()).is_some() {
                    let tab = usize::from(self.model.owner(deal) == who.org);
                    let since = Some(0);
                    self.list(
                        who,
                        Some(deal),
                        Listing {
                            tab,
                            since,
                            ..everything
                        },
                    )
                    .await?;
                }
            }
        }
        self.told().await
    }

    /// Feeds, the bus and the table hold what happened, and nothing else.
    async fn told(&mut self) -> Result<(), String> {
        eventually("every event is told", || async {
            let table = self.world.dump().await;
            let waits = |item: &tests::Item| item.contains_key("notices") && !item.contains_key("toldAt");
            (!table.values().any(waits)).then_some(())
        })
        .await;
        let deals = 0..self.model.deals.len();
        let mut everything = BTreeMap::new();
        for (org, (name, ..)) in ORGANIZATIONS.iter().enumerate() {
            let told: Vec<Vec<Value>> = deals.clone().map(|deal| self.model.told(org, deal)).collect();
            let count = told.iter().map(Vec::len).sum::<usize>();
            let feed = self
                .client(Who { org, user: User::Admin }, false)
                .all("/v1/notifications?limit=100")
                .await;
            let seller = Who {
                org,
                user: User::Seller,
            };
            let client = self.client(seller, false);
            let (part, at) = self
                .read(async || client.all("/v1/notifications?limit=100").await)
                .await;
            for deal in deals.clone() {
                let about = |feed: &[Value]| -> Value {
                    let about = feed
                        .iter()
                        .filter(|detail| detail["dealId"] == self.model.deals[deal].id);
                    about.cloned().map(without_id).collect()
                };
                same(&json!(told[deal]), &about(&feed)).map_err(|why| format!("the feed of {name}: {why}"))?;
                let seen = self.model.is_seen(seller, deal, at);
                let expected = if seen { json!(told[deal]) } else { json!([]) };
                same(&expected, &about(&part)).map_err(|why| format!("the feed of a seller of {name}: {why}"))?;
            }
            if feed.len() != count {
                return Err(format!("a feed of {} instead of {count}", feed.len()));
            }
            for detail in feed {
                everything.insert(detail["id"].to_string(), detail);
            }
        }
        let mut published = BTreeMap::new();
        for event in self.world.published(everything.len()).await {
            let detail = event["detail"].clone();
            published.insert(detail["id"].to_string(), detail);
        }
        same(&json!(everything), &json!(published)).map_err(|why| format!("the bus: {why}"))?;
        let table = self.world.dump().await;
        for deal in deals {
            let pk = format!("DEAL#{}", self.model.deals[deal].id);
            let count = |kind: &str| {
                table
                    .keys()
                    .filter(|(key, sk)| *key == pk && sk.starts_with(kind))
                    .count()
            };
            let found = (count("EVENT#"), count("NOTE#"));
            if found != self.model.records(deal) {
                return Err(format!(
                    "{pk}: {found:?} events and notes instead of {:?}",
                    self.model.records(deal)
                ));
            }
        }
        Ok(())
    }
}

fn path(id: &str, rest: &str) -> String {
    format!("/v1/opportunities/{id}{rest}")
}

/// What is asked for, as it goes over the wire: method, path, body.
fn wire(what: &What, who: Who, id: &str) -> (Method, String, Option<Value>) {
    let post = |rest, body: Value| (Method::POST, path(id, rest), Some(commands::without_nulls(&body)));
    let told = |note: &Option<u8>| note.map(commands::note_text);
    match what {
        What::Create { draft, .. } => (Method::POST, "/v1/opportunities".to_owned(), Some(draft.asked(who.org))),
        What::Edit(fields) => (Method::PATCH, path(id, ""), Some(asked_fields(who.org, fields, None))),
        What::Invite { invitee, note } => {
            let mut body = invitee.asked();
            body["note"] = json!(told(note));
            post("/invitations", body)
        }
        What::Withdraw(of) => {
            let path = path(id, &format!("/invitations/{}", ORGANIZATIONS[*of].0));
            (Method::DELETE, path, None)
        }
        What::Accept { fields, note } => {
            let mut body = asked_fields(who.org, fields, *note);
            body["decision"] = json!("accept");
            post("/response", body)
        }
        What::Decline { reason, note } => {
            let reason = commands::REASONS[*reason];
            post(
                "/response",
                json!({"decision": "decline", "reason": reason, "note": told(note)}),
            )
        }
        What::Won { value, note } => {
            let value = value.map(|value| asked_fields(0, &[Field::Value(value)], None)["estimatedValue"].clone());
            post(
                "/close",
                json!({"outcome": "won", "finalValue": value, "note": told(note)}),
            )
        }
        What::Lost { reason, note } => {
            let reason = commands::REASONS[*reason];
            post(
                "/close",
                json!({"outcome": "lost", "reason": reason, "note": told(note)}),
            )
        }
        What::Note { shared, text } => {
            let visibility = if *shared { "shared" } else { "internal" };
            post(
                "/notes",
                json!({"text": commands::note_text(*text), "visibility": visibility}),
            )
        }
        What::Mark(true) => (Method::PUT, path(id, "/favorite"), None),
        What::Mark(false) => (Method::DELETE, path(id, "/favorite"), None),
        What::View => (Method::GET, path(id, ""), None),
    }
}

/// What a repetition with the same key has to have in common with the first request.
fn sameness(request: &Request) -> String {
    let who = request.asked.who;
    // A seller sees less, so it repeats only what is its own.
    let own = if who.user == User::Seller {
        who.email()
    } else {
        String::new()
    };
    format!("{} {own} {}", request.path, request.body.as_deref().unwrap_or_default())
}

fn without_id(mut item: Value) -> Value {
    item.as_object_mut()
        .and_then(|members| members.remove("id"))
        .expect("an id");
    item
}

fn refused_as_unknown() -> Reply {
    Reply::Refused {
        status: 404,
        code: "notFound",
        standing: None,
        faults: Vec::new(),
    }
}

/// Where two values differ.
fn same(expected: &Value, found: &Value) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let mut pointer = String::new();
    let (mut one, mut other) = (expected, found);
    loop {
        let below = match (one, other) {
            (Value::Object(a), Value::Object(b)) => {
                let names = a.keys().chain(b.keys()).find(|name| a.get(*name) != b.get(*name));
                names.and_then(|name| Some((name.clone(), a.get(name)?, b.get(name)?)))
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                let index = a.iter().zip(b).position(|(a, b)| a != b);
                index.map(|index| (index.to_string(), &a[index], &b[index]))
            }
            _ => None,
        };
        let Some((name, a, b)) = below else { break };
        let _ = write!(pointer, "/{name}");
        (one, other) = (a, b);
    }
    Err(format!(
        "at {pointer:?} the model says\n  {one}\nand there is\n  {other}"
    ))
}

fn agree(reply: &Reply, answer: &Answer) -> Result<(), String> {
    let status = |status: u16| {
        if answer.status == status {
            Ok(())
        } else {
            Err(format!("{status} is right, {} came", answer.status))
        }
    };
    match reply {
        Reply::Empty(expected) => status(*expected),
        Reply::Shown {
            status: expected,
            version,
            body,
        } => {
            status(*expected)?;
            let tag = answer.headers.get("etag").map_or("", String::as_str);
            if version.is_some_and(|version| !tag.starts_with(&format!("\"{version}-"))) {
                return Err(format!("the tag is {tag} instead of that of version {version:?}"));
            }
            let mut found = answer.body.clone();
            if body.get("id").is_none() {
                found = without_id(found);
            }
            same(body, &found)
        }
        Reply::Refused {
            status: expected,
            code,
            standing,
            faults,
        } => {
            status(*expected).map_err(|why| format!("{why}: {reply:?}"))?;
            let mut told: Vec<_> = answer.body["errors"].as_array().into_iter().flatten().collect();
            told.sort_by_key(|fault| (fault["pointer"].to_string(), fault["code"].to_string()));
            let told: Vec<_> = told
                .iter()
                .map(|fault| json!([fault["pointer"], fault["code"]]))
                .collect();
            let mut expected: Vec<_> = faults.iter().map(|(pointer, code)| json!([pointer, code])).collect();
            expected.sort_by_key(|fault| (fault[0].to_string(), fault[1].to_string()));
            let stands = standing.map_or(json!([null, null]), |state| json!([state.stage(), state.outcome()]));
            same(
                &json!({"code": code, "errors": expected, "stands": stands}),
                &json!({"code": answer.body["code"], "errors": told, "stands": [answer.body["stage"], answer.body["outcome"]]}),
            )
        }
        Reply::Again(first) => {
            let (first, again) = [&**first, answer]
                .map(|answer| (answer.status, &answer.headers, &answer.text))
                .into();
            if first == again {
                Ok(())
            } else {
                Err(format!("not what came the first time: {first:?}"))
            }
        }
    }
}
