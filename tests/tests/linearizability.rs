//! Concurrent clients of one deal: what they were told can have happened one after the other, in an order that the rules allow.
//!
//! Each history is a deal of its own with four to eight clients, who send some requests each without waiting for one another.
//! [`tests::linear`] looks for the order.
//!
//! Two commands that write different views do not wait for each other: both succeed, and neither shows what the other did. So the
//! answer to a command counts as two things: the change, and a look at the others at some instant before it came. A `GET` shows all
//! of a deal at one instant, and has to fit as it is.
//!
//! `COSELL_SIZE` makes it more histories, `COSELL_SEED` repeats a choice of requests,
//! though not what the scheduler makes of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;
use local::{Options, Stack};
use serde_json::{Value, json};
use tests::linear::{Operation, Sequential, order};
use tests::{Answer, Client, World, invitation, options};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Histories of each kind at the short size.
const HISTORIES: usize = 50;
/// An instance's clock may be ahead by as many events as happened within a millisecond: by this much at most, in microseconds.
const AHEAD: u64 = 10_000;
/// Instants are to the millisecond, in both clocks; in microseconds.
const MILLISECONDS: u64 = 2_000;
const OWNER: &str = "contoso";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct View {
    stands: &'static str,
    version: u64,
    name: String,
}

/// The deal, as plainly as the rules can be said. The owner's view is always there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Deal {
    views: BTreeMap<&'static str, View>,
}

