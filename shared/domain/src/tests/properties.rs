//! What holds for every history of a deal, whatever is asked, by whom, in whatever order, at whatever time.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Map;

use super::*;

/// One request, or the sweep, at some time.
#[derive(Debug, Clone)]
struct Step {
    who: &'static str,
    what: What,
    /// What the clock of the machine says: clocks of two machines differ, so it may run backwards.
    clock: Timestamp,
}

#[derive(Debug, Clone)]
enum What {
    Ask(Ask),
    Sweep,
}

/// Time in steps of half a response window around its very end, so that deadlines are met, missed and hit.
fn clock() -> impl Strategy<Value = Timestamp> {
    (0..8i32, -1..=1i64).prop_map(|(halves, ms)| {
        let delta = WINDOW / 2 * halves + MILLISECOND * i32::try_from(ms).expect("small");
        noon().plus(delta)
    })
}

fn ask() -> impl Strategy<Value = Ask> {
    let organization = || select(ORGANIZATIONS.to_vec());
    prop_oneof![
        4 => organization().prop_map(|id| Ask::Invite(invitation(id))),
        1 => organization().prop_map(Ask::Withdraw),
        3 => Just(Ask::Respond(accept())),
        1 => "[a-c]".prop_map(|name| Ask::Respond(json!({"decision": "accept", "name": name, "crmId": name}))),
        2 => Just(Ask::Respond(decline("budget"))),
        2 => "[a-c]".prop_map(|name| Ask::Update(json!({"name": name, "estimatedCloseDate": "2028-01-31"}))),
        1 => "[1-3]".prop_map(|amount| Ask::Update(json!({"estimatedValue": {"amount": amount}, "crmId": null}))),
        1 => Just(Ask::Close(won())),
        1 => Just(Ask::Close(lost("budget"))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let what = prop_oneof![8 => ask().prop_map(What::Ask), 1 => Just(What::Sweep)];
    // The owner is the one to invite.
    let who = prop_oneof![1 => Just("contoso"), 2 => select(ORGANIZATIONS.to_vec())];
    (who, what, clock()).prop_map(|(who, what, clock)| Step { who, what, clock })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..40)
}

/// The events of a step on the stored deal, and the instant that they were decided for; `in_order` as the functions do
/// it: never earlier than what is known to have happened.
fn run(deal: &Deal, step: &Step, in_order: bool) -> (Timestamp, Result<Vec<Event>, Refusal>) {
    let now = if in_order {
        deal.next_instant(step.clock)
    } else {
        step.clock
    };
    let events = match &step.what {
        What::Sweep => Ok(deal.due(&org(step.who), now).into_iter().collect()),
        What::Ask(ask) => decided(deal, ask, step.who, now),
    };
    (now, events)
}

fn decided(deal: &Deal, ask: &Ask, who: &str, now: Timestamp) -> Result<Vec<Event>, Refusal> {
    let by = actor(who);
    let command = command(ask, Some(&deal.clone().at(now)), &by, now)?;
    let events = decide(Some(deal), &command, &by, now);
    assert_eq!(
        events,
        decide(Some(deal), &command, &by, now),
        "the same arguments, the same answer"
    );
    events
}

fn fold(deal: &Deal, events: &[Event]) -> Deal {
    let deal = events.iter().fold(Some(deal.clone()), evolve);
    deal.expect("a deal stays a deal")
}

fn first() -> Deal {
    World::with_deal().deal.expect("created")
}

fn archived(view: &Opportunity) -> bool {
    view.standing().stage == Stage::Archived
}

fn may_follow(view: &Opportunity) -> bool {
    matches!(
        view.standing().outcome,
        Some(Outcome::Declined | Outcome::Expired | Outcome::Withdrawn)
    )
}

/// Every view before and after: none disappears.
fn both<'a>(before: &'a Deal, after: &'a Deal) -> impl Iterator<Item = (&'a Opportunity, &'a Opportunity)> {
    before
        .views()
        .map(|view| (view, after.view(&view.organization.id).expect("nobody leaves a deal")))
}

