//! What a request may look like: every limit at its boundary, every fault with its place, all faults at once.

use super::*;

fn text(length: usize) -> Value {
    // Two bytes each, so that a limit in bytes would show.
    json!("é".repeat(length))
}

fn money(amount: &str, currency: &str) -> Value {
    json!({"amount": amount, "currency": currency})
}

fn people(count: usize) -> Value {
    let person = json!({"name": "Ana", "phone": "+14255550101", "email": "ana@contoso.example"});
    Value::Array(vec![person; count])
}

fn solutions(count: usize) -> Value {
    (1..=count).map(|n| format!("s{n}")).collect()
}

fn email(length: usize) -> Value {
    let domain = ["b".repeat(63), "c".repeat(63), "d".repeat(length - 193)].join(".");
    json!(format!("{}@{domain}", "a".repeat(64)))
}

/// A request with everything in it that it can have.
fn full() -> Value {
    set(&co_sell(&["fabrikam"]), "/invitations/0/contacts", people(1))
}

fn create(body: Value) -> String {
    World::empty().ask("contoso", &Ask::Create(body))
}

const CREATED: &str = "created contoso, invited fabrikam";

/// Of each place of a create request: a right value, as far as it may go, and a wrong one with its code there.
fn check_limits(rows: impl IntoIterator<Item = (&'static str, Value, Value, &'static str)>) {
    for (pointer, right, wrong, code) in rows {
        assert_eq!(create(set(&full(), pointer, right)), CREATED, "{pointer}");
        let told = create(set(&full(), pointer, wrong.clone()));
        assert_eq!(told, format!("422 {pointer} {code}"), "{wrong}");
    }
}

#[test]
fn each_field_of_the_deal_is_right_up_to_its_limit() {
    check_limits([
        ("/name", text(255), text(256), "tooLong"),
        ("/name", json!("n"), json!(""), "empty"),
        ("/name", json!(" n "), json!(" \t"), "empty"),
        ("/name", json!("🦀 ü"), json!("a\nb"), "invalidCharacter"),
        (
            "/estimatedValue/amount",
            json!("999999999999999.99"),
            json!("1000000000000000"),
            "invalidAmount",
        ),
        ("/estimatedValue/amount", json!("0"), json!("-1"), "invalidAmount"),
        ("/estimatedValue/amount", json!("0.1"), json!(".1"), "invalidAmount"),
        ("/estimatedValue/amount", json!("10"), json!("010"), "invalidAmount"),
        (
            "/estimatedValue/amount",
            json!("1.12"),
            json!("1.123"),
            "tooManyDecimals",
        ),
        ("/estimatedValue/amount", json!("1"), json!("1.12345"), "invalidAmount"),
        ("/estimatedValue/amount", json!("1"), json!(1), "wrongType"),
        (
            "/estimatedValue/currency",
            json!("EUR"),
            json!("eur"),
            "invalidCurrency",
        ),
        ("/estimatedValue", money("1", "JPY"), json!("1 JPY"), "wrongType"),
        ("/estimatedCloseDate", json!(TODAY), json!(YESTERDAY), "dateInPast"),
        (
            "/estimatedCloseDate",
            json!("2028-02-29"),
            json!("2027-02-29"),
            "invalidDate",
        ),
        ("/crmId", text(64), text(65), "tooLong"),
        ("/campaignId", text(64), text(65), "tooLong"),
    ]);
}

