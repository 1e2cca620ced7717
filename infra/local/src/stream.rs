//! The stream of the table: Lambda's part in bringing its records to a function, as the template maps them.
//!
//! Each shard is read in order, one batch at a time; what the function reports as failed comes again, with all that follows.
//! How far each shard was read is kept in a table of its own, so that a stack that starts again goes on where the last one
//! stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_dynamodbstreams::types::{OperationType, Record, Shard, ShardIteratorType, StreamRecord, StreamViewType};
use quamina::Quamina;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::TABLE;
use crate::lambda::Lambda;
use crate::template::StreamMapping;

/// The table of what was read: one item for each shard.
pub(crate) const CHECKPOINTS: &str = "cosell-checkpoints";
/// How often the stream is looked at when nobody says that something was written.
const EVERY: Duration = Duration::from_millis(200);
/// How long what failed waits before it comes again, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Brings the records of the table's stream to a function.
pub(crate) struct Reader {
    streams: Client,
    tables: aws_sdk_dynamodb::Client,
    lambda: Lambda,
    mapping: StreamMapping,
    patterns: Quamina<usize>,
    /// Somebody has written something.
    written: Arc<Notify>,
}

/// How far a shard was read.
#[derive(Clone)]
enum Position {
    Reading(String),
    Ended,
}

/// Why reading stopped.
struct Failed {
    error: String,
    /// Whether some of what was brought was passed on.
    progressed: bool,
}

impl From<String> for Failed {
    fn from(error: String) -> Self {
        Self {
            error,
            progressed: false,
        }
    }
}

impl Reader {
    /// A reader. The error names what of a pattern is not understood.
    pub(crate) fn new(
        streams: Client,
        tables: aws_sdk_dynamodb::Client,
        lambda: Lambda,
        mapping: StreamMapping,
        written: Arc<Notify>,
    ) -> Result<Self, String> {
        let mut patterns = Quamina::new();
        for (index, pattern) in mapping.patterns.iter().enumerate() {
            patterns
                .add_pattern(index, pattern)
                .map_err(|error| format!("the pattern {pattern}: {error}"))?;
        }
        Ok(Self {
            streams,
            tables,
            lambda,
            mapping,
            patterns,
            written,
        })
    }