/// What one event may do to one view, from anywhere to anywhere.
fn is_a_step_of_the_life_cycle(before: &Opportunity, after: &Opportunity) -> bool {
    let (from, to) = (stands(before.standing()), stands(after.standing()));
    match (from.as_str(), to.as_str()) {
        ("accepted", "accepted" | "archived won" | "archived lost") => true,
        ("received", "accepted" | "archived declined" | "archived expired" | "archived withdrawn") => {
            before.direction() == Direction::Inbound
        }
        ("received", "received") => before.remind_at().is_some() && after.remind_at().is_none(),
        (_, "received") => may_follow(before),
        _ => false,
    }
}

/// Versions grow with each change of a view and never otherwise; time does not run backwards; nobody skips a stage.
fn check_change(before: &Deal, after: &Deal) {
    for (old, new) in both(before, after) {
        if old == new {
            continue;
        }
        assert!(old.version < new.version, "{old:?}\n{new:?}");
        assert!(old.updated_at <= new.updated_at, "{old:?}\n{new:?}");
        assert!(is_a_step_of_the_life_cycle(old, new), "{old:?}\n{new:?}");
        assert_eq!(
            (&old.deal, &old.organization, &old.owner),
            (&new.deal, &new.organization, &new.owner)
        );
        assert!(old.created_at == new.created_at || new.standing().stage == Stage::Received);
    }
    let types = (before.owner().deal_type(), after.owner().deal_type());
    assert_ne!(
        types,
        (DealType::CoSell, DealType::PrivatePipeline),
        "the change is one way"
    );
    let invited = after.views().count() > 1;
    assert_eq!(
        invited,
        types.1 == DealType::CoSell,
        "nobody but the owner knows of a private deal"
    );
}

/// Told are others than who did it, each a participant, in the terms of its own view.
fn check_notices(after: &Deal, events: &[Event]) {
    for event in events {
        for notice in &event.notices {
            let own = after.view(&notice.recipient.organization).expect("a participant");
            let by = event.actor.as_ref().map(|actor| &actor.organization);
            assert_ne!(by, Some(&notice.recipient.organization), "{event:?}");
            let told = notice.opportunity.as_ref().expect("it has a part in the deal");
            assert_eq!((&told.name, told.estimated_value), (&own.name, own.estimated_value));
            let awaited = matches!(
                notice.notice_type,
                NoticeType::OpportunityReceived | NoticeType::OpportunityExpiring
            );
            assert_eq!(notice.respond_by.is_some(), awaited);
            assert!(
                told.reason.is_none() || own.direction() == Direction::Outbound,
                "{event:?}"
            );
        }
    }
}

