//! The queues: SQS.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use thiserror::Error;

/// A queue did not take what it was given.
#[derive(Debug, Error)]
#[error("the queue did not answer as it should: {0}")]
pub struct QueueError(String);

impl QueueError {
    fn of(error: impl std::error::Error) -> Self {
        Self(DisplayErrorContext(error).to_string())
    }
}

/// The longest that a message can be hidden: twelve hours.
pub const LONGEST_HIDDEN: Duration = Duration::from_hours(12);

/// All queues, through a client of SQS.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
}

impl Queues {
    /// The queues that this client reaches.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Puts a message into a queue. Messages of one `group` do not keep those of others waiting, however many they are
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>).
    pub async fn send(&self, queue_url: &str, body: String, group: Option<&str>) -> Result<(), QueueError> {
        let request = self
            .client
            .send_message()
            .queue_url(queue_url)
            .message_body(body)
            .set_message_group_id(group.map(str::to_owned));
        request.send().await.map(drop).map_err(QueueError::of)
    }

    /// Has a message that was received come again after a while; at most [`LONGEST_HIDDEN`].
    pub async fn hide(&self, queue_url: &str, receipt_handle: &str, time: Duration) -> Result<(), QueueError> {
        let seconds = i32::try_from(time.min(LONGEST_HIDDEN).as_secs()).unwrap_or(i32::MAX);
        let request = self
            .client
            .change_message_visibility()
            .queue_url(queue_url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(seconds);
        request.send().await.map(drop).map_err(QueueError::of)
    }
}
