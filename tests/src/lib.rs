//! What the end-to-end suites share: a local stack of their own, and a client of it that knows nothing but HTTP.

#![allow(
    clippy::missing_panics_doc,
    reason = "a helper of tests panics when the test has failed"
)]

pub mod bus;
pub mod capacity;
pub mod companies;
pub mod consistency;
pub mod faults;
pub mod linear;
pub mod mutation;
pub mod receiver;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use local::{Claims, Data, Options, Stack};
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::RwLock;
use tokio::time::Instant;

use capacity::Units;

/// What tokens are signed with.
pub const SECRET: &str = "a secret of the tests";
/// How long something that must happen by itself may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// A stack with a vendor, partners, solutions and a customer, and nothing else.
pub struct World {
    /// The stack.
    pub stack: Stack,
    /// Where its table is, without whatever stands between.
    engine: String,
    /// The engine that a recorded stack works with; it ends with the world.
    kept: Option<Box<Stack>>,
}

/// An item of the table.
pub type Item = BTreeMap<String, Value>;

/// How many times the short size a suite runs: `COSELL_SIZE`, else 1.
pub fn size() -> usize {
    setting("COSELL_SIZE").map_or(1, |size| size.parse().expect("COSELL_SIZE is a number"))
}

/// A setting of the suites.
#[expect(clippy::disallowed_methods, reason = "this is the one home of the suites' settings")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How a stack of the tests starts: with an engine in memory, or with the one at `COSELL_ENGINE`, such as
/// `http://127.0.0.1:8000`. That has to be one that keeps a database for each access key, as DynamoDB Local does.
pub fn options() -> Options {
    static STACKS: AtomicU32 = AtomicU32::new(0);
    let number = STACKS.fetch_add(1, Ordering::Relaxed);
    Options {
        port: 0,
        data: Data::Memory,
        seed: false,
        response_window: TimeDelta::days(14),
        expiring_before: TimeDelta::days(3),
        sweep_every: None,
        dynamodb_endpoint: setting("COSELL_ENGINE"),
        dynamodb_access_key: format!("test{}x{number}", std::process::id()),
        events_endpoint: None,
        // Most suites look at what requests do to the table, and at nothing that happens by itself.
        stream: false,
        secret: SECRET.to_owned(),
        clock_ahead: TimeDelta::zero(),
    }
}

/// Numbers that look like chance, the same for the same seed.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        // Steele, Lea and Flood: SplitMix64 (OOPSLA 2014).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("small")
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }

    /// Dice of the suite's [`seed`], printed so that a run can be repeated.
    pub fn seeded(suite: &str) -> Self {
        let seed = seed();
        println!("{suite}: COSELL_SEED={seed}");
        Self(seed)
    }
}

/// What random suites start from: `COSELL_SEED`, else the time. They print it when they fail.
pub fn seed() -> u64 {
    let now = edge::clock::now().millis();
    setting("COSELL_SEED").map_or(now, |seed| seed.parse().expect("COSELL_SEED is a number"))
}

/// Whether what is generated in the READMEs is to be written anew instead of compared: `COSELL_REWRITE`.
pub fn rewrite() -> bool {
    setting("COSELL_REWRITE").is_some()
}

/// The file with the script that is to be run instead of random ones: `COSELL_REPLAY`.
pub fn replay() -> Option<PathBuf> {
    setting("COSELL_REPLAY").map(PathBuf::from)
}

