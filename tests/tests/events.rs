//! Nobody is left wondering: every transition of the life cycle arrives in the feed, on the bus and at a webhook, as its schema
//! says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::TimeDelta;
use local::Options;
use serde_json::{Value, json};
use tests::receiver::{Manner, Receiver};
use tests::{Client, World, id, invitation, options, registration};

/// The schemas of `infra/events`, by the type that they describe.
fn schemas() -> BTreeMap<String, jsonschema::Validator> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/events");
    let files = std::fs::read_dir(folder).expect("the schemas are there");
    files
        .map(|file| {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("readable");
            let schema: Value = serde_json::from_str(&text).expect("JSON");
            let title = schema["title"].as_str().expect("a title").to_owned();
            assert_eq!(schema["properties"]["type"]["const"], json!(title));
            let validator = jsonschema::draft202012::options()
                .should_validate_formats(true)
                .build(&schema)
                .expect("a schema");
            for example in schema["examples"].as_array().expect("examples") {
                assert!(validator.is_valid(example), "the example of {title}");
            }
            (title, validator)
        })
        .collect()
}

#[track_caller]
fn check(schemas: &BTreeMap<String, jsonschema::Validator>, detail: &Value) {
    let kind = detail["type"].as_str().expect("a type");
    let faults: Vec<_> = schemas[kind]
        .iter_errors(detail)
        .map(|error| error.to_string())
        .collect();
    assert!(faults.is_empty(), "{faults:?}\n{detail:#}");
}

#[test]
fn every_type_has_its_schema() {
    let described: BTreeSet<String> = schemas().into_keys().collect();
    let types = domain::NoticeType::ALL.iter().map(|kind| kind.as_str().to_owned());
    let types: BTreeSet<String> = types.chain(["Webhook Test".to_owned()]).collect();
    assert_eq!(described, types);
}

async fn post(client: &Client, path: &str, body: &Value) {
    let answer = client.post(path, body).await;
    assert!(answer.status < 300, "{answer}");
}

/// A registration on its longest way.
async fn register(partner: &Client, vendor: &Client, deal: &str, approve: bool) {
    let own = format!("{deal}/registration");
    let submitted = partner.put_json(&own, &registration()).await;
    let id = submitted.is(201).body["id"].as_str().expect("an id").to_owned();
    let review = format!("/v1/registrations/{id}/review");
    post(
        vendor,
        &review,
        &json!({"decision": "requestInfo", "reason": "Which tenant?"}),
    )
    .await;
    partner.put_json(&own, &registration()).await.is(200);
    let verdict = if approve {
        json!({"decision": "approve"})
    } else {
        json!({"decision": "reject", "reason": "It is registered."})
    };
    post(vendor, &review, &verdict).await;
}