#[derive(Debug, Clone)]
enum Ask {
    Read,
    Accept,
    Decline,
    Close(&'static str),
    Invite(&'static str),
    Withdraw(&'static str),
    /// The version of `If-Match`, and the name that it is to have.
    Edit(u64, String),
    /// What the answer to a command shows of organizations that it did not change.
    Look,
    /// Nobody asks for this: an invitation's `respondBy` comes.
    Deadline,
}

#[derive(Debug, Clone)]
struct Asked {
    by: &'static str,
    ask: Ask,
    /// Whether it can have been decided before `respondBy` came.
    in_time: bool,
}

impl Asked {
    fn new(by: &'static str, ask: Ask) -> Self {
        Self {
            by,
            ask,
            in_time: false,
        }
    }
}

/// What of an answer depends on the order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    status: u16,
    code: Option<String>,
    stands: Option<String>,
    version: Option<u64>,
    name: Option<String>,
    participants: BTreeMap<String, String>,
}

impl Told {
    fn by(answer: &Answer) -> Self {
        let body = &answer.body;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let stands = |view: &Value| text(&view["outcome"]).or(text(&view["stage"]));
        let participant = |one: &Value| Some((text(&one["organizationId"])?, stands(one)?));
        Self {
            status: answer.status,
            code: text(&body["code"]),
            stands: stands(body),
            version: body["version"].as_u64(),
            name: text(&body["name"]),
            participants: body["participants"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(participant)
                .collect(),
        }
    }

    fn nothing(status: u16) -> Self {
        Self {
            status,
            code: None,
            stands: None,
            version: None,
            name: None,
            participants: BTreeMap::new(),
        }
    }

    /// What the answer to a command shows of the others.
    fn of_others(&self, asked: &Asked) -> Self {
        let changed = |of: &str, stands: &str| {
            let closed = asked.by == OWNER && matches!(asked.ask, Ask::Close(_)) && stands == "withdrawn";
            of == asked.by || closed || matches!(asked.ask, Ask::Invite(whom) if whom == of)
        };
        let others = self.participants.iter().filter(|(of, stands)| !changed(of, stands));
        Self {
            participants: others.map(|(of, stands)| (of.clone(), stands.clone())).collect(),
            ..Self::nothing(0)
        }
    }

    fn refused(status: u16, code: &str, stands: Option<&View>) -> Self {
        let stands = stands.map(|view| view.stands.to_owned());
        Self {
            code: Some(code.to_owned()),
            stands,
            ..Self::nothing(status)
        }
    }
}

impl Deal {
    fn to(invited: &[&'static str]) -> Self {
        let view = |stands, version| View {
            stands,
            version,
            name: "ERP for Adatum".to_owned(),
        };
        let others = invited.iter().map(|organization| (*organization, view("received", 1)));
        let owner = (OWNER, view("accepted", 1 + invited.len() as u64));
        Self {
            views: others.chain([owner]).collect(),
        }
    }

    fn participants(&self) -> BTreeMap<String, String> {
        self.views
            .iter()
            .map(|(of, view)| ((*of).to_owned(), view.stands.to_owned()))
            .collect()
    }

    fn shown(&self, status: u16, to: &str) -> Told {
        let view = &self.views[to];
        Told {
            stands: Some(view.stands.to_owned()),
            version: Some(view.version),
            name: Some(view.name.clone()),
            ..Told::nothing(status)
        }
    }

    /// What was decided before `respondBy` counts, though it was written after it, and whoever looked in between saw it expired:
    /// an expiry is the clock's, and the database has none that a write could depend on.
    fn reopen(&mut self, Asked { by, ask, .. }: &Asked) {
        let whose = match ask {
            Ask::Accept | Ask::Decline => *by,
            Ask::Withdraw(whose) => whose,
            _ => return,
        };
        if let Some(view) = self.views.get_mut(whose).filter(|view| view.stands == "expired") {
            view.stands = "received";
            view.version -= 1;
        }
    }

    fn becomes(&mut self, whose: &'static str, stands: &'static str) {
        let view = self.views.get_mut(whose).expect("there");
        view.stands = stands;
        view.version += 1;
    }

    /// What the rules say: the answer, after which this is how the deal stands.
    fn ask(&mut self, Asked { by, ask, .. }: &Asked) -> Told {
        let by = *by;
        if matches!(ask, Ask::Deadline) {
            if self.views.get(by).is_some_and(|view| view.stands == "received") {
                self.becomes(by, "expired");
            }
            return Told::nothing(0);
        }
        let Some(own) = self.views.get(by).cloned() else {
            return Told::refused(404, "notFound", None);
        };
        let wrong_stage = |view: &View| Told::refused(409, "wrongStage", Some(view));
        match ask {
            Ask::Read => {
                return Told {
                    participants: self.participants(),
                    ..self.shown(200, by)
                };
            }
            Ask::Accept | Ask::Decline if own.stands != "received" => return wrong_stage(&own),
            Ask::Accept => self.becomes(by, "accepted"),
            Ask::Decline => self.becomes(by, "declined"),
            Ask::Edit(version, _) if *version != own.version => return Told::refused(412, "preconditionFailed", None),
            Ask::Edit(..) | Ask::Close(_) if own.stands != "accepted" => return wrong_stage(&own),
            Ask::Edit(_, name) => {
                self.becomes(by, "accepted");
                self.views.get_mut(by).expect("there").name.clone_from(name);
            }
            Ask::Close(how) => {
                self.becomes(by, how);
                if by == OWNER {
                    let pending: Vec<_> = self
                        .views
                        .iter()
                        .filter(|(_, view)| view.stands == "received")
                        .map(|(of, _)| *of)
                        .collect();
                    for whose in pending {
                        self.becomes(whose, "withdrawn");
                    }
                }
            }
            Ask::Withdraw(whose) => match self.views.get(whose) {
                None => return Told::refused(404, "notFound", None),
                Some(theirs) if theirs.stands != "received" => return wrong_stage(theirs),
                Some(_) => {
                    self.becomes(whose, "withdrawn");
                    return Told::nothing(204);
                }
            },
            Ask::Invite(whose) => {
                if own.stands != "accepted" {
                    return wrong_stage(&own);
                }
                let before = self.views.get(whose);
                match before.map(|view| view.stands) {
                    Some("received") => return Told::refused(409, "alreadyInvited", Some(&own)),
                    Some("accepted" | "won" | "lost") => return Told::refused(409, "alreadyParticipates", Some(&own)),
                    _ => {}
                }
                let version = before.map_or(1, |view| view.version + 1);
                self.views.insert(
                    whose,
                    View {
                        stands: "received",
                        version,
                        name: own.name,
                    },
                );
                self.becomes(by, "accepted");
                return self.shown(201, by);
            }
            Ask::Look | Ask::Deadline => {}
        }
        self.shown(200, by)
    }
}

impl Sequential for Deal {
    type Input = Asked;
    type Output = Told;

    fn after(&self, asked: &Asked, told: Option<&Told>) -> Option<Self> {
        if let (Ask::Look, Some(told)) = (&asked.ask, told) {
            // It does not show everybody: not those that the command changed.
            let stands = self.participants();
            let right = told
                .participants
                .iter()
                .all(|(of, shown)| stands.get(of) == Some(shown));
            return right.then(|| self.clone());
        }
        let mut after = self.clone();
        if asked.in_time && told.is_some_and(|told| told.status < 300) {
            after.reopen(asked);
        }
        let right = after.ask(asked);
        told.is_none_or(|told| *told == right).then_some(after)
    }
}

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % limit as u64).expect("below a limit")
    }
}

type History = Vec<Operation<Asked, Told>>;

/// What a client may ask for; an edit with what it has seen.
type Choice = (&'static str, Ask);

/// Sends what it draws, one after the other.
async fn client(
    who: Client,
    path: Arc<str>,
    start: Instant,
    number: usize,
    asks: Vec<Choice>,
    mut seen: u64,
) -> History {
    let mut history = Vec::new();
    for (turn, (by, ask)) in asks.into_iter().enumerate() {
        let ask = match ask {
            Ask::Edit(..) => Ask::Edit(seen, format!("{number}.{turn}")),
            other => other,
        };
        let invoked = micros(start);
        let answer = match &ask {
            Ask::Read => who.get(&path).await,
            Ask::Accept => {
                who.post(&format!("{path}/response"), &json!({"decision": "accept"}))
                    .await
            }
            Ask::Decline => {
                who.post(
                    &format!("{path}/response"),
                    &json!({"decision": "decline", "reason": "budget"}),
                )
                .await
            }
            Ask::Close("won") => who.post(&format!("{path}/close"), &json!({"outcome": "won"})).await,
            Ask::Close(_) => {
                who.post(
                    &format!("{path}/close"),
                    &json!({"outcome": "lost", "reason": "budget"}),
                )
                .await
            }
            Ask::Invite(whom) => who.post(&format!("{path}/invitations"), &invitation(whom)).await,
            Ask::Withdraw(whose) => who.delete(&format!("{path}/invitations/{whose}")).await,
            Ask::Edit(version, name) => {
                who.patch(
                    &path,
                    &format!("\"{version}-0123456789abcdef\""),
                    &json!({"name": name}),
                )
                .await
            }
            Ask::Look | Ask::Deadline => unreachable!("nobody asks for it"),
        };
        let answered = Some(micros(start));
        let mut told = Told::by(&answer);
        seen = told.version.unwrap_or(seen);
        let input = Asked::new(by, ask);
        if !matches!(input.ask, Ask::Read) && !told.participants.is_empty() {
            let others = Some(told.of_others(&input));
            history.push(Operation {
                invoked,
                answered,
                input: Asked::new(by, Ask::Look),
                output: others,
            });
            told.participants.clear();
        }
        history.push(Operation {
            invoked,
            answered,
            input,
            output: Some(told),
        });
    }
    history
}

fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).expect("not that long")
}

