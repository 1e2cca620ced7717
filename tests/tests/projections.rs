//! An index has of an item what its readers read, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::TimeDelta;
use local::Options;
use serde_json::{Value, json};
use tests::capacity::Index;
use tests::{Recorder, World, deal, options};

/// A projection names so many attributes at most
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Projection.html>).
const MOST: usize = 20;
/// What `byTab` has in vain, since it has everything: its readers read more attributes than a projection can name, some of them named
/// after months. The first are for the sweep and for writing; counts of a month are read when it is over.
const IN_VAIN: [&str; 5] = ["duePk", "dueSk", "notedAt", "open:2099-12", "remindAt"];

/// Everything that is read from an index by a request, as an answer.
async fn read(world: &World) -> Vec<(u16, Value)> {
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let mut answers = Vec::new();
    for (client, path) in [
        (&contoso, "/v1/opportunities?tab=outbound"),
        (&fabrikam, "/v1/opportunities?tab=inbound"),
        (&contoso, "/v1/opportunities?tab=outbound&campaignId=contoso-campaign"),
        (&contoso, "/v1/summary"),
        (&fabrikam, "/v1/summary"),
        (&contoso, "/v1/partners?country=US"),
        (&fabrikam, "/v1/partners/me"),
        (&contoso, "/v1/registrations"),
        (&fabrikam, "/v1/registrations"),
    ] {
        let answer = client.get(path).await;
        answers.push((answer.status, answer.body));
    }
    for user in ["carla", "nobody"] {
        let seller = world.user("contoso", &["seller"], user);
        let mut answer = seller.post("/v1/opportunities?dryRun=true", &deal(&[])).await;
        answers.push((answer.status, answer.body["possibleDuplicates"].take()));
        let answer = seller.get("/v1/opportunities?tab=outbound").await;
        answers.push((answer.status, answer.body));
    }
    answers
}

/// A world with opportunities in all stages, with all that one can have.
async fn world() -> (World, Recorder) {
    let (world, recorder) = World::recorded().await;
    let (contoso, fabrikam) = (world.admin("contoso"), world.admin("fabrikam"));
    let lapsing = world
        .beside(Options {
            response_window: TimeDelta::milliseconds(1),
            ..options()
        })
        .await;
    lapsing.deal(&["fabrikam"]).await;
    world.deal(&["fabrikam"]).await;
    let declined = world.deal(&["fabrikam", "northwind"]).await;
    let decline = json!({"decision": "decline", "reason": "noCapacity"});
    fabrikam.post(&format!("{declined}/response"), &decline).await.is(200);
    let lost = json!({"outcome": "lost", "reason": "budget"});
    contoso.post(&format!("{declined}/close"), &lost).await.is(200);
    let accepted = world.accepted_deal().await;
    let own = json!({"crmId": "ours", "campaignId": "our-campaign"});
    fabrikam.patch(&accepted, "*", &own).await.is(200);
    let note = json!({"text": "Later.", "visibility": "internal"});
    fabrikam.post(&format!("{accepted}/notes"), &note).await.is(201);
    let mut lead = deal(&["fabrikam", "northwind"]);
    lead["qualification"] = json!("lead");
    contoso.post("/v1/opportunities", &lead).await.is(201);
    world.registered_deal("fabrikam").await;
    let batch = world.batch(Duration::ZERO).await;
    world.stack.invoke("notify", batch).await.expect("told");
    (world, recorder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_has_what_is_read_from_it_and_nothing_else() {
    let (world, recorder) = world().await;
    let table = world.dump().await;
    let whole = read(&world).await;
    assert!(whole.iter().all(|(status, _)| *status == 200), "{whole:?}");
    assert_eq!(whole, read(&world).await, "the same every time");
    let mut in_vain: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for index in Index::all() {
        let entries = table.values().filter_map(|item| index.entry(item));
        let names: BTreeSet<String> = entries.flat_map(BTreeMap::into_keys).collect();
        let key = |name: &String| name == "pk" || name == "sk" || index.key.contains(name);
        for name in names.into_iter().filter(|name| !key(name)) {
            recorder.withhold(Some((&index.name, &name)));
            if read(&world).await == whole {
                in_vain.entry(index.name.clone()).or_default().insert(name);
            }
        }
    }
    let expected = BTreeMap::from([("byTab".to_owned(), IN_VAIN.map(str::to_owned).into_iter().collect())]);
    assert_eq!(in_vain, expected);
}

/// Only DynamoDB itself refuses such a table.
#[test]
fn a_projection_names_no_more_than_it_can() {
    for index in Index::all() {
        let named = index.projected.as_ref().map_or(0, BTreeSet::len);
        assert!(named <= MOST, "{}: {named}", index.name);
    }
}
