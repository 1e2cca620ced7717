//! Notes: appended, never changed, internal or shared.

use serde_json::{Value, json};
use tests::{Client, World, but, deal, invitation};

async fn add(client: &Client, path: &str, text: &str, visibility: &str) -> tests::Answer {
    client
        .post(
            &format!("{path}/notes"),
            &json!({"text": text, "visibility": visibility}),
        )
        .await
}

async fn texts(client: &Client, path: &str) -> Vec<String> {
    let notes = client.all(&format!("{path}/notes?limit=2")).await;
    notes
        .iter()
        .map(|note| note["text"].as_str().expect("text").to_owned())
        .collect()
}

#[tokio::test]
async fn who_reads_what() {
    let world = World::start().await;
    let [contoso, fabrikam, northwind, tailspin] =
        ["contoso", "fabrikam", "northwind", "tailspin"].map(|name| world.admin(name));
    let path = world.deal(&["fabrikam", "northwind", "tailspin"]).await;
    let response = format!("{path}/response");
    fabrikam.post(&response, &json!({"decision": "accept"})).await.is(200);
    tailspin
        .post(&response, &json!({"decision": "decline", "reason": "budget"}))
        .await
        .is(200);
    let note = add(&contoso, &path, "shared by the owner", "shared").await;
    let author = json!({"organizationId": "contoso", "userId": "contoso-user", "name": "contoso-user"});
    assert_eq!(
        (&note.is(201).body["visibility"], &note.body["author"]),
        (&json!("shared"), &author)
    );
    add(&contoso, &path, "internal of the owner", "internal").await.is(201);
    add(&fabrikam, &path, "internal of fabrikam", "internal").await.is(201);
    add(&fabrikam, &path, "shared by fabrikam", "shared").await.is(201);
    add(&northwind, &path, "internal of northwind", "internal")
        .await
        .is(201);
    // Who has not accepted shares nothing and reads nothing that is shared.
    assert_eq!(
        add(&northwind, &path, "x", "shared")
            .await
            .refuses(409, "wrongStage")
            .standing(),
        "received"
    );
    assert_eq!(
        add(&tailspin, &path, "x", "internal")
            .await
            .refuses(409, "wrongStage")
            .standing(),
        "archived declined"
    );
    assert_eq!(
        texts(&contoso, &path).await,
        ["shared by fabrikam", "internal of the owner", "shared by the owner"]
    );
    assert_eq!(
        texts(&fabrikam, &path).await,
        ["shared by fabrikam", "internal of fabrikam", "shared by the owner"]
    );
    assert_eq!(texts(&northwind, &path).await, ["internal of northwind"]);
    assert_eq!(texts(&tailspin, &path).await, Vec::<String>::new());
    // Closed, it reads on, and adds nothing.
    fabrikam
        .post(&format!("{path}/close"), &json!({"outcome": "won"}))
        .await
        .is(200);
    add(&contoso, &path, "after", "shared").await.is(201);
    assert_eq!(texts(&fabrikam, &path).await[0], "after");
    add(&fabrikam, &path, "x", "internal").await.refuses(409, "wrongStage");
    // To accept opens what was shared before.
    northwind.post(&response, &json!({"decision": "accept"})).await.is(200);
    assert_eq!(
        texts(&northwind, &path).await,
        [
            "after",
            "internal of northwind",
            "shared by fabrikam",
            "shared by the owner"
        ]
    );
}

