//! The summary equals what listing everything adds up to, whatever has happened.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::{Value, json};
use tests::{Client, World, but, deal, eventually, invitation};
use tokio::task::JoinSet;

const ORGANIZATIONS: [&str; 4] = ["contoso", "fabrikam", "northwind", "tailspin"];

/// Numbers that differ from run to run of the walk, and not from run to run of the test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        // Steele, Lea and Flood: SplitMix64 (OOPSLA 2014).
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).expect("small")
    }
}

fn cents(money: &Value) -> i64 {
    let amount = money["amount"].as_str().expect("an amount").replace('.', "");
    // Yen have no decimals; the walk uses them beside dollars and euros.
    amount.parse::<i64>().expect("a number")
}

/// The summary as one would add it up by hand.
async fn by_hand(client: &Client) -> Value {
    let mut totals: BTreeMap<(String, String, String, String), (i64, i64)> = BTreeMap::new();
    let mut campaigns: BTreeMap<String, (i64, i64, i64, BTreeMap<String, i64>)> = BTreeMap::new();
    for tab in ["inbound", "outbound"] {
        for view in client.all(&format!("/v1/opportunities?tab={tab}&limit=100")).await {
            let text = |name: &str| view[name].as_str().unwrap_or("-").to_owned();
            let money = if view["finalValue"].is_null() {
                &view["estimatedValue"]
            } else {
                &view["finalValue"]
            };
            let currency = money["currency"].as_str().expect("a currency").to_owned();
            let total = totals
                .entry((tab.to_owned(), text("stage"), text("outcome"), currency.clone()))
                .or_default();
            *total = (total.0 + 1, total.1 + cents(money));
            if let Some(campaign) = view["campaignId"].as_str() {
                let counted = campaigns.entry(campaign.to_owned()).or_default();
                counted.0 += 1;
                match view["outcome"].as_str() {
                    Some("won") => {
                        counted.1 += 1;
                        *counted.3.entry(currency).or_default() += cents(money);
                    }
                    Some("lost") => counted.2 += 1,
                    _ => {}
                }
            }
        }
    }
    let totals = totals.iter();
    let totals = totals
        .map(|((tab, stage, outcome, currency), (count, value))| json!([tab, stage, outcome, currency, count, value]));
    let mut totals: Vec<Value> = totals.collect();
    totals.sort_by_key(ToString::to_string);
    // What brought nothing is left out.
    for (.., value) in campaigns.values_mut() {
        value.retain(|_, cents| *cents != 0);
    }
    let campaigns = campaigns.iter();
    let campaigns = campaigns.map(|(id, (deals, won, lost, value))| json!([id, deals, won, lost, value]));
    json!({"totals": totals, "campaigns": campaigns.collect::<Vec<_>>()})
}

/// The summary that the function gives, in the same form.
async fn told(client: &Client) -> Value {
    let body = client.get("/v1/summary").await.is(200).body.clone();
    let mut totals: Vec<Value> = body["totals"]
        .as_array()
        .expect("totals")
        .iter()
        .map(|total| {
            let value = cents(&json!({"amount": total["value"]}));
            json!([
                total["tab"],
                total["stage"],
                total["outcome"].as_str().unwrap_or("-"),
                total["currency"],
                total["count"],
                value
            ])
        })
        .collect();
    totals.sort_by_key(ToString::to_string);
    let campaigns = body["campaigns"].as_array().expect("campaigns").iter().map(|campaign| {
        let values = campaign["wonValue"].as_array().expect("values").iter();
        let values: BTreeMap<String, i64> = values
            .map(|money| (money["currency"].as_str().expect("a currency").to_owned(), cents(money)))
            .collect();
        let (won, lost) = (
            campaign["won"].as_f64().expect("a count"),
            campaign["lost"].as_f64().expect("a count"),
        );
        let rate = if won + lost > 0.0 {
            json!(won / (won + lost))
        } else {
            Value::Null
        };
        assert_eq!(campaign["winRate"], rate);
        json!([
            campaign["campaignId"],
            campaign["deals"],
            campaign["won"],
            campaign["lost"],
            values
        ])
    });
    json!({"totals": totals, "campaigns": campaigns.collect::<Vec<_>>()})
}

