//! The scheduled sweep: all that is due, once, safe to run twice at once and to stop anywhere.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tests::{World, eventually};

const DEALS: usize = 40;

/// A world with many lapsed invitations; the paths of the deals.
async fn lapsed() -> (World, Vec<String>) {
    let world = World::with_window(TimeDelta::milliseconds(200)).await;
    let mut deals = Vec::new();
    for _ in 0..DEALS {
        deals.push(world.deal(&["fabrikam", "northwind"]).await);
    }
    let last = deals.last().expect("some");
    eventually("the last one lapses", || async {
        (world.admin("northwind").get(last).await.standing() == "archived expired").then_some(())
    })
    .await;
    (world, deals)
}

/// How often each deal has an event of an expiry.
async fn expired(world: &World, deals: &[String]) -> Vec<usize> {
    let table = world.dump().await;
    let of = |path: &String| {
        let pk = format!("DEAL#{}", tests::id(path));
        let items = table
            .iter()
            .filter(|((key, sk), _)| *key == pk && sk.starts_with("EVENT#"));
        items.filter(|(_, event)| event["type"] == "expired").count()
    };
    deals.iter().map(of).collect()
}

fn sum(reports: &[Value], name: &str) -> u64 {
    reports
        .iter()
        .map(|report| report[name].as_u64().expect("a count"))
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_at_once_expire_each_once() {
    let (world, deals) = lapsed().await;
    let (one, other) = tokio::join!(world.stack.sweep(), world.stack.sweep());
    let reports = [one.expect("swept"), other.expect("swept")];
    assert_eq!(sum(&reports, "expired"), 2 * DEALS as u64, "{reports:?}");
    assert_eq!(sum(&reports, "failed"), 0, "{reports:?}");
    assert_eq!(
        sum(&reports, "due"),
        sum(&reports, "expired") + sum(&reports, "alreadyAnswered"),
        "{reports:?}"
    );
    assert!(reports.iter().all(|report| report["complete"] == true), "{reports:?}");
    assert_eq!(expired(&world, &deals).await, vec![2; DEALS]);
    let nothing = world.stack.sweep().await.expect("swept");
    assert_eq!(
        nothing,
        json!({"due": 0, "expired": 0, "reminded": 0, "alreadyAnswered": 0, "failed": 0, "complete": true})
    );
}

#[tokio::test]
async fn it_stops_before_its_deadline_and_the_next_one_goes_on() {
    let (world, deals) = lapsed().await;
    let sweep = |deadline: u64| functions::invoke("expire", world.stack.app(), json!({}), deadline);
    let stopped = sweep(edge::clock::now().millis()).await.expect("swept");
    assert_eq!((&stopped["expired"], &stopped["complete"]), (&json!(0), &json!(false)));
    assert_eq!(expired(&world, &deals).await, vec![0; DEALS]);
    let rest = sweep(u64::MAX).await.expect("swept");
    assert_eq!((&rest["expired"], &rest["complete"]), (&json!(2 * DEALS), &json!(true)));
    assert_eq!(expired(&world, &deals).await, vec![2; DEALS]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_answer_in_time_stands_whatever_the_sweep_does() {
    let world = World::with_window(TimeDelta::seconds(10)).await;
    let fabrikam = world.admin("fabrikam");
    for _ in 0..10 {
        let deal = world.deal(&["fabrikam"]).await;
        let response = format!("{deal}/response");
        let accept = json!({"decision": "accept"});
        let (answer, report) = tokio::join!(fabrikam.post(&response, &accept), world.stack.sweep());
        answer.is(200);
        assert_eq!(report.expect("swept")["failed"], 0);
        assert_eq!(fabrikam.get(&deal).await.standing(), "accepted");
    }
}

/// Answers and sweeps meet at `respondBy`, some before it and some after: whatever was answered is what stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_respond_by_answer_and_sweep_agree() {
    let world = World::with_window(TimeDelta::milliseconds(150)).await;
    let fabrikam = world.admin("fabrikam");
    for round in 0..12 {
        let deal = world.deal(&["fabrikam"]).await;
        let response = format!("{deal}/response");
        let accept = json!({"decision": "accept"});
        let wait = Duration::from_millis(40 + 16 * round);
        let answer = async {
            tokio::time::sleep(wait).await;
            fabrikam.post(&response, &accept).await
        };
        let sweep = async {
            tokio::time::sleep(wait).await;
            world.stack.sweep().await.expect("swept")
        };
        let (answer, report) = tokio::join!(answer, sweep);
        assert_eq!(report["failed"], 0, "{report}");
        let (stands, expiries) = if answer.status == 200 {
            ("accepted", 0)
        } else {
            assert_eq!(answer.refuses(409, "wrongStage").standing(), "archived expired");
            ("archived expired", 1)
        };
        world.stack.sweep().await.expect("swept");
        assert_eq!(fabrikam.get(&deal).await.standing(), stands);
        assert_eq!(expired(&world, &[deal]).await, [expiries]);
    }
}

#[tokio::test]
async fn what_it_could_not_finish_it_says_and_counts_right() {
    let (world, deals) = lapsed().await;
    let mut done = 0;
    // Its margin before the deadline is five seconds: this leaves it a moment, and then another, until all is done.
    loop {
        let deadline = edge::clock::now().millis() + 5_000 + 30;
        let report = functions::invoke("expire", world.stack.app(), json!({}), deadline).await;
        let report = report.expect("swept");
        done += report["expired"].as_u64().expect("a count");
        let counted: usize = expired(&world, &deals).await.into_iter().sum();
        assert_eq!(done, counted as u64, "{report}");
        assert_eq!((&report["due"], &report["failed"]), (&report["expired"], &json!(0)));
        if report["complete"] == true {
            break;
        }
    }
    assert_eq!(done, 2 * DEALS as u64, "complete means all");
}
