//! From a deal's creation to its end, row by row of the table of the life cycle.

use super::*;

#[test]
fn a_created_deal_is_accepted_private_and_nobody_is_told() {
    let world = World::with_deal();
    let own = world.view("contoso");
    assert_eq!(world.stands("contoso"), "accepted");
    assert_eq!(own.direction(), Direction::Outbound);
    assert_eq!(own.deal_type(), DealType::PrivatePipeline);
    assert_eq!((own.version, own.created_at, own.updated_at), (1, noon(), noon()));
    assert_eq!(
        (own.accepted_at(), own.closed_at(), own.pending_until()),
        (Some(noon()), None, None)
    );
    assert_eq!(own.owner, own.organization);
    assert_eq!(world.notices(), [""; 0]);
    let note = world.events[0].note.as_ref().map(Prose::as_str);
    assert_eq!(note, Some("internal"));
}

#[test]
fn a_deal_created_with_invitations_is_co_sell_and_reaches_each_invited_organization() {
    let mut world = World::empty();
    let told = world.ask("contoso", &Ask::Create(co_sell(&["fabrikam", "northwind"])));
    assert_eq!(told, "created contoso, invited fabrikam, invited northwind");
    assert_eq!(
        world.notices(),
        ["Opportunity Received to fabrikam", "Opportunity Received to northwind"]
    );
    assert_eq!(world.stands("contoso"), "accepted");
    assert_eq!(world.view("contoso").deal_type(), DealType::CoSell);
    assert_eq!(world.view("contoso").version, 3);
    for invited in ["fabrikam", "northwind"] {
        let view = world.view(invited);
        assert_eq!(world.stands(invited), "received");
        assert_eq!(
            (view.direction(), view.deal_type()),
            (Direction::Inbound, DealType::CoSell)
        );
        assert_eq!((view.version, view.created_at, view.updated_at), (1, noon(), noon()));
        assert_eq!(view.pending_until(), Some(noon().plus(WINDOW)));
    }
    let order: Vec<_> = world
        .stored()
        .views()
        .map(|view| view.organization.id.as_str())
        .collect();
    assert_eq!(order, ["contoso", "fabrikam", "northwind"]);
}

#[test]
fn a_deal_with_a_directory_customer_has_the_directorys_data_and_the_callers_contact() {
    let contact = deal()["customer"]["contact"].clone();
    let listed = json!({"id": "123456789", "contact": contact});
    let mut world = World::empty();
    let told = world.ask(
        "contoso",
        &Ask::Create(set(&co_sell(&["fabrikam"]), "/customer", listed)),
    );
    assert_eq!(told, "created contoso, invited fabrikam");
    let customer = world.view("fabrikam").customer;
    assert_eq!(customer.name.as_str(), "Adatum Corporation");
    assert_eq!(customer.duns_number.as_ref().map(DunsNumber::as_str), Some("123456789"));
    assert_eq!(customer.address.city.as_ref().map(AddressLine::as_str), Some("Redmond"));
    assert_eq!(customer.contact.missing(), [""; 0]);
}

#[test]
fn an_id_is_used_once() {
    let mut world = World::with_deal();
    assert_eq!(
        world.ask("fabrikam", &Ask::Create(deal())),
        "409 alreadyExists accepted"
    );
}

#[test]
fn a_private_deal_becomes_co_sell_with_its_first_invitation_for_good() {
    let mut world = World::with_fabrikam("received");
    assert_eq!(world.view("contoso").deal_type(), DealType::CoSell);
    assert_eq!(world.view("contoso").version, 2);
    world.bring("fabrikam", "withdrawn");
    assert_eq!(world.view("contoso").deal_type(), DealType::CoSell);
}

#[test]
fn nobody_invites_itself_or_a_stranger_to_the_exchange() {
    for (organization, code) in [("contoso", "selfInvitation"), ("nobody", "unknownOrganization")] {
        let told = World::with_deal().ask("contoso", &Ask::Invite(invitation(organization)));
        assert_eq!(told, format!("422 /organizationId {code}"));
        let told = World::empty().ask("contoso", &Ask::Create(co_sell(&["fabrikam", organization])));
        assert_eq!(told, format!("422 /invitations/1/organizationId {code}"));
    }
    let told = World::empty().ask("contoso", &Ask::Create(co_sell(&["fabrikam", "fabrikam"])));
    assert_eq!(told, "422 /invitations/1/organizationId alreadyInvited");
}

