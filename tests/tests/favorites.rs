//! Favourites: each user's own marks.

use axum::http::Method;
use serde_json::{Value, json};
use tests::{Client, World};

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

async fn marked(client: &Client, query: &str) -> Vec<Value> {
    client.all(&format!("/v1/opportunities?tab=favorites{query}")).await
}

#[tokio::test]
async fn a_mark_is_the_users_own_and_repeatable() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam"]).await;
    let (ana, bob) = (
        world.user("fabrikam", &["referrals_admin"], "ana"),
        world.user("fabrikam", &["viewer"], "bob"),
    );
    let favorite = format!("{deal}/favorite");
    assert_eq!(ana.get(&deal).await.body["favorite"], false);
    for _ in 0..2 {
        ana.put(&favorite).await.is(204);
        assert_eq!(ana.get(&deal).await.body["favorite"], true);
    }
    assert_eq!(bob.get(&deal).await.body["favorite"], false);
    bob.put(&favorite).await.is(204);
    for _ in 0..2 {
        ana.delete(&favorite).await.is(204);
        assert_eq!((marked(&ana, "").await.len(), marked(&bob, "").await.len()), (0, 1));
    }
    // A user of another organization with the same id is somebody else.
    assert_eq!(
        world.user("contoso", &["referrals_admin"], "bob").get(&deal).await.body["favorite"],
        false
    );
    world.admin("northwind").put(&favorite).await.refuses(404, "notFound");
}

#[tokio::test]
async fn every_answer_tells_whether_it_is_marked() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam"]).await;
    let fabrikam = world.admin("fabrikam");
    fabrikam.put(&format!("{deal}/favorite")).await.is(204);
    let accepted = fabrikam
        .post(&format!("{deal}/response"), &json!({"decision": "accept"}))
        .await;
    assert_eq!(accepted.is(200).body["favorite"], true);
    assert_eq!(
        fabrikam.patch_now(&deal, &json!({"name": "Ours"})).await.is(200).body["favorite"],
        true
    );
    assert_eq!(fabrikam.all("/v1/opportunities?tab=inbound").await[0]["favorite"], true);
    assert_eq!(
        fabrikam
            .post(&format!("{deal}/close"), &json!({"outcome": "won"}))
            .await
            .is(200)
            .body["favorite"],
        true
    );
    // A mark is no change: archived or not.
    let before = fabrikam.get(&deal).await;
    fabrikam.delete(&format!("{deal}/favorite")).await.is(204);
    fabrikam.put(&format!("{deal}/favorite")).await.is(204);
    assert_eq!(fabrikam.get(&deal).await, before);
    assert_eq!(
        world.admin("contoso").all("/v1/opportunities?tab=outbound").await[0]["favorite"],
        false
    );
}

#[tokio::test]
async fn the_tab_lists_what_was_sent_and_received_newest_change_first() {
    let world = World::start().await;
    let fabrikam = world.admin("fabrikam");
    let mut paths = Vec::new();
    for n in 0..7 {
        let path = if n % 2 == 0 {
            world.deal(&["fabrikam"]).await
        } else {
            fabrikam
                .post("/v1/opportunities", &tests::deal(&[]))
                .await
                .is(201)
                .header("location")
                .to_owned()
        };
        fabrikam.put(&format!("{path}/favorite")).await.is(204);
        paths.insert(0, path);
    }
    let expected: Vec<_> = paths.iter().map(|path| tests::id(path)).collect();
    for limit in [1, 3, 7, 100] {
        assert_eq!(
            ids(&marked(&fabrikam, &format!("&limit={limit}")).await),
            expected,
            "{limit}"
        );
    }
    assert_eq!(
        ids(&marked(&fabrikam, "&stage=received").await),
        [expected[0], expected[2], expected[4], expected[6]]
    );
    assert_eq!(marked(&fabrikam, "&q=adatum").await.len(), 7);
    assert_eq!(marked(&fabrikam, "&q=nothing%20like%20it").await.len(), 0);
    // What changes comes to the top; what is taken away is gone.
    let oldest = paths[5].clone();
    fabrikam.patch_now(&oldest, &json!({"name": "New again"})).await.is(200);
    fabrikam
        .send(Method::DELETE, &format!("{}/favorite", paths[0]), &[], None)
        .await
        .is(204);
    let items = marked(&fabrikam, "").await;
    assert_eq!((ids(&items)[0], items.len()), (expected[5], 6));
    let cursor = fabrikam.get("/v1/opportunities?tab=favorites&limit=2").await.body["nextCursor"].clone();
    let path = format!(
        "/v1/opportunities?tab=favorites&limit=2&cursor={}",
        cursor.as_str().expect("more")
    );
    fabrikam.get(&path).await.is(200);
    world
        .user("fabrikam", &["viewer"], "bob")
        .get(&path)
        .await
        .refuses(400, "malformedCursor");
}
