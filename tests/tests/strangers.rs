//! Strangers: whatever arrives, nothing panics, hangs or grows without bound, nobody gets what is not his, and what is wrong is
//! told to whom it concerns and to nobody else. Cases are made of right requests with something done to them; the seed is
//! printed, and `COSELL_SIZE` makes it more of them.

#![expect(
    clippy::too_many_lines,
    reason = "a table of what strangers try is as long as their list of ideas"
)]

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use local::routes::{Route, find};
use local::{Claims, Template};
use proptest::prelude::*;
use proptest::sample::select;
use ring::{digest, hmac};
use serde_json::{Map, Value, json};
use tests::mutation::{cut, cuts, edited, edits, hold};
use tests::{JSON, SECRET, World, but, deal, id, invitation};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// What Lambda passes on of an answer.
const MAX_ANSWER: usize = 6 * 1024 * 1024;
/// What no function may take for one event, whatever is in it: each is far below its timeout.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the whole of a run may take of memory, in kilobytes: engine, stacks and all.
const MAX_MEMORY: u64 = 2 * 1024 * 1024;
const UNKNOWN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// A world and what drives it, for properties, which are not asynchronous.
struct Stage {
    runtime: Runtime,
    world: World,
    routes: Vec<Route>,
}

/// A right request: who, method, path and query, headers and body. `{deal}` is a deal of Contoso's that Fabrikam has received
/// (`received`) or accepted, made for this request.
#[derive(Debug, Clone)]
struct Asked {
    by: &'static str,
    method: &'static str,
    path: &'static str,
    received: bool,
    body: Value,
}

fn asked(by: &'static str, method: &'static str, path: &'static str, body: Value) -> Asked {
    let received = path.ends_with("/response") || path.ends_with("/fabrikam");
    Asked {
        by,
        method,
        path,
        received,
        body,
    }
}

fn commands() -> Vec<Asked> {
    let team = json!([{"name": "Ana", "phone": "+14255550123", "email": "ana@fabrikam.example"}]);
    let money = json!({"amount": "1000.50", "currency": "EUR"});
    let post = |by, path, body| asked(by, "POST", path, body);
    vec![
        post("contoso", "/v1/opportunities", deal(&["fabrikam", "northwind"])),
        post("contoso", "/v1/opportunities?dryRun=true", deal(&["fabrikam"])),
        post(
            "fabrikam",
            "{deal}/response",
            json!({"decision": "accept", "name": "Ours", "estimatedValue": money, "estimatedCloseDate": "2099-01-01",
                "crmId": "F-1", "campaignId": "C-1", "team": team, "note": "Yes."}),
        ),
        post(
            "fabrikam",
            "{deal}/response",
            json!({"decision": "decline", "reason": "other", "note": "No."}),
        ),
        post(
            "contoso",
            "{deal}/close",
            json!({"outcome": "lost", "reason": "budget", "note": "Alas."}),
        ),
        post(
            "fabrikam",
            "{deal}/close",
            json!({"outcome": "won", "finalValue": money}),
        ),
        post("contoso", "{deal}/invitations", invitation("northwind")),
        post(
            "contoso",
            "{deal}/notes",
            json!({"text": "We met.", "visibility": "shared"}),
        ),
        asked(
            "contoso",
            "PATCH",
            "{deal}",
            json!({"name": "New", "estimatedValue": money, "estimatedCloseDate": "2099-01-01", "crmId": null,
                "campaignId": "C-2", "team": team, "solutions": ["cloud"],
                "customer": {"contact": {"name": "Lee", "phone": "+14255550199", "email": "lee@adatum.example"}}}),
        ),
        post(
            "fabrikam",
            "/v1/webhooks",
            json!({"url": "http://127.0.0.1:9/hooks", "eventTypes": ["Note Shared"]}),
        ),
    ]
}

fn questions() -> Vec<Asked> {
    let get = |path| asked("contoso", "GET", path, Value::Null);
    vec![
        get("/v1/opportunities?tab=outbound&stage=accepted&q=adatum&limit=5&updatedSince=2026-11-21T00:00:00Z"),
        get("/v1/opportunities?tab=inbound&outcome=expired&campaignId=c&crmId=x&cursor=abc"),
        get("/v1/opportunities?tab=favorites"),
        get("{deal}"),
        get("{deal}/history?limit=2&cursor=abc"),
        get("{deal}/notes?limit=2"),
        get("/v1/summary"),
        get("/v1/notifications?limit=3&cursor=abc"),
        get("/v1/webhooks"),
        get("/v1/webhooks/01ARZ3NDEKTSV4RRFFQ69G5FAV/deliveries"),
        asked("contoso", "PUT", "{deal}/favorite", Value::Null),
        asked("contoso", "DELETE", "{deal}/favorite", Value::Null),
        asked("contoso", "DELETE", "{deal}/invitations/fabrikam", Value::Null),
        asked(
            "contoso",
            "DELETE",
            "/v1/webhooks/01ARZ3NDEKTSV4RRFFQ69G5FAV",
            Value::Null,
        ),
    ]
}