/// Draws for each of some clients what it asks for, and lets them.
async fn history(
    world: &World,
    path: &str,
    start: Instant,
    choices: &[Choice],
    invited: &[&str],
    dice: &mut Dice,
) -> History {
    let clients = 4 + dice.below(5);
    let barrier = Arc::new(Barrier::new(clients));
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        // A client is somebody of one organization.
        let by = choices[dice.below(choices.len())].0;
        let own: Vec<&Choice> = choices.iter().filter(|(who, _)| *who == by).collect();
        let asks = (0..=dice.below(4))
            .map(|_| own[dice.below(own.len())].clone())
            .collect();
        let who = world.user(by, &["referrals_admin"], &format!("user{number}"));
        let (path, barrier) = (Arc::from(path), Arc::clone(&barrier));
        let seen = if by == OWNER { 1 + invited.len() as u64 } else { 1 };
        tasks.spawn(async move {
            barrier.wait().await;
            client(who, path, start, number, asks, seen).await
        });
    }
    tasks.join_all().await.concat()
}

/// As many histories of a kind as the size says.
async fn histories(invited: &[&'static str], choices: &[Choice]) {
    let seed = tests::seed();
    println!("COSELL_SEED={seed}");
    let world = World::start().await;
    for round in 0..HISTORIES * tests::size() {
        let mut dice = Dice(seed.wrapping_add(round as u64));
        let path = world.deal(invited).await;
        let history = history(&world, &path, Instant::now(), choices, invited, &mut dice).await;
        check(
            &Deal::to(invited),
            history,
            &format!("round {round} of COSELL_SEED={seed}"),
        );
    }
}

#[track_caller]
fn check(start: &Deal, mut history: History, which: &str) {
    history.sort_by_key(|operation| operation.invoked);
    if order(start, &history).is_none() {
        let lines = history.iter().map(
            |Operation {
                 invoked,
                 answered,
                 input,
                 output,
             }| {
                format!(
                    "{invoked:>8} – {:>8} {input:?} → {output:?}",
                    answered.unwrap_or_default()
                )
            },
        );
        panic!(
            "{which}: there is no order of\n{}",
            lines.collect::<Vec<_>>().join("\n")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn decline_and_accept_against_withdraw() {
    let choices = [
        ("fabrikam", Ask::Accept),
        ("fabrikam", Ask::Decline),
        ("fabrikam", Ask::Decline),
        ("fabrikam", Ask::Read),
        (OWNER, Ask::Withdraw("fabrikam")),
        (OWNER, Ask::Withdraw("fabrikam")),
        (OWNER, Ask::Invite("fabrikam")),
        (OWNER, Ask::Read),
    ];
    histories(&["fabrikam"], &choices).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn close_against_invite() {
    let choices = [
        (OWNER, Ask::Close("won")),
        (OWNER, Ask::Invite("northwind")),
        (OWNER, Ask::Invite("tailspin")),
        (OWNER, Ask::Withdraw("northwind")),
        (OWNER, Ask::Read),
        ("northwind", Ask::Accept),
        ("northwind", Ask::Close("lost")),
        ("northwind", Ask::Read),
        ("fabrikam", Ask::Accept),
        ("fabrikam", Ask::Read),
    ];
    histories(&["fabrikam"], &choices).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn edit_against_edit() {
    let edit = || Ask::Edit(0, String::new());
    let choices = [
        (OWNER, edit()),
        (OWNER, edit()),
        (OWNER, Ask::Read),
        (OWNER, Ask::Invite("northwind")),
        ("fabrikam", Ask::Accept),
        ("fabrikam", edit()),
        ("fabrikam", edit()),
        ("fabrikam", Ask::Close("won")),
    ];
    histories(&["fabrikam"], &choices).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_against_everything() {
    let edit = || Ask::Edit(0, String::new());
    let mut choices = vec![
        (OWNER, Ask::Invite("fabrikam")),
        (OWNER, Ask::Invite("northwind")),
        (OWNER, Ask::Withdraw("fabrikam")),
        (OWNER, Ask::Withdraw("northwind")),
        (OWNER, Ask::Close("lost")),
        (OWNER, edit()),
        (OWNER, Ask::Read),
    ];
    for invited in ["fabrikam", "northwind"] {
        choices.extend([Ask::Accept, Ask::Decline, Ask::Close("won"), edit(), Ask::Read].map(|ask| (invited, ask)));
    }
    histories(&["fabrikam"], &choices).await;
}

/// `respondBy` comes while they answer. It takes effect at its instant, whether or not a sweep is under way: whoever asks later is too
/// late, and what was decided before counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accept_against_the_deadline() {
    let choices = [
        ("fabrikam", Ask::Accept),
        ("fabrikam", Ask::Decline),
        ("fabrikam", Ask::Read),
        ("fabrikam", Ask::Read),
        (OWNER, Ask::Withdraw("fabrikam")),
        (OWNER, Ask::Read),
        (OWNER, Ask::Read),
    ];
    let seed = tests::seed();
    println!("COSELL_SEED={seed}");
    let world = World::start().await;
    // Instances with windows of several lengths, so that the deadline comes early in some histories and late in others.
    let mut instances = Vec::new();
    for milliseconds in [15, 30, 60, 120] {
        let instance = Stack::start(Options {
            response_window: TimeDelta::milliseconds(milliseconds),
            dynamodb_endpoint: Some(world.stack.engine_url()),
            ..options()
        });
        instances.push(instance.await.expect("an instance"));
    }
    for round in 0..HISTORIES * tests::size() {
        let mut dice = Dice(seed.wrapping_add(round as u64));
        let instance = Client::at(&instances[round % instances.len()].url(), world.admin(OWNER).token());
        let created = instance.post("/v1/opportunities", &tests::deal(&["fabrikam"])).await;
        let path = created.is(201).header("location").to_owned();
        let (start, clock) = (Instant::now(), edge::clock::now().datetime().timestamp_micros());
        let respond_by = created.body["participants"][1]["respondBy"]
            .as_str()
            .expect("an instant");
        let respond_by = chrono::DateTime::parse_from_rfc3339(respond_by)
            .expect("an instant")
            .timestamp_micros();
        let comes = u64::try_from(respond_by - clock).unwrap_or(0);
        let (mut history, swept) = tokio::join!(
            history(&world, &path, start, &choices, &["fabrikam"], &mut dice),
            world.stack.sweep()
        );
        assert_eq!(swept.expect("swept")["failed"], 0);
        for operation in &mut history {
            operation.input.in_time = operation.invoked < comes + MILLISECONDS;
        }
        history.push(Operation {
            invoked: comes.saturating_sub(AHEAD),
            answered: Some(comes + MILLISECONDS),
            input: Asked::new("fabrikam", Ask::Deadline),
            output: None,
        });
        check(
            &Deal::to(&["fabrikam"]),
            history,
            &format!("round {round} of COSELL_SEED={seed}"),
        );
    }
}

/// The test of the test: histories that no order explains are found out.
mod found_out {
    use super::*;

    fn operation(by: &'static str, ask: Ask, told: Told, (invoked, answered): (u64, u64)) -> Operation<Asked, Told> {
        Operation {
            invoked,
            answered: Some(answered),
            input: Asked::new(by, ask),
            output: Some(told),
        }
    }

    /// What the rules say after some requests.
    fn told(before: &[(&'static str, Ask)], by: &'static str, ask: Ask) -> Told {
        let mut deal = Deal::to(&["fabrikam"]);
        for (by, ask) in before {
            deal.ask(&Asked::new(by, ask.clone()));
        }
        deal.ask(&Asked::new(by, ask))
    }

    fn is_possible(history: &[Operation<Asked, Told>]) -> bool {
        order(&Deal::to(&["fabrikam"]), history).is_some()
    }

    #[test]
    fn two_winners() {
        let accepted = || told(&[], "fabrikam", Ask::Accept);
        let accept = |told| operation("fabrikam", Ask::Accept, told, (0, 10));
        let withdraw = |status: u16| operation(OWNER, Ask::Withdraw("fabrikam"), Told::nothing(status), (0, 10));
        assert!(!is_possible(&[accept(accepted()), withdraw(204)]));
        let too_late = told(&[(OWNER, Ask::Withdraw("fabrikam"))], "fabrikam", Ask::Accept);
        assert!(is_possible(&[accept(too_late), withdraw(204)]));
    }

    #[test]
    fn a_lost_edit() {
        let edit = |name: &str| Ask::Edit(2, name.to_owned());
        let both = ["a", "b"].map(|name| operation(OWNER, edit(name), told(&[], OWNER, edit(name)), (0, 10)));
        assert!(!is_possible(&both));
        assert!(is_possible(&both[..1]));
    }

    #[test]
    fn a_stale_read() {
        let accept = operation("fabrikam", Ask::Accept, told(&[], "fabrikam", Ask::Accept), (0, 10));
        let read = |at| operation(OWNER, Ask::Read, told(&[], OWNER, Ask::Read), at);
        assert!(is_possible(&[accept.clone(), read((5, 15))]));
        assert!(!is_possible(&[accept, read((11, 15))]));
    }

    #[test]
    fn an_answer_after_the_deadline() {
        let deadline = Operation {
            invoked: 20,
            answered: Some(21),
            input: Asked::new("fabrikam", Ask::Deadline),
            output: None,
        };
        let accept = |at| operation("fabrikam", Ask::Accept, told(&[], "fabrikam", Ask::Accept), at);
        assert!(is_possible(&[accept((10, 30)), deadline.clone()]));
        assert!(!is_possible(&[accept((22, 30)), deadline.clone()]));
        // What was decided in time counts, though somebody saw it expired before it was written; what came later does not.
        let expired = told(&[("fabrikam", Ask::Deadline)], OWNER, Ask::Read);
        let read = operation(OWNER, Ask::Read, expired, (22, 25));
        let after = told(&[("fabrikam", Ask::Accept)], OWNER, Ask::Read);
        let after = operation(OWNER, Ask::Read, after, (31, 35));
        for in_time in [true, false] {
            let mut accept = accept((10, 30));
            accept.input.in_time = in_time;
            assert_eq!(
                is_possible(&[accept, deadline.clone(), read.clone(), after.clone()]),
                in_time
            );
        }
    }

    #[test]
    fn an_invitation_that_outlives_the_deal() {
        let close = operation(OWNER, Ask::Close("won"), told(&[], OWNER, Ask::Close("won")), (0, 10));
        let invite = operation(
            OWNER,
            Ask::Invite("northwind"),
            told(&[], OWNER, Ask::Invite("northwind")),
            (0, 10),
        );
        assert!(
            !is_possible(&[close.clone(), invite.clone()]),
            "each as if the other had not been"
        );
        let mut seen = told(&[], OWNER, Ask::Close("won"));
        seen.version = Some(4);
        let close = Operation {
            output: Some(seen),
            ..close
        };
        assert!(is_possible(&[close.clone(), invite.clone()]), "the deal ended last");
        let mut waits = told(
            &[(OWNER, Ask::Invite("northwind")), (OWNER, Ask::Close("won"))],
            OWNER,
            Ask::Read,
        );
        waits.participants.insert("northwind".to_owned(), "received".to_owned());
        let read = operation(OWNER, Ask::Read, waits, (11, 12));
        assert!(!is_possible(&[close, invite, read]), "somebody is still waited for");
    }
}
