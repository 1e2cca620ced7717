//! Deal registration, rule by rule, and what holds for every history of one.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const AGREED: &str = "registrationApproved fabrikam";

/// A right request.
fn terms() -> Value {
    json!({
        "solutionId": "fab-erp",
        "contractValue": {"amount": "118000.00", "currency": "USD"},
        "solutionValue": {"amount": "64000.00", "currency": "USD"},
        "signedDate": YESTERDAY,
        "startDate": "2027-01-01",
        "endDate": "2027-12-31",
        "tenantReference": "tenant-4711",
        "note": "Signed by both.",
    })
}

fn approve() -> Value {
    json!({"decision": "approve"})
}

fn reject() -> Value {
    json!({"decision": "reject", "reason": "Registered by somebody else."})
}

fn request_info() -> Value {
    json!({"decision": "requestInfo", "reason": "Which tenant?"})
}

fn register(world: &mut World, body: &Value) -> String {
    world.ask("fabrikam", &Ask::Register(body.clone()))
}

fn review(world: &mut World, body: Value) -> String {
    world.ask("contoso", &Ask::Review("fabrikam", body))
}

/// With a registration of fabrikam's that stands so.
fn with(status: &str) -> World {
    let mut world = World::with_fabrikam("won");
    assert_eq!(register(&mut world, &terms()), "registrationSubmitted fabrikam");
    let verdict = match status {
        "submitted" => return world,
        "actionRequired" => request_info(),
        "approved" => approve(),
        "rejected" => reject(),
        other => panic!("no status {other}"),
    };
    review(&mut world, verdict);
    assert_eq!(registration(&world).status().as_str(), status);
    world
}

/// A partner's private deal, won: the vendor has no part in it.
fn without_the_vendor() -> World {
    let mut world = World::empty();
    assert_eq!(world.ask("fabrikam", &Ask::Create(deal())), "created fabrikam");
    assert_eq!(world.ask("fabrikam", &Ask::Close(won())), "won fabrikam");
    world
}

fn registration(world: &World) -> Registration {
    *world.view("fabrikam").registration.expect("it has registered")
}

fn day(offset: i64) -> String {
    noon().plus(TimeDelta::days(offset)).date().to_string()
}

#[test]
fn only_what_was_won_is_registered() {
    for state in [
        "received",
        "lapsed",
        "expired",
        "declined",
        "withdrawn",
        "accepted",
        "lost",
    ] {
        let mut world = World::with_fabrikam(state);
        let stands = world.stands("fabrikam");
        let told = register(&mut world, &terms());
        assert_eq!(told, format!("409 wrongStage {stands}"), "{state}");
        assert_eq!(world.view("fabrikam").registration, None);
    }
    let mut world = World::with_fabrikam("won");
    let before = world.view("fabrikam");
    assert_eq!(register(&mut world, &terms()), "registrationSubmitted fabrikam");
    let after = world.view("fabrikam");
    assert_eq!(after.standing(), before.standing(), "the opportunity stays what it is");
    assert_eq!(after.version, before.version + 1);
    let registration = registration(&world);
    assert_eq!(registration.status(), RegistrationStatus::Submitted);
    assert_eq!((registration.version, registration.created_at), (1, noon()));
    assert_eq!((registration.reason(), registration.reviewed_at()), (None, None));
}

#[test]
fn the_owners_outcome_is_not_the_invitees() {
    let mut world = World::with_fabrikam("accepted");
    assert_eq!(world.ask("contoso", &Ask::Close(won())), "won contoso");
    assert_eq!(register(&mut world, &terms()), "409 wrongStage accepted");
    assert_eq!(world.ask("fabrikam", &Ask::Close(won())), "won fabrikam");
    assert_eq!(register(&mut world, &terms()), "registrationSubmitted fabrikam");
}