#[test]
fn each_field_of_the_customer_is_right_up_to_its_limit() {
    check_limits([
        ("/customer/name", text(120), text(121), "tooLong"),
        ("/customer/country", json!("AU"), json!("au"), "invalidCountry"),
        ("/customer/country", json!("GB"), json!("UK"), "invalidCountry"),
        (
            "/customer/dunsNumber",
            json!("000000000"),
            json!("00000000"),
            "invalidDunsNumber",
        ),
        (
            "/customer/dunsNumber",
            json!("123456789"),
            json!(123_456_789),
            "wrongType",
        ),
        ("/customer/address/addressLine1", text(255), text(256), "tooLong"),
        ("/customer/address/addressLine2", text(255), text(256), "tooLong"),
        ("/customer/address/city", text(255), text(256), "tooLong"),
        ("/customer/address/region", text(255), text(256), "tooLong"),
        ("/customer/address/postalCode", text(20), text(21), "tooLong"),
        ("/customer/contact/name", text(80), text(81), "tooLong"),
        (
            "/customer/contact/phone",
            json!("+123456789012345"),
            json!("+1234567890123456"),
            "invalidPhone",
        ),
        (
            "/customer/contact/phone",
            json!("+6834000"),
            json!("4255550100"),
            "invalidPhone",
        ),
        ("/customer/contact/email", email(254), email(255), "tooLong"),
        (
            "/customer/contact/email",
            json!("a@b.example"),
            json!("a@b"),
            "invalidEmail",
        ),
    ]);
}

#[test]
fn each_item_of_a_list_is_right_up_to_its_limit() {
    check_limits([
        ("/team", people(50), people(51), "tooMany"),
        ("/team/0/name", text(80), text(81), "tooLong"),
        (
            "/team/1/phone",
            json!("+14255550101"),
            json!("+1 425 555 0101"),
            "invalidPhone",
        ),
        ("/team/1/email", email(254), email(255), "tooLong"),
        ("/team/1", json!({"name": "Bo"}), json!("Bo"), "wrongType"),
        ("/solutions", solutions(50), solutions(51), "tooMany"),
        ("/solutions/0", json!("s1"), json!("s0"), "unknownSolution"),
        ("/solutions/0", json!("s1"), json!("con-beta"), "solutionNotCoSellReady"),
        ("/solutions/1", json!("s1"), json!("con-cloud"), "duplicate"),
        ("/solutions/0", json!("s1"), json!("s 1"), "invalidId"),
        ("/note", text(2_000), text(2_001), "tooLong"),
        ("/note", json!("a\nb"), json!("a\u{0}b"), "invalidCharacter"),
        ("/invitations/0/message", text(2_000), text(2_001), "tooLong"),
        ("/invitations/0/message", json!("a\nb"), json!("\n"), "empty"),
        (
            "/invitations/0/helpType",
            json!("general"),
            json!("General"),
            "invalidChoice",
        ),
        ("/invitations/0/contacts", people(50), people(51), "tooMany"),
        ("/invitations/0/contacts", json!([]), json!({}), "wrongType"),
        ("/invitations/0/contacts/0/name", text(80), text(81), "tooLong"),
        (
            "/invitations/0/contacts/0/phone",
            json!("+14255550101"),
            json!("+1"),
            "invalidPhone",
        ),
        ("/invitations/0/contacts/0/email", email(254), email(255), "tooLong"),
    ]);
}

#[test]
fn a_currency_sets_its_decimals() {
    for (amount, currency, right) in [
        ("1", "JPY", true),
        ("1.0", "JPY", false),
        ("1.123", "KWD", true),
        ("1.1234", "KWD", false),
        ("1.1234", "CLF", true),
        ("999999999999999.9999", "CLF", true),
    ] {
        let told = create(set(&full(), "/estimatedValue", money(amount, currency)));
        let expected = if right {
            CREATED
        } else {
            "422 /estimatedValue/amount tooManyDecimals"
        };
        assert_eq!(told, expected, "{amount} {currency}");
    }
}

#[test]
fn what_is_required_is_missed_absent_or_null() {
    for pointer in [
        "/name",
        "/estimatedValue",
        "/estimatedValue/amount",
        "/estimatedValue/currency",
        "/estimatedCloseDate",
        "/customer/name",
        "/customer/country",
        "/team",
        "/team/0/name",
        "/solutions",
        "/invitations/0/organizationId",
        "/invitations/0/helpType",
        "/invitations/0/message",
        "/invitations/0/customerConsent",
        "/invitations/0/contacts/0/name",
    ] {
        let told = format!("422 {pointer} required");
        assert_eq!(create(without(&full(), pointer)), told);
        assert_eq!(create(set(&full(), pointer, Value::Null)), told);
    }
    let private = without(&full(), "/invitations");
    assert_eq!(create(without(&private, "/customer")), "422 /customer required");
}