/// What every world holds. `secret-erp` is not co-sell ready, `erp` can be registered, and `litware` has no solution at all.
pub const CATALOG: &str = r#"
{"kind": "organization", "id": "contoso", "name": "Contoso", "organizationKind": "vendor"}
{"kind": "organization", "id": "fabrikam", "name": "Fabrikam", "organizationKind": "partner", "countries": ["US"]}
{"kind": "organization", "id": "northwind", "name": "Northwind", "organizationKind": "partner"}
{"kind": "organization", "id": "tailspin", "name": "Tailspin", "organizationKind": "partner"}
{"kind": "organization", "id": "litware", "name": "Litware", "organizationKind": "partner"}
{"kind": "solution", "id": "cloud", "name": "Contoso Cloud", "publisher": "contoso", "coSellReady": true}
{"kind": "solution", "id": "erp", "name": "Fabrikam ERP", "publisher": "fabrikam", "coSellReady": true, "registrationEligible": true}
{"kind": "solution", "id": "crm", "name": "Northwind CRM", "publisher": "northwind", "coSellReady": true}
{"kind": "solution", "id": "pos", "name": "Tailspin POS", "publisher": "tailspin", "coSellReady": true}
{"kind": "solution", "id": "secret-erp", "name": "Next ERP", "publisher": "fabrikam", "coSellReady": false}
{"kind": "customer", "name": "Adatum", "country": "US", "dunsNumber": "123456789", "address": {"city": "Reno", "region": "Nevada"}}
"#;

impl World {
    /// A world with the usual settings: 14 days to answer, and no sweep but the one that is asked for.
    pub async fn start() -> Self {
        Self::with(options()).await
    }

    /// A world with settings of its own.
    pub async fn with(options: Options) -> Self {
        let stack = Stack::start(options).await.expect("the stack starts");
        let report = stack.import(CATALOG).await.expect("the import runs");
        assert_eq!(report["bad"], json!([]), "the catalog is right");
        Self {
            engine: stack.engine_url(),
            stack,
            kept: None,
        }
    }

    /// Another stack on the same table.
    pub async fn beside(&self, options: Options) -> Self {
        self.through(self.engine.clone(), options).await
    }

    /// Another stack on the same table, with something between the two.
    pub async fn through(&self, url: String, options: Options) -> Self {
        let options = Options {
            dynamodb_endpoint: Some(url),
            ..options
        };
        // Many may start at once, on a machine that has other things to do as well.
        let mut tries = 0;
        let stack = loop {
            tries += 1;
            match Stack::start(options.clone()).await {
                Ok(stack) => break stack,
                Err(error) => assert!(tries < 5, "{error}"),
            }
        };
        Self {
            stack,
            engine: self.engine.clone(),
            kept: None,
        }
    }

    /// Where its table is.
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// A world whose invitations lapse soon.
    pub async fn with_window(window: TimeDelta) -> Self {
        Self::with(Options {
            response_window: window,
            ..options()
        })
        .await
    }

    /// A world in which events go their way by themselves.
    pub async fn telling() -> Self {
        Self::with(Options {
            stream: true,
            ..options()
        })
        .await
    }

    /// A world in which everything that is asked of the database is written down.
    pub async fn recorded() -> (Self, Recorder) {
        Self::recorded_with(options()).await
    }

    /// The same with settings of its own.
    pub async fn recorded_with(options: Options) -> (Self, Recorder) {
        let engine = Stack::start(self::options()).await.expect("an engine");
        let recorder = Recorder::before(engine.engine_url()).await;
        let options = Options {
            dynamodb_endpoint: Some(recorder.url.clone()),
            ..options
        };
        let mut world = Self::with(options).await;
        world.engine = engine.engine_url();
        world.kept = Some(Box::new(engine));
        recorder.clear();
        (world, recorder)
    }

    /// Imports lines past whatever stands between.
    pub async fn import(&self, lines: &str) -> Value {
        let stack = self.kept.as_deref().unwrap_or(&self.stack);
        stack.import(lines).await.expect("the import runs")
    }

    /// Somebody of an organization who may do everything for it.
    pub fn admin(&self, organization: &str) -> Client {
        self.client(organization, &["referrals_admin"])
    }

    /// Somebody of an organization with some roles; its user id is `<organization>-user`.
    pub fn client(&self, organization: &str, roles: &[&str]) -> Client {
        let user = format!("{organization}-user");
        self.user(organization, roles, &user)
    }

