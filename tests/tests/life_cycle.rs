//! The life cycle of a deal (DESIGN section 2), each row over HTTP as its users would walk it.

use chrono::{DateTime, TimeDelta};
use local::Options;
use serde_json::{Value, json};
use tests::{World, but, deal, eventually, invitation, options};

const ACCEPT: &str = r#"{"decision": "accept"}"#;

fn accept() -> Value {
    serde_json::from_str(ACCEPT).expect("JSON")
}

fn decline() -> Value {
    json!({"decision": "decline", "reason": "noCapacity"})
}

fn won() -> Value {
    json!({"outcome": "won"})
}

fn lost() -> Value {
    json!({"outcome": "lost", "reason": "budget"})
}

/// How the deal stands for an organization.
async fn stands(world: &World, organization: &str, deal: &str) -> String {
    world.admin(organization).get(deal).await.is(200).standing()
}

#[tokio::test]
async fn a_created_deal_is_accepted_and_private() {
    let world = World::start().await;
    let deal = world.deal(&[]).await;
    let answer = world.admin("contoso").get(&deal).await;
    assert_eq!(answer.is(200).standing(), "accepted");
    for (field, expected) in [
        ("dealType", json!("privatePipeline")),
        ("direction", json!("outbound")),
        ("invitation", Value::Null),
        ("closedAt", Value::Null),
        ("favorite", json!(false)),
        ("registration", Value::Null),
        (
            "owner",
            json!({"organizationId": "contoso", "name": "Contoso", "kind": "vendor"}),
        ),
    ] {
        assert_eq!(answer.body[field], expected, "{field}");
    }
    assert_eq!(answer.body["acceptedAt"], answer.body["createdAt"]);
    assert_eq!(answer.body["participants"].as_array().map(Vec::len), Some(1));
    world.admin("fabrikam").get(&deal).await.refuses(404, "notFound");
}

#[tokio::test]
async fn an_invitation_gives_fourteen_days_to_the_second_and_makes_the_deal_co_sell() {
    let world = World::start().await;
    let deal = world.deal(&[]).await;
    let answer = world
        .admin("contoso")
        .post(&format!("{deal}/invitations"), &invitation("fabrikam"))
        .await;
    assert_eq!(answer.is(201).body["dealType"], "coSell");
    assert_eq!(answer.participant("fabrikam"), "received");
    let received = world.admin("fabrikam").get(&deal).await;
    assert_eq!(received.is(200).standing(), "received");
    let instant = |name: &str| {
        let text = received.body["invitation"][name].as_str().expect("an instant");
        DateTime::parse_from_rfc3339(text).expect("RFC 3339")
    };
    assert_eq!(instant("respondBy") - instant("sentAt"), TimeDelta::days(14));
}

#[tokio::test]
async fn an_invitation_copies_what_the_invited_needs_and_nothing_else() {
    let world = World::start().await;
    let mut body = deal(&["fabrikam"]);
    body["note"] = json!("MARKER internal note");
    body["crmId"] = json!("MARKER-crm");
    body["campaignId"] = json!("MARKER-campaign");
    body["team"][0]["name"] = json!("MARKER team");
    let contoso = world.admin("contoso");
    let path = contoso
        .post("/v1/opportunities", &body)
        .await
        .is(201)
        .header("location")
        .to_owned();
    let own = contoso.get(&path).await;
    let received = world.admin("fabrikam").get(&path).await;
    assert!(!received.is(200).text.contains("MARKER"), "{received}");
    for field in [
        "name",
        "estimatedValue",
        "estimatedCloseDate",
        "customer",
        "id",
        "owner",
    ] {
        assert_eq!(received.body[field], own.body[field], "{field}");
    }
    assert_eq!(received.body["customer"]["contact"]["email"], "lee@adatum.example");
    assert_eq!(received.body["customer"]["dunsNumber"], "123456789");
    assert_eq!(received.body["crmId"], Value::Null);
    assert_eq!(received.body["team"], json!([]));
    let types: Vec<_> = received.body["solutions"]
        .as_array()
        .expect("solutions")
        .iter()
        .map(|s| s["type"].clone())
        .collect();
    assert_eq!(types, ["vendor", "own"]);
    let sent = &received.body["invitation"];
    assert_eq!(
        (&sent["from"], &sent["helpType"], &sent["message"]),
        (
            &json!("contoso"),
            &json!("proofOfConcept"),
            &json!("Adatum wants to see it.")
        )
    );
    assert_eq!(sent["contacts"][0]["email"], "carla@contoso.example");
}

