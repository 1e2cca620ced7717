//! What Cargo cannot enforce of the architecture (`shared/README.md`): who depends on whom, with what switched on, and that
//! a function is everywhere or nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use local::Template;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What this machine is to cargo.
fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("a host").to_owned()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        // Of this platform: what others would need is not downloaded.
        .args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--offline",
            "--filter-platform",
            &host(),
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Package ids by name, for the workspace's members; names by id, for all.
struct Graph {
    metadata: Value,
    names: BTreeMap<String, String>,
}

impl Graph {
    fn new() -> Self {
        let metadata = metadata();
        let packages = metadata["packages"].as_array().expect("packages");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let names = packages
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        Self { metadata, names }
    }

    fn package(&self, name: &str) -> &Value {
        let packages = self.metadata["packages"].as_array().expect("packages").iter();
        let mut found = packages.filter(|package| package["name"] == name && package["source"].is_null());
        found.next().unwrap_or_else(|| panic!("no package {name} here"))
    }

    fn members(&self) -> BTreeSet<&str> {
        let members = self.metadata["workspace_members"].as_array().expect("members").iter();
        members
            .map(|id| self.names[id.as_str().expect("an id")].as_str())
            .collect()
    }

    /// Names of the direct dependencies, those of tests left out.
    fn dependencies(&self, name: &str) -> BTreeSet<&str> {
        let dependencies = self.package(name)["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter();
        dependencies
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| dependency["name"].as_str().expect("a name"))
            .collect()
    }

    /// Names of everything that is linked into a package, those of tests and build scripts left out.
    fn reached(&self, name: &str) -> BTreeSet<String> {
        let nodes = self.metadata["resolve"]["nodes"].as_array().expect("nodes");
        let nodes: BTreeMap<&str, &Value> = nodes
            .iter()
            .map(|node| (node["id"].as_str().expect("an id"), node))
            .collect();
        let mut open = vec![self.package(name)["id"].as_str().expect("an id")];
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let linked = nodes[id]["deps"].as_array().expect("deps").iter().filter(|dep| {
                dep["dep_kinds"]
                    .as_array()
                    .expect("kinds")
                    .iter()
                    .any(|kind| kind["kind"].is_null())
            });
            open.extend(linked.map(|dep| dep["pkg"].as_str().expect("an id")));
        }
        seen.into_iter().map(|id| self.names[id].clone()).collect()
    }
}

#[test]
fn the_domain_knows_no_aws_http_tokio_environment_or_clock() {
    let graph = Graph::new();
    let reached = graph.reached("domain");
    for forbidden in [
        "aws",
        "lambda",
        "http",
        "hyper",
        "tokio",
        "axum",
        "rustls",
        "rusqlite",
        "dynoxide",
        "tracing",
        "getrandom",
        "serde_dynamo",
    ] {
        let found: Vec<_> = reached.iter().filter(|name| name.starts_with(forbidden)).collect();
        assert!(found.is_empty(), "domain reaches {found:?}");
    }
    let dependencies = graph.package("domain")["dependencies"]
        .as_array()
        .expect("dependencies");
    let chrono = dependencies
        .iter()
        .find(|dependency| dependency["name"] == "chrono")
        .expect("chrono");
    assert_eq!(chrono["uses_default_features"], false);
    assert_eq!(chrono["features"], serde_json::json!(["alloc"]), "no clock and no now");
    // What is left of the standard library is clippy.toml's business; that it is in force is the workspace's lints'.
    let banned = std::fs::read_to_string(root().join("clippy.toml")).expect("clippy.toml");
    for method in [
        "chrono::Utc::now",
        "std::time::SystemTime::now",
        "std::env::var",
        "aws_sdk_dynamodb::Client::scan",
    ] {
        assert!(
            banned.contains(&format!("\"{method}\", reason = ")),
            "{method} is not banned with a reason"
        );
    }
}

#[test]
fn dependencies_point_down() {
    let graph = Graph::new();
    let members = graph.members();
    let inner = |name: &str| -> BTreeSet<&str> {
        graph
            .dependencies(name)
            .into_iter()
            .filter(|dependency| members.contains(dependency))
            .collect()
    };
    for (name, allowed) in [
        ("domain", &[][..]),
        ("events", &["domain"]),
        ("store", &["domain"]),
        ("edge", &["domain", "events", "store"]),
        ("functions", &["domain", "edge", "events", "store"]),
        ("local", &["domain", "edge", "events", "functions", "store"]),
    ] {
        let extra: Vec<_> = inner(name)
            .into_iter()
            .filter(|dependency| !allowed.contains(dependency))
            .collect();
        assert!(extra.is_empty(), "{name} depends on {extra:?}");
    }
    assert!(
        !graph.reached("functions").contains("dynoxide-rs"),
        "the engine stays out of the functions"
    );
}

