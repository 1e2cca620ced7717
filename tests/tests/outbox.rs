//! The outbox: each change wrote its event in the same transaction, with who is to be told what.

use serde_json::{Value, json};
use tests::{Item, World, invitation};

/// Type, subject and notices of an event: `recipient type: name amount reason`.
fn told(event: &Item) -> (String, String, Vec<String>) {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let notices = event
        .get("notices")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let notice = |notice: &Value| {
        let (opportunity, recipient) = (&notice["opportunity"], text(&notice["recipient"]["organizationId"]));
        let (name, amount) = (
            text(&opportunity["name"]),
            text(&opportunity["estimatedValue"]["amount"]),
        );
        format!(
            "{recipient} {}: {name} {amount} {}",
            text(&notice["type"]),
            text(&opportunity["reason"])
        )
    };
    (
        text(&event["type"]),
        text(&event["organizationId"]),
        notices.iter().map(notice).collect(),
    )
}

/// What the walk below tells: type, whose view changed, and who is told.
const TOLD: &[(&str, &str, &[&str])] = &[
    ("created", "contoso", &[]),
    (
        "invited",
        "fabrikam",
        &["fabrikam Opportunity Received: ERP for Adatum 125000.00 -"],
    ),
    (
        "invited",
        "northwind",
        &["northwind Opportunity Received: ERP for Adatum 125000.00 -"],
    ),
    (
        "accepted",
        "fabrikam",
        &["contoso Opportunity Accepted: ERP for Adatum 125000.00 -"],
    ),
    (
        "declined",
        "northwind",
        &["contoso Opportunity Declined: ERP for Adatum 125000.00 noCapacity"],
    ),
    ("updated", "contoso", &[]),
    (
        "invited",
        "northwind",
        &["northwind Opportunity Received: Renamed 125000.00 -"],
    ),
    (
        "withdrawn",
        "northwind",
        &["northwind Invitation Withdrawn: Renamed 125000.00 -"],
    ),
    (
        "lost",
        "fabrikam",
        &["contoso Opportunity Lost: Renamed 125000.00 budget"],
    ),
    (
        "invited",
        "tailspin",
        &["tailspin Opportunity Received: Renamed 125000.00 -"],
    ),
    // Fabrikam had accepted, and has closed since. The owner's reason is its own.
    ("lost", "contoso", &["fabrikam Opportunity Lost: Ours 7.00 -"]),
    (
        "withdrawn",
        "tailspin",
        &["tailspin Invitation Withdrawn: Renamed 125000.00 -"],
    ),
];

#[tokio::test]
async fn every_change_has_its_event_and_tells_whom_it_must() {
    let world = World::start().await;
    let (contoso, fabrikam, northwind, tailspin) = (
        world.admin("contoso"),
        world.admin("fabrikam"),
        world.admin("northwind"),
        world.admin("tailspin"),
    );
    let deal = world.deal(&["fabrikam", "northwind"]).await;
    let response = format!("{deal}/response");
    let accept = json!({"decision": "accept", "name": "Ours", "estimatedValue": {"amount": "7", "currency": "EUR"}});
    fabrikam.post(&response, &accept).await.is(200);
    northwind
        .post(&response, &json!({"decision": "decline", "reason": "noCapacity"}))
        .await
        .is(200);
    contoso.patch_now(&deal, &json!({"name": "Renamed"})).await.is(200);
    contoso
        .post(&format!("{deal}/invitations"), &invitation("northwind"))
        .await
        .is(201);
    contoso.delete(&format!("{deal}/invitations/northwind")).await.is(204);
    fabrikam
        .post(
            &format!("{deal}/close"),
            &json!({"outcome": "lost", "reason": "budget"}),
        )
        .await
        .is(200);
    contoso
        .post(&format!("{deal}/invitations"), &invitation("tailspin"))
        .await
        .is(201);
    contoso
        .post(&format!("{deal}/close"), &json!({"outcome": "lost", "reason": "spam"}))
        .await
        .is(200);
    tailspin.get(&deal).await.is(200);

    let told: Vec<_> = world.events(&deal).await.iter().map(told).collect();
    assert_eq!(told.len(), TOLD.len(), "{told:#?}");
    for (told, (kind, organization, notices)) in told.iter().zip(TOLD) {
        assert_eq!(
            (told.0.as_str(), told.1.as_str(), told.2.as_slice()),
            (
                *kind,
                *organization,
                notices
                    .iter()
                    .map(|&notice| notice.to_owned())
                    .collect::<Vec<_>>()
                    .as_slice()
            )
        );
    }
}

#[tokio::test]
async fn ids_of_events_and_notices_are_unique_and_in_order() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam", "northwind", "tailspin"]).await;
    for organization in ["fabrikam", "northwind", "tailspin"] {
        world
            .admin(organization)
            .post(&format!("{deal}/response"), &json!({"decision": "accept"}))
            .await
            .is(200);
    }
    world
        .admin("contoso")
        .post(&format!("{deal}/close"), &json!({"outcome": "won"}))
        .await
        .is(200);
    let events = world.events(&deal).await;
    let notices = |event: &Item| {
        event
            .get("notices")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let ids: Vec<String> = events
        .iter()
        .flat_map(|event| {
            std::iter::once(event["id"].clone())
                .chain(notices(event).iter().map(|notice| notice["id"].clone()))
                .collect::<Vec<_>>()
        })
        .map(|id| id.as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(ids.len(), 8 + 9);
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:#?}");
}

#[tokio::test]
async fn nothing_of_the_owners_own_is_in_what_others_are_told() {
    let world = World::start().await;
    let mut body = tests::deal(&["fabrikam", "northwind"]);
    for field in ["note", "crmId", "campaignId"] {
        body[field] = json!("MARKER");
    }
    body["team"][0]["name"] = json!("MARKER");
    let contoso = world.admin("contoso");
    let created = contoso.post("/v1/opportunities", &body).await;
    let deal = created.is(201).header("location").to_owned();
    let answers = [
        (
            "fabrikam",
            json!({"decision": "accept", "note": "MARKER", "crmId": "MARKER"}),
        ),
        (
            "northwind",
            json!({"decision": "decline", "reason": "other", "note": "MARKER"}),
        ),
    ];
    for (organization, answer) in answers {
        let answered = world
            .admin(organization)
            .post(&format!("{deal}/response"), &answer)
            .await;
        answered.is(200);
    }
    let close = json!({"outcome": "lost", "reason": "other", "note": "MARKER"});
    for organization in ["fabrikam", "contoso"] {
        let closed = world.admin(organization).post(&format!("{deal}/close"), &close).await;
        closed.is(200);
    }
    let events = world.events(&deal).await;
    let notices: Vec<&Value> = events.iter().filter_map(|event| event.get("notices")).collect();
    assert_eq!(notices.len(), 6, "{notices:#?}");
    for notices in notices {
        assert!(!notices.to_string().contains("MARKER"), "{notices:#}");
    }
    // A private deal is nobody else's business at all.
    let private = world.deal(&[]).await;
    contoso
        .post(&format!("{private}/close"), &json!({"outcome": "won"}))
        .await
        .is(200);
    let events = world.events(&private).await;
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.get("notices").is_none()), "{events:#?}");
}