#[test]
fn what_is_optional_may_be_absent_or_null() {
    for pointer in [
        "/crmId",
        "/campaignId",
        "/note",
        "/customer/dunsNumber",
        "/customer/address",
        "/customer/address/addressLine1",
        "/customer/address/addressLine2",
        "/customer/address/city",
        "/customer/address/region",
        "/customer/address/postalCode",
        "/team/1/phone",
        "/team/1/email",
        "/invitations/0/contacts",
        "/invitations/0/contacts/0/phone",
        "/invitations/0/contacts/0/email",
    ] {
        assert_eq!(create(set(&full(), pointer, Value::Null)), CREATED, "{pointer}");
        if full().pointer(pointer).is_some() {
            assert_eq!(create(without(&full(), pointer)), CREATED, "{pointer}");
        }
    }
    for invitations in [Value::Null, json!([])] {
        assert_eq!(create(set(&full(), "/invitations", invitations)), "created contoso");
    }
}

#[test]
fn a_misspelt_field_is_not_lost_in_silence() {
    for place in [
        "",
        "/estimatedValue",
        "/customer",
        "/customer/address",
        "/customer/contact",
        "/team/0",
        "/invitations/0",
        "/invitations/0/contacts/0",
    ] {
        let pointer = format!("{place}/nmae");
        let told = create(set(&full(), &pointer, json!("x")));
        assert_eq!(told, format!("422 {pointer} unknownField"));
        let told = create(set(&full(), &pointer, Value::Null));
        assert_eq!(told, format!("422 {pointer} unknownField"), "even without a value");
    }
    let odd = set(&json!({"decision": "accept"}), "/x", json!(1));
    let odd = serde_json::from_str::<Value>(&odd.to_string().replace("\"x\"", "\"a/b~c\"")).expect("JSON");
    let told = World::with_fabrikam("received").ask("fabrikam", &Ask::Respond(odd));
    assert_eq!(told, "422 /a~1b~0c unknownField", "a pointer is escaped");
    for field in ["id", "stage", "version", "organizationId"] {
        let told = World::with_deal().ask("contoso", &Ask::Update(json!({field: "x"})));
        assert_eq!(told, format!("422 /{field} unknownField"), "not for the caller to set");
    }
}

#[test]
fn a_wrong_type_is_told_where_it_stands() {
    for wrong in [json!(true), json!(1), json!("x"), json!([])] {
        for place in ["/estimatedValue", "/customer/address", "/team/0", "/invitations/0"] {
            let told = create(set(&full(), place, wrong.clone()));
            assert!(told.contains(&format!("{place} wrongType")), "{place} {wrong}: {told}");
        }
        for form in [Ask::Create, Ask::Invite, Ask::Update, Ask::Close] {
            let ask = form(wrong.clone());
            assert_eq!(World::with_deal().ask("contoso", &ask), "422 all wrongType", "{ask:?}");
        }
        let told = World::with_fabrikam("received").ask("fabrikam", &Ask::Respond(wrong));
        assert_eq!(told, "422 all wrongType");
    }
    for place in ["/team", "/solutions", "/invitations"] {
        for wrong in [json!(true), json!(1), json!("x"), json!({})] {
            assert_eq!(create(set(&full(), place, wrong)), format!("422 {place} wrongType"));
        }
    }
}

