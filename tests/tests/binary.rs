//! The program itself, as a user starts it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use local::Claims;
use serde_json::{Value, json};
use tests::{Client, World, deal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "cosell-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Builds the program if need be, once; its path.
fn program() -> &'static Path {
    static PROGRAM: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    PROGRAM.get_or_init(tests::program)
}

fn cosell(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Starts a stack on a free port; the process and its URL.
async fn start(args: &[&str]) -> (Child, String) {
    started(cosell(args)).await
}

async fn started(mut command: Command) -> (Child, String) {
    let mut child = command.arg("--port=0").spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let first = timeout(PATIENCE, lines.next_line())
        .await
        .expect("in time")
        .expect("readable")
        .expect("a line");
    let url = first
        .strip_prefix("Cosell is ready at ")
        .expect("where it is")
        .to_owned();
    // Whoever closes the pipe stops the one that writes to it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, url)
}

/// Ctrl-C, and how it ended.
async fn interrupt(mut child: Child) -> std::process::ExitStatus {
    let id = child.id().expect("it runs").to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .await
            .expect("kill runs")
            .success()
    );
    timeout(PATIENCE, child.wait()).await.expect("in time").expect("an end")
}

async fn fails(mut command: Command) -> String {
    let mut child = command.spawn().expect("it starts");
    let mut text = String::new();
    let mut stderr = child.stderr.take().expect("its errors");
    timeout(PATIENCE, stderr.read_to_string(&mut text))
        .await
        .expect("in time")
        .expect("text");
    let status = timeout(PATIENCE, child.wait()).await.expect("in time").expect("an end");
    assert!(!status.success(), "{text}");
    text
}

