//! Loads organizations, solutions and customers from JSON Lines. Invoked by an operator; has no route.
//!
//! Repeatable: what is there already and the same is only read, a hundred customers at a time, so an import that broke off is
//! run again and is soon where it was. Lines may be in any order: organizations go first, then solutions, then customers.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Fault, Faults, Flaw, Line};
use edge::{App, Failure};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use store::{Error, Imported};

/// Customers that are written at once.
const AT_ONCE: usize = 32;
/// Customers that are read at once, in one request.
const READ_AT_ONCE: usize = 100;
/// How often a write is tried again that the table has no capacity for at the moment: an import may take all there is.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Bad lines that are shown, and faults of each: a report of the wrong file is one that Lambda passes on, too.
const MAX_BAD: usize = 1_000;
const MAX_FAULTS: usize = 10;

#[derive(Default)]
struct Report {
    read: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    bad: BTreeMap<usize, Faults>,
}

/// Imports `{"lines": "<JSON Lines>"}` and reports what became of the lines, each bad one by its number. The rest of the
/// lines goes in. Fails when the table cannot be written: then it is run again.
pub async fn handle(app: App, event: Value, _deadline: u64) -> Result<Value, Failure> {
    let mut report = Report::default();
    let mut organizations = Vec::new();
    let mut solutions = Vec::new();
    // Lines about the same customer are written one after the other: the last one counts.
    let mut customers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let lines = event.get("lines").and_then(Value::as_str);
    let lines = lines.ok_or_else(|| Failure::new("BadEvent", "The event must be {\"lines\": \"<JSON Lines>\"}."))?;
    for (number, line) in (1..).zip(lines.trim_start_matches('\u{feff}').lines()) {
        if line.trim().is_empty() {
            continue;
        }
        report.read += 1;
        match read(line) {
            Ok(Line::Organization(organization)) => organizations.push((number, organization)),
            Ok(Line::Solution(solution)) => solutions.push((number, solution)),
            Ok(Line::Customer(customer)) => customers
                .entry(customer.id.clone())
                .or_default()
                .push((number, customer)),
            Err(faults) => {
                report.bad.insert(number, faults);
            }
        }
    }
    for (number, organization) in organizations {
        let imported = patiently(|| app.store.import_organization(&organization)).await?;
        report.count(number, imported);
    }
    for (number, solution) in solutions {
        let imported = patiently(|| app.store.import_solution(&solution)).await?;
        report.count(number, imported);
    }
    let store = &app.store;
    let mut customers = customers.into_iter();
    loop {
        let (ids, lines): (Vec<_>, Vec<_>) = customers.by_ref().take(READ_AT_ONCE).unzip();
        if ids.is_empty() {
            break;
        }
        let known = patiently(|| store.known_customers(&ids)).await?;
        let writes = lines.into_iter().zip(known).map(|(lines, known)| async move {
            let (mut done, mut known) = (Vec::new(), Some(known));
            for (number, customer) in lines {
                // Of the lines about the same customer, the first one finds what was read; the others what that one wrote.
                let imported = patiently(|| store.import_customer(&customer, known.take())).await?;
                done.push((number, imported));
            }
            Ok::<_, Error>(done)
        });
        let done: Vec<_> = stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await?;
        for (number, imported) in done.into_iter().flatten() {
            report.count(number, imported);
        }
    }
    Ok(report.shown())
}

/// Does it again, later and later, while the table cannot: it is busy with what this import asks of it.
async fn patiently<T, F: Future<Output = Result<T, Error>>>(mut act: impl FnMut() -> F) -> Result<T, Error> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match act().await {
            Err(Error::Unavailable(_)) => tokio::time::sleep(pause).await,
            other => return other,
        }
        pause *= 2;
    }
    act().await
}

fn read(line: &str) -> Result<Line, Faults> {
    let malformed = |error: serde_json::Error| {
        Faults(vec![
            Flaw::new("malformedJson", format!("is not JSON at column {}", error.column())).at(""),
        ])
    };
    serde_json::from_str(line)
        .map_err(malformed)
        .and_then(|value| Line::read(&value))
}

impl Report {
    fn count(&mut self, number: usize, imported: Imported) {
        match imported {
            Imported::Created => self.created += 1,
            Imported::Updated => self.updated += 1,
            Imported::Unchanged => self.unchanged += 1,
            Imported::Refused(pointer, flaw) => {
                self.bad.insert(number, Faults(vec![flaw.at(pointer)]));
            }
        }
    }

    fn shown(&self) -> Value {
        let fault = |fault: &Fault| json!({"pointer": fault.pointer, "code": fault.code, "message": fault.message});
        let faults = |faults: &Faults| faults.0.iter().take(MAX_FAULTS).map(fault).collect::<Vec<_>>();
        let bad = |(line, found): (&usize, &Faults)| json!({"line": line, "errors": faults(found)});
        json!({
            "read": self.read,
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "badLines": self.bad.len(),
            "bad": self.bad.iter().take(MAX_BAD).map(bad).collect::<Vec<_>>(),
        })
    }
}
