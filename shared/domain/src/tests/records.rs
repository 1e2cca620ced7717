//! What is counted of an organization, from the events themselves.

use super::*;

/// What the last command's events add to the organization's record.
fn counted(world: &World, organization: &str) -> Vec<String> {
    let events = world.events.iter();
    let own = events.filter(|event| event.organization.as_str() == organization);
    let mut counts: Vec<_> = own
        .flat_map(|event| &event.counts)
        .map(|(counter, number)| {
            assert_eq!(
                Counter::parse(&counter.to_string()).as_ref(),
                Some(counter),
                "reads back"
            );
            format!("{counter} {number:+}")
        })
        .collect();
    counts.sort();
    counts
}

#[test]
fn an_acceptance_counts_how_quick_it_was_when_it_is_due_and_what_the_deal_is_like() {
    let mut world = World::with_fabrikam("received");
    world.wait(WINDOW / 4);
    let as_it_sees_it = json!({"decision": "accept", "estimatedCloseDate": "2027-03-01",
        "estimatedValue": {"amount": "7", "currency": "EUR"}});
    world.ask("fabrikam", &Ask::Respond(as_it_sees_it));
    let expected = [
        "answered +1",
        "country:US +1",
        "open:2027-03 +1",
        // As it was sent, whatever the organization makes of it.
        "size:USD-6 +1",
        "solution:con-cloud +1",
        "solution:fab-erp +1",
        "taken +1",
        "unused +750",
    ];
    assert_eq!(counted(&world, "fabrikam"), expected);
}

#[test]
fn a_decline_is_an_answer_like_any_other() {
    let mut world = World::with_fabrikam("received");
    world.wait(WINDOW - MILLISECOND);
    world.ask("fabrikam", &Ask::Respond(decline("budget")));
    assert_eq!(counted(&world, "fabrikam"), ["answered +1", "unused +0"]);
}

#[test]
fn a_silence_counts_whoever_writes_it_down() {
    let world = World::with_fabrikam("expired");
    assert_eq!(counted(&world, "fabrikam"), ["unanswered +1"]);
    // Nobody swept: it is written down when the owner invites again.
    let mut world = World::with_fabrikam("lapsed");
    world.ask("contoso", &Ask::Invite(invitation("fabrikam")));
    assert_eq!(counted(&world, "fabrikam"), ["unanswered +1"]);
}

#[test]
fn what_is_taken_back_is_not_counted() {
    let world = World::with_fabrikam("withdrawn");
    assert_eq!(counted(&world, "fabrikam"), [""; 0]);
}

#[test]
fn the_owners_own_deal_is_not_counted() {
    let mut world = World::with_fabrikam("accepted");
    world.ask("contoso", &Ask::Update(json!({"estimatedCloseDate": "2028-01-31"})));
    assert_eq!(counted(&world, "contoso"), [""; 0]);
    world.ask("contoso", &Ask::Close(won()));
    assert_eq!(counted(&world, "contoso"), [""; 0]);
}

#[test]
fn an_end_is_in_time_in_the_month_of_its_date_and_late_after_it() {
    for (wait, end, reported) in [(71, won(), "closedInTime +1"), (72, lost("budget"), "closedLate +1")] {
        let mut world = World::with_fabrikam("accepted");
        // 21 November and 71 days are 31 January.
        world.wait(TimeDelta::days(wait));
        world.ask("fabrikam", &Ask::Close(end));
        let all = counted(&world, "fabrikam");
        let (alike, all): (Vec<_>, Vec<_>) = all
            .iter()
            .map(String::as_str)
            .partition(|count| count.contains(":size:"));
        let alike_as_well = if reported.contains("Late") { "late" } else { "inTime" };
        assert_eq!(alike, [format!("{alike_as_well}:size:USD-6 +1")]);
        let all: Vec<_> = all
            .into_iter()
            .filter(|count| !count.starts_with(alike_as_well))
            .collect();
        assert_eq!(all, [reported, "open:2027-01 -1"]);
    }
}

#[test]
fn an_end_counts_for_the_deal_as_its_owner_has_it() {
    let mut world = World::with_fabrikam("accepted");
    let makes_of_it = json!({"estimatedValue": {"amount": "7", "currency": "EUR"}, "solutions": ["fab-erp"]});
    world.ask("fabrikam", &Ask::Update(makes_of_it));
    world.ask("fabrikam", &Ask::Close(won()));
    let expected = [
        "closedInTime +1",
        "inTime:country:US +1",
        "inTime:size:USD-6 +1",
        "inTime:solution:con-cloud +1",
        "inTime:solution:fab-erp +1",
        "open:2027-01 -1",
    ];
    assert_eq!(counted(&world, "fabrikam"), expected);
}