/// A feature that nobody asked for is code that nobody asked for.
#[test]
fn every_dependency_says_why_it_has_the_features_that_it_has() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("a manifest");
    let (_, dependencies) = manifest.split_once("[workspace.dependencies]\n").expect("dependencies");
    let (dependencies, _) = dependencies.split_once("\n[").expect("an end");
    let lines: Vec<&str> = dependencies.lines().collect();
    for pair in lines.windows(2) {
        let is_ours = pair[1].contains("path = ");
        if !pair[1].is_empty() && !pair[1].starts_with('#') && !is_ours {
            assert!(pair[0].starts_with("# "), "no reason above: {}", pair[1]);
        }
    }
    // What a package names itself, it gives a reason for as well.
    let local = std::fs::read_to_string(root().join("infra/local/Cargo.toml")).expect("a manifest");
    assert!(
        local.contains("others have not been probed.\ndynoxide-rs"),
        "the engine's version"
    );
}

#[test]
fn every_package_is_under_the_workspaces_lints() {
    let graph = Graph::new();
    for name in graph.members() {
        let manifest = graph.package(name)["manifest_path"].as_str().expect("a path");
        let text = std::fs::read_to_string(manifest).expect("a manifest");
        assert!(text.contains("[lints]\nworkspace = true"), "{name}");
    }
}

#[test]
fn a_function_is_in_template_binaries_and_invoke_or_nowhere() {
    let template: BTreeSet<String> = Template::embedded().expect("right").functions.into_keys().collect();
    let graph = Graph::new();
    let targets = graph.package("functions")["targets"]
        .as_array()
        .expect("targets")
        .iter();
    let binaries: BTreeSet<String> = targets
        .filter(|target| target["kind"][0] == "bin")
        .map(|target| target["name"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(template, binaries, "template and binaries");
    let source = std::fs::read_to_string(root().join("functions/src/lib.rs")).expect("the source");
    let invoked: BTreeSet<String> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => edge::invoke_"))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(template, invoked, "template and functions::invoke");
}

#[test]
fn the_routes_of_cargo_lambda_are_those_of_the_template() {
    let template = Template::embedded().expect("right");
    let expected: BTreeSet<String> = template
        .routes
        .iter()
        .map(|route| format!("{} → {}", route.key(), route.function))
        .collect();
    let metadata = metadata();
    let router = metadata["metadata"]["lambda"]["watch"]["router"]
        .as_object()
        .expect("routes");
    let methods = router.iter().flat_map(|(path, methods)| {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let methods = methods.as_array().expect("methods").iter();
        methods.map(move |one| format!("{} {path} → {}", text(&one["method"]), text(&one["function"])))
    });
    assert_eq!(methods.collect::<BTreeSet<_>>(), expected);
}

#[test]
fn only_keys_rs_has_key_literals() {
    let keys = [
        "DEAL#",
        "ORG#",
        "EVENT#",
        "NOTE#",
        "IDEM#",
        "DUE#",
        "SOLUTIONS#",
        "CUSTOMER#",
        "USER#",
        "FAV#",
        "STATS#",
        "FEED#",
        "INBOX#",
        "TOLD#",
        "WEBHOOK#",
        "ATTEMPT#",
        "REGISTRATION#",
        "\"PROFILE\"",
    ];
    let sources = [
        "shared/domain/src",
        "shared/store/src",
        "shared/edge/src",
        "shared/events/src",
        "functions/src",
        "infra/local/src",
    ];
    let mut files: Vec<PathBuf> = sources.iter().map(|source| root().join(source)).collect();
    let mut read = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(&path)
                    .expect("a folder")
                    .map(|entry| entry.expect("an entry").path()),
            );
        } else if path.file_name().is_some_and(|name| name != "keys.rs") {
            let text = std::fs::read_to_string(&path).expect("source");
            for key in keys {
                assert!(!text.contains(key), "{} has {key}", path.display());
            }
            read += 1;
        }
    }
    assert!(read > 40, "{read} files read");
}