#[tokio::test]
async fn who_may_not_be_invited() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let deal = world.deal(&["fabrikam"]).await;
    let invitations = format!("{deal}/invitations");
    contoso
        .post(&invitations, &invitation("contoso"))
        .await
        .has_faults(&[("/organizationId", "selfInvitation")]);
    contoso
        .post(&invitations, &invitation("nobody"))
        .await
        .has_faults(&[("/organizationId", "unknownOrganization")]);
    contoso
        .post(&invitations, &invitation("fabrikam"))
        .await
        .refuses(409, "alreadyInvited");
    let refused = but(invitation("northwind"), "/customerConsent", json!(false));
    contoso
        .post(&invitations, &refused)
        .await
        .has_faults(&[("/customerConsent", "consentRequired")]);
    world
        .admin("fabrikam")
        .post(&format!("{deal}/response"), &accept())
        .await
        .is(200);
    contoso
        .post(&invitations, &invitation("fabrikam"))
        .await
        .refuses(409, "alreadyParticipates");
    world
        .admin("fabrikam")
        .post(&invitations, &invitation("northwind"))
        .await
        .refuses(403, "notOwner");
    world
        .admin("northwind")
        .post(&invitations, &invitation("tailspin"))
        .await
        .refuses(404, "notFound");
}

#[tokio::test]
async fn a_partner_without_a_co_sell_ready_solution_invites_nobody() {
    let world = World::start().await;
    let litware = world.admin("litware");
    litware
        .post("/v1/opportunities", &deal(&["fabrikam"]))
        .await
        .refuses(403, "notCoSellReady");
    let own = litware
        .post("/v1/opportunities", &deal(&[]))
        .await
        .is(201)
        .header("location")
        .to_owned();
    litware
        .post(&format!("{own}/invitations"), &invitation("fabrikam"))
        .await
        .refuses(403, "notCoSellReady");
    // Its first one changes that.
    let line = r#"{"kind": "solution", "id": "lit", "name": "Lit", "publisher": "litware", "coSellReady": true}"#;
    world.stack.import(line).await.expect("imported");
    litware
        .post(&format!("{own}/invitations"), &invitation("fabrikam"))
        .await
        .is(201);
}

#[tokio::test]
async fn an_invitation_needs_the_whole_contact_of_the_customer() {
    let world = World::start().await;
    let contoso = world.admin("contoso");
    let mut body = deal(&["fabrikam"]);
    body["customer"]["contact"] = json!({"name": "Lee Gu"});
    let missing = [
        ("/customer/contact/phone", "required"),
        ("/customer/contact/email", "required"),
    ];
    contoso.post("/v1/opportunities", &body).await.has_faults(&missing);
    body["invitations"] = json!([]);
    let path = contoso
        .post("/v1/opportunities", &body)
        .await
        .is(201)
        .header("location")
        .to_owned();
    let invitations = format!("{path}/invitations");
    contoso
        .post(&invitations, &invitation("fabrikam"))
        .await
        .has_faults(&[("", "contactIncomplete")]);
    let contact = json!({"customer": {"contact": {"phone": "+14255550100", "email": "lee@adatum.example"}}});
    contoso.patch_now(&path, &contact).await.is(200);
    contoso.post(&invitations, &invitation("fabrikam")).await.is(201);
}