impl Stage {
    fn set() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let world = runtime.block_on(World::start());
        let routes = Template::embedded().expect("right").routes;
        Self { runtime, world, routes }
    }

    /// The function that is asked, and the event that it gets.
    fn event(&self, asked: &Asked) -> (String, Value) {
        let deal = asked.path.contains("{deal}").then(|| {
            self.runtime.block_on(async {
                if asked.received {
                    self.world.deal(&["fabrikam"]).await
                } else {
                    self.world.accepted_deal().await
                }
            })
        });
        let path = asked.path.replace("{deal}", &deal.unwrap_or_default());
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let (route, parameters) = find(&self.routes, asked.method, path).expect("a route");
        let event = json!({
            "version": "2.0",
            "routeKey": route.key(),
            "rawPath": path,
            "rawQueryString": query,
            "cookies": ["a=b"],
            "headers": {"host": "api.example", "content-type": "application/json", "if-match": "*", "x-forwarded-proto": "https",
                "idempotency-key": entropy()},
            "pathParameters": parameters,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "authorizer": {"jwt": {"claims": {"sub": "u1", "org": asked.by, "roles": "[referrals_admin]",
                    "email": "u1@x.example", "name": "U One"}, "scopes": null}},
                "domainName": "api.example",
                "http": {"method": asked.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "test"},
                "requestId": "JKJaXmPLvHcESHA=",
                "routeKey": route.key(),
                "stage": "$default",
                "time": "21/Nov/2026:09:30:00 +0000",
                "timeEpoch": 1_795_253_400_000_u64,
            },
            "body": if asked.body.is_null() { Value::Null } else { asked.body.to_string().into() },
            "isBase64Encoded": false,
        });
        (route.function.clone(), event)
    }

    /// What a function makes of an event, which is an answer, or that it is none; and nothing that is the function's fault.
    fn invoke(&self, function: &str, event: Value) -> Result<Option<Value>, TestCaseError> {
        let started = Instant::now();
        let result = self.runtime.block_on(self.world.stack.invoke(function, event));
        prop_assert!(
            started.elapsed() < PATIENCE,
            "{} took {:?}",
            function,
            started.elapsed()
        );
        match result {
            Err(why) => {
                prop_assert!(
                    !why.contains("panicked") && !why.contains("timed out") && !why.contains("Internal"),
                    "{}",
                    why
                );
                Ok(None)
            }
            Ok(answer) => {
                prop_assert!(
                    answer.to_string().len() < MAX_ANSWER,
                    "an answer of {}",
                    answer.to_string().len()
                );
                if let Some(status) = answer["statusCode"].as_u64() {
                    prop_assert!((200..500).contains(&status), "{}", answer);
                }
                if answer["statusCode"].as_u64() >= Some(400) {
                    prop_assert_eq!(&answer["headers"]["content-type"], "application/problem+json");
                    let problem: Value =
                        serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
                    prop_assert!(
                        problem["code"].is_string() && problem["detail"].is_string(),
                        "{}",
                        answer
                    );
                }
                Ok(Some(answer))
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let Some(peak) = peak_memory() else {
            println!("peak memory: not told on this system");
            return;
        };
        println!("peak memory: {} MB", peak / 1024);
        assert!(peak < MAX_MEMORY || std::thread::panicking(), "{peak} kB");
    }
}

/// The most memory that this process ever had, in kilobytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn entropy() -> String {
    format!("{:032x}", edge::entropy::entropy())
}

// --- events and bodies ---

#[test]
fn any_event_of_the_gateway_has_an_answer_or_is_none() {
    let stage = Stage::set();
    let all: Vec<Asked> = commands().into_iter().chain(questions()).collect();
    hold(150, (select(all), edits()), |(asked, edits)| {
        let (function, event) = stage.event(&asked);
        stage.invoke(&function, edited(&event, &edits)).map(drop)
    });
}

#[test]
fn any_body_is_told_what_is_wrong_with_it() {
    let stage = Stage::set();
    hold(150, (select(commands()), edits()), |(asked, edits)| {
        let body = edited(&asked.body, &edits);
        let (function, mut event) = stage.event(&asked);
        event["body"] = body.to_string().into();
        let answer = stage.invoke(&function, event)?.expect("an event");
        let told: Value = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
        for fault in told["errors"].as_array().into_iter().flatten() {
            let pointer = fault["pointer"].as_str().expect("a pointer");
            prop_assert!(pointer.is_empty() || pointer.starts_with('/'), "{}", pointer);
            // It points into the request, or at what is missing there.
            let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            prop_assert!(
                body.pointer(parent).is_some() || fault["code"] == "required",
                "{} in {}",
                pointer,
                body
            );
        }
        // What is taken is taken as it is.
        if answer["statusCode"] == 201 && function == "create" {
            for field in ["name", "crmId", "campaignId", "estimatedCloseDate"] {
                prop_assert_eq!(&told[field], &body[field]);
            }
        }
        Ok(())
    });
}

#[test]
fn any_bytes_are_told_what_is_wrong_with_them() {
    let stage = Stage::set();
    // A webhook's host would be looked up.
    let commands: Vec<Asked> = commands()
        .into_iter()
        .filter(|asked| asked.path != "/v1/webhooks")
        .collect();
    hold(150, (select(commands), cuts()), |(asked, cuts)| {
        let (function, mut event) = stage.event(&asked);
        event["body"] = STANDARD.encode(cut(asked.body.to_string().as_bytes(), &cuts)).into();
        event["isBase64Encoded"] = true.into();
        prop_assert!(stage.invoke(&function, event)?.is_some());
        Ok(())
    });
}

/// Each is read or refused at once, and the answer is one that Lambda passes on.
#[test]
fn the_largest_bodies_that_may_be_are_answered() {
    let stage = Stage::set();
    let room = 250 * 1024;
    let filled =
        |open: &str, item: &str, close: &str| format!("{open}{}{close}", item.repeat((room - open.len()) / item.len()));
    let members: Vec<String> = (0..20_000).map(|index| format!("\"{index}\":0,")).collect();
    let members = members.concat();
    let bodies = [
        filled("{\"team\":[", "0,", "0]}"),
        filled("{\"team\":[", "{},", "{}]}"),
        filled("{\"solutions\":[", "\"\",", "\"\"]}"),
        filled("{\"invitations\":[", "{\"contacts\":[{},{},{}]},", "{}]}"),
        filled("{\"name\":\"", "\\u0001", "\"}"),
        filled("{\"name\":\"", "ﷺ", "\"}"),
        filled("{\"", "~", "\":0}"),
        filled("{\"a\":", "[", ""),
        filled("{\"a\":", "{\"a\":", ""),
        filled("{\"a\":", "9", "}"),
        filled("{\"a\":0.", "9", "}"),
        format!("{{{members}\"a\":0}}"),
        format!("{{\"customer\":{{{members}\"a\":0}}}}"),
        format!("{{\"team\":[{{{members}\"a\":0}}]}}"),
    ];
    for asked in commands() {
        for body in &bodies {
            let (function, mut event) = stage.event(&asked);
            event["body"] = body.as_str().into();
            let answer = stage.invoke(&function, event).expect("no harm").expect("an answer");
            let status = answer["statusCode"].as_u64();
            assert!(
                [Some(400), Some(409), Some(422)].contains(&status),
                "{} {:.200}: {answer:.500}",
                asked.path,
                body
            );
        }
    }
    for asked in questions() {
        let (function, mut event) = stage.event(&asked);
        event["body"] = bodies[11].as_str().into();
        stage.invoke(&function, event).expect("no harm");
    }
}