/// Everything that can happen to a deal; what is told of it, as `type to recipient`, in order.
async fn walk(world: &World) -> Vec<&'static str> {
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let (northwind, tailspin) = (world.admin("northwind"), world.admin("tailspin"));
    let deal = world.deal(&["fabrikam", "northwind"]).await;
    let respond = format!("{deal}/response");
    post(&fabrikam, &respond, &json!({"decision": "accept"})).await;
    post(
        &northwind,
        &respond,
        &json!({"decision": "decline", "reason": "noCapacity"}),
    )
    .await;
    let shared = json!({"text": "Kick-off on Monday.", "visibility": "shared"});
    post(&fabrikam, &format!("{deal}/notes"), &shared).await;
    let internal = json!({"text": "Ours alone.", "visibility": "internal"});
    post(&fabrikam, &format!("{deal}/notes"), &internal).await;
    post(&contoso, &format!("{deal}/invitations"), &invitation("northwind")).await;
    contoso.delete(&format!("{deal}/invitations/northwind")).await.is(204);
    post(&contoso, &format!("{deal}/invitations"), &invitation("tailspin")).await;
    post(&tailspin, &respond, &json!({"decision": "accept"})).await;
    post(
        &tailspin,
        &format!("{deal}/close"),
        &json!({"outcome": "lost", "reason": "budget"}),
    )
    .await;
    post(&fabrikam, &format!("{deal}/close"), &json!({"outcome": "won"})).await;
    post(&contoso, &format!("{deal}/invitations"), &invitation("litware")).await;
    post(
        &contoso,
        &format!("{deal}/close"),
        &json!({"outcome": "lost", "reason": "choseCompetitor"}),
    )
    .await;
    register(&fabrikam, &contoso, &deal, true).await;
    // The vendor has no part in this one.
    let created = northwind.post("/v1/opportunities", &tests::deal(&[])).await;
    let private = created.is(201).header("location").to_owned();
    post(&northwind, &format!("{private}/close"), &json!({"outcome": "won"})).await;
    register(&northwind, &contoso, &private, false).await;
    vec![
        "Opportunity Received to fabrikam",
        "Opportunity Received to northwind",
        "Opportunity Accepted to contoso",
        "Opportunity Declined to contoso",
        "Note Shared to contoso",
        "Opportunity Received to northwind",
        "Invitation Withdrawn to northwind",
        "Opportunity Received to tailspin",
        "Opportunity Accepted to contoso",
        "Opportunity Lost to contoso",
        "Opportunity Won to contoso",
        "Opportunity Received to litware",
        "Opportunity Lost to fabrikam",
        "Opportunity Lost to tailspin",
        "Invitation Withdrawn to litware",
        "Registration Submitted to contoso",
        "Registration Action Required to fabrikam",
        "Registration Submitted to contoso",
        "Registration Approved to fabrikam",
        "Registration Submitted to contoso",
        "Registration Action Required to northwind",
        "Registration Submitted to contoso",
        "Registration Rejected to northwind",
    ]
}

