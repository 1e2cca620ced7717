//! Finding: filters, alone and combined; full pages; cursors.

use serde_json::{Value, json};
use tests::{Client, World, but, deal};

async fn create(client: &Client, fields: &Value) -> String {
    let mut body = deal(&[]);
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    client
        .post("/v1/opportunities", &body)
        .await
        .is(201)
        .header("location")
        .to_owned()
}

async fn names(client: &Client, query: &str) -> Vec<String> {
    let items = client.all(&format!("/v1/opportunities?tab=outbound&{query}")).await;
    let mut names: Vec<_> = items
        .iter()
        .map(|item| item["name"].as_str().expect("a name").to_owned())
        .collect();
    names.sort();
    names
}

fn encoded(text: &str) -> String {
    text.bytes()
        .fold(String::new(), |text, byte| format!("{text}%{byte:02X}"))
}

#[tokio::test]
async fn q_looks_in_names_and_ids_whatever_case_accents_and_width() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let path = create(&contoso, &json!({"name": "Café Müller", "crmId": "CRM-Äpfel-7"})).await;
    create(
        &contoso,
        &json!({"name": "Other", "customer": {"name": "Société Générale", "country": "FR"}}),
    )
    .await;
    create(&contoso, &json!({"name": "日本電気 ＡＢＣ"})).await;
    for (q, expected) in [
        ("cafe", "Café Müller"),
        ("MULLER", "Café Müller"),
        ("crm-apfel", "Café Müller"),
        (tests::id(&path), "Café Müller"),
        (&tests::id(&path)[18..].to_lowercase(), "Café Müller"),
        ("societe gen", "Other"),
        ("général", "Other"),
        ("日本電", "日本電気 ＡＢＣ"),
        ("abc", "日本電気 ＡＢＣ"),
    ] {
        assert_eq!(names(&contoso, &format!("q={}", encoded(q))).await, [expected], "{q}");
    }
    assert_eq!(names(&contoso, "q=nowhere").await, Vec::<String>::new());
    for short in ["", "ab", "%20%20ab%20"] {
        contoso
            .get(&format!("/v1/opportunities?tab=outbound&q={short}"))
            .await
            .refuses(400, "malformedParameter");
    }
}

#[tokio::test]
async fn filters_combine() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    create(
        &contoso,
        &json!({"name": "Alpha", "campaignId": "spring", "crmId": "1"}),
    )
    .await;
    let beta = create(&contoso, &json!({"name": "Beta", "campaignId": "spring", "crmId": "2"})).await;
    create(
        &contoso,
        &json!({"name": "Gamma", "campaignId": "autumn", "crmId": "1"}),
    )
    .await;
    let closed = contoso.post(&format!("{beta}/close"), &json!({"outcome": "won"})).await;
    let since = closed.is(200).body["updatedAt"]
        .as_str()
        .expect("an instant")
        .to_owned();
    for (query, expected) in [
        ("campaignId=spring", &["Alpha", "Beta"][..]),
        ("crmId=1", &["Alpha", "Gamma"]),
        ("crmId=1&campaignId=spring", &["Alpha"]),
        ("campaignId=spring&stage=archived", &["Beta"]),
        ("campaignId=spring&outcome=lost", &[]),
        ("campaignId=spring&outcome=won&q=bet", &["Beta"]),
        ("campaignId=Spring", &[]),
        (&format!("updatedSince={since}"), &["Beta"]),
        ("updatedSince=2001-01-01T00:00:00Z", &["Alpha", "Beta", "Gamma"]),
        ("updatedSince=2999-01-01T00:00:00%2B02:00", &[]),
    ] {
        assert_eq!(names(&contoso, query).await, expected, "{query}");
    }
    for wrong in [
        "updatedSince=yesterday",
        "campaignId=",
        &format!("crmId={}", "x".repeat(65)),
    ] {
        contoso
            .get(&format!("/v1/opportunities?tab=outbound&{wrong}"))
            .await
            .refuses(400, "malformedParameter");
    }
}

#[tokio::test]
async fn a_page_is_full_while_there_is_more_and_no_walk_loses_or_repeats() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let mut expected = Vec::new();
    for n in 0..260 {
        let rare = n % 40 == 7;
        let name = if rare {
            format!("Needle {n:03}")
        } else {
            format!("Hay {n:03}")
        };
        contoso
            .post("/v1/opportunities", &but(deal(&[]), "/name", json!(name)))
            .await
            .is(201);
        if rare {
            expected.insert(0, name);
        }
    }
    for limit in [1, 2, 3, 7, 25] {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = contoso
                .get(&format!(
                    "/v1/opportunities?tab=outbound&q=needle&limit={limit}{cursor}"
                ))
                .await;
            let items = page.is(200).body["items"].as_array().expect("items").clone();
            let Some(next) = page.body["nextCursor"].as_str() else {
                found.extend(items);
                break;
            };
            assert_eq!(items.len(), limit, "there is more");
            found.extend(items);
            cursor = format!("&cursor={next}");
        }
        let found: Vec<_> = found
            .iter()
            .map(|item| item["name"].as_str().expect("a name"))
            .collect();
        assert_eq!(found, expected, "limit {limit}");
    }
}