async fn token(organization: &str) -> String {
    let email = format!("ana@{organization}.example");
    let output = cosell(&[
        "token",
        "--org",
        organization,
        "--role",
        "referrals_admin",
        "--email",
        &email,
    ])
    .output()
    .await;
    let output = output.expect("it runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let folder = Folder::new();
    let data = format!("--data={}", folder.0.join("cosell.db").display());
    let (child, url) = start(&[&data]).await;
    let contoso = Client::at(&url, &token("contoso").await);
    assert_eq!(contoso.get("/healthz").await.is(200).status, 200);
    assert!(
        !contoso.all("/v1/opportunities?tab=outbound").await.is_empty(),
        "the demo is there"
    );
    let mut body = deal(&["fabrikam"]);
    body["solutions"] = json!(["contoso-cloud"]);
    body["customer"]["id"] = json!("900000001");
    let path = contoso
        .post("/v1/opportunities", &body)
        .await
        .is(201)
        .header("location")
        .to_owned();
    let before = contoso.all("/v1/opportunities?tab=outbound").await.len();
    assert!(interrupt(child).await.success(), "Ctrl-C is a clean end");

    let (child, url) = start(&[&data]).await;
    let contoso = Client::at(&url, &token("contoso").await);
    contoso.get(&path).await.is(200);
    assert_eq!(
        contoso.all("/v1/opportunities?tab=outbound").await.len(),
        before,
        "the demo comes once"
    );
    assert!(interrupt(child).await.success());
}

#[tokio::test]
async fn the_demo_leaves_no_list_empty() {
    let (child, url) = start(&["--memory"]).await;
    for organization in ["contoso", "fabrikam", "northwind", "tailspin"] {
        let client = Client::at(&url, &token(organization).await);
        for query in [
            "tab=inbound&stage=received",
            "tab=inbound&stage=accepted",
            "tab=inbound&outcome=won",
            "tab=inbound&outcome=lost",
            "tab=inbound&outcome=declined",
            "tab=inbound&outcome=withdrawn",
            "tab=inbound&outcome=expired",
            "tab=outbound&stage=accepted",
            "tab=outbound&outcome=won",
            "tab=outbound&outcome=lost",
        ] {
            let items = client.all(&format!("/v1/opportunities?{query}")).await;
            assert!(!items.is_empty(), "{organization}: {query}");
        }
    }
    assert!(interrupt(child).await.success());
}

#[tokio::test]
async fn a_taken_port_and_a_locked_file_are_named() {
    let folder = Folder::new();
    let file = folder.0.join("cosell.db").display().to_string();
    let data = format!("--data={file}");
    let (child, url) = start(&[&data, "--no-seed"]).await;
    let port = url.rsplit(':').next().expect("a port");
    let error = fails(cosell(&["--memory", "--port", port])).await;
    assert!(error.contains(port) && error.contains("--port"), "{error}");
    let error = fails(cosell(&[&data, "--port", "0"])).await;
    assert!(error.contains(&file) && error.contains("--data"), "{error}");
    assert!(interrupt(child).await.success());
}

#[tokio::test]
async fn the_commands_talk_to_the_stack_on_the_port() {
    let folder = Folder::new();
    let (child, url) = start(&["--memory", "--no-seed", "--sweep-rate=off"]).await;
    let port = url.rsplit(':').next().expect("a port").to_owned();
    let file = folder.0.join("lines.jsonl");
    std::fs::write(&file, format!("{}\n{{\"kind\": \"planet\"}}\n", tests::CATALOG)).expect("a file");
    let run = |args: &[&str]| {
        let mut command = cosell(args);
        command.env("COSELL_PORT", &port);
        async move {
            let output = command.output().await.expect("it runs");
            let text = |bytes| String::from_utf8(bytes).expect("text");
            (output.status.success(), text(output.stdout) + &text(output.stderr))
        }
    };
    let (clean, text) = run(&["import", &file.display().to_string()]).await;
    assert!(
        !clean && text.contains("line 14") && text.contains("11 created"),
        "{text}"
    );
    let (clean, text) = run(&["sweep"]).await;
    assert!(clean && text.contains("\"complete\":true"), "{text}");

    let contoso = Client::at(&url, &token("contoso").await);
    let created = contoso.post("/v1/opportunities", &deal(&["fabrikam"])).await;
    let id = tests::id(created.is(201).header("location")).to_owned();
    let events = || async {
        let (clean, text) = run(&["events"]).await;
        assert!(clean, "{text}");
        let events = text.lines().map(|line| serde_json::from_str(line).expect("an event"));
        events.collect::<Vec<Value>>()
    };
    let published = tests::eventually("it is published", || async {
        let events = events().await;
        (!events.is_empty()).then_some(events)
    })
    .await;
    assert_eq!(published[0]["detail"]["dealId"], id);
    let again = "{\"events\":1,\"failed\":[]}\n";
    assert_eq!(run(&["redrive", "--deal", &id]).await, (true, again.to_owned()));
    let span = [
        "redrive",
        "--from",
        "2020-01-01T00:00:00Z",
        "--to",
        "2099-01-01T00:00:00Z",
    ];
    assert_eq!(run(&span).await, (true, again.to_owned()));
    let ids: Vec<Value> = events()
        .await
        .iter()
        .map(|event| event["detail"]["id"].clone())
        .collect();
    assert_eq!(ids, vec![published[0]["detail"]["id"].clone(); 3]);
    let (clean, text) = run(&["redrive", "--deal", "x"]).await;
    assert!(!clean && text.contains("BadEvent"), "{text}");
    let (clean, text) = run(&["redrive"]).await;
    assert!(!clean && text.contains("--deal"), "{text}");
    assert!(interrupt(child).await.success());
    let (clean, text) = run(&["sweep"]).await;
    assert!(!clean && text.contains(&port) && text.contains("cargo run"), "{text}");
}

#[tokio::test]
async fn an_import_tells_how_far_it_is_and_each_line_that_is_bad() {
    let folder = Folder::new();
    let (child, url) = start(&["--memory", "--no-seed", "--sweep-rate=off"]).await;
    let file = folder.0.join("lines.jsonl");
    // More than is sent at a time; the last lines are a customer, and one in another encoding.
    let mut lines = "{}\n".repeat(1_000).into_bytes();
    lines.extend_from_slice(br#"{"kind": "customer", "name": "Adatum", "country": "US"}"#);
    lines.extend_from_slice(b"\n{\"kind\": \"customer\", \"name\": \"M\xfcller\", \"country\": \"DE\"}\n");
    std::fs::write(&file, lines).expect("a file");
    let port = url.rsplit(':').next().expect("a port");
    let output = cosell(&["import", "--port", port, &file.display().to_string()])
        .output()
        .await
        .expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (report, progress) = (text(output.stdout), text(output.stderr));
    assert!(progress.contains(" of 1002 lines, "), "{progress}");
    assert!(!output.status.success());
    let lines: Vec<&str> = report.lines().collect();
    assert!(lines[0].starts_with("line 1: /kind "), "{}", lines[0]);
    assert_eq!(lines[1_000], "line 1002: is not UTF-8 from its byte 32 on (notUtf8)");
    assert_eq!(lines[1_001], "1002 lines: 1 created, 0 updated, 0 unchanged, 1001 bad");
    assert!(interrupt(child).await.success());
}

#[tokio::test]
async fn two_stacks_in_one_process_do_not_meet() {
    let (one, other) = tokio::join!(World::start(), World::start());
    let path = one.deal(&[]).await;
    one.admin("contoso").get(&path).await.is(200);
    other.admin("contoso").get(&path).await.is(404);
}

#[tokio::test]
async fn its_settings_come_from_the_environment() {
    let mut command = cosell(&["--memory", "--no-seed"]);
    command.envs([
        ("COSELL_RESPONSE_WINDOW", "PT1S"),
        ("COSELL_SWEEP_RATE", "off"),
        ("COSELL_DEV_SECRET", tests::SECRET),
    ]);
    let (child, url) = started(command).await;
    let port = url.rsplit(':').next().expect("a port").to_owned();
    // Signed with the usual secret, which is not this one's.
    Client::at(&url, &token("contoso").await)
        .get("/v1/opportunities?tab=outbound")
        .await
        .is(401);
    let claims = |organization: &str| Claims {
        org: organization.to_owned(),
        roles: vec!["referrals_admin".to_owned()],
        email: format!("ana@{organization}.example"),
        name: None,
        sub: "ana".to_owned(),
    };
    let client = |organization| {
        let token = local::token(tests::SECRET, &claims(organization), TimeDelta::hours(1));
        Client::at(&url, &token)
    };
    let (contoso, fabrikam) = (client("contoso"), client("fabrikam"));
    let sweep = || async {
        let output = cosell(&["sweep", "--port", &port]).output().await.expect("it runs");
        serde_json::from_slice::<Value>(&output.stdout).expect("a report")
    };
    local::import(port.parse().expect("a port"), tests::CATALOG, |_| ())
        .await
        .expect("imported");
    let created = contoso.post("/v1/opportunities", &deal(&["fabrikam"])).await;
    let path = created.is(201).header("location").to_owned();
    tests::eventually("it expires after a second", || async {
        (fabrikam.get(&path).await.standing() == "archived expired").then_some(())
    })
    .await;
    assert_eq!(sweep().await["expired"], 1, "nothing swept it but this");
    assert!(interrupt(child).await.success());
}