async fn agrees(world: &World, when: &str) {
    for organization in ORGANIZATIONS {
        let seller = world.user(organization, &["seller"], "carla");
        for client in [world.admin(organization), seller] {
            // What lapses while one adds up makes the sum of no instant: then it is added up again.
            let (expected, found) = eventually("nothing lapses meanwhile", || async {
                let (before, found, after) = (by_hand(&client).await, told(&client).await, by_hand(&client).await);
                (before == after).then_some((before, found))
            })
            .await;
            assert_eq!(found, expected, "{organization} {when}");
        }
    }
}

/// A random command of a random organization on one of the deals; most are refused, which is as well.
fn command(dice: &mut Dice, deals: &[String]) -> (&'static str, String, Value) {
    let who = ORGANIZATIONS[dice.roll(4)];
    let currency = ["USD", "EUR", "JPY"][dice.roll(3)];
    let value = json!({"amount": (dice.roll(9) * 1000).to_string(), "currency": currency});
    if deals.is_empty() || dice.roll(3) == 0 {
        let invited: Vec<_> = ORGANIZATIONS
            .into_iter()
            .filter(|organization| *organization != who && dice.roll(2) == 0)
            .collect();
        let mut body = but(deal(&invited), "/estimatedValue", value);
        body["campaignId"] = [json!("spring"), json!("autumn"), Value::Null][dice.roll(3)].clone();
        return (who, "/v1/opportunities".to_owned(), body);
    }
    let path = &deals[dice.roll(deals.len())];
    let campaign = ["spring", "winter"][dice.roll(2)];
    match dice.roll(6) {
        0 => (
            who,
            format!("{path}/response"),
            json!({"decision": "decline", "reason": "budget"}),
        ),
        1 => (
            who,
            format!("{path}/response"),
            json!({"decision": "accept", "estimatedValue": value, "campaignId": "spring"}),
        ),
        2 => (
            who,
            format!("{path}/close"),
            json!({"outcome": "won", "finalValue": value}),
        ),
        3 => (
            who,
            format!("{path}/close"),
            json!({"outcome": "lost", "reason": "budget"}),
        ),
        4 => (
            who,
            format!("{path}/invitations"),
            invitation(ORGANIZATIONS[dice.roll(4)]),
        ),
        _ => (
            who,
            path.clone(),
            json!({"estimatedValue": value, "campaignId": campaign}),
        ),
    }
}

#[tokio::test]
async fn what_was_won_for_nothing_is_won() {
    let world = World::start().await;
    let path = world.deal(&[]).await;
    let admin = world.admin("contoso");
    let won = json!({"outcome": "won", "finalValue": {"amount": "0", "currency": "JPY"}});
    admin.post(&format!("{path}/close"), &won).await.is(200);
    let campaign =
        json!({"campaignId": "contoso-campaign", "deals": 1, "won": 1, "lost": 0, "wonValue": [], "winRate": 1.0});
    for client in [admin, world.user("contoso", &["seller"], "carla")] {
        let summary = client.get("/v1/summary").await;
        assert_eq!(summary.is(200).body["campaigns"], json!([campaign]));
        assert_eq!(summary.body["totals"][0]["count"], 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_random_walk_adds_up() {
    let world = World::with_window(TimeDelta::milliseconds(400)).await;
    let mut dice = Dice(2026);
    let mut deals: Vec<String> = Vec::new();
    let mut statuses: BTreeMap<u16, u32> = BTreeMap::new();
    for round in 0..40 {
        // Ten at once, so that some meet.
        let mut tasks = JoinSet::new();
        for _ in 0..10 {
            let (who, path, body) = command(&mut dice, &deals);
            let client = world.admin(who);
            tasks.spawn(async move {
                let change = path.matches('/').count() == 3;
                if change {
                    client.patch(&path, "*", &body).await
                } else {
                    client.post(&path, &body).await
                }
            });
        }
        for answer in tasks.join_all().await {
            *statuses.entry(answer.status).or_default() += 1;
            deals.extend(answer.headers.get("location").cloned());
        }
        if round % 8 == 3 {
            agrees(&world, "before a sweep").await;
        }
        if round % 8 == 7 {
            world.stack.sweep().await.expect("swept");
            agrees(&world, "after a sweep").await;
        }
    }
    assert!(
        statuses[&200] > 20 && statuses[&201] > 60 && statuses.keys().all(|status| *status < 500),
        "{statuses:?}"
    );
}
