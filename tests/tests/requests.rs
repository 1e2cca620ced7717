//! Every limit of a request (DESIGN section 4) at its boundary, over HTTP; and that a refused request writes nothing.

use axum::http::Method;
use chrono::{Days, Utc};
use serde_json::{Value, json};
use tests::{JSON, World, but, deal, invitation};

/// A request with a value at a place, and what is said of it: nothing if it is right.
type Case = (&'static str, Value, Option<(&'static str, &'static str)>);

fn text(length: usize) -> Value {
    // Four bytes each: lengths count code points.
    json!("🦀".repeat(length))
}

fn people(count: usize) -> Value {
    let person = json!({"name": "Ana", "phone": "+14255550122", "email": "ana@fabrikam.example"});
    json!(vec![person; count])
}

#[expect(clippy::disallowed_methods, reason = "a client has a clock")]
fn date(days_ahead: i64) -> Value {
    let today = Utc::now().date_naive();
    let days = Days::new(days_ahead.unsigned_abs());
    let date = if days_ahead < 0 { today - days } else { today + days };
    json!(date.to_string())
}

/// A right address of so many characters.
fn address(length: usize) -> Value {
    let rest = "b".repeat(length - 64 - 1 - 2 * 60 - ".example".len());
    json!(format!("{0}@{1}.{1}.{rest}.example", "a".repeat(64), "b".repeat(59)))
}

async fn check(cases: Vec<Case>, base: Value) {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    for (pointer, value, fault) in cases {
        let body = but(base.clone(), pointer, value.clone());
        let before = world.dump().await;
        let answer = contoso.post("/v1/opportunities", &body).await;
        match fault {
            None => {
                answer.is(201);
            }
            Some(fault) => {
                answer.has_faults(&[fault]);
                assert_eq!(
                    world.dump().await,
                    before,
                    "a refused request writes nothing: {pointer} {value}"
                );
            }
        }
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn the_limits_of_a_deal() {
    let cases: Vec<Case> = vec![
        ("/name", text(1), None),
        ("/name", text(255), None),
        ("/name", text(256), Some(("/name", "tooLong"))),
        ("/name", json!(""), Some(("/name", "empty"))),
        ("/name", json!("a\nb"), Some(("/name", "invalidCharacter"))),
        ("/name", Value::Null, Some(("/name", "required"))),
        ("/name", json!(7), Some(("/name", "wrongType"))),
        ("/crmId", text(64), None),
        ("/crmId", text(65), Some(("/crmId", "tooLong"))),
        ("/crmId", json!(""), Some(("/crmId", "empty"))),
        ("/crmId", Value::Null, None),
        ("/campaignId", json!(""), Some(("/campaignId", "empty"))),
        ("/campaignId", text(64), None),
        ("/campaignId", text(65), Some(("/campaignId", "tooLong"))),
        ("/estimatedValue/amount", json!("999999999999999.99"), None),
        ("/estimatedValue/amount", json!("0"), None),
        (
            "/estimatedValue/amount",
            json!("1000000000000000"),
            Some(("/estimatedValue/amount", "invalidAmount")),
        ),
        (
            "/estimatedValue/amount",
            json!("01"),
            Some(("/estimatedValue/amount", "invalidAmount")),
        ),
        (
            "/estimatedValue/amount",
            json!("-1"),
            Some(("/estimatedValue/amount", "invalidAmount")),
        ),
        (
            "/estimatedValue/amount",
            json!("1.001"),
            Some(("/estimatedValue/amount", "tooManyDecimals")),
        ),
        (
            "/estimatedValue/amount",
            json!(1),
            Some(("/estimatedValue/amount", "wrongType")),
        ),
        (
            "/estimatedValue/currency",
            json!("usd"),
            Some(("/estimatedValue/currency", "invalidCurrency")),
        ),
        ("/estimatedValue", json!({"amount": "1", "currency": "JPY"}), None),
        (
            "/estimatedValue",
            json!({"amount": "1.0", "currency": "JPY"}),
            Some(("/estimatedValue/amount", "tooManyDecimals")),
        ),
        ("/estimatedValue", json!({"amount": "1.234", "currency": "KWD"}), None),
        (
            "/estimatedValue",
            json!({"amount": "1.2345", "currency": "KWD"}),
            Some(("/estimatedValue/amount", "tooManyDecimals")),
        ),
        ("/estimatedValue", json!({"amount": "1.2345", "currency": "CLF"}), None),
        ("/estimatedValue", Value::Null, Some(("/estimatedValue", "required"))),
        ("/estimatedCloseDate", date(1), None),
        (
            "/estimatedCloseDate",
            date(-1),
            Some(("/estimatedCloseDate", "dateInPast")),
        ),
        (
            "/estimatedCloseDate",
            json!("2099-02-29"),
            Some(("/estimatedCloseDate", "invalidDate")),
        ),
        ("/team", people(50), None),
        ("/team", people(51), Some(("/team", "tooMany"))),
        ("/team/0/name", text(80), None),
        ("/team/0/name", text(81), Some(("/team/0/name", "tooLong"))),
        ("/team/0/phone", json!("+123456789012345"), None),
        (
            "/team/0/phone",
            json!("+1234567890123456"),
            Some(("/team/0/phone", "invalidPhone")),
        ),
        ("/team/0/email", address(254), None),
        ("/team/0/email", address(255), Some(("/team/0/email", "tooLong"))),
        ("/team/0/name", json!(""), Some(("/team/0/name", "empty"))),
        ("/team", json!([]), Some(("/team", "tooFew"))),
        ("/team/0/email", json!("ana"), Some(("/team/0/email", "invalidEmail"))),
        ("/team/0/email", Value::Null, Some(("/team", "teamContactRequired"))),
        ("/solutions", json!(["cloud"]), None),
        ("/solutions", json!([]), Some(("/solutions", "tooFew"))),
        ("/solutions", json!(vec!["cloud"; 51]), Some(("/solutions", "tooMany"))),
        (
            "/solutions",
            json!(["cloud", "cloud"]),
            Some(("/solutions/1", "duplicate")),
        ),
        (
            "/solutions",
            json!(["cloud", "nope"]),
            Some(("/solutions/1", "unknownSolution")),
        ),
        (
            "/solutions",
            json!(["secret-erp"]),
            Some(("/solutions/0", "solutionNotCoSellReady")),
        ),
        ("/note", text(2_000), None),
        ("/note", text(2_001), Some(("/note", "tooLong"))),
        ("/colour", json!("red"), Some(("/colour", "unknownField"))),
        (
            "/customer",
            json!({"id": "nobody"}),
            Some(("/customer/id", "unknownCustomer")),
        ),
        (
            "/customer",
            json!({"id": "123456789", "name": "X"}),
            Some(("/customer/name", "unknownField")),
        ),
    ];
    check(cases, deal(&[])).await;
}

#[tokio::test]
async fn today_in_utc_is_a_close_date() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    // Midnight may pass between asking for the date and sending it; then the day after is today.
    for _ in 0..2 {
        let today = date(0);
        let answer = contoso
            .post(
                "/v1/opportunities",
                &but(deal(&[]), "/estimatedCloseDate", today.clone()),
            )
            .await;
        if today == date(0) {
            answer.is(201);
            return;
        }
    }
    panic!("midnight came twice");
}

#[tokio::test]
async fn the_limits_of_a_customer() {
    let base = but(
        deal(&[]),
        "/customer",
        json!({"name": "Adatum", "country": "US", "dunsNumber": "987654321",
               "address": {"addressLine1": "1 Main St", "addressLine2": "", "city": "Reno", "region": "NV", "postalCode": "89501"},
               "contact": {"name": "Lee", "phone": "+14255550100", "email": "lee@adatum.example"}}),
    );
    let base = but(base, "/customer/address/addressLine2", Value::Null);
    let mut cases: Vec<Case> = vec![
        ("/customer/name", text(120), None),
        ("/customer/name", text(121), Some(("/customer/name", "tooLong"))),
        ("/customer/name", Value::Null, Some(("/customer/name", "required"))),
        (
            "/customer/country",
            json!("us"),
            Some(("/customer/country", "invalidCountry")),
        ),
        (
            "/customer/country",
            json!("XX"),
            Some(("/customer/country", "invalidCountry")),
        ),
        (
            "/customer/dunsNumber",
            json!("12345678"),
            Some(("/customer/dunsNumber", "invalidDunsNumber")),
        ),
        (
            "/customer/dunsNumber",
            json!("1234567890"),
            Some(("/customer/dunsNumber", "invalidDunsNumber")),
        ),
        ("/customer/address/postalCode", text(20), None),
        (
            "/customer/address/postalCode",
            text(21),
            Some(("/customer/address/postalCode", "tooLong")),
        ),
        ("/customer/contact/name", text(80), None),
        (
            "/customer/contact/name",
            text(81),
            Some(("/customer/contact/name", "tooLong")),
        ),
        (
            "/customer/contact/phone",
            json!("4255550100"),
            Some(("/customer/contact/phone", "invalidPhone")),
        ),
        (
            "/customer/contact/email",
            json!("lee@"),
            Some(("/customer/contact/email", "invalidEmail")),
        ),
        (
            "/customer/contact/fax",
            json!("x"),
            Some(("/customer/contact/fax", "unknownField")),
        ),
    ];
    for line in [
        "/customer/address/addressLine1",
        "/customer/address/addressLine2",
        "/customer/address/city",
        "/customer/address/region",
    ] {
        cases.push((line, text(255), None));
        cases.push((line, text(256), Some((line, "tooLong"))));
    }
    check(cases, base).await;
}

#[tokio::test]
async fn the_limits_of_an_invitation() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let cases: Vec<Case> = vec![
        ("/message", text(2_000), None),
        ("/message", text(2_001), Some(("/message", "tooLong"))),
        ("/message", json!(" "), Some(("/message", "empty"))),
        ("/contacts", people(50), None),
        ("/contacts", people(51), Some(("/contacts", "tooMany"))),
        ("/contacts", Value::Null, None),
        ("/contacts/0/name", text(80), None),
        ("/contacts/0/name", text(81), Some(("/contacts/0/name", "tooLong"))),
        (
            "/contacts/0/email",
            address(255),
            Some(("/contacts/0/email", "tooLong")),
        ),
        ("/customerConsent", Value::Null, Some(("/customerConsent", "required"))),
        (
            "/customerConsent",
            json!("true"),
            Some(("/customerConsent", "wrongType")),
        ),
        ("/organizationId", json!("a b"), Some(("/organizationId", "invalidId"))),
        ("/helpType", json!("magic"), Some(("/helpType", "invalidChoice"))),
        ("/note", text(2_000), None),
        ("/note", text(2_001), Some(("/note", "tooLong"))),
    ];
    check_on_deal("invitations", &invitation("fabrikam"), cases).await;
    let help_types = [
        "technicalArchitecture",
        "proofOfConcept",
        "quotesOrLicensing",
        "postSales",
        "workloadValueProposition",
        "businessStrategy",
        "dealDesk",
        "general",
    ];
    for help_type in help_types {
        let path = world.deal(&[]).await;
        contoso
            .post(
                &format!("{path}/invitations"),
                &but(invitation("fabrikam"), "/helpType", json!(help_type)),
            )
            .await
            .is(201);
    }
    let wrong = but(deal(&["fabrikam"]), "/invitations/0/helpType", json!("magic"));
    let answer = contoso.post("/v1/opportunities", &wrong).await;
    answer.has_faults(&[("/invitations/0/helpType", "invalidChoice")]);
    assert_eq!(answer.body["errors"][0]["allowed"], json!(help_types));
    let twice = deal(&["fabrikam", "fabrikam"]);
    contoso
        .post("/v1/opportunities", &twice)
        .await
        .has_faults(&[("/invitations/1/organizationId", "alreadyInvited")]);
    let ten = but(deal(&[]), "/invitations", json!(vec![invitation("fabrikam"); 10]));
    contoso
        .post("/v1/opportunities", &ten)
        .await
        .has_faults(&[("/invitations", "tooMany")]);
}

#[tokio::test]
async fn every_reason_declines_and_loses_and_other_needs_a_note() {
    let world = World::start().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let reasons = [
        "budget",
        "customerUnresponsive",
        "choseCompetitor",
        "requirementsNotMet",
        "notACustomer",
        "timelineTooShort",
        "noCapacity",
        "duplicate",
        "spam",
    ];
    for reason in reasons {
        let path = world.deal(&["fabrikam"]).await;
        fabrikam
            .post(
                &format!("{path}/response"),
                &json!({"decision": "decline", "reason": reason}),
            )
            .await
            .is(200);
        contoso
            .post(&format!("{path}/close"), &json!({"outcome": "lost", "reason": reason}))
            .await
            .is(200);
    }
    let path = world.deal(&["fabrikam"]).await;
    let (response, close) = (format!("{path}/response"), format!("{path}/close"));
    fabrikam
        .post(&response, &json!({"decision": "decline", "reason": "bored"}))
        .await
        .has_faults(&[("/reason", "invalidChoice")]);
    contoso
        .post(&close, &json!({"outcome": "lost", "reason": "other"}))
        .await
        .has_faults(&[("/note", "noteRequired")]);
    fabrikam
        .post(
            &response,
            &json!({"decision": "decline", "reason": "other", "note": "We left."}),
        )
        .await
        .is(200);
    contoso
        .post(
            &close,
            &json!({"outcome": "lost", "reason": "other", "note": "They left."}),
        )
        .await
        .is(200);
}

#[tokio::test]
async fn what_belongs_to_another_choice_is_named() {
    let world = World::start().await;
    let path = world.deal(&["fabrikam"]).await;
    let (contoso, fabrikam, response) = (
        world.admin("contoso"),
        world.admin("fabrikam"),
        format!("{path}/response"),
    );
    fabrikam
        .post(&response, &json!({}))
        .await
        .has_faults(&[("/decision", "required")]);
    fabrikam
        .post(&response, &json!({"decision": "maybe"}))
        .await
        .has_faults(&[("/decision", "invalidChoice")]);
    let both = json!({"decision": "accept", "reason": "budget"});
    fabrikam
        .post(&response, &both)
        .await
        .has_faults(&[("/reason", "notAllowed")]);
    let both = json!({"decision": "decline", "reason": "budget", "crmId": "1"});
    fabrikam
        .post(&response, &both)
        .await
        .has_faults(&[("/crmId", "notAllowed")]);
    let both = json!({"outcome": "won", "reason": "budget"});
    contoso
        .post(&format!("{path}/close"), &both)
        .await
        .has_faults(&[("/reason", "notAllowed")]);
    let both = json!({"outcome": "lost", "reason": "budget", "finalValue": {"amount": "1", "currency": "USD"}});
    contoso
        .post(&format!("{path}/close"), &both)
        .await
        .has_faults(&[("/finalValue", "notAllowed")]);
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let world = World::start().await;
    let body = json!({
        "nmae": "ERP", "estimatedValue": {"amount": "1.001", "currency": "USD"}, "estimatedCloseDate": "2001-01-01",
        "customer": {"name": "", "country": "United States", "contact": {"phone": "555", "email": "x"}},
        "team": [{"name": "Ana"}, {"phone": "+14255550100"}], "solutions": ["cloud", "a b", "nope", "secret-erp"],
        "invitations": [{"organizationId": "contoso", "helpType": "x", "message": "", "customerConsent": false, "extra": 1}],
    });
    world
        .admin("contoso")
        .post("/v1/opportunities", &body)
        .await
        .has_faults(&[
            ("/name", "required"),
            ("/nmae", "unknownField"),
            ("/estimatedValue/amount", "tooManyDecimals"),
            ("/estimatedCloseDate", "dateInPast"),
            ("/customer/name", "empty"),
            ("/customer/country", "invalidCountry"),
            ("/customer/contact/name", "required"),
            ("/customer/contact/phone", "invalidPhone"),
            ("/customer/contact/email", "invalidEmail"),
            ("/team/1/name", "required"),
            ("/solutions/1", "invalidId"),
            ("/solutions/2", "unknownSolution"),
            ("/solutions/3", "solutionNotCoSellReady"),
            ("/invitations/0/organizationId", "selfInvitation"),
            ("/invitations/0/helpType", "invalidChoice"),
            ("/invitations/0/message", "empty"),
            ("/invitations/0/customerConsent", "consentRequired"),
            ("/invitations/0/extra", "unknownField"),
        ]);
}

#[tokio::test]
async fn a_patch_says_what_it_cannot_do() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let private = world.deal(&[]).await;
    let shared = world.deal(&["fabrikam"]).await;
    let phone = json!({"customer": {"contact": {"phone": "+14255550199"}}});
    contoso
        .patch_now(&shared, &phone)
        .await
        .has_faults(&[("/customer/contact", "contactLocked")]);
    assert_eq!(
        contoso.patch_now(&private, &phone).await.is(200).body["customer"]["contact"]["name"],
        "Lee Gu"
    );
    for (body, faults) in [
        (json!({"name": null}), vec![("/name", "required")]),
        (json!({"stage": "archived"}), vec![("/stage", "unknownField")]),
        (
            json!({"customer": {"name": "Other"}}),
            vec![("/customer/name", "unknownField")],
        ),
        (
            json!({"team": [{"name": "Ana"}]}),
            vec![("/team", "teamContactRequired")],
        ),
        (json!({"team": []}), vec![("/team", "tooFew")]),
        (
            json!({"estimatedCloseDate": "2001-01-01", "crmId": 3}),
            vec![("/estimatedCloseDate", "dateInPast"), ("/crmId", "wrongType")],
        ),
    ] {
        let before = world.dump().await;
        contoso.patch_now(&private, &body).await.has_faults(&faults);
        assert_eq!(world.dump().await, before);
    }
    let cleared = contoso
        .patch_now(&private, &json!({"crmId": null, "campaignId": null}))
        .await;
    assert_eq!(
        (&cleared.is(200).body["crmId"], &cleared.body["campaignId"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn what_is_no_request_at_all() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let before = world.dump().await;
    let post = |content_type: &'static str, body: &str| {
        let (contoso, body) = (contoso.clone(), body.to_owned());
        async move {
            contoso
                .send(
                    Method::POST,
                    "/v1/opportunities",
                    &[("content-type", content_type)],
                    Some(body),
                )
                .await
        }
    };
    for body in ["", "{", "{\"name\": \"a\", \"name\": \"b\"}", "nonsense", "{} {}"] {
        post("application/json", body).await.refuses(400, "malformedJson");
    }
    post("application/json", "[]").await.has_faults(&[("", "wrongType")]);
    let answer = post("application/x-www-form-urlencoded", "name=a").await;
    assert!(
        answer
            .refuses(415, "unsupportedMediaType")
            .text
            .contains("application/json"),
        "{answer}"
    );
    contoso
        .post("/v1/opportunities?dryrun=true", &deal(&[]))
        .await
        .refuses(400, "malformedParameter");
    // 256 KiB to the byte, and one more.
    let padded = |size: usize| {
        let body = deal(&[]).to_string();
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    contoso
        .send(Method::POST, "/v1/opportunities", &[JSON], Some(padded(256 * 1024 + 1)))
        .await
        .refuses(413, "tooLarge");
    assert_eq!(world.dump().await, before);
    contoso
        .send(Method::POST, "/v1/opportunities", &[JSON], Some(padded(256 * 1024)))
        .await
        .is(201);
}

#[tokio::test]
async fn a_query_parameter_that_means_nothing_is_refused_everywhere() {
    let world = World::start().await;
    let path = world.deal(&["fabrikam"]).await;
    let contoso = world.admin("contoso");
    let before = world.dump().await;
    let note = json!({"text": "x", "visibility": "internal"});
    for (method, suffix, body) in [
        (Method::GET, "", Value::Null),
        (Method::GET, "/history", Value::Null),
        (Method::GET, "/notes", Value::Null),
        (Method::PUT, "/favorite", Value::Null),
        (Method::DELETE, "/favorite", Value::Null),
        (Method::PATCH, "", json!({"name": "x"})),
        (Method::POST, "/notes", note),
        (Method::POST, "/invitations", invitation("northwind")),
        (Method::DELETE, "/invitations/fabrikam", Value::Null),
        (Method::POST, "/close", json!({"outcome": "won"})),
        (Method::POST, "/response", json!({"decision": "accept"})),
    ] {
        let path = format!("{path}{suffix}?dryRun=true");
        let answer = contoso
            .send(method, &path, &[JSON, ("if-match", "*")], Some(body.to_string()))
            .await;
        answer.refuses(400, "malformedParameter");
    }
    assert_eq!(world.dump().await, before);
}

#[tokio::test]
async fn the_gateway_answers_what_is_no_route() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/v1"),
        (Method::GET, "/v1/opportunities/"),
        (Method::DELETE, "/v1/opportunities"),
        (Method::PUT, "/v1/opportunities/01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        (Method::GET, "/V1/opportunities?tab=inbound"),
        (Method::GET, "/v1/import"),
    ] {
        let answer = contoso.send(method, path, &[], None).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (404, r#"{"message":"Not Found"}"#),
            "{answer}"
        );
    }
}

/// Sends right bodies but for one value to a fresh deal each: a change of it where there is no action, else that action.
async fn check_on_deal(action: &str, base: &Value, cases: Vec<Case>) {
    let world = World::start().await;
    let (invited, who) = match action {
        "response" => (&["fabrikam"][..], "fabrikam"),
        _ => (&[][..], "contoso"),
    };
    let client = world.admin(who);
    for (pointer, value, fault) in cases {
        let path = world.deal(invited).await;
        let body = but(base.clone(), pointer, value.clone());
        let before = world.dump().await;
        let answer = match action {
            "" => client.patch_now(&path, &body).await,
            action => client.post(&format!("{path}/{action}"), &body).await,
        };
        match fault {
            None => assert!([200, 201].contains(&answer.status), "{pointer} {value}: {answer}"),
            Some(fault) => {
                answer.has_faults(&[fault]);
                let after = world.dump().await;
                assert_eq!(after, before, "a refused request writes nothing: {pointer} {value}");
            }
        }
    }
}

/// What a view may be given by whoever works it.
fn edits() -> Vec<Case> {
    let amount = "/estimatedValue/amount";
    vec![
        ("/name", text(255), None),
        ("/name", text(256), Some(("/name", "tooLong"))),
        ("/name", json!(""), Some(("/name", "empty"))),
        ("/crmId", text(64), None),
        ("/crmId", text(65), Some(("/crmId", "tooLong"))),
        ("/campaignId", text(64), None),
        ("/campaignId", text(65), Some(("/campaignId", "tooLong"))),
        ("/estimatedValue", json!({"amount": "0.01", "currency": "USD"}), None),
        (
            "/estimatedValue",
            json!({"amount": "0.001", "currency": "USD"}),
            Some((amount, "tooManyDecimals")),
        ),
        (
            "/estimatedValue",
            json!({"amount": "1", "currency": "ZZZ"}),
            Some(("/estimatedValue/currency", "invalidCurrency")),
        ),
        ("/estimatedCloseDate", date(1), None),
        (
            "/estimatedCloseDate",
            date(-1),
            Some(("/estimatedCloseDate", "dateInPast")),
        ),
        ("/team", people(50), None),
        ("/team", people(51), Some(("/team", "tooMany"))),
        ("/team", json!([]), Some(("/team", "tooFew"))),
        ("/stage", json!("archived"), Some(("/stage", "unknownField"))),
    ]
}

#[tokio::test]
async fn the_limits_of_an_acceptance() {
    let mut cases = edits();
    cases.extend([
        ("/note", text(2_000), None),
        ("/note", text(2_001), Some(("/note", "tooLong"))),
        ("/solutions", json!(["erp"]), Some(("/solutions", "unknownField"))),
    ]);
    check_on_deal("response", &json!({"decision": "accept"}), cases).await;
}

#[tokio::test]
async fn the_limits_of_a_decline() {
    let cases = vec![
        ("/note", text(2_000), None),
        ("/note", text(2_001), Some(("/note", "tooLong"))),
        ("/note", json!(""), Some(("/note", "empty"))),
        ("/reason", json!("Budget"), Some(("/reason", "invalidChoice"))),
        ("/reason", json!(["budget"]), Some(("/reason", "wrongType"))),
        ("/because", json!("x"), Some(("/because", "unknownField"))),
    ];
    let base = json!({"decision": "decline", "reason": "budget"});
    check_on_deal("response", &base, cases).await;
}

#[tokio::test]
async fn the_limits_of_a_change() {
    let mut cases = edits();
    let contact = |name: &str, value: Value| json!({"contact": {name: value}});
    cases.extend([
        ("/solutions", json!(["erp"]), None),
        ("/solutions", json!([]), Some(("/solutions", "tooFew"))),
        ("/solutions", json!(vec!["erp"; 51]), Some(("/solutions", "tooMany"))),
        (
            "/solutions",
            json!(["erp", "secret-erp"]),
            Some(("/solutions/1", "solutionNotCoSellReady")),
        ),
        ("/customer", contact("name", text(80)), None),
        (
            "/customer",
            contact("name", text(81)),
            Some(("/customer/contact/name", "tooLong")),
        ),
        ("/customer", contact("email", address(254)), None),
        (
            "/customer",
            contact("email", address(255)),
            Some(("/customer/contact/email", "tooLong")),
        ),
        (
            "/customer",
            contact("fax", json!("1")),
            Some(("/customer/contact/fax", "unknownField")),
        ),
        ("/note", json!("x"), Some(("/note", "unknownField"))),
    ]);
    check_on_deal("", &json!({}), cases).await;
}

#[tokio::test]
async fn the_limits_of_a_close() {
    let amount = "/finalValue/amount";
    let cases = vec![
        ("/note", text(2_000), None),
        ("/note", text(2_001), Some(("/note", "tooLong"))),
        (
            "/finalValue",
            json!({"amount": "999999999999999.99", "currency": "USD"}),
            None,
        ),
        (
            "/finalValue",
            json!({"amount": "1000000000000000", "currency": "USD"}),
            Some((amount, "invalidAmount")),
        ),
        (
            "/finalValue",
            json!({"amount": "1"}),
            Some(("/finalValue/currency", "required")),
        ),
        ("/outcome", json!("expired"), Some(("/outcome", "invalidChoice"))),
    ];
    check_on_deal("close", &json!({"outcome": "won"}), cases).await;
}

#[tokio::test]
async fn an_amount_is_a_plain_decimal_number() {
    let wrong = [
        "", " 1", "1 ", "1.", ".5", "1e3", "+1", "1,000", "00", "0x1", "1.2.3", "1.12345", "١", "NaN",
    ];
    let amount = "/estimatedValue/amount";
    let cases = wrong.map(|text| (amount, json!(text), Some((amount, "invalidAmount"))));
    check(cases.to_vec(), deal(&[])).await;
}

#[tokio::test]
async fn a_deal_has_fifty_solutions() {
    let world = World::start().await;
    let ids: Vec<String> = (0..51).map(|n| format!("s{n}")).collect();
    let lines = ids.iter().map(|id| {
        json!({"kind": "solution", "id": id, "name": id, "publisher": "contoso", "coSellReady": true}).to_string()
    });
    let lines = lines.collect::<Vec<_>>().join("\n");
    world.stack.import(&lines).await.expect("imported");
    let contoso = world.admin("contoso");
    let with = |count: usize| but(deal(&[]), "/solutions", json!(ids[..count]));
    let created = contoso.post("/v1/opportunities", &with(50)).await;
    assert_eq!(created.is(201).body["solutions"].as_array().map(Vec::len), Some(50));
    contoso
        .post("/v1/opportunities", &with(51))
        .await
        .has_faults(&[("/solutions", "tooMany")]);
}

#[tokio::test]
async fn every_command_knows_what_is_no_request() {
    let world = World::start().await;
    let path = world.deal(&["fabrikam"]).await;
    let before = world.dump().await;
    let send = |method: &Method, suffix: &str, content_type: &'static str, body: &str| {
        let (client, path, body) = (world.admin("contoso"), format!("{path}{suffix}"), body.to_owned());
        let method = method.clone();
        async move {
            let headers = [("content-type", content_type), ("if-match", "*")];
            client.send(method, &path, &headers, Some(body)).await
        }
    };
    for (method, suffix) in [
        (Method::PATCH, ""),
        (Method::POST, "/response"),
        (Method::POST, "/close"),
        (Method::POST, "/invitations"),
        (Method::POST, "/notes"),
    ] {
        let json = "application/json";
        for body in [
            "",
            "{",
            r#"{"a": {"b": 1, "b": 1}}"#,
            "nonsense",
            "{} {}",
            "{\"a\": \u{0}}",
        ] {
            let answer = send(&method, suffix, json, body).await;
            answer.refuses(400, "malformedJson");
        }
        for body in ["[]", "null", "\"x\"", "1"] {
            let answer = send(&method, suffix, json, body).await;
            answer.has_faults(&[("", "wrongType")]);
        }
        for content_type in ["text/plain", "application/jsonx", "application/x-www-form-urlencoded"] {
            let answer = send(&method, suffix, content_type, "{}").await;
            answer.refuses(415, "unsupportedMediaType");
        }
        let large = format!("{{}}{}", " ".repeat(256 * 1024 - 1));
        send(&method, suffix, json, &large).await.refuses(413, "tooLarge");
    }
    assert_eq!(world.dump().await, before);
}