    /// Reads until told to stop.
    pub(crate) fn start(self, mut stop: watch::Receiver<bool>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut positions = BTreeMap::new();
            let mut pause = PAUSE.0;
            loop {
                match self.read(&mut positions).await {
                    Ok(()) => {
                        pause = PAUSE.0;
                        let wait = timeout(EVERY, self.written.notified());
                        tokio::select! {
                            _ = stop.wait_for(|stop| *stop) => return,
                            _ = wait => {}
                        }
                    }
                    Err(Failed { error, progressed }) => {
                        tracing::error!(error, "the stream is read again: {error}");
                        // From where it was read last.
                        positions.clear();
                        if progressed {
                            pause = PAUSE.0;
                        }
                        tokio::select! {
                            _ = stop.wait_for(|stop| *stop) => return,
                            () = tokio::time::sleep(pause) => {}
                        }
                        pause = (pause * 2).min(PAUSE.1);
                    }
                }
            }
        })
    }

    /// Reads all shards as far as they go, a shard after the one that it came from.
    async fn read(&self, positions: &mut BTreeMap<String, Position>) -> Result<(), Failed> {
        if positions.values().all(|position| matches!(position, Position::Ended)) {
            self.find_shards(positions).await?;
        }
        for (shard, position) in positions.iter_mut() {
            while let Position::Reading(iterator) = position.clone() {
                let answer = self
                    .streams
                    .get_records()
                    .shard_iterator(iterator)
                    .limit(1_000)
                    .send()
                    .await;
                let answer = answer.map_err(told)?;
                let records = answer.records();
                self.bring(shard, records).await?;
                *position = answer
                    .next_shard_iterator
                    .clone()
                    .map_or(Position::Ended, Position::Reading);
                if records.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn find_shards(&self, positions: &mut BTreeMap<String, Position>) -> Result<(), Failed> {
        let table = self
            .tables
            .describe_table()
            .table_name(TABLE)
            .send()
            .await
            .map_err(told)?;
        let stream = table.table().and_then(|table| table.latest_stream_arn());
        let stream = stream.ok_or_else(|| "the table has no stream".to_owned())?;
        let answer = self
            .streams
            .describe_stream()
            .stream_arn(stream)
            .send()
            .await
            .map_err(told)?;
        let shards = answer
            .stream_description
            .map(|stream| stream.shards.unwrap_or_default());
        for shard in in_order(shards.unwrap_or_default()) {
            if positions.contains_key(&shard) {
                continue;
            }
            let start = match self.checkpoint(&shard).await? {
                Some(number) => match self.iterator(stream, &shard, Some(number)).await {
                    // Older than what the stream still has.
                    Err((Some("TrimmedDataAccessException"), _)) => self.iterator(stream, &shard, None).await,
                    start => start,
                },
                None => self.iterator(stream, &shard, None).await,
            };
            positions.insert(shard, Position::Reading(start.map_err(|(_, error)| error)?));
        }
        Ok(())
    }

    /// An iterator behind a record, or at the beginning of a shard; else the code of the error and what it says.
    async fn iterator(
        &self,
        stream: &str,
        shard: &str,
        after: Option<String>,
    ) -> Result<String, (Option<&'static str>, String)> {
        let kind = match after {
            Some(_) => ShardIteratorType::AfterSequenceNumber,
            None => ShardIteratorType::TrimHorizon,
        };
        let request = self
            .streams
            .get_shard_iterator()
            .stream_arn(stream)
            .shard_id(shard)
            .shard_iterator_type(kind)
            .set_sequence_number(after);
        match request.send().await {
            Ok(answer) => answer.shard_iterator.ok_or((None, "no shard iterator".to_owned())),
            Err(error) => {
                let trimmed = error.code() == Some("TrimmedDataAccessException");
                Err((trimmed.then_some("TrimmedDataAccessException"), told(error)))
            }
        }
    }

    /// Gives what matches to the function, and notes how far it has come.
    async fn bring(&self, shard: &str, records: &[Record]) -> Result<(), Failed> {
        let Some(last) = records.last().and_then(sequence_number) else {
            return Ok(());
        };
        let events = records.iter().map(event);
        let wanted: Vec<Value> = events.filter(|event| self.wants(event)).collect();
        let size = usize::try_from(self.mapping.batch_size).unwrap_or(1);
        for batch in wanted.chunks(size) {
            self.invoke(shard, batch).await?;
        }
        self.note(shard, last).await
    }

    fn wants(&self, event: &Value) -> bool {
        self.mapping.patterns.is_empty() || self.patterns.has_matches(event.to_string().as_bytes()).unwrap_or(false)
    }

    /// One batch, until none of it fails. A batch that fails as a whole is halved, so that one record cannot keep the others.
    async fn invoke(&self, shard: &str, batch: &[Value]) -> Result<(), Failed> {
        let answer = self
            .lambda
            .invoke(&self.mapping.function, json!({"Records": batch}))
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if batch.len() > 1 => {
                tracing::error!(error, "function failed, its batch is halved: {error}");
                let (first, second) = batch.split_at(batch.len() / 2);
                Box::pin(self.invoke(shard, first)).await?;
                return Box::pin(self.invoke(shard, second)).await;
            }
            Err(error) => return Err(error.into()),
        };
        let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
        let failed: BTreeSet<&str> = failures
            .filter_map(|failure| failure["itemIdentifier"].as_str())
            .collect();
        let number = |event: &Value| {
            event["dynamodb"]["SequenceNumber"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        match batch.iter().position(|event| failed.contains(number(event).as_str())) {
            None => Ok(()),
            // As Lambda does: the first of them and everything that follows.
            Some(first) => {
                if let Some(before) = batch[..first].last() {
                    self.note(shard, &number(before)).await?;
                }
                Err(Failed {
                    error: format!("{} of {} events were not passed on", failed.len(), batch.len()),
                    progressed: first > 0,
                })
            }
        }
    }

    async fn checkpoint(&self, shard: &str) -> Result<Option<String>, Failed> {
        let request = self.tables.get_item().table_name(CHECKPOINTS).consistent_read(true);
        let answer = request
            .key("shard", AttributeValue::S(shard.to_owned()))
            .send()
            .await
            .map_err(told)?;
        let number = answer.item.and_then(|mut item| item.remove("sequenceNumber"));
        Ok(number.and_then(|number| number.as_s().ok().cloned()))
    }

    async fn note(&self, shard: &str, number: &str) -> Result<(), Failed> {
        let request = self
            .tables
            .put_item()
            .table_name(CHECKPOINTS)
            .item("shard", AttributeValue::S(shard.to_owned()))
            .item("sequenceNumber", AttributeValue::S(number.to_owned()));
        request.send().await.map_err(told)?;
        Ok(())
    }
}

/// Each shard after its parent.
fn in_order(shards: Vec<Shard>) -> Vec<String> {
    // Ids grow with time, so that a parent's is smaller.
    let ids: BTreeSet<String> = shards.into_iter().filter_map(|shard| shard.shard_id).collect();
    ids.into_iter().collect()
}

fn sequence_number(record: &Record) -> Option<&str> {
    record.dynamodb()?.sequence_number()
}

/// What Lambda makes of a record.
fn event(record: &Record) -> Value {
    let change = record.dynamodb();
    let item = |item: Option<&std::collections::HashMap<_, _>>| {
        item.map(|item| json!(serde_dynamo::Item::from(item.clone())))
            .unwrap_or_default()
    };
    json!({
        "eventID": record.event_id(),
        "eventName": record.event_name().map(OperationType::as_str),
        "eventVersion": record.event_version(),
        "eventSource": record.event_source(),
        "awsRegion": record.aws_region(),
        "dynamodb": {
            "ApproximateCreationDateTime": change
                .and_then(|change| change.approximate_creation_date_time())
                .map(aws_sdk_dynamodbstreams::primitives::DateTime::as_secs_f64),
            "Keys": item(change.and_then(|change| change.keys())),
            "NewImage": item(change.and_then(|change| change.new_image())),
            "SequenceNumber": record.dynamodb().and_then(|change| change.sequence_number()),
            "SizeBytes": change.and_then(StreamRecord::size_bytes),
            "StreamViewType": change.and_then(|change| change.stream_view_type()).map(StreamViewType::as_str),
        },
        "eventSourceARN": format!("arn:aws:dynamodb:local:000000000000:table/{TABLE}/stream/local"),
    })
}

fn told(error: impl std::error::Error) -> String {
    DisplayErrorContext(error).to_string()
}