#[test]
fn a_lead_is_registered_once_it_was_accepted_and_won() {
    let mut lead = co_sell(&["fabrikam", "northwind"]);
    lead["qualification"] = json!("lead");
    let mut world = World::empty();
    world.ask("contoso", &Ask::Create(lead));
    assert!(world.view("fabrikam").is_lead());
    assert_eq!(register(&mut world, &terms()), "409 wrongStage received");
    assert_eq!(
        world.ask("northwind", &Ask::Register(terms())),
        "404",
        "it does not have the lead yet"
    );
    assert_eq!(world.ask("fabrikam", &Ask::Respond(accept())), "accepted fabrikam");
    assert_eq!(register(&mut world, &terms()), "409 wrongStage accepted");
    assert_eq!(world.ask("fabrikam", &Ask::Close(won())), "won fabrikam");
    assert_eq!(register(&mut world, &terms()), "registrationSubmitted fabrikam");
}

#[test]
fn a_lead_that_the_vendor_won_itself_has_nobody_to_register_it() {
    let mut lead = co_sell(&["fabrikam"]);
    lead["qualification"] = json!("lead");
    let mut world = World::empty();
    world.ask("contoso", &Ask::Create(lead));
    world.ask("contoso", &Ask::Close(won()));
    assert_eq!(world.ask("contoso", &Ask::Register(terms())), "403 notPartner");
    assert_eq!(register(&mut world, &terms()), "409 wrongStage archived withdrawn");
}

#[test]
fn a_partner_registers_with_the_vendor_and_the_vendor_not_with_itself() {
    let mut world = World::with_fabrikam("won");
    world.ask("contoso", &Ask::Close(won()));
    assert_eq!(world.ask("contoso", &Ask::Register(terms())), "403 notPartner");
    assert_eq!(world.ask("northwind", &Ask::Register(terms())), "404");
    assert_eq!(registration(&with("submitted")).vendor, org("contoso"));
    // The owner is a partner, and the vendor has no part in the deal.
    let mut world = without_the_vendor();
    assert_eq!(register(&mut world, &terms()), "registrationSubmitted fabrikam");
}

#[test]
fn an_exchange_without_a_vendor_has_no_registrations() {
    let world = World::with_fabrikam("won");
    let form = RegisterForm::read(&terms());
    let (by, new) = (actor("fabrikam"), RegistrationId::new(noon(), 9));
    let checked = form.check(world.stored(), &find(&form.references()), None, new, &by, noon());
    assert_eq!(tell(&checked.map(|_| Vec::new())), "409 noVendor archived won");
}

#[test]
fn every_participant_that_won_registers_its_own() {
    let mut world = World::with_fabrikam("won");
    world.ask("contoso", &Ask::Invite(invitation("northwind")));
    world.bring("northwind", "won");
    assert_eq!(register(&mut world, &terms()), "registrationSubmitted fabrikam");
    assert_eq!(world.view("northwind").registration, None);
    assert_eq!(
        world.ask("northwind", &Ask::Register(terms())),
        "registrationSubmitted northwind"
    );
    assert_eq!(review(&mut world, approve()), AGREED);
    let other = world.view("northwind").registration.expect("there");
    assert_eq!(other.status(), RegistrationStatus::Submitted);
}

#[test]
fn the_solution_is_the_opportunitys_and_registration_eligible() {
    for (id, code) in [
        ("s1", "notInOpportunity"),
        ("nobody", "notInOpportunity"),
        ("con-cloud", "notRegistrationEligible"),
    ] {
        let mut world = World::with_fabrikam("won");
        let told = register(&mut world, &set(&terms(), "/solutionId", json!(id)));
        assert_eq!(told, format!("422 /solutionId {code}"));
    }
}

#[test]
fn a_won_close_tells_what_can_be_registered() {
    let mut world = World::with_fabrikam("accepted");
    let mut close = |organization| {
        let found = find(&registrable_references(&world.view(organization)));
        world.ask(organization, &Ask::Close(won()));
        let ids = registrable(&world.view(organization), &found)
            .into_iter()
            .map(ToString::to_string)
            .collect();
        // Who wins no more needs to know nothing.
        assert_eq!(registrable_references(&world.view(organization)), References::default());
        let ids: Vec<String> = ids;
        ids
    };
    assert_eq!(close("fabrikam"), ["fab-erp"]);
    assert_eq!(close("contoso"), [""; 0], "the vendor registers nothing with itself");
}

