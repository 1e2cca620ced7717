//! What a deal's form is filled with: companies as their names are typed, people, solutions, the own organization.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use tests::companies::{companies, fill};
use tests::{Client, JSON, Recorder, World, but, deal, eventually, invitation};

fn customer(name: &str, country: &str, city: &str) -> String {
    json!({"kind": "customer", "name": name, "country": country, "address": {"city": city}}).to_string()
}

async fn import(world: &World, lines: &[String]) -> Value {
    let report = world.import(&lines.join("\n")).await;
    assert_eq!(report["bad"], json!([]), "{report}");
    report
}

/// The text as it stands in a query.
fn encoded(text: &str) -> String {
    let bytes = text.bytes();
    bytes.fold(String::new(), |text, byte| format!("{text}%{byte:02X}"))
}

async fn suggested(client: &Client, country: &str, typed: &str) -> Vec<Value> {
    let answer = client
        .get(&format!("/v1/customers?country={country}&q={}", encoded(typed)))
        .await;
    assert_eq!(
        answer.is(200).body["nextCursor"],
        Value::Null,
        "whoever wants more types on"
    );
    answer.body["items"].as_array().expect("items").clone()
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["name"].as_str()).collect()
}

#[tokio::test]
async fn what_a_person_means_comes_first() {
    let world = World::start().await;
    let companies = [
        ("Société Générale", "FR"),
        ("Sodexo", "FR"),
        ("L'Oréal", "FR"),
        ("Mueller Water Products", "US"),
        ("Karl Müller KG", "DE"),
        ("3M", "US"),
        ("AT&T", "US"),
        ("Attentive", "US"),
        ("At Home Group", "US"),
        ("Home Depot", "US"),
        ("The Home Loan Corp.", "US"),
        ("Depot for the Home", "US"),
        ("National Bank Holdings Corporation", "US"),
        ("First National Bank", "US"),
        ("Bank of National Parks", "US"),
        ("Apple Hospitality REIT, Inc.", "US"),
        ("Apple Inc.", "US"),
        ("Johnson & Johnson", "US"),
        ("日本電気株式会社", "JP"),
        ("東日本旅客鉄道", "JP"),
    ];
    let lines: Vec<String> = companies
        .iter()
        .map(|(name, country)| customer(name, country, "Somewhere"))
        .collect();
    import(&world, &lines).await;
    let fabrikam = world.admin("fabrikam");
    for (country, typed, expected) in [
        ("FR", "société", &["Société Générale"][..]),
        ("FR", "SOCIETE GEN", &["Société Générale"]),
        ("FR", "oreal", &["L'Oréal"]),
        ("US", "muller", &["Mueller Water Products"]),
        ("DE", "muller", &["Karl Müller KG"]),
        ("DE", "mueller", &["Karl Müller KG"]),
        ("US", "3m", &["3M"]),
        ("US", "３Ｍ", &["3M"]),
        ("US", "at&t", &["AT&T", "Attentive"]),
        ("US", "at", &["At Home Group", "AT&T", "Attentive"]),
        (
            "US",
            "the home",
            &["The Home Loan Corp.", "Home Depot", "Depot for the Home"],
        ),
        (
            "US",
            "national bank",
            &[
                "National Bank Holdings Corporation",
                "First National Bank",
                "Bank of National Parks",
            ],
        ),
        ("US", "apple", &["Apple Inc.", "Apple Hospitality REIT, Inc."]),
        ("US", "johnson and j", &["Johnson & Johnson"]),
        ("JP", "日本", &["日本電気株式会社", "東日本旅客鉄道"]),
        ("US", "société", &[]),
        ("US", "zzz", &[]),
    ] {
        let found = suggested(&fabrikam, country, typed).await;
        assert_eq!(names(&found), expected, "{typed}");
    }
}

