//! `Idempotency-Key`: repeating a request does nothing but give its answer again.

use aws_sdk_dynamodb::types::AttributeValue;
use axum::http::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, JSON, World, but, deal, invitation};
use tokio::task::JoinSet;

async fn keyed(client: &Client, key: &str, path: &str, body: &Value) -> Answer {
    client.post_with(path, "idempotency-key", key, body).await
}

#[tokio::test]
async fn the_first_answer_comes_again_however_the_deal_went_on() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let created = keyed(&contoso, "create-1", "/v1/opportunities", &deal(&["fabrikam"])).await;
    let path = created.is(201).header("location").to_owned();
    let (response, close, invitations) = (
        format!("{path}/response"),
        format!("{path}/close"),
        format!("{path}/invitations"),
    );
    let accept = json!({"decision": "accept"});
    let accepted = keyed(&fabrikam, "accept-1", &response, &accept).await;
    let invited = keyed(&contoso, "invite-1", &invitations, &invitation("northwind")).await;
    let won = json!({"outcome": "won"});
    let closed = keyed(&fabrikam, "close-1", &close, &won).await;
    contoso.post(&close, &won).await.is(200);
    let before = world.dump().await;
    assert_eq!(
        keyed(&contoso, "create-1", "/v1/opportunities", &deal(&["fabrikam"])).await,
        created
    );
    assert_eq!(keyed(&fabrikam, "accept-1", &response, &accept).await, accepted);
    assert_eq!(
        keyed(&contoso, "invite-1", &invitations, &invitation("northwind")).await,
        invited
    );
    assert_eq!(keyed(&fabrikam, "close-1", &close, &won).await, closed);
    assert_eq!(world.dump().await, before);
    accepted.is(200);
    invited.is(201);
    closed.is(200);
    fabrikam.post(&close, &won).await.refuses(409, "wrongStage");
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let path = keyed(&contoso, "k", "/v1/opportunities", &deal(&[]))
        .await
        .is(201)
        .header("location")
        .to_owned();
    let before = world.dump().await;
    let other = but(deal(&[]), "/name", json!("Other"));
    keyed(&contoso, "k", "/v1/opportunities", &other)
        .await
        .refuses(422, "idempotencyKeyReused");
    let invitations = format!("{path}/invitations");
    keyed(&contoso, "k", &invitations, &invitation("fabrikam"))
        .await
        .refuses(422, "idempotencyKeyReused");
    keyed(&contoso, "k", "/v1/opportunities", &json!({"wrong": 1}))
        .await
        .refuses(422, "idempotencyKeyReused");
    assert_eq!(world.dump().await, before);
    // Another organization's keys are its own.
    keyed(&world.admin("fabrikam"), "k", "/v1/opportunities", &deal(&[]))
        .await
        .is(201);
}

#[tokio::test]
async fn a_repetition_is_no_stale_write() {
    let world = World::start().await;
    let path = world.deal(&["fabrikam"]).await;
    let fabrikam = world.admin("fabrikam");
    let response = format!("{path}/response");
    let etag = fabrikam.get(&path).await.header("etag").to_owned();
    let headers = [JSON, ("idempotency-key", "k"), ("if-match", etag.as_str())];
    let accept = json!({"decision": "accept"}).to_string();
    let ask = || fabrikam.send(Method::POST, &response, &headers, Some(accept.clone()));
    let first = ask().await;
    assert_eq!(first.is(200).standing(), "accepted");
    assert_eq!(ask().await, first);
}

#[tokio::test]
async fn an_answer_is_not_replayed_to_who_may_not_see_it() {
    let world = World::start().await;
    let carla = world.user("contoso", &["seller"], "carla");
    let sam = world.user("contoso", &["seller"], "sam");
    let path = world.deal(&[]).await;
    let notes = format!("{path}/notes");
    let body = json!({"text": "MARKER", "visibility": "internal"});
    let first = keyed(&carla, "k", &notes, &body).await;
    assert_eq!(keyed(&carla, "k", &notes, &body).await, first);
    let other = keyed(&sam, "k", &notes, &body).await;
    assert!(!other.refuses(422, "idempotencyKeyReused").text.contains("MARKER"));
}