#[test]
fn it_was_signed_in_the_last_sixty_days() {
    for (offset, code) in [
        (1, Some("dateInFuture")),
        (0, None),
        (-60, None),
        (-61, Some("dateTooOld")),
    ] {
        let mut world = World::with_fabrikam("won");
        let told = register(&mut world, &set(&terms(), "/signedDate", json!(day(offset))));
        let expected = code.map_or("registrationSubmitted fabrikam".into(), |code| {
            format!("422 /signedDate {code}")
        });
        assert_eq!(told, expected, "{offset} days");
    }
}

#[test]
fn what_was_registered_in_time_stays_in_time_however_long_the_vendor_asks_back() {
    let oldest = set(&terms(), "/signedDate", json!(day(-60)));
    let mut world = World::with_fabrikam("won");
    assert_eq!(register(&mut world, &oldest), "registrationSubmitted fabrikam");
    world.wait(TimeDelta::days(30));
    assert_eq!(
        review(&mut world, request_info()),
        "registrationActionRequired fabrikam"
    );
    world.wait(TimeDelta::days(30));
    let older = set(&terms(), "/signedDate", json!(day(-61)));
    assert_eq!(register(&mut world, &older), "422 /signedDate dateTooOld");
    assert_eq!(register(&mut world, &oldest), "registrationSubmitted fabrikam");
}

#[test]
fn it_does_not_end_before_it_begins() {
    for (end, right) in [("2026-12-31", false), ("2027-01-01", true), ("2027-01-02", true)] {
        let mut world = World::with_fabrikam("won");
        let told = register(&mut world, &set(&terms(), "/endDate", json!(end)));
        let expected = if right {
            "registrationSubmitted fabrikam"
        } else {
            "422 /endDate endBeforeStart"
        };
        assert_eq!(told, expected, "{end}");
    }
}

#[test]
fn the_solutions_value_is_a_part_of_the_contracts() {
    for (contract, solution, told) in [
        ("10 USD", "10 USD", "registrationSubmitted fabrikam"),
        ("10 USD", "10.01 USD", "422 /solutionValue/amount moreThanContract"),
        ("10 USD", "1 EUR", "422 /solutionValue/currency currencyMismatch"),
        ("10 USD", "0 USD", "422 /solutionValue/amount notPositive"),
        (
            "0 USD",
            "0.00 USD",
            "422 /contractValue/amount notPositive, /solutionValue/amount notPositive",
        ),
    ] {
        let money = |text: &str| {
            let (amount, currency) = text.split_once(' ').expect("an amount");
            json!({"amount": amount, "currency": currency})
        };
        let body = set(&terms(), "/contractValue", money(contract));
        let body = set(&body, "/solutionValue", money(solution));
        assert_eq!(register(&mut World::with_fabrikam("won"), &body), told);
    }
}

#[test]
fn all_that_is_wrong_with_it_is_told_at_once() {
    let mut body = set(&terms(), "/solutionId", json!("s1"));
    body = set(&body, "/signedDate", json!(day(2)));
    body = set(&body, "/endDate", json!(TODAY));
    body = set(
        &body,
        "/solutionValue",
        json!({"amount": "118000.01", "currency": "USD"}),
    );
    body = set(&body, "/tenantReference", json!("x".repeat(65)));
    body = set(&body, "/note", json!(""));
    body = set(&body, "/signed", json!(true));
    assert_eq!(
        register(&mut World::with_fabrikam("won"), &body),
        "422 /tenantReference tooLong, /note empty, /signed unknownField, /solutionId notInOpportunity, \
         /signedDate dateInFuture, /endDate endBeforeStart, /solutionValue/amount moreThanContract"
    );
    assert_eq!(
        register(&mut World::with_fabrikam("won"), &json!({})),
        "422 /solutionId required, /contractValue required, /solutionValue required, /signedDate required, /startDate required"
    );
    let mut least = terms();
    for optional in ["/endDate", "/tenantReference", "/note"] {
        least = without(&least, optional);
    }
    assert_eq!(
        register(&mut World::with_fabrikam("won"), &least),
        "registrationSubmitted fabrikam"
    );
}