#[test]
fn a_choice_tells_what_there_is_to_choose() {
    let allowed = |body: &Value| {
        let by = actor("contoso");
        let form = CreateForm::read(body);
        let refused = form.check(id(), &find(&form.references(&by)), &by, RESPONSE_WINDOW, noon());
        match refused {
            Err(Refusal::Invalid(faults)) => faults.0[0].allowed.clone(),
            other => panic!("{other:?}"),
        }
    };
    let help = allowed(&set(&full(), "/invitations/0/helpType", json!("money")));
    assert_eq!(
        help,
        [
            "technicalArchitecture",
            "proofOfConcept",
            "quotesOrLicensing",
            "postSales",
            "workloadValueProposition",
            "businessStrategy",
            "dealDesk",
            "general",
        ]
    );
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "budget",
            "customerUnresponsive",
            "choseCompetitor",
            "requirementsNotMet",
            "notACustomer",
            "timelineTooShort",
            "noCapacity",
            "duplicate",
            "spam",
            "other",
        ]
    );
    for (form, told) in [
        (
            Ask::Respond(json!({"decision": "maybe"})),
            "422 /decision invalidChoice",
        ),
        (Ask::Respond(json!({})), "422 /decision required"),
        (Ask::Respond(decline("dunno")), "422 /reason invalidChoice"),
        (
            Ask::Respond(json!({"decision": "decline", "note": "no"})),
            "422 /reason required",
        ),
    ] {
        assert_eq!(World::with_fabrikam("received").ask("fabrikam", &form), told);
    }
    for (body, told) in [
        (json!({"outcome": "declined"}), "422 /outcome invalidChoice"),
        (json!({}), "422 /outcome required"),
        (lost("dunno"), "422 /reason invalidChoice"),
    ] {
        assert_eq!(World::with_deal().ask("contoso", &Ask::Close(body)), told);
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let told = create(json!({
        "nmae": "x",
        "estimatedValue": {"amount": 5, "currency": "usd"},
        "estimatedCloseDate": YESTERDAY,
        "crmId": "",
        "campaignId": 7,
        "customer": {"country": "us", "address": {"postalCode": "1".repeat(21)}, "contact": {"phone": "1"}},
        "team": [{"name": "Ana"}, {"name": "Bo", "email": "bo@contoso.example"}],
        "solutions": ["con-cloud", "nothing", "con-beta", "con-cloud"],
        "note": "",
        "invitations": [
            {"organizationId": "contoso", "helpType": "x", "message": "", "customerConsent": false},
            {"organizationId": "nobody", "helpType": "general", "message": "Hi", "customerConsent": true, "contacts": [{}]},
            {"organizationId": "nobody", "helpType": "general", "message": "Hi", "customerConsent": true},
        ],
    }));
    let mut told: Vec<_> = told.strip_prefix("422 ").expect("refused").split(", ").collect();
    let mut expected = [
        "/name required",
        "/nmae unknownField",
        "/estimatedValue/amount wrongType",
        "/estimatedValue/currency invalidCurrency",
        "/estimatedCloseDate dateInPast",
        "/crmId empty",
        "/campaignId wrongType",
        "/customer/name required",
        "/customer/country invalidCountry",
        "/customer/address/postalCode tooLong",
        "/customer/contact/name required",
        "/customer/contact/phone invalidPhone",
        "/customer/contact/email required",
        "/team teamContactRequired",
        "/solutions/1 unknownSolution",
        "/solutions/2 solutionNotCoSellReady",
        "/solutions/3 duplicate",
        "/note empty",
        "/invitations/0/organizationId selfInvitation",
        "/invitations/0/helpType invalidChoice",
        "/invitations/0/message empty",
        "/invitations/0/customerConsent consentRequired",
        "/invitations/1/organizationId unknownOrganization",
        "/invitations/1/contacts/0/name required",
        "/invitations/2/organizationId alreadyInvited",
        "/invitations/2/organizationId unknownOrganization",
    ];
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
}

#[test]
fn too_many_invitations_hide_no_other_fault() {
    let many: Vec<_> = (1..=10).map(|n| invitation(&format!("p{n}"))).collect();
    let body = set(&deal(), "/invitations", json!(many));
    let told = create(without(&body, "/customer/contact/phone"));
    assert_eq!(told, "422 /invitations tooMany, /customer/contact/phone required");
    let told = World::empty().ask("adatum", &Ask::Create(body));
    assert_eq!(told, "403 notCoSellReady");
}

