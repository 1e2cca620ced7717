//! Isolation as a table: every route of the template × every kind of caller.

use std::collections::BTreeSet;

use axum::http::Method;
use local::Template;
use serde_json::{Value, json};
use tests::{Answer, Client, JSON, World, deal, invitation, registration};

/// A ULID that nobody has.
const UNKNOWN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// Callers, in the order of a row's statuses. The deal is Contoso's, with an invitation to Northwind.
const CALLERS: [&str; 9] = [
    "no token",
    "wrong signature",
    "alg: none",
    "expired",
    "other organization",
    "viewer",
    "seller off the team",
    "exchange_admin",
    "seller on the team",
];

/// A route, the body it takes, and the status for each caller. What a route is about is Contoso's.
type Row = (&'static str, Option<fn() -> Value>, [u16; 9]);

const ROWS: &[Row] = &[
    (
        "POST /v1/opportunities",
        Some(private),
        [401, 401, 401, 401, 201, 403, 201, 403, 201],
    ),
    (
        "GET /v1/opportunities",
        None,
        [401, 401, 401, 401, 200, 200, 200, 403, 200],
    ),
    (
        "GET /v1/opportunities/{id}",
        None,
        [401, 401, 401, 401, 404, 200, 404, 403, 200],
    ),
    (
        "PATCH /v1/opportunities/{id}",
        Some(patch),
        [401, 401, 401, 401, 404, 403, 404, 403, 200],
    ),
    (
        "GET /v1/opportunities/{id}/history",
        None,
        [401, 401, 401, 401, 404, 200, 404, 403, 200],
    ),
    (
        "GET /v1/opportunities/{id}/notes",
        None,
        [401, 401, 401, 401, 404, 200, 404, 403, 200],
    ),
    (
        "POST /v1/opportunities/{id}/notes",
        Some(note),
        [401, 401, 401, 401, 404, 403, 404, 403, 201],
    ),
    (
        "PUT /v1/opportunities/{id}/favorite",
        None,
        [401, 401, 401, 401, 404, 204, 404, 403, 204],
    ),
    (
        "DELETE /v1/opportunities/{id}/favorite",
        None,
        [401, 401, 401, 401, 404, 204, 404, 403, 204],
    ),
    (
        "POST /v1/opportunities/{id}/invitations",
        Some(invite),
        [401, 401, 401, 401, 404, 403, 404, 403, 201],
    ),
    (
        "DELETE /v1/opportunities/{id}/invitations/{organizationId}",
        None,
        [401, 401, 401, 401, 404, 403, 404, 403, 204],
    ),
    // Contoso has nothing to answer: it is the owner.
    (
        "POST /v1/opportunities/{id}/response",
        Some(accept),
        [401, 401, 401, 401, 404, 403, 404, 403, 409],
    ),
    (
        "POST /v1/opportunities/{id}/close",
        Some(won),
        [401, 401, 401, 401, 404, 403, 404, 403, 200],
    ),
    // What follows is the caller's own organization's, or everybody's.
    ("GET /v1/customers", None, [401, 401, 401, 401, 200, 200, 200, 403, 200]),
    (
        "GET /v1/contacts/recent",
        None,
        [401, 401, 401, 401, 200, 200, 200, 403, 200],
    ),
    ("GET /v1/solutions", None, [401, 401, 401, 401, 200, 200, 200, 403, 200]),
    (
        "GET /v1/organizations/me",
        None,
        [401, 401, 401, 401, 200, 200, 200, 403, 200],
    ),
    (
        "PATCH /v1/organizations/me",
        Some(profile),
        [401, 401, 401, 401, 200, 403, 403, 403, 403],
    ),
    // Contoso is the vendor: it registers nothing with itself, and reviews what Northwind has registered.
    (
        "PUT /v1/opportunities/{id}/registration",
        Some(registration),
        [401, 401, 401, 401, 404, 403, 404, 403, 403],
    ),
    (
        "GET /v1/opportunities/{id}/registration",
        None,
        [401, 401, 401, 401, 404, 404, 404, 403, 404],
    ),
    (
        "GET /v1/registrations",
        None,
        [401, 401, 401, 401, 200, 200, 200, 403, 200],
    ),
    (
        "GET /v1/registrations/{id}",
        None,
        [401, 401, 401, 401, 404, 200, 404, 403, 200],
    ),
    (
        "POST /v1/registrations/{id}/review",
        Some(approval),
        [401, 401, 401, 401, 404, 403, 403, 403, 403],
    ),
    ("GET /v1/summary", None, [401, 401, 401, 401, 200, 200, 200, 403, 200]),
    (
        "GET /v1/notifications",
        None,
        [401, 401, 401, 401, 200, 200, 200, 403, 200],
    ),
    ("GET /v1/partners", None, [401, 401, 401, 401, 200, 200, 200, 403, 200]),
    (
        "GET /v1/partners/me",
        None,
        [401, 401, 401, 401, 200, 200, 200, 403, 200],
    ),
    (
        "GET /v1/opportunities/{id}/partners",
        None,
        [401, 401, 401, 401, 404, 200, 404, 403, 200],
    ),
    (
        "POST /v1/webhooks",
        Some(webhook),
        [401, 401, 401, 401, 201, 403, 403, 403, 403],
    ),
    ("GET /v1/webhooks", None, [401, 401, 401, 401, 200, 403, 403, 403, 403]),
    (
        "GET /v1/webhooks/{id}",
        None,
        [401, 401, 401, 401, 404, 403, 403, 403, 403],
    ),
    (
        "DELETE /v1/webhooks/{id}",
        None,
        [401, 401, 401, 401, 404, 403, 403, 403, 403],
    ),
    (
        "POST /v1/webhooks/{id}/test",
        None,
        [401, 401, 401, 401, 404, 403, 403, 403, 403],
    ),
    (
        "GET /v1/webhooks/{id}/deliveries",
        None,
        [401, 401, 401, 401, 404, 403, 403, 403, 403],
    ),
];

fn webhook() -> Value {
    json!({"url": "https://127.0.0.1:1/hooks"})
}

fn profile() -> Value {
    json!({"countries": ["DE"]})
}

fn private() -> Value {
    deal(&[])
}

fn patch() -> Value {
    json!({"name": "Mine"})
}

fn note() -> Value {
    json!({"text": "Hi", "visibility": "internal"})
}

fn invite() -> Value {
    invitation("tailspin")
}

fn accept() -> Value {
    json!({"decision": "accept"})
}

fn won() -> Value {
    json!({"outcome": "won"})
}

fn approval() -> Value {
    json!({"decision": "approve"})
}

/// The same claims as those of a right token, in tokens that are not.
fn tampered(world: &World) -> [String; 3] {
    let right = world.admin("contoso").token().to_owned();
    let (signed, signature) = right.rsplit_once('.').expect("a token");
    let (_, claims) = signed.split_once('.').expect("a token");
    // {"alg":"none","typ":"JWT"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{other}{}", &signature[1..]);
    [forged, unsigned, world.expired("contoso")]
}

fn callers(world: &World) -> Vec<Client> {
    let [forged, unsigned, expired] = tampered(world);
    vec![
        world.nobody(),
        world.bearer(&forged),
        world.bearer(&unsigned),
        world.bearer(&expired),
        world.admin("fabrikam"),
        world.client("contoso", &["viewer"]),
        world.user("contoso", &["seller"], "sam"),
        world.client("contoso", &["exchange_admin"]),
        world.user("contoso", &["seller"], "carla"),
    ]
}

/// What the route is about: a deal with an invitation, a registration of Northwind's, or a webhook.
async fn subject(world: &World, route: &str) -> String {
    if route.contains("/registrations") {
        return world.registered_deal("northwind").await.1;
    }
    if !route.contains("/webhooks") {
        return tests::id(&world.deal(&["northwind"]).await).to_owned();
    }
    let created = world.admin("contoso").post("/v1/webhooks", &webhook()).await;
    created.is(201).body["id"].as_str().expect("an id").to_owned()
}

async fn call(client: &Client, route: &str, id: &str, body: Option<fn() -> Value>) -> Answer {
    let (method, path) = route.split_once(' ').expect("a route");
    let mut path = path.replace("{id}", id).replace("{organizationId}", "northwind");
    if route == "GET /v1/opportunities" {
        path.push_str("?tab=outbound");
    }
    if route == "GET /v1/customers" {
        path.push_str("?country=US&q=ada");
    }
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut headers = vec![];
    if body.is_some() {
        headers.push(JSON);
    }
    if method == Method::PATCH {
        headers.push(("if-match", "*"));
    }
    client
        .send(method, &path, &headers, body.map(|body| body().to_string()))
        .await
}

#[test]
fn every_route_has_its_row_and_every_row_its_route() {
    let routes: BTreeSet<String> = Template::embedded()
        .expect("right")
        .routes
        .iter()
        .map(local::routes::Route::key)
        .collect();
    let rows: BTreeSet<String> = ROWS.iter().map(|(route, ..)| (*route).to_owned()).collect();
    assert_eq!(routes, rows);
    assert_eq!(rows.len(), ROWS.len());
}

#[tokio::test]
async fn every_caller_gets_what_it_may_and_nothing_else() {
    for (route, body, expected) in ROWS {
        let world = World::start().await;
        let callers = callers(&world);
        for (caller, (client, status)) in CALLERS.iter().zip(callers.iter().zip(expected)) {
            let id = subject(&world, route).await;
            let before = world.dump().await;
            let answer = call(client, route, &id, *body).await;
            assert_eq!(answer.status, *status, "{caller}: {answer}");
            if !(200..300).contains(status) {
                assert_eq!(world.dump().await, before, "{caller} changed something: {route}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_yours_is_to_the_byte_what_does_not_exist() {
    let world = World::start().await;
    let strangers = [
        world.admin("fabrikam"),
        world.client("fabrikam", &["viewer"]),
        world.user("contoso", &["seller"], "sam"),
    ];
    let mut compared = 0;
    for (route, body, _) in ROWS.iter().filter(|(route, ..)| route.contains("{id}")) {
        let id = subject(&world, route).await;
        for stranger in &strangers {
            let known = call(stranger, route, &id, *body).await;
            let unknown = call(stranger, route, UNKNOWN, *body).await;
            assert_eq!(
                (known.status, &known.headers, &known.text),
                (unknown.status, &unknown.headers, &unknown.text),
                "{known}"
            );
            assert!([403, 404].contains(&known.status), "{known}");
            compared += 1;
        }
    }
    assert_eq!(compared, 60);
}
