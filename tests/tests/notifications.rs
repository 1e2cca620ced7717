//! The feed: polling it is enough to keep another system in step.

use serde_json::{Value, json};
use tests::{Client, World, eventually, id};

const FEED: &str = "/v1/notifications";
/// So many deals are accepted while somebody polls.
const DEALS: usize = 30;

/// A world in which contoso was told this often.
async fn told(count: usize) -> (World, Client) {
    let world = World::telling().await;
    for _ in 0..count {
        world.accepted_deal().await;
    }
    let contoso = world.admin("contoso");
    contoso.told(count).await;
    (world, contoso)
}

fn ids(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poller_goes_on_where_it_stopped_and_misses_nothing() {
    let (world, contoso) = told(5).await;
    let all = contoso.all(&format!("{FEED}?limit=100")).await;
    assert_eq!(
        contoso.all(&format!("{FEED}?limit=2")).await,
        all,
        "page by page the same"
    );
    assert!(ids(&all).is_sorted(), "oldest first");
    assert_eq!(contoso.all(&format!("{FEED}?limit=100")).await, all, "and again");

    // The last page with something on it has a cursor; behind it there is nothing, and then there is.
    let page = contoso.get(&format!("{FEED}?limit=100")).await;
    let cursor = page.is(200).body["nextCursor"].as_str().expect("a cursor").to_owned();
    let poll = format!("{FEED}?cursor={cursor}");
    let nothing = contoso.get(&poll).await;
    assert_eq!(nothing.is(200).body, json!({"items": [], "nextCursor": null}));
    let deal = world.accepted_deal().await;
    let news = eventually("news", || async {
        let page = contoso.get(&poll).await;
        page.body["items"].as_array().filter(|items| !items.is_empty()).cloned()
    })
    .await;
    assert_eq!(news.len(), 1);
    assert_eq!(news[0]["dealId"], json!(id(&deal)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_poller_that_polls_while_much_is_written_sees_each_once() {
    let world = World::telling().await;
    let contoso = world.admin("contoso");
    let write = async {
        for chunk in 0..3 {
            let deals = (0..DEALS / 3).map(|_| world.accepted_deal());
            assert_eq!(futures_util::future::join_all(deals).await.len(), DEALS / 3, "{chunk}");
        }
    };
    let poll = async {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        while seen.len() < DEALS {
            let page = contoso.get(&format!("{FEED}?limit=7{cursor}")).await;
            seen.extend(page.is(200).body["items"].as_array().expect("items").clone());
            match page.body["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => tokio::task::yield_now().await,
            }
        }
        seen
    };
    let ((), seen) = tokio::join!(write, poll);
    assert_eq!(seen, contoso.all(&format!("{FEED}?limit=100")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn messages_are_there_for_ninety_days() {
    let (world, contoso) = told(3).await;
    let page = contoso.get(&format!("{FEED}?limit=1")).await;
    let first = page.body["nextCursor"].as_str().expect("a cursor").to_owned();
    let number = |number: u64| format!("INBOX#{number:020}");
    let item = &world.dump().await[&("FEED#contoso".to_owned(), number(1))];
    let left = item["expiresAt"].as_i64().expect("seconds") - edge::clock::now().datetime().timestamp();
    assert!((90 * 86_400 - 60..=90 * 86_400).contains(&left), "{left}");

    // The second has expired and is not deleted yet; then it is deleted, as the first one.
    let key = |sk: &str| {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        [
            ("pk".to_owned(), S("FEED#contoso".into())),
            ("sk".to_owned(), S(sk.into())),
        ]
        .into()
    };
    let update = world
        .table()
        .update_item()
        .table_name(local::TABLE)
        .set_key(Some(key(&number(2))));
    let update = update
        .update_expression("SET expiresAt = :past")
        .expression_attribute_values(":past", aws_sdk_dynamodb::types::AttributeValue::N("1".into()));
    update.send().await.expect("written");
    assert_eq!(contoso.all(&format!("{FEED}?limit=1")).await.len(), 2);
    for sk in [number(1), number(2)] {
        let delete = world
            .table()
            .delete_item()
            .table_name(local::TABLE)
            .set_key(Some(key(&sk)));
        delete.send().await.expect("deleted");
    }
    assert_eq!(contoso.all(&format!("{FEED}?limit=1")).await.len(), 1);
    let after = contoso.get(&format!("{FEED}?cursor={first}")).await;
    assert_eq!(
        after.is(200).body["items"].as_array().expect("items").len(),
        1,
        "a cursor into the gap goes on"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everyone_sees_its_own_organizations_and_nothing_else() {
    let (world, contoso) = told(2).await;
    assert!(
        world
            .admin("northwind")
            .all(&format!("{FEED}?limit=9"))
            .await
            .is_empty()
    );
    let page = contoso.get(&format!("{FEED}?limit=1")).await;
    let cursor = page.body["nextCursor"].as_str().expect("a cursor");
    let path = format!("{FEED}?cursor={cursor}");
    world.admin("fabrikam").get(&path).await.refuses(400, "malformedCursor");
    let tampered = format!("{path}x");
    contoso.get(&tampered).await.refuses(400, "malformedCursor");
    contoso
        .get(&format!("{FEED}?tab=inbound"))
        .await
        .refuses(400, "malformedParameter");
    contoso
        .get(&format!("{FEED}?limit=0"))
        .await
        .refuses(400, "malformedParameter");

    assert_eq!(
        world
            .client("contoso", &["viewer"])
            .all(&format!("{FEED}?limit=9"))
            .await
            .len(),
        2
    );
    world
        .client("contoso", &["exchange_admin"])
        .get(FEED)
        .await
        .refuses(403, "forbidden");
    world
        .client("contoso", &["nobody"])
        .get(FEED)
        .await
        .refuses(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_seller_is_told_of_the_deals_that_it_sees() {
    let world = World::telling().await;
    let deals = [world.deal(&["fabrikam"]).await, world.deal(&["fabrikam"]).await];
    let fabrikam = world.admin("fabrikam");
    fabrikam.told(2).await;
    let seller = world.client("fabrikam", &["seller"]);
    let of = |items: Vec<Value>| -> Vec<String> {
        items
            .iter()
            .map(|item| item["dealId"].as_str().expect("an id").to_owned())
            .collect()
    };
    // What waits for an answer is everybody's.
    assert_eq!(of(seller.all(&format!("{FEED}?limit=1")).await).len(), 2);
    let accept = json!({"decision": "accept"});
    fabrikam.post(&format!("{}/response", deals[0]), &accept).await.is(200);
    seller.post(&format!("{}/response", deals[1]), &accept).await.is(200);
    assert_eq!(of(seller.all(&format!("{FEED}?limit=1")).await), [id(&deals[1])]);
    assert_eq!(fabrikam.all(&format!("{FEED}?limit=1")).await.len(), 2);
}