#[tokio::test]
async fn a_deal_has_ten_participants() {
    let world = World::start().await;
    let lines: Vec<_> = (0..10)
        .map(|n| {
            json!({"kind": "organization", "id": format!("p{n}"), "name": "P", "organizationKind": "partner"})
                .to_string()
        })
        .collect();
    world.stack.import(&lines.join("\n")).await.expect("imported");
    let invited: Vec<_> = (0..9).map(|n| format!("p{n}")).collect();
    let deal = world
        .deal(&invited.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let contoso = world.admin("contoso");
    assert_eq!(
        contoso.get(&deal).await.body["participants"].as_array().map(Vec::len),
        Some(10)
    );
    contoso
        .post(&format!("{deal}/invitations"), &invitation("p9"))
        .await
        .refuses(409, "tooManyParticipants");
}

#[tokio::test]
async fn accepting_takes_the_invited_organizations_own_values() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam"]).await;
    let before = world.admin("contoso").get(&deal).await;
    let answer = json!({
        "decision": "accept", "name": "Adatum, ours", "estimatedValue": {"amount": "90000", "currency": "EUR"},
        "estimatedCloseDate": "2098-01-31", "crmId": "fab-1", "campaignId": "fab-c", "team": [{"name": "Ana"}], "note": "Ours!",
    });
    let accepted = world.admin("fabrikam").post(&format!("{deal}/response"), &answer).await;
    assert_eq!(accepted.is(200).standing(), "accepted");
    for (field, expected) in [
        ("name", json!("Adatum, ours")),
        ("estimatedValue", json!({"amount": "90000.00", "currency": "EUR"})),
        ("estimatedCloseDate", json!("2098-01-31")),
        ("crmId", json!("fab-1")),
        ("campaignId", json!("fab-c")),
        ("team", json!([{"name": "Ana", "phone": null, "email": null}])),
    ] {
        assert_eq!(accepted.body[field], expected, "{field}");
    }
    let after = world.admin("contoso").get(&deal).await;
    assert_eq!(after.participant("fabrikam"), "accepted");
    assert_eq!(
        after.body["version"], before.body["version"],
        "an answer is no change of the owner's view"
    );
    assert_eq!(after.body["name"], before.body["name"]);
}

#[tokio::test]
async fn declining_needs_a_reason_and_leaves_the_owner_working() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam"]).await;
    let (fabrikam, response) = (world.admin("fabrikam"), format!("{deal}/response"));
    fabrikam
        .post(&response, &json!({"decision": "decline"}))
        .await
        .has_faults(&[("/reason", "required")]);
    let other = json!({"decision": "decline", "reason": "other"});
    fabrikam
        .post(&response, &other)
        .await
        .has_faults(&[("/note", "noteRequired")]);
    let declined = fabrikam.post(&response, &decline()).await;
    assert_eq!(declined.is(200).standing(), "archived declined");
    assert_eq!(declined.body["reason"], "noCapacity");
    let owner = world.admin("contoso").get(&deal).await;
    assert_eq!(
        (owner.standing().as_str(), owner.participant("fabrikam").as_str()),
        ("accepted", "archived declined")
    );
}

#[tokio::test]
async fn the_owner_withdraws_what_is_pending() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam"]).await;
    let withdraw = |who: &str, whose: &str| {
        let (client, path) = (world.admin(who), format!("{deal}/invitations/{whose}"));
        async move { client.delete(&path).await }
    };
    withdraw("fabrikam", "fabrikam").await.refuses(403, "notOwner");
    withdraw("contoso", "northwind").await.refuses(404, "notFound");
    withdraw("contoso", "fabrikam").await.is(204);
    assert_eq!(stands(&world, "fabrikam", &deal).await, "archived withdrawn");
    assert_eq!(stands(&world, "contoso", &deal).await, "accepted");
    let again = withdraw("contoso", "fabrikam").await;
    assert_eq!(again.refuses(409, "wrongStage").standing(), "archived withdrawn");
    let late = world
        .admin("fabrikam")
        .post(&format!("{deal}/response"), &accept())
        .await;
    assert_eq!(late.refuses(409, "wrongStage").standing(), "archived withdrawn");
}

#[tokio::test]
async fn who_declined_or_was_withdrawn_can_be_invited_afresh() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam", "northwind"]).await;
    let contoso = world.admin("contoso");
    world
        .admin("fabrikam")
        .post(&format!("{deal}/response"), &decline())
        .await
        .is(200);
    contoso.delete(&format!("{deal}/invitations/northwind")).await.is(204);
    let renamed = json!({"name": "Second try"});
    contoso.patch_now(&deal, &renamed).await.is(200);
    for organization in ["fabrikam", "northwind"] {
        contoso
            .post(&format!("{deal}/invitations"), &invitation(organization))
            .await
            .is(201);
        let view = world.admin(organization).get(&deal).await;
        assert_eq!(view.standing(), "received");
        assert_eq!(
            (&view.body["name"], &view.body["reason"], &view.body["closedAt"]),
            (&json!("Second try"), &Value::Null, &Value::Null)
        );
        world
            .admin(organization)
            .post(&format!("{deal}/response"), &accept())
            .await
            .is(200);
    }
}