#[test]
fn an_invitation_on_its_own_has_the_same_limits() {
    for (pointer, wrong, code) in [
        ("/organizationId", json!("a b"), "invalidId"),
        ("/helpType", json!("x"), "invalidChoice"),
        ("/message", text(2_001), "tooLong"),
        ("/contacts", people(51), "tooMany"),
        ("/contacts/0/name", json!(""), "empty"),
        ("/note", text(2_001), "tooLong"),
        ("/extra", json!(1), "unknownField"),
    ] {
        let told = World::with_deal().ask("contoso", &Ask::Invite(set(&invitation("fabrikam"), pointer, wrong)));
        assert_eq!(told, format!("422 {pointer} {code}"));
    }
    let told = World::empty().ask("contoso", &Ask::Create(set(&full(), "/invitations/0/note", json!("x"))));
    assert_eq!(told, "422 /invitations/0/note unknownField", "a create has one note");
}

#[test]
fn the_owners_team_has_somebody_to_reach_and_an_invitees_need_not() {
    let incomplete = [
        json!([{"name": "Ana"}]),
        json!([{"name": "Ana", "phone": "+14255550101"}, {"name": "Bo", "email": "bo@contoso.example"}]),
    ];
    for team in &incomplete {
        let told = "422 /team teamContactRequired";
        assert_eq!(create(set(&full(), "/team", team.clone())), told);
        let update = Ask::Update(json!({"team": team}));
        assert_eq!(World::with_deal().ask("contoso", &update), told);
        let mut world = World::with_fabrikam("accepted");
        assert_eq!(world.ask("fabrikam", &update), "updated fabrikam");
        let answer = set(&accept(), "/team", team.clone());
        let mut world = World::with_fabrikam("received");
        assert_eq!(world.ask("fabrikam", &Ask::Respond(answer)), "accepted fabrikam");
    }
    for told in [
        create(set(&full(), "/team", json!([]))),
        World::with_deal().ask("contoso", &Ask::Update(json!({"team": []}))),
    ] {
        assert!(told.starts_with("422 /team tooFew"), "{told}");
    }
    let told = World::with_fabrikam("accepted").ask("fabrikam", &Ask::Update(json!({"team": []})));
    assert_eq!(told, "422 /team tooFew");
    assert_eq!(create(set(&full(), "/solutions", json!([]))), "422 /solutions tooFew");
}

#[test]
fn a_customer_is_one_of_the_directory_or_described() {
    let contact = deal()["customer"]["contact"].clone();
    for (customer, told) in [
        (json!({"id": "123456789"}), "created contoso"),
        (json!({"id": "123456789", "contact": contact}), "created contoso"),
        (json!({"id": "999999999"}), "422 /customer/id unknownCustomer"),
        (json!({"id": ""}), "422 /customer/id empty"),
        (
            json!({"id": "123456789", "name": "Adatum"}),
            "422 /customer/name unknownField",
        ),
        (json!({}), "422 /customer/name required, /customer/country required"),
    ] {
        assert_eq!(create(set(&deal(), "/customer", customer)), told);
    }
}

#[test]
fn an_answer_takes_only_what_goes_with_it() {
    let edits = [
        ("name", json!("x")),
        ("estimatedValue", money("1", "USD")),
        ("estimatedCloseDate", json!(TODAY)),
        ("crmId", json!("x")),
        ("campaignId", json!("x")),
        ("team", people(1)),
    ];
    for (field, value) in edits {
        let pointer = format!("/{field}");
        let respond = |body: &Value| {
            World::with_fabrikam("received").ask("fabrikam", &Ask::Respond(set(body, &pointer, value.clone())))
        };
        assert_eq!(respond(&accept()), "accepted fabrikam");
        assert_eq!(respond(&decline("budget")), format!("422 {pointer} notAllowed"));
    }
    let respond = |body| World::with_fabrikam("received").ask("fabrikam", &Ask::Respond(body));
    let close = |body| World::with_deal().ask("contoso", &Ask::Close(body));
    assert_eq!(
        respond(set(&accept(), "/reason", json!("budget"))),
        "422 /reason notAllowed"
    );
    assert_eq!(close(set(&won(), "/reason", json!("budget"))), "422 /reason notAllowed");
    assert_eq!(
        close(set(&lost("budget"), "/finalValue", money("1", "USD"))),
        "422 /finalValue notAllowed"
    );
    // Nothing is nothing.
    assert_eq!(respond(set(&accept(), "/reason", Value::Null)), "accepted fabrikam");
    assert_eq!(close(set(&lost("budget"), "/finalValue", Value::Null)), "lost contoso");
    assert_eq!(
        respond(set(&accept(), "/solutions", json!(["s1"]))),
        "422 /solutions unknownField"
    );
}

