//! What is asked of DynamoDB for each request, from a log of the requests themselves: no Scan, one Query for each stage
//! of a list page and one for the caller's marks, one read and one conditional transaction for each command.

use serde_json::{Value, json};
use tests::{Client, Recorder, World, deal, invitation, registration};

/// What a command asks: it reads the deal, and the caller's own mark for `favorite` in the answer, and writes once.
const COMMAND: [&str; 3] = ["GetItem", "Query", "TransactWriteItems"];
/// What one asks whose answer does not show the opportunity.
const UNSHOWN: [&str; 2] = ["Query", "TransactWriteItems"];

fn expect(recorder: &Recorder, what: &str, expected: &[&str]) {
    assert_eq!(recorder.operations(), expected, "{what}");
}

#[tokio::test]
async fn a_command_is_one_read_and_one_transaction() {
    let (world, recorder) = World::recorded().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let answer = contoso
        .post("/v1/opportunities", &deal(&["fabrikam", "northwind"]))
        .await;
    let path = answer.is(201).header("location").to_owned();
    // What the request refers to, what may be the same deal, and the transaction.
    expect(&recorder, "create", &["BatchGetItem", "Query", "TransactWriteItems"]);

    contoso
        .post(&format!("{path}/invitations"), &invitation("tailspin"))
        .await
        .is(201);
    expect(
        &recorder,
        "invite",
        &["BatchGetItem", "GetItem", "Query", "TransactWriteItems"],
    );
    contoso.delete(&format!("{path}/invitations/tailspin")).await.is(204);
    expect(&recorder, "withdraw", &UNSHOWN);
    fabrikam
        .post(&format!("{path}/response"), &json!({"decision": "accept"}))
        .await
        .is(200);
    expect(&recorder, "accept", &COMMAND);
    fabrikam.patch(&path, "*", &json!({"name": "Ours"})).await.is(200);
    expect(&recorder, "change", &COMMAND);
    fabrikam.patch(&path, "*", &json!({"solutions": ["erp"]})).await.is(200);
    expect(
        &recorder,
        "change of solutions",
        &["BatchGetItem", "GetItem", "Query", "TransactWriteItems"],
    );
    fabrikam
        .post(&format!("{path}/notes"), &json!({"text": "Hi", "visibility": "shared"}))
        .await
        .is(201);
    expect(&recorder, "note", &UNSHOWN);
    fabrikam
        .post(&format!("{path}/close"), &json!({"outcome": "won"}))
        .await
        .is(200);
    // Which of its solutions can be registered.
    expect(
        &recorder,
        "close",
        &["BatchGetItem", "GetItem", "Query", "TransactWriteItems"],
    );
    fabrikam
        .post(&format!("{path}/close"), &json!({"outcome": "won"}))
        .await
        .is(409);
    expect(&recorder, "a refusal", &["GetItem", "Query"]);
    // The solution and the vendor.
    let own = format!("{path}/registration");
    let registered = fabrikam.put_json(&own, &registration()).await;
    expect(
        &recorder,
        "register",
        &["BatchGetItem", "BatchGetItem", "Query", "TransactWriteItems"],
    );
    let id = registered.is(201).body["id"].as_str().expect("an id");
    let review = format!("/v1/registrations/{id}/review");
    contoso.post(&review, &json!({"decision": "approve"})).await.is(200);
    // The registration, and then its deal.
    expect(&recorder, "review", &COMMAND);
    fabrikam.get(&own).await.is(200);
    expect(&recorder, "one's own registration", &["GetItem"]);
    contoso.get(&format!("/v1/registrations/{id}")).await.is(200);
    expect(&recorder, "a registration", &["GetItem"]);
    contoso.get("/v1/registrations?status=approved").await.is(200);
    expect(&recorder, "the review list", &["BatchGetItem", "Query"]);
    contoso.get("/v1/registrations").await.is(200);
    expect(
        &recorder,
        "in all statuses",
        &["BatchGetItem", "Query", "Query", "Query", "Query"],
    );
    fabrikam.get("/v1/registrations?status=approved").await.is(200);
    // The vendor's id, and the records of what the index names.
    expect(&recorder, "one's own list", &["BatchGetItem", "BatchGetItem", "Query"]);
    contoso.get(&path).await.is(200);
    expect(&recorder, "get", &["GetItem", "Query"]);
}