#[test]
fn any_query_and_any_header_is_read_or_refused() {
    let stage = Stage::set();
    let headers = select(vec![
        "if-match",
        "if-none-match",
        "idempotency-key",
        "content-type",
        "cookie",
        "x-thing",
    ]);
    let all: Vec<Asked> = commands().into_iter().chain(questions()).collect();
    let value = prop_oneof![
        "\\PC{0,40}",
        "[\"W/,* a0-9-]{0,24}",
        select(vec!["a".repeat(8_000), "\"1-0123456789abcdef\"".repeat(400)])
    ];
    hold(
        150,
        (select(all), cuts(), headers, value),
        |(asked, cuts, header, value)| {
            let (function, mut event) = stage.event(&asked);
            let query = cut(event["rawQueryString"].as_str().unwrap_or_default().as_bytes(), &cuts);
            event["rawQueryString"] = String::from_utf8_lossy(&query).into();
            event["headers"][header] = value.into();
            stage.invoke(&function, event).map(drop)
        },
    );
}

#[test]
fn any_event_of_stream_queue_schedule_and_operator_is_read_or_refused() {
    let stage = Stage::set();
    stage.runtime.block_on(stage.world.accepted_deal());
    let mut events: Vec<(&str, Value)> = [
        ("notify", include_str!("../events/notify.json")),
        ("deliver", include_str!("../events/deliver.json")),
        ("expire", include_str!("../events/expire.json")),
        ("import", include_str!("../events/import.json")),
    ]
    .map(|(function, event)| (function, serde_json::from_str(event).expect("JSON")))
    .into();
    events.push(("notify", stage.runtime.block_on(stage.world.batch(Duration::ZERO))));
    let span = json!({"redrive": {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z", "cursor": "3/01ARZ3NDEKTSV4RRFFQ69G5FAV#x"}});
    events.push(("notify", span));
    events.push(("notify", json!({"redrive": {"dealId": UNKNOWN}})));
    hold(150, (select(events), edits()), |((function, event), edits)| {
        stage.invoke(function, edited(&event, &edits)).map(drop)
    });
    // The body of a message is JSON within JSON.
    let delivery: Value = serde_json::from_str(include_str!("../events/deliver.json")).expect("JSON");
    let body: Value = serde_json::from_str(delivery["Records"][0]["body"].as_str().expect("text")).expect("JSON");
    hold(100, edits(), |edits| {
        let body = edited(&body, &edits).to_string();
        stage
            .invoke("deliver", but(delivery.clone(), "/Records/0/body", body.into()))
            .map(drop)
    });
}

#[test]
fn any_line_of_an_import_goes_in_or_is_reported_by_its_number() {
    let stage = Stage::set();
    let lines: Vec<Value> = include_str!("../events/import.json").parse::<Value>().expect("JSON")["lines"]
        .as_str()
        .expect("text")
        .lines()
        .map(|line| line.parse().expect("JSON"))
        .collect();
    hold(300, (select(lines.clone()), edits(), cuts()), |(line, edits, cuts)| {
        let text = edited(&line, &edits).to_string();
        let broken = String::from_utf8_lossy(&cut(text.as_bytes(), &cuts)).replace(['\n', '\r'], " ");
        let report = stage
            .invoke("import", json!({"lines": format!("{text}\n{broken}\n")}))?
            .expect("a report");
        let count = |name: &str| report[name].as_u64().expect("a number");
        let bad = report["bad"].as_array().expect("a list").len() as u64;
        prop_assert_eq!(
            count("read"),
            count("created") + count("updated") + count("unchanged") + bad,
            "{}",
            report
        );
        Ok(())
    });
    // The wrong file altogether: it is told so in an answer that Lambda passes on.
    let wrong = "name;country;city\n".repeat(300_000);
    let report = stage
        .invoke("import", json!({"lines": wrong}))
        .expect("no harm")
        .expect("a report");
    assert_eq!(
        (&report["read"], &report["badLines"]),
        (&json!(300_000), &json!(300_000))
    );
    let worst = format!(
        "{}\n",
        json!({"kind": "customer", "address": (0..200).map(|n| (n.to_string(), Value::Null)).collect::<Map<_, _>>()})
    );
    stage
        .invoke("import", json!({"lines": worst.repeat(2_000)}))
        .expect("no harm")
        .expect("a report");
}

// --- cursors ---

/// A cursor's digest is no secret, so anybody can make one that says anything.
fn forged(scope: &str, lines: &[&str]) -> String {
    let body = lines.join("\n");
    let hash = digest::digest(
        &digest::SHA256,
        [scope.as_bytes(), &[0], body.as_bytes()].concat().as_slice(),
    );
    URL_SAFE_NO_PAD.encode([&hash.as_ref()[..12], body.as_bytes()].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_cursor_leads_nowhere_else() {
    let world = World::telling().await;
    let deal = world.accepted_deal().await;
    let secret = world.deal(&[]).await;
    let (fabrikam, contoso) = (world.admin("fabrikam"), world.admin("contoso"));
    for at in [&deal, &secret] {
        contoso
            .post(
                &format!("{at}/notes"),
                &json!({"text": "ours", "visibility": "internal"}),
            )
            .await
            .is(201);
    }
    fabrikam.told(1).await;
    let since = "2026-11-21T09:00:00.000Z";
    let secret_view = format!("{since}#{}", id(&secret));
    let places = [
        "",
        "end",
        "x",
        "ORG#contoso",
        "EVENT#",
        "EVENT#x",
        "NOTE#~",
        "INBOX#",
        "INBOX#99999999999999999999",
        "\u{0}",
        &secret_view,
        "9999-12-31T23:59:59.999Z#01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "EVENT#7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    ];
    let long = "E".repeat(2_000);
    let all = "Filter { stage: None, outcome: None, qualification: None, text: None, campaign_id: None, crm_id: None, updated_since: None }";
    let lists = [
        (format!("{deal}/notes?"), format!("fabrikam/{}/NOTE#", id(&deal)), 1),
        (format!("{deal}/history?"), format!("fabrikam/{}/EVENT#", id(&deal)), 1),
        ("/v1/notifications?".to_owned(), "fabrikam/INBOX#".to_owned(), 1),
        (
            "/v1/opportunities?tab=inbound".to_owned(),
            format!("fabrikam//inbound/{all}"),
            4,
        ),
        (
            "/v1/opportunities?tab=outbound".to_owned(),
            format!("fabrikam//outbound/{all}"),
            2,
        ),
        (
            "/v1/opportunities?tab=favorites".to_owned(),
            format!("fabrikam/fabrikam-user/favorites/{all}"),
            1,
        ),
    ];
    let mut taken = 0;
    for (path, scope, count) in &lists {
        for place in places.iter().copied().chain([long.as_str()]) {
            for since in [since, "x", "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"] {
                let lines: Vec<&str> = std::iter::once(since)
                    .chain(std::iter::repeat_n(place, *count))
                    .collect();
                let answer = fabrikam.get(&format!("{path}&cursor={}", forged(scope, &lines))).await;
                assert!([200, 400].contains(&answer.status), "{place} {answer}");
                taken += u32::from(answer.status == 200);
                assert!(
                    !answer.text.contains(id(&secret)) && !answer.text.contains("ours"),
                    "{answer}"
                );
            }
        }
    }
    assert!(taken > 10, "the scopes are those of the lists: {taken}");
    // Honest ones, damaged.
    for path in ["/v1/opportunities?tab=inbound&limit=1", "/v1/notifications?limit=1"] {
        world.deal(&["fabrikam"]).await;
        fabrikam.told(2).await;
        let page = fabrikam.get(path).await;
        let cursor = page.body["nextCursor"].as_str().expect("more").to_owned();
        for at in 0..cursor.len() {
            let other = if cursor.as_bytes()[at] == b'A' { "B" } else { "A" };
            let damaged = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
            fabrikam
                .get(&format!("{path}&cursor={damaged}"))
                .await
                .refuses(400, "malformedCursor");
        }
        let elsewhere = world.admin("northwind").get(&format!("{path}&cursor={cursor}")).await;
        elsewhere.refuses(400, "malformedCursor");
    }
}

// --- tokens and claims ---

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed(algorithm: hmac::Algorithm, header: &Value, claims: &Value) -> String {
    let content = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), content.as_bytes());
    format!("{content}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn now() -> i64 {
    edge::clock::now().datetime().timestamp()
}

fn good_claims() -> Value {
    json!({"sub": "u1", "org": "contoso", "roles": ["referrals_admin"], "email": "u@contoso.example", "exp": now() + 600})
}

#[tokio::test]
async fn a_token_with_anything_done_to_it_is_none() {
    let world = World::start().await;
    let (claims, plain) = (good_claims(), json!({"alg": "HS256", "typ": "JWT"}));
    let hs256 = |header: &Value, claims: &Value| signed(hmac::HMAC_SHA256, header, claims);
    let good = hs256(&plain, &claims);
    world.bearer(&good).get("/v1/summary").await.is(200);
    let (content, signature) = good.rsplit_once('.').expect("three parts");
    let (header, payload) = content.split_once('.').expect("three parts");
    let of = |name: &str, value: Value| hs256(&plain, &but(claims.clone(), &format!("/{name}"), value));
    let mut bad = vec![
        // Signed with the same secret, by another algorithm than the one that is expected.
        signed(hmac::HMAC_SHA384, &json!({"alg": "HS384"}), &claims),
        signed(hmac::HMAC_SHA512, &json!({"alg": "HS512"}), &claims),
        signed(hmac::HMAC_SHA384, &plain, &claims),
        // Not signed at all, or with a key that comes along.
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        "..".to_owned(),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!("{good},{good}"),
        // Another's claims under a good signature.
        format!(
            "{header}.{}.{signature}",
            part(&but(claims.clone(), "/org", json!("fabrikam")))
        ),
        format!(
            "{header}.{}.{signature}",
            part(&but(claims.clone(), "/roles", json!(["exchange_admin"])))
        ),
        // Out of its time.
        of("exp", json!(now() - 1)),
        of("exp", json!(0)),
        of("exp", json!(-1)),
        of("exp", json!("9999999999")),
        of("exp", json!(null)),
        of("nbf", json!(now() + 60)),
        of("nbf", json!("0")),
        hs256(
            &plain,
            &json!({"sub": "u1", "org": "contoso", "roles": ["referrals_admin"]}),
        ),
        hs256(&plain, &json!([claims])),
        hs256(&plain, &json!("contoso")),
    ];
    for alg in [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("nOnE"),
        json!(""),
        json!(null),
        json!(["HS256"]),
        json!("hs256"),
        json!("HS384"),
        json!("RS256"),
        json!("ES256"),
        json!("PS256"),
        json!("EdDSA"),
        json!("HS256 "),
    ] {
        let header = json!({"alg": alg, "typ": "JWT"});
        bad.push(format!("{}.{payload}.", part(&header)));
        bad.push(format!("{}.{payload}.{signature}", part(&header)));
        bad.push(hs256(&header, &claims));
    }
    let own_key = hmac::Key::new(hmac::HMAC_SHA256, b"mine");
    for header in [
        json!({"alg": "HS256", "jwk": {"kty": "oct", "k": URL_SAFE_NO_PAD.encode("mine")}}),
        json!({"alg": "HS256", "jku": "http://127.0.0.1:9/keys"}),
        json!({"alg": "HS256", "kid": "../../../dev/null"}),
        json!({"alg": "HS256", "x5u": "http://127.0.0.1:9/keys"}),
    ] {
        let content = format!("{}.{payload}", part(&header));
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&own_key, content.as_bytes()));
        bad.push(format!("{content}.{signature}"));
    }
    for token in &bad {
        let answer = world.bearer(token).get("/v1/summary").await;
        assert_eq!(
            (answer.status, &answer.body),
            (401, &json!({"message": "Unauthorized"})),
            "{token}"
        );
    }
    // Any single character of it that is another.
    for at in 0..good.len() {
        let other = if good.as_bytes()[at] == b'A' { 'B' } else { 'A' };
        let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);
        world.bearer(&changed).get("/v1/summary").await.is(401);
    }
    // Two of them are none, and a large one is refused for what it is.
    let url = world.stack.url();
    let twice = format!(
        "GET /v1/summary HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(raw(&url, twice.as_bytes()).await.0, 401);
    let large = hs256(&plain, &but(claims.clone(), "/name", json!("x".repeat(100_000))));
    assert!([200, 401, 431].contains(&world.bearer(&large).get("/v1/summary").await.status));
    world.bearer(&"x".repeat(100_000)).get("/v1/summary").await.is(401);
    for query in ["access_token", "token", "authorization"] {
        world.nobody().get(&format!("/v1/summary?{query}={good}")).await.is(401);
    }
    // Who issued it and for whom is not looked at here: the secret says it. On AWS the gateway's authorizer does.
    world
        .bearer(&of("aud", json!("another")))
        .get("/v1/summary")
        .await
        .is(200);
    world
        .bearer(&of("iss", json!("https://evil.example")))
        .get("/v1/summary")
        .await
        .is(200);
    world.bearer(&good).get("/v1/summary").await.is(200);
}

#[tokio::test]
async fn claims_of_the_wrong_kind_are_nobodys() {
    let world = World::start().await;
    let deal = world.accepted_deal().await;
    for (name, value, status) in [
        ("org", json!(["contoso"]), 401),
        ("org", json!(["contoso", "northwind"]), 401),
        ("org", json!({"id": "contoso"}), 401),
        ("org", json!(null), 401),
        ("org", json!(""), 401),
        ("org", json!(" contoso"), 401),
        ("org", json!("contoso\n"), 401),
        ("org", json!("contoso#"), 401),
        ("org", json!("сontoso"), 401),
        ("org", json!("Contoso"), 404),
        ("org", json!("contoso-"), 404),
        ("org", json!(true), 404),
        ("org", json!("northwind"), 404),
        ("sub", json!(""), 401),
        ("sub", json!("a\u{0}b"), 401),
        ("sub", json!("x".repeat(256)), 401),
        ("sub", json!(42), 200),
        ("roles", json!([]), 403),
        ("roles", json!("[referrals_admin"), 403),
        ("roles", json!("Referrals_Admin"), 403),
        ("roles", json!("referrals_admin\u{200b}"), 403),
        ("roles", json!(["exchange_admin", "referrals_admin"]), 403),
        ("roles", json!({"referrals_admin": true}), 403),
        ("roles", json!(true), 403),
        ("roles", json!("[\"referrals_admin\""), 403),
        ("roles", json!(["viewer"]), 200),
        ("roles", json!("viewer seller"), 200),
        ("email", json!(["a@b.example"]), 200),
    ] {
        let answer = world
            .claiming(&but(good_claims(), &format!("/{name}"), value.clone()))
            .get(&deal)
            .await;
        assert_eq!(answer.status, status, "{name} {value}: {answer}");
    }
    for name in ["org", "sub"] {
        let mut claims = good_claims();
        claims.as_object_mut().expect("an object").remove(name);
        world.claiming(&claims).get(&deal).await.is(401);
    }
    // A seller whose email is not one, or only looks like one of the team.
    for email in [
        json!("сarla@contoso.example"),
        json!("carla@contoso.example.evil.example"),
        json!("*"),
        json!(["carla@contoso.example"]),
    ] {
        let claims = but(but(good_claims(), "/roles", json!("seller")), "/email", email.clone());
        let answer = world.claiming(&claims).get(&deal).await;
        assert!([403, 404].contains(&answer.status), "{email}: {answer}");
    }
}

#[test]
fn no_claims_open_what_is_not_theirs() {
    let stage = Stage::set();
    let question = asked("northwind", "GET", "{deal}", Value::Null);
    hold(300, edits(), |edits| {
        let (function, mut event) = stage.event(&question);
        let claims = &mut event["requestContext"]["authorizer"]["jwt"]["claims"];
        *claims = edited(claims, &edits);
        let mine = claims["org"] == "contoso" || claims["org"] == "fabrikam";
        if let Some(answer) = stage.invoke(&function, event)? {
            prop_assert!(
                mine || [401, 403, 404].map(Some).contains(&answer["statusCode"].as_u64()),
                "{}",
                answer
            );
        }
        Ok(())
    });
}

// --- paths and headers ---

/// Sends bytes and reads what comes back until the end: status, and all of the answer.
async fn raw(url: &str, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").expect("plain HTTP"))
        .await
        .expect("somebody listens");
    let mut answer = Vec::new();
    // The other end may have heard enough before it has all.
    let _ = stream.write_all(request).await;
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "no end of {:.200}", String::from_utf8_lossy(request));
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or(0), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_matched_as_they_are() {
    let world = World::start().await;
    let (deal, private) = (world.accepted_deal().await, world.deal(&[]).await);
    let token = world.admin("fabrikam").token().to_owned();
    let url = world.stack.url();
    let (deal_id, private_id) = (id(&deal), id(&private));
    let wide: String = deal_id
        .chars()
        .map(|c| char::from_u32(u32::from(c) + 0xfee0).expect("a letter"))
        .collect();
    let escaped = |text: &str| {
        text.bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect::<Vec<_>>()
            .concat()
    };
    let at = |rest: &str| format!("GET /v1/opportunities/{rest}");
    for (line, statuses) in [
        (at(deal_id), &[200][..]),
        (at(&escaped(deal_id)), &[200]),
        ("GET /v1/%73ummary".to_owned(), &[200]),
        // As at API Gateway, a path is decoded before it is matched: what it leads to is behind the same authorizer.
        (at(&format!("{deal_id}%2Fhistory")), &[200]),
        (at(&format!("{private_id}%2Fhistory")), &[404]),
        (at(&format!("{deal_id}%252Fhistory")), &[404]),
        (at(&format!("{deal_id}/../{private_id}")), &[404]),
        (at(&format!("{deal_id}/%2e%2e/{private_id}")), &[404]),
        (at(&format!("{deal_id}/")), &[404]),
        (at(&format!("/{deal_id}")), &[404]),
        (at(&deal_id.to_lowercase()), &[404]),
        (at(&format!("{deal_id}%20")), &[404]),
        (at(&format!("%20{deal_id}")), &[404]),
        (at(&format!("{deal_id}%00")), &[404]),
        (at(&format!("{deal_id}%0a")), &[404]),
        (at(&format!("{deal_id}%3Ftab=a")), &[404]),
        (at(&format!("{deal_id}%23")), &[404]),
        (at(&format!("{deal_id};a=b")), &[404]),
        (at(&escaped(&wide)), &[404]),
        (at("%ff%fe"), &[404]),
        (at("%zz"), &[404]),
        (at("%"), &[404]),
        (at("%22%3C%3E%5E%60%7B%7C%7D"), &[404]),
        (at(&escaped("é☃🦀")), &[404]),
        (at(&"A".repeat(8_000)), &[404]),
        (at(&"A".repeat(100_000)), &[414, 431]),
        (at("DEAL%23x"), &[404]),
        (at("*"), &[404]),
        ("GET /V1/summary".to_owned(), &[404]),
        ("GET /v1/Summary".to_owned(), &[404]),
        ("GET //v1/summary".to_owned(), &[404]),
        ("GET /v1//summary".to_owned(), &[404]),
        ("GET /./v1/summary".to_owned(), &[404]),
        ("GET /v1/summary/".to_owned(), &[404]),
        ("GET /v1/summary%2f".to_owned(), &[404]),
        ("GET /v1\\summary".to_owned(), &[400, 404]),
        ("GET v1/summary".to_owned(), &[400]),
        ("GET *".to_owned(), &[400, 404]),
        ("GET /".to_owned(), &[404]),
        ("GET http://evil.example/v1/summary".to_owned(), &[200]),
        ("get /v1/summary".to_owned(), &[404]),
        ("HEAD /v1/summary".to_owned(), &[404]),
        ("OPTIONS /v1/summary".to_owned(), &[404]),
        ("TRACE /v1/summary".to_owned(), &[404]),
        ("PROPFIND /v1/summary".to_owned(), &[404]),
        ("CONNECT 127.0.0.1:9".to_owned(), &[400, 404]),
        (format!("{} /v1/summary", "A".repeat(5_000)), &[400, 404]),
        ("G\u{e9}T /v1/summary".to_owned(), &[400]),
    ] {
        let request =
            format!("{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
        let (status, answer) = raw(&url, request.as_bytes()).await;
        assert!(statuses.contains(&status), "{line:.100}: {answer:.300}");
        assert!(
            !answer.contains(private_id) && !answer.contains("panicked"),
            "{line:.100}: {answer}"
        );
    }
    assert_eq!(raw(&url, b"GET /healthz HTTP/1.0\r\n\r\n").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_queries_cannot_mean_two_things() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let (url, token) = (world.stack.url(), contoso.token().to_owned());
    let ask = async |line: &str, headers: &[u8], body: &[u8]| {
        let start = format!("{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n");
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        raw(
            &url,
            &[start.as_bytes(), headers, length.as_bytes(), b"\r\n", body].concat(),
        )
        .await
    };
    let get = "GET /v1/opportunities?tab=outbound";
    let long = format!("X-Long: {}\r\n", "x".repeat(5_000));
    let longer = format!("X-Long: {}\r\n", "x".repeat(1_000_000));
    let many: Vec<String> = (0..300).map(|index| format!("X-{index}: a\r\n")).collect();
    let many = many.concat();
    for (headers, statuses) in [
        (&b"X-Thing: \xe9\r\n"[..], &[200][..]),
        (b"X-Thing: \xff\xfe\r\n", &[200, 400]),
        ("X-Thing: é☃\r\n".as_bytes(), &[200]),
        (b"X-Thing:\r\n", &[200]),
        (b"X-HTTP-Method-Override: DELETE\r\n", &[200]),
        (b"X-Forwarded-Proto: \xe2\x98\x83\r\nX-Forwarded-Host: [::\r\n", &[200]),
        (b"Host: evil.example\r\n", &[200, 400]),
        (b"Cookie: a=b\r\nCookie: \xff\r\n", &[200]),
        (b"X Thing: a\r\n", &[400]),
        (b"X-Thing : a\r\n", &[400]),
        (b"X-Thing: a\0b\r\n", &[400]),
        (b" folded: a\r\n", &[400]),
        (b"Content-Length: 0\r\nContent-Length: 5\r\n", &[400]),
        (b"Content-Length: 1e3\r\n", &[400]),
        (b"Content-Length: -1\r\n", &[400]),
        (b"Transfer-Encoding: gzip\r\n", &[400, 501]),
        (long.as_bytes(), &[200]),
        (longer.as_bytes(), &[431]),
        (many.as_bytes(), &[431]),
    ] {
        let (status, answer) = ask(get, headers, b"").await;
        assert!(
            statuses.contains(&status),
            "{:.60}: {answer:.300}",
            String::from_utf8_lossy(headers)
        );
    }
    for (query, status) in [
        ("tab=outbound&", 200),
        ("&tab=outbound", 200),
        ("tab=%6futbound", 200),
        ("tab=inbound&tab=outbound", 400),
        ("tab=outbound&tab=outbound", 400),
        ("tab=inbound,outbound", 400),
        ("Tab=outbound", 400),
        ("tab%00=outbound", 400),
        ("tab[]=outbound", 400),
        ("tab=outbound;limit=1", 400),
        ("tab=outbound&limit=0x10", 400),
        ("tab=outbound&limit=1e1", 400),
        ("tab=outbound&limit=%2b5", 400),
        ("tab=outbound&limit=-1", 400),
        ("tab=outbound&limit=99999999999999999999", 400),
        ("tab=outbound&q=%ff%ff%ff", 200),
        ("tab=outbound&q=%00%00%00", 200),
        ("tab=outbound&__proto__=x", 400),
        ("tab=outbound&updatedSince=9999-12-31T23:59:59-23:59", 400),
        ("tab=outbound&updatedSince=2016-12-31T23:59:60Z", 200),
    ] {
        let (found, answer) = ask(&format!("GET /v1/opportunities?{query}"), b"", b"").await;
        assert_eq!(found, status, "{query}: {answer}");
    }
    // Bodies that are said to be something else than they are.
    let body = deal(&[]).to_string();
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
    let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_mark = [b"\xef\xbb\xbf", body.as_bytes()].concat();
    for (headers, body, statuses) in [
        (
            &b"Content-Type: application/json; charset=utf-8\r\n"[..],
            body.as_bytes(),
            &[201][..],
        ),
        (b"", body.as_bytes(), &[201]),
        (
            b"Content-Type: application/json\r\nContent-Type: application/json\r\n",
            body.as_bytes(),
            &[415],
        ),
        (
            b"Content-Type: application/json, text/plain\r\n",
            body.as_bytes(),
            &[415],
        ),
        (b"Content-Type: text/plain\r\n", body.as_bytes(), &[415]),
        (
            b"Content-Type: application/x-www-form-urlencoded\r\n",
            b"name=a",
            &[415],
        ),
        (b"Content-Type: multipart/form-data; boundary=a\r\n", b"--a--", &[415]),
        (b"Content-Type: \xff\r\n", body.as_bytes(), &[415]),
        (
            b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            gzip,
            &[400, 415],
        ),
        (b"Content-Type: application/json\r\n", gzip, &[400]),
        (b"Content-Type: application/json; charset=utf-16\r\n", &wide, &[400]),
        (b"Content-Type: application/json\r\n", &with_mark, &[400]),
        (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n", &[400]),
    ] {
        let (status, answer) = ask("POST /v1/opportunities", headers, body).await;
        assert!(
            statuses.contains(&status),
            "{}: {answer:.300}",
            String::from_utf8_lossy(headers)
        );
    }
    // A list of tags is a list, however many lines it has; two keys are one, as the gateway joins them, and it is always the same.
    let deal = world.deal(&[]).await;
    let etag = contoso.get(&deal).await.header("etag").to_owned();
    let patch = format!("PATCH {deal}");
    let tags = format!("If-Match: \"7-0123456789abcdef\"\r\nIf-Match: {etag}\r\nContent-Type: application/json\r\n");
    assert_eq!(ask(&patch, tags.as_bytes(), b"{\"name\": \"a\"}").await.0, 200);
    assert_eq!(ask(&patch, tags.as_bytes(), b"{\"name\": \"b\"}").await.0, 412);
    assert_eq!(
        ask(&patch, b"If-Match: *\r\nIf-Match: *\r\n", b"{\"name\": \"b\"}")
            .await
            .0,
        400
    );
    let (notes, keys) = (
        format!("POST {deal}/notes"),
        b"Idempotency-Key: a\r\nidempotency-key: b\r\n",
    );
    let note = br#"{"text": "once", "visibility": "internal"}"#;
    assert_eq!(ask(&notes, keys, note).await.0, 201);
    assert_eq!(ask(&notes, keys, note).await.0, 201);
    assert_eq!(contoso.all(&format!("{deal}/notes?limit=9")).await.len(), 1);
    assert_eq!(ask(&notes, "Idempotency-Key: é\r\n".as_bytes(), note).await.0, 400);
    world.nobody().get("/healthz").await.is(200);
}

// --- names ---

/// Names that look like others, run the other way, mean something to a spreadsheet, a shell, a page or a log.
const NAMES: [&str; 24] = [
    "Аdatum",
    "Adatum\u{200b}",
    "\u{202e}mutadA\u{202c}",
    "\u{2066}Adatum\u{2069}",
    "Ada\u{301}tum",
    "Adátum",
    "Ａｄａｔｕｍ",
    "ﬁrm",
    "👩‍👩‍👧‍👦 & Söhne",
    "עדטום بيانات",
    "\u{feff}Adatum",
    "\u{2028}Adatum",
    "=1+1",
    "+1",
    "-2+3",
    "@SUM(1)",
    "=HYPERLINK(\"http://x\")",
    "<script>alert(1)</script>",
    "'; DROP TABLE deals;--",
    "${jndi:ldap://x/y}",
    "%s%n%x",
    "\\u0000\\n",
    "null",
    "\u{1f3f4}\u{e0067}\u{e007f}",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_name_stays_what_it_is() {
    let world = World::telling().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    for name in NAMES {
        let person = |email: &str| json!({"name": name, "phone": "+14255550100", "email": email});
        let mut body = deal(&["fabrikam"]);
        body["name"] = name.into();
        body["crmId"] = name.into();
        body["customer"] =
            json!({"name": name, "country": "US", "address": {"city": name}, "contact": person("lee@adatum.example")});
        body["team"] = json!([person("carla@contoso.example")]);
        body["invitations"][0]["message"] = name.into();
        let created = contoso.post("/v1/opportunities", &body).await;
        created.is(201);
        let path = created.header("location").to_owned();
        let note = json!({"text": name, "visibility": "shared"});
        contoso.post(&format!("{path}/notes"), &note).await.is(201);
        let (sent, received) = (contoso.get(&path).await.body, fabrikam.get(&path).await.body);
        for view in [&sent, &received] {
            for pointer in [
                "/name",
                "/customer/name",
                "/customer/address/city",
                "/customer/contact/name",
            ] {
                assert_eq!(view.pointer(pointer), Some(&json!(name)), "{pointer}");
            }
        }
        assert_eq!((&sent["crmId"], &sent["team"][0]["name"]), (&json!(name), &json!(name)));
        assert_eq!(received["invitation"]["message"], name);
        fabrikam
            .post(&format!("{path}/response"), &json!({"decision": "accept"}))
            .await
            .is(200);
        assert_eq!(
            fabrikam.get(&format!("{path}/notes")).await.body["items"][0]["text"],
            name
        );
        let etag = contoso.get(&path).await.header("etag").to_owned();
        contoso
            .patch(&path, &etag, &json!({"name": format!("{name}2")}))
            .await
            .is(200);
        let history = contoso.get(&format!("{path}/history?limit=1")).await;
        assert_eq!(history.body["items"][0]["changes"][0]["from"], name);
        // It is found by what it is, as far as a search tells letters apart.
        if name.chars().count() >= 3 {
            let query = name
                .bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect::<Vec<_>>()
                .concat();
            let found = contoso
                .all(&format!("/v1/opportunities?tab=outbound&limit=100&q={query}"))
                .await;
            assert!(found.iter().any(|item| item["id"] == id(&path)), "{name}");
        }
    }
    // The Cyrillic А is not the Latin one: a name that only looks like another is not found as that other.
    let found = contoso.all("/v1/opportunities?tab=outbound&limit=100&q=Adatum2").await;
    assert!(!found.iter().any(|item| item["name"] == "Аdatum2"));
    // What others are told says the same.
    let told = fabrikam.told(NAMES.len()).await;
    for name in NAMES {
        assert!(
            told.iter().any(|event| event["opportunity"]["customerName"] == name),
            "{name}"
        );
    }
}

// --- logs ---

/// What stands in everything personal here, and in nothing else.
const MARK: &str = "q7zmarker";
const MARKED_PHONE: &str = "+447700900123";

/// Everything that was logged with a mark in it, and how many lines there were.
static LEAKED: Mutex<(Vec<String>, usize)> = Mutex::new((Vec::new(), 0));

struct Watch;

impl Write for Watch {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line).to_lowercase();
        let mut leaked = LEAKED.lock().expect("not poisoned");
        leaked.1 += 1;
        if text.contains(MARK)
            || text.contains(&MARKED_PHONE[1..])
            || text.contains(&STANDARD.encode(MARK).to_lowercase())
        {
            leaked.0.push(text);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_have_ids_and_nothing_of_people_and_deals() {
    // As `edge::telemetry::init` has it, but for where it goes.
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(|| Watch);
    subscriber.try_init().expect("nobody else listens in this process");
    let world = World::telling().await;
    let claims = |org: &str, role: &str| Claims {
        org: org.to_owned(),
        roles: vec![role.to_owned()],
        email: format!("{MARK}@{org}.example"),
        name: Some(format!("{MARK} Name")),
        sub: format!("{MARK}-{org}"),
    };
    let client =
        |org: &str, role: &str| world.bearer(&local::token(SECRET, &claims(org, role), chrono::TimeDelta::hours(1)));
    let (contoso, fabrikam, viewer) = (
        client("contoso", "seller"),
        client("fabrikam", "referrals_admin"),
        client("contoso", "viewer"),
    );
    let person = json!({"name": MARK, "phone": MARKED_PHONE, "email": format!("{MARK}@contoso.example")});
    let mut body = deal(&["fabrikam", "northwind"]);
    body["name"] = MARK.into();
    body["crmId"] = MARK.into();
    body["campaignId"] = MARK.into();
    body["customer"] =
        json!({"name": MARK, "country": "US", "address": {"addressLine1": MARK, "city": MARK}, "contact": person});
    body["team"] = json!([person]);
    body["invitations"][0]["message"] = MARK.into();
    body["invitations"][0]["contacts"] = json!([{"name": MARK, "email": format!("{MARK}@contoso.example")}]);
    let created = contoso
        .send(
            Method::POST,
            "/v1/opportunities",
            &[JSON, ("idempotency-key", MARK)],
            Some(body.to_string()),
        )
        .await;
    created.is(201);
    let path = created.header("location").to_owned();
    contoso
        .send(
            Method::POST,
            "/v1/opportunities",
            &[JSON, ("idempotency-key", MARK)],
            Some("{}".to_owned()),
        )
        .await
        .is(422);
    contoso.post("/v1/opportunities?dryRun=true", &body).await.is(200);
    let note = json!({"text": MARK, "visibility": "shared"});
    contoso.post(&format!("{path}/notes"), &note).await.is(201);
    fabrikam
        .post(
            &format!("{path}/response"),
            &json!({"decision": "accept", "name": MARK, "crmId": MARK, "note": MARK}),
        )
        .await
        .is(200);
    fabrikam
        .patch_now(&path, &json!({"name": format!("{MARK}2")}))
        .await
        .is(200);
    fabrikam
        .post(
            "/v1/webhooks",
            &json!({"url": format!("http://127.0.0.1:9/{MARK}?{MARK}=1")}),
        )
        .await
        .is(201);
    for list in [
        format!("/v1/opportunities?tab=outbound&q={MARK}&crmId={MARK}&campaignId={MARK}"),
        format!("{path}/history"),
        format!("{path}/notes"),
    ] {
        contoso.get(&list).await.is(200);
    }
    fabrikam.get("/v1/notifications").await.is(200);
    fabrikam
        .post(
            &format!("{path}/close"),
            &json!({"outcome": "lost", "reason": "other", "note": MARK}),
        )
        .await
        .is(200);
    // All that is refused: by the gateway, the request, the rules, the state.
    contoso
        .post("/v1/opportunities", &json!({MARK: MARK, "name": [MARK]}))
        .await
        .is(422);
    contoso
        .send(Method::POST, "/v1/opportunities", &[JSON], Some(format!("{{{MARK}")))
        .await
        .is(400);
    contoso
        .send(
            Method::POST,
            "/v1/opportunities",
            &[("content-type", MARK)],
            Some(MARK.to_owned()),
        )
        .await
        .is(415);
    contoso.get(&format!("/v1/opportunities/{MARK}")).await.is(404);
    contoso.get(&format!("/v1/{MARK}")).await.is(404);
    contoso
        .get(&format!("/v1/opportunities?tab={MARK}&cursor={MARK}&{MARK}={MARK}"))
        .await
        .is(400);
    contoso
        .get(&format!("/v1/opportunities?tab=inbound&cursor={MARK}"))
        .await
        .is(400);
    contoso.delete(&format!("{path}/invitations/{MARK}")).await.is(404);
    contoso
        .get_with(&path, "if-none-match", &format!("\"{MARK}\""))
        .await
        .is(200);
    contoso
        .patch(&path, &format!("\"{MARK}\""), &json!({"name": MARK}))
        .await
        .is(412);
    contoso
        .post(
            &format!("{path}/invitations"),
            &but(invitation(MARK), "/message", json!(MARK)),
        )
        .await
        .is(422);
    viewer.post(&format!("{path}/notes"), &note).await.is(403);
    fabrikam
        .post(&format!("{path}/close"), &json!({"outcome": "won", "note": MARK}))
        .await
        .is(409);
    world.bearer(&format!("{MARK}.{MARK}.{MARK}")).get(&path).await.is(401);
    world
        .claiming(&json!({"sub": MARK, "org": format!("{MARK} x"), "exp": now() + 60}))
        .get(&path)
        .await
        .is(401);
    // What is not HTTP.
    let line = json!({"kind": "customer", "name": MARK, "country": MARK, MARK: MARK});
    world
        .stack
        .import(&format!("{line}\n{MARK}\n"))
        .await
        .expect("a report");
    for (function, event) in [
        (
            "notify",
            json!({"Records": [{"dynamodb": {"SequenceNumber": "1", "ApproximateCreationDateTime": 1, "NewImage": {"pk": {"S": MARK}}}}]}),
        ),
        ("notify", json!({"redrive": {"dealId": MARK}})),
        ("notify", json!({"Records": MARK})),
        (
            "deliver",
            json!({"Records": [{"messageId": "1", "receiptHandle": "1", "body": MARK, "attributes": {"ApproximateReceiveCount": "1"}}]}),
        ),
        ("import", json!({"lines": [MARK]})),
        ("create", json!({"rawPath": MARK})),
    ] {
        let _ = world.stack.invoke(function, event).await;
    }
    world.client("fabrikam", &["referrals_admin"]).told(1).await;
    world.stack.shutdown().await;
    let leaked = LEAKED.lock().expect("not poisoned");
    assert!(leaked.1 > 30, "the log is listened to: {} lines", leaked.1);
    assert_eq!(leaked.0, Vec::<String>::new());
}
