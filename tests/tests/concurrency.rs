//! Contradictory commands that really race: exactly one wins, and the other is told so.

use std::sync::Arc;

use serde_json::{Value, json};
use tests::{Answer, Client, World, invitation};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const ROUNDS: usize = 12;

enum Ask {
    Post(String, Value),
    Patch(String, String, Value),
    Delete(String),
}

async fn ask(client: &Client, ask: &Ask) -> Answer {
    match ask {
        Ask::Post(path, body) => client.post(path, body).await,
        Ask::Patch(path, etag, body) => client.patch(path, etag, body).await,
        Ask::Delete(path) => client.delete(path).await,
    }
}

/// Sends all at once; the answers in the order of the requests.
async fn race(contestants: Vec<(Client, Ask)>) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(contestants.len()));
    let mut tasks = JoinSet::new();
    for (index, (client, what)) in contestants.into_iter().enumerate() {
        let barrier = Arc::clone(&barrier);
        tasks.spawn(async move {
            barrier.wait().await;
            (index, ask(&client, &what).await)
        });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// One won, every other one lost with the status; which one won.
fn winner(answers: &[Answer], lost: u16) -> usize {
    let won: Vec<_> = answers
        .iter()
        .enumerate()
        .filter(|(_, answer)| (200..300).contains(&answer.status))
        .collect();
    assert_eq!(won.len(), 1, "{answers:#?}");
    let others = answers.iter().filter(|answer| answer.status >= 300);
    assert!(others.clone().all(|answer| answer.status == lost), "{answers:#?}");
    won[0].0
}

fn accept() -> Value {
    json!({"decision": "accept"})
}

fn decline() -> Value {
    json!({"decision": "decline", "reason": "budget"})
}

async fn types(world: &World, deal: &str) -> Vec<String> {
    let events = world.events(deal).await;
    events
        .iter()
        .map(|event| event["type"].as_str().expect("a type").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accept_against_decline() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let deal = world.deal(&["fabrikam"]).await;
        let response = format!("{deal}/response");
        let (ana, bob) = (
            world.admin("fabrikam"),
            world.user("fabrikam", &["partner_admin"], "bob"),
        );
        let answers = race(vec![
            (ana.clone(), Ask::Post(response.clone(), accept())),
            (bob, Ask::Post(response, decline())),
        ])
        .await;
        let (stands, event) = [("accepted", "accepted"), ("archived declined", "declined")][winner(&answers, 409)];
        assert_eq!(ana.get(&deal).await.standing(), stands);
        assert_eq!(types(&world, &deal).await, ["created", "invited", event]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accept_against_withdraw() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let deal = world.deal(&["fabrikam"]).await;
        let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
        let answers = race(vec![
            (fabrikam.clone(), Ask::Post(format!("{deal}/response"), accept())),
            (contoso, Ask::Delete(format!("{deal}/invitations/fabrikam"))),
        ])
        .await;
        let (stands, event) = [("accepted", "accepted"), ("archived withdrawn", "withdrawn")][winner(&answers, 409)];
        assert_eq!(fabrikam.get(&deal).await.standing(), stands);
        assert_eq!(types(&world, &deal).await, ["created", "invited", event]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn won_against_lost() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let deal = world.accepted_deal().await;
        let (fabrikam, close) = (world.admin("fabrikam"), format!("{deal}/close"));
        let lost = json!({"outcome": "lost", "reason": "budget"});
        let won = json!({"outcome": "won"});
        let answers = race(vec![
            (fabrikam.clone(), Ask::Post(close.clone(), won)),
            (fabrikam.clone(), Ask::Post(close, lost)),
        ])
        .await;
        let event = ["won", "lost"][winner(&answers, 409)];
        assert_eq!(fabrikam.get(&deal).await.standing(), format!("archived {event}"));
        assert_eq!(types(&world, &deal).await, ["created", "invited", "accepted", event]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_owners_close_against_accept() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let deal = world.deal(&["fabrikam"]).await;
        let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
        let answers = race(vec![
            (fabrikam.clone(), Ask::Post(format!("{deal}/response"), accept())),
            (
                contoso.clone(),
                Ask::Post(format!("{deal}/close"), json!({"outcome": "won"})),
            ),
        ])
        .await;
        // Both orders are allowed: the owner can close whatever the invited one has done.
        answers[1].is(200);
        assert_eq!(contoso.get(&deal).await.standing(), "archived won");
        let accepted = answers[0].status == 200;
        if !accepted {
            assert_eq!(answers[0].refuses(409, "wrongStage").standing(), "archived withdrawn");
        }
        let stands = if accepted { "accepted" } else { "archived withdrawn" };
        assert_eq!(fabrikam.get(&deal).await.standing(), stands);
        let expected: &[&str] = if accepted {
            &["created", "invited", "accepted", "won"]
        } else {
            &["created", "invited", "won", "withdrawn"]
        };
        assert_eq!(types(&world, &deal).await, expected);
        // Who had accepted is told how it ended for the owner; who had not, that the invitation is gone.
        let events = world.events(&deal).await;
        let won = events.iter().find(|event| event["type"] == "won").expect("there");
        assert_eq!(won.get("notices").is_some(), accepted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn edit_against_edit_of_the_same_version() {
    let world = World::start().await;
    let deal = world.deal(&[]).await;
    let contoso = world.admin("contoso");
    for round in 0..ROUNDS {
        let etag = contoso.get(&deal).await.header("etag").to_owned();
        let edits = (0..4).map(|n| {
            (
                contoso.clone(),
                Ask::Patch(deal.clone(), etag.clone(), json!({"name": format!("{round}.{n}")})),
            )
        });
        let answers = race(edits.collect()).await;
        let won = winner(&answers, 412);
        assert_eq!(contoso.get(&deal).await.body["name"], format!("{round}.{won}"));
    }
    let updates = types(&world, &deal)
        .await
        .iter()
        .filter(|event| *event == "updated")
        .count();
    assert_eq!(updates, ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_organization_is_invited_once() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let deal = world.deal(&[]).await;
        let contoso = world.admin("contoso");
        let invite = || Ask::Post(format!("{deal}/invitations"), invitation("fabrikam"));
        let answers = race((0..4).map(|_| (contoso.clone(), invite())).collect()).await;
        winner(&answers, 409);
        assert_eq!(types(&world, &deal).await, ["created", "invited"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_that_do_not_contradict_all_succeed() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let deal = world.deal(&["fabrikam", "northwind"]).await;
        let answers = race(vec![
            (world.admin("fabrikam"), Ask::Post(format!("{deal}/response"), accept())),
            (
                world.admin("northwind"),
                Ask::Post(format!("{deal}/response"), decline()),
            ),
            (
                world.admin("contoso"),
                Ask::Post(format!("{deal}/invitations"), invitation("tailspin")),
            ),
        ])
        .await;
        assert_eq!(
            answers.iter().map(|answer| answer.status).collect::<Vec<_>>(),
            [200, 200, 201],
            "{answers:#?}"
        );
        let seen = world.admin("contoso").get(&deal).await;
        let stands = ["fabrikam", "northwind", "tailspin"].map(|organization| seen.participant(organization));
        assert_eq!(stands, ["accepted", "archived declined", "received"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn notes_do_not_get_in_each_others_way() {
    let world = World::start().await;
    let deal = world.accepted_deal().await;
    let note = |n: usize| {
        let client = world.admin(["contoso", "fabrikam"][n % 2]);
        let body = json!({"text": n.to_string(), "visibility": "shared"});
        (client, Ask::Post(format!("{deal}/notes"), body))
    };
    let answers = race((0..2 * ROUNDS).map(note).collect()).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:#?}");
    let notes = world.admin("contoso").all(&format!("{deal}/notes?limit=100")).await;
    assert_eq!(notes.len(), 2 * ROUNDS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_seat_is_taken_once() {
    let world = World::start().await;
    let organizations = (0..12).map(|n| {
        json!({"kind": "organization", "id": format!("p{n}"), "name": "P", "organizationKind": "partner"}).to_string()
    });
    let lines = organizations.collect::<Vec<_>>().join("\n");
    world.stack.import(&lines).await.expect("imported");
    let eight: Vec<_> = (0..8).map(|n| format!("p{n}")).collect();
    let eight: Vec<&str> = eight.iter().map(String::as_str).collect();
    for _ in 0..ROUNDS {
        let deal = world.deal(&eight).await;
        let contoso = world.admin("contoso");
        let invite = |n| Ask::Post(format!("{deal}/invitations"), invitation(&format!("p{n}")));
        let answers = race((8..12).map(|n| (contoso.clone(), invite(n))).collect()).await;
        winner(&answers, 409);
        let participants = contoso.get(&deal).await.body["participants"].as_array().map(Vec::len);
        assert_eq!(participants, Some(10));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_waits_on_a_deal_that_its_owner_closed() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let deal = world.deal(&[]).await;
        let contoso = world.admin("contoso");
        let answers = race(vec![
            (
                contoso.clone(),
                Ask::Post(format!("{deal}/close"), json!({"outcome": "won"})),
            ),
            (
                contoso.clone(),
                Ask::Post(format!("{deal}/invitations"), invitation("fabrikam")),
            ),
        ])
        .await;
        assert_eq!(answers[0].is(200).standing(), "archived won");
        let seen = world.admin("fabrikam").get(&deal).await;
        if answers[1].status == 201 {
            assert_eq!(seen.is(200).standing(), "archived withdrawn");
            let expected = ["created", "invited", "won", "withdrawn"];
            assert_eq!(types(&world, &deal).await, expected);
        } else {
            answers[1].refuses(409, "wrongStage");
            seen.is(404);
            assert_eq!(types(&world, &deal).await, ["created", "won"]);
        }
    }
}
