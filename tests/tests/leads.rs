//! Leads, as the vendor and its partners live them: one partner at a time, and nobody has to watch.

use std::time::Duration;

use chrono::TimeDelta;
use local::Options;
use serde_json::{Value, json};
use tests::{Client, World, deal, eventually, id, options};

fn lead(partners: &[&str]) -> Value {
    let mut body = deal(partners);
    body["qualification"] = json!("lead");
    for unknown in ["estimatedValue", "estimatedCloseDate"] {
        body.as_object_mut().expect("an object").remove(unknown);
    }
    body
}

async fn send(world: &World, partners: &[&str]) -> String {
    let answer = world.admin("contoso").post("/v1/opportunities", &lead(partners)).await;
    answer.is(201).header("location").to_owned()
}

fn take_up() -> Value {
    json!({
        "decision": "accept",
        "estimatedValue": {"amount": "9000", "currency": "EUR"},
        "estimatedCloseDate": "2099-01-31",
    })
}

async fn types(client: &Client, path: &str) -> Vec<String> {
    let told = client.all(path).await;
    told.iter()
        .map(|event| event["type"].as_str().expect("a type").to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lead_finds_its_partner_by_itself() {
    let world = World::telling().await;
    let [contoso, fabrikam, northwind] = ["contoso", "fabrikam", "northwind"].map(|one| world.admin(one));
    let path = send(&world, &["fabrikam", "northwind", "tailspin"]).await;
    let own = contoso.get(&path).await;
    let own = &own.is(200).body;
    assert_eq!(
        (&own["qualification"], &own["nextPartners"]),
        (&json!("lead"), &json!(["northwind", "tailspin"]))
    );
    assert_eq!(
        (&own["estimatedValue"], &own["estimatedCloseDate"]),
        (&Value::Null, &Value::Null)
    );
    northwind.get(&path).await.refuses(404, "notFound");
    let theirs = fabrikam.get(&path).await;
    assert_eq!(theirs.is(200).body["qualification"], "lead");
    assert!(theirs.body.get("nextPartners").is_none(), "{theirs}");

    let decline = json!({"decision": "decline", "reason": "noCapacity"});
    fabrikam.post(&format!("{path}/response"), &decline).await.is(200);
    let accept = json!({"decision": "accept"});
    northwind
        .post(&format!("{path}/response"), &accept)
        .await
        .has_faults(&[("/estimatedValue", "required"), ("/estimatedCloseDate", "required")]);
    let answer = northwind.post(&format!("{path}/response"), &take_up()).await;
    assert_eq!(answer.is(200).body["qualification"], "salesQualified");
    let own = contoso.get(&path).await;
    assert_eq!(
        (&own.body["qualification"], &own.body["estimatedValue"]),
        (&json!("salesQualified"), &Value::Null)
    );
    assert_eq!(own.participant("fabrikam"), "archived declined");
    assert_eq!(own.participant("northwind"), "accepted");
    world.admin("tailspin").get(&path).await.refuses(404, "notFound");

    assert_eq!(
        types(&contoso, &format!("{path}/history?limit=100")).await,
        ["accepted", "invited", "declined", "invited", "created"]
    );
    let told = contoso.told(2).await;
    let told: Vec<_> = told
        .iter()
        .map(|detail| detail["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(told, ["Opportunity Declined", "Opportunity Accepted"]);
    assert_eq!(northwind.told(1).await[0]["actor"], Value::Null, "nobody passed it on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn silence_passes_it_on_and_in_the_end_back() {
    let world = World::with(Options {
        response_window: TimeDelta::milliseconds(400),
        sweep_every: Some(Duration::from_millis(50)),
        stream: true,
        ..options()
    })
    .await;
    let contoso = world.admin("contoso");
    let path = send(&world, &["fabrikam", "northwind"]).await;
    let told = contoso.told(3).await;
    let told: Vec<_> = told
        .iter()
        .map(|detail| detail["type"].as_str().expect("a type"))
        .collect();
    assert_eq!(told, ["Opportunity Expired", "Opportunity Expired", "Lead Returned"]);
    let own = contoso.get(&path).await;
    assert_eq!(own.standing(), "accepted");
    assert_eq!(own.body["nextPartners"], json!([]));
    assert_eq!(own.participant("fabrikam"), "archived expired");
    assert_eq!(own.participant("northwind"), "archived expired");
    let events = world.events(&path).await;
    let ids: Vec<_> = events.iter().filter(|event| event["type"] == "invited").collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn a_decline_and_the_next_invitation_are_one_transaction() {
    let (world, recorder) = World::recorded().await;
    let path = send(&world, &["fabrikam", "northwind"]).await;
    recorder.clear();
    let decline = json!({"decision": "decline", "reason": "spam"});
    world
        .admin("fabrikam")
        .post(&format!("{path}/response"), &decline)
        .await
        .is(200);
    let writes = recorder
        .operations()
        .into_iter()
        .filter(|operation| operation.contains("Write"));
    assert_eq!(writes.collect::<Vec<_>>(), ["TransactWriteItems"]);
    assert_eq!(world.admin("northwind").get(&path).await.standing(), "received");
}

#[tokio::test]
async fn lists_and_totals_tell_leads_from_opportunities() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let lead = send(&world, &["fabrikam"]).await;
    let other = world.deal(&["fabrikam"]).await;
    let ids = async |client: &Client, query: &str| {
        let items = client.all(&format!("/v1/opportunities?limit=10&{query}")).await;
        items
            .iter()
            .map(|item| item["id"].as_str().expect("an id").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&contoso, "tab=outbound&qualification=lead").await, [id(&lead)]);
    assert_eq!(
        ids(&contoso, "tab=outbound&qualification=salesQualified").await,
        [id(&other)]
    );
    assert_eq!(ids(&fabrikam, "tab=inbound&qualification=lead").await, [id(&lead)]);
    contoso
        .get("/v1/opportunities?tab=outbound&qualification=hot")
        .await
        .refuses(400, "malformedParameter");
    let totals = contoso.get("/v1/summary").await;
    let without = totals.body["totals"]
        .as_array()
        .expect("totals")
        .iter()
        .find(|line| line["currency"].is_null());
    let without = without.expect("a line of those without a value");
    assert_eq!((&without["count"], &without["value"]), (&json!(1), &Value::Null));
    fabrikam.post(&format!("{lead}/response"), &take_up()).await.is(200);
    assert_eq!(ids(&contoso, "tab=outbound&qualification=lead").await, [""; 0]);
}

#[tokio::test]
async fn a_dry_run_shows_what_the_first_partner_would_see() {
    let world = World::start().await;
    let before = world.dump().await;
    let body = lead(&["fabrikam", "northwind"]);
    let dry = world
        .admin("contoso")
        .post("/v1/opportunities?dryRun=true", &body)
        .await;
    let invitees = dry.is(200).body["invitees"].as_array().expect("invitees");
    assert_eq!(invitees.len(), 1);
    assert_eq!(invitees[0]["organizationId"], "fabrikam");
    assert_eq!(dry.body["nextPartners"], json!(["northwind"]));
    assert_eq!(world.dump().await, before);
    let partner = world
        .admin("fabrikam")
        .post("/v1/opportunities", &lead(&["northwind"]))
        .await;
    partner.refuses(403, "notVendor");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_decline_and_the_owners_end_at_once_leave_nobody_with_a_lead_that_is_over() {
    let world = World::start().await;
    for _ in 0..10 {
        let path = send(&world, &["fabrikam", "northwind"]).await;
        let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
        let decline = json!({"decision": "decline", "reason": "budget"});
        let lost = json!({"outcome": "lost", "reason": "customerUnresponsive"});
        let (response, close) = (format!("{path}/response"), format!("{path}/close"));
        let (answer, closed) = tokio::join!(fabrikam.post(&response, &decline), contoso.post(&close, &lost));
        closed.is(200);
        assert!(matches!(answer.status, 200 | 409), "{answer}");
        let own = contoso.get(&path).await;
        let pending = own.body["participants"].as_array().expect("participants").iter();
        assert_eq!(pending.filter(|one| one["stage"] == "received").count(), 0, "{own}");
    }
    eventually("the sweep has nothing to do", || async {
        let report = world.stack.sweep().await.expect("swept");
        (report["due"] == 0).then_some(())
    })
    .await;
}