#[tokio::test]
async fn who_remembers_two_words_finds_the_company_among_hundreds_that_have_one() {
    let world = World::start().await;
    let hundreds = (0..110).flat_map(|n| [format!("Alpine {n} Freight"), format!("Aardvark {n} Bank")]);
    let all = hundreds.chain(["Alpine Zoological Trust Bank Inc.".to_owned()]);
    let lines: Vec<String> = all.map(|name| customer(&name, "US", "Reno")).collect();
    import(&world, &lines).await;
    let fabrikam = world.admin("fabrikam");
    for typed in [
        "alpine bank",
        "bank alp",
        "trust alpine",
        "bank alpine inc",
        "alpine trust i",
    ] {
        let found = suggested(&fabrikam, "US", typed).await;
        assert_eq!(names(&found), ["Alpine Zoological Trust Bank Inc."], "{typed}");
    }
}

#[tokio::test]
async fn companies_of_the_same_name_are_told_apart() {
    let world = World::start().await;
    let lines = [
        json!({"kind": "customer", "name": "Summit Bank", "country": "US", "dunsNumber": "100000001",
               "address": {"addressLine1": "1 Main St", "city": "Reno", "region": "Nevada", "postalCode": "89501"}}),
        json!({"kind": "customer", "name": "Summit Bank", "country": "US", "dunsNumber": "100000002",
               "address": {"city": "Eugene", "region": "Oregon"}}),
        json!({"kind": "customer", "name": "Summit Bank", "country": "US"}),
        json!({"kind": "customer", "name": "Summit Bank", "country": "CA", "address": {"city": "Calgary"}}),
    ];
    import(&world, &lines.map(|line| line.to_string())).await;
    let contoso = world.admin("contoso");
    let found = suggested(&contoso, "US", "summit").await;
    let shown: BTreeSet<(Option<&str>, Option<&str>)> = found
        .iter()
        .map(|item| (item["dunsNumber"].as_str(), item["address"]["city"].as_str()))
        .collect();
    let expected = [
        (Some("100000001"), Some("Reno")),
        (Some("100000002"), Some("Eugene")),
        (None, None),
    ];
    assert_eq!((found.len(), shown), (3, BTreeSet::from(expected)));
    let ids: BTreeSet<&str> = found.iter().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(ids.len(), 3);
    // What was found is what a deal can be made for.
    let reno = found
        .iter()
        .find(|item| item["dunsNumber"] == "100000001")
        .expect("Reno");
    let body = but(deal(&[]), "/customer/id", reno["id"].clone());
    let created = contoso.post("/v1/opportunities", &body).await;
    let of_deal = &created.is(201).body["customer"];
    assert_eq!(
        [&of_deal["name"], &of_deal["address"], &of_deal["dunsNumber"]],
        [&reno["name"], &reno["address"], &reno["dunsNumber"]]
    );
}

#[tokio::test]
async fn a_company_is_found_by_the_name_that_it_has_now() {
    let world = World::start().await;
    let named = |name: &str, country: &str| {
        json!({"kind": "customer", "name": name, "country": country, "dunsNumber": "100000001"}).to_string()
    };
    let contoso = world.admin("contoso");
    import(&world, &[named("Alpine Ski House", "US")]).await;
    let before = world.dump().await;
    import(&world, &[named("Alpine Ski House", "US")]).await;
    assert_eq!(world.dump().await, before, "the same again changes nothing");
    import(&world, &[named("Alpine Bikes", "US")]).await;
    assert_eq!(names(&suggested(&contoso, "US", "alpine").await), ["Alpine Bikes"]);
    assert!(suggested(&contoso, "US", "ski").await.is_empty());
    import(&world, &[named("Alpine Bikes", "CA")]).await;
    assert!(suggested(&contoso, "US", "alpine").await.is_empty());
    assert_eq!(names(&suggested(&contoso, "CA", "bik").await), ["Alpine Bikes"]);
    import(&world, &[named("Alpine Ski House", "US")]).await;
    assert_eq!(world.dump().await, before, "nothing is left of the other names");
}

