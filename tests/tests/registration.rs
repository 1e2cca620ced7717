//! Deal registration over HTTP: a partner registers what it won, and the vendor reviews it.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};
use tests::{Answer, Client, JSON, World, but, day, deal, id, invitation, registration};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const LIST: &str = "/v1/registrations";
const ROUNDS: usize = 8;

fn approve() -> Value {
    json!({"decision": "approve"})
}

fn reject() -> Value {
    json!({"decision": "reject", "reason": "Another partner has registered this sale."})
}

fn request_info() -> Value {
    json!({"decision": "requestInfo", "reason": "Which tenant is it?"})
}

fn won() -> Value {
    json!({"outcome": "won"})
}

fn of(deal: &str) -> String {
    format!("{deal}/registration")
}

fn review(id: &str) -> String {
    format!("{LIST}/{id}/review")
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

/// A deal of the organization's own, won: the vendor has no part in it.
async fn private(world: &World, organization: &str) -> String {
    let partner = world.admin(organization);
    let created = partner.post("/v1/opportunities", &deal(&[])).await;
    let path = created.is(201).header("location").to_owned();
    partner.post(&format!("{path}/close"), &won()).await.is(200);
    path
}

async fn put_if(client: &Client, path: &str, etag: &str, body: &Value) -> Answer {
    let headers = [JSON, ("if-match", etag)];
    client.send(Method::PUT, path, &headers, Some(body.to_string())).await
}

#[tokio::test]
async fn what_was_won_is_submitted_and_approved() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let deal = world.accepted_deal().await;
    let closed = fabrikam.post(&format!("{deal}/close"), &won()).await;
    assert_eq!(closed.is(200).body["registrableSolutions"], json!(["erp"]));
    assert_eq!(closed.body["registration"], Value::Null);
    fabrikam.get(&of(&deal)).await.refuses(404, "notFound");

    let body = but(registration(), "/tenantReference", json!("adatum-prod"));
    let first = fabrikam.put_json(&of(&deal), &body).await;
    assert_eq!(first.is(201).header("location"), of(&deal));
    for (name, value) in body.as_object().expect("an object") {
        assert_eq!(first.body[name], *value, "{name}");
    }
    let shown = fabrikam.get(&of(&deal)).await;
    assert_eq!(
        (&shown.is(200).body, shown.header("etag")),
        (&first.body, first.header("etag"))
    );
    assert_eq!(shown.body["status"], "submitted");
    assert_eq!(shown.body["customer"]["dunsNumber"], "123456789");
    let own = fabrikam.get(&deal).await;
    assert_eq!(own.standing(), "archived won", "the opportunity stays what it is");
    assert_eq!(own.body["registration"]["status"], "submitted");
    assert_eq!(own.body["registration"]["solutionId"], "erp");
    assert_eq!(
        contoso.get(&deal).await.body["registration"],
        Value::Null,
        "it is not contoso's"
    );

    let id = first.body["id"].as_str().expect("an id");
    let waiting = contoso.all(&format!("{LIST}?status=submitted")).await;
    assert_eq!(
        waiting,
        [contoso.get(&format!("{LIST}/{id}")).await.is(200).body.clone()]
    );
    let reviewed = contoso.post(&review(id), &approve()).await;
    assert_eq!(reviewed.is(200).body["status"], "approved");
    assert_eq!(fabrikam.get(&of(&deal)).await.body, reviewed.body);
    assert_eq!(fabrikam.get(&deal).await.body["registration"]["status"], "approved");
    assert!(contoso.all(&format!("{LIST}?status=submitted")).await.is_empty());
    assert_eq!(
        contoso.all(&format!("{LIST}?status=approved")).await,
        std::slice::from_ref(&reviewed.body)
    );
    // Final, for both.
    for body in [approve(), reject(), request_info()] {
        let refused = contoso.post(&review(id), &body).await;
        assert_eq!(
            refused.refuses(409, "wrongStatus").body["registrationStatus"],
            "approved"
        );
    }
    fabrikam.put_json(&of(&deal), &body).await.refuses(409, "wrongStatus");
}

