//! `cosell`: starts the local stack, and operates one that is running.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use clap::{Args, Parser, Subcommand};
use local::{ACCESS_KEY, BUS, Claims, Data, Options, Progress, Stack, TABLE};
use serde_json::json;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Between lines of progress where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// The co-sell opportunity exchange on this machine. Without a command it starts, and runs until Ctrl-C.
#[derive(Parser)]
#[command(name = "cosell", bin_name = "cargo run --")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: Start,
    /// The port of the gateway on the loopback interface; 0 for a free one
    #[arg(long, env = "COSELL_PORT", default_value_t = 9000, global = true)]
    port: u16,
    /// What tokens are signed with
    #[arg(
        long,
        env = "COSELL_DEV_SECRET",
        default_value = "cosell-local-development",
        global = true
    )]
    dev_secret: String,
}

#[derive(Args)]
struct Start {
    /// Keep the data in memory, not in a file
    #[arg(long)]
    memory: bool,
    /// The file with the data
    #[arg(long, value_name = "FILE", env = "COSELL_DATA", default_value = "target/cosell.db")]
    data: PathBuf,
    /// Do not fill an empty table with the demo
    #[arg(long)]
    no_seed: bool,
    /// How long an invited organization has to answer, as an ISO 8601 duration
    #[arg(long, value_name = "DURATION", env = "COSELL_RESPONSE_WINDOW", default_value = "P14D", value_parser = duration)]
    response_window: TimeDelta,
    /// How long before the end of that it is reminded, as an ISO 8601 duration
    #[arg(long, value_name = "DURATION", env = "COSELL_EXPIRING_BEFORE", default_value = "P3D", value_parser = duration)]
    expiring_before: TimeDelta,
    /// How often the sweep runs, as an ISO 8601 duration, or off
    #[arg(long, value_name = "DURATION", env = "COSELL_SWEEP_RATE", default_value = "PT1S", value_parser = rate)]
    sweep_rate: Rate,
    /// A DynamoDB-compatible engine to use instead of the embedded one
    #[arg(long, value_name = "URL", env = "COSELL_DYNAMODB_ENDPOINT")]
    dynamodb_endpoint: Option<String>,
    /// Leave the stream unread: nothing happens but what is asked for. For measurements.
    #[arg(long, hide = true)]
    no_stream: bool,
    /// An endpoint of EventBridge to publish at instead of the stack's own; it has a bus `cosell`
    #[arg(long, value_name = "URL", env = "COSELL_EVENTS_ENDPOINT")]
    events_endpoint: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Print a token
    Token(Token),
    /// Run the sweep once in the running stack
    Sweep,
    /// Print what was published in the running stack, one event a line, oldest first
    Events,
    /// Publish again in the running stack: what a deal holds, or what was written in a span of time
    Redrive(Redrive),
    /// Load organizations, solutions and customers from JSON Lines into the running stack
    Import {
        /// One object a line
        file: PathBuf,
    },
}

#[derive(Args)]
#[group(required = true, multiple = true)]
struct Redrive {
    /// The id of a deal
    #[arg(long, conflicts_with_all = ["from", "to"])]
    deal: Option<String>,
    /// The beginning, as an RFC 3339 timestamp
    #[arg(long, requires = "to")]
    from: Option<String>,
    /// The end, which is not part of it
    #[arg(long, requires = "from")]
    to: Option<String>,
}

#[derive(Args)]
struct Token {
    /// The organization
    #[arg(long)]
    org: String,
    /// A role: `partner_admin`, `referrals_admin`, `seller`, `viewer` or `exchange_admin`; repeatable
    #[arg(long = "role", required = true)]
    roles: Vec<String>,
    /// The user's email address
    #[arg(long)]
    email: String,
    /// The user's name
    #[arg(long)]
    name: Option<String>,
    /// The user's id; the email address if not given
    #[arg(long)]
    sub: Option<String>,
    /// How long it is valid, as an ISO 8601 duration
    #[arg(long, value_name = "DURATION", default_value = "P1D", value_parser = duration)]
    expires_in: TimeDelta,
}

#[derive(Debug, Clone, Copy)]
struct Rate(Option<Duration>);