fn told(detail: &Value) -> String {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    format!(
        "{} to {}",
        text(&detail["type"]),
        text(&detail["recipient"]["organizationId"])
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_transition_arrives_in_the_feed_on_the_bus_and_at_a_webhook() {
    let world = World::telling().await;
    let schemas = schemas();
    let receiver = Receiver::start(Manner::Answers(204)).await;
    let mut secrets = BTreeMap::new();
    for organization in ["contoso", "fabrikam", "northwind", "tailspin", "litware"] {
        let webhook = world
            .admin(organization)
            .post("/v1/webhooks", &json!({"url": receiver.url}))
            .await;
        webhook.is(201);
        secrets.insert(
            organization,
            webhook.body["secret"].as_str().expect("a secret").to_owned(),
        );
    }
    let expected = walk(&world).await;

    let published = world.published(expected.len()).await;
    let details: Vec<&Value> = published.iter().map(|event| &event["detail"]).collect();
    let mut on_the_bus: Vec<String> = details.iter().map(|detail| told(detail)).collect();
    // Those who are told of the same event are told in no order that matters.
    assert_eq!(on_the_bus[..11], expected[..11]);
    on_the_bus.sort();
    let mut sorted = expected.clone();
    sorted.sort_unstable();
    assert_eq!(on_the_bus, sorted);
    for event in &published {
        check(&schemas, &event["detail"]);
        assert_eq!(event["source"], "cosell");
        assert_eq!(event["detail-type"], event["detail"]["type"]);
    }
    for organization in secrets.keys() {
        let own: Vec<Value> = details
            .iter()
            .filter(|detail| detail["recipient"]["organizationId"] == *organization)
            .map(|detail| (*detail).clone())
            .collect();
        let feed = world.admin(organization).told(own.len()).await;
        assert_eq!(
            feed, own,
            "the feed of {organization} is what was published to it, in order"
        );
    }
    let delivered = receiver.wait(expected.len()).await;
    let by_id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    let mut at_the_webhook = BTreeMap::new();
    for delivery in &delivered {
        let detail = delivery.json();
        let organization = detail["recipient"]["organizationId"].as_str().expect("an id");
        assert!(delivery.is_signed_with(&secrets[organization]), "{delivery:?}");
        assert_eq!(delivery.id, by_id(&detail));
        at_the_webhook.insert(by_id(&detail), detail);
    }
    let on_the_bus: BTreeMap<String, Value> = details
        .iter()
        .map(|detail| (by_id(detail), (*detail).clone()))
        .collect();
    assert_eq!(at_the_webhook, on_the_bus);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn silence_is_told_too_first_to_the_invited_and_then_to_the_inviter() {
    let world = World::with(Options {
        response_window: TimeDelta::milliseconds(2_500),
        expiring_before: TimeDelta::milliseconds(2_400),
        sweep_every: Some(std::time::Duration::from_millis(50)),
        stream: true,
        ..options()
    })
    .await;
    let deal = world.deal(&["fabrikam"]).await;
    let published = world.published(3).await;
    let details: Vec<&Value> = published.iter().map(|event| &event["detail"]).collect();
    assert_eq!(
        details.iter().map(|detail| told(detail)).collect::<Vec<_>>(),
        [
            "Opportunity Received to fabrikam",
            "Opportunity Expiring to fabrikam",
            "Opportunity Expired to contoso"
        ]
    );
    let schemas = schemas();
    for detail in &details {
        check(&schemas, detail);
        assert_eq!(detail["dealId"], json!(id(&deal)));
    }
    assert_eq!(details[1]["respondBy"], details[0]["respondBy"]);
    assert_eq!(details[2]["occurredAt"], details[0]["respondBy"]);
    assert_eq!(world.admin("fabrikam").told(2).await.len(), 2);
    assert_eq!(world.admin("contoso").told(1).await.len(), 1);
    // The invited sees the reminder in its history; the owner has no part in it.
    let types = |history: Vec<Value>| -> Vec<String> {
        history
            .iter()
            .map(|event| event["type"].as_str().expect("a type").to_owned())
            .collect()
    };
    let history = format!("{deal}/history?limit=100");
    assert_eq!(
        types(world.admin("fabrikam").all(&history).await),
        ["expired", "reminded", "invited", "created"]
    );
    assert_eq!(
        types(world.admin("contoso").all(&history).await),
        ["expired", "invited", "created"]
    );
    // Nothing more comes of it.
    let report = world.stack.sweep().await.expect("swept");
    assert_eq!((&report["due"], &report["reminded"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_reminder_and_an_answer_at_once_get_on() {
    let world = World::with(Options {
        expiring_before: TimeDelta::days(14) - TimeDelta::milliseconds(1),
        ..options()
    })
    .await;
    for _ in 0..10 {
        let deal = world.deal(&["fabrikam"]).await;
        let fabrikam = world.admin("fabrikam");
        let (accept, path) = (json!({"decision": "accept"}), format!("{deal}/response"));
        let (answer, report) = tokio::join!(fabrikam.post(&path, &accept), world.stack.sweep());
        answer.is(200);
        assert_eq!(report.expect("swept")["failed"], 0);
    }
}

#[tokio::test]
async fn nothing_of_a_private_deal_is_told_to_anybody() {
    let world = World::telling().await;
    let contoso = world.admin("contoso");
    let private = world.deal(&[]).await;
    contoso.patch_now(&private, &json!({"name": "Renamed"})).await.is(200);
    let note = json!({"text": "Ours.", "visibility": "shared"});
    post(&contoso, &format!("{private}/notes"), &note).await;
    post(&contoso, &format!("{private}/close"), &json!({"outcome": "won"})).await;
    // What comes after it has arrived: so would it have.
    world.deal(&["fabrikam"]).await;
    let published = world.published(1).await;
    assert_eq!(published.len(), 1, "{published:?}");
    assert!(published[0]["detail"]["dealId"] != json!(id(&private)));
    assert!(contoso.all("/v1/notifications?limit=100").await.is_empty());
}