#[tokio::test]
async fn what_the_vendor_asks_is_answered_by_submitting_it_again() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let (deal, id) = world.registered_deal("fabrikam").await;
    let other = but(registration(), "/tenantReference", json!("adatum-prod"));
    let refused = fabrikam.put_json(&of(&deal), &other).await;
    assert_eq!(
        refused.refuses(409, "wrongStatus").body["registrationStatus"],
        "submitted"
    );

    let asked = contoso.post(&review(&id), &request_info()).await;
    assert_eq!(
        (&asked.is(200).body["status"], &asked.body["reason"]),
        (&json!("actionRequired"), &request_info()["reason"])
    );
    let seen = fabrikam.get(&of(&deal)).await;
    assert_eq!(
        (&seen.body["reason"], seen.body["version"].as_u64()),
        (&request_info()["reason"], Some(2))
    );
    let wrong = but(other.clone(), "/solutionValue/amount", json!("118000.01"));
    fabrikam
        .put_json(&of(&deal), &wrong)
        .await
        .has_faults(&[("/solutionValue/amount", "moreThanContract")]);
    let again = fabrikam.put_json(&of(&deal), &other).await;
    assert_eq!(again.is(200).body["id"], id.as_str(), "the same registration");
    assert_eq!(
        (&again.body["status"], &again.body["reason"]),
        (&json!("submitted"), &Value::Null)
    );
    assert_eq!(again.body["tenantReference"], "adatum-prod");
    assert_eq!(again.body["createdAt"], seen.body["createdAt"]);
    assert_ne!(again.body["submittedAt"], seen.body["submittedAt"]);
    contoso.post(&review(&id), &reject()).await.is(200);
    let ended = fabrikam.put_json(&of(&deal), &other).await;
    assert_eq!(ended.refuses(409, "wrongStatus").body["registrationStatus"], "rejected");
}

#[tokio::test]
async fn a_repeated_submission_is_answered_alike_and_changes_nothing() {
    let world = World::start().await;
    let fabrikam = world.admin("fabrikam");
    let deal = world.won_deal("fabrikam").await;
    let first = fabrikam.put_json(&of(&deal), &registration()).await;
    let before = world.dump().await;
    let again = fabrikam.put_json(&of(&deal), &registration()).await;
    assert_eq!(
        (first.is(201).body.clone(), again.is(200).body.clone()),
        (first.body.clone(), first.body.clone())
    );
    assert_eq!(first.header("etag"), again.header("etag"));
    assert_eq!(world.dump().await, before);
}

#[tokio::test]
async fn only_what_was_won_by_oneself_can_be_registered() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let deal = world.deal(&["fabrikam", "northwind"]).await;
    let before = world.dump().await;
    let refused = fabrikam.put_json(&of(&deal), &registration()).await;
    assert_eq!(refused.refuses(409, "wrongStage").standing(), "received");
    contoso
        .put_json(&of(&deal), &registration())
        .await
        .refuses(403, "notPartner");
    world
        .admin("tailspin")
        .put_json(&of(&deal), &registration())
        .await
        .refuses(404, "notFound");
    assert_eq!(world.dump().await, before);
    fabrikam
        .post(&format!("{deal}/response"), &json!({"decision": "accept"}))
        .await
        .is(200);
    fabrikam
        .put_json(&of(&deal), &registration())
        .await
        .refuses(409, "wrongStage");
    fabrikam.post(&format!("{deal}/close"), &won()).await.is(200);
    fabrikam.put_json(&of(&deal), &registration()).await.is(201);
    let northwind = world.admin("northwind").put_json(&of(&deal), &registration()).await;
    assert_eq!(
        northwind.refuses(409, "wrongStage").standing(),
        "received",
        "fabrikam's is fabrikam's"
    );
    world.admin("northwind").get(&of(&deal)).await.refuses(404, "notFound");
}

