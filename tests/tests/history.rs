//! History: what happened to a deal, as far as each participant may know.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tests::{Client, World, eventually};

async fn history(client: &Client, path: &str) -> Vec<Value> {
    client.all(&format!("{path}/history?limit=2")).await
}

/// `type organization`, newest first.
fn lines(items: &[Value]) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    items
        .iter()
        .map(|item| format!("{} {}", text(&item["type"]), text(&item["organizationId"])))
        .collect()
}

#[tokio::test]
async fn everything_of_ones_own_and_of_others_how_far_they_came() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let path = world.deal(&["fabrikam", "northwind"]).await;
    let accept = json!({"decision": "accept", "crmId": "MARKER-1", "note": "MARKER-2"});
    fabrikam.post(&format!("{path}/response"), &accept).await.is(200);
    fabrikam
        .patch_now(&path, &json!({"name": "MARKER-3", "team": [{"name": "MARKER-4"}]}))
        .await
        .is(200);
    contoso
        .patch_now(&path, &json!({"name": "Renamed", "campaignId": null}))
        .await
        .is(200);
    fabrikam
        .post(
            &format!("{path}/notes"),
            &json!({"text": "MARKER-5", "visibility": "internal"}),
        )
        .await
        .is(201);
    world
        .admin("northwind")
        .post(
            &format!("{path}/response"),
            &json!({"decision": "decline", "reason": "noCapacity"}),
        )
        .await
        .is(200);
    fabrikam
        .post(
            &format!("{path}/close"),
            &json!({"outcome": "lost", "reason": "budget"}),
        )
        .await
        .is(200);

    let own = history(&contoso, &path).await;
    let expected = [
        "lost fabrikam",
        "declined northwind",
        "updated contoso",
        "accepted fabrikam",
        "invited northwind",
        "invited fabrikam",
        "created contoso",
    ];
    assert_eq!(lines(&own), expected);
    assert_eq!(
        own[2]["actor"],
        json!({"organizationId": "contoso", "userId": "contoso-user"})
    );
    let changes = json!([
        {"field": "name", "from": "ERP for Adatum", "to": "Renamed"},
        {"field": "campaignId", "from": "contoso-campaign", "to": null},
    ]);
    assert_eq!(own[2]["changes"], changes);
    // The inviter is told why.
    assert_eq!(
        (&own[0]["reason"], &own[1]["reason"]),
        (&json!("budget"), &json!("noCapacity"))
    );
    assert_eq!(own[0]["actor"], json!({"organizationId": "fabrikam", "userId": null}));
    assert!(!serde_json::to_string(&own).expect("JSON").contains("MARKER"));

    let theirs = history(&fabrikam, &path).await;
    let expected = [
        "lost fabrikam",
        "declined northwind",
        "noteAdded fabrikam",
        "updated fabrikam",
        "accepted fabrikam",
        "invited northwind",
        "invited fabrikam",
        "created contoso",
    ];
    assert_eq!(lines(&theirs), expected);
    assert_eq!(
        theirs[3]["changes"][0],
        json!({"field": "name", "from": "ERP for Adatum", "to": "MARKER-3"})
    );
    assert_eq!(
        theirs[4]["changes"],
        json!([{"field": "crmId", "from": null, "to": "MARKER-1"}])
    );
    assert!(
        theirs[1].get("reason").is_none(),
        "why Northwind declined is between it and the owner"
    );
    let all = serde_json::to_string(&theirs).expect("JSON");
    assert!(!all.contains("Renamed") && !all.contains("contoso-campaign"), "{all}");
}

#[tokio::test]
async fn the_clock_has_no_name() {
    let world = World::with_window(TimeDelta::milliseconds(200)).await;
    let path = world.deal(&["fabrikam"]).await;
    eventually("it lapses and is swept", || async {
        let report = world.stack.sweep().await.expect("swept");
        (report["expired"] == 1).then_some(())
    })
    .await;
    for organization in ["contoso", "fabrikam"] {
        let items = history(&world.admin(organization), &path).await;
        assert_eq!(lines(&items)[0], "expired fabrikam");
        assert_eq!(items[0]["actor"], Value::Null);
    }
    let respond_by = world.admin("fabrikam").get(&path).await.body["invitation"]["respondBy"].clone();
    assert_eq!(history(&world.admin("contoso"), &path).await[0]["at"], respond_by);
}

#[tokio::test]
async fn history_stays_readable_and_its_parameters_are_checked() {
    let world = World::start().await;
    let path = world.deal(&["fabrikam"]).await;
    let fabrikam = world.admin("fabrikam");
    fabrikam
        .post(
            &format!("{path}/response"),
            &json!({"decision": "decline", "reason": "spam"}),
        )
        .await
        .is(200);
    assert_eq!(history(&fabrikam, &path).await.len(), 3);
    for wrong in ["limit=0", "limit=101", "colour=red"] {
        fabrikam
            .get(&format!("{path}/history?{wrong}"))
            .await
            .refuses(400, "malformedParameter");
    }
    fabrikam
        .get(&format!("{path}/history?cursor=x"))
        .await
        .refuses(400, "malformedCursor");
}