#[tokio::test]
async fn every_item_that_a_transaction_writes_is_conditional() {
    let (world, recorder) = World::recorded().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let keyed = |client: &Client, key: &str, path: String, body: Value| {
        let (client, key) = (client.clone(), key.to_owned());
        async move { client.post_with(&path, "idempotency-key", &key, &body).await }
    };
    let answer = keyed(&contoso, "a", "/v1/opportunities".to_owned(), deal(&["fabrikam"])).await;
    let path = answer.is(201).header("location").to_owned();
    keyed(
        &fabrikam,
        "b",
        format!("{path}/response"),
        json!({"decision": "accept", "note": "Ours"}),
    )
    .await
    .is(200);
    keyed(&contoso, "c", format!("{path}/close"), json!({"outcome": "won"}))
        .await
        .is(200);
    let transactions: Vec<Value> = recorder
        .take()
        .into_iter()
        .filter(|(operation, _)| operation == "TransactWriteItems")
        .map(|(_, body)| body)
        .collect();
    assert_eq!(transactions.len(), 3);
    for transaction in transactions {
        let items = transaction["TransactItems"].as_array().expect("items");
        let keys: Vec<String> = items
            .iter()
            .filter_map(|item| item["Put"]["Item"]["sk"]["S"].as_str())
            .map(|sk| sk.split('#').next().unwrap_or_default().to_owned())
            .collect();
        for kind in ["ORG", "EVENT", "IDEM"] {
            assert!(
                keys.iter().any(|key| key == kind),
                "a view, its event and the key: {keys:?}"
            );
        }
        assert!(
            transaction["ClientRequestToken"].is_string(),
            "a retry of the SDK applies once"
        );
        for item in transaction["TransactItems"].as_array().expect("items") {
            if let Some(put) = item.get("Put") {
                assert!(put["ConditionExpression"].is_string(), "{put}");
            } else {
                // Counters add up whatever they were; the views they follow are conditional in the same transaction.
                let key = item["Update"]["Key"]["pk"]["S"].as_str().expect("an update");
                assert!(key.starts_with("STATS#"), "{item}");
            }
        }
    }
}

#[tokio::test]
async fn a_registration_and_its_view_are_written_together_or_not_at_all() {
    let (world, recorder) = World::recorded().await;
    let (_, id) = world.registered_deal("fabrikam").await;
    let review = format!("/v1/registrations/{id}/review");
    let approve = json!({"decision": "approve"});
    world.admin("contoso").post(&review, &approve).await.is(200);
    let mut written = 0;
    for (operation, body) in recorder.take() {
        if operation != "TransactWriteItems" {
            continue;
        }
        let puts: Vec<&Value> = body["TransactItems"]
            .as_array()
            .expect("items")
            .iter()
            .map(|item| &item["Put"])
            .collect();
        let of = |kind: &str| {
            let sk = |put: &&&Value| put["Item"]["sk"]["S"].as_str().is_some_and(|sk| sk.starts_with(kind));
            puts.iter().filter(sk).count()
        };
        if of("REGISTRATION") > 0 {
            assert_eq!((of("REGISTRATION"), of("ORG#"), of("EVENT#")), (1, 1, 1));
            assert!(puts.iter().all(|put| put["ConditionExpression"].is_string()));
            written += 1;
        }
    }
    assert_eq!(written, 2);
}

