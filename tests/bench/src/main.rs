//! What a function costs, beside what it could cost: cold start, first answer, warm answers, memory and size, each beside a bare
//! hello, beside a floor that makes the same calls of the database, and beside the same action in Node.
//!
//! `cargo run --release -p bench` builds everything as it is deployed, takes turns starting one after the other,
//! and prints tables. `tests/README.md` tells what they mean.

mod program;
mod recorder;
mod report;
mod scenario;
mod service;
mod tls;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use clap::Parser;
use program::{Endpoint, Program, Running, cargo_build, node_build};
use recorder::Recorder;
use report::{ANSWER, FIRST, Measured, READY, TLS_ANSWER, TLS_FIRST, WARM};
use scenario::{Fresh, Scenario};
use serde_json::Value;
use service::Invocation;

/// What ends the bench.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The functions that are measured warm, beside their floors.
const WARMED: [&str; 2] = ["create", "respond"];

/// The functions that make what others work on.
const MAKERS: [&str; 2] = ["create", "close"];

/// Measures the functions.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often each program is started, for each way to the database.
    #[arg(long, default_value_t = 30)]
    rounds: u32,
    /// How many warm invocations are measured.
    #[arg(long, default_value_t = 1_000)]
    invocations: u32,
    /// Only these functions.
    #[arg(long)]
    only: Vec<String>,
    /// Without the Node peer, which needs npm and a registry the first time.
    #[arg(long)]
    no_node: bool,
    /// Measures what is built already.
    #[arg(long)]
    no_build: bool,
}

// One thread, which sleeps while a function works.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match bench(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The engine with the demo in it, in a process of its own so that it does not disturb; it ends with this.
struct Engine {
    process: Child,
    url: String,
}