proptest! {
    #[test]
    fn every_event_is_a_step_of_the_life_cycle(steps in steps(), in_order: bool) {
        let mut deal = first();
        for step in &steps {
            let (now, events) = run(&deal, step, in_order);
            let Ok(events) = events else { continue };
            let before = deal.clone();
            for event in &events {
                let after = fold(&deal, std::slice::from_ref(event));
                prop_assert_ne!(&after, &deal, "an event that was decided changes something");
                check_change(&deal, &after);
                deal = after;
            }
            check_notices(&deal, &events);
            // On what was stored, or on what everybody saw: the same comes of it.
            prop_assert_eq!(deal.clone().at(now), fold(&before.at(now), &events).at(now));
        }
    }

    #[test]
    fn each_changes_its_own_view_and_the_owner_whom_it_invited(steps in steps(), in_order: bool) {
        let mut deal = first();
        for step in &steps {
            let (_, events) = run(&deal, step, in_order);
            let after = fold(&deal, &events.unwrap_or_default());
            for (old, new) in both(&deal, &after) {
                let id = old.organization.id.as_str();
                let own = id == step.who;
                let asked_or_ended_by_owner = step.who == "contoso" && matches!(old.standing().stage, Stage::Received | Stage::Archived);
                prop_assert!(old == new || own || asked_or_ended_by_owner, "{id} by {}", step.who);
            }
            deal = after;
        }
    }

    #[test]
    fn archived_absorbs_every_command(steps in steps(), in_order: bool) {
        let mut deal = first();
        for step in &steps {
            let (now, events) = run(&deal, step, in_order);
            let acted = deal.view(&org(step.who)).cloned();
            if let (What::Ask(_), Ok(view), true) = (&step.what, acted, events.is_ok()) {
                prop_assert!(!archived(&view), "{step:?} on {view:?}");
                prop_assert!(!archived(&view.at(now)), "{step:?}: it had lapsed");
            }
            deal = fold(&deal, &events.unwrap_or_default());
        }
        let last = deal.next_instant(noon());
        for view in deal.clone().at(last).views().filter(|view| archived(view)) {
            let who = view.organization.id.as_str();
            let invitations = ORGANIZATIONS.map(|id| Ask::Invite(invitation(id)));
            let withdrawals = ORGANIZATIONS.map(Ask::Withdraw);
            for ask in every_change().into_iter().chain(invitations).chain(withdrawals) {
                let told = tell(&decided(&deal, &ask, who, last));
                let owner = view.direction() == Direction::Outbound;
                let refused = match ask {
                    Ask::Invite(_) | Ask::Withdraw(_) if !owner => "403 notOwner",
                    Ask::Withdraw(id) if deal.view(&org(id)).is_err() => "404",
                    _ => "409 wrongStage",
                };
                prop_assert!(told.starts_with(refused), "{ask:?} by {who}: {told}");
            }
        }
    }

    #[test]
    fn archived_absorbs_every_event_stale_ones_too(steps in steps(), in_order: bool, stale in vec(any::<Index>(), 1..20)) {
        let mut deal = first();
        let mut all = Vec::new();
        for step in &steps {
            let events = run(&deal, step, in_order).1.unwrap_or_default();
            deal = fold(&deal, &events);
            all.extend(events);
        }
        let (earlier, mut deal) = (first(), deal);
        for event in stale.iter().filter(|_| !all.is_empty()).map(|index| index.get(&all)) {
            let after = fold(&deal, std::slice::from_ref(event));
            check_change(&deal, &after);
            for (old, new) in both(&deal, &after).filter(|(old, _)| archived(old)) {
                let again = matches!(event.change, Change::Invited(_)) && may_follow(old);
                prop_assert!(old == new || again, "{event:?}");
            }
            deal = after;
            // Of a deal that is not as it was, either.
            check_change(&earlier, &fold(&earlier, std::slice::from_ref(event)));
        }
    }

    #[test]
    fn the_clock_changes_a_view_once(steps in steps(), in_order: bool, a in clock(), b in clock()) {
        let mut deal = first();
        let (early, late) = (a.min(b), a.max(b));
        for step in &steps {
            let once = deal.clone().at(late);
            prop_assert_eq!(&once.clone().at(late), &once, "idempotent");
            prop_assert_eq!(&deal.clone().at(early).at(late), &once, "monotone");
            prop_assert_eq!(&once.clone().at(early), &once, "and never undone");
            check_change(&deal, &once);
            for view in deal.views() {
                let id = &view.organization.id;
                let seen = view.clone().at(late);
                let Some(lapsed) = deal.lapse(id, late).pop() else {
                    prop_assert_eq!(&seen, view);
                    continue;
                };
                // What the sweep writes is what everybody saw, byte for byte.
                let after = fold(&deal, std::slice::from_ref(&lapsed));
                prop_assert_eq!(format!("{:?}", after.view(id)), format!("{:?}", Ok::<_, Refusal>(&seen)));
                prop_assert_eq!(stands(seen.standing()), "archived expired");
                prop_assert!(after.lapse(id, late).is_empty());
                prop_assert!(after.views().all(|other| other.organization.id == *id || deal.view(&other.organization.id) == Ok(other)));
            }
            deal = fold(&deal, &run(&deal, step, in_order).1.unwrap_or_default());
        }
    }

    #[test]
    fn the_instants_of_a_deals_commands_grow(steps in steps()) {
        let mut deal = first();
        for step in &steps {
            let (now, events) = run(&deal, step, true);
            prop_assert!(now >= step.clock);
            prop_assert!(deal.views().all(|view| view.updated_at < now));
            deal = fold(&deal, &events.unwrap_or_default());
            prop_assert!(deal.views().all(|view| view.updated_at <= now));
        }
    }

    #[test]
    fn no_json_makes_it_panic_and_every_refusal_has_a_reason(body in json()) {
        read_all(&body);
    }

    #[test]
    fn nor_does_json_that_is_nearly_right(body in select(right()), place in any::<Index>(), value in json()) {
        read_all(&set_somewhere(&body, place, value));
    }
}

