//! Loading a file of JSON Lines into a running stack, in portions, with its own line numbers in what is reported.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::client::{CommandError, post};
use crate::gateway::IMPORT;

/// Lines that are sent at a time.
const MAX_LINES: usize = 1_000;
/// Bytes that are sent at a time: the `import` function on AWS takes events of up to 6 MB.
const MAX_BYTES: usize = 4_000_000;

/// What became of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines that are not blank.
    pub read: u64,
    /// New items.
    pub created: u64,
    /// Items that were there and were different.
    pub updated: u64,
    /// Items that were there like this.
    pub unchanged: u64,
    /// What is wrong with a line, by its number in the file, from 1.
    pub bad: BTreeMap<usize, Vec<String>>,
}

/// How far an import is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Lines that are done.
    pub done: u64,
    /// Lines of the file that are not blank.
    pub lines: u64,
    /// Since the beginning.
    pub elapsed: Duration,
}

/// Sends a file's lines to the stack on this port of the machine, and tells how far it is whenever there is more to come. Bad
/// lines do not keep the others from going in.
pub async fn import(
    port: u16,
    file: impl AsRef<[u8]>,
    mut progress: impl FnMut(&Progress),
) -> Result<Report, CommandError> {
    let begun = Instant::now();
    let (portions, unsendable) = portions(file.as_ref());
    let mut report = Report {
        read: unsendable.len() as u64,
        bad: unsendable,
        ..Report::default()
    };
    let lines = portions.iter().map(|portion| portion.numbers.len() as u64).sum::<u64>() + report.read;
    for portion in portions {
        let answer = post(port, IMPORT, portion.text).await.map_err(|error| match error {
            CommandError::Failed(reason) => {
                let advice = "run the import again: what is there already is not written twice";
                CommandError::Failed(format!(
                    "the import stopped after {} of {lines} lines: {reason}; {advice}",
                    report.read
                ))
            }
            other => other,
        })?;
        report.add(&portion.numbers, &answer);
        if report.read < lines {
            progress(&Progress {
                done: report.read,
                lines,
                elapsed: begun.elapsed(),
            });
        }
    }
    Ok(report)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Portion {
    text: String,
    /// The place in the file of each line of the text.
    numbers: Vec<usize>,
}

/// Parts the lines so that what others refer to goes first: organizations, then their solutions, then customers. Tells too
/// which lines cannot be sent at all.
fn portions(file: &[u8]) -> (Vec<Portion>, BTreeMap<usize, Vec<String>>) {
    let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
    let (mut lines, mut unsendable) = (Vec::new(), BTreeMap::new());
    for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match str::from_utf8(line) {
            _ if line.len() >= MAX_BYTES => {
                unsendable.insert(number, vec![format!("has more than {MAX_BYTES} bytes")]);
            }
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => lines.push((number, line)),
            Err(error) => {
                let at = error.valid_up_to() + 1;
                unsendable.insert(number, vec![format!("is not UTF-8 from its byte {at} on (notUtf8)")]);
            }
        }
    }
    lines.sort_by_cached_key(|(number, line)| (order(line), *number));
    let mut portions: Vec<Portion> = Vec::new();
    for (number, line) in lines {
        match portions.last_mut() {
            Some(portion) if portion.numbers.len() < MAX_LINES && portion.text.len() + line.len() < MAX_BYTES => {
                portion.push(number, line);
            }
            _ => {
                let mut portion = Portion::default();
                portion.push(number, line);
                portions.push(portion);
            }
        }
    }
    (portions, unsendable)
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, lines, elapsed } = self;
        let rate = (u128::from(*done) * 1_000) / elapsed.as_millis().max(1);
        write!(f, "{done} of {lines} lines, {rate} a second")
    }
}

