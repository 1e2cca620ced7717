//! Whom to invite, best first: from what the exchange has seen of each organization, counted once, and explained.

use std::time::Duration;

use axum::http::Method;
use chrono::TimeDelta;
use domain::{Ask, Candidate, Counter, Line, Month, PartName, Ranking, Record, SolutionId, Timestamp};
use local::Options;
use serde_json::{Value, json};
use tests::{Client, World, but, deal, eventually, id, invitation, options};

/// A deal of Contoso's as in [`deal`], but of another kind: another country, size and solution.
fn unlike(invited: &[&str]) -> Value {
    let body = but(
        deal(invited),
        "/estimatedValue",
        json!({"amount": "9", "currency": "EUR"}),
    );
    let contact = body["customer"]["contact"].clone();
    let customer = json!({"name": "Litware", "country": "DE", "contact": contact});
    but(but(body, "/customer", customer), "/solutions", json!(["pos"]))
}

async fn send(world: &World, body: &Value) -> String {
    let answer = world.admin("contoso").post("/v1/opportunities", body).await;
    answer.is(201).header("location").to_owned()
}

async fn answer(world: &World, organization: &str, deal: &str, body: &Value) {
    let path = format!("{deal}/response");
    world.admin(organization).post(&path, body).await.is(200);
}

async fn accept(world: &World, organization: &str, body: &Value) -> String {
    let deal = send(world, body).await;
    answer(world, organization, &deal, &json!({"decision": "accept"})).await;
    deal
}

async fn decline(world: &World, organization: &str) {
    let deal = send(world, &deal(&[organization])).await;
    let reason = json!({"decision": "decline", "reason": "noCapacity"});
    answer(world, organization, &deal, &reason).await;
}

/// Has `notify` pass on everything that has happened, as the stream would.
async fn notify(world: &World) {
    let batch = world.batch(Duration::ZERO).await;
    let answer = world.stack.invoke("notify", batch).await.expect("it runs");
    assert_eq!(answer["batchItemFailures"], json!([]));
}

fn ids(items: &[Value]) -> Vec<&str> {
    let id = |item: &'_ Value| item["organizationId"].as_str().expect("an id").to_owned();
    let ids: Vec<String> = items.iter().map(id).collect();
    ids.into_iter().map(|id| &*id.leak()).collect()
}

fn found<'a>(items: &'a [Value], organization: &str) -> &'a Value {
    let mut found = items.iter().filter(|item| item["organizationId"] == organization);
    found.next().unwrap_or_else(|| panic!("no {organization} in {items:?}"))
}

fn part<'a>(partner: &'a Value, name: &str) -> &'a Value {
    let mut parts = partner["parts"].as_array().expect("parts").iter();
    parts
        .find(|part| part["name"] == name)
        .unwrap_or_else(|| panic!("no {name} in {partner}"))
}

fn value(partner: &Value, name: &str) -> f64 {
    part(partner, name)["value"].as_f64().expect("a number")
}