#[tokio::test]
async fn everyone_closes_its_own_opportunity() {
    let world = World::start().await;
    let deal = world.accepted_deal().await;
    let (contoso, fabrikam, close) = (world.admin("contoso"), world.admin("fabrikam"), format!("{deal}/close"));
    let value = json!({"outcome": "won", "finalValue": {"amount": "118000", "currency": "USD"}});
    let closed = fabrikam.post(&close, &value).await;
    assert_eq!(closed.is(200).standing(), "archived won");
    assert_eq!(
        closed.body["finalValue"],
        json!({"amount": "118000.00", "currency": "USD"})
    );
    assert_eq!(closed.body["closedAt"], closed.body["updatedAt"]);
    let owner = contoso.get(&deal).await;
    assert_eq!(
        (owner.standing().as_str(), owner.participant("fabrikam").as_str()),
        ("accepted", "archived won")
    );
    contoso
        .post(&close, &json!({"outcome": "lost"}))
        .await
        .has_faults(&[("/reason", "required")]);
    let other = contoso.post(&close, &lost()).await;
    assert_eq!(
        (other.is(200).standing().as_str(), &other.body["reason"]),
        ("archived lost", &json!("budget"))
    );
}

#[tokio::test]
async fn won_without_a_final_value_is_won_at_the_estimate() {
    let world = World::start().await;
    let deal = world.deal(&[]).await;
    let closed = world.admin("contoso").post(&format!("{deal}/close"), &won()).await;
    assert_eq!(
        closed.is(200).body["finalValue"],
        json!({"amount": "125000.00", "currency": "USD"})
    );
}

#[tokio::test]
async fn an_owner_that_closes_takes_back_what_is_pending() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam", "northwind", "tailspin"]).await;
    world
        .admin("northwind")
        .post(&format!("{deal}/response"), &accept())
        .await
        .is(200);
    world
        .admin("tailspin")
        .post(&format!("{deal}/response"), &decline())
        .await
        .is(200);
    let closed = world.admin("contoso").post(&format!("{deal}/close"), &won()).await;
    assert_eq!(closed.is(200).participant("fabrikam"), "archived withdrawn");
    assert_eq!(stands(&world, "fabrikam", &deal).await, "archived withdrawn");
    assert_eq!(
        stands(&world, "northwind", &deal).await,
        "accepted",
        "its work is its own"
    );
    assert_eq!(stands(&world, "tailspin", &deal).await, "archived declined");
}

#[tokio::test]
async fn an_invitation_that_nobody_accepted_cannot_be_closed_or_changed() {
    let world = World::start().await;
    let deal = world.deal(&["fabrikam"]).await;
    let fabrikam = world.admin("fabrikam");
    assert_eq!(
        fabrikam
            .post(&format!("{deal}/close"), &won())
            .await
            .refuses(409, "wrongStage")
            .standing(),
        "received"
    );
    fabrikam
        .patch_now(&deal, &json!({"name": "Mine"}))
        .await
        .refuses(409, "wrongStage");
    world
        .admin("contoso")
        .post(&format!("{deal}/response"), &accept())
        .await
        .refuses(409, "wrongStage");
}