#[tokio::test]
async fn a_lead_can_be_registered_when_it_was_accepted_and_won_and_not_before() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let mut lead = deal(&["fabrikam", "northwind"]);
    lead["qualification"] = json!("lead");
    let path = contoso
        .post("/v1/opportunities", &lead)
        .await
        .is(201)
        .header("location")
        .to_owned();
    fabrikam
        .put_json(&of(&path), &registration())
        .await
        .refuses(409, "wrongStage");
    // Who does not have it yet does not know of it.
    world
        .admin("northwind")
        .put_json(&of(&path), &registration())
        .await
        .refuses(404, "notFound");
    fabrikam
        .post(&format!("{path}/response"), &json!({"decision": "accept"}))
        .await
        .is(200);
    fabrikam
        .put_json(&of(&path), &registration())
        .await
        .refuses(409, "wrongStage");
    fabrikam.post(&format!("{path}/close"), &won()).await.is(200);
    fabrikam.put_json(&of(&path), &registration()).await.is(201);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_and_nothing_is_written() {
    let world = World::start().await;
    let fabrikam = world.admin("fabrikam");
    let deal = world.won_deal("fabrikam").await;
    let before = world.dump().await;
    for (pointer, value, faults) in [
        ("/signedDate", json!(day(1)), [("/signedDate", "dateInFuture")]),
        ("/signedDate", json!(day(-61)), [("/signedDate", "dateTooOld")]),
        ("/signedDate", json!("soon"), [("/signedDate", "invalidDate")]),
        ("/endDate", json!("2098-12-31"), [("/endDate", "endBeforeStart")]),
        ("/solutionId", json!("crm"), [("/solutionId", "notInOpportunity")]),
        (
            "/solutionId",
            json!("cloud"),
            [("/solutionId", "notRegistrationEligible")],
        ),
        (
            "/solutionValue/amount",
            json!("118000.01"),
            [("/solutionValue/amount", "moreThanContract")],
        ),
        (
            "/solutionValue/currency",
            json!("EUR"),
            [("/solutionValue/currency", "currencyMismatch")],
        ),
        (
            "/solutionValue/amount",
            json!("0"),
            [("/solutionValue/amount", "notPositive")],
        ),
        (
            "/tenantReference",
            json!("x".repeat(65)),
            [("/tenantReference", "tooLong")],
        ),
        ("/note", json!("x".repeat(2_001)), [("/note", "tooLong")]),
        ("/tenant", json!("x"), [("/tenant", "unknownField")]),
    ] {
        let body = but(registration(), pointer, value);
        fabrikam.put_json(&of(&deal), &body).await.has_faults(&faults);
    }
    fabrikam.put_json(&of(&deal), &json!({})).await.has_faults(&[
        ("/solutionId", "required"),
        ("/contractValue", "required"),
        ("/solutionValue", "required"),
        ("/signedDate", "required"),
        ("/startDate", "required"),
    ]);
    assert_eq!(world.dump().await, before);
    let oldest = but(registration(), "/signedDate", json!(day(-60)));
    fabrikam.put_json(&of(&deal), &oldest).await.is(201);
}

#[tokio::test]
async fn the_vendors_list_begins_with_what_has_waited_longest() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let mut submitted = Vec::new();
    for n in 0..7 {
        let partner = ["fabrikam", "northwind", "tailspin"][n % 3];
        submitted.push(world.registered_deal(partner).await.1);
    }
    let waiting = contoso.all(&format!("{LIST}?status=submitted&limit=100")).await;
    assert_eq!(ids(&waiting), submitted);
    for limit in 1..=8 {
        let paged = contoso.all(&format!("{LIST}?status=submitted&limit={limit}")).await;
        assert_eq!(paged, waiting, "page by page, {limit} at a time");
    }
    for (n, body) in [(1, approve()), (2, reject()), (4, request_info())] {
        contoso.post(&review(&submitted[n]), &body).await.is(200);
    }
    for (status, expected) in [
        ("submitted", &[0, 3, 5, 6][..]),
        ("approved", &[1]),
        ("rejected", &[2]),
        ("actionRequired", &[4]),
    ] {
        let items = contoso.all(&format!("{LIST}?status={status}&limit=2")).await;
        let expected: Vec<&str> = expected.iter().map(|&n| submitted[n].as_str()).collect();
        assert_eq!(ids(&items), expected, "{status}");
        assert!(items.iter().all(|item| item["status"] == status));
    }
    for limit in [1, 2, 3, 100] {
        let all = contoso.all(&format!("{LIST}?limit={limit}")).await;
        assert_eq!(ids(&all), submitted, "all statuses, {limit} at a time");
    }
    contoso
        .get(&format!("{LIST}?status=open"))
        .await
        .refuses(400, "malformedParameter");
    let page = contoso.get(&format!("{LIST}?status=submitted&limit=1")).await;
    let cursor = page.is(200).body["nextCursor"].as_str().expect("a cursor");
    for (client, other) in [
        (&contoso, format!("status=approved&cursor={cursor}")),
        (&contoso, format!("cursor={cursor}")),
        (&contoso, format!("status=submitted&cursor={cursor}x")),
        (&world.admin("fabrikam"), format!("status=submitted&cursor={cursor}")),
    ] {
        client
            .get(&format!("{LIST}?{other}"))
            .await
            .refuses(400, "malformedCursor");
    }
}