#[test]
fn a_deal_has_ten_participants_at_most_its_owner_included() {
    let nine = ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9"];
    let ten = [&nine[..], &["p10"]].concat();
    assert_eq!(
        World::empty().ask("contoso", &Ask::Create(co_sell(&ten))),
        "422 /invitations tooMany"
    );
    let mut world = World::empty();
    world.ask("contoso", &Ask::Create(co_sell(&nine)));
    assert_eq!(world.stored().views().count(), 10);
    assert_eq!(
        world.ask("contoso", &Ask::Invite(invitation("p10"))),
        "409 tooManyParticipants accepted"
    );
    // One that said no is a participant still, and may be asked again.
    world.ask("p1", &Ask::Respond(decline("budget")));
    assert_eq!(
        world.ask("contoso", &Ask::Invite(invitation("p10"))),
        "409 tooManyParticipants accepted"
    );
    assert_eq!(world.ask("contoso", &Ask::Invite(invitation("p1"))), "invited p1");
}

#[test]
fn an_organization_has_one_open_invitation_and_none_once_it_accepted() {
    for (state, told) in [
        ("received", "409 alreadyInvited accepted"),
        ("accepted", "409 alreadyParticipates accepted"),
        ("won", "409 alreadyParticipates accepted"),
        ("lost", "409 alreadyParticipates accepted"),
    ] {
        let mut world = World::with_fabrikam(state);
        assert_eq!(
            world.ask("contoso", &Ask::Invite(invitation("fabrikam"))),
            told,
            "{state}"
        );
    }
}

#[test]
fn after_a_decline_an_expiry_or_a_withdrawal_another_invitation_starts_afresh() {
    for (state, told) in [
        ("declined", "invited fabrikam"),
        ("expired", "invited fabrikam"),
        ("lapsed", "expired fabrikam, invited fabrikam"),
        ("withdrawn", "invited fabrikam"),
    ] {
        let mut world = World::with_fabrikam(state);
        let before = world.view("fabrikam");
        world.wait(TimeDelta::days(1));
        world.ask("contoso", &Ask::Update(json!({"name": "Renamed since"})));
        let again = set(&invitation("fabrikam"), "/message", json!("Once more"));
        assert_eq!(world.ask("contoso", &Ask::Invite(again)), told, "{state}");

        let view = world.view("fabrikam");
        assert_eq!(world.stands("fabrikam"), "received", "{state}");
        assert_eq!(view.version, before.version + 1, "{state}");
        assert_eq!((view.created_at, view.updated_at), (world.now, world.now));
        assert_eq!(view.pending_until(), Some(world.now.plus(WINDOW)), "a new window");
        assert_eq!(view.name.as_str(), "Renamed since");
        assert_eq!(
            (view.reason(), view.closed_at(), view.accepted_at()),
            (None, None, None)
        );
        let invitation = view.invitation().expect("it was invited");
        assert_eq!(
            (invitation.message.as_str(), invitation.sent_at),
            ("Once more", world.now)
        );

        let mut told = vec!["Opportunity Received to fabrikam"];
        if state == "lapsed" {
            told.insert(0, "Opportunity Expired to contoso");
            assert_eq!(world.events[0].at, noon().plus(WINDOW), "as of the instant it expired");
            assert_eq!(world.events[0].actor, None, "it was the clock");
        }
        assert_eq!(world.notices(), told, "{state}");
        assert_eq!(
            world.ask("fabrikam", &Ask::Respond(accept())),
            "accepted fabrikam",
            "{state}"
        );
    }
}

#[test]
fn an_invitation_needs_the_customers_whole_contact() {
    for field in ["name", "phone", "email"] {
        let pointer = format!("/customer/contact/{field}");
        let mut world = World::empty();
        let told = world.ask("contoso", &Ask::Create(without(&co_sell(&["fabrikam"]), &pointer)));
        assert_eq!(told, format!("422 {pointer} required"));
        assert_eq!(
            world.ask("contoso", &Ask::Create(without(&deal(), &pointer))),
            "created contoso"
        );
        let invite = Ask::Invite(invitation("fabrikam"));
        assert_eq!(world.ask("contoso", &invite), "422 all contactIncomplete");
        // Completing it is what helps.
        let contact = deal()["customer"]["contact"].clone();
        let told = world.ask("contoso", &Ask::Update(json!({"customer": {"contact": contact}})));
        assert_eq!(told, "updated contoso");
        assert_eq!(world.ask("contoso", &invite), "invited fabrikam");
    }
    let told = World::empty().ask(
        "contoso",
        &Ask::Create(without(&co_sell(&["fabrikam"]), "/customer/contact")),
    );
    assert_eq!(
        told,
        "422 /customer/contact/name required, /customer/contact/phone required, /customer/contact/email required"
    );
}

