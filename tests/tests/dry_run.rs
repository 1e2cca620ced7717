//! Dry runs, and the warning of possible duplicates.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tests::{Client, World, but, deal, eventually};

const DRY: &str = "/v1/opportunities?dryRun=true";

/// What differs between a dry run and the real thing.
fn without_ids_and_instants(mut view: Value) -> Value {
    let object = view.as_object_mut().expect("a view");
    for field in [
        "id",
        "createdAt",
        "updatedAt",
        "acceptedAt",
        "possibleDuplicates",
        "invitees",
    ] {
        object.remove(field);
    }
    if let Some(invitation) = object.get_mut("invitation").and_then(Value::as_object_mut) {
        invitation.remove("sentAt");
        invitation.remove("respondBy");
    }
    for participant in object["participants"].as_array_mut().expect("participants") {
        participant["respondBy"] = Value::Null;
    }
    view
}

#[tokio::test]
async fn a_dry_run_shows_what_everyone_would_see_and_writes_nothing() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let before = world.dump().await;
    let body = deal(&["fabrikam", "northwind"]);
    let dry = contoso.post_with(DRY, "idempotency-key", "k", &body).await;
    assert_eq!(dry.is(200).headers.get("location"), None);
    assert_eq!(world.dump().await, before);
    let real = contoso
        .post_with("/v1/opportunities", "idempotency-key", "k", &body)
        .await;
    let path = real.is(201).header("location");
    assert_eq!(
        without_ids_and_instants(dry.body.clone()),
        without_ids_and_instants(real.body.clone())
    );
    let invitees = dry.body["invitees"].as_array().expect("invitees");
    assert_eq!(invitees.len(), 2);
    for invitee in invitees {
        let organization = invitee["organizationId"].as_str().expect("an id");
        let seen = world.admin(organization).get(path).await;
        assert_eq!(
            without_ids_and_instants(invitee["view"].clone()),
            without_ids_and_instants(seen.body.clone())
        );
    }
}

#[tokio::test]
async fn a_dry_run_refuses_what_the_real_one_would() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    for wrong in [
        but(deal(&["contoso"]), "/name", json!("")),
        but(deal(&["nobody", "fabrikam", "fabrikam"]), "/solutions", json!(["nope"])),
        json!({}),
    ] {
        let dry = contoso.post(DRY, &wrong).await;
        let real = contoso.post("/v1/opportunities", &wrong).await;
        assert_eq!((dry.is(422).status, &dry.text), (real.status, &real.text));
    }
    world
        .admin("litware")
        .post(DRY, &deal(&["fabrikam"]))
        .await
        .refuses(403, "notCoSellReady");
    world
        .client("contoso", &["viewer"])
        .post(DRY, &deal(&[]))
        .await
        .refuses(403, "forbidden");
    contoso
        .post("/v1/opportunities?dryRun=yes", &deal(&[]))
        .await
        .refuses(400, "malformedParameter");
    contoso.post("/v1/opportunities?dryRun=false", &deal(&[])).await.is(201);
}

async fn duplicates(client: &Client, customer: &Value, solutions: &[&str]) -> Vec<String> {
    let mut body = but(deal(&[]), "/customer", customer.clone());
    body["solutions"] = json!(solutions);
    let dry = client.post(DRY, &body).await;
    let found = dry.is(200).body["possibleDuplicates"]
        .as_array()
        .expect("a list")
        .iter();
    found
        .map(|found| found["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn the_same_customer_with_a_common_solution_is_a_possible_duplicate() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let create = |name: &str, customer: Value, solutions: Value| {
        let mut body = but(deal(&[]), "/customer", customer);
        (body["name"], body["solutions"]) = (json!(name), solutions);
        let contoso = contoso.clone();
        async move {
            contoso
                .post("/v1/opportunities", &body)
                .await
                .is(201)
                .header("location")
                .to_owned()
        }
    };
    let numbered = json!({"name": "Adatum", "country": "US", "dunsNumber": "555555555"});
    let named = json!({"name": "Société Générale", "country": "FR"});
    create("Numbered", numbered.clone(), json!(["cloud", "erp"])).await;
    let open = create("Named", named.clone(), json!(["cloud"])).await;
    let other_name = json!({"name": "Adatum Corp.", "country": "DE", "dunsNumber": "555555555"});
    assert_eq!(
        duplicates(&contoso, &other_name, &["erp", "crm"]).await,
        ["Numbered"],
        "by D-U-N-S number"
    );
    assert_eq!(
        duplicates(&contoso, &other_name, &["crm"]).await,
        Vec::<String>::new(),
        "without a common solution"
    );
    let folded = json!({"name": "SOCIETE GENERALE", "country": "FR"});
    assert_eq!(duplicates(&contoso, &folded, &["cloud"]).await, ["Named"], "by name");
    let abroad = json!({"name": "Société Générale", "country": "BE"});
    assert_eq!(
        duplicates(&contoso, &abroad, &["cloud"]).await,
        Vec::<String>::new(),
        "of another country"
    );
    assert_eq!(
        duplicates(&world.admin("fabrikam"), &folded, &["cloud"]).await,
        Vec::<String>::new(),
        "of another organization"
    );
    let warned = create("Again", named.clone(), json!(["cloud"])).await;
    contoso.get(&warned).await.is(200);
    for path in [&open, &warned] {
        contoso
            .post(&format!("{path}/close"), &json!({"outcome": "won"}))
            .await
            .is(200);
    }
    assert_eq!(
        duplicates(&contoso, &named, &["cloud"]).await,
        Vec::<String>::new(),
        "closed ones are none"
    );
}

#[tokio::test]
async fn what_was_received_counts_until_it_lapses() {
    let world = World::with_window(TimeDelta::seconds(2)).await;
    world.deal(&["fabrikam"]).await;
    let fabrikam = world.admin("fabrikam");
    let customer = json!({"id": "123456789"});
    assert_eq!(duplicates(&fabrikam, &customer, &["erp"]).await, ["ERP for Adatum"]);
    eventually("it lapses", || async {
        duplicates(&fabrikam, &customer, &["erp"])
            .await
            .is_empty()
            .then_some(())
    })
    .await;
}