    /// A particular user of an organization; the email address is `<user>@<organization>.example`.
    pub fn user(&self, organization: &str, roles: &[&str], user: &str) -> Client {
        let claims = Claims {
            org: organization.to_owned(),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            email: format!("{user}@{organization}.example"),
            name: Some(user.to_owned()),
            sub: user.to_owned(),
        };
        self.bearer(&local::token(SECRET, &claims, TimeDelta::hours(1)))
    }

    /// A token that was right until an hour ago.
    pub fn expired(&self, organization: &str) -> String {
        let claims = Claims {
            org: organization.to_owned(),
            roles: vec!["referrals_admin".to_owned()],
            email: format!("late@{organization}.example"),
            name: None,
            sub: "late".to_owned(),
        };
        local::token(SECRET, &claims, TimeDelta::hours(-1))
    }

    /// Whoever has a token with just these claims, as any issuer might have made it.
    pub fn claiming(&self, claims: &Value) -> Client {
        let encoded = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!(
            "{}.{}",
            encoded(&json!({"alg": "HS256", "typ": "JWT"})),
            encoded(claims)
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
        self.bearer(&format!("{signed}.{signature}"))
    }

    /// Whoever has this token.
    pub fn bearer(&self, token: &str) -> Client {
        Client::at(&self.stack.url(), token)
    }

    /// Somebody without a token.
    pub fn nobody(&self) -> Client {
        Client {
            url: self.stack.url(),
            authorization: None,
        }
    }

    /// Contoso's deal to which these were invited: its path.
    pub async fn deal(&self, invited: &[&str]) -> String {
        let answer = self.admin("contoso").post("/v1/opportunities", &deal(invited)).await;
        answer.is(201);
        answer.header("location").to_owned()
    }

    /// Contoso's deal that Fabrikam was invited to and has accepted: its path.
    pub async fn accepted_deal(&self) -> String {
        let deal = self.deal(&["fabrikam"]).await;
        self.admin("fabrikam")
            .post(&format!("{deal}/response"), &json!({"decision": "accept"}))
            .await
            .is(200);
        deal
    }

    /// Contoso's deal that this organization has won, too: its path.
    pub async fn won_deal(&self, organization: &str) -> String {
        let deal = self.deal(&[organization]).await;
        let partner = self.admin(organization);
        let accept = json!({"decision": "accept"});
        partner.post(&format!("{deal}/response"), &accept).await.is(200);
        let won = json!({"outcome": "won"});
        partner.post(&format!("{deal}/close"), &won).await.is(200);
        deal
    }

    /// The same, and it has registered it: the deal's path, and the registration's id.
    pub async fn registered_deal(&self, organization: &str) -> (String, String) {
        let deal = self.won_deal(organization).await;
        let answer = self
            .admin(organization)
            .put_json(&format!("{deal}/registration"), &registration())
            .await;
        let id = answer.is(201).body["id"].as_str().expect("an id").to_owned();
        (deal, id)
    }

    /// The table itself, past whatever stands between.
    pub fn table(&self) -> aws_sdk_dynamodb::Client {
        // With the key of its stack: an engine may keep a database for each.
        let mut aws = self.stack.app().config.aws.clone();
        aws.endpoints.dynamodb = Some(self.engine.clone());
        aws.dynamodb()
    }

    /// Everything in the table, by keys.
    pub async fn dump(&self) -> BTreeMap<(String, String), Item> {
        dump(&self.table()).await
    }

    /// All events, in the order of their ids, as a batch of the table's stream; each `age` old.
    pub async fn batch(&self, age: Duration) -> Value {
        let table = self.dump().await;
        let mut events: Vec<&Item> = table
            .iter()
            .filter(|((_, sk), _)| sk.starts_with("EVENT#"))
            .map(|(_, item)| item)
            .collect();
        events.sort_by_key(|event| event["id"].as_str().map(str::to_owned));
        let now = edge::clock::now().datetime().timestamp().unsigned_abs();
        let record = |(number, event): (usize, &&Item)| {
            let image: serde_dynamo::Item = serde_dynamo::to_item(event).expect("an item");
            json!({
                "eventName": "INSERT",
                "dynamodb": {
                    "ApproximateCreationDateTime": now - age.as_secs(),
                    "Keys": {"pk": {"S": event["pk"]}, "sk": {"S": event["sk"]}},
                    "NewImage": image,
                    "SequenceNumber": format!("{number:021}"),
                },
            })
        };
        json!({"Records": events.iter().enumerate().map(record).collect::<Vec<_>>()})
    }

    /// What was published, once as many events as that were.
    pub async fn published(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} events on the bus"), || async {
            let published = self.stack.published();
            (published.len() >= count).then_some(published)
        })
        .await
    }

    /// The events of a deal in their order.
    pub async fn events(&self, deal: &str) -> Vec<Item> {
        let pk = format!("DEAL#{}", id(deal));
        let items = self.dump().await.into_iter();
        items
            .filter(|((key, sk), _)| *key == pk && sk.starts_with("EVENT#"))
            .map(|(_, item)| item)
            .collect()
    }

    /// The record of an organization's view of a deal.
    pub async fn record(&self, deal: &str, organization: &str) -> Item {
        let key = (format!("DEAL#{}", id(deal)), format!("ORG#{organization}"));
        self.dump().await.remove(&key).expect("there is such a view")
    }
}

