//! Deadlines in every year, over every window, and on machines whose clocks differ.

use proptest::prelude::*;

use super::*;

/// A deal of contoso's, made at this instant, with fabrikam invited to it.
fn invited(at: Timestamp, window: ResponseWindow) -> Deal {
    let by = actor("contoso");
    let form = CreateForm::read(&set(&deal(), "/estimatedCloseDate", json!("9999-12-31")));
    let create = form
        .check(id(), &find(&form.references(&by)), &by, window, at)
        .expect("right");
    let created = decide(None, &Command::Create(Box::new(create)), &by, at).expect("allowed");
    let deal = created.iter().fold(None, evolve).expect("a deal");
    let form = InviteForm::read(&invitation("fabrikam"));
    let at = deal.next_instant(at);
    let invite = form
        .check(&deal, &find(&form.references(&by)), &by, window)
        .expect("right");
    let events = decide(Some(&deal), &Command::Invite(Box::new(invite)), &by, at).expect("allowed");
    events.iter().fold(Some(deal), evolve).expect("a deal")
}

fn window(seconds: i64) -> ResponseWindow {
    ResponseWindow {
        length: TimeDelta::seconds(seconds),
        reminder: REMINDER,
    }
}

fn respond_by(deal: &Deal) -> (Timestamp, Timestamp) {
    let view = deal.view(&org("fabrikam")).expect("invited");
    let invitation = view.invitation().expect("invited");
    (invitation.sent_at, invitation.respond_by)
}

/// Accepts at an instant; stage and outcome after that, or the refusal.
fn accept_at(deal: &Deal, at: Timestamp) -> String {
    let mut world = World {
        now: at,
        deal: Some(deal.clone()),
        events: Vec::new(),
    };
    world.ask("fabrikam", &Ask::Respond(accept()))
}

/// Exact to the millisecond, whatever the year, its length, and what clocks on walls do in between.
fn is_exact(at: Timestamp, seconds: i64) {
    let deal = invited(at, window(seconds));
    let (sent_at, respond_by) = respond_by(&deal);
    let length = respond_by.datetime() - sent_at.datetime();
    assert_eq!(length, TimeDelta::seconds(seconds));
    let before = Timestamp::from_datetime(respond_by.datetime() - MILLISECOND);
    assert_eq!(accept_at(&deal, before), "accepted fabrikam", "{at} {seconds}");
    assert_eq!(
        accept_at(&deal, respond_by),
        "409 wrongStage archived expired",
        "{at} {seconds}"
    );
    let view = deal.view(&org("fabrikam")).expect("invited");
    let remind_at = view.remind_at();
    assert_eq!(remind_at.is_some(), TimeDelta::seconds(seconds) > REMINDER);
    assert!(remind_at.is_none_or(|remind_at| sent_at < remind_at && remind_at.plus(REMINDER) == respond_by));
    assert!(sent_at.to_string() < respond_by.to_string(), "text order is time order");
}

#[test]
fn deadlines_at_the_edges_of_the_calendar() {
    for at in [
        "1970-01-01T00:00:00Z",
        // Clocks go forward and back: Berlin, New York, Lord Howe.
        "2026-03-29T00:59:59.999Z",
        "2026-10-25T00:59:59.999Z",
        "2026-11-01T05:59:59.999Z",
        "2026-04-04T15:00:00Z",
        // Leap days, and the year that has none.
        "2028-02-28T23:59:59.999Z",
        "2028-02-29T23:59:59.999Z",
        "2100-02-28T23:59:59.999Z",
        // Seconds and milliseconds of 32 bits, signed and not, end.
        "2038-01-19T03:14:07.999Z",
        "2106-02-07T06:28:15.999Z",
        // A second that a clock has twice.
        "2016-12-31T23:59:60.500Z",
        "2026-12-31T23:59:59.999Z",
        "9998-01-01T00:00:00Z",
    ] {
        let at = Timestamp::parse(at).expect("an instant");
        for seconds in [
            1,
            60,
            86_400,
            3 * 86_400,
            3 * 86_400 + 1,
            14 * 86_400,
            365 * 86_400,
            366 * 86_400,
        ] {
            is_exact(at, seconds);
        }
    }
}

proptest! {
    #[test]
    fn deadlines_are_exact(ms in 0_i64..7_258_118_400_000, seconds in 1_i64..=366 * 86_400) {
        let at = Timestamp::from_datetime(chrono::DateTime::from_timestamp_millis(ms).expect("in range"));
        is_exact(at, seconds);
    }

    /// Whoever is asked, and whenever within the difference of the clocks: the deal comes to the same, in the same order.
    #[test]
    fn the_order_of_what_happens_is_that_of_its_instants(skews in proptest::collection::vec(-600_i64..600, 1..12)) {
        let mut deal = invited(noon(), RESPONSE_WINDOW);
        let mut last = deal.views().map(|view| view.updated_at).max().expect("views");
        for (round, skew) in skews.into_iter().enumerate() {
            let clock = noon().plus(TimeDelta::seconds(skew + i64::try_from(round).expect("small")));
            let now = deal.next_instant(clock);
            let (who, ask) = match round % 3 {
                0 => ("contoso", Ask::Update(json!({"name": format!("{round}")}))),
                1 => ("fabrikam", Ask::Respond(accept())),
                _ => ("contoso", Ask::Update(json!({"crmId": format!("{round}")}))),
            };
            prop_assert!(last < now, "{who}: {last} and {now}");
            let by = actor(who);
            let Ok(command) = command(&ask, Some(&deal.clone().at(now)), &by, now) else { continue };
            let Ok(events) = decide(Some(&deal), &command, &by, now) else { continue };
            last = now;
            deal = events.iter().fold(Some(deal), evolve).expect("a deal");
        }
    }
}