#[test]
fn edits_with_an_answer_and_the_end_have_the_same_limits() {
    for (pointer, wrong, code) in [
        ("/name", text(256), "tooLong"),
        ("/estimatedValue", money("1.001", "USD"), "tooManyDecimals"),
        ("/estimatedCloseDate", json!(YESTERDAY), "dateInPast"),
        ("/crmId", text(65), "tooLong"),
        ("/campaignId", text(65), "tooLong"),
        ("/team", people(51), "tooMany"),
        ("/team", json!([]), "tooFew"),
        ("/note", text(2_001), "tooLong"),
    ] {
        let told = World::with_fabrikam("received").ask("fabrikam", &Ask::Respond(set(&accept(), pointer, wrong)));
        let amount = if pointer == "/estimatedValue" { "/amount" } else { "" };
        assert_eq!(told, format!("422 {pointer}{amount} {code}"));
    }
    let wrong = json!({"outcome": "won", "finalValue": {"amount": "1.0", "currency": "JPY"}, "note": ""});
    let told = World::with_deal().ask("contoso", &Ask::Close(wrong));
    assert_eq!(told, "422 /finalValue/amount tooManyDecimals, /note empty");
}

#[test]
fn a_patch_changes_what_it_names_and_removes_what_it_nulls() {
    let mut world = World::with_deal();
    let before = world.view("contoso");
    world.wait(TimeDelta::hours(1));
    let told = world.ask(
        "contoso",
        &Ask::Update(json!({"name": "New", "crmId": null, "solutions": ["s1"]})),
    );
    assert_eq!(told, "updated contoso");
    let after = world.view("contoso");
    assert_eq!((after.name.as_str(), &after.crm_id), ("New", &None));
    assert_eq!(after.solutions.len(), 1);
    assert_eq!((after.version, after.updated_at), (2, world.now));
    assert_eq!(
        (&after.campaign_id, &after.team, after.estimated_value),
        (&before.campaign_id, &before.team, before.estimated_value)
    );
    let Change::Updated(edits) = &world.events[0].change else {
        panic!("updated")
    };
    assert_eq!(
        edits[0],
        Edit::Name(FromTo {
            from: before.name,
            to: after.name
        })
    );
    assert_eq!(edits.len(), 3);
    for field in [
        "name",
        "estimatedValue",
        "estimatedCloseDate",
        "team",
        "solutions",
        "customer",
    ] {
        let told = World::with_deal().ask("contoso", &Ask::Update(json!({field: null})));
        assert_eq!(told, format!("422 /{field} required"), "cannot be removed");
    }
}