#[tokio::test]
async fn what_is_missing_or_wrong_in_a_query_is_told() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    for (query, named) in [
        ("q=ada", "country"),
        ("country=us&q=ada", "country"),
        ("country=XX&q=ada", "country"),
        ("country=US", "q"),
        ("country=US&q=", "q"),
        ("country=US&q=%26%20-", "q"),
        ("country=US&q=ada&limit=0", "limit"),
        ("country=US&q=ada&limit=26", "limit"),
        ("country=US&q=ada&cursor=x", "cursor"),
    ] {
        let answer = contoso.get(&format!("/v1/customers?{query}")).await;
        let detail = answer.refuses(400, "malformedParameter").body["detail"].as_str();
        assert!(detail.is_some_and(|detail| detail.contains(named)), "{answer}");
    }
    let lines: Vec<String> = (0..30).map(|n| customer(&format!("Alike {n}"), "US", "Reno")).collect();
    import(&world, &lines).await;
    assert_eq!(suggested(&contoso, "US", "alike").await.len(), 10);
    let all = contoso.get("/v1/customers?country=US&q=alike&limit=25").await;
    assert_eq!(all.is(200).body["items"].as_array().map(Vec::len), Some(25));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_broke_off_goes_on_where_it_stopped() {
    let whole = World::start().await;
    let lines: Vec<String> = companies("US", 0..400).collect();
    import(&whole, &lines).await;

    let (world, recorder) = World::recorded().await;
    let text = lines.join("\n");
    let world = std::sync::Arc::new(world);
    let first = tokio::spawn({
        let (world, text) = (std::sync::Arc::clone(&world), text.clone());
        async move { world.stack.import(&text).await }
    });
    eventually("some are written", || async {
        (recorder.count("TransactWriteItems") > 20).then_some(())
    })
    .await;
    first.abort();
    assert!(first.await.is_err(), "it was at work");
    let report = world.stack.import(&text).await.expect("imported");
    let count = |name: &str| report[name].as_u64().expect("a count");
    assert_eq!((count("read"), count("created") + count("unchanged")), (400, 400));
    // How much is left to do depends on when it broke off.
    assert!(count("unchanged") > 0, "{report}");
    assert_eq!(world.dump().await, whole.dump().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keystroke_costs_the_same_however_many_companies_there_are() {
    let (world, recorder) = World::recorded().await;
    let fabrikam = world.admin("fabrikam");
    for range in [0..400, 400..2_000] {
        let there = range.end;
        fill(&world, "US", range).await;
        for (typed, queries, units) in TYPED {
            let cost = cost(&fabrikam, &recorder, typed).await;
            assert!(
                cost.queries <= queries && cost.units <= units,
                "{typed} among {there}: {cost:?}"
            );
        }
    }
}

/// What everybody has, what few have, one word and several, beginnings and whole ones; what nobody has.
/// And what each may cost: queries and read units.
const TYPED: [(&str, usize, f64); 9] = [
    ("al", 2, 2.0),
    ("alpine", 2, 2.0),
    ("the alder b", 7, 8.0),
    ("national", 2, 2.0),
    ("national bank", 3, 3.0),
    // Not side by side in any name.
    ("bank alp", 4, 4.0),
    ("bank alpine 2", 7, 8.0),
    ("inc", 2, 2.0),
    ("zzz", 2, 2.0),
];

#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    queries: usize,
    units: f64,
}

async fn cost(client: &Client, recorder: &Recorder, typed: &str) -> Cost {
    recorder.clear();
    suggested(client, "US", typed).await;
    let units = recorder.units().await.reads;
    let operations = recorder.operations();
    assert!(
        operations.iter().all(|operation| operation == "Query"),
        "{operations:?}"
    );
    let queries = operations.len();
    Cost { queries, units }
}

fn team(people: &[&str]) -> Value {
    let person = |name: &&str| {
        let email = format!("{}@contoso.example", name.to_lowercase());
        json!({"name": name, "phone": "+14255550111", "email": email})
    };
    people.iter().map(person).collect()
}

#[tokio::test]
async fn those_whom_an_organization_worked_with_last_come_first() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let recent = "/v1/contacts/recent?limit=100";
    assert_eq!(contoso.all(recent).await, Vec::<Value>::new());
    let body = but(deal(&["fabrikam"]), "/team", team(&["Ana", "Bo"]));
    let path = contoso
        .post("/v1/opportunities", &body)
        .await
        .is(201)
        .header("location")
        .to_owned();
    let second = but(deal(&[]), "/team", team(&["Cy", "Bo"]));
    contoso.post("/v1/opportunities", &second).await.is(201);
    let all = contoso.all(recent).await;
    assert_eq!(names(&all), ["Cy", "Bo", "Ana"], "each once");
    assert_eq!(
        [&all[0]["email"], &all[0]["phone"]],
        ["cy@contoso.example", "+14255550111"]
    );

    contoso
        .patch(&path, "*", &json!({"team": team(&["Di", "Ana"])}))
        .await
        .is(200);
    contoso
        .patch(&path, "*", &json!({"name": "Its team stays"}))
        .await
        .is(200);
    let all = contoso.all(recent).await;
    assert_eq!(names(&all), ["Di", "Ana", "Cy", "Bo"]);
    assert!(
        all.is_sorted_by(|a, b| a["lastUsedAt"].as_str() >= b["lastUsedAt"].as_str()),
        "{all:?}"
    );
    let pages = contoso.all("/v1/contacts/recent?limit=1").await;
    assert_eq!(pages, all, "page by page as well");

    // Customers' contacts and those of an invitation are on no team, and another organization's people are its own.
    assert_eq!(fabrikam.all(recent).await, Vec::<Value>::new());
    let accept = json!({"decision": "accept", "team": team(&["Eve"])});
    fabrikam.post(&format!("{path}/response"), &accept).await.is(200);
    assert_eq!(names(&fabrikam.all(recent).await), ["Eve"]);
    assert_eq!(contoso.all(recent).await, all);
    let cursor = contoso.get("/v1/contacts/recent?limit=1").await.body["nextCursor"].clone();
    let stolen = format!(
        "/v1/contacts/recent?limit=1&cursor={}",
        cursor.as_str().expect("a cursor")
    );
    fabrikam.get(&stolen).await.refuses(400, "malformedCursor");
}

