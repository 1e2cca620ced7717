//! `ETag`, `If-None-Match` and `If-Match`.

use axum::http::Method;
use serde_json::json;
use tests::{JSON, World};

#[tokio::test]
async fn what_the_caller_has_is_not_sent_again() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam"]).await;
    let contoso = world.admin("contoso");
    let etag = contoso.get(&deal).await.header("etag").to_owned();
    for known in [
        etag.clone(),
        format!("W/{etag}"),
        "*".to_owned(),
        format!("\"x\", {etag}"),
    ] {
        let answer = contoso.get_with(&deal, "if-none-match", &known).await;
        assert_eq!(
            (answer.is(304).header("etag"), answer.text.as_str()),
            (etag.as_str(), ""),
            "{known}"
        );
    }
    contoso
        .get_with(&deal, "if-none-match", "\"1-0000000000000000\"")
        .await
        .is(200);
    // Another participant moved: the version of this view is the same, the answer is not.
    world
        .admin("fabrikam")
        .post(&format!("{deal}/response"), &json!({"decision": "accept"}))
        .await
        .is(200);
    let answer = contoso.get_with(&deal, "if-none-match", &etag).await;
    assert_ne!(answer.is(200).header("etag"), etag);
    contoso
        .patch(&deal, &etag, &json!({"name": "If-Match compares the version only"}))
        .await
        .is(200);
}

#[tokio::test]
async fn a_patch_names_the_version_that_it_changes() {
    let world = World::start().await;
    let deal = world.deal(&[]).await;
    let contoso = world.admin("contoso");
    let first = contoso.get(&deal).await.header("etag").to_owned();
    let patch = json!({"name": "Second"});
    let headers = [JSON];
    contoso
        .send(Method::PATCH, &deal, &headers, Some(patch.to_string()))
        .await
        .refuses(428, "preconditionRequired");
    let second = contoso
        .patch(&deal, &first, &patch)
        .await
        .is(200)
        .header("etag")
        .to_owned();
    let before = world.dump().await;
    contoso
        .patch(&deal, &first, &json!({"name": "Lost update"}))
        .await
        .refuses(412, "preconditionFailed");
    contoso
        .patch(&deal, &format!("W/{second}"), &patch)
        .await
        .refuses(412, "preconditionFailed");
    contoso
        .patch(&deal, "\"not-ours\"", &patch)
        .await
        .refuses(412, "preconditionFailed");
    contoso.patch(&deal, "1", &patch).await.is(400);
    assert_eq!(world.dump().await, before);
    // To change nothing is right, and writes nothing.
    let same = contoso.patch(&deal, &second, &patch).await;
    assert_eq!(same.is(200).header("etag"), second);
    assert_eq!(
        contoso.patch(&deal, &second, &json!({})).await.is(200).header("etag"),
        second
    );
    assert_eq!(world.dump().await, before);
    contoso.patch(&deal, "*", &json!({"name": "Third"})).await.is(200);
}

#[tokio::test]
async fn other_commands_take_a_version_too() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam"]).await;
    let fabrikam = world.admin("fabrikam");
    let accept = json!({"decision": "accept"});
    let response = format!("{deal}/response");
    let stale = "\"7-0000000000000000\"";
    fabrikam
        .post_with(&response, "if-match", stale, &accept)
        .await
        .refuses(412, "preconditionFailed");
    let etag = fabrikam.get(&deal).await.header("etag").to_owned();
    fabrikam.post_with(&response, "if-match", &etag, &accept).await.is(200);
}

#[tokio::test]
async fn a_commands_answer_is_what_a_get_would_give() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let created = contoso.post("/v1/opportunities", &tests::deal(&["fabrikam"])).await;
    let deal = created.is(201).header("location").to_owned();
    assert_eq!(created.header("etag"), contoso.get(&deal).await.header("etag"));
    let accepted = fabrikam
        .post(&format!("{deal}/response"), &json!({"decision": "accept"}))
        .await;
    let patched = fabrikam.patch_now(&deal, &json!({"name": "Ours"})).await;
    assert_ne!(accepted.header("etag"), patched.header("etag"));
    let got = fabrikam.get(&deal).await;
    assert_eq!((patched.header("etag"), &patched.text), (got.header("etag"), &got.text));
    let closed = fabrikam
        .post(&format!("{deal}/close"), &json!({"outcome": "won"}))
        .await;
    let got = fabrikam.get(&deal).await;
    // What can be registered stands beside it, and the tag is that of the opportunity.
    let mut opportunity = closed.body.clone();
    let registrable = opportunity
        .as_object_mut()
        .and_then(|it| it.remove("registrableSolutions"));
    assert_eq!(registrable, Some(json!(["erp"])));
    assert_eq!((closed.header("etag"), &opportunity), (got.header("etag"), &got.body));
}