#[test]
fn a_lead_that_goes_on_counts_for_who_had_it_and_not_for_who_gets_it() {
    let partners = ["fabrikam", "northwind", "tailspin"];
    let lead = || {
        let mut body = co_sell(&partners);
        body["qualification"] = json!("lead");
        for unknown in ["estimatedValue", "estimatedCloseDate"] {
            body.as_object_mut().expect("an object").remove(unknown);
        }
        let mut world = World::empty();
        world.ask("contoso", &Ask::Create(body));
        world
    };
    let all = |world: &World| partners.map(|partner| counted(world, partner));
    let mut world = lead();
    assert_eq!(all(&world), [(); 3].map(|()| Vec::<String>::new()));
    world.ask("fabrikam", &Ask::Respond(decline("budget")));
    assert_eq!(all(&world), [vec!["answered +1", "unused +1000"], vec![], vec![]]);
    world.ask("contoso", &Ask::Withdraw("northwind"));
    assert_eq!(all(&world), [(); 3].map(|()| Vec::<String>::new()), "taken back");
    // It has no size and no close date until the partner gives it one.
    let accepted = json!({"decision": "accept", "estimatedValue": {"amount": "7", "currency": "EUR"},
        "estimatedCloseDate": "2027-03-01"});
    world.ask("tailspin", &Ask::Respond(accepted));
    let expected = [
        "answered +1",
        "country:US +1",
        "open:2027-03 +1",
        "solution:con-cloud +1",
        "solution:fab-erp +1",
        "taken +1",
        "unused +1000",
    ];
    assert_eq!(counted(&world, "tailspin"), expected);

    let mut world = lead();
    world.wait(WINDOW);
    world.sweep("fabrikam");
    assert_eq!(all(&world), [vec!["unanswered +1"], vec![], vec![]]);
    let owner = actor("contoso");
    let may_be_invited = invite::invitable(world.stored(), &owner).expect("the owner's");
    assert!(may_be_invited(&org("fabrikam")) && may_be_invited(&org("p1")));
    assert!(!may_be_invited(&org("northwind")), "it has it");
    assert!(!may_be_invited(&org("tailspin")), "it gets it by itself");
}

#[test]
fn a_new_close_date_counts_when_it_is_in_another_month() {
    let mut world = World::with_fabrikam("accepted");
    world.ask("fabrikam", &Ask::Update(json!({"estimatedCloseDate": "2027-01-01"})));
    assert_eq!(counted(&world, "fabrikam"), [""; 0]);
    world.ask(
        "fabrikam",
        &Ask::Update(json!({"estimatedCloseDate": "2027-02-01", "name": "Later"})),
    );
    assert_eq!(counted(&world, "fabrikam"), ["open:2027-01 -1", "open:2027-02 +1"]);
    world.ask("fabrikam", &Ask::Close(won()));
    let all = counted(&world, "fabrikam");
    let all: Vec<_> = all.iter().filter(|count| !count.starts_with("inTime:")).collect();
    assert_eq!(all, ["closedInTime +1", "open:2027-02 -1"]);
}

#[test]
fn dates_beyond_all_plans_are_one_month() {
    let mut world = World::with_fabrikam("accepted");
    world.ask("fabrikam", &Ask::Update(json!({"estimatedCloseDate": "2345-06-07"})));
    assert_eq!(counted(&world, "fabrikam"), ["open:2027-01 -1", "open:2100-01 +1"]);
    world.ask("fabrikam", &Ask::Update(json!({"estimatedCloseDate": "9999-12-31"})));
    assert_eq!(counted(&world, "fabrikam"), [""; 0]);
}

#[test]
fn who_could_be_invited_is_who_an_invitation_would_reach() {
    let owner = actor("contoso");
    for (state, again) in [
        ("received", false),
        ("accepted", false),
        ("won", false),
        ("declined", true),
        ("expired", true),
        ("withdrawn", true),
        ("lapsed", true),
    ] {
        let world = World::with_fabrikam(state);
        let deal = world.stored().clone().at(world.now);
        let may_be_invited = invite::invitable(&deal, &owner).expect("the owner's");
        assert_eq!(may_be_invited(&org("fabrikam")), again, "{state}");
        assert!(may_be_invited(&org("northwind")) && !may_be_invited(&org("contoso")));
        let refused = invite::invitable(&deal, &actor("fabrikam")).err();
        assert!(
            matches!(refused, Some(Refusal::Forbidden { code: "notOwner", .. })),
            "{state}"
        );
        let refused = invite::invitable(&deal, &actor("northwind")).err();
        assert_eq!(refused, Some(Refusal::NotFound), "{state}");
    }
    let full: Vec<String> = (1..=9).map(|n| format!("p{n}")).collect();
    let full: Vec<&str> = full.iter().map(String::as_str).collect();
    let mut world = World::empty();
    world.ask("contoso", &Ask::Create(co_sell(&full)));
    world.ask("p3", &Ask::Respond(decline("spam")));
    let deal = world.stored().clone();
    let may_be_invited = invite::invitable(&deal, &owner).expect("the owner's");
    assert!(
        may_be_invited(&org("p3")) && !may_be_invited(&org("p10")),
        "there is no room for another"
    );
}
