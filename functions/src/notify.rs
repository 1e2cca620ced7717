//! From the table's stream to those concerned: their feeds, and the bus.
//!
//! Every step can be repeated. What is told is told once, because feed, mark and counters are one transaction; what is
//! published may be published again, with the same id. An event that fails is reported, and Lambda brings it again with all
//! that follows; the events of other deals go out all the same. What still fails after [`GIVE_UP_AFTER`] is kept in the
//! dead-letter queue with what it says, so that it does not keep its shard of the stream waiting for ever.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta};
use domain::{DealId, Timestamp};
use edge::{App, Failure, Metric, clock, entropy, telemetry};
use events::bus::{Outcome, Unpublished};
use events::{Announcement, Detail};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{Error, EventRecord, Telling};

/// How long an event is tried before it goes to the dead-letter queue.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(6);
/// Publishing stops this long before the deadline, so that what became of it can be told.
const MARGIN: u64 = 15_000;

/// A record of the stream, as Lambda has it.
#[derive(Deserialize)]
struct Record {
    dynamodb: Change,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    sequence_number: String,
    /// Seconds since 1970.
    approximate_creation_date_time: f64,
    new_image: Value,
}

/// An event on its way.
struct Arrived {
    sequence_number: String,
    since: Timestamp,
    image: Value,
    news: Result<News, Error>,
}

/// An event, in both of its forms.
pub(crate) struct News {
    pub(crate) telling: Telling,
    announcement: Announcement,
}

impl News {
    /// Whether somebody is told something, or something is counted.
    fn matters(&self) -> bool {
        !self.announcement.details.is_empty() || !self.telling.event.counts.is_empty()
    }

    pub(crate) fn of(event: EventRecord) -> Result<Self, Error> {
        let (deal, at, by) = (event.deal()?, event.at()?, event.by()?);
        // What cannot be counted is found out here, with the rest of what is unreadable.
        event.counts()?;
        let (mut messages, mut details) = (Vec::new(), Vec::new());
        for (id, notice) in event.notices()? {
            let detail = Detail::of(&id, &deal, at, by.as_ref(), &notice);
            messages.push((notice.recipient.organization, detail.json()));
            details.push(detail);
        }
        Ok(Self {
            telling: Telling { event, messages },
            announcement: Announcement { deal, details },
        })
    }
}

/// Tells and publishes the events of a batch of the stream, and answers which of them are to come again
/// (`batchItemFailures`). With `{"redrive": …}` it does so with events that are in the table.
pub async fn handle(app: App, event: Value, deadline: u64) -> Result<Value, Failure> {
    if let Some(redrive) = event.get("redrive") {
        return crate::redrive::redrive(&app, redrive, deadline).await;
    }
    let records = Vec::<Record>::deserialize(event.get("Records").unwrap_or(&Value::Null));
    let records = records.map_err(|error| {
        let message = format!("The event must be a batch of the table's stream, or {{\"redrive\": …}}: {error}");
        Failure::new("BadEvent", message)
    })?;
    // What is missing of the configuration fails the batch before anything is done.
    app.bus()?;
    app.config.dead_letters.get()?;
    let arrived: Vec<Arrived> = records.into_iter().map(Arrived::of).collect();
    let news = arrived.iter().map(|arrived| arrived.news.as_ref().ok());
    let outcomes = pass_on(&app, news, deadline).await?;

    let (mut failures, mut oldest) = (Vec::new(), None);
    for (arrived, outcome) in arrived.iter().zip(outcomes) {
        let why = match (&arrived.news, outcome) {
            (Ok(_), Ok(())) => continue,
            // It would be no more readable the next time.
            (Err(error), _) => {
                telemetry::failure(error);
                match keep(&app, arrived, "unreadable").await {
                    Ok(()) => continue,
                    Err(failure) => failure,
                }
            }
            (Ok(_), Err(why)) if arrived.since.plus(GIVE_UP_AFTER) <= clock::now() => {
                match keep(&app, arrived, &why.to_string()).await {
                    Ok(()) => continue,
                    Err(failure) => failure,
                }
            }
            (Ok(_), Err(why)) => why.to_string(),
        };
        let deal = arrived.news.as_ref().ok().map(|news| news.announcement.deal.as_str());
        tracing::error!(
            sequence_number = arrived.sequence_number,
            deal,
            why,
            "not published yet"
        );
        oldest = oldest.or(Some(arrived.since)).min(Some(arrived.since));
        failures.push(json!({"itemIdentifier": arrived.sequence_number}));
    }
    let now = clock::now();
    let age = oldest.map_or(0, |oldest| now.millis().saturating_sub(oldest.millis()));
    edge::measure(
        app.config.stack.as_deref(),
        now,
        &[(Metric::OldestUnpublishedEventAge, seconds(age))],
    );
    Ok(json!({"batchItemFailures": failures}))
}

