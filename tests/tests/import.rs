//! Imports: repeatable, in any order, each bad line by its number.

use local::Stack;
use serde_json::{Value, json};
use tests::World;

async fn import(world: &World, lines: &str) -> Value {
    world.stack.import(lines).await.expect("the import runs")
}

fn counts(report: &Value) -> [u64; 4] {
    ["read", "created", "updated", "unchanged"].map(|name| report[name].as_u64().expect("a count"))
}

#[tokio::test]
async fn what_is_there_and_the_same_is_left_alone() {
    let world = World::start().await;
    let before = world.dump().await;
    let report = import(&world, tests::CATALOG).await;
    assert_eq!((counts(&report), &report["bad"]), ([11, 0, 0, 11], &json!([])));
    assert_eq!(world.dump().await, before);
    let renamed =
        r#"{"kind": "organization", "id": "fabrikam", "name": "Fabrikam Inc.", "organizationKind": "partner"}"#;
    assert_eq!(counts(&import(&world, renamed).await), [1, 0, 1, 0]);
    assert_eq!(counts(&import(&world, renamed).await), [1, 0, 0, 1]);
    let created = world
        .admin("fabrikam")
        .post("/v1/opportunities", &tests::deal(&["contoso"]))
        .await;
    assert_eq!(
        created.is(201).body["owner"]["name"],
        "Fabrikam Inc.",
        "it can still invite: its solutions still count"
    );
}

#[tokio::test]
async fn each_bad_line_is_told_by_number_and_the_rest_goes_in() {
    let world = World::start().await;
    let lines = r#"
{"kind": "solution", "id": "early", "name": "Early", "publisher": "late", "coSellReady": true}
{"kind": "organization", "id": "late", "name": "Late", "organizationKind": "partner"}
not JSON
{"kind": "planet", "name": "Mars"}
{"kind": "organization", "id": "second", "name": "Second", "organizationKind": "vendor"}
{"kind": "organization", "id": "fabrikam", "name": "Fabrikam", "organizationKind": "vendor"}
{"kind": "solution", "id": "orphan", "name": "Orphan", "publisher": "nobody"}
{"kind": "customer", "name": "", "country": "Mars", "dunsNumber": "1", "colour": "red"}

{"kind": "customer", "name": "Last", "country": "DE"}"#;
    let report = import(&world, lines).await;
    assert_eq!(counts(&report), [9, 3, 0, 0]);
    let bad: Vec<_> = report["bad"]
        .as_array()
        .expect("bad lines")
        .iter()
        .map(|bad| {
            let codes = bad["errors"].as_array().expect("errors").iter().map(|error| {
                format!(
                    "{} {}",
                    error["pointer"].as_str().unwrap_or_default(),
                    error["code"].as_str().unwrap_or_default()
                )
            });
            (
                bad["line"].as_u64().expect("a number"),
                codes.collect::<Vec<_>>().join(", "),
            )
        })
        .collect();
    let expected = [
        (4, " malformedJson"),
        (5, "/kind invalidChoice"),
        (6, "/organizationKind secondVendor"),
        (7, "/organizationKind kindIsFixed"),
        (8, "/publisher unknownOrganization"),
        (
            9,
            "/name empty, /country invalidCountry, /dunsNumber invalidDunsNumber, /colour unknownField",
        ),
    ];
    assert_eq!(bad, expected.map(|(line, codes)| (line, codes.to_owned())));
}

#[tokio::test]
async fn the_last_line_about_a_customer_counts() {
    let world = World::start().await;
    let lines: Vec<_> = (0..20)
        .map(|n| {
            json!({"kind": "customer", "name": format!("Name {n}"), "country": "DE", "dunsNumber": "111111111"})
                .to_string()
        })
        .collect();
    import(&world, &lines.join("\n")).await;
    let mut body = tests::deal(&[]);
    body["customer"] = json!({"id": "111111111"});
    let created = world.admin("contoso").post("/v1/opportunities", &body).await;
    assert_eq!(created.is(201).body["customer"]["name"], "Name 19");
}

#[tokio::test]
async fn an_organization_is_co_sell_ready_while_one_of_its_solutions_is() {
    let world = World::start().await;
    let litware = world.admin("litware");
    let line = |id: &str, publisher: &str, ready: bool| {
        json!({"kind": "solution", "id": id, "name": id, "publisher": publisher, "coSellReady": ready}).to_string()
    };
    let may_invite = || async {
        litware
            .post("/v1/opportunities", &tests::deal(&["fabrikam"]))
            .await
            .status
    };
    assert_eq!(may_invite().await, 403);
    import(
        &world,
        &[line("a", "litware", true), line("b", "litware", true)].join("\n"),
    )
    .await;
    import(&world, &line("a", "litware", false)).await;
    assert_eq!(may_invite().await, 201);
    import(&world, &line("b", "northwind", true)).await;
    assert_eq!(may_invite().await, 403, "its last one has another publisher now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_exchange_has_one_vendor_whoever_comes_first() {
    let line =
        |id: &str| json!({"kind": "organization", "id": id, "name": id, "organizationKind": "vendor"}).to_string();
    for _ in 0..5 {
        let stack = Stack::start(tests::options()).await.expect("the stack starts");
        let (one, other) = (line("one"), line("other"));
        let (one, other) = tokio::join!(stack.import(&one), stack.import(&other));
        let reports = [one.expect("imported"), other.expect("imported")];
        let created: u64 = reports.iter().map(|report| counts(report)[1]).sum();
        assert_eq!(created, 1, "{reports:?}");
        let bad = reports.iter().find(|report| report["created"] == 0).expect("the other");
        assert_eq!(bad["bad"][0]["errors"][0]["code"], "secondVendor", "{reports:?}");
    }
}

#[tokio::test]
async fn a_file_may_come_from_anywhere() {
    let world = World::start().await;
    let solution = r#"{"kind": "solution", "id": "x", "name": "X", "publisher": "fabrikam", "coSellReady": true}"#;
    // A byte order mark, carriage returns, blank lines, no end of the last line.
    let lines = format!("\u{feff}{solution}\r\n\r\n  \r\n[]\r\n{solution}");
    let report = import(&world, &lines).await;
    assert_eq!(counts(&report), [3, 1, 0, 1], "{report}");
    let bad = &report["bad"];
    assert_eq!((bad.as_array().map(Vec::len), &bad[0]["line"]), (Some(1), &json!(4)));
    assert_eq!(counts(&import(&world, "").await), [0, 0, 0, 0]);
}