#[tokio::test]
async fn a_seller_sees_the_people_of_its_own_teams() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    for people in [&["Ana", "Bo"][..], &["Cy"]] {
        let body = but(deal(&[]), "/team", team(people));
        contoso.post("/v1/opportunities", &body).await.is(201);
    }
    let seller = |user: &str| world.user("contoso", &["seller"], user);
    let recent = "/v1/contacts/recent?limit=10";
    assert_eq!(names(&seller("bo").all(recent).await), ["Ana", "Bo"]);
    assert_eq!(names(&seller("sam").all(recent).await), Vec::<&str>::new());
    assert_eq!(
        names(&world.client("contoso", &["viewer"]).all(recent).await),
        ["Cy", "Ana", "Bo"]
    );
}

#[tokio::test]
async fn a_lead_that_goes_from_hand_to_hand_leaves_only_the_teams_that_were_set() {
    let world = World::start().await;
    let (contoso, fabrikam, northwind) = (
        world.admin("contoso"),
        world.admin("fabrikam"),
        world.admin("northwind"),
    );
    let mut lead = deal(&["fabrikam", "northwind"]);
    lead["qualification"] = json!("lead");
    let path = contoso
        .post("/v1/opportunities", &lead)
        .await
        .is(201)
        .header("location")
        .to_owned();
    let decline = json!({"decision": "decline", "reason": "noCapacity"});
    fabrikam.post(&format!("{path}/response"), &decline).await.is(200);
    let accept = json!({"decision": "accept", "team": team(&["Eve"])});
    northwind.post(&format!("{path}/response"), &accept).await.is(200);
    let recent = "/v1/contacts/recent?limit=10";
    assert_eq!(names(&contoso.all(recent).await), ["Carla Ruiz"]);
    assert_eq!(names(&fabrikam.all(recent).await), Vec::<&str>::new());
    assert_eq!(names(&northwind.all(recent).await), ["Eve"]);
    contoso
        .post(&format!("{path}/invitations"), &invitation("fabrikam"))
        .await
        .is(201);
    assert_eq!(names(&fabrikam.all(recent).await), Vec::<&str>::new());
}

