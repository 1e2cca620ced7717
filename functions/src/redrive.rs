//! Passing on again what is in the table: a part of `notify`, for an operator.

use domain::{DealId, Timestamp};
use edge::{App, Failure, clock};
use serde::Deserialize;
use serde_json::{Value, json};
use store::EventRecord;

use crate::notify::{News, pass_on};

/// No more is begun this long before the deadline.
const MARGIN: u64 = 30_000;

/// Which events.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Redrive {
    #[serde(rename_all = "camelCase")]
    Deal { deal_id: String },
    Written {
        from: String,
        to: String,
        #[serde(default)]
        cursor: Option<String>,
    },
}

#[derive(Default)]
struct Report {
    events: usize,
    failed: Vec<String>,
}

/// Publishes again what a deal holds (`{"dealId"}`), or what was written in a span of time (`{"from", "to"}`, and `"cursor"`
/// to go on). What had not been told yet is told as well; what had is not told twice.
pub(crate) async fn redrive(app: &App, event: &Value, deadline: u64) -> Result<Value, Failure> {
    let redrive = Redrive::deserialize(event).map_err(|_| {
        bad(r#"A redrive is {"dealId": "…"} or {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}, with "cursor" to go on."#)
    })?;
    let mut report = Report::default();
    let next = match redrive {
        Redrive::Deal { deal_id } => {
            let deal = DealId::parse(&deal_id).map_err(|flaw| bad(format!("The dealId {}.", flaw.message)))?;
            let events = app.store.events_of(&deal).await?;
            report.pass_on(app, events, deadline).await?;
            None
        }
        Redrive::Written { from, to, cursor } => {
            let from = Timestamp::parse(&from).map_err(|flaw| bad(format!("from {}.", flaw.message)))?;
            let to = Timestamp::parse(&to).map_err(|flaw| bad(format!("to {}.", flaw.message)))?;
            if to < from {
                return Err(bad("from must not be after to."));
            }
            let mut next = cursor;
            loop {
                let page = app.store.events_written(from, to, next.as_deref()).await?;
                let page = page.ok_or_else(|| bad("The cursor is none that a redrive has given."))?;
                report.pass_on(app, page.events, deadline).await?;
                next = page.next;
                if next.is_none() || clock::now().millis() + MARGIN >= deadline {
                    break next;
                }
            }
        }
    };
    Ok(json!({"events": report.events, "failed": report.failed, "next": next}))
}

impl Report {
    async fn pass_on(&mut self, app: &App, events: Vec<EventRecord>, deadline: u64) -> Result<(), Failure> {
        let news: Vec<News> = events.into_iter().map(News::of).collect::<Result<_, _>>()?;
        let news: Vec<&News> = news.iter().filter(|news| !news.telling.messages.is_empty()).collect();
        let outcomes = pass_on(app, news.iter().map(|news| Some(*news)), deadline).await?;
        for (news, outcome) in news.into_iter().zip(outcomes) {
            match outcome {
                Ok(()) => self.events += 1,
                Err(why) => {
                    let event = &news.telling.event.id;
                    tracing::error!(event, %why, "not published again");
                    self.failed.push(event.clone());
                }
            }
        }
        Ok(())
    }
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new("BadEvent", message)
}