#[tokio::test]
async fn a_list_page_is_one_query_for_each_stage() {
    let (world, recorder) = World::recorded().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    for n in 0..30 {
        let path = world.deal(&["fabrikam"]).await;
        if n % 3 > 0 {
            fabrikam
                .post(&format!("{path}/response"), &json!({"decision": "accept"}))
                .await
                .is(200);
        }
        if n % 3 > 1 {
            fabrikam
                .post(&format!("{path}/close"), &json!({"outcome": "won"}))
                .await
                .is(200);
        }
    }
    recorder.clear();
    for (who, query, queries) in [
        (&fabrikam, "tab=inbound&stage=received", 1),
        (&fabrikam, "tab=inbound&stage=accepted", 1),
        // And the range of those that have lapsed since the last sweep, which are archived as well.
        (&fabrikam, "tab=inbound&stage=archived", 2),
        (&fabrikam, "tab=inbound&outcome=won", 1),
        (&fabrikam, "tab=inbound", 4),
        (&contoso, "tab=outbound&stage=accepted", 1),
        (&contoso, "tab=outbound&stage=archived", 1),
        (&contoso, "tab=outbound", 2),
    ] {
        for limit in [5, 25] {
            who.get(&format!("/v1/opportunities?{query}&limit={limit}"))
                .await
                .is(200);
            // And one for all marks of the caller.
            let expected = vec!["Query"; queries + 1];
            assert_eq!(recorder.operations(), expected, "{query} {limit}");
        }
    }
}

#[tokio::test]
async fn what_a_form_is_filled_with_is_a_query_or_few() {
    let (world, recorder) = World::recorded().await;
    let contoso = world.admin("contoso");
    world.deal(&[]).await;
    recorder.clear();
    for (path, expected) in [
        ("/v1/customers?country=US&q=adat", &["Query", "Query"][..]),
        ("/v1/customers?country=US&q=the%20adatum", &["Query"; 5]),
        ("/v1/contacts/recent", &["Query"]),
        ("/v1/solutions", &["Query"]),
        ("/v1/solutions?type=own&q=cloud", &["Query"]),
        ("/v1/solutions?type=vendor", &["BatchGetItem", "Query"]),
        ("/v1/organizations/me", &["GetItem"]),
    ] {
        contoso.get(path).await.is(200);
        expect(&recorder, path, expected);
    }
    let me = "/v1/organizations/me";
    contoso.patch(me, "*", &json!({"name": "Contoso AG"})).await.is(200);
    expect(&recorder, "profile", &["GetItem", "UpdateItem"]);
    contoso.patch(me, "*", &json!({"name": "Contoso AG"})).await.is(200);
    expect(&recorder, "the same profile", &["GetItem"]);
    // Eleven lines, of which only one is a customer.
    world.stack.import(tests::CATALOG).await.expect("imported");
    let asked = recorder.operations();
    assert!(
        asked.iter().filter(|asked| *asked == "TransactWriteItems").count() <= 1,
        "{asked:?}"
    );
}

#[tokio::test]
async fn the_sweep_reads_what_is_due_and_nothing_else() {
    let (world, recorder) = World::recorded().await;
    recorder.clear();
    world.stack.sweep().await.expect("swept");
    let empty = recorder.take();
    assert_eq!(
        empty
            .iter()
            .map(|(operation, _)| operation.as_str())
            .collect::<Vec<_>>(),
        ["Query"; 16],
        "one for each shard"
    );
    for _ in 0..40 {
        world.deal(&["fabrikam", "northwind"]).await;
    }
    recorder.clear();
    assert_eq!(world.stack.sweep().await.expect("swept")["due"], 0);
    assert_eq!(recorder.take().len(), 16, "eighty that are not due change nothing");
}

#[tokio::test]
async fn nothing_ever_scans() {
    let (world, recorder) = World::recorded().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let path = world.deal(&["fabrikam"]).await;
    fabrikam.put(&format!("{path}/favorite")).await.is(204);
    for read in ["", "/history", "/notes"] {
        fabrikam.get(&format!("{path}{read}")).await.is(200);
    }
    for read in [
        "/v1/summary",
        "/v1/opportunities?tab=favorites",
        "/v1/opportunities?tab=inbound&q=adatum",
        "/v1/customers?country=US&q=adatum",
        "/v1/contacts/recent",
        "/v1/solutions?type=thirdParty",
    ] {
        fabrikam.get(read).await.is(200);
        contoso.get(read).await.is(200);
    }
    world.stack.import(tests::CATALOG).await.expect("imported");
    world.stack.sweep().await.expect("swept");
    let asked = recorder.take();
    assert!(asked.len() > 30);
    for (operation, body) in asked {
        assert_ne!(operation, "Scan", "{body}");
        if body.get("IndexName").is_some() {
            // A filter would be a scan of what the key condition lets through.
            assert_eq!(body.get("FilterExpression"), None, "{body}");
        }
    }
}