/// An engine at this address.
pub fn engine(url: &str) -> aws_sdk_dynamodb::Client {
    let aws = edge::Aws {
        region: "local".to_owned(),
        credentials: aws_sdk_dynamodb::config::Credentials::new("local", "local", None, None, "tests"),
        own_roots: false,
        endpoints: edge::Endpoints {
            dynamodb: Some(url.to_owned()),
            ..edge::Endpoints::default()
        },
    };
    aws.dynamodb()
}

/// Everything in the table of an engine, by keys.
#[expect(
    clippy::disallowed_methods,
    reason = "to see that nothing was written, a test reads everything"
)]
pub async fn dump(engine: &aws_sdk_dynamodb::Client) -> BTreeMap<(String, String), Item> {
    let pages = engine.scan().table_name(local::TABLE).into_paginator().items().send();
    let items = pages
        .collect::<Result<Vec<_>, _>>()
        .await
        .expect("the table is readable");
    let items = items
        .into_iter()
        .map(|item| item.iter().map(|(name, value)| (name.clone(), plain(value))).collect());
    let key = |item: &Item, name| item[name].as_str().expect("a key").to_owned();
    items
        .map(|item: Item| ((key(&item, "pk"), key(&item, "sk")), item))
        .collect()
}

/// The id in a deal's path.
pub fn id(path: &str) -> &str {
    path.rsplit('/').next().expect("a path")
}

fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => number
            .parse::<i64>()
            .map_or_else(|_| json!(number), |number| json!(number)),
        AttributeValue::Bool(bool) => json!(bool),
        AttributeValue::L(items) => items.iter().map(plain).collect(),
        AttributeValue::M(items) => items.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        AttributeValue::Null(_) => Value::Null,
        other => panic!("an attribute of a kind that nothing writes: {other:?}"),
    }
}

/// The body of a right request for a deal of Contoso to which these are invited.
pub fn deal(invited: &[&str]) -> Value {
    let invitations: Vec<Value> = invited.iter().map(|organization| invitation(organization)).collect();
    json!({
        "name": "ERP for Adatum",
        "estimatedValue": {"amount": "125000.00", "currency": "USD"},
        "estimatedCloseDate": "2099-12-31",
        "crmId": "contoso-crm-1",
        "campaignId": "contoso-campaign",
        "customer": {
            "id": "123456789",
            "contact": {"name": "Lee Gu", "phone": "+14255550100", "email": "lee@adatum.example"}
        },
        "team": [{"name": "Carla Ruiz", "phone": "+14255550111", "email": "carla@contoso.example"}],
        "solutions": ["cloud", "erp"],
        "invitations": invitations,
    })
}