#[test]
fn the_vendor_reviews_what_was_submitted() {
    for (verdict, status, told) in [
        (approve(), "approved", AGREED),
        (reject(), "rejected", "registrationRejected fabrikam"),
        (request_info(), "actionRequired", "registrationActionRequired fabrikam"),
    ] {
        let mut world = with("submitted");
        world.wait(MILLISECOND);
        assert_eq!(review(&mut world, verdict.clone()), told);
        let registration = registration(&world);
        assert_eq!(registration.status().as_str(), status);
        assert_eq!(
            registration.reason().map(Prose::as_str),
            verdict["reason"].as_str(),
            "{status}"
        );
        assert_eq!(registration.reviewed_at(), Some(world.now));
        assert_eq!(registration.version, 2);
        for again in [approve(), reject(), request_info()] {
            assert_eq!(review(&mut world, again), format!("409 wrongStatus {status}"));
        }
    }
    let mut approved_with_a_word = with("submitted");
    let told = review(
        &mut approved_with_a_word,
        json!({"decision": "approve", "reason": "Well done."}),
    );
    assert_eq!(told, AGREED);
}

#[test]
fn who_does_not_agree_says_why() {
    for (body, told) in [
        (json!({"decision": "reject"}), "422 /reason required"),
        (json!({"decision": "requestInfo", "reason": ""}), "422 /reason empty"),
        (json!({"decision": "accept"}), "422 /decision invalidChoice"),
        (json!({}), "422 /decision required"),
        (
            json!({"decision": "approve", "cause": "none"}),
            "422 /cause unknownField",
        ),
    ] {
        assert_eq!(review(&mut with("submitted"), body), told);
    }
}

#[test]
fn nobody_else_reviews() {
    let mut world = with("submitted");
    world.ask("contoso", &Ask::Invite(invitation("northwind")));
    for (who, told) in [("fabrikam", "403 notVendor"), ("northwind", "404"), ("tailspin", "404")] {
        assert_eq!(world.ask(who, &Ask::Review("fabrikam", approve())), told);
    }
    // There is none of northwind's.
    assert_eq!(world.ask("contoso", &Ask::Review("northwind", approve())), "404");
    assert_eq!(
        world.ask("contoso", &Ask::Review("tailspin", approve())),
        "404",
        "nor a view"
    );
}

#[test]
fn it_is_submitted_again_when_the_vendor_wants_to_know_more_and_only_then() {
    let other = set(&terms(), "/tenantReference", json!("tenant-1"));
    let mut world = with("actionRequired");
    let asked = registration(&world);
    world.wait(MILLISECOND);
    assert_eq!(register(&mut world, &other), "registrationSubmitted fabrikam");
    let again = registration(&world);
    assert_eq!(again.status(), RegistrationStatus::Submitted);
    assert_eq!((&again.id, again.created_at), (&asked.id, asked.created_at));
    assert_eq!((again.version, again.submitted_at), (asked.version + 1, world.now));
    assert_eq!(
        (again.reason(), again.reviewed_at()),
        (None, None),
        "the review was of the other"
    );
    // Answering with the same is an answer too.
    assert_eq!(
        register(&mut with("actionRequired"), &terms()),
        "registrationSubmitted fabrikam"
    );

    for status in ["submitted", "approved", "rejected"] {
        let told = register(&mut with(status), &other);
        assert_eq!(told, format!("409 wrongStatus {status}"));
        let wrong = register(&mut with(status), &json!({}));
        assert_eq!(wrong, format!("409 wrongStatus {status}"), "first things first");
    }
}