#[test]
fn an_invitation_needs_the_customers_consent() {
    for (consent, code) in [
        (json!(false), "consentRequired"),
        (json!(null), "required"),
        (json!("yes"), "wrongType"),
    ] {
        let body = set(&invitation("fabrikam"), "/customerConsent", consent.clone());
        let told = World::with_deal().ask("contoso", &Ask::Invite(body));
        assert_eq!(told, format!("422 /customerConsent {code}"));
        let body = set(&co_sell(&["fabrikam"]), "/invitations/0/customerConsent", consent);
        let told = World::empty().ask("contoso", &Ask::Create(body));
        assert_eq!(told, format!("422 /invitations/0/customerConsent {code}"));
    }
}

#[test]
fn a_partner_with_nothing_to_sell_keeps_its_deals_to_itself() {
    let mut world = World::empty();
    assert_eq!(
        world.ask("adatum", &Ask::Create(co_sell(&["fabrikam"]))),
        "403 notCoSellReady"
    );
    assert_eq!(world.ask("adatum", &Ask::Create(deal())), "created adatum");
    assert_eq!(
        world.ask("adatum", &Ask::Invite(invitation("fabrikam"))),
        "403 notCoSellReady"
    );
    // It is the inviting partner's rule: not the invited one's, and not the vendor's.
    let told = World::empty().ask("contoso", &Ask::Create(co_sell(&["adatum"])));
    assert_eq!(told, "created contoso, invited adatum");
    let told = World::empty().ask("fabrikam", &Ask::Create(co_sell(&["contoso", "adatum"])));
    assert_eq!(told, "created fabrikam, invited contoso, invited adatum");
}

#[test]
fn only_an_organization_of_the_exchange_creates() {
    assert_eq!(
        World::empty().ask("nobody", &Ask::Create(deal())),
        "403 organizationUnknown"
    );
}

#[test]
fn only_the_owner_invites_and_withdraws() {
    let mut world = World::with_fabrikam("accepted");
    world.ask("contoso", &Ask::Invite(invitation("northwind")));
    let invite = Ask::Invite(invitation("tailspin"));
    assert_eq!(world.ask("fabrikam", &invite), "403 notOwner");
    assert_eq!(world.ask("fabrikam", &Ask::Withdraw("northwind")), "403 notOwner");
    assert_eq!(world.ask("northwind", &Ask::Withdraw("northwind")), "403 notOwner");
}

#[test]
fn to_a_stranger_the_deal_does_not_exist() {
    let mut asks = every_change();
    asks.push(Ask::Invite(invitation("northwind")));
    asks.push(Ask::Withdraw("fabrikam"));
    // Not even to one that sends nonsense, or knows who takes part.
    asks.push(Ask::Update(json!({"nonsense": 1})));
    asks.push(Ask::Respond(json!({})));
    for ask in &asks {
        let nothing = World::empty().ask("tailspin", ask);
        let others = World::with_fabrikam("received").ask("tailspin", ask);
        assert_eq!((nothing.as_str(), others.as_str()), ("404", "404"), "{ask:?}");
    }
    let told = World::with_deal().ask("contoso", &Ask::Withdraw("fabrikam"));
    assert_eq!(told, "404", "nobody was invited");
}

#[test]
fn accepting_may_correct_the_view_at_once() {
    let mut world = World::with_fabrikam("received");
    let owners = world.view("contoso");
    world.wait(TimeDelta::hours(1));
    let team = json!([{"name": "Cy"}]);
    let answer = json!({
        "decision": "accept", "name": "Fabrikam's deal", "estimatedValue": {"amount": "9", "currency": "EUR"},
        "estimatedCloseDate": TODAY, "crmId": "f-1", "campaignId": "autumn", "team": team, "note": "ours",
    });
    assert_eq!(world.ask("fabrikam", &Ask::Respond(answer)), "accepted fabrikam");
    assert_eq!(world.stands("fabrikam"), "accepted");
    let view = world.view("fabrikam");
    assert_eq!(
        (view.version, view.updated_at, view.accepted_at()),
        (2, world.now, Some(world.now))
    );
    assert_eq!(view.created_at, noon());
    assert_eq!(view.name.as_str(), "Fabrikam's deal");
    assert_eq!(view.estimated_value.expect("there").to_string(), "9.00 EUR");
    assert_eq!(view.estimated_close_date.expect("there").to_string(), TODAY);
    assert_eq!(view.crm_id.as_ref().map(CrmId::as_str), Some("f-1"));
    assert_eq!(view.campaign_id.as_ref().map(CampaignId::as_str), Some("autumn"));
    assert_eq!(view.team.len(), 1);
    assert_eq!(view.pending_until(), None);
    assert_eq!(world.events[0].note.as_ref().map(Prose::as_str), Some("ours"));
    assert_eq!(world.view("contoso"), owners, "the owner's view is its own");
    assert_eq!(world.notices(), ["Opportunity Accepted to contoso"]);
    let told = world.told();
    assert_eq!(
        (told.name.as_str(), told.reason),
        ("Contoso's deal", None),
        "in the owner's words"
    );
}

