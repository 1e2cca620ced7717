//! Leads: customers who asked for help and whom nobody has qualified yet, with one partner at a time.

use super::*;

const QUEUE: [&str; 3] = ["fabrikam", "northwind", "tailspin"];

fn lead(partners: &[&str]) -> Value {
    let mut body = co_sell(partners);
    body["qualification"] = json!("lead");
    for unknown in ["estimatedValue", "estimatedCloseDate"] {
        body.as_object_mut().expect("an object").remove(unknown);
    }
    body
}

fn with_lead(partners: &[&str]) -> World {
    let mut world = World::empty();
    let told = world.ask("contoso", &Ask::Create(lead(partners)));
    assert_eq!(told, format!("created contoso, invited {}", partners[0]));
    world
}

fn take_up() -> Value {
    json!({
        "decision": "accept",
        "estimatedValue": {"amount": "9", "currency": "EUR"},
        "estimatedCloseDate": "2027-01-31",
    })
}

fn next(world: &World) -> Vec<String> {
    match world.view("contoso").qualification {
        Qualification::Lead { next } => next.iter().map(|invite| invite.organization.id.to_string()).collect(),
        Qualification::SalesQualified => vec!["salesQualified".to_owned()],
    }
}

#[test]
fn a_lead_goes_to_the_first_partner_and_the_others_know_nothing() {
    let world = with_lead(&QUEUE);
    assert_eq!(world.notices(), ["Opportunity Received to fabrikam"]);
    assert_eq!(next(&world), ["northwind", "tailspin"]);
    assert_eq!(world.stored().views().count(), 2);
    let theirs = world.view("fabrikam");
    assert_eq!(
        theirs.qualification,
        Qualification::Lead { next: Vec::new() },
        "whom else, it is not told"
    );
    assert_eq!((theirs.estimated_value, theirs.estimated_close_date), (None, None));
    assert_eq!(theirs.pending_until(), Some(noon().plus(WINDOW)));
}

#[test]
fn a_decline_and_a_silence_pass_it_on_at_once_and_the_last_one_back_to_the_vendor() {
    let mut world = with_lead(&QUEUE);
    let told = world.ask("fabrikam", &Ask::Respond(decline("noCapacity")));
    assert_eq!(told, "declined fabrikam, invited northwind");
    assert_eq!(
        world.notices(),
        ["Opportunity Declined to contoso", "Opportunity Received to northwind"]
    );
    assert_eq!(world.events[1].actor, None, "nobody did it");
    assert_eq!(
        (world.stands("fabrikam"), world.stands("northwind")),
        ("archived declined".into(), "received".into())
    );
    assert_eq!(next(&world), ["tailspin"]);

    world.wait(WINDOW);
    assert_eq!(world.sweep("northwind"), "expired northwind, invited tailspin");
    assert_eq!(
        world.notices(),
        ["Opportunity Expired to contoso", "Opportunity Received to tailspin"]
    );
    let theirs = world.view("tailspin");
    assert_eq!(
        theirs.pending_until(),
        Some(world.now.plus(WINDOW)),
        "a window of its own"
    );
    assert_eq!(next(&world), [""; 0]);

    world.wait(WINDOW);
    assert_eq!(world.sweep("tailspin"), "expired tailspin");
    assert_eq!(
        world.notices(),
        ["Opportunity Expired to contoso", "Lead Returned to contoso"]
    );
    assert_eq!(world.stands("contoso"), "accepted", "the vendor keeps it");
    // It may send it to somebody else, or to one of them again.
    assert_eq!(
        world.ask("contoso", &Ask::Invite(invitation("fabrikam"))),
        "invited fabrikam"
    );
    assert!(world.view("fabrikam").is_lead());
}

#[test]
fn accepting_turns_it_into_an_opportunity_which_has_a_value_and_a_date() {
    let mut world = with_lead(&QUEUE);
    assert_eq!(
        world.ask("fabrikam", &Ask::Respond(accept())),
        "422 /estimatedValue required, /estimatedCloseDate required"
    );
    let owners = world.view("contoso");
    assert_eq!(world.ask("fabrikam", &Ask::Respond(take_up())), "accepted fabrikam");
    assert_eq!(world.notices(), ["Opportunity Accepted to contoso"]);
    let theirs = world.view("fabrikam");
    assert_eq!(theirs.qualification, Qualification::SalesQualified);
    assert_eq!(
        theirs.estimated_value.map(|value| value.to_string()),
        Some("9.00 EUR".into())
    );
    let own = world.view("contoso");
    assert_eq!(own.qualification, Qualification::SalesQualified);
    assert_eq!(
        (own.estimated_value, own.version),
        (None, owners.version + 1),
        "what it is worth to fabrikam stays there"
    );
    assert_eq!(world.told().estimated_value, None);
    // Nobody else is asked any more by itself, and anybody by the vendor.
    assert_eq!(world.ask("fabrikam", &Ask::Close(lost("budget"))), "lost fabrikam");
    assert_eq!(
        world.ask("contoso", &Ask::Invite(invitation("northwind"))),
        "invited northwind"
    );
    assert_eq!(
        world.ask("contoso", &Ask::Invite(invitation("tailspin"))),
        "invited tailspin"
    );
}