/// The body of a right invitation.
pub fn invitation(organization: &str) -> Value {
    json!({
        "organizationId": organization,
        "helpType": "proofOfConcept",
        "message": "Adatum wants to see it.",
        "contacts": [{"name": "Carla Ruiz", "email": "carla@contoso.example"}],
        "customerConsent": true,
    })
}

/// The body of a right registration of such a deal.
pub fn registration() -> Value {
    json!({
        "solutionId": "erp",
        "contractValue": {"amount": "118000.00", "currency": "USD"},
        "solutionValue": {"amount": "64000.00", "currency": "USD"},
        "signedDate": day(0),
        "startDate": "2099-01-01",
        "endDate": "2099-12-31",
    })
}

/// The day that is so many days from today, in UTC.
pub fn day(days: i64) -> String {
    edge::clock::now().plus(TimeDelta::days(days)).date().to_string()
}

/// A right request with one value at another place in it.
pub fn but(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match body.pointer_mut(parent).expect("the place is there") {
        Value::Array(items) => {
            let index: usize = name.parse().expect("an index");
            items[index] = value;
        }
        place => place[name] = value,
    }
    body
}

/// Waits for what must come about by itself.
pub async fn eventually<F: Future<Output = Option<T>>, T>(what: &str, probe: impl Fn() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A caller of the API.
#[derive(Debug, Clone)]
pub struct Client {
    url: String,
    authorization: Option<String>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was asked, for messages.
    request: String,
    /// The status.
    pub status: u16,
    /// The headers, by name in lower case, save `date`.
    pub headers: BTreeMap<String, String>,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; `null` if it is none.
    pub body: Value,
}

/// The program `cosell`, built as these tests were. Cargo builds another package's library for a test, not its program.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test");
    // target/<profile>/deps/<test>
    let folder = test.ancestors().nth(2).expect("where the profile's programs are");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--package", "local", "--bin", "cosell"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let target = folder.parent().expect("the target folder");
    let status = build
        .env("CARGO_TARGET_DIR", target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.expect("cargo runs").success(), "the program is built");
    folder.join(format!("cosell{}", std::env::consts::EXE_SUFFIX))
}

impl Client {
    /// Its token.
    pub fn token(&self) -> &str {
        self.authorization
            .as_deref()
            .and_then(|value| value.strip_prefix("Bearer "))
            .expect("a token")
    }

    /// Whoever has this token, at any stack.
    pub fn at(url: &str, token: &str) -> Self {
        Self {
            url: url.to_owned(),
            authorization: Some(format!("Bearer {token}")),
        }
    }

    /// `GET`
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// `GET` with a header.
    pub async fn get_with(&self, path: &str, name: &str, value: &str) -> Answer {
        self.send(Method::GET, path, &[(name, value)], None).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[JSON], Some(body.to_string())).await
    }

    /// `POST` of JSON with a header.
    pub async fn post_with(&self, path: &str, name: &str, value: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[JSON, (name, value)], Some(body.to_string()))
            .await
    }

    /// `PATCH` of what has this tag.
    pub async fn patch(&self, path: &str, etag: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/merge-patch+json"), ("if-match", etag)];
        self.send(Method::PATCH, path, &headers, Some(body.to_string())).await
    }

    /// `PATCH` of what is there.
    pub async fn patch_now(&self, path: &str, body: &Value) -> Answer {
        let etag = self.get(path).await.header("etag").to_owned();
        self.patch(path, &etag, body).await
    }

    /// `PUT` without a body.
    pub async fn put(&self, path: &str) -> Answer {
        self.send(Method::PUT, path, &[], None).await
    }

    /// `PUT` of JSON.
    pub async fn put_json(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, &[JSON], Some(body.to_string())).await
    }

    /// `DELETE`
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], None).await
    }

    /// Everything that its organization was told, once that is as much as this.
    pub async fn told(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} notifications"), || async {
            let told = self.all("/v1/notifications?limit=100").await;
            (told.len() >= count).then_some(told)
        })
        .await
    }

    /// All items of a list, page by page.
    pub async fn all(&self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let answer = self.get(&format!("{path}{cursor}")).await;
            answer.is(200);
            items.extend(answer.body["items"].as_array().expect("items").clone());
            let Some(next) = answer.body["nextCursor"].as_str() else {
                return items;
            };
            cursor = format!("&cursor={next}");
        }
    }

    /// Any request.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Answer {
        let answer = self.try_send(method, path, headers, body).await;
        answer.expect("an answer")
    }

    /// Any request, to a server that may be gone, or go.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer, NoAnswer> {
        let host = self.url.strip_prefix("http://").expect("plain HTTP");
        let mut request = hyper::Request::builder()
            .method(method.clone())
            .uri(path)
            .header(header::HOST, host);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .expect("a request");
        let response = try_exchange(host, request).await?;
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        let headers = parts.headers.iter().filter(|(name, _)| *name != header::DATE);
        Ok(Answer {
            request: format!("{method} {path}"),
            status: parts.status.as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.to_str().expect("ASCII").to_owned()))
                .collect(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }
}