#[tokio::test]
async fn archived_is_final() {
    let world = World::start().await;
    let ends: [(&str, &str, Value); 3] = [
        ("won", "close", won()),
        ("lost", "close", lost()),
        ("declined", "response", decline()),
    ];
    for (outcome, action, body) in ends {
        let deal = world.deal(&["fabrikam"]).await;
        let fabrikam = world.admin("fabrikam");
        if action == "close" {
            fabrikam.post(&format!("{deal}/response"), &accept()).await.is(200);
        }
        fabrikam.post(&format!("{deal}/{action}"), &body).await.is(200);
        let before = world.dump().await;
        let stands = format!("archived {outcome}");
        for (action, body) in [
            ("close", won()),
            ("close", lost()),
            ("response", accept()),
            ("response", decline()),
        ] {
            let refused = fabrikam.post(&format!("{deal}/{action}"), &body).await;
            assert_eq!(refused.refuses(409, "wrongStage").standing(), stands);
        }
        fabrikam
            .patch_now(&deal, &json!({"name": "Mine"}))
            .await
            .refuses(409, "wrongStage");
        assert_eq!(world.dump().await, before);
    }
    let deal = world.deal(&[]).await;
    let contoso = world.admin("contoso");
    contoso.post(&format!("{deal}/close"), &won()).await.is(200);
    let refused = contoso
        .post(&format!("{deal}/invitations"), &invitation("fabrikam"))
        .await;
    assert_eq!(refused.refuses(409, "wrongStage").standing(), "archived won");
}

#[tokio::test]
async fn at_respond_by_it_has_expired_for_everyone_though_nobody_wrote_it_down() {
    let world = World::with_window(TimeDelta::seconds(2)).await;
    let deal = world.deal(&["fabrikam"]).await;
    let fabrikam = world.admin("fabrikam");
    assert_eq!(stands(&world, "fabrikam", &deal).await, "received");
    let lapsed = eventually("the invitation expires", || async {
        let view = fabrikam.get(&deal).await;
        (view.standing() == "archived expired").then_some(view)
    })
    .await;
    let respond_by = &lapsed.body["invitation"]["respondBy"];
    assert_eq!(
        (&lapsed.body["closedAt"], &lapsed.body["updatedAt"]),
        (respond_by, respond_by)
    );
    let late = fabrikam.post(&format!("{deal}/response"), &accept()).await;
    assert_eq!(late.refuses(409, "wrongStage").standing(), "archived expired");
    assert_eq!(
        world.admin("contoso").get(&deal).await.participant("fabrikam"),
        "archived expired"
    );
    let listed = |query: &str| {
        let path = format!("/v1/opportunities?tab=inbound{query}");
        let fabrikam = &fabrikam;
        async move { fabrikam.all(&path).await.len() }
    };
    assert_eq!(listed("&stage=received").await, 0);
    assert_eq!(listed("&stage=archived").await, 1);
    assert_eq!(listed("&outcome=expired").await, 1);
    assert_eq!(listed("&outcome=declined").await, 0);
    assert_eq!(listed("").await, 1);
    assert_eq!(
        world.record(&deal, "fabrikam").await["stage"],
        "received",
        "nobody wrote it down"
    );

    // Writing it down changes nothing that anybody can see.
    let listed = fabrikam.get("/v1/opportunities?tab=inbound").await;
    let report = world.stack.sweep().await.expect("swept");
    assert_eq!(report["expired"], 1, "{report}");
    assert_eq!(world.record(&deal, "fabrikam").await["outcome"], "expired");
    assert_eq!(fabrikam.get(&deal).await, lapsed);
    assert_eq!(fabrikam.get("/v1/opportunities?tab=inbound").await, listed);
}

#[tokio::test]
async fn the_scheduled_sweep_makes_it_durable_and_tells_the_inviter() {
    let sweep_every = Some(std::time::Duration::from_millis(50));
    let world = World::with(Options {
        response_window: TimeDelta::milliseconds(300),
        sweep_every,
        ..options()
    })
    .await;
    let deal = world.deal(&["fabrikam"]).await;
    eventually("the sweep writes it down", || async {
        (world.record(&deal, "fabrikam").await["stage"] == "archived").then_some(())
    })
    .await;
    let events = world.events(&deal).await;
    let expired: Vec<_> = events.iter().filter(|event| event["type"] == "expired").collect();
    assert_eq!(expired.len(), 1);
    assert_eq!(expired[0].get("actor"), None, "it was the clock");
    assert_eq!(expired[0]["notices"][0]["type"], "Opportunity Expired");
    assert_eq!(expired[0]["notices"][0]["recipient"]["organizationId"], "contoso");
}

