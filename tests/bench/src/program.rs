//! Programs: built as they are deployed, started, and looked at.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::Failed;
use crate::service::{Service, Turn};

/// What can be started as a function.
#[derive(Debug, Clone)]
pub struct Program {
    /// What it is started with.
    command: Vec<PathBuf>,
    environment: Vec<(String, String)>,
}

/// How a program finds DynamoDB.
#[derive(Debug, Clone)]
pub enum Endpoint {
    /// As on AWS: nothing says where it is. There is nobody to answer here.
    Deployed,
    /// The engine, by HTTP.
    Plain(String),
    /// The engine, by HTTPS, and the root that it has.
    Tls(String, PathBuf),
}

/// A function that runs and waits for its first event.
pub struct Running {
    process: Child,
    /// When it was started.
    started: Instant,
    /// From there to the first question for an event.
    pub ready: Duration,
    /// Its Lambda service.
    pub service: Service,
    /// Its question.
    pub turn: Option<Turn>,
}

impl Program {
    /// A program and its arguments.
    pub fn new(command: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            command: command.into_iter().collect(),
            environment: Vec::new(),
        }
    }

    /// The same with another variable in its environment.
    pub fn with(mut self, name: &str, value: &Path) -> Self {
        self.environment.push((name.to_owned(), value.display().to_string()));
        self
    }

    /// Starts it with the environment that Lambda gives, and waits until it asks for an event.
    pub async fn start(&self, endpoint: &Endpoint) -> Result<Running, Failed> {
        let service = Service::start().await?;
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", service.address().as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/21/[$LATEST]bench"),
                ("AWS_REGION", "eu-central-1"),
                ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
                ("AWS_SESSION_TOKEN", "example"),
                ("COSELL_TABLE", "cosell"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        match endpoint {
            Endpoint::Deployed => {}
            Endpoint::Plain(url) => {
                command.env("AWS_ENDPOINT_URL_DYNAMODB", url);
            }
            Endpoint::Tls(url, root) => {
                command.env("AWS_ENDPOINT_URL_DYNAMODB", url);
                command.env("SSL_CERT_FILE", root).env("NODE_EXTRA_CA_CERTS", root);
            }
        }
        let started = Instant::now();
        let process = command.spawn()?;
        let mut running = Running {
            process,
            started,
            ready: Duration::ZERO,
            service,
            turn: None,
        };
        let turn = running.service.turn().await?;
        running.ready = turn.at - started;
        running.turn = Some(turn);
        Ok(running)
    }
}

impl Running {
    /// From the start until an instant.
    pub fn since_start(&self, at: Instant) -> Duration {
        at - self.started
    }

    /// The most memory that it has had, in KiB. Linux tells it.
    pub fn peak_memory(&self) -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Has cargo build programs of a package as they are deployed, all where none is named, and nothing beside it, since Cargo would
/// unify what is switched on.
pub fn cargo_build(root: &Path, package: &str, names: &[&str]) -> Result<(), Failed> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--locked", "--package", package]);
    if names.is_empty() {
        build.arg("--bins");
    }
    for name in names {
        build.args(["--bin", name]);
    }
    run(build.current_dir(root))
}

/// Installs and bundles the Node peer in a folder, and gives it and its bundle; `None` where there is no Node.
pub fn node_build(root: &Path, folder: &Path) -> Result<Option<(Program, PathBuf)>, Failed> {
    // Where it is: a function's environment has no path to look for it.
    let node = Command::new("node").args(["--print", "process.execPath"]).output();
    let Ok(node) = node else {
        eprintln!("There is no Node here, so its peer is left out.");
        return Ok(None);
    };
    let node = PathBuf::from(String::from_utf8(node.stdout)?.trim());
    let sources = root.join("tests/bench/node");
    std::fs::create_dir_all(folder)?;
    for name in ["package.json", "package-lock.json"] {
        let (from, to) = (sources.join(name), folder.join(name));
        if std::fs::read(&from)? != std::fs::read(&to).unwrap_or_default() {
            let _ = std::fs::remove_dir_all(folder.join("node_modules"));
            std::fs::copy(&from, &to)?;
        }
    }
    if !folder.join("node_modules").is_dir() {
        run(Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(folder))?;
    }
    for name in ["create.mjs", "runtime.mjs"] {
        std::fs::copy(sources.join(name), folder.join(name))?;
    }
    run(Command::new("npm")
        .args(["run", "--silent", "build"])
        .current_dir(folder))?;
    let bundle = folder.join("bundle.cjs");
    Ok(Some((Program::new([node, bundle.clone()]), bundle)))
}

fn run(command: &mut Command) -> Result<(), Failed> {
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    let program = command.get_program();
    let arguments: Vec<&OsStr> = command.get_args().collect();
    Err(format!("{} {arguments:?}: {status}", program.display()).into())
}

/// Bytes of a file, and of it in a zip as SAM makes one.
pub fn sizes(file: &Path) -> Result<(usize, usize), Failed> {
    /// The headers that a zip has for one file of a short name.
    const HEADERS: usize = 130;
    let bytes = std::fs::read(file)?;
    let mut zip = DeflateEncoder::new(Vec::new(), Compression::default());
    zip.write_all(&bytes)?;
    Ok((bytes.len(), zip.finish()?.len() + HEADERS))
}