#[test]
fn what_waits_already_is_not_submitted_twice() {
    let mut world = with("submitted");
    let before = world.view("fabrikam");
    world.wait(MILLISECOND);
    assert_eq!(register(&mut world, &terms()), "nothing");
    assert_eq!(world.view("fabrikam"), before);
    assert_eq!(register(&mut with("approved"), &terms()), "409 wrongStatus approved");
}

#[test]
fn the_vendor_is_told_of_a_submission_and_the_organization_of_a_review() {
    let mut world = with("submitted");
    assert_eq!(world.notices(), ["Registration Submitted to contoso"]);
    for (verdict, told) in [
        (request_info(), "Registration Action Required to fabrikam"),
        (approve(), "Registration Approved to fabrikam"),
        (reject(), "Registration Rejected to fabrikam"),
    ] {
        let mut world = world.clone();
        review(&mut world, verdict.clone());
        assert_eq!(world.notices(), [told]);
        let notice = world.notice().registration.clone().expect("it is about one");
        assert_eq!(notice.reason.as_ref().map(Prose::as_str), verdict["reason"].as_str());
    }
    review(&mut world, request_info());
    register(&mut world, &terms());
    assert_eq!(world.notices(), ["Registration Submitted to contoso"]);
}

#[test]
fn the_vendor_learns_of_the_registration_and_the_customer_and_not_of_the_deal() {
    let mut world = without_the_vendor();
    register(&mut world, &terms());
    let notice = world.notice();
    assert_eq!(notice.recipient.kind, OrganizationKind::Vendor);
    assert_eq!(notice.opportunity, None);
    let told = notice.registration.clone().expect("it is about one");
    assert_eq!(
        (told.organization.as_str(), told.customer_name.as_str()),
        ("fabrikam", "Litware")
    );
    assert_eq!(told.solution.as_str(), "fab-erp");
    assert_ne!(told.id.as_str(), world.stored().id().as_str(), "an id of its own");
    assert_eq!(review(&mut world, approve()), AGREED);
    assert!(world.notice().opportunity.is_some(), "the organization knows its deal");
    // One that has a part in the deal knows it by its own name, not by that of the other.
    let mut world = World::with_fabrikam("accepted");
    world.ask("fabrikam", &Ask::Update(json!({"name": "Mine"})));
    world.ask("fabrikam", &Ask::Close(won()));
    register(&mut world, &terms());
    assert_eq!(world.told().name.as_str(), "Contoso's deal");
}

#[test]
fn to_a_seller_off_the_team_there_is_nothing_to_register() {
    let world = World::with_fabrikam("won");
    let seller = |email: &str| Actor {
        access: Access::Team(Email::parse(email).expect("an address")),
        ..actor("fabrikam")
    };
    let form = RegisterForm::read(&terms());
    let check = |by: &Actor| {
        let (found, vendor) = (find(&form.references()), org("contoso"));
        let new = RegistrationId::new(noon(), 9);
        let checked = form.check(world.stored(), &found, Some(&vendor), new, by, noon());
        tell(&checked.map(|_| Vec::new()))
    };
    assert_eq!(check(&seller("nobody@fabrikam.example")), "404");
    assert_eq!(check(&actor("fabrikam")), "nothing");
}

/// What may be asked of a registration, by whom, after how long.
fn asks() -> impl Strategy<Value = Vec<(&'static str, Ask, i64)>> {
    let register = (0..3u8, select(vec![-61i64, -60, -1, 0, 1]))
        .prop_map(|(tenant, signed)| {
            let body = set(&terms(), "/tenantReference", json!(format!("tenant-{tenant}")));
            Ask::Register(set(&body, "/signedDate", json!(day(signed))))
        })
        .boxed();
    let organization = || select(ORGANIZATIONS.to_vec());
    let verdict = select(vec![approve(), reject(), request_info(), request_info(), json!({})]);
    let review = (organization(), verdict).prop_map(|(of, body)| Ask::Review(of, body));
    let other = select(every_change());
    let ask = prop_oneof![4 => register, 4 => review, 1 => other];
    let who = prop_oneof![3 => Just("fabrikam"), 3 => Just("contoso"), 1 => organization()];
    vec((who, ask, 0..3i64), 1..30)
}

