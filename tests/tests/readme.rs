//! The walk in the root README, and what goes on from there in that of the functions, run as it stands there.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tests::{options, standing};
use tokio::process::Command;

/// The shell blocks between a README's marks, in their order.
fn walk(readme: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(readme);
    let readme = std::fs::read_to_string(readme).expect("the README");
    let (_, walk) = readme.split_once("<!-- walk -->").expect("the walk begins");
    let (walk, _) = walk.split_once("<!-- /walk -->").expect("the walk ends");
    let mut blocks = walk.split("```");
    let mut script = String::new();
    while let (Some(_), Some(block)) = (blocks.next(), blocks.next()) {
        script.push_str(block.strip_prefix("sh\n").expect("the walk's blocks are shell"));
    }
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_of_the_readmes_works_as_it_stands() {
    let stack = local::Stack::start(local::Options {
        seed: true,
        secret: "cosell-local-development".to_owned(),
        stream: true,
        ..options()
    });
    let stack = stack.await.expect("the stack starts");
    // What differs from a user's terminal: the port, and that the program is built already.
    let program = tests::program();
    let script = (walk("README.md") + &walk("functions/README.md"))
        .replace("http://127.0.0.1:9000", &stack.url())
        .replace("cargo run -q --", &format!("'{}'", program.display()));
    assert!(script.contains(&stack.url()) && !script.contains("cargo"));
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env("COSELL_PORT", stack.url().rsplit(':').next().unwrap_or_default())
        .stdin(Stdio::null())
        .output()
        .await;
    let output = output.expect("bash runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (shown, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}\n{errors}");
    let answers = shown
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answers: Vec<Value> = answers.collect();
    let mut deals = answers
        .iter()
        .rev()
        .filter_map(|answer| answer["participants"].as_array());
    let participants = deals.next().expect("the deal at its end").iter();
    let ends: Vec<_> = participants
        .map(|one| (one["organizationId"].as_str().unwrap_or_default(), standing(one)))
        .collect();
    let expected = [
        ("contoso", "accepted"),
        ("fabrikam", "archived won"),
        ("northwind", "archived declined"),
    ];
    assert_eq!(ends, expected.map(|(organization, end)| (organization, end.to_owned())));
    assert!(
        answers.iter().any(|answer| answer["source"] == "cosell"),
        "events are shown: {shown}"
    );
    let statuses: Vec<_> = answers
        .iter()
        .filter(|answer| answer["contractValue"].is_object())
        .map(|registration| registration["status"].as_str().unwrap_or_default())
        .collect();
    let expected = ["submitted", "actionRequired", "actionRequired", "submitted", "approved"];
    assert_eq!(statuses, expected, "{shown}");
    stack.shutdown().await;
}