impl Arrived {
    fn of(record: Record) -> Self {
        let Change {
            sequence_number,
            approximate_creation_date_time: created,
            new_image: image,
        } = record.dynamodb;
        Self {
            sequence_number,
            since: instant(created),
            news: EventRecord::from_image(&image).and_then(News::of),
            image,
        }
    }
}

/// Tells events in the feeds and publishes them, those of each deal in their order. `None` is nothing to be passed on.
pub(crate) async fn pass_on<'a>(
    app: &App,
    news: impl Iterator<Item = Option<&'a News>>,
    deadline: u64,
) -> Result<Vec<Outcome>, Failure> {
    let news: Vec<Option<&News>> = news.collect();
    let mut outcomes: Vec<Outcome> = vec![Ok(()); news.len()];
    let open: Vec<usize> = (0..news.len())
        .filter(|&index| news[index].is_some_and(News::matters))
        .collect();
    let of = |indexes: &[usize]| -> Vec<Telling> {
        let tellings = indexes.iter().filter_map(|&index| Some(news[index]?.telling.clone()));
        tellings.collect()
    };
    let mut told = Vec::new();
    match app.store.tell(&of(&open), clock::now(), entropy::entropy()).await {
        Ok(new) => {
            measure(
                app,
                open.iter()
                    .zip(new)
                    .filter(|(_, new)| *new)
                    .map(|(index, _)| news[*index]),
            );
            told = open;
        }
        // Something about one of them: the others do not wait for it.
        Err(error @ (Error::Refused(_) | Error::Corrupt(_))) => {
            telemetry::failure(&error);
            let mut held_back: HashSet<&DealId> = HashSet::new();
            for index in open {
                let Some(one) = news[index] else { continue };
                if held_back.contains(&one.announcement.deal) {
                    outcomes[index] = Err(Unpublished::HeldBack);
                    continue;
                }
                match app.store.tell(&of(&[index]), clock::now(), entropy::entropy()).await {
                    Ok(new) => {
                        measure(app, new.into_iter().filter(|new| *new).map(|_| news[index]));
                        told.push(index);
                    }
                    Err(error) => {
                        telemetry::failure(&error);
                        held_back.insert(&one.announcement.deal);
                        outcomes[index] = Err(Unpublished::Refused(error.to_string()));
                    }
                }
            }
        }
        Err(error) => {
            telemetry::failure(&error);
            for index in open {
                outcomes[index] = Err(Unpublished::Refused(error.to_string()));
            }
        }
    }
    let announcements: Vec<Announcement> = told
        .iter()
        .filter_map(|&index| Some(news[index]?.announcement.clone()))
        .collect();
    let has_time = || clock::now().millis() + MARGIN < deadline;
    let published = app.bus()?.publish(&announcements, has_time).await;
    for (index, outcome) in told.into_iter().zip(published) {
        outcomes[index] = outcome;
    }
    Ok(outcomes)
}

/// Counts what operators watch, of events that were told for the first time.
fn measure<'a>(app: &App, told: impl Iterator<Item = Option<&'a News>>) {
    let (mut accepted, mut declined, mut expired) = (0.0, 0.0, 0.0);
    for news in told.flatten() {
        match news.telling.event.event_type.as_str() {
            "accepted" => accepted += 1.0,
            "declined" => declined += 1.0,
            "expired" => expired += 1.0,
            _ => {}
        }
    }
    let counts = [
        (Metric::Accepted, accepted),
        (Metric::Declined, declined),
        (Metric::Expired, expired),
    ];
    let counts: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 0.0).collect();
    edge::measure(app.config.stack.as_deref(), clock::now(), &counts);
}

/// Puts what an event says into the dead-letter queue.
async fn keep(app: &App, arrived: &Arrived, why: &str) -> Result<(), String> {
    let queue = app.config.dead_letters.get().map_err(|error| error.to_string())?;
    let letter = json!({
        "why": why,
        "since": arrived.since.to_string(),
        "sequenceNumber": arrived.sequence_number,
        "event": arrived.image,
    });
    let kept = app.queues().send(queue, letter.to_string(), None).await;
    kept.map_err(|error| error.to_string())?;
    tracing::error!(
        sequence_number = arrived.sequence_number,
        why,
        "given up: kept in the dead-letter queue"
    );
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "an instant near the present")]
fn instant(seconds: f64) -> Timestamp {
    let milliseconds = (seconds * 1_000.0).round() as i64;
    Timestamp::from_datetime(DateTime::from_timestamp_millis(milliseconds).unwrap_or_default())
}

fn seconds(milliseconds: u64) -> f64 {
    f64::from(u32::try_from(milliseconds / 1_000).unwrap_or(u32::MAX))
}