#[test]
fn what_the_vendor_knows_of_value_and_date_goes_along() {
    let mut body = lead(&["fabrikam"]);
    body["estimatedValue"] = json!({"amount": "5", "currency": "USD"});
    let mut world = World::empty();
    world.ask("contoso", &Ask::Create(body));
    assert_eq!(
        world.ask("fabrikam", &Ask::Respond(accept())),
        "422 /estimatedCloseDate required"
    );
    let with_date = json!({"decision": "accept", "estimatedCloseDate": "2027-01-31"});
    assert_eq!(world.ask("fabrikam", &Ask::Respond(with_date)), "accepted fabrikam");
    let value = world.view("fabrikam").estimated_value.map(|value| value.to_string());
    assert_eq!(value, Some("5.00 USD".into()));
}

#[test]
fn a_lead_is_with_one_partner_at_a_time() {
    let mut world = with_lead(&["fabrikam", "northwind"]);
    assert_eq!(
        world.ask("contoso", &Ask::Invite(invitation("tailspin"))),
        "409 leadPending accepted"
    );
    assert_eq!(
        world.ask("contoso", &Ask::Withdraw("fabrikam")),
        "withdrawn fabrikam, invited northwind"
    );
    assert_eq!(world.ask("contoso", &Ask::Withdraw("northwind")), "withdrawn northwind");
    assert_eq!(
        world.notices(),
        ["Invitation Withdrawn to northwind"],
        "the vendor did it itself"
    );

    // A lapse that nobody has written down is no reason to ask two: the next one is asked when the other has answered.
    let mut world = with_lead(&["fabrikam", "northwind"]);
    world.wait(WINDOW);
    assert_eq!(
        world.ask("contoso", &Ask::Invite(invitation("tailspin"))),
        "invited tailspin"
    );
    assert_eq!(world.sweep("fabrikam"), "expired fabrikam");
    assert_eq!(
        world.notices(),
        ["Opportunity Expired to contoso"],
        "it is with tailspin"
    );
    assert_eq!(
        world.ask("tailspin", &Ask::Respond(decline("spam"))),
        "declined tailspin, invited northwind"
    );
}

#[test]
fn closing_a_lead_takes_it_back_from_whoever_has_it() {
    let mut world = with_lead(&QUEUE);
    assert_eq!(world.ask("contoso", &Ask::Close(won())), "422 /finalValue required");
    assert_eq!(
        world.ask("contoso", &Ask::Close(lost("customerUnresponsive"))),
        "lost contoso, withdrawn fabrikam"
    );
    assert_eq!(
        world.ask("fabrikam", &Ask::Respond(decline("spam"))),
        "409 wrongStage archived withdrawn"
    );
    world.wait(WINDOW);
    assert_eq!(world.sweep("fabrikam"), "nothing");

    let mut world = with_lead(&QUEUE);
    let worth = json!({"outcome": "won", "finalValue": {"amount": "3", "currency": "USD"}});
    assert_eq!(
        world.ask("contoso", &Ask::Close(worth)),
        "won contoso, withdrawn fabrikam"
    );
}

#[test]
fn only_the_vendor_has_leads_and_somebody_gets_them() {
    let mut world = World::empty();
    assert_eq!(
        world.ask("fabrikam", &Ask::Create(lead(&["northwind"]))),
        "403 notVendor"
    );
    assert_eq!(
        world.ask("contoso", &Ask::Create(lead(&[]))),
        "422 /invitations required"
    );
    let mut body = lead(&["fabrikam"]);
    body["qualification"] = json!("hot");
    assert!(
        world
            .ask("contoso", &Ask::Create(body.clone()))
            .contains("/qualification invalidChoice")
    );
    body["qualification"] = json!("salesQualified");
    assert_eq!(
        world.ask("contoso", &Ask::Create(body)),
        "422 /estimatedValue required, /estimatedCloseDate required"
    );
}

#[test]
fn the_owner_can_add_what_it_learns() {
    let mut world = with_lead(&["fabrikam"]);
    let currency = json!({"estimatedValue": {"currency": "USD"}});
    assert_eq!(
        world.ask("contoso", &Ask::Update(currency)),
        "422 /estimatedValue/amount required"
    );
    let value = json!({"estimatedValue": {"amount": "7", "currency": "USD"}});
    assert_eq!(world.ask("contoso", &Ask::Update(value)), "updated contoso");
    assert!(world.view("contoso").is_lead());
    assert_eq!(
        world.view("fabrikam").estimated_value,
        None,
        "what was sent stays as it was"
    );
}
