//! Webhooks: registered by administrators, signed, delivered again and again, and never in anybody's way.

use serde_json::{Value, json};
use tests::receiver::{Manner, Receiver};
use tests::{Client, World, eventually, id};

const WEBHOOKS: &str = "/v1/webhooks";

async fn register(client: &Client, receiver: &Receiver) -> Value {
    let answer = client.post(WEBHOOKS, &json!({"url": receiver.url})).await;
    answer.is(201).body.clone()
}

fn path(webhook: &Value) -> String {
    format!("{WEBHOOKS}/{}", webhook["id"].as_str().expect("an id"))
}

/// The log of a webhook, once it has as many attempts as this.
async fn log(client: &Client, webhook: &Value, count: usize) -> Vec<Value> {
    let path = format!("{}/deliveries?limit=100", path(webhook));
    eventually(&format!("{count} attempts"), || async {
        let attempts = client.all(&path).await;
        (attempts.len() >= count).then_some(attempts)
    })
    .await
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let body = json!({"url": "https://127.0.0.1:1/hooks", "eventTypes": ["Opportunity Won", "Note Shared"]});
    let answer = contoso.post(WEBHOOKS, &body).await;
    let created = &answer.is(201).body;
    assert!(created["secret"].as_str().expect("a secret").starts_with("whsec_"));
    assert_eq!(
        (&created["url"], &created["eventTypes"]),
        (&body["url"], &body["eventTypes"])
    );
    assert_eq!(created["status"], "enabled");
    let mut shown = created.clone();
    shown.as_object_mut().expect("an object").remove("secret");
    assert_eq!(contoso.get(answer.header("location")).await.is(200).body, shown);
    let list = contoso.get(WEBHOOKS).await;
    assert_eq!(list.is(200).body, json!({"items": [shown], "nextCursor": null}));
    contoso.delete(&path(created)).await.is(204);
    contoso.delete(&path(created)).await.refuses(404, "notFound");
    contoso.get(&path(created)).await.refuses(404, "notFound");
    assert_eq!(contoso.get(WEBHOOKS).await.body["items"], json!([]));
}

#[tokio::test]
async fn a_repetition_registers_once_and_shows_the_same_secret() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let body = json!({"url": "https://127.0.0.1:1/hooks"});
    let first = contoso.post_with(WEBHOOKS, "idempotency-key", "a", &body).await;
    let again = contoso.post_with(WEBHOOKS, "idempotency-key", "a", &body).await;
    assert_eq!(first.is(201).body, again.is(201).body);
    assert_eq!(contoso.all(&format!("{WEBHOOKS}?")).await.len(), 1);
    let other = json!({"url": "https://127.0.0.1:2/hooks"});
    contoso
        .post_with(WEBHOOKS, "idempotency-key", "a", &other)
        .await
        .refuses(422, "idempotencyKeyReused");
}