/// Why there is no answer.
pub type NoAnswer = Box<dyn std::error::Error + Send + Sync>;

/// The header of a JSON body.
pub const JSON: (&str, &str) = ("content-type", "application/json");

async fn exchange(host: &str, request: hyper::Request<Full<Bytes>>) -> hyper::Response<Bytes> {
    try_exchange(host, request).await.expect("an answer")
}

async fn try_exchange(host: &str, request: hyper::Request<Full<Bytes>>) -> Result<hyper::Response<Bytes>, NoAnswer> {
    let stream = TcpStream::connect(host).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(hyper::Response::from_parts(parts, body.collect().await?.to_bytes()))
}

impl Answer {
    /// The status must be this.
    #[track_caller]
    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The status must be this, and the problem's code that.
    #[track_caller]
    pub fn refuses(&self, status: u16, code: &str) -> &Self {
        assert_eq!(
            (self.status, self.body["code"].as_str()),
            (status, Some(code)),
            "{self}"
        );
        assert_eq!(self.header("content-type"), "application/problem+json", "{self}");
        self
    }

    /// It must be a 422 with exactly these faults: pointers and codes, in any order.
    #[track_caller]
    pub fn has_faults(&self, expected: &[(&str, &str)]) -> &Self {
        self.refuses(422, "validationFailed");
        let text = |fault: &Value, name: &str| fault[name].as_str().unwrap_or_default().to_owned();
        let faults = self.body["errors"].as_array().expect("errors").iter();
        let mut found: Vec<_> = faults
            .map(|fault| (text(fault, "pointer"), text(fault, "code")))
            .collect();
        let mut expected: Vec<_> = expected
            .iter()
            .map(|(at, code)| ((*at).to_owned(), (*code).to_owned()))
            .collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{self}");
        self
    }

    /// A header that must be there.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self}"))
    }

    /// Stage and outcome of the opportunity, such as `archived won`, or `accepted`.
    #[track_caller]
    pub fn standing(&self) -> String {
        standing(&self.body)
    }

    /// How a participant stands.
    #[track_caller]
    pub fn participant(&self, organization: &str) -> String {
        let participants = self.body["participants"]
            .as_array()
            .unwrap_or_else(|| panic!("no participants: {self}"));
        let found = participants
            .iter()
            .find(|participant| participant["organizationId"] == organization);
        standing(found.unwrap_or_else(|| panic!("no participant {organization}: {self}")))
    }
}

/// Stage and outcome, such as `archived won`, or `accepted`.
pub fn standing(view: &Value) -> String {
    let stage = view["stage"].as_str().unwrap_or_default();
    view["outcome"]
        .as_str()
        .map_or_else(|| stage.to_owned(), |outcome| format!("{stage} {outcome}"))
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} → {} {:?}\n{}",
            self.request, self.status, self.headers, self.text
        )
    }
}