#[test]
fn accepting_as_it_is_changes_only_the_stage() {
    let mut world = World::with_fabrikam("received");
    let before = world.view("fabrikam");
    world.bring("fabrikam", "accepted");
    let after = world.view("fabrikam");
    let unchanged = Opportunity {
        progress: after.progress.clone(),
        version: 2,
        ..before
    };
    assert_eq!(after, unchanged);
    let Change::Accepted(edits) = &world.events[0].change else {
        panic!("accepted")
    };
    assert_eq!(edits.len(), 0);
}

#[test]
fn declining_takes_a_reason_of_the_list_and_tells_the_inviter() {
    for reason in Reason::ALL {
        let mut world = World::with_fabrikam("received");
        let owners = world.view("contoso");
        world.wait(TimeDelta::hours(1));
        let answer = set(&decline(reason.as_str()), "/note", json!("because"));
        assert_eq!(world.ask("fabrikam", &Ask::Respond(answer)), "declined fabrikam");
        assert_eq!(world.stands("fabrikam"), "archived declined");
        let view = world.view("fabrikam");
        assert_eq!(
            (view.reason(), view.closed_at(), view.accepted_at()),
            (Some(*reason), Some(world.now), None)
        );
        assert_eq!(world.view("contoso"), owners, "the owner keeps working the deal");
        assert_eq!(world.notices(), ["Opportunity Declined to contoso"]);
        assert_eq!(world.told().reason, Some(*reason));
        assert_eq!(world.told().outcome, Some(Outcome::Declined));
    }
}

#[test]
fn other_is_a_reason_only_with_a_note() {
    let other = decline("other");
    let told = World::with_fabrikam("received").ask("fabrikam", &Ask::Respond(other));
    assert_eq!(told, "422 /note noteRequired");
    let empty = set(&decline("other"), "/note", json!(""));
    let told_once = World::with_fabrikam("received").ask("fabrikam", &Ask::Respond(empty));
    assert_eq!(told_once, "422 /note empty");
    let told = World::with_deal().ask("contoso", &Ask::Close(lost("other")));
    assert_eq!(told, "422 /note noteRequired");
    let told = World::with_deal().ask(
        "contoso",
        &Ask::Close(set(&lost("other"), "/note", json!("Went quiet"))),
    );
    assert_eq!(told, "lost contoso");
}

#[test]
fn the_answer_is_in_time_until_the_very_instant_of_respond_by() {
    for answer in [accept(), decline("budget")] {
        let mut world = World::with_fabrikam("received");
        world.wait(WINDOW - MILLISECOND);
        assert_eq!(world.stands("fabrikam"), "received");
        assert_eq!(world.sweep("fabrikam"), "reminded fabrikam");
        assert_eq!(world.stands("fabrikam"), "received");
        assert_ne!(
            world.ask("fabrikam", &Ask::Respond(answer.clone())),
            "409 wrongStage archived expired"
        );

        let mut world = World::with_fabrikam("received");
        world.wait(WINDOW);
        assert_eq!(world.stands("fabrikam"), "archived expired", "swept or not");
        assert_eq!(
            world.ask("fabrikam", &Ask::Respond(answer)),
            "409 wrongStage archived expired"
        );
    }
}

#[test]
fn the_sweep_writes_down_what_everybody_saw_already_and_tells_the_inviter() {
    let mut world = World::with_fabrikam("lapsed");
    world.wait(TimeDelta::days(3));
    let (seen, owners) = (world.view("fabrikam"), world.view("contoso"));
    assert_eq!(seen.closed_at(), Some(noon().plus(WINDOW)));
    assert_eq!(seen.updated_at, noon().plus(WINDOW));
    assert_eq!(seen.version, 2);
    assert_eq!(world.sweep("fabrikam"), "expired fabrikam");
    assert_eq!(world.stored().view(&org("fabrikam")), Ok(&seen));
    assert_eq!(world.view("contoso"), owners, "the owner keeps working the deal");
    assert_eq!(world.notices(), ["Opportunity Expired to contoso"]);
    let event = &world.events[0];
    assert_eq!((event.at, &event.actor), (noon().plus(WINDOW), &None));
    assert_eq!(world.sweep("fabrikam"), "nothing", "once");
    for state in ["accepted", "declined", "withdrawn"] {
        let mut world = World::with_fabrikam(state);
        world.wait(WINDOW);
        assert_eq!(world.sweep("fabrikam"), "nothing", "{state}");
    }
}