#[test]
fn a_patch_merges_into_what_is_nested() {
    let mut world = World::with_deal();
    let told = world.ask("contoso", &Ask::Update(json!({"estimatedValue": {"amount": "7"}})));
    assert_eq!(told, "updated contoso");
    assert_eq!(
        world.view("contoso").estimated_value.expect("there").to_string(),
        "7.00 USD"
    );
    world.ask("contoso", &Ask::Update(json!({"estimatedValue": {"currency": "EUR"}})));
    assert_eq!(
        world.view("contoso").estimated_value.expect("there").to_string(),
        "7.00 EUR"
    );
    for (patch, told) in [
        (json!({}), "nothing"),
        (json!({"currency": "JPY"}), "422 /estimatedValue/amount tooManyDecimals"),
        (json!({"currency": "JPY", "amount": "7"}), "updated contoso"),
        (json!({"amount": null}), "422 /estimatedValue/amount required"),
        (json!({"currency": null}), "422 /estimatedValue/currency required"),
        (json!({"amount": "x"}), "422 /estimatedValue/amount invalidAmount"),
        (json!({"amount": "7", "vat": 1}), "422 /estimatedValue/vat unknownField"),
    ] {
        assert_eq!(
            world
                .clone()
                .ask("contoso", &Ask::Update(json!({"estimatedValue": patch}))),
            told
        );
    }

    let contact = |world: &World| {
        let contact = world.view("contoso").customer.contact;
        let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
        format!(
            "{} {} {}",
            text(contact.name.as_ref().map(PersonName::as_str)),
            text(contact.phone.as_ref().map(Phone::as_str)),
            text(contact.email.as_ref().map(Email::as_str))
        )
    };
    for (patch, after) in [
        (json!({"name": "Kim"}), "Kim +14255550100 lee@litware.example"),
        (
            json!({"phone": null, "email": "kim@litware.example"}),
            "Kim - kim@litware.example",
        ),
        (json!(null), "- - -"),
        (json!({"phone": "+14255550109"}), "- +14255550109 -"),
    ] {
        world.ask("contoso", &Ask::Update(json!({"customer": {"contact": patch}})));
        assert_eq!(contact(&world), after);
    }
    for (customer, told) in [
        (json!({}), "nothing"),
        (json!({"contact": {}}), "nothing"),
        (json!({"name": "Other"}), "422 /customer/name unknownField"),
        (
            json!({"contact": {"fax": "1"}}),
            "422 /customer/contact/fax unknownField",
        ),
        (
            json!({"contact": {"phone": "1"}}),
            "422 /customer/contact/phone invalidPhone",
        ),
    ] {
        assert_eq!(world.ask("contoso", &Ask::Update(json!({"customer": customer}))), told);
    }
}

#[test]
fn the_contact_is_locked_from_the_first_invitation_on() {
    let patch = |contact: Value| Ask::Update(json!({"customer": {"contact": contact}}));
    let same = deal()["customer"]["contact"].clone();
    for state in ["received", "declined", "withdrawn", "lapsed", "accepted"] {
        for contact in [json!({"name": "Kim"}), json!({"phone": null}), Value::Null] {
            let told = World::with_fabrikam(state).ask("contoso", &patch(contact));
            assert_eq!(told, "422 /customer/contact contactLocked", "{state}");
        }
        let told = World::with_fabrikam(state).ask("contoso", &patch(same.clone()));
        assert_eq!(told, "nothing", "the same again is no change");
    }
    let mut world = World::with_fabrikam("accepted");
    let told = world.ask("fabrikam", &patch(json!({"name": "Kim"})));
    assert_eq!(told, "422 /customer/contact contactLocked");
    assert_eq!(world.ask("fabrikam", &patch(same)), "nothing");
}

#[test]
fn a_patch_of_nothing_is_no_change() {
    let own = deal();
    for patch in [
        json!({}),
        json!({"name": own["name"]}),
        json!({"estimatedValue": money("125000", "USD")}),
        json!({"crmId": "crm-1", "campaignId": "spring", "team": own["team"], "solutions": own["solutions"]}),
        json!({"customer": {"contact": own["customer"]["contact"]}}),
    ] {
        let mut world = World::with_deal();
        let before = world.view("contoso");
        world.wait(TimeDelta::hours(1));
        assert_eq!(world.ask("contoso", &Ask::Update(patch.clone())), "nothing", "{patch}");
        assert_eq!(world.view("contoso"), before);
    }
}

