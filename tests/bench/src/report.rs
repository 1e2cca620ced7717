//! What was measured, as tables.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::Failed;
use crate::program::sizes;

/// From the start to the first question for an event, as deployed.
pub const READY: &str = "ready";
/// From the start to the first answer, by HTTP.
pub const ANSWER: &str = "answer";
/// From the first event to its answer, by HTTP.
pub const FIRST: &str = "first";
/// From the start to the first answer, by HTTPS.
pub const TLS_ANSWER: &str = "tls answer";
/// From the first event to its answer, by HTTPS.
pub const TLS_FIRST: &str = "tls first";
/// From an event to its answer, once warm.
pub const WARM: &str = "warm";

/// What was measured of a program.
pub struct Measured {
    /// Its name.
    pub name: String,
    file: PathBuf,
    times: BTreeMap<&'static str, Vec<Duration>>,
    /// Its peaks, in KiB.
    pub memory: Vec<u32>,
}

impl Measured {
    /// Of a program in this file.
    pub fn new(name: &str, file: PathBuf) -> Self {
        Self {
            name: name.to_owned(),
            file,
            times: BTreeMap::new(),
            memory: Vec::new(),
        }
    }

    /// One measurement more.
    pub fn note(&mut self, what: &'static str, time: Duration) {
        self.times.entry(what).or_default().push(time);
    }

    fn time(&self, what: &str) -> Time {
        let mut times = self.times.get(what).cloned().unwrap_or_default();
        times.sort();
        let milliseconds = |time: Option<&Duration>| time.map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0);
        Time {
            p50: milliseconds(times.get(times.len() / 2)),
            min: milliseconds(times.first()),
        }
    }

    fn memory(&self) -> f64 {
        let mut memory = self.memory.clone();
        memory.sort_unstable();
        memory
            .get(memory.len() / 2)
            .map_or(f64::NAN, |&kib| f64::from(kib) / 1_024.0)
    }
}

/// Milliseconds, or how many times as many. On a machine that does other things too, the least says more than the median.
#[derive(Clone, Copy)]
struct Time {
    p50: f64,
    min: f64,
}

impl Time {
    fn over(self, other: Self) -> Self {
        Self {
            p50: self.p50 / other.p50,
            min: self.min / other.min,
        }
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.p50.is_nan() {
            f.write_str("–")
        } else {
            write!(f, "{:.2} ({:.2})", self.p50, self.min)
        }
    }
}

const NOTHING: Time = Time {
    p50: f64::NAN,
    min: f64::NAN,
};

/// Prints tables, and how far the goals are met.
pub fn print(rows: &[Measured], warmed: &[&str], rounds: u32, invocations: u32) -> Result<(), Failed> {
    let find = |name: &str| rows.iter().find(|row| row.name == name);
    let time = |name: &str, what| find(name).map_or(NOTHING, |row| row.time(what));
    let hello = time("hello", READY);
    let node = time("create in Node", READY);
    let mut goals = Goals::default();

    println!("Cold, {rounds} starts each: milliseconds, p50 (least).\n");
    println!(
        "| program | first `/next` | × hello | first answer | × floor | first answer by TLS | × floor | \
         first invocation by TLS | peak MiB | MB | zip MB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for row in rows {
        let (bytes, zip) = sizes(&row.file)?;
        let (megabytes, zip) = (megabytes(bytes), megabytes(zip));
        let floor = |what| time(&format!("floor of {}", row.name), what);
        let ready = row.time(READY).over(hello);
        let answer = row.time(ANSWER).over(floor(ANSWER));
        let by_tls = row.time(TLS_ANSWER).over(floor(TLS_ANSWER));
        println!(
            "| {} | {} | {ready} | {} | {answer} | {} | {by_tls} | {} | {:.1} | {megabytes:.2} | {zip:.2} |",
            row.name,
            row.time(READY),
            row.time(ANSWER),
            row.time(TLS_ANSWER),
            row.time(TLS_FIRST),
            row.memory(),
        );
        if !floor(ANSWER).p50.is_nan() {
            goals.at_most("first `/next`, × hello", 1.6, &row.name, ready);
            goals.at_most("first answer, × floor", 1.2, &row.name, answer);
            goals.at_most("first answer by TLS, × floor", 1.2, &row.name, by_tls);
            goals.at_most("zip, MB", 2.0, &row.name, Time { p50: zip, min: zip });
            // As the other way round is a goal of at least.
            let part = row.time(READY).over(node);
            goals.at_most("first `/next`, × Node", 1.0 / 120.0, &row.name, part);
        }
    }

    println!("\nWarm, {invocations} invocations each, in turns: round trips a second, p50.\n");
    println!("| function | round trips | the floor's | share | Node's |\n|---|---|---|---|---|");
    for name in warmed {
        let (own, floor) = (time(name, WARM), time(&format!("floor of {name}"), WARM));
        if own.p50.is_nan() {
            continue;
        }
        let node = time(&format!("{name} in Node"), WARM);
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} % | {} |",
            1_000.0 / own.p50,
            1_000.0 / floor.p50,
            100.0 * floor.p50 / own.p50,
            if node.p50.is_nan() {
                "–".to_owned()
            } else {
                format!("{:.0}", 1_000.0 / node.p50)
            },
        );
        goals.at_most("warm round trip, × floor", 1.0 / 0.85, name, own.over(floor));
    }

    println!("\n| goal | at most | worst, p50 (least) | |\n|---|---|---|---|");
    for (goal, (limit, name, worst)) in &goals.0 {
        let met = if worst.p50 <= *limit { "met" } else { "missed" };
        println!(
            "| {goal} | {limit:.4} | {name}: {:.4} ({:.4}) | {met} |",
            worst.p50, worst.min
        );
    }
    Ok(())
}

/// By goal: its limit, and who is furthest from it.
#[derive(Default)]
struct Goals<'a>(BTreeMap<&'static str, (f64, &'a str, Time)>);

impl<'a> Goals<'a> {
    fn at_most(&mut self, goal: &'static str, limit: f64, name: &'a str, reached: Time) {
        if reached.p50.is_nan() {
            return;
        }
        let worst = self.0.entry(goal).or_insert((limit, name, reached));
        if reached.p50 > worst.2.p50 {
            *worst = (limit, name, reached);
        }
    }
}

/// Millions of bytes.
#[expect(clippy::cast_precision_loss, reason = "a program has no 2^52 bytes")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