impl Portion {
    fn push(&mut self, number: usize, line: &str) {
        self.numbers.push(number);
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// When a line goes; a line that is none has the import function tell why.
fn order(line: &str) -> u8 {
    #[derive(Deserialize)]
    struct Line {
        kind: Value,
    }
    let line: Option<Line> = serde_json::from_str(line).ok();
    match line.as_ref().and_then(|line| line.kind.as_str()) {
        Some("organization") => 0,
        Some("solution") => 1,
        _ => 2,
    }
}

impl Report {
    fn add(&mut self, numbers: &[usize], answer: &Value) {
        let count = |name: &str| answer[name].as_u64().unwrap_or(0);
        self.read += count("read");
        self.created += count("created");
        self.updated += count("updated");
        self.unchanged += count("unchanged");
        for bad in answer["bad"].as_array().into_iter().flatten() {
            let line = bad["line"]
                .as_u64()
                .and_then(|line| usize::try_from(line).ok())
                .unwrap_or(0);
            // Lines are counted from 1.
            let Some(number) = line.checked_sub(1).and_then(|index| numbers.get(index)) else {
                continue;
            };
            let errors = bad["errors"].as_array().into_iter().flatten().map(|error| {
                let part = |name: &str| error[name].as_str().unwrap_or_default();
                format!("{} {} ({})", part("pointer"), part("message"), part("code"))
                    .trim_start()
                    .to_owned()
            });
            self.bad.insert(*number, errors.collect());
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, errors) in &self.bad {
            writeln!(f, "line {number}: {}", errors.join("; "))?;
        }
        let Self {
            read,
            created,
            updated,
            unchanged,
            bad,
        } = self;
        write!(
            f,
            "{read} lines: {created} created, {updated} updated, {unchanged} unchanged, {} bad",
            bad.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CUSTOMER: &str = r#"{"kind": "customer", "name": "Litware", "country": "DE"}"#;

    #[test]
    fn what_is_referred_to_goes_first_and_lines_keep_their_numbers() {
        let text = format!(
            "\u{feff}{CUSTOMER}\n\nnot JSON\r\n{}\n  \n{}",
            r#"{"kind": "solution", "id": "s"}"#, r#"{"id": "o", "kind": "organization"}"#
        );
        let (portions, unsendable) = portions(text.as_bytes());
        assert_eq!(unsendable, BTreeMap::new());
        let [portion] = &portions[..] else {
            panic!("{portions:?}")
        };
        assert_eq!(portion.numbers, [6, 4, 1, 3]);
        let expected = [
            r#"{"id": "o", "kind": "organization"}"#,
            r#"{"kind": "solution", "id": "s"}"#,
            CUSTOMER,
            "not JSON",
        ];
        assert_eq!(portion.text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_big_file_goes_in_portions() {
        let sizes = |text: &str| -> Vec<usize> {
            let (portions, _) = portions(text.as_bytes());
            portions.iter().map(|portion| portion.numbers.len()).collect()
        };
        assert_eq!(sizes(""), Vec::<usize>::new());
        assert_eq!(sizes(&"{}\n".repeat(2_500)), [1_000, 1_000, 500]);
        let long = format!("{}\n", "x".repeat(MAX_BYTES / 2));
        assert_eq!(sizes(&long.repeat(3)), [1, 1, 1]);
    }

    #[test]
    fn what_cannot_be_sent_is_told_and_the_rest_is_sent() {
        let long = "x".repeat(MAX_BYTES);
        let file = [b"{}\n", long.as_bytes(), b"\nM\xfcller\r\n{}\r\n"].concat();
        let (portions, unsendable) = portions(&file);
        assert_eq!(
            portions.iter().map(|portion| &portion.numbers[..]).collect::<Vec<_>>(),
            [[1, 4]]
        );
        let reasons: Vec<_> = unsendable
            .into_iter()
            .map(|(number, reason)| (number, reason.join("")))
            .collect();
        let expected = [
            (2, "has more than 4000000 bytes"),
            (3, "is not UTF-8 from its byte 2 on (notUtf8)"),
        ];
        assert_eq!(reasons, expected.map(|(number, reason)| (number, reason.to_owned())));
    }

    #[test]
    fn progress_is_one_line() {
        let progress = Progress {
            done: 3_000,
            lines: 10_000,
            elapsed: Duration::from_millis(1_500),
        };
        assert_eq!(progress.to_string(), "3000 of 10000 lines, 2000 a second");
    }

    #[test]
    fn a_report_adds_up() {
        let mut report = Report::default();
        let error = json!({"pointer": "/country", "code": "invalidCountry", "message": "must be …"});
        let malformed = json!({"pointer": "", "code": "malformedJson", "message": "is not JSON"});
        let bad = json!([{"line": 2, "errors": [error, malformed]}]);
        report.add(
            &[7, 9],
            &json!({"read": 2, "created": 1, "updated": 0, "unchanged": 0, "bad": bad}),
        );
        report.add(
            &[3],
            &json!({"read": 1, "created": 0, "updated": 0, "unchanged": 1, "bad": []}),
        );
        let expected = "line 9: /country must be … (invalidCountry); is not JSON (malformedJson)\n\
                        3 lines: 1 created, 0 updated, 1 unchanged, 1 bad";
        assert_eq!(report.to_string(), expected);
    }
}