fn follows(from: Option<RegistrationStatus>, to: RegistrationStatus) -> bool {
    use RegistrationStatus::{ActionRequired, Approved, Rejected, Submitted};
    matches!(
        (from, to),
        (None | Some(ActionRequired), Submitted) | (Some(Submitted), Approved | Rejected | ActionRequired)
    )
}

proptest! {
    /// Whatever is asked, by whom, and when: a registration goes its way step by step, each step is told to one organization,
    /// nothing but the view that it belongs to changes with it, and what is approved or rejected stays so.
    #[test]
    fn a_registration_goes_its_way(asks in asks()) {
        let mut world = World::with_fabrikam("won");
        for (who, ask, days) in asks {
            world.wait(TimeDelta::days(days));
            let before = world.deal.clone().expect("there");
            let told = world.ask(who, &ask);
            let after = world.stored().clone();
            let view = |deal: &Deal| deal.view(&org("fabrikam")).expect("there").clone();
            let (old, new) = (view(&before), view(&after));
            prop_assert_eq!(old.standing(), new.standing());
            if old.registration == new.registration {
                prop_assert!(!told.starts_with("registration"), "{}", told);
                prop_assert_eq!(old, new);
                continue;
            }
            let (from, to) = (old.registration.as_deref(), new.registration.as_deref().expect("it stays"));
            prop_assert!(follows(from.map(Registration::status), to.status()), "{}", told);
            prop_assert_eq!(to.version, from.map_or(1, |from| from.version + 1));
            prop_assert_eq!(new.version, old.version + 1);
            if let Some(from) = from {
                prop_assert_eq!((&from.id, from.created_at, &from.vendor), (&to.id, to.created_at, &to.vendor));
                prop_assert!(from.submitted_at <= to.submitted_at);
                prop_assert!(to.status() == RegistrationStatus::Submitted || from.terms == to.terms, "a review changes no terms");
            }
            let reviewed = to.status() != RegistrationStatus::Submitted;
            prop_assert_eq!(who, if reviewed { "contoso" } else { "fabrikam" });
            prop_assert_eq!(world.notices().len(), 1);
            prop_assert_eq!(world.notice().recipient.organization.as_str(), if reviewed { "fabrikam" } else { "contoso" });
            for other in before.views().filter(|view| !view.organization.is(&org("fabrikam"))) {
                prop_assert_eq!(after.view(&other.organization.id).expect("there"), other);
            }
        }
    }

    /// Whether a request is right is told by its dates and values alone, and each fault is named where it is.
    #[test]
    fn what_is_wrong_is_named_and_what_is_right_is_submitted(
        signed in -70..10i64,
        length in -3..3i64,
        contract in 0..4u64,
        solution in 0..4u64,
    ) {
        let mut body = set(&terms(), "/signedDate", json!(day(signed)));
        body = set(&body, "/startDate", json!(day(0)));
        body = set(&body, "/endDate", json!(day(length)));
        body = set(&body, "/contractValue/amount", json!(contract.to_string()));
        body = set(&body, "/solutionValue/amount", json!(solution.to_string()));
        let faults: Vec<_> = [
            (signed > 0, "/signedDate dateInFuture"),
            (signed < -60, "/signedDate dateTooOld"),
            (length < 0, "/endDate endBeforeStart"),
            (contract == 0, "/contractValue/amount notPositive"),
            (solution == 0, "/solutionValue/amount notPositive"),
            (solution > contract, "/solutionValue/amount moreThanContract"),
        ]
        .into_iter()
        .filter_map(|(wrong, fault)| wrong.then_some(fault))
        .collect();
        let expected = if faults.is_empty() {
            "registrationSubmitted fabrikam".to_owned()
        } else {
            format!("422 {}", faults.join(", "))
        };
        prop_assert_eq!(register(&mut World::with_fabrikam("won"), &body), expected);
    }
}