#[test]
fn who_has_not_answered_is_reminded_once() {
    let mut world = World::with_fabrikam("received");
    world.wait(WINDOW - REMINDER - MILLISECOND);
    assert_eq!(world.sweep("fabrikam"), "nothing", "not before it is time");
    world.wait(MILLISECOND);
    let owners = world.view("contoso");
    assert_eq!(world.sweep("fabrikam"), "reminded fabrikam");
    assert_eq!(world.notices(), ["Opportunity Expiring to fabrikam"]);
    let event = world.events[0].clone();
    assert_eq!((event.at, &event.actor), (world.now, &None));
    assert_eq!(event.notices[0].respond_by, Some(noon().plus(WINDOW)));
    assert_eq!(world.stands("fabrikam"), "received");
    assert_eq!(world.view("contoso"), owners);
    assert_eq!(world.sweep("fabrikam"), "nothing", "once");
    assert_eq!(
        evolve(world.deal.clone(), &event),
        world.deal,
        "a repetition changes nothing"
    );
    world.wait(REMINDER - MILLISECOND);
    assert_eq!(world.sweep("fabrikam"), "nothing");
    world.wait(MILLISECOND);
    assert_eq!(world.sweep("fabrikam"), "expired fabrikam");

    // An answer makes it needless, and an expiry too late.
    for state in ["accepted", "declined", "withdrawn"] {
        let mut world = World::with_fabrikam(state);
        world.wait(WINDOW - REMINDER);
        assert_eq!(world.sweep("fabrikam"), "nothing", "{state}");
    }
    let mut world = World::with_fabrikam("lapsed");
    assert_eq!(world.sweep("fabrikam"), "expired fabrikam");
    assert_eq!(world.sweep("fabrikam"), "nothing");

    // A new invitation has a reminder of its own.
    assert_eq!(
        world.ask("contoso", &Ask::Invite(invitation("fabrikam"))),
        "invited fabrikam"
    );
    world.wait(WINDOW - REMINDER);
    assert_eq!(world.sweep("fabrikam"), "reminded fabrikam");
}

#[test]
fn a_window_that_is_no_longer_than_the_reminder_has_none() {
    let remind_at = |length| {
        ResponseWindow {
            length,
            reminder: REMINDER,
        }
        .remind_at(noon())
    };
    assert_eq!(remind_at(REMINDER), None);
    assert_eq!(remind_at(TimeDelta::seconds(1)), None);
    assert_eq!(remind_at(REMINDER + MILLISECOND), Some(noon().plus(MILLISECOND)));
    assert_eq!(remind_at(WINDOW), Some(noon().plus(TimeDelta::days(11))));
}

#[test]
fn the_owner_withdraws_what_is_pending_and_nothing_else() {
    let mut world = World::with_fabrikam("received");
    let owners = world.view("contoso");
    world.wait(WINDOW - MILLISECOND);
    assert_eq!(world.ask("contoso", &Ask::Withdraw("fabrikam")), "withdrawn fabrikam");
    assert_eq!(world.stands("fabrikam"), "archived withdrawn");
    assert_eq!(world.view("fabrikam").closed_at(), Some(world.now));
    assert_eq!(world.view("contoso"), owners);
    assert_eq!(world.notices(), ["Invitation Withdrawn to fabrikam"]);
    for (state, stands) in [
        ("lapsed", "archived expired"),
        ("expired", "archived expired"),
        ("declined", "archived declined"),
        ("withdrawn", "archived withdrawn"),
        ("accepted", "accepted"),
        ("won", "archived won"),
        ("lost", "archived lost"),
    ] {
        let mut world = World::with_fabrikam(state);
        assert_eq!(
            world.ask("contoso", &Ask::Withdraw("fabrikam")),
            format!("409 wrongStage {stands}"),
            "{state}"
        );
    }
    let told = World::with_deal().ask("contoso", &Ask::Withdraw("contoso"));
    assert_eq!(told, "409 wrongStage accepted", "its own view is no invitation");
    // Closed after it lapsed; now the clock of another machine says that it is pending still.
    let mut world = World::with_fabrikam("lapsed");
    world.ask("contoso", &Ask::Close(won()));
    world.now = noon();
    assert_eq!(
        world.ask("contoso", &Ask::Withdraw("fabrikam")),
        "409 wrongStage archived won"
    );
}