fn duration(text: &str) -> Result<TimeDelta, String> {
    edge::positive_duration(text).map_err(|error| error.to_string())
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "off" {
        return Ok(Rate(None));
    }
    let every = duration(text).map_err(|error| format!("{error}, or off"))?;
    every
        .to_std()
        .map(|every| Rate(Some(every)))
        .map_err(|error| error.to_string())
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // What goes wrong is told on standard error; a line for each request would bury it.
    // The engine warns of every condition that does not hold, which is how concurrent changes are meant to be noticed.
    let levels = Targets::new()
        .with_default(Level::WARN)
        .with_target("dynoxide", Level::ERROR);
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .finish();
    subscriber.with(levels).init();
    let result = match cli.command {
        None => start(cli.start, cli.port, cli.dev_secret).await,
        Some(Command::Token(token)) => {
            println!("{}", token.sign(&cli.dev_secret));
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Sweep) => sweep(cli.port).await,
        Some(Command::Events) => events(cli.port).await,
        Some(Command::Redrive(span)) => redrive(cli.port, span).await,
        Some(Command::Import { file }) => import(cli.port, file).await,
    };
    result.unwrap_or_else(|error| {
        eprintln!("cosell: {error}");
        ExitCode::FAILURE
    })
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

async fn start(start: Start, port: u16, secret: String) -> Outcome {
    let begun = Instant::now();
    let mut interrupted = pin!(interrupted());
    let place = match (&start.dynamodb_endpoint, start.memory) {
        (Some(_), _) => "in an engine of your own".to_owned(),
        (None, true) => "in memory".to_owned(),
        (None, false) => format!("in {}", start.data.display()),
    };
    let options = Options {
        port,
        data: if start.memory {
            Data::Memory
        } else {
            Data::File(start.data)
        },
        seed: !start.no_seed,
        response_window: start.response_window,
        expiring_before: start.expiring_before,
        sweep_every: start.sweep_rate.0,
        dynamodb_endpoint: start.dynamodb_endpoint,
        dynamodb_access_key: ACCESS_KEY.to_owned(),
        events_endpoint: start.events_endpoint,
        stream: !start.no_stream,
        secret,
        clock_ahead: TimeDelta::zero(),
    };
    let stack = tokio::select! {
        biased;
        () = &mut interrupted => return Ok(ExitCode::SUCCESS),
        stack = Stack::start(options) => stack?,
    };
    let url = stack.url();
    let ready = begun.elapsed().as_millis();
    println!("Cosell is ready at {url}");
    println!("  table {TABLE} at {}, {place}", stack.engine_url());
    println!("  bus {BUS} and queues at {}", stack.events_url());
    println!("  after {ready} ms");
    println!();
    println!("Try it in another terminal:");
    println!("  token=$(cargo run -q -- token --org fabrikam --role referrals_admin --email ana@fabrikam.example)");
    println!("  curl -s -H \"Authorization: Bearer $token\" '{url}/v1/opportunities?tab=inbound&stage=received'");
    println!("  curl -s -H \"Authorization: Bearer $token\" '{url}/v1/opportunities?tab=outbound&limit=2'");
    println!("  curl -s -H \"Authorization: Bearer $token\" '{url}/v1/notifications?limit=2'");
    println!("  cargo run -q -- events");
    println!();
    println!("Ctrl-C stops it.");
    interrupted.await;
    stack.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

async fn sweep(port: u16) -> Outcome {
    let report = local::sweep(port).await?;
    println!("{report}");
    Ok(if report["failed"] == 0 && report["complete"] == true {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn events(port: u16) -> Outcome {
    for event in local::events(port).await? {
        println!("{event}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn redrive(port: u16, span: Redrive) -> Outcome {
    let redrive = match span.deal {
        Some(deal) => json!({"dealId": deal}),
        None => json!({"from": span.from, "to": span.to}),
    };
    let (events, failed) = local::redrive(port, redrive).await?;
    println!("{}", json!({"events": events, "failed": failed}));
    Ok(if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn import(port: u16, file: PathBuf) -> Outcome {
    let lines = std::fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let mut shown = ProgressLine::default();
    let report = local::import(port, lines, |progress| shown.show(progress)).await;
    shown.end();
    let report = report?;
    println!("{report}");
    Ok(if report.bad.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// On a terminal one line that is written again and again; elsewhere, such as in a log, a line now and then. On standard
/// error: standard output has the report and nothing else.
#[derive(Default)]
struct ProgressLine {
    shown: Option<Instant>,
}

impl ProgressLine {
    fn show(&mut self, progress: &Progress) {
        if std::io::stderr().is_terminal() {
            eprint!("\r{progress}\x1b[K");
        } else if self.shown.is_none_or(|shown| shown.elapsed() >= BETWEEN_LINES) {
            eprintln!("{progress}");
        } else {
            return;
        }
        self.shown = Some(Instant::now());
    }

    /// Takes it off the terminal: what follows says more.
    fn end(&self) {
        if self.shown.is_some() && std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K");
        }
    }
}

impl Token {
    fn sign(self, secret: &str) -> String {
        let claims = Claims {
            org: self.org,
            roles: self.roles,
            name: self.name,
            sub: self.sub.unwrap_or_else(|| self.email.clone()),
            email: self.email,
        };
        local::token(secret, &claims, self.expires_in)
    }
}

/// Until the process is asked to end: by Ctrl-C, or SIGTERM where there is such a thing.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
