//! Sellers: they work with the deals of their team, and with what waits for an answer.

use serde_json::{Value, json};
use tests::{Client, World, but, deal, invitation};

const UNKNOWN: &str = "/v1/opportunities/01ARZ3NDEKTSV4RRFFQ69G5FAV";

fn seller(world: &World, organization: &str, user: &str) -> Client {
    world.user(organization, &["seller"], user)
}

fn emails(view: &Value) -> Vec<&str> {
    view["team"]
        .as_array()
        .expect("a team")
        .iter()
        .filter_map(|member| member["email"].as_str())
        .collect()
}

#[tokio::test]
async fn off_the_team_there_is_nothing() {
    let world = World::start().await;
    // Carla is on the team of this one, Sam is not.
    let path = world.deal(&["fabrikam"]).await;
    let (carla, sam) = (seller(&world, "contoso", "carla"), seller(&world, "contoso", "sam"));
    let unknown = sam.get(UNKNOWN).await;
    for action in ["", "/history", "/notes"] {
        carla.get(&format!("{path}{action}")).await.is(200);
        let answer = sam.get(&format!("{path}{action}")).await;
        assert_eq!(
            (answer.status, &answer.headers, &answer.text),
            (404, &unknown.headers, &unknown.text),
            "{action}"
        );
    }
    for (action, body) in [
        ("notes", json!({"text": "x", "visibility": "internal"})),
        ("invitations", invitation("northwind")),
        ("close", json!({"outcome": "won"})),
    ] {
        sam.post(&format!("{path}/{action}"), &body)
            .await
            .refuses(404, "notFound");
        carla.post(&format!("{path}/{action}"), &body).await;
    }
    sam.put(&format!("{path}/favorite")).await.refuses(404, "notFound");
    sam.patch(&path, "*", &json!({"name": "x"}))
        .await
        .refuses(404, "notFound");
    let outbound = "/v1/opportunities?tab=outbound";
    assert_eq!((carla.all(outbound).await.len(), sam.all(outbound).await.len()), (1, 0));
    assert_eq!(
        carla.get(&path).await.standing(),
        "archived won",
        "she could do all of it"
    );
    assert_eq!(
        sam.get("/v1/summary").await.is(200).body,
        json!({"totals": [], "campaigns": []})
    );
    assert_eq!(carla.get("/v1/summary").await.body["totals"][0]["count"], 1);
}

#[tokio::test]
async fn the_team_decides_at_once_whatever_the_case_of_the_address() {
    let world = World::start().await;
    let path = world.deal(&[]).await;
    let (admin, sam) = (world.admin("contoso"), seller(&world, "contoso", "sam"));
    let carla = json!({"name": "Carla", "phone": "+14255550111", "email": "carla@contoso.example"});
    sam.get(&path).await.is(404);
    admin
        .patch_now(
            &path,
            &json!({"team": [carla, {"name": "Sam", "email": "SAM@Contoso.example"}]}),
        )
        .await
        .is(200);
    sam.get(&path).await.is(200);
    // Who takes himself off sees the answer, and nothing after.
    let last = sam.patch_now(&path, &json!({"team": [carla]})).await;
    assert_eq!(emails(&last.is(200).body), ["carla@contoso.example"]);
    sam.get(&path).await.is(404);
}

#[tokio::test]
async fn what_waits_for_an_answer_is_everyones_and_then_its_teams() {
    let world = World::start().await;
    let path = world.deal(&["fabrikam"]).await;
    let (ana, bob) = (seller(&world, "fabrikam", "ana"), seller(&world, "fabrikam", "bob"));
    for seller in [&ana, &bob] {
        assert_eq!(seller.get(&path).await.is(200).standing(), "received");
        assert_eq!(seller.all("/v1/opportunities?tab=inbound").await.len(), 1);
    }
    let accepted = ana
        .post(&format!("{path}/response"), &json!({"decision": "accept"}))
        .await;
    assert_eq!(
        emails(&accepted.is(200).body),
        ["ana@fabrikam.example"],
        "accepting puts on the team"
    );
    ana.get(&path).await.is(200);
    bob.get(&path).await.is(404);
    assert_eq!(
        (
            ana.all("/v1/opportunities?tab=inbound").await.len(),
            bob.all("/v1/opportunities?tab=inbound").await.len()
        ),
        (1, 0)
    );
    bob.post(&format!("{path}/response"), &json!({"decision": "accept"}))
        .await
        .refuses(404, "notFound");
    // With a team in the answer she is on it as well.
    let path = world.deal(&["fabrikam"]).await;
    let answer = json!({"decision": "accept", "team": [{"name": "Bob", "email": "bob@fabrikam.example"}]});
    let accepted = ana.post(&format!("{path}/response"), &answer).await;
    assert_eq!(
        emails(&accepted.is(200).body),
        ["bob@fabrikam.example", "ana@fabrikam.example"]
    );
}

#[tokio::test]
async fn creating_puts_on_the_team() {
    let world = World::start().await;
    let sam = seller(&world, "contoso", "sam");
    let created = sam.post("/v1/opportunities", &deal(&["fabrikam"])).await;
    assert_eq!(
        emails(&created.is(201).body),
        ["carla@contoso.example", "sam@contoso.example"]
    );
    sam.get(created.header("location")).await.is(200);
    // There are fifty seats.
    let member = json!({"name": "C", "phone": "+14255550111", "email": "c@contoso.example"});
    let full = but(deal(&[]), "/team", json!(vec![member; 50]));
    sam.post("/v1/opportunities", &full)
        .await
        .has_faults(&[("/team", "tooMany")]);
    world.admin("contoso").post("/v1/opportunities", &full).await.is(201);
}

#[tokio::test]
async fn a_warning_of_duplicates_does_not_betray_others_deals() {
    let world = World::start().await;
    world.deal(&[]).await;
    let duplicates = |client: Client| async move {
        let created = client.post("/v1/opportunities", &deal(&[])).await;
        created.is(201).body["possibleDuplicates"].as_array().map(Vec::len)
    };
    assert_eq!(duplicates(seller(&world, "contoso", "sam")).await, Some(0));
    assert_eq!(duplicates(seller(&world, "contoso", "sam")).await, Some(1), "his own");
    assert_eq!(duplicates(world.admin("contoso")).await, Some(3));
}

#[tokio::test]
async fn a_seller_without_an_address_is_on_no_team() {
    let world = World::start().await;
    let nameless = world.user("contoso", &["seller"], "not an address");
    nameless
        .get("/v1/opportunities?tab=outbound")
        .await
        .refuses(403, "forbidden");
}