#[test]
fn the_owners_end_goes_to_all_that_accepted_and_takes_back_what_is_pending() {
    for (ending, notice) in [(won(), "Opportunity Won"), (lost("budget"), "Opportunity Lost")] {
        let name = notice.to_lowercase().replace("opportunity ", "");
        for (state, event, told, stands) in [
            (
                "received",
                Some("withdrawn fabrikam"),
                Some("Invitation Withdrawn"),
                "archived withdrawn",
            ),
            ("lapsed", None, None, "archived expired"),
            ("expired", None, None, "archived expired"),
            ("declined", None, None, "archived declined"),
            ("withdrawn", None, None, "archived withdrawn"),
            ("accepted", None, Some(notice), "accepted"),
            ("won", None, Some(notice), "archived won"),
            ("lost", None, Some(notice), "archived lost"),
        ] {
            let mut world = World::with_fabrikam(state);
            let before = world.view("fabrikam");
            let events: Vec<_> = [format!("{name} contoso")]
                .into_iter()
                .chain(event.map(String::from))
                .collect();
            assert_eq!(
                world.ask("contoso", &Ask::Close(ending.clone())),
                events.join(", "),
                "{state}"
            );
            let told: Vec<_> = told.map(|told| format!("{told} to fabrikam")).into_iter().collect();
            assert_eq!(world.notices(), told, "{state}");
            assert_eq!(world.stands("fabrikam"), stands, "{state}");
            if event.is_none() {
                assert_eq!(world.view("fabrikam"), before, "its own view goes on: {state}");
            }
        }
    }
}

#[test]
fn the_owners_end_reaches_each_of_several_in_its_own_way() {
    let mut world = World::empty();
    let invited = ["fabrikam", "northwind", "p1", "p2", "tailspin"];
    world.ask("contoso", &Ask::Create(co_sell(&invited)));
    world.bring("northwind", "accepted");
    world.bring("p1", "won");
    world.ask("p2", &Ask::Respond(decline("budget")));
    let told = world.ask("contoso", &Ask::Close(lost("choseCompetitor")));
    assert_eq!(told, "lost contoso, withdrawn fabrikam, withdrawn tailspin");
    assert_eq!(
        world.notices(),
        [
            "Opportunity Lost to northwind",
            "Opportunity Lost to p1",
            "Invitation Withdrawn to fabrikam",
            "Invitation Withdrawn to tailspin",
        ]
    );
    let reasons: Vec<_> = world
        .events
        .iter()
        .flat_map(|event| &event.notices)
        .filter_map(|notice| notice.opportunity.as_ref()?.reason)
        .collect();
    assert_eq!(reasons, [], "why is for the inviter alone");
}

#[test]
fn everybody_that_works_the_deal_wins_or_loses_it_for_itself() {
    for (who, other) in [("contoso", "fabrikam"), ("fabrikam", "contoso")] {
        let mut world = World::with_fabrikam("accepted");
        let others = world.view(other);
        world.ask(
            who,
            &Ask::Update(json!({"estimatedValue": {"amount": "70", "currency": "JPY"}})),
        );
        world.wait(TimeDelta::days(100));
        assert_eq!(world.ask(who, &Ask::Close(won())), format!("won {who}"));
        assert_eq!(world.stands(who), "archived won");
        let view = world.view(who);
        assert_eq!((view.closed_at(), view.reason()), (Some(world.now), None));
        let value = |view: &Opportunity| view.final_value().map(|money| money.to_string());
        assert_eq!(value(&view).as_deref(), Some("70 JPY"), "the estimate stands");
        assert_eq!(world.view(other), others, "the other's view is its own");
        assert_eq!(world.notices(), [format!("Opportunity Won to {other}")]);
        let told = world.told();
        assert_eq!(
            told.estimated_value.expect("there").to_string(),
            "125000.00 USD",
            "the recipient's own"
        );
        assert_eq!((told.stage, told.outcome), (Stage::Archived, Some(Outcome::Won)));

        let mut world = World::with_fabrikam("accepted");
        let corrected = json!({"outcome": "won", "finalValue": {"amount": "1.5", "currency": "EUR"}, "note": "ours"});
        assert_eq!(world.ask(who, &Ask::Close(corrected)), format!("won {who}"));
        let view = world.view(who);
        assert_eq!(value(&view).as_deref(), Some("1.50 EUR"));
        assert_eq!(view.estimated_value.expect("there").to_string(), "125000.00 USD");

        let mut world = World::with_fabrikam("accepted");
        assert_eq!(
            world.ask(who, &Ask::Close(json!({"outcome": "lost"}))),
            "422 /reason required"
        );
        assert_eq!(world.ask(who, &Ask::Close(lost("noCapacity"))), format!("lost {who}"));
        assert_eq!(world.stands(who), "archived lost");
        assert_eq!(world.view(who).reason(), Some(Reason::NoCapacity));
        assert_eq!(value(&world.view(who)), None);
        let told = (who == "fabrikam").then_some(Reason::NoCapacity);
        assert_eq!(world.told().reason, told, "only the inviter learns why");
    }
}