#[tokio::test]
async fn solutions_are_ones_own_the_vendors_or_a_third_partys() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let listed = |items: &[Value]| -> Vec<(String, String)> {
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        items
            .iter()
            .map(|item| (text(item, "id"), text(item, "type")))
            .collect()
    };
    let pair = |(id, kind): (&str, &str)| (id.to_owned(), kind.to_owned());
    let all = [
        ("cloud", "vendor"),
        ("erp", "own"),
        ("crm", "thirdParty"),
        ("pos", "thirdParty"),
    ]
    .map(pair);
    assert_eq!(
        listed(&fabrikam.all("/v1/solutions?limit=100").await),
        all,
        "by name; what is not ready is not shown"
    );
    assert_eq!(listed(&fabrikam.all("/v1/solutions?limit=1").await), all);
    for (who, query, expected) in [
        (&fabrikam, "type=own", &["erp"][..]),
        (&fabrikam, "type=vendor", &["cloud"]),
        (&fabrikam, "type=thirdParty", &["crm", "pos"]),
        (&contoso, "type=own", &["cloud"]),
        (&contoso, "type=vendor", &[]),
        (&contoso, "type=thirdParty", &["erp", "crm", "pos"]),
        (&contoso, "q=cr", &["crm"]),
        (&contoso, "q=erp", &["erp"]),
        (&contoso, "type=thirdParty&q=tail", &["pos"]),
        (&contoso, "type=own&q=tail", &[]),
        (&world.admin("litware"), "type=own", &[]),
    ] {
        for limit in [1, 25] {
            let found = who.all(&format!("/v1/solutions?limit={limit}&{query}")).await;
            let ids: Vec<_> = found.iter().filter_map(|item| item["id"].as_str()).collect();
            assert_eq!(ids, expected, "{query}");
        }
    }
    let first = fabrikam.get("/v1/solutions?limit=1").await;
    assert_eq!(
        first.is(200).body["items"][0],
        json!({"id": "cloud", "name": "Contoso Cloud", "publisher": "contoso", "type": "vendor", "registrationEligible": false})
    );
    let cursor = first.body["nextCursor"].as_str().expect("a cursor");
    for other in [
        format!("limit=1&type=own&cursor={cursor}"),
        format!("limit=1&q=x&cursor={cursor}"),
    ] {
        fabrikam
            .get(&format!("/v1/solutions?{other}"))
            .await
            .refuses(400, "malformedCursor");
    }
    contoso
        .get(&format!("/v1/solutions?limit=1&cursor={cursor}"))
        .await
        .refuses(400, "malformedCursor");
}

#[tokio::test]
async fn a_solution_is_listed_as_it_is_now() {
    let world = World::start().await;
    let fabrikam = world.admin("fabrikam");
    let erp = |name: &str, publisher: &str, ready: bool| {
        json!({"kind": "solution", "id": "erp", "name": name, "publisher": publisher, "coSellReady": ready,
               "registrationEligible": true})
        .to_string()
    };
    let of_fabrikam = "/v1/solutions?type=own&limit=25";
    import(&world, &[erp("Fabrikam Ledger", "fabrikam", true)]).await;
    let own = fabrikam.all(of_fabrikam).await;
    assert_eq!(
        (names(&own), &own[0]["registrationEligible"]),
        (vec!["Fabrikam Ledger"], &json!(true))
    );
    assert!(fabrikam.all("/v1/solutions?q=erp&limit=25").await.is_empty());
    import(&world, &[erp("Fabrikam Ledger", "tailspin", true)]).await;
    assert!(fabrikam.all(of_fabrikam).await.is_empty());
    let tailspins = world.admin("tailspin").all(of_fabrikam).await;
    assert_eq!(names(&tailspins), ["Fabrikam Ledger", "Tailspin POS"]);
    import(&world, &[erp("Fabrikam Ledger", "tailspin", false)]).await;
    assert!(fabrikam.all("/v1/solutions?q=ledger&limit=25").await.is_empty());
}

const ME: &str = "/v1/organizations/me";