#[test]
fn a_date_that_has_passed_may_stay_but_not_be_set() {
    for (who, mut world) in [
        ("contoso", World::with_deal()),
        ("fabrikam", World::with_fabrikam("accepted")),
    ] {
        world.wait(TimeDelta::days(100));
        let same = json!({"name": "Late", "estimatedCloseDate": "2027-01-31"});
        assert_eq!(world.ask(who, &Ask::Update(same)), format!("updated {who}"));
        let other = Ask::Update(json!({"estimatedCloseDate": "2027-02-01"}));
        assert_eq!(world.ask(who, &other), "422 /estimatedCloseDate dateInPast");
    }
    // One that passed before the answer was given, too.
    let mut world = World::empty();
    let soon = set(&co_sell(&["fabrikam"]), "/estimatedCloseDate", json!(TODAY));
    world.ask("contoso", &Ask::Create(soon));
    world.wait(TimeDelta::days(2));
    let answer = set(&accept(), "/estimatedCloseDate", json!(TODAY));
    assert_eq!(world.ask("fabrikam", &Ask::Respond(answer)), "accepted fabrikam");
}

#[test]
fn a_patch_has_the_same_limits_and_tells_all_faults_at_once() {
    let told = World::with_fabrikam("accepted").ask(
        "contoso",
        &Ask::Update(json!({
            "name": "", "estimatedValue": {"amount": "x"}, "estimatedCloseDate": YESTERDAY, "crmId": text(65), "campaignId": text(65),
            "team": [{"name": "Ana"}], "solutions": ["con-cloud", "con-cloud", "s0"], "customer": {"contact": null}, "stage": "accepted",
        })),
    );
    let mut told: Vec<_> = told.strip_prefix("422 ").expect("refused").split(", ").collect();
    let mut expected = [
        "/name empty",
        "/estimatedValue/amount invalidAmount",
        "/estimatedCloseDate dateInPast",
        "/crmId tooLong",
        "/campaignId tooLong",
        "/team teamContactRequired",
        "/solutions/1 duplicate",
        "/solutions/2 unknownSolution",
        "/customer/contact contactLocked",
        "/stage unknownField",
    ];
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
}

#[test]
fn a_solution_that_the_deal_holds_may_stay_whatever_became_of_it() {
    let world = World::with_deal();
    let form = UpdateForm::read(&json!({"solutions": ["con-cloud"]}));
    let nothing_left = Catalog::default();
    let update = form.check(world.stored(), &nothing_left, &actor("contoso"), world.now);
    assert!(update.is_ok(), "{update:?}");
    let form = UpdateForm::read(&json!({"solutions": ["con-cloud", "s1"]}));
    let update = form.check(world.stored(), &nothing_left, &actor("contoso"), world.now);
    assert!(update.is_err());
}

#[test]
fn only_what_a_request_names_is_looked_up() {
    let body = set(&full(), "/customer", json!({"id": "123456789"}));
    let references = CreateForm::read(&body).references(&actor("contoso"));
    assert_eq!(references.organizations.len(), 2);
    assert_eq!(references.solutions.len(), 2);
    assert!(references.customer.is_some());
    // An over-long list is not read at all: a request costs no more than the longest right one.
    let body = set(&full(), "/solutions", solutions(51));
    assert_eq!(CreateForm::read(&body).references(&actor("contoso")).solutions.len(), 0);
    let invite = InviteForm::read(&invitation("fabrikam")).references(&actor("contoso"));
    assert_eq!((invite.organizations.len(), invite.solutions.len()), (2, 0));
}

#[test]
fn the_deals_state_is_told_before_the_requests_faults() {
    let nonsense = json!({"nonsense": 1});
    for ask in [
        Ask::Update(nonsense.clone()),
        Ask::Respond(nonsense.clone()),
        Ask::Close(nonsense.clone()),
    ] {
        let told = World::with_fabrikam("lost").ask("fabrikam", &ask);
        assert_eq!(told, "409 wrongStage archived lost");
    }
    let told = World::with_fabrikam("accepted").ask("fabrikam", &Ask::Invite(nonsense));
    assert_eq!(told, "403 notOwner");
}