#[test]
fn a_received_opportunity_is_answered_before_it_is_worked() {
    for ask in [Ask::Update(json!({"name": "Mine"})), Ask::Close(won())] {
        let told = World::with_fabrikam("received").ask("fabrikam", &ask);
        assert_eq!(told, "409 wrongStage received", "{ask:?}");
    }
    for ask in [Ask::Respond(accept()), Ask::Respond(decline("spam"))] {
        assert_eq!(World::with_deal().ask("contoso", &ask), "409 wrongStage accepted");
        assert_eq!(
            World::with_fabrikam("accepted").ask("fabrikam", &ask),
            "409 wrongStage accepted"
        );
    }
}

#[test]
fn archived_is_final() {
    for state in ["lapsed", "expired", "declined", "withdrawn", "won", "lost"] {
        for ask in every_change() {
            let mut world = World::with_fabrikam(state);
            let before = world.view("fabrikam");
            let outcome = if state == "lapsed" { "expired" } else { state };
            assert_eq!(
                world.ask("fabrikam", &ask),
                format!("409 wrongStage archived {outcome}"),
                "{ask:?}"
            );
            assert_eq!(world.view("fabrikam"), before);
        }
    }
    let mut asks = every_change();
    asks.extend(["fabrikam", "northwind"].map(|id| Ask::Invite(invitation(id))));
    for (ending, outcome) in [(won(), "won"), (lost("spam"), "lost")] {
        for ask in &asks {
            let mut world = World::with_fabrikam("declined");
            world.ask("contoso", &Ask::Close(ending.clone()));
            assert_eq!(
                world.ask("contoso", ask),
                format!("409 wrongStage archived {outcome}"),
                "{ask:?}"
            );
        }
    }
}

#[test]
fn an_invitees_work_goes_on_after_the_owners_end() {
    let mut world = World::with_fabrikam("accepted");
    world.ask("contoso", &Ask::Close(lost("budget")));
    assert_eq!(
        world.ask("fabrikam", &Ask::Update(json!({"name": "Mine"}))),
        "updated fabrikam"
    );
    assert_eq!(world.ask("fabrikam", &Ask::Close(won())), "won fabrikam");
    assert_eq!(world.notices(), ["Opportunity Won to contoso"]);
}

#[test]
fn an_invitation_copies_what_it_should_and_nothing_internal() {
    let world = World::with_fabrikam("received");
    let (own, view) = (world.view("contoso"), world.view("fabrikam"));
    let copied = |view: &Opportunity| {
        (
            view.deal.clone(),
            view.owner.clone(),
            view.name.clone(),
            view.estimated_value,
            view.estimated_close_date,
            view.customer.clone(),
            view.solutions.clone(),
        )
    };
    assert_eq!(copied(&view), copied(&own));
    assert_eq!((&view.crm_id, &view.campaign_id, view.team.len()), (&None, &None, 0));
    assert!(own.crm_id.is_some() && own.campaign_id.is_some() && own.team.len() == 2);
    let invitation = view.invitation().expect("it was invited");
    assert_eq!(invitation.help_type, HelpType::ProofOfConcept);
    assert_eq!(invitation.message.as_str(), "Please help");
    assert_eq!(invitation.contacts.len(), 1, "of the sender's team, only whom it named");
    assert_eq!(own.invitation(), None);
}

#[test]
fn the_note_with_an_invitation_stays_inside() {
    let mut world = World::with_deal();
    let body = set(&invitation("fabrikam"), "/note", json!("They are slow"));
    assert_eq!(world.ask("contoso", &Ask::Invite(body)), "invited fabrikam");
    assert_eq!(world.events[0].note.as_ref().map(Prose::as_str), Some("They are slow"));
    let seen = format!("{:?} {:?}", world.view("fabrikam"), world.events[0].notices);
    assert!(!seen.contains("They are slow"));
}

#[test]
fn after_an_invitation_each_view_changes_on_its_own() {
    let mut world = World::with_fabrikam("accepted");
    let (owners, fabrikams) = (world.view("contoso"), world.view("fabrikam"));
    assert_eq!(
        world.ask("contoso", &Ask::Update(json!({"name": "Ours", "solutions": ["s1"]}))),
        "updated contoso"
    );
    assert_eq!(world.notices(), [""; 0]);
    assert_eq!(world.view("fabrikam"), fabrikams);
    let told = world.ask(
        "fabrikam",
        &Ask::Update(json!({"name": "Mine", "crmId": "f", "solutions": ["s2"]})),
    );
    assert_eq!(told, "updated fabrikam");
    assert_eq!(world.notices(), [""; 0]);
    let seen = world.view("contoso");
    assert_eq!((seen.name.as_str(), seen.crm_id), ("Ours", owners.crm_id));
}