#[tokio::test]
async fn who_let_it_lapse_can_be_invited_again_before_any_sweep() {
    let world = World::with_window(TimeDelta::milliseconds(300)).await;
    let deal = world.deal(&["fabrikam"]).await;
    eventually("the invitation expires", || async {
        (stands(&world, "fabrikam", &deal).await == "archived expired").then_some(())
    })
    .await;
    world
        .admin("contoso")
        .post(&format!("{deal}/invitations"), &invitation("fabrikam"))
        .await
        .is(201);
    let types: Vec<_> = world
        .events(&deal)
        .await
        .into_iter()
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(
        types,
        ["created", "invited", "expired", "invited"],
        "the silence is told as well"
    );
}

#[tokio::test]
async fn only_what_is_pending_can_be_withdrawn() {
    let world = World::with_window(TimeDelta::seconds(3)).await;
    let deal = world.deal(&["fabrikam", "northwind", "tailspin"]).await;
    let respond = |organization: &str, answer: Value| {
        let (client, path) = (world.admin(organization), format!("{deal}/response"));
        async move { client.post(&path, &answer).await.is(200).status }
    };
    respond("fabrikam", accept()).await;
    respond("northwind", decline()).await;
    eventually("the last invitation expires", || async {
        (stands(&world, "tailspin", &deal).await == "archived expired").then_some(())
    })
    .await;
    let before = world.dump().await;
    for (organization, stands) in [
        ("fabrikam", "accepted"),
        ("northwind", "archived declined"),
        ("tailspin", "archived expired"),
    ] {
        let path = format!("{deal}/invitations/{organization}");
        let refused = world.admin("contoso").delete(&path).await;
        assert_eq!(refused.refuses(409, "wrongStage").standing(), stands);
    }
    let itself = world
        .admin("contoso")
        .delete(&format!("{deal}/invitations/contoso"))
        .await;
    assert!([404, 409].contains(&itself.status), "{itself}");
    assert_eq!(world.dump().await, before);
}

#[tokio::test]
async fn what_ended_without_an_answer_is_final_too() {
    let world = World::with_window(TimeDelta::seconds(2)).await;
    let fabrikam = world.admin("fabrikam");
    let lapsed = world.deal(&["fabrikam"]).await;
    eventually("the invitation expires", || async {
        (stands(&world, "fabrikam", &lapsed).await == "archived expired").then_some(())
    })
    .await;
    let withdrawn = world.deal(&["fabrikam"]).await;
    let closed = world.admin("contoso").post(&format!("{withdrawn}/close"), &won()).await;
    assert_eq!(closed.is(200).participant("fabrikam"), "archived withdrawn");
    for swept in [false, true] {
        for (deal, stands) in [(&lapsed, "archived expired"), (&withdrawn, "archived withdrawn")] {
            let before = world.dump().await;
            for (action, body) in [
                ("response", accept()),
                ("response", decline()),
                ("close", won()),
                ("close", lost()),
            ] {
                let refused = fabrikam.post(&format!("{deal}/{action}"), &body).await;
                assert_eq!(refused.refuses(409, "wrongStage").standing(), stands, "swept: {swept}");
            }
            let refused = fabrikam.patch_now(deal, &json!({"name": "Mine"})).await;
            assert_eq!(refused.refuses(409, "wrongStage").standing(), stands);
            assert_eq!(world.dump().await, before);
        }
        world.stack.sweep().await.expect("swept");
    }
}

#[tokio::test]
async fn an_owner_that_closes_after_respond_by_takes_nothing_back() {
    let world = World::with_window(TimeDelta::milliseconds(300)).await;
    let deal = world.deal(&["fabrikam"]).await;
    eventually("the invitation expires", || async {
        (stands(&world, "fabrikam", &deal).await == "archived expired").then_some(())
    })
    .await;
    let closed = world.admin("contoso").post(&format!("{deal}/close"), &won()).await;
    assert_eq!(closed.is(200).participant("fabrikam"), "archived expired");
    world.stack.sweep().await.expect("swept");
    assert_eq!(stands(&world, "fabrikam", &deal).await, "archived expired");
    let events = world.events(&deal).await;
    let count = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!([count("expired"), count("withdrawn"), count("won")], [1, 0, 1]);
}
