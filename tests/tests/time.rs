//! Time: machines whose clocks differ, a sweep that comes late, and the edges of the calendar.

use chrono::{DateTime, TimeDelta, Utc};
use domain::Timestamp;
use local::Options;
use serde_json::{Value, json};
use tests::bus::{FakeBus, Manner};
use tests::consistency::{everybody_agrees, everything_is_told};
use tests::{Client, World, but, deal, eventually, id, invitation, options, size};

const ORGANIZATIONS: [&str; 4] = ["contoso", "fabrikam", "northwind", "tailspin"];

fn clients(world: &World) -> Vec<(&'static str, Client)> {
    ORGANIZATIONS.map(|id| (id, world.admin(id))).to_vec()
}

/// A machine whose clock is so far ahead, at the same table.
async fn ahead(world: &World, by: TimeDelta) -> World {
    let options = Options {
        clock_ahead: by,
        ..options()
    };
    world.beside(options).await
}

fn instant(value: &Value) -> DateTime<Utc> {
    let text = value.as_str().expect("an instant");
    Timestamp::parse(text).expect("an instant").datetime()
}

fn texts(items: &[Value], name: &str) -> Vec<String> {
    items
        .iter()
        .map(|item| item[name].as_str().expect("text").to_owned())
        .collect()
}

/// Everyone works through another machine; what happens is still in one order, for everyone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clocks_that_differ_by_minutes_make_one_order() {
    let bus = FakeBus::start(Manner::Takes).await;
    let world = World::with(Options {
        stream: true,
        events_endpoint: Some(bus.url.clone()),
        ..options()
    })
    .await;
    let (fast, slow) = (
        ahead(&world, TimeDelta::minutes(5)).await,
        ahead(&world, TimeDelta::minutes(-5)).await,
    );
    for round in 0..3 * size() {
        // The owner's clock is fast and the invited one's slow, and the other way round.
        let (one, other) = if round % 2 == 0 { (&fast, &slow) } else { (&slow, &fast) };
        let (contoso, fabrikam) = (one.admin("contoso"), other.admin("fabrikam"));
        let path = one.deal(&["fabrikam"]).await;
        let respond = format!("{path}/response");
        let accept = json!({"decision": "accept"});
        let accepted = fabrikam
            .post_with(&respond, "idempotency-key", &format!("k{round}"), &accept)
            .await;
        accepted.is(200);
        // A key counts on every machine, and a tag too.
        let again = one
            .admin("fabrikam")
            .post_with(&respond, "idempotency-key", &format!("k{round}"), &accept)
            .await;
        assert_eq!(again, accepted);
        let note = json!({"text": "Tuesday?", "visibility": "shared"});
        contoso.post(&format!("{path}/notes"), &note).await.is(201);
        fabrikam
            .post(
                &format!("{path}/notes"),
                &json!({"text": "Yes.", "visibility": "shared"}),
            )
            .await
            .is(201);
        let etag = contoso.get(&path).await.header("etag").to_owned();
        other
            .admin("contoso")
            .patch(&path, &etag, &json!({"name": "Next"}))
            .await
            .is(200);
        contoso
            .patch(&path, &etag, &json!({"name": "Never"}))
            .await
            .refuses(412, "preconditionFailed");
        fabrikam.post(&format!("{path}/notes"), &note).await.is(201);
        fabrikam
            .post(&format!("{path}/close"), &json!({"outcome": "won"}))
            .await
            .is(200);
        contoso.post(&format!("{path}/notes"), &note).await.is(201);
        contoso
            .post(&format!("{path}/close"), &json!({"outcome": "won"}))
            .await
            .is(200);
        let events = world.events(&path).await;
        let kinds: Vec<_> = events
            .iter()
            .map(|event| (event["type"].clone(), event["organizationId"].clone()))
            .collect();
        let expected = [
            ("created", "contoso"),
            ("invited", "fabrikam"),
            ("accepted", "fabrikam"),
            ("noteAdded", "contoso"),
            ("noteAdded", "fabrikam"),
            ("updated", "contoso"),
            ("noteAdded", "fabrikam"),
            ("won", "fabrikam"),
            ("noteAdded", "contoso"),
            ("won", "contoso"),
        ];
        assert_eq!(
            kinds,
            expected.map(|(kind, organization)| (json!(kind), json!(organization)))
        );
        let instants: Vec<_> = events.iter().map(|event| instant(&event["at"])).collect();
        assert!(instants.is_sorted(), "{instants:?}");
        let notes = fabrikam.all(&format!("{path}/notes?limit=9")).await;
        let authors: Vec<Value> = notes
            .iter()
            .map(|note| note["author"]["organizationId"].clone())
            .collect();
        assert_eq!(authors, ["contoso", "fabrikam", "fabrikam", "contoso"], "newest first");
    }
    eventually("everything is told", || async {
        let table = world.dump().await;
        let expected: usize = tests::consistency::notices(&table).values().map(Vec::len).sum();
        (bus.taken().len() >= expected).then_some(())
    })
    .await;
    let table = world.dump().await;
    everything_is_told(&table, &clients(&world), &bus.taken()).await;
    for world in [&world, &fast, &slow] {
        everybody_agrees(&table, &clients(world)).await;
    }
}