async fn partners(client: &Client, query: &str) -> Vec<Value> {
    client.all(&format!("/v1/partners?limit=100{query}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_answers_comes_before_who_lets_invitations_expire() {
    let world = World::with(Options {
        stream: true,
        response_window: TimeDelta::seconds(3),
        sweep_every: Some(Duration::from_millis(200)),
        ..options()
    })
    .await;
    for _ in 0..2 {
        accept(&world, "fabrikam", &deal(&["fabrikam"])).await;
        decline(&world, "northwind").await;
        send(&world, &deal(&["tailspin"])).await;
    }
    let vendor = world.admin("contoso");
    let ranked = eventually("two invitations of Tailspin expire, and all is counted", || async {
        let ranked = partners(&vendor, "").await;
        let counts = |id: &str| found(&ranked, id)["counts"].clone();
        let all = [
            &counts("fabrikam")["answered"],
            &counts("northwind")["answered"],
            &counts("tailspin")["expired"],
        ];
        (all == [2, 2, 2]).then_some(ranked)
    })
    .await;
    // Litware has done nothing, and stands at the average.
    assert_eq!(ids(&ranked)[2..], ["litware", "tailspin"]);
    let tailspin = part(found(&ranked, "tailspin"), "responsiveness");
    assert_eq!(tailspin["because"], "Let 2 invitations expire and answered none.");
    assert_eq!(
        tailspin["counts"],
        json!({"answered": 0, "expired": 2, "windowLeftPercent": 0})
    );
    let own = world.admin("tailspin").get("/v1/partners/me").await;
    let raise = own.is(200).body["raise"][0].clone();
    assert_eq!(
        raise["text"],
        "Answer every invitation before respondBy: 2 of 2 invitations expired. A decline is an answer as well."
    );
    assert!(raise["score"].as_f64() > own.body["score"].as_f64());
    assert_eq!((&own.body["rank"], &own.body["of"]), (&json!(5), &json!(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_counted_once_however_often_and_by_how_many_it_is_passed_on() {
    let world = World::start().await;
    let first = accept(&world, "fabrikam", &deal(&["fabrikam"])).await;
    accept(&world, "fabrikam", &unlike(&["fabrikam"])).await;
    decline(&world, "northwind").await;
    let close = format!("{first}/close");
    world
        .admin("fabrikam")
        .post(&close, &json!({"outcome": "won"}))
        .await
        .is(200);
    tokio::join!(notify(&world), notify(&world));
    notify(&world).await;

    let ranked = partners(&world.admin("contoso"), "&country=US&solution=erp").await;
    let fabrikam = found(&ranked, "fabrikam");
    let expected = json!({
        "answered": 2, "expired": 0, "accepted": 2, "reportedInTime": 1, "reportedLate": 0, "overdue": 0,
    });
    assert_eq!(fabrikam["counts"], expected);
    assert_eq!(
        part(fabrikam, "fit")["counts"],
        json!({"accepted": 2, "solution:erp": 1, "country:US": 1})
    );
    assert_eq!(
        part(fabrikam, "reliability")["counts"],
        json!({"overdue": 0, "inTime:solution:erp": 1, "late:solution:erp": 0, "inTime:country:US": 1, "late:country:US": 0})
    );
    assert_eq!(
        part(fabrikam, "reliability")["because"],
        "Reported in time, of those that ended: 1 of 1 with erp, 1 of 1 in US; 0 are open past the month of the close date."
    );
    assert_eq!(
        part(fabrikam, "fit")["because"],
        "Of 2 accepted deals: 1 with erp, 1 in US."
    );
    assert_eq!(
        fabrikam["reasons"],
        json!(["Publishes erp.", "Says that it sells in US."])
    );
    assert_eq!(found(&ranked, "northwind")["counts"]["answered"], 1);
}

#[tokio::test]
async fn a_close_date_that_has_passed_counts_until_the_end_is_reported_or_the_date_is_moved() {
    let world = World::start().await;
    let deals = [
        accept(&world, "fabrikam", &deal(&["fabrikam"])).await,
        accept(&world, "fabrikam", &deal(&["fabrikam"])).await,
    ];
    let fabrikam = world.admin("fabrikam");
    // Both are due this month, which the exchange will know when it is over; the second is moved away.
    let today = edge::clock::now().date().to_string();
    for deal in &deals {
        fabrikam
            .patch_now(deal, &json!({"estimatedCloseDate": today}))
            .await
            .is(200);
    }
    fabrikam
        .patch_now(&deals[1], &json!({"estimatedCloseDate": "2098-01-31"}))
        .await
        .is(200);
    notify(&world).await;
    notify(&world).await;
    let counts = &world.dump().await[&("ORG#fabrikam".to_owned(), "EVENTS".to_owned())];
    let open: Vec<_> = counts
        .iter()
        .filter(|(name, count)| name.starts_with("open:") && **count != 0)
        .collect();
    assert_eq!(
        open.iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect::<Vec<_>>(),
        [format!("open:{} 1", &today[..7]), "open:2098-01 1".to_owned()]
    );
    let own = fabrikam.get("/v1/partners/me").await;
    assert_eq!(own.body["counts"]["overdue"], 0, "this month is not over");
}

#[tokio::test]
async fn what_is_asked_for_ranks_who_has_done_the_like() {
    let world = World::start().await;
    for _ in 0..3 {
        accept(&world, "northwind", &deal(&["northwind"])).await;
        accept(&world, "tailspin", &unlike(&["tailspin"])).await;
    }
    notify(&world).await;
    let vendor = world.admin("contoso");
    for (query, first, second) in [
        ("&country=US", "northwind", "tailspin"),
        ("&country=DE", "tailspin", "northwind"),
        ("&solution=erp", "northwind", "tailspin"),
        ("&solution=pos", "tailspin", "northwind"),
        ("&country=DE&solution=pos", "tailspin", "northwind"),
    ] {
        let ranked = partners(&vendor, query).await;
        assert!(
            value(found(&ranked, first), "fit") > value(found(&ranked, second), "fit"),
            "{query}"
        );
        assert_eq!(ranked[0]["organizationId"], first, "{query}");
    }
    // Without something that is asked for there is no fit.
    let ranked = partners(&vendor, "").await;
    let names: Vec<_> = ranked[0]["parts"]
        .as_array()
        .expect("parts")
        .iter()
        .map(|part| &part["name"])
        .collect();
    assert_eq!(names, ["responsiveness", "reliability"]);
    // Fabrikam says that it sells in the US and nowhere else.
    assert!(!ids(&partners(&vendor, "&country=DE").await).contains(&"fabrikam"));
    assert!(ids(&partners(&vendor, "&country=US").await).contains(&"fabrikam"));
}

#[tokio::test]
async fn accepting_what_does_not_fit_does_not_pay() {
    let query = "&country=US&solution=erp";
    let mut scores = Vec::new();
    for deed in ["decline", "accept", "accept, and report at once that it is lost"] {
        let world = World::start().await;
        accept(&world, "fabrikam", &deal(&["fabrikam"])).await;
        notify(&world).await;
        let northwind = async || found(&partners(&world.admin("contoso"), query).await, "northwind").clone();
        let before = northwind().await;
        for _ in 0..3 {
            if deed == "decline" {
                decline(&world, "northwind").await;
                continue;
            }
            let deal = accept(&world, "northwind", &unlike(&["northwind"])).await;
            if deed != "accept" {
                let lost = json!({"outcome": "lost", "reason": "requirementsNotMet"});
                let close = format!("{deal}/close");
                world.admin("northwind").post(&close, &lost).await.is(200);
            }
        }
        notify(&world).await;
        let after = northwind().await;
        assert_eq!(
            value(&after, "fit") < value(&before, "fit"),
            deed != "decline",
            "{deed}"
        );
        scores.push(after["score"].as_f64().expect("a number"));
    }
    assert!(scores[0] > scores[1] && scores[0] > scores[2], "{scores:?}");
}

#[tokio::test]
async fn a_lead_that_goes_on_counts_for_who_had_it_unless_it_was_taken_back() {
    let world = World::start().await;
    let queue = ["fabrikam", "northwind", "tailspin"];
    let lead = send(&world, &but(deal(&queue), "/qualification", json!("lead"))).await;
    let vendor = world.admin("contoso");
    let path = format!("{lead}/partners");
    // One has it, and two wait for it.
    assert_eq!(ids(&vendor.all(&format!("{path}?limit=10")).await), ["litware"]);
    answer(
        &world,
        "fabrikam",
        &lead,
        &json!({"decision": "decline", "reason": "budget"}),
    )
    .await;
    vendor
        .send(Method::DELETE, &format!("{lead}/invitations/northwind"), &[], None)
        .await
        .is(204);
    answer(&world, "tailspin", &lead, &json!({"decision": "accept"})).await;
    notify(&world).await;
    let ranked = partners(&vendor, "").await;
    let counts = |id| {
        let counts = &found(&ranked, id)["counts"];
        ["answered", "expired", "accepted"].map(|name| counts[name].as_u64().expect("a count"))
    };
    assert_eq!(counts("fabrikam"), [1, 0, 0]);
    assert_eq!(counts("northwind"), [0, 0, 0], "it had no time to answer");
    assert_eq!(counts("tailspin"), [1, 0, 1]);
    let again = vendor.all(&format!("{path}?limit=10")).await;
    assert_eq!(found(&again, "fabrikam")["reasons"][0], "Publishes erp.");
    assert!(again.iter().all(|partner| partner["organizationId"] != "tailspin"));
}

#[tokio::test]
async fn everybody_sees_all_others_and_itself_only_by_itself() {
    let world = World::start().await;
    for (caller, others) in [
        ("contoso", ["fabrikam", "litware", "northwind", "tailspin"]),
        ("fabrikam", ["contoso", "litware", "northwind", "tailspin"]),
    ] {
        for role in ["partner_admin", "referrals_admin", "seller", "viewer"] {
            let ranked = partners(&world.client(caller, &[role]), "").await;
            let mut ids = ids(&ranked);
            ids.sort_unstable();
            assert_eq!(ids, others, "{caller} {role}");
        }
        let own = world.admin(caller).get("/v1/partners/me").await;
        assert_eq!(own.is(200).body["organizationId"], caller);
    }
    let ranked = partners(&world.admin("northwind"), "").await;
    let contoso = found(&ranked, "contoso");
    assert_eq!(
        (&contoso["kind"], &contoso["coSellReady"]),
        (&json!("vendor"), &json!(true))
    );
    let fabrikam = found(&ranked, "fabrikam");
    assert_eq!(
        (&fabrikam["name"], &fabrikam["countries"]),
        (&json!("Fabrikam"), &json!(["US"]))
    );
    assert_eq!(found(&ranked, "litware")["coSellReady"], false);
    // Who is in no directory has no standing.
    world
        .admin("stranger")
        .get("/v1/partners/me")
        .await
        .refuses(404, "notFound");
    assert_eq!(partners(&world.admin("stranger"), "").await.len(), 5);
}

#[tokio::test]
async fn nothing_of_a_deal_is_shown_but_counts() {
    let world = World::start().await;
    let deal = accept(&world, "fabrikam", &deal(&["fabrikam"])).await;
    notify(&world).await;
    for path in [
        "/v1/partners",
        "/v1/partners?country=US&solution=erp",
        "/v1/partners?q=fabrikam",
    ] {
        let answer = world.admin("tailspin").get(path).await;
        for secret in [
            id(&deal),
            "Adatum",
            "ERP for",
            "contoso-c",
            "lee@",
            "Lee Gu",
            "Carla",
            "125000",
            "123456789",
        ] {
            assert!(!answer.is(200).text.contains(secret), "{secret} in {answer}");
        }
    }
}

#[tokio::test]
async fn a_search_is_by_name_id_or_solution_area() {
    let world = World::start().await;
    let line = json!({"kind": "organization", "id": "adventure", "name": "Société Aventure", "organizationKind": "partner",
        "solutionAreas": ["Data & AI"]});
    world.stack.import(&line.to_string()).await.expect("it runs");
    let vendor = world.admin("contoso");
    for (q, expected) in [
        ("SOCIETE", "adventure"),
        ("advent", "adventure"),
        ("data%20%26", "adventure"),
        ("lit", "litware"),
    ] {
        assert_eq!(ids(&partners(&vendor, &format!("&q={q}")).await), [expected], "{q}");
    }
    assert!(partners(&vendor, "&q=nobody").await.is_empty());
    for wrong in [
        "q=",
        "q=%20",
        "country=usa",
        "solution=a%20b",
        "solution=nothing",
        "limit=0",
        "sort=name",
    ] {
        vendor
            .get(&format!("/v1/partners?{wrong}"))
            .await
            .refuses(400, "malformedParameter");
    }
    vendor
        .get("/v1/partners/me?q=x")
        .await
        .refuses(400, "malformedParameter");
}

#[tokio::test]
async fn pages_follow_each_other_and_a_cursor_is_good_for_its_own_list_alone() {
    let world = World::start().await;
    accept(&world, "fabrikam", &deal(&["fabrikam"])).await;
    notify(&world).await;
    let vendor = world.admin("contoso");
    let whole = partners(&vendor, "").await;
    for limit in 1..=4 {
        assert_eq!(
            vendor.all(&format!("/v1/partners?limit={limit}")).await,
            whole,
            "{limit}"
        );
    }
    let page = vendor.get("/v1/partners?limit=1").await;
    let cursor = page.body["nextCursor"].as_str().expect("more").to_owned();
    let other_list = format!("/v1/partners?country=US&cursor={cursor}");
    vendor.get(&other_list).await.refuses(400, "malformedCursor");
    let (same, changed) = (
        format!("/v1/partners?cursor={cursor}"),
        format!("/v1/partners?cursor={cursor}x"),
    );
    world.admin("fabrikam").get(&same).await.refuses(400, "malformedCursor");
    vendor.get(&changed).await.refuses(400, "malformedCursor");
    let deal = world.deal(&[]).await;
    let of_deal = format!("{deal}/partners?cursor={cursor}");
    vendor.get(&of_deal).await.refuses(400, "malformedCursor");
    let whole = vendor.all(&format!("{deal}/partners?limit=100")).await;
    assert_eq!(vendor.all(&format!("{deal}/partners?limit=1")).await, whole);
}

#[tokio::test]
async fn the_partners_of_a_deal_are_those_that_can_be_invited_to_it() {
    let world = World::start().await;
    for _ in 0..2 {
        accept(&world, "tailspin", &deal(&["tailspin"])).await;
    }
    notify(&world).await;
    let vendor = world.admin("contoso");
    let this = send(&world, &deal(&["northwind"])).await;
    let path = format!("{this}/partners");
    let ranked = vendor.all(&format!("{path}?limit=10")).await;
    assert_eq!(ids(&ranked)[0], "tailspin", "it has accepted two like this");
    assert_eq!(
        part(&ranked[0], "fit")["counts"],
        json!({"accepted": 2, "solution:cloud": 2, "solution:erp": 2, "country:US": 2, "size:USD-6": 2})
    );
    // Equal in everything that was seen: who publishes one of its solutions comes first.
    assert_eq!(ids(&ranked)[1..], ["fabrikam", "litware"]);
    assert_eq!(
        ranked[1]["reasons"],
        json!(["Publishes erp.", "Says that it sells in US."])
    );

    answer(
        &world,
        "northwind",
        &this,
        &json!({"decision": "decline", "reason": "budget"}),
    )
    .await;
    let ranked = vendor.all(&format!("{path}?limit=10")).await;
    assert_eq!(
        found(&ranked, "northwind")["reasons"],
        json!(["Declined this deal before."])
    );
    let invite = format!("{this}/invitations");
    vendor.post(&invite, &invitation("tailspin")).await.is(201);
    answer(&world, "tailspin", &this, &json!({"decision": "accept"})).await;
    assert!(
        !ids(&vendor.all(&format!("{path}?limit=10")).await).contains(&"tailspin"),
        "it takes part"
    );

    // Those invited see the deal, and do not invite others to it; to strangers it does not exist.
    world.admin("tailspin").get(&path).await.refuses(403, "notOwner");
    world.admin("fabrikam").get(&path).await.refuses(404, "notFound");
    world
        .user("contoso", &["seller"], "sam")
        .get(&path)
        .await
        .refuses(404, "notFound");
    world.user("contoso", &["seller"], "carla").get(&path).await.is(200);
    world.client("contoso", &["viewer"]).get(&path).await.is(200);
    vendor
        .post(&format!("{this}/close"), &json!({"outcome": "won"}))
        .await
        .is(200);
    vendor.get(&path).await.refuses(409, "wrongStage");
}

/// The example in `functions/README.md`, computed.
#[test]
fn the_worked_example_is_right() {
    let organization = |id: &str, counts: &[(&str, i64)]| {
        let line = json!({"kind": "organization", "id": id, "name": id, "organizationKind": "partner"});
        let Ok(Line::Organization(organization)) = Line::read(&line) else {
            panic!("an organization");
        };
        let mut record = Record::default();
        for (counter, count) in counts {
            record.add(Counter::parse(counter).expect("a counter"), *count);
        }
        Candidate { organization, record }
    };
    let all = [
        organization(
            "fabrikam",
            &[
                ("answered", 9),
                ("unused", 9 * 400),
                ("unanswered", 3),
                ("taken", 6),
                ("closedInTime", 3),
                ("closedLate", 1),
                ("open:2027-01", 1),
                ("open:2027-09", 1),
                ("solution:erp", 4),
                ("country:US", 3),
                ("inTime:solution:erp", 3),
                ("inTime:country:US", 2),
            ],
        ),
        organization(
            "northwind",
            &[
                ("answered", 4),
                ("unused", 4 * 900),
                ("taken", 2),
                ("open:2027-09", 2),
                ("country:US", 1),
            ],
        ),
        organization("tailspin", &[]),
    ];
    let erp = SolutionId::parse("erp").expect("an id");
    let ask = Ask {
        solutions: [(erp, all[0].organization.party.id.clone())].into(),
        country: Some(domain::Country::parse("US").expect("a country")),
        size: None,
    };
    let now = Month::of(Timestamp::parse("2027-06-15T00:00:00Z").expect("a timestamp"));
    let ranking = Ranking::new(&all, ask, now);
    let readme = include_str!("../../functions/README.md");
    let mut ranked: Vec<_> = ranking.order(&all, "contoso");
    ranked.sort_by_key(|ranked| ranked.candidate.organization.party.id.to_string());
    for ranked in ranked {
        let value = |name: PartName| {
            let part = ranked.parts.iter().find(|part| part.name == name).expect("a part");
            (part.value.to_string(), part.average.to_string())
        };
        let [responsiveness, fit, reliability] =
            [PartName::Responsiveness, PartName::Fit, PartName::Reliability].map(value);
        let row = format!(
            "| {} | {} | {} | {} | **{}** |",
            ranked.candidate.organization.party.id, responsiveness.0, fit.0, reliability.0, ranked.score
        );
        assert!(readme.contains(&row), "the README has not {row}");
        let averages = format!("| average | {} | {} | {} | |", responsiveness.1, fit.1, reliability.1);
        assert!(readme.contains(&averages), "the README has not {averages}");
    }
}