/// Documents of the words that requests have.
fn json() -> impl Strategy<Value = Value> {
    let words: Vec<String> = words().into_iter().collect();
    let word = select(words);
    let leaf = prop_oneof![
        2 => word.clone().prop_map(Value::String),
        1 => ".{0,12}".prop_map(Value::String),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
        1 => any::<f64>().prop_map(|number| json!(number)),
    ];
    leaf.prop_recursive(4, 64, 12, move |inner| {
        let name = prop_oneof![6 => word.clone(), 1 => ".{0,6}"];
        prop_oneof![
            vec(inner.clone(), 0..12).prop_map(Value::Array),
            vec((name, inner), 0..12).prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Right bodies of every kind.
fn right() -> Vec<Value> {
    vec![
        co_sell(&["fabrikam", "northwind"]),
        set(&deal(), "/customer", json!({"id": "123456789", "contact": {}})),
        set(&invitation("northwind"), "/note", json!("x")),
        json!({"decision": "accept", "name": "x", "estimatedValue": {"amount": "1", "currency": "USD"}, "team": [{"name": "x"}]}),
        json!({"decision": "decline", "reason": "other", "note": "x"}),
        json!({"name": "x", "estimatedValue": {"amount": "1"}, "customer": {"contact": {"name": "x"}}, "solutions": ["s1"]}),
        json!({"outcome": "won", "finalValue": {"amount": "1", "currency": "USD"}, "note": "x"}),
        json!({"outcome": "lost", "reason": "budget"}),
        json!({"kind": "organization", "id": "x", "name": "X", "organizationKind": "partner", "countries": ["US"], "solutionAreas": ["x"]}),
        json!({"kind": "solution", "id": "x", "name": "X", "publisher": "x", "coSellReady": true, "registrationEligible": true}),
        json!({"kind": "customer", "name": "X", "country": "US", "dunsNumber": "123456789", "address": {"city": "x"}}),
    ]
}

/// All names and texts of the right bodies.
fn words() -> BTreeSet<String> {
    fn collect(value: &Value, words: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => {
                words.insert(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                words.insert(name.clone());
                collect(value, words);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut words = BTreeSet::new();
    for body in &right() {
        collect(body, &mut words);
    }
    words
}

fn set_somewhere(body: &Value, place: Index, value: Value) -> Value {
    fn pointers(value: &Value, pointer: &str, all: &mut Vec<String>) {
        all.push(pointer.to_owned());
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointers(item, &format!("{pointer}/{index}"), all);
                }
            }
            Value::Object(members) => {
                for (name, value) in members {
                    pointers(value, &format!("{pointer}/{name}"), all);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    pointers(body, "", &mut all);
    match place.get(&all).as_str() {
        "" => value,
        pointer => set(body, pointer, value),
    }
}

/// Reads a document as everything that it could be, in every state of a deal; [`tell`] looks at the refusals.
fn read_all(body: &Value) {
    World::empty().ask("contoso", &Ask::Create(body.clone()));
    for state in ["received", "accepted"] {
        let world = World::with_fabrikam(state);
        for who in ["contoso", "fabrikam"] {
            for form in [Ask::Invite, Ask::Respond, Ask::Update, Ask::Close] {
                world.clone().ask(who, &form(body.clone()));
            }
        }
    }
    if let Err(faults) = Line::read(body) {
        assert!(!faults.is_empty());
    }
}