#[tokio::test]
async fn a_partner_lists_its_own_and_learns_of_no_other() {
    let world = World::start().await;
    let mut own = Vec::new();
    let mut others = Vec::new();
    for _ in 0..3 {
        own.push(world.registered_deal("fabrikam").await.1);
        others.push(world.registered_deal("northwind").await.1);
    }
    let fabrikam = world.admin("fabrikam");
    for limit in [1, 2, 100] {
        assert_eq!(ids(&fabrikam.all(&format!("{LIST}?limit={limit}")).await), own);
    }
    assert_eq!(
        ids(&fabrikam.all(&format!("{LIST}?status=submitted&limit=2")).await),
        own
    );
    assert!(world.admin("tailspin").all(&format!("{LIST}?limit=9")).await.is_empty());
    for id in &others {
        fabrikam.get(&format!("{LIST}/{id}")).await.refuses(404, "notFound");
        fabrikam.post(&review(id), &approve()).await.refuses(404, "notFound");
    }
    fabrikam
        .post(&review(&own[0]), &approve())
        .await
        .refuses(403, "notVendor");
    fabrikam.get(&format!("{LIST}/{}", own[0])).await.is(200);
    // What is no id, and a deal's, name none.
    for other in ["x", "01ARZ3NDEKTSV4RRFFQ69G5FAV"] {
        fabrikam.get(&format!("{LIST}/{other}")).await.refuses(404, "notFound");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_vendor_learns_what_it_says_and_who_buys_and_nothing_of_the_deal() {
    let world = World::telling().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let mut secret = deal(&[]);
    for pointer in [
        "/name",
        "/crmId",
        "/campaignId",
        "/note",
        "/team/0/name",
        "/customer/contact/name",
    ] {
        secret = but(secret, pointer, json!("MARKER"));
    }
    let path = fabrikam
        .post("/v1/opportunities", &secret)
        .await
        .is(201)
        .header("location")
        .to_owned();
    let close = json!({"outcome": "won", "note": "MARKER"});
    fabrikam.post(&format!("{path}/close"), &close).await.is(200);
    let first = fabrikam.put_json(&of(&path), &registration()).await;
    assert_eq!(first.is(201).body["dealId"], id(&path), "its own organization knows it");
    let registered = first.body["id"].as_str().expect("an id");

    let shown = contoso.get(&format!("{LIST}/{registered}")).await;
    assert_eq!(shown.is(200).body["dealId"], Value::Null);
    assert_eq!(
        shown.body["customer"],
        json!({
            "name": "Adatum", "country": "US", "dunsNumber": "123456789",
            "address": {"addressLine1": null, "addressLine2": null, "city": "Reno", "region": "Nevada", "postalCode": null},
        })
    );
    assert_eq!(shown.body["organization"]["organizationId"], "fabrikam");
    let reviewed = contoso.post(&review(registered), &request_info()).await;
    assert_eq!(reviewed.is(200).body["dealId"], Value::Null);
    let told = contoso.told(1).await;
    assert_eq!(
        (&told[0]["dealId"], &told[0]["opportunity"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(told[0]["registration"]["id"], registered);
    assert_eq!(told[0]["registration"]["customerName"], "Adatum");
    let listed = contoso.get(LIST).await;
    for text in [
        &shown.text,
        &reviewed.text,
        &listed.is(200).text,
        &json!(told).to_string(),
    ] {
        assert!(!text.contains(id(&path)) && !text.contains("MARKER"), "{text}");
        assert!(
            !text.contains("lee@adatum.example") && !text.contains("+14255550100"),
            "{text}"
        );
    }
    contoso.get(&path).await.refuses(404, "notFound");
    contoso.get(&of(&path)).await.refuses(404, "notFound");
    // The organization is told of its deal.
    let told = fabrikam.told(1).await;
    assert_eq!(told[0]["type"], "Registration Action Required");
    assert_eq!(
        (&told[0]["dealId"], &told[0]["opportunity"]["name"]),
        (&json!(id(&path)), &json!("MARKER"))
    );
    assert_eq!(told[0]["registration"]["reason"], request_info()["reason"]);
}

#[tokio::test]
async fn a_vendor_that_takes_part_sees_which_deal_it_is() {
    let world = World::start().await;
    let (deal, registered) = world.registered_deal("fabrikam").await;
    let shown = world.admin("contoso").get(&format!("{LIST}/{registered}")).await;
    assert_eq!(shown.is(200).body["dealId"], id(&deal));
}

#[tokio::test]
async fn its_history_is_its_organizations_own() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let (deal, id) = world.registered_deal("fabrikam").await;
    contoso.post(&review(&id), &request_info()).await.is(200);
    let again = but(registration(), "/tenantReference", json!("adatum-prod"));
    fabrikam.put_json(&of(&deal), &again).await.is(200);
    contoso.post(&review(&id), &approve()).await.is(200);
    let history = |client: Client| async move { client.all(&format!("{deal}/history?limit=2")).await };
    let types = |items: &[Value]| -> Vec<String> {
        let types = items
            .iter()
            .map(|item| item["type"].as_str().expect("a type").to_owned());
        types.collect()
    };
    let own = history.clone()(fabrikam).await;
    assert_eq!(
        types(&own)[..5],
        [
            "registrationApproved",
            "registrationSubmitted",
            "registrationActionRequired",
            "registrationSubmitted",
            "won"
        ]
    );
    assert_eq!(own[0]["actor"], json!({"organizationId": "contoso", "userId": null}));
    assert_eq!(own[0].get("reason"), None);
    assert_eq!(own[2]["reason"], request_info()["reason"]);
    assert_eq!(
        own[1]["changes"],
        json!([{"field": "registration.tenantReference", "from": null, "to": "adatum-prod"}])
    );
    let first = own[3]["changes"].as_array().expect("changes");
    assert_eq!(first.len(), 6, "every field of the first one: {first:?}");
    assert!(first.iter().all(|change| change["from"] == Value::Null));
    let other = history(contoso).await;
    assert_eq!(
        types(&other),
        ["won", "accepted", "invited", "created"],
        "not the owner's business"
    );
}

#[tokio::test]
async fn it_changes_no_total() {
    let world = World::start().await;
    let fabrikam = world.admin("fabrikam");
    let deal = world.won_deal("fabrikam").await;
    let before = fabrikam.get("/v1/summary").await.body;
    fabrikam.put_json(&of(&deal), &registration()).await.is(201);
    assert_eq!(fabrikam.get("/v1/summary").await.body, before);
    let listed = fabrikam.all("/v1/opportunities?tab=inbound&outcome=won").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["registration"]["status"], "submitted");
}

#[tokio::test]
async fn sellers_register_the_deals_of_their_team_and_review_nothing() {
    let world = World::start().await;
    let (carla, sam) = (
        world.user("contoso", &["seller"], "carla"),
        world.user("contoso", &["seller"], "sam"),
    );
    let (ana, bob) = (
        world.user("fabrikam", &["seller"], "ana"),
        world.user("fabrikam", &["seller"], "bob"),
    );
    let deal = world.deal(&["fabrikam"]).await;
    ana.post(&format!("{deal}/response"), &json!({"decision": "accept"}))
        .await
        .is(200);
    ana.post(&format!("{deal}/close"), &won()).await.is(200);
    bob.put_json(&of(&deal), &registration()).await.refuses(404, "notFound");
    world
        .client("fabrikam", &["viewer"])
        .put_json(&of(&deal), &registration())
        .await
        .refuses(403, "forbidden");
    let registered = ana.put_json(&of(&deal), &registration()).await;
    let id = registered.is(201).body["id"].as_str().expect("an id");
    // One of which no seller of the vendor's knows.
    let private = private(&world, "fabrikam").await;
    let other = world.admin("fabrikam").put_json(&of(&private), &registration()).await;
    let other = other.is(201).body["id"].as_str().expect("an id").to_owned();
    for (client, expected) in [
        (world.admin("contoso"), vec![id, &other]),
        (world.client("contoso", &["viewer"]), vec![id, &other]),
        (carla.clone(), vec![id]),
        (sam.clone(), vec![]),
        (ana.clone(), vec![id]),
        (bob.clone(), vec![]),
    ] {
        assert_eq!(ids(&client.all(&format!("{LIST}?limit=1")).await), expected);
        for one in [id, &other] {
            let status = if expected.contains(&one) { 200 } else { 404 };
            client.get(&format!("{LIST}/{one}")).await.is(status);
        }
    }
    for seller in [&carla, &sam] {
        seller.post(&review(id), &approve()).await.refuses(403, "forbidden");
    }
    world
        .client("contoso", &["viewer"])
        .post(&review(id), &approve())
        .await
        .refuses(403, "forbidden");
    world
        .client("contoso", &["partner_admin"])
        .post(&review(id), &approve())
        .await
        .is(200);
}

#[tokio::test]
async fn who_says_what_it_has_seen_overwrites_nothing_else() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let deal = world.won_deal("fabrikam").await;
    for etag in ["*", "\"1-0123456789abcdef\""] {
        put_if(&fabrikam, &of(&deal), etag, &registration())
            .await
            .refuses(412, "preconditionFailed");
    }
    let first = fabrikam.put_json(&of(&deal), &registration()).await;
    let (seen, id) = (first.is(201).header("etag"), first.body["id"].as_str().expect("an id"));
    let asked = contoso.post_with(&review(id), "if-match", seen, &request_info()).await;
    let other = but(registration(), "/note", json!("Other"));
    put_if(&fabrikam, &of(&deal), seen, &other)
        .await
        .refuses(412, "preconditionFailed");
    put_if(&fabrikam, &of(&deal), asked.is(200).header("etag"), &other)
        .await
        .is(200);
    contoso
        .post_with(&review(id), "if-match", seen, &approve())
        .await
        .refuses(412, "preconditionFailed");
    contoso
        .post_with(&review(id), "if-match", "*", &approve())
        .await
        .is(200);
}

#[tokio::test]
async fn the_same_key_gets_the_first_answer_and_another_body_none() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let (_, id) = world.registered_deal("fabrikam").await;
    let keyed = |body: Value| {
        let (contoso, path) = (contoso.clone(), review(&id));
        async move { contoso.post_with(&path, "idempotency-key", "k", &body).await }
    };
    // A refused request does not use it up.
    keyed(json!({"decision": "reject"}))
        .await
        .has_faults(&[("/reason", "required")]);
    let first = keyed(approve()).await;
    let again = keyed(approve()).await;
    assert_eq!(
        (first.is(200).body.clone(), first.header("etag")),
        (again.is(200).body.clone(), again.header("etag"))
    );
    keyed(reject()).await.refuses(422, "idempotencyKeyReused");
}

/// Who asks, and what: method, path, headers beside that of JSON, body.
type Contestant = (Client, Method, String, Vec<(&'static str, &'static str)>, Value);

/// Sends all at once; the answers in the order of the requests.
async fn race(contestants: Vec<Contestant>) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(contestants.len()));
    let mut tasks = JoinSet::new();
    for (index, (client, method, path, headers, body)) in contestants.into_iter().enumerate() {
        let barrier = Arc::clone(&barrier);
        tasks.spawn(async move {
            let mut all = vec![JSON];
            all.extend(headers);
            barrier.wait().await;
            (index, client.send(method, &path, &all, Some(body.to_string())).await)
        });
    }
    let mut answers = tasks.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn types(world: &World, deal: &str) -> Vec<String> {
    let events = world.events(deal).await;
    let types = events
        .iter()
        .map(|event| event["type"].as_str().expect("a type").to_owned());
    types.filter(|kind| kind.starts_with("registration")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_reviewers_at_once_one_decides() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let (deal, id) = world.registered_deal("fabrikam").await;
        let reviews = [approve(), reject(), request_info()];
        let names = [
            "registrationApproved",
            "registrationRejected",
            "registrationActionRequired",
        ];
        let contestants = reviews.into_iter().enumerate().map(|(n, body)| {
            let reviewer = world.user("contoso", &["partner_admin"], &format!("reviewer-{n}"));
            (reviewer, Method::POST, review(&id), vec![], body)
        });
        let answers = race(contestants.collect()).await;
        let won: Vec<usize> = (0..3).filter(|&n| answers[n].status == 200).collect();
        assert_eq!(won.len(), 1, "{answers:#?}");
        for lost in (0..3).filter(|n| *n != won[0]) {
            answers[lost].refuses(409, "wrongStatus");
        }
        assert_eq!(types(&world, &deal).await, ["registrationSubmitted", names[won[0]]]);
        let now = world.admin("fabrikam").get(&of(&deal)).await.body;
        assert_eq!(now, answers[won[0]].body, "view and record agree");
        assert_eq!(world.admin("contoso").get(&format!("{LIST}/{id}")).await.body, now);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_submissions_at_once_one_is_made() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let deal = world.won_deal("fabrikam").await;
        let fabrikam = world.admin("fabrikam");
        let body = |n: usize| but(registration(), "/tenantReference", json!(format!("tenant-{n}")));
        let put = |n| (fabrikam.clone(), Method::PUT, of(&deal), vec![], body(n));
        // Two say the same.
        let answers = race(vec![put(0), put(1), put(1)]).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(
            [[201, 409, 409], [409, 201, 200], [409, 200, 201]].contains(&[statuses[0], statuses[1], statuses[2]]),
            "{statuses:?}"
        );
        assert_eq!(types(&world, &deal).await, ["registrationSubmitted"]);
        let submitted = fabrikam.all(&format!("{LIST}?limit=100")).await;
        let of_this = submitted.iter().filter(|item| item["dealId"] == id(&deal));
        assert_eq!(of_this.count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_approval_and_the_owners_close_do_not_contradict() {
    let world = World::start().await;
    for _ in 0..ROUNDS {
        let (deal, registered) = world.registered_deal("fabrikam").await;
        let contoso = world.admin("contoso");
        let lost = json!({"outcome": "lost", "reason": "budget"});
        let answers = race(vec![
            (contoso.clone(), Method::POST, review(&registered), vec![], approve()),
            (contoso.clone(), Method::POST, format!("{deal}/close"), vec![], lost),
        ])
        .await;
        answers[0].is(200);
        answers[1].is(200);
        assert_eq!(contoso.get(&deal).await.standing(), "archived lost");
        let fabrikam = world.admin("fabrikam").get(&deal).await;
        assert_eq!(
            (fabrikam.standing().as_str(), &fabrikam.body["registration"]["status"]),
            ("archived won", &json!("approved"))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_key_at_once_reviews_once() {
    let world = World::start().await;
    let (deal, id) = world.registered_deal("fabrikam").await;
    let contoso = world.admin("contoso");
    let keyed = |_| {
        let headers = vec![("idempotency-key", "k")];
        (contoso.clone(), Method::POST, review(&id), headers, approve())
    };
    let answers = race((0..8).map(keyed).collect()).await;
    for answer in &answers {
        assert_eq!((answer.is(200).status, &answer.text), (200, &answers[0].text));
    }
    assert_eq!(
        types(&world, &deal).await,
        ["registrationSubmitted", "registrationApproved"]
    );
}

#[tokio::test]
async fn a_webhook_can_ask_for_registrations_alone() {
    let world = World::start().await;
    let types = json!([
        "Registration Submitted",
        "Registration Action Required",
        "Registration Approved",
        "Registration Rejected"
    ]);
    let webhook = json!({"url": "https://127.0.0.1:1/hooks", "eventTypes": types});
    let created = world.admin("contoso").post("/v1/webhooks", &webhook).await;
    assert_eq!(created.is(201).body["eventTypes"], types);
}

#[tokio::test]
async fn whoever_else_is_invited_learns_nothing_of_a_registration() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let (deal, registered) = world.registered_deal("fabrikam").await;
    contoso
        .post(&format!("{deal}/invitations"), &invitation("northwind"))
        .await
        .is(201);
    let northwind = world.admin("northwind");
    northwind.get(&of(&deal)).await.refuses(404, "notFound");
    for path in [deal.clone(), format!("{deal}/history"), LIST.to_owned()] {
        let answer = northwind.get(&path).await;
        assert!(!answer.is(200).text.contains(&registered), "{answer}");
        assert!(!answer.text.contains("registrationSubmitted"), "{answer}");
    }
}