#[tokio::test]
async fn a_note_that_comes_with_a_command_is_internal() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let body = but(deal(&["fabrikam"]), "/note", json!("created"));
    let path = contoso
        .post("/v1/opportunities", &body)
        .await
        .is(201)
        .header("location")
        .to_owned();
    let invite = but(invitation("northwind"), "/note", json!("invited"));
    contoso.post(&format!("{path}/invitations"), &invite).await.is(201);
    fabrikam
        .post(
            &format!("{path}/response"),
            &json!({"decision": "accept", "note": "accepted"}),
        )
        .await
        .is(200);
    fabrikam
        .post(&format!("{path}/close"), &json!({"outcome": "won", "note": "closed"}))
        .await
        .is(200);
    let decline = json!({"decision": "decline", "reason": "other", "note": "declined"});
    world
        .admin("northwind")
        .post(&format!("{path}/response"), &decline)
        .await
        .is(200);
    assert_eq!(texts(&contoso, &path).await, ["invited", "created"]);
    assert_eq!(texts(&fabrikam, &path).await, ["closed", "accepted"]);
    assert_eq!(texts(&world.admin("northwind"), &path).await, ["declined"]);
    let notes = contoso.all(&format!("{path}/notes?limit=100")).await;
    assert!(notes.iter().all(|note| note["visibility"] == "internal"));
}

#[tokio::test]
async fn a_shared_note_tells_every_reader_and_an_internal_one_nobody() {
    let world = World::start().await;
    let path = world.deal(&["fabrikam", "northwind", "tailspin"]).await;
    for organization in ["fabrikam", "northwind"] {
        world
            .admin(organization)
            .post(&format!("{path}/response"), &json!({"decision": "accept"}))
            .await
            .is(200);
    }
    let fabrikam = world.admin("fabrikam");
    add(&fabrikam, &path, "MARKER", "internal").await.is(201);
    add(&fabrikam, &path, "MARKER", "shared").await.is(201);
    let events = world.events(&path).await;
    let added: Vec<_> = events.iter().filter(|event| event["type"] == "noteAdded").collect();
    assert_eq!(added.len(), 2);
    assert_eq!(added[0].get("notices"), None);
    let notices = added[1]["notices"].as_array().expect("notices").iter();
    let told: Vec<_> = notices
        .map(|notice| (&notice["type"], &notice["recipient"]["organizationId"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("Note Shared"), &json!("contoso")),
            (&json!("Note Shared"), &json!("northwind"))
        ]
    );
    assert!(
        !serde_json::to_string(&events).expect("JSON").contains("MARKER"),
        "the text stays in the note"
    );
}

#[tokio::test]
async fn a_note_is_one_request_and_has_its_limits() {
    let world = World::start().await;
    let path = world.deal(&[]).await;
    let contoso = world.admin("contoso");
    let notes = format!("{path}/notes");
    let body = json!({"text": "Once", "visibility": "internal"});
    let first = contoso.post_with(&notes, "idempotency-key", "n", &body).await;
    assert_eq!(contoso.post_with(&notes, "idempotency-key", "n", &body).await, first);
    assert_eq!(texts(&contoso, &path).await, ["Once"]);
    for (body, fault) in [
        (json!({"visibility": "internal"}), ("/text", "required")),
        (json!({"text": "", "visibility": "internal"}), ("/text", "empty")),
        (
            json!({"text": "x".repeat(2_001), "visibility": "internal"}),
            ("/text", "tooLong"),
        ),
        (
            json!({"text": "x", "visibility": "public"}),
            ("/visibility", "invalidChoice"),
        ),
        (
            json!({"text": "x", "visibility": "internal", "to": "y"}),
            ("/to", "unknownField"),
        ),
    ] {
        contoso.post(&notes, &body).await.has_faults(&[fault]);
    }
    add(&contoso, &path, &"🦀".repeat(2_000), "shared").await.is(201);
    let version = contoso.get(&path).await.body["version"].clone();
    add(&contoso, &path, "No change of the opportunity", "internal")
        .await
        .is(201);
    assert_eq!(contoso.get(&path).await.body["version"], version);
    let cursor = contoso.get(&format!("{notes}?limit=1")).await.body["nextCursor"]
        .as_str()
        .map(str::to_owned)
        .expect("more");
    let other = world.deal(&[]).await;
    contoso
        .get(&format!("{other}/notes?cursor={cursor}"))
        .await
        .refuses(400, "malformedCursor");
    assert_eq!(
        contoso
            .get(&format!("{notes}?limit=0"))
            .await
            .refuses(400, "malformedParameter")
            .body["errors"],
        Value::Null
    );
}