impl Engine {
    fn start(programs: &Path) -> Result<Self, Failed> {
        let mut command = Command::new(programs.join("cosell"));
        command
            .args(["--memory", "--port", "0", "--sweep-rate", "off", "--no-stream"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut output = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        for line in output.by_ref() {
            // What it says about its table.
            if let Some((_, url)) = line?.split_once("table cosell at ") {
                let url = url.split(',').next().unwrap_or_default().to_owned();
                // What else it says is heard and forgotten: it could not speak to nobody.
                std::thread::spawn(move || output.count());
                return Ok(Self { process, url });
            }
        }
        Err("the local stack does not start".into())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is asked of a program.
enum Asks {
    /// Anything.
    Anything,
    /// What a scenario says.
    Function(usize),
    /// The same, on what was recorded.
    Floor(usize, Fresh),
}

/// A program, and what was measured of it.
struct Row {
    program: Program,
    asks: Asks,
    measured: Measured,
}

impl Row {
    fn new(name: &str, program: Program, file: PathBuf, asks: Asks) -> Self {
        Self {
            program,
            asks,
            measured: Measured::new(name, file),
        }
    }
}

/// What is measured, and where.
struct Bench {
    engine: Engine,
    /// `create`, which makes the deals that others work on.
    creator: Running,
    /// `close`, for those that must be won.
    closer: Running,
    scenarios: Vec<Scenario>,
    /// Deals, customers and keys that have been used.
    number: u32,
}

impl Bench {
    /// Makes what the next invocation of a function needs.
    async fn prepare(&mut self, index: usize) -> Result<Fresh, Failed> {
        self.number += 1;
        let mut fresh = Fresh::new(self.number);
        let scenario = &self.scenarios[index];
        if let Some(event) = scenario.making(&fresh) {
            fresh.note_deal(&invoke(&mut self.creator, &event).await?.answer)?;
        }
        if scenario.of_a_won_deal() {
            let close = self.scenarios.iter().find(|scenario| scenario.function == "close");
            let event = close.ok_or("nothing closes")?.event(&fresh);
            invoke(&mut self.closer, &event).await?;
        }
        Ok(fresh)
    }

    async fn event(&mut self, asks: &Asks) -> Result<Value, Failed> {
        match asks {
            Asks::Anything => Ok(self.scenarios[0].event(&Fresh::new(0))),
            Asks::Function(index) => {
                let fresh = self.prepare(*index).await?;
                Ok(self.scenarios[*index].event(&fresh))
            }
            Asks::Floor(index, recorded) => {
                let fresh = self.prepare(*index).await?;
                Ok(self.scenarios[*index].floor_event(recorded, &fresh))
            }
        }
    }

    /// Has a function make its calls of a recorder; gives what they were on, and writes them to a file for the floor. The second
    /// time: what some change at the first one stays so.
    async fn record(&mut self, index: usize, program: &Program, file: &Path) -> Result<Fresh, Failed> {
        let plain = Endpoint::Plain(self.engine.url.clone());
        let fresh = self.prepare(index).await?;
        invoke(&mut program.start(&plain).await?, &self.scenarios[index].event(&fresh)).await?;

        let mut fresh = self.prepare(index).await?;
        let recorder = Recorder::before(&self.engine.url).await?;
        let mut running = program.start(&Endpoint::Plain(recorder.url.clone())).await?;
        let invocation = invoke(&mut running, &self.scenarios[index].event(&fresh)).await?;
        let calls = serde_json::to_string(&recorder.stages())?;
        std::fs::write(file, &calls)?;
        fresh.note_customer(&calls);
        match self.scenarios[index].function.as_str() {
            "create" => fresh.note_deal(&invocation.answer)?,
            "register" => fresh.note_registration(&invocation.answer)?,
            _ => {}
        }
        Ok(fresh)
    }

    async fn cold(&mut self, row: &mut Row, tls: &tls::Tls) -> Result<(), Failed> {
        let running = row.program.start(&Endpoint::Deployed).await?;
        row.measured.note(READY, running.ready);
        drop(running);
        let plain = Endpoint::Plain(self.engine.url.clone());
        let tls = Endpoint::Tls(tls.url.clone(), tls.root.clone());
        for (endpoint, answer, first) in [(plain, ANSWER, FIRST), (tls, TLS_ANSWER, TLS_FIRST)] {
            let event = self.event(&row.asks).await?;
            let mut running = row.program.start(&endpoint).await?;
            let invocation = invoke(&mut running, &event).await?;
            row.measured.note(answer, running.since_start(invocation.answered));
            row.measured.note(first, invocation.took);
            row.measured.memory.extend(running.peak_memory());
        }
        Ok(())
    }

    /// Warm invocations of some programs that run beside each other, in turns.
    async fn warm(&mut self, rows: &mut [&mut Row], invocations: u32) -> Result<(), Failed> {
        let endpoint = Endpoint::Plain(self.engine.url.clone());
        let mut running = Vec::new();
        for row in rows.iter() {
            running.push(row.program.start(&endpoint).await?);
        }
        for number in 0..invocations {
            for (row, running) in rows.iter_mut().zip(&mut running) {
                let event = self.event(&row.asks).await?;
                let invocation = invoke(running, &event).await?;
                // The first tenth warms up.
                if number >= invocations / 10 {
                    row.measured.note(WARM, invocation.took);
                }
            }
        }
        Ok(())
    }
}

/// One invocation, which must succeed.
async fn invoke(running: &mut Running, event: &Value) -> Result<Invocation, Failed> {
    let turn = match running.turn.take() {
        Some(turn) => turn,
        None => running.service.turn().await?,
    };
    let invocation = running.service.invoke(turn, event).await?;
    let answer: Value = serde_json::from_slice(&invocation.answer)?;
    match answer["statusCode"].as_u64() {
        Some(200..=299) => Ok(invocation),
        _ => Err(format!("{event}\nwas answered by\n{answer}").into()),
    }
}

async fn bench(arguments: &Arguments) -> Result<(), Failed> {
    let root = &Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    // target/release/bench
    let program = std::env::current_exe()?;
    let programs = program.parent().ok_or("the program is in a folder")?;
    if !arguments.no_build {
        for package in ["hello", "floor", "local"] {
            cargo_build(root, package, &[])?;
        }
        let mut functions: Vec<&str> = arguments.only.iter().map(String::as_str).collect();
        if !functions.is_empty() {
            functions.extend(MAKERS);
        }
        cargo_build(root, "functions", &functions)?;
    }
    let folder = programs.parent().ok_or("the target folder")?.join("bench");
    std::fs::create_dir_all(&folder)?;
    let node = if arguments.no_node {
        None
    } else {
        node_build(root, &folder.join("node"))?
    };

    let engine = Engine::start(programs)?;
    let plain = Endpoint::Plain(engine.url.clone());
    let tls = tls::before(recorder::host(&engine.url).to_owned(), &folder).await?;
    let mut bench = Bench {
        engine,
        creator: Program::new([programs.join(MAKERS[0])]).start(&plain).await?,
        closer: Program::new([programs.join(MAKERS[1])]).start(&plain).await?,
        scenarios: Scenario::all(root)?,
        number: 0,
    };
    let names: Vec<String> = bench
        .scenarios
        .iter()
        .map(|scenario| scenario.function.clone())
        .collect();

    let hello = programs.join("hello");
    let floor = programs.join("floor");
    let mut rows = vec![Row::new("hello", Program::new([hello.clone()]), hello, Asks::Anything)];
    let asked = |name: &String| arguments.only.is_empty() || arguments.only.contains(name);
    for (index, name) in names.iter().enumerate().filter(|(_, name)| asked(name)) {
        let file = programs.join(name);
        let program = Program::new([file.clone()]);
        let calls = folder.join(format!("{name}.json"));
        let recorded = bench
            .record(index, &program, &calls)
            .await
            .map_err(|why| format!("{name}: {why}"))?;
        rows.push(Row::new(name, program, file, Asks::Function(index)));
        let program = Program::new([floor.clone()]).with("FLOOR_CALLS", &calls);
        let asks = Asks::Floor(index, recorded);
        rows.push(Row::new(&format!("floor of {name}"), program, floor.clone(), asks));
    }
    if let (Some((program, bundle)), Some(index)) =
        (node, names.iter().position(|name| name == "create" && asked(name)))
    {
        // That it will need another version one day is told on standard error.
        let program = program.with("NODE_NO_WARNINGS", Path::new("1"));
        rows.push(Row::new("create in Node", program, bundle, Asks::Function(index)));
    }

    for round in 1..=arguments.rounds {
        eprint!("\rcold: {round} of {} ", arguments.rounds);
        for row in &mut rows {
            bench
                .cold(row, &tls)
                .await
                .map_err(|why| format!("{}: {why}", row.measured.name))?;
        }
    }
    eprintln!();
    for name in WARMED {
        eprintln!("warm: {name}");
        let mut running: Vec<&mut Row> = rows.iter_mut().filter(|row| row.measured.name.contains(name)).collect();
        bench.warm(&mut running, arguments.invocations).await?;
    }
    let rows: Vec<Measured> = rows.into_iter().map(|row| row.measured).collect();
    report::print(&rows, &WARMED, arguments.rounds, arguments.invocations)
}
