//! Lists: tabs, order, pages, cursors.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tests::{Answer, Client, World, but, deal, eventually, standing};

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

/// Deals of Contoso's in every stage that Fabrikam sees too; their ids, newest change first.
async fn many(world: &World, count: usize) -> Vec<String> {
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let mut order = Vec::new();
    for n in 0..count {
        let path = world.deal(&["fabrikam"]).await;
        let accept = json!({"decision": "accept"});
        let decline = json!({"decision": "decline", "reason": "budget"});
        let response = format!("{path}/response");
        let answered = match n % 4 {
            0 => None,
            1 => Some(fabrikam.post(&response, &accept).await),
            2 => Some(fabrikam.post(&response, &decline).await),
            _ => Some(contoso.delete(&format!("{path}/invitations/fabrikam")).await),
        };
        assert!(answered.is_none_or(|answer| [200, 204].contains(&answer.status)));
        order.insert(0, tests::id(&path).to_owned());
    }
    order
}

/// The items of all pages after this one.
async fn after(client: &Client, path: &str, page: &Answer) -> Vec<Value> {
    let mut items = Vec::new();
    let mut page = page.clone();
    while let Some(cursor) = page.body["nextCursor"].as_str() {
        page = client.get(&format!("{path}&cursor={cursor}")).await;
        items.extend(page.is(200).body["items"].as_array().expect("items").clone());
    }
    items
}

#[tokio::test]
async fn a_walk_shows_each_once_newest_change_first_whatever_the_page() {
    let world = World::start().await;
    let order = many(&world, 23).await;
    let fabrikam = world.admin("fabrikam");
    for limit in [1, 2, 7, 22, 23, 24, 100] {
        let items = fabrikam
            .all(&format!("/v1/opportunities?tab=inbound&limit={limit}"))
            .await;
        assert_eq!(ids(&items), order, "limit {limit}");
    }
    for (filter, expected) in [
        ("stage=received", "received"),
        ("stage=accepted", "accepted"),
        ("outcome=declined", "archived declined"),
        ("stage=archived&outcome=withdrawn", "archived withdrawn"),
    ] {
        let items = fabrikam
            .all(&format!("/v1/opportunities?tab=inbound&{filter}&limit=2"))
            .await;
        assert!((5..=6).contains(&items.len()), "{filter}: {}", items.len());
        assert!(items.iter().all(|item| standing(item) == expected), "{filter}");
    }
    assert_eq!(
        fabrikam
            .all("/v1/opportunities?tab=inbound&stage=received&outcome=won")
            .await,
        Vec::<Value>::new()
    );
    assert_eq!(
        fabrikam.all("/v1/opportunities?tab=outbound").await,
        Vec::<Value>::new()
    );
    assert_eq!(
        world
            .admin("contoso")
            .all("/v1/opportunities?tab=outbound&limit=10")
            .await
            .len(),
        23
    );
}

#[tokio::test]
async fn the_last_page_says_so_also_when_it_is_full() {
    let world = World::start().await;
    many(&world, 4).await;
    let answer = world
        .admin("contoso")
        .get("/v1/opportunities?tab=outbound&limit=4")
        .await;
    assert_eq!(
        (
            answer.is(200).body["items"].as_array().map(Vec::len),
            &answer.body["nextCursor"]
        ),
        (Some(4), &Value::Null)
    );
}

#[tokio::test]
async fn a_change_brings_to_the_top() {
    let world = World::start().await;
    let order = many(&world, 3).await;
    let contoso = world.admin("contoso");
    let oldest = format!("/v1/opportunities/{}", order[2]);
    contoso.patch_now(&oldest, &json!({"name": "New again"})).await.is(200);
    let items = contoso.all("/v1/opportunities?tab=outbound").await;
    assert_eq!(ids(&items)[0], order[2]);
    assert_eq!(items[0]["name"], "New again");
    assert!(items[0].get("participants").is_none());
}

#[tokio::test]
async fn the_parameters_of_a_list() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    for right in ["tab=inbound", "tab=outbound&limit=1", "tab=outbound&limit=100"] {
        contoso.get(&format!("/v1/opportunities?{right}")).await.is(200);
    }
    for wrong in [
        "",
        "tab=",
        "tab=mine",
        "stage=received",
        "tab=inbound&limit=0",
        "tab=inbound&limit=101",
        "tab=inbound&limit=ten",
        "tab=inbound&limit=-1",
        "tab=inbound&stage=won",
        "tab=inbound&outcome=accepted",
        "tab=inbound&colour=red",
        "tab=inbound&tab=outbound",
    ] {
        contoso
            .get(&format!("/v1/opportunities?{wrong}"))
            .await
            .refuses(400, "malformedParameter");
    }
}