#[tokio::test]
async fn an_organization_keeps_its_own_profile() {
    let world = World::start().await;
    let fabrikam = world.admin("fabrikam");
    let shown = fabrikam.get(ME).await;
    let expected = json!({
        "id": "fabrikam", "name": "Fabrikam", "kind": "partner", "countries": ["US"], "solutionAreas": [],
        "coSellReadySolutions": 1, "version": 1,
    });
    assert_eq!(shown.is(200).body, expected);
    let etag = shown.header("etag").to_owned();
    fabrikam.get_with(ME, "if-none-match", &etag).await.is(304);
    let patch = json!({"name": "Fabrikam Inc.", "countries": ["US", "DE"], "solutionAreas": ["ERP"]});
    let changed = fabrikam.patch(ME, &etag, &patch).await;
    assert_eq!(
        [
            &changed.is(200).body["name"],
            &changed.body["countries"],
            &changed.body["version"]
        ],
        [&json!("Fabrikam Inc."), &json!(["US", "DE"]), &json!(2)]
    );
    assert_eq!(fabrikam.get(ME).await.body, changed.body);
    assert_eq!(fabrikam.get(ME).await.header("etag"), changed.header("etag"));
    fabrikam
        .patch(ME, &etag, &patch)
        .await
        .refuses(412, "preconditionFailed");
    fabrikam
        .send(Method::PATCH, ME, &[JSON], Some(patch.to_string()))
        .await
        .refuses(428, "preconditionRequired");
    let before = world.dump().await;
    assert_eq!(
        fabrikam.patch(ME, "*", &patch).await.is(200).body["version"],
        2,
        "nothing changed"
    );
    assert_eq!(world.dump().await, before);
    let created = world
        .admin("contoso")
        .post("/v1/opportunities", &deal(&["fabrikam"]))
        .await;
    assert_eq!(created.is(201).body["participants"][1]["name"], "Fabrikam Inc.");
}

#[tokio::test]
async fn a_profile_is_changed_by_its_admins_and_says_what_is_wrong() {
    let world = World::start().await;
    let before = world.dump().await;
    let patch = json!({"name": "Other"});
    for roles in [&["seller"][..], &["viewer"], &["exchange_admin"]] {
        world
            .client("fabrikam", roles)
            .patch(ME, "*", &patch)
            .await
            .refuses(403, "forbidden");
    }
    world
        .admin("unknown")
        .patch(ME, "*", &patch)
        .await
        .refuses(404, "notFound");
    world.admin("unknown").get(ME).await.refuses(404, "notFound");
    let fabrikam = world.admin("fabrikam");
    for (body, faults) in [
        (json!({"name": ""}), &[("/name", "empty")][..]),
        (json!({"name": null}), &[("/name", "required")]),
        (
            json!({"countries": ["US", "Mars", "US"], "id": "x", "kind": "vendor"}),
            &[
                ("/countries/1", "invalidCountry"),
                ("/countries/2", "duplicate"),
                ("/id", "unknownField"),
                ("/kind", "unknownField"),
            ],
        ),
        (json!({"solutionAreas": "ERP"}), &[("/solutionAreas", "wrongType")]),
    ] {
        fabrikam.patch(ME, "*", &body).await.has_faults(faults);
    }
    assert_eq!(world.dump().await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_a_profile_at_once_all_count() {
    let world = World::start().await;
    let fabrikam = world.admin("fabrikam");
    let patches = [
        json!({"name": "Fabrikam Inc."}),
        json!({"countries": ["DE"]}),
        json!({"solutionAreas": ["ERP"]}),
    ];
    let [one, two, three] = patches.each_ref().map(|patch| fabrikam.patch(ME, "*", patch));
    let (one, two, three) = tokio::join!(one, two, three);
    for answer in [one, two, three] {
        answer.is(200);
    }
    let now = fabrikam.get(ME).await;
    assert_eq!(
        now.is(200).body,
        json!({"id": "fabrikam", "name": "Fabrikam Inc.", "kind": "partner", "countries": ["DE"], "solutionAreas": ["ERP"],
               "coSellReadySolutions": 1, "version": 4})
    );
}

#[tokio::test]
async fn an_import_of_the_same_line_does_not_undo_what_an_organization_changed() {
    let world = World::start().await;
    let fabrikam = world.admin("fabrikam");
    fabrikam.patch(ME, "*", &json!({"name": "Fabrikam Inc."})).await.is(200);
    world.import(tests::CATALOG).await;
    assert_eq!(fabrikam.get(ME).await.body["name"], "Fabrikam Inc.");
    let line = json!({"kind": "organization", "id": "fabrikam", "name": "Fabrikam SE", "organizationKind": "partner"});
    import(&world, &[line.to_string()]).await;
    assert_eq!(fabrikam.get(ME).await.body["name"], "Fabrikam SE", "a new line does");
}