#[tokio::test]
async fn what_is_wrong_is_said_and_nothing_is_registered() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let cases: &[(Value, &[(&str, &str)])] = &[
        (json!({}), &[("/url", "required")]),
        (json!({"url": 1}), &[("/url", "wrongType")]),
        (json!({"url": "ftp://a.example/x"}), &[("/url", "invalidUrl")]),
        (json!({"url": "https://user@a.example/x"}), &[("/url", "invalidUrl")]),
        (json!({"url": "https://10.1.2.3/x"}), &[("/url", "privateAddress")]),
        (
            json!({"url": "http://169.254.169.254/latest"}),
            &[("/url", "privateAddress")],
        ),
        (json!({"url": "https://[fd00::1]/x"}), &[("/url", "privateAddress")]),
        (json!({"url": "https://nowhere.invalid/x"}), &[("/url", "hostNotFound")]),
        (
            json!({"url": "https://127.0.0.1/x", "eventTypes": ["won"], "secret": "mine"}),
            &[("/eventTypes/0", "invalidChoice"), ("/secret", "unknownField")],
        ),
    ];
    for (body, faults) in cases {
        contoso.post(WEBHOOKS, body).await.has_faults(faults);
    }
    assert_eq!(contoso.get(WEBHOOKS).await.body["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_organization_has_ten_at_most_even_when_all_are_registered_at_once() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let body = json!({"url": "https://127.0.0.1:1/hooks"});
    let answers = futures_util::future::join_all((0..12).map(|_| contoso.post(WEBHOOKS, &body))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let items = contoso.all(&format!("{WEBHOOKS}?")).await;
    assert_eq!(items.len(), created);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert!(matches!(answer.status, 409 | 503), "{answer}");
    }
    for _ in created..10 {
        contoso.post(WEBHOOKS, &body).await.is(201);
    }
    let refused = contoso.post(WEBHOOKS, &body).await;
    refused.refuses(409, "tooManyWebhooks");
    assert!(refused.body.get("stage").is_none(), "{refused}");
    contoso.delete(&path(&items[0])).await.is(204);
    contoso.post(WEBHOOKS, &body).await.is(201);
}

#[tokio::test]
async fn only_administrators_and_only_their_own() {
    let world = World::start().await;
    let body = json!({"url": "https://127.0.0.1:1/hooks"});
    let webhook = world.admin("contoso").post(WEBHOOKS, &body).await.is(201).body.clone();
    let paths = [
        WEBHOOKS.to_owned(),
        path(&webhook),
        format!("{}/deliveries", path(&webhook)),
    ];
    let test = format!("{}/test", path(&webhook));
    for role in ["seller", "viewer", "exchange_admin"] {
        let client = world.client("contoso", &[role]);
        for path in &paths {
            client.get(path).await.refuses(403, "forbidden");
        }
        client.post(WEBHOOKS, &body).await.refuses(403, "forbidden");
        client.post(&test, &json!({})).await.refuses(403, "forbidden");
        client.delete(&paths[1]).await.refuses(403, "forbidden");
    }
    let fabrikam = world.client("fabrikam", &["partner_admin"]);
    assert_eq!(fabrikam.get(WEBHOOKS).await.is(200).body["items"], json!([]));
    for path in &paths[1..] {
        fabrikam.get(path).await.refuses(404, "notFound");
    }
    fabrikam.post(&test, &json!({})).await.refuses(404, "notFound");
    fabrikam.delete(&paths[1]).await.refuses(404, "notFound");
    world.admin("contoso").get(&paths[1]).await.is(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_webhook_gets_the_types_that_it_asked_for() {
    let world = World::telling().await;
    let contoso = world.admin("contoso");
    let [all, accepted] = [
        Receiver::start(Manner::Answers(200)).await,
        Receiver::start(Manner::Answers(200)).await,
    ];
    register(&contoso, &all).await;
    let only = json!({"url": accepted.url, "eventTypes": ["Opportunity Accepted"]});
    contoso.post(WEBHOOKS, &only).await.is(201);
    let deal = world.accepted_deal().await;
    let won = json!({"outcome": "won"});
    world
        .admin("fabrikam")
        .post(&format!("{deal}/close"), &won)
        .await
        .is(200);
    let types = |deliveries: Vec<tests::receiver::Delivered>| {
        let mut types: Vec<String> = deliveries
            .iter()
            .map(|delivery| delivery.json()["type"].as_str().expect("a type").to_owned())
            .collect();
        types.sort();
        types
    };
    assert_eq!(types(all.wait(2).await), ["Opportunity Accepted", "Opportunity Won"]);
    assert_eq!(types(accepted.wait(1).await), ["Opportunity Accepted"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_fails_comes_again_with_the_same_id_and_all_attempts_can_be_read() {
    let world = World::telling().await;
    let contoso = world.admin("contoso");
    let receiver = Receiver::start(Manner::AnswersOnce(500)).await;
    let webhook = register(&contoso, &receiver).await;
    let test = format!("{}/test", path(&webhook));
    let sent = contoso.post_with(&test, "idempotency-key", "t", &json!({})).await;
    let again = contoso.post_with(&test, "idempotency-key", "t", &json!({})).await;
    assert_eq!(sent.is(202).body, again.is(202).body);
    contoso
        .post(&test, &json!({"url": "x"}))
        .await
        .has_faults(&[("/url", "unknownField")]);
    let deliveries = receiver.wait(2).await;
    assert!(deliveries.iter().all(|delivery| json!(delivery.id) == sent.body["id"]));
    let secret = webhook["secret"].as_str().expect("a secret");
    assert!(deliveries.iter().all(|delivery| delivery.is_signed_with(secret)));
    assert_eq!(deliveries[0].json()["type"], "Webhook Test");
    let attempts = log(&contoso, &webhook, 2).await;
    let (second, first) = (&attempts[0], &attempts[1]);
    assert_eq!(
        (&first["attempt"], &first["result"], &first["status"]),
        (&json!(1), &json!("failed"), &json!(500))
    );
    assert_eq!(
        (&second["attempt"], &second["result"], &second["status"]),
        (&json!(2), &json!("delivered"), &json!(200 + 4))
    );
    assert!(first["nextAttemptAt"].is_string() && second["nextAttemptAt"].is_null());
    let page = contoso.get(&format!("{}/deliveries?limit=1", path(&webhook))).await;
    assert_eq!(page.is(200).body["items"].as_array().map(Vec::len), Some(1));
    assert!(page.body["nextCursor"].is_string());
    assert!(world.stack.messages("Deliveries").is_empty(), "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_receiver_that_is_down_or_slow_delays_nobody() {
    let world = World::telling().await;
    let contoso = world.admin("contoso");
    let [slow, good] = [
        Receiver::start(Manner::Hangs).await,
        Receiver::start(Manner::Answers(204)).await,
    ];
    register(&contoso, &slow).await;
    let down = contoso
        .post(WEBHOOKS, &json!({"url": "http://127.0.0.1:1/"}))
        .await
        .is(201)
        .body
        .clone();
    let webhook = register(&contoso, &good).await;
    for _ in 0..5 {
        world.accepted_deal().await;
    }
    good.wait(5).await;
    slow.wait(1).await;
    let attempts = log(&contoso, &webhook, 5).await;
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt["attempt"] == 1 && attempt["result"] == "delivered")
    );
    let attempts = log(&contoso, &down, 5).await;
    assert!(
        attempts
            .iter()
            .all(|attempt| attempt["error"] == "connectionFailed" && attempt["status"].is_null())
    );
    assert_eq!(contoso.all("/v1/notifications?limit=100").await.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn redirects_are_not_followed() {
    let world = World::telling().await;
    let contoso = world.admin("contoso");
    let receiver = Receiver::start(Manner::Redirects("http://169.254.169.254/")).await;
    let webhook = register(&contoso, &receiver).await;
    contoso
        .post(&format!("{}/test", path(&webhook)), &json!({}))
        .await
        .is(202);
    let attempts = log(&contoso, &webhook, 1).await;
    assert_eq!(
        (&attempts[0]["status"], &attempts[0]["result"]),
        (&json!(307), &json!("failed"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_says_that_it_is_gone_is_not_called_again() {
    let world = World::telling().await;
    let contoso = world.admin("contoso");
    let receiver = Receiver::start(Manner::Answers(410)).await;
    let webhook = register(&contoso, &receiver).await;
    let test = format!("{}/test", path(&webhook));
    contoso.post(&test, &json!({})).await.is(202);
    eventually("it is disabled", || async {
        let shown = contoso.get(&path(&webhook)).await;
        (shown.body["status"] == "disabled").then_some(())
    })
    .await;
    assert!(log(&contoso, &webhook, 1).await[0]["nextAttemptAt"].is_null());
    // What follows finds it disabled: another webhook that wants the same is the witness that it was dealt with.
    let witness = Receiver::start(Manner::Answers(204)).await;
    register(&contoso, &witness).await;
    let deal = world.accepted_deal().await;
    assert_eq!(witness.wait(1).await[0].json()["dealId"], json!(id(&deal)));
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_was_deleted_is_not_called_again() {
    let world = World::telling().await;
    let contoso = world.admin("contoso");
    let receiver = Receiver::start(Manner::Answers(503)).await;
    let webhook = register(&contoso, &receiver).await;
    contoso
        .post(&format!("{}/test", path(&webhook)), &json!({}))
        .await
        .is(202);
    receiver.wait(1).await;
    contoso.delete(&path(&webhook)).await.is(204);
    // Its message comes again after five seconds, finds nobody, and is done.
    eventually("the message is done", || async {
        world.stack.messages("Deliveries").is_empty().then_some(())
    })
    .await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_message_that_is_none_is_kept_among_the_failures() {
    let world = World::start().await;
    let record = |body: &str| json!({"messageId": body, "receiptHandle": "r", "body": body, "attributes": {"ApproximateReceiveCount": "1"}});
    let event = json!({"Records": [record("not JSON"), record("{}"), record(r#"{"detail-type": "x", "detail": {}}"#)]});
    let answer = world.stack.invoke("deliver", event).await.expect("it runs");
    let failures = answer["batchItemFailures"].as_array().expect("failures");
    assert_eq!(failures.len(), 3, "{answer}");
    let error = world
        .stack
        .invoke("deliver", json!({"hello": "world"}))
        .await
        .expect_err("refused");
    assert!(error.starts_with("BadEvent: "), "{error}");
}