/// A machine says that it is over, another one that there is time: what is written first is what stands, for everyone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_the_deadline_clocks_may_differ_but_not_what_stands() {
    let world = World::with_window(TimeDelta::minutes(2)).await;
    let (fast, slow) = (
        ahead(&world, TimeDelta::minutes(5)).await,
        ahead(&world, TimeDelta::minutes(-5)).await,
    );
    let mut stood = Vec::new();
    for round in 0..8 * size() {
        let path = world.deal(&["fabrikam"]).await;
        let respond = format!("{path}/response");
        let (accept, fabrikam) = (json!({"decision": "accept"}), slow.admin("fabrikam"));
        // One after the other, and at once.
        let answer = match round % 3 {
            0 => {
                fast.stack.sweep().await.expect("swept");
                fabrikam.post(&respond, &accept).await
            }
            1 => {
                let answer = fabrikam.post(&respond, &accept).await;
                fast.stack.sweep().await.expect("swept");
                answer
            }
            _ => {
                let accepting = fabrikam.post(&respond, &accept);
                let (answer, report) = tokio::join!(accepting, fast.stack.sweep());
                report.expect("swept");
                answer
            }
        };
        let stands = if answer.status == 200 {
            "accepted"
        } else {
            "archived expired"
        };
        if answer.status != 200 {
            answer.refuses(409, "wrongStage");
        }
        fast.stack.sweep().await.expect("swept");
        for machine in [&world, &fast, &slow] {
            assert_eq!(machine.admin("fabrikam").get(&path).await.standing(), stands);
            assert_eq!(
                machine.admin("contoso").get(&path).await.participant("fabrikam"),
                stands
            );
        }
        stood.push(stands);
    }
    assert_eq!(stood[..2], ["archived expired", "accepted"]);
    everybody_agrees(&world.dump().await, &clients(&world)).await;
}

/// From `respondBy` on everybody sees it, sweep or no sweep; when it comes, it says when that was, and reminds nobody of what is
/// over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sweep_that_did_not_run_for_a_month() {
    let deals_of_each = 12 * size();
    let world = World::start().await;
    let mut paths = Vec::new();
    for _ in 0..deals_of_each {
        paths.push(world.deal(&["fabrikam", "northwind"]).await);
    }
    let later = ahead(&world, TimeDelta::days(14) + TimeDelta::days(31)).await;
    let (contoso, fabrikam) = (later.admin("contoso"), later.admin("fabrikam"));
    let shown = async || {
        let mut seen = Vec::new();
        for path in &paths {
            seen.push(contoso.get(path).await.is(200).body["participants"].clone());
            let view = fabrikam.get(path).await;
            assert_eq!(view.is(200).standing(), "archived expired");
            assert_eq!(view.body["closedAt"], view.body["invitation"]["respondBy"]);
            seen.push(view.body.clone());
        }
        seen.push(fabrikam.get("/v1/summary").await.body.clone());
        seen.push(json!(fabrikam.all("/v1/opportunities?tab=inbound&limit=100").await));
        seen
    };
    let before = shown().await;
    let response = format!("{}/response", paths[0]);
    fabrikam
        .post(&response, &json!({"decision": "accept"}))
        .await
        .refuses(409, "wrongStage");
    // In the meantime the owner has worked on, and asked one of them again.
    contoso
        .post(&format!("{}/invitations", paths[1]), &invitation("northwind"))
        .await
        .is(201);
    let report = later.stack.sweep().await.expect("swept");
    let expected = json!({
        "due": 2 * deals_of_each - 1, "expired": 2 * deals_of_each - 1, "reminded": 0, "alreadyAnswered": 0, "failed": 0,
        "complete": true,
    });
    assert_eq!(report, expected);
    assert_eq!(later.stack.sweep().await.expect("swept")["due"], 0);
    for (mut before, mut after) in before.into_iter().zip(shown().await) {
        for seen in [&mut before, &mut after] {
            // All that the second invitation has changed.
            if let Some(participants) = seen.as_array_mut() {
                participants.retain(|one| one["organizationId"] != "northwind");
            }
            if let Some(view) = seen.as_object_mut() {
                view.remove("participants");
            }
        }
        let items = |seen: &Value| {
            seen.as_array()
                .is_some_and(|items| items.iter().any(|item| item.get("id").is_some()))
        };
        if items(&before) {
            assert_eq!(
                texts(before.as_array().expect("a list"), "id"),
                texts(after.as_array().expect("a list"), "id")
            );
        } else {
            assert_eq!(before, after, "what the sweep writes is what everybody saw");
        }
    }
    let table = world.dump().await;
    let late: Vec<_> = table
        .values()
        .filter(|item| ["expired", "reminded"].contains(&item.get("type").and_then(Value::as_str).unwrap_or_default()))
        .collect();
    // The one that was invited again had expired, and that was written down as well.
    assert_eq!(late.len(), 2 * deals_of_each);
    assert!(late.iter().all(|event| event["type"] == "expired"));
    everybody_agrees(&table, &clients(&later)).await;
}