#[tokio::test]
async fn a_cursor_is_for_its_own_list_and_unharmed() {
    let world = World::start().await;
    many(&world, 6).await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let path = "/v1/opportunities?tab=inbound&limit=2";
    let cursor = fabrikam.get(path).await.body["nextCursor"]
        .as_str()
        .expect("more")
        .to_owned();
    fabrikam.get(&format!("{path}&cursor={cursor}")).await.is(200);
    for other in [
        "tab=outbound",
        "tab=inbound&stage=received",
        "tab=inbound&outcome=declined",
    ] {
        let answer = fabrikam
            .get(&format!("/v1/opportunities?{other}&cursor={cursor}"))
            .await;
        answer.refuses(400, "malformedCursor");
    }
    contoso
        .get(&format!("{path}&cursor={cursor}"))
        .await
        .refuses(400, "malformedCursor");
    fabrikam
        .get(&format!("{path}&cursor="))
        .await
        .refuses(400, "malformedCursor");
    for at in 0..cursor.len() {
        let changed = if &cursor[at..=at] == "A" { "B" } else { "A" };
        let tampered = format!("{}{changed}{}", &cursor[..at], &cursor[at + 1..]);
        fabrikam
            .get(&format!("{path}&cursor={tampered}"))
            .await
            .refuses(400, "malformedCursor");
    }
    for other in [
        cursor[..cursor.len() - 1].to_owned(),
        format!("{cursor}A"),
        format!("{cursor}="),
        "end".to_owned(),
    ] {
        fabrikam
            .get(&format!("{path}&cursor={other}"))
            .await
            .refuses(400, "malformedCursor");
    }
}

#[tokio::test]
async fn a_walk_is_not_disturbed_by_what_happens_meanwhile() {
    let world = World::start().await;
    let order = many(&world, 12).await;
    let contoso = world.admin("contoso");
    let first = contoso.get("/v1/opportunities?tab=outbound&limit=4").await;
    // One that was shown changes, one is new.
    contoso
        .patch_now(&format!("/v1/opportunities/{}", order[1]), &json!({"name": "Changed"}))
        .await
        .is(200);
    contoso
        .post("/v1/opportunities", &but(deal(&[]), "/name", json!("New")))
        .await
        .is(201);
    let rest = after(&contoso, "/v1/opportunities?tab=outbound&limit=4", &first).await;
    assert_eq!(ids(&rest), order[4..].iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_lapses_during_a_walk_is_shown_once_all_the_same() {
    let world = World::with_window(TimeDelta::milliseconds(1_500)).await;
    let mut order = Vec::new();
    for _ in 0..9 {
        order.insert(0, tests::id(&world.deal(&["fabrikam"]).await).to_owned());
    }
    let fabrikam = world.admin("fabrikam");
    let path = "/v1/opportunities?tab=inbound&limit=4";
    let first = fabrikam.get(path).await;
    let newest = format!("/v1/opportunities/{}", order[0]);
    eventually("all of them lapse", || async {
        (fabrikam.get(&newest).await.standing() == "archived expired").then_some(())
    })
    .await;
    let mut items = first.is(200).body["items"].as_array().expect("items").clone();
    items.extend(after(&fabrikam, path, &first).await);
    assert_eq!(ids(&items), order);
    assert!(items[4..].iter().all(|item| standing(item) == "archived expired"));
    // From the beginning they are the same, in the same order, and none of them waits.
    assert_eq!(ids(&fabrikam.all(path).await), order);
    assert_eq!(ids(&fabrikam.all(&format!("{path}&outcome=expired")).await), order);
    assert!(fabrikam.all(&format!("{path}&stage=received")).await.is_empty());
}

#[tokio::test]
async fn the_owners_list_does_not_move_when_others_answer() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let older = world.deal(&["fabrikam", "northwind"]).await;
    let newer = world.deal(&[]).await;
    let before = contoso.get("/v1/opportunities?tab=outbound").await;
    let accept = json!({"decision": "accept"});
    let decline = json!({"decision": "decline", "reason": "budget"});
    for (organization, answer) in [("fabrikam", accept), ("northwind", decline)] {
        let answered = world
            .admin(organization)
            .post(&format!("{older}/response"), &answer)
            .await;
        answered.is(200);
    }
    let after = contoso.get("/v1/opportunities?tab=outbound").await;
    assert_eq!(after, before);
    let items = after.body["items"].as_array().expect("items");
    assert_eq!(ids(items), [tests::id(&newer), tests::id(&older)]);
}