/// Stands between the functions and the engine, and writes down what is asked of it.
#[derive(Clone)]
pub struct Recorder {
    url: String,
    engine: String,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
    /// Capacity that was consumed.
    units: Arc<Mutex<Units>>,
    /// Shared by the requests that are on their way.
    under_way: Arc<RwLock<()>>,
    /// What is left out of the answers of an index: its name, and the attribute's.
    withheld: Arc<Mutex<Option<(String, String)>>>,
}

impl Recorder {
    /// One before this engine.
    pub async fn before(engine: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let recorder = Self {
            url,
            engine,
            seen: Arc::default(),
            units: Arc::default(),
            under_way: Arc::default(),
            withheld: Arc::default(),
        };
        let app = axum::Router::new().fallback(record).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        recorder
    }

    /// Forgets what was asked.
    pub fn clear(&self) {
        self.seen.lock().expect("not poisoned").clear();
        *self.units.lock().expect("not poisoned") = Units::default();
    }

    /// How often an operation was asked for since the last time.
    pub fn count(&self, operation: &str) -> usize {
        let seen = self.seen.lock().expect("not poisoned");
        seen.iter().filter(|(asked, _)| asked == operation).count()
    }

    /// The capacity that was consumed since [`Recorder::clear`]: of all requests that have arrived, since what one writes can be
    /// seen before it is answered.
    pub async fn units(&self) -> Units {
        let _all_answered = self.under_way.write().await;
        *self.units.lock().expect("not poisoned")
    }

    /// From now on an index answers without this attribute, as if it did not have it; or with all that it has.
    pub fn withhold(&self, what: Option<(&str, &str)>) {
        let what = what.map(|(index, attribute)| (index.to_owned(), attribute.to_owned()));
        *self.withheld.lock().expect("not poisoned") = what;
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What was asked since the last time: the operations in their order of name, and their bodies.
    pub fn take(&self) -> Vec<(String, Value)> {
        let mut seen = std::mem::take(&mut *self.seen.lock().expect("not poisoned"));
        seen.sort_by(|a, b| a.0.cmp(&b.0));
        seen
    }

    /// The names of the operations since the last time, in alphabetical order.
    pub fn operations(&self) -> Vec<String> {
        self.take().into_iter().map(|(operation, _)| operation).collect()
    }
}

async fn record(State(recorder): State<Recorder>, request: Request) -> Response {
    let _under_way = recorder.under_way.read().await;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("a whole request").to_bytes();
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let withheld = recorder.withheld.lock().expect("not poisoned").clone();
    let withheld = withheld.filter(|(index, _)| json["IndexName"] == **index);
    let writes = ["TransactWriteItems", "PutItem", "UpdateItem", "DeleteItem"].contains(&operation.as_str());
    recorder.seen.lock().expect("not poisoned").push((operation, json));
    let host = recorder.engine.strip_prefix("http://").expect("plain HTTP");
    let mut request = hyper::Request::builder().method(parts.method).uri(parts.uri);
    for (name, value) in &parts.headers {
        request = request.header(name, value);
    }
    let (parts, body) = exchange(host, request.body(Full::new(body)).expect("a request"))
        .await
        .into_parts();
    let mut answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    // Of one table, or of each in a batch.
    let consumed = &answer["ConsumedCapacity"];
    let consumed = consumed.as_array().cloned().unwrap_or_else(|| vec![consumed.clone()]);
    let units: f64 = consumed
        .iter()
        .filter_map(|table| table["CapacityUnits"].as_f64())
        .sum();
    recorder.units.lock().expect("not poisoned").add(writes, units);
    let body = match withheld {
        None => body,
        Some((_, attribute)) => {
            let items = answer["Items"].as_array_mut().into_iter().flatten();
            items.filter_map(Value::as_object_mut).for_each(|item| {
                item.remove(&attribute);
            });
            Bytes::from(answer.to_string())
        }
    };
    let mut response = Response::from_parts(parts, Body::from(body));
    // Its length is told anew, and its checksum is not asked for.
    for name in ["transfer-encoding", "content-length", "x-amz-crc32"] {
        response.headers_mut().remove(name);
    }
    response
}