#[test]
fn a_notice_speaks_of_the_recipients_own_view() {
    let mut world = World::with_fabrikam("received");
    let (notice, told) = (world.notice(), world.told());
    assert_eq!(
        (told.name.as_str(), told.customer_name.as_str()),
        ("Contoso's deal", "Litware")
    );
    assert_eq!(notice.recipient.kind, OrganizationKind::Partner);
    assert_eq!((told.stage, told.outcome), (Stage::Received, None));
    assert_eq!(notice.respond_by, Some(noon().plus(WINDOW)));
    let renamed = json!({"decision": "accept", "name": "Mine", "estimatedValue": {"amount": "5", "currency": "EUR"}});
    world.ask("fabrikam", &Ask::Respond(renamed));
    assert_eq!((world.told().stage, world.told().outcome), (Stage::Accepted, None));
    assert_eq!(
        world.notice().respond_by,
        None,
        "only what was received has a date to answer by"
    );
    world.ask("contoso", &Ask::Close(won()));
    let told = world.told();
    assert_eq!(
        (told.name.as_str(), told.estimated_value.expect("there").to_string()),
        ("Mine", "5.00 EUR".into())
    );
    world.ask("fabrikam", &Ask::Close(lost("budget")));
    let (notice, told) = (world.notice(), world.told());
    assert_eq!(
        (told.name.as_str(), told.estimated_value.expect("there").to_string()),
        ("Contoso's deal", "125000.00 USD".into())
    );
    assert_eq!((told.outcome, told.reason), (Some(Outcome::Lost), Some(Reason::Budget)));
    assert_eq!(notice.recipient.kind, OrganizationKind::Vendor);
}

#[test]
fn an_event_that_comes_too_late_changes_nothing() {
    let mut world = World::with_fabrikam("lapsed");
    let invited = {
        let mut earlier = World::with_deal();
        earlier.ask("contoso", &Ask::Invite(invitation("fabrikam")));
        earlier.events.remove(0)
    };
    world.sweep("fabrikam");
    let expired = world.events.remove(0);
    assert_eq!(
        evolve(world.deal.clone(), &invited),
        world.deal,
        "its own, first invitation"
    );
    world.ask("contoso", &Ask::Invite(invitation("fabrikam")));
    assert_eq!(
        evolve(world.deal.clone(), &expired),
        world.deal,
        "the first invitation's end"
    );
    world.bring("fabrikam", "accepted");
    assert_eq!(evolve(world.deal.clone(), &invited), world.deal);
    assert_eq!(evolve(None, &expired), None);

    let invite = |mut world: World, organization| {
        world.ask("contoso", &Ask::Invite(invitation(organization)));
        world.events.remove(0)
    };
    let again = invite(World::with_fabrikam("declined"), "fabrikam");
    for state in ["received", "accepted"] {
        let world = World::with_fabrikam(state);
        assert_eq!(evolve(world.deal.clone(), &again), world.deal, "it is {state} already");
    }
    let mut world = World::with_fabrikam("declined");
    let another = invite(world.clone(), "northwind");
    world.ask("contoso", &Ask::Close(won()));
    for event in [&again, &another] {
        assert_eq!(evolve(world.deal.clone(), event), world.deal, "the owner has closed");
    }
}

#[test]
fn what_was_checked_in_time_is_decided_by_the_state_and_the_clock_of_its_decision() {
    let early = World::with_fabrikam("received");
    let deal = early.stored();
    for (who, ask) in [
        ("fabrikam", Ask::Respond(accept())),
        ("fabrikam", Ask::Respond(decline("budget"))),
        ("contoso", Ask::Withdraw("fabrikam")),
    ] {
        let command = command(&ask, Some(deal), &actor(who), early.now).expect("right so far");
        let late = decide(Some(deal), &command, &actor(who), early.now.plus(WINDOW));
        assert_eq!(tell(&late), "409 wrongStage archived expired", "{ask:?}");
    }
    for (ask, told) in [
        (Ask::Update(json!({"name": "Other"})), "409 wrongStage archived won"),
        (Ask::Close(won()), "409 wrongStage archived won"),
        (Ask::Invite(invitation("northwind")), "409 wrongStage archived won"),
    ] {
        let command = command(&ask, Some(deal), &actor("contoso"), early.now).expect("right so far");
        let mut faster = early.clone();
        faster.ask("contoso", &Ask::Close(won()));
        let late = decide(Some(faster.stored()), &command, &actor("contoso"), early.now);
        assert_eq!(tell(&late), told, "{ask:?}");
        assert_eq!(
            decide(None, &command, &actor("contoso"), early.now),
            Err(Refusal::NotFound)
        );
    }
}

#[test]
fn the_next_instant_is_later_than_all_that_happened() {
    let world = World::with_fabrikam("received");
    let earlier = noon().plus(-TimeDelta::hours(1));
    assert_eq!(world.stored().next_instant(earlier), noon().plus(MILLISECOND));
    let later = noon().plus(TimeDelta::hours(1));
    assert_eq!(world.stored().next_instant(later), later);
}