/// At an instant of the future: everything works, deadlines are exact, and what is kept for a while is kept.
async fn works_at(instant_of: &str, window: TimeDelta) {
    let now = edge::clock::now();
    let then = Timestamp::parse(instant_of).expect("an instant");
    let by = then.datetime() - now.datetime();
    let at = |later: TimeDelta| Options {
        clock_ahead: by + later,
        response_window: window,
        ..options()
    };
    let world = World::with(at(TimeDelta::zero())).await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let today = then.datetime().date_naive();
    let body = |day: chrono::NaiveDate| {
        but(
            deal(&["fabrikam", "northwind"]),
            "/estimatedCloseDate",
            json!(day.to_string()),
        )
    };
    let yesterday = body(today - TimeDelta::days(1));
    contoso
        .post("/v1/opportunities", &yesterday)
        .await
        .has_faults(&[("/estimatedCloseDate", "dateInPast")]);
    // The day may end while this runs.
    let ahead = body(today + TimeDelta::days(2));
    let create = || contoso.post_with("/v1/opportunities", "idempotency-key", "k", &ahead);
    let created = create().await;
    let path = created.is(201).header("location").to_owned();
    let again = create().await;
    assert_eq!(again, created);
    let invitation = fabrikam.get(&path).await.body["invitation"].clone();
    let (sent_at, respond_by) = (instant(&invitation["sentAt"]), instant(&invitation["respondBy"]));
    assert_eq!(respond_by - sent_at, window, "{instant_of}");
    assert!(sent_at >= then.datetime());
    let record = &world.dump().await[&("IDEM#contoso#k".to_owned(), "IDEM".to_owned())];
    let expires_at = record["expiresAt"].as_i64().expect("seconds");
    assert!(
        (expires_at - sent_at.timestamp() - 86_400).abs() <= 1,
        "{instant_of}: {expires_at}"
    );
    // A minute before its end there is time, and at the end there is none. Short windows end before a minute is over.
    let minute = TimeDelta::minutes(1);
    if window > TimeDelta::minutes(2) {
        let late = world.beside(at(window - minute)).await;
        let response = format!("{path}/response");
        late.admin("northwind")
            .post(&response, &json!({"decision": "accept"}))
            .await
            .is(200);
    }
    let over = world.beside(at(window)).await;
    let refused = over
        .admin("fabrikam")
        .post(&format!("{path}/response"), &json!({"decision": "accept"}))
        .await;
    assert_eq!(refused.refuses(409, "wrongStage").standing(), "archived expired");
    let report = over.stack.sweep().await.expect("swept");
    assert_eq!(
        report["expired"],
        if window > TimeDelta::minutes(2) { 1 } else { 2 },
        "{report}"
    );
    let batch = world.batch(std::time::Duration::ZERO).await;
    assert_eq!(
        over.stack.invoke("notify", batch).await.expect("it runs")["batchItemFailures"],
        json!([])
    );
    let told = over.admin("contoso").all("/v1/notifications?limit=9").await;
    assert!(texts(&told, "type").contains(&"Opportunity Expired".to_owned()));
    let expired = told
        .iter()
        .find(|detail| detail["type"] == "Opportunity Expired")
        .expect("told");
    assert_eq!(expired["dealId"], json!(id(&path)));
    everybody_agrees(&world.dump().await, &clients(&over)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_edges_of_the_calendar() {
    let (fortnight, year) = (TimeDelta::days(14), TimeDelta::days(365));
    tokio::join!(
        // Clocks on walls go forward in Berlin, and back in New York.
        works_at("2027-03-28T00:59:50Z", fortnight),
        works_at("2027-11-07T05:59:50Z", TimeDelta::days(1)),
        // A leap day begins, ends, and lies in the window.
        works_at("2028-02-28T23:59:50Z", fortnight),
        works_at("2028-02-29T23:59:50Z", year),
        works_at("2027-03-01T00:00:00Z", TimeDelta::days(366)),
    );
    tokio::join!(
        // Seconds of 32 bits end, signed and not.
        works_at("2038-01-19T03:14:00Z", fortnight),
        works_at("2038-01-18T03:14:00Z", TimeDelta::seconds(1)),
        works_at("2106-02-07T06:28:00Z", TimeDelta::days(30)),
        // No leap day in this one.
        works_at("2100-02-28T23:59:50Z", fortnight),
        works_at("2030-12-31T23:59:50Z", TimeDelta::seconds(90)),
    );
}