#[tokio::test]
async fn a_refused_request_does_not_use_its_key_up() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    keyed(&contoso, "k", "/v1/opportunities", &but(deal(&[]), "/name", json!("")))
        .await
        .is(422);
    let path = keyed(&contoso, "k", "/v1/opportunities", &deal(&[]))
        .await
        .is(201)
        .header("location")
        .to_owned();
    let response = format!("{path}/response");
    keyed(&contoso, "l", &response, &json!({"decision": "accept"}))
        .await
        .refuses(409, "wrongStage");
    keyed(&contoso, "l", &format!("{path}/close"), &json!({"outcome": "won"}))
        .await
        .is(200);
}

#[tokio::test]
async fn a_key_has_at_most_255_characters() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    keyed(&contoso, &"k".repeat(255), "/v1/opportunities", &deal(&[]))
        .await
        .is(201);
    keyed(&contoso, &"k".repeat(256), "/v1/opportunities", &deal(&[]))
        .await
        .refuses(400, "malformedParameter");
    keyed(&contoso, "", "/v1/opportunities", &deal(&[]))
        .await
        .refuses(400, "malformedParameter");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_at_once_make_one_deal_and_get_the_same_answer() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    for round in 0..5 {
        let mut posts = JoinSet::new();
        for _ in 0..16 {
            let contoso = contoso.clone();
            posts.spawn(async move {
                keyed(
                    &contoso,
                    &format!("k{round}"),
                    "/v1/opportunities",
                    &deal(&["fabrikam"]),
                )
                .await
            });
        }
        let answers = posts.join_all().await;
        answers[0].is(201);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    }
    assert_eq!(contoso.all("/v1/opportunities?tab=outbound").await.len(), 5);
    assert_eq!(
        world.admin("fabrikam").all("/v1/opportunities?tab=inbound").await.len(),
        5
    );
}

/// Sends all at once.
async fn at_once(requests: Vec<(Client, String, Value)>, key: &str) -> Vec<Answer> {
    let mut posts = JoinSet::new();
    for (client, path, body) in requests {
        let key = key.to_owned();
        posts.spawn(async move { keyed(&client, &key, &path, &body).await });
    }
    posts.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_different_requests_with_one_key_make_one_deal() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let requests = (0..16).map(|n| {
        let body = but(deal(&[]), "/name", json!(format!("Deal {n}")));
        (contoso.clone(), "/v1/opportunities".to_owned(), body)
    });
    let answers = at_once(requests.collect(), "k").await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!(made.len(), 1, "{answers:#?}");
    for answer in refused {
        answer.refuses(422, "idempotencyKeyReused");
    }
    assert_eq!(contoso.all("/v1/opportunities?tab=outbound").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_command_that_is_sent_eight_times_at_once_happens_once() {
    let world = World::start().await;
    let fabrikam = world.admin("fabrikam");
    for round in 0..5 {
        let path = world.deal(&["fabrikam"]).await;
        for (action, body) in [
            ("response", json!({"decision": "accept", "note": "Ours"})),
            ("close", json!({"outcome": "won"})),
        ] {
            let before = world.events(&path).await.len();
            let request = (fabrikam.clone(), format!("{path}/{action}"), body);
            let answers = at_once(vec![request; 8], &format!("{action} {round}")).await;
            answers[0].is(200);
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
            assert_eq!(world.events(&path).await.len(), before + 1, "{action}");
        }
    }
}

#[tokio::test]
async fn a_key_counts_for_a_day_though_its_record_may_stay_longer() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let body = deal(&[]);
    let create = || keyed(&contoso, "k", "/v1/opportunities", &body);
    let before = edge::clock::now().millis() / 1_000;
    let first = create().await;
    let after = edge::clock::now().millis() / 1_000;
    let key = ("IDEM#contoso#k".to_owned(), "IDEM".to_owned());
    let expires_at = world.dump().await[&key]["expiresAt"].as_u64().expect("seconds");
    let day = 24 * 60 * 60;
    assert!((before + day..=after + day).contains(&expires_at), "{expires_at}");
    assert_eq!(create().await, first);

    let expire = world.table().update_item().table_name(local::TABLE);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    expire
        .key("pk", text(&key.0))
        .key("sk", text(&key.1))
        .update_expression("SET expiresAt = :past")
        .expression_attribute_values(":past", AttributeValue::N((before - 1).to_string()))
        .send()
        .await
        .expect("the record is aged");
    let second = create().await;
    assert_ne!(second.is(201).header("location"), first.header("location"));
    assert_eq!(create().await, second, "and it counts again");
}
