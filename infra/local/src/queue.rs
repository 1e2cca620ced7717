//! The queues: SQS, as far as one process needs it. Messages are kept in memory and end with the stack.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use edge::entropy;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::lambda::Lambda;
use crate::template;

/// So many batches are worked on at once.
const BATCHES: usize = 50;
/// When nothing is waiting, this is looked at again after a while.
const IDLE: Duration = Duration::from_hours(1);

/// All queues, by their logical ids.
#[derive(Clone)]
pub(crate) struct Queues {
    queues: Arc<BTreeMap<String, Queue>>,
}

struct Queue {
    settings: template::Queue,
    messages: Mutex<Vec<Message>>,
    /// Something about the messages has changed.
    changed: Notify,
}

#[derive(Debug, Clone)]
struct Message {
    id: String,
    body: String,
    received: u32,
    visible_at: Instant,
    /// Of the latest time that it was received.
    receipt: String,
}

fn id() -> String {
    format!("{:032x}", entropy::entropy())
}

impl Queue {
    fn messages(&self) -> MutexGuard<'_, Vec<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    pub(crate) fn new(queues: BTreeMap<String, template::Queue>) -> Self {
        let queues = queues.into_iter().map(|(id, settings)| {
            let queue = Queue {
                settings,
                messages: Mutex::default(),
                changed: Notify::new(),
            };
            (id, queue)
        });
        Self {
            queues: Arc::new(queues.collect()),
        }
    }

    /// Puts a message in and gives its id; `None` if there is no such queue.
    pub(crate) fn send(&self, queue: &str, body: String) -> Option<String> {
        let queue = self.queues.get(queue)?;
        let id = id();
        queue.messages().push(Message {
            id: id.clone(),
            body,
            received: 0,
            visible_at: Instant::now(),
            receipt: String::new(),
        });
        queue.changed.notify_one();
        Some(id)
    }

    /// Hides a message for a while; whether there is one with this receipt.
    pub(crate) fn hide(&self, queue: &str, receipt: &str, time: Duration) -> bool {
        let Some(queue) = self.queues.get(queue) else {
            return false;
        };
        let mut messages = queue.messages();
        let found = messages.iter_mut().find(|message| message.receipt == receipt);
        if let Some(message) = found {
            message.visible_at = Instant::now() + time;
            queue.changed.notify_one();
            return true;
        }
        false
    }

    /// The bodies of the messages in a queue, hidden ones too.
    pub(crate) fn bodies(&self, queue: &str) -> Vec<String> {
        let queue = self.queues.get(queue);
        queue.map_or_else(Vec::new, |queue| {
            queue.messages().iter().map(|message| message.body.clone()).collect()
        })
    }

    /// Up to so many messages that are visible, hidden from now on. What was received too often goes among the dead.
    fn receive(&self, name: &str, limit: usize) -> Vec<Message> {
        let Some(queue) = self.queues.get(name) else {
            return Vec::new();
        };
        let now = Instant::now();
        let (mut received, mut dead) = (Vec::new(), Vec::new());
        queue.messages().retain_mut(|message| {
            if message.visible_at > now || received.len() == limit {
                return true;
            }
            message.received += 1;
            if queue
                .settings
                .dead
                .as_ref()
                .is_some_and(|(_, most)| message.received > *most)
            {
                dead.push(message.body.clone());
                return false;
            }
            message.visible_at = now + queue.settings.visibility_timeout;
            message.receipt = id();
            received.push(message.clone());
            true
        });
        if let Some((target, _)) = &queue.settings.dead {
            for body in dead {
                self.send(target, body);
            }
        }
        received
    }

    fn delete(&self, queue: &str, id: &str) {
        if let Some(queue) = self.queues.get(queue) {
            queue.messages().retain(|message| message.id != id);
        }
    }

    /// When the next message becomes visible.
    fn next(&self, queue: &str) -> Instant {
        let next = self
            .queues
            .get(queue)
            .and_then(|queue| queue.messages().iter().map(|message| message.visible_at).min());
        next.unwrap_or_else(|| Instant::now() + IDLE)
    }

    /// Gives the messages of a queue to its function, batch by batch and many at once, until told to stop.
    pub(crate) fn consume(
        &self,
        lambda: Lambda,
        consumer: template::Consumer,
        mut stop: watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let queues = self.clone();
        tokio::spawn(async move {
            let mut running = JoinSet::new();
            let Some(queue) = queues.queues.get(&consumer.queue) else {
                return;
            };
            loop {
                if running.len() < BATCHES {
                    let batch = queues.receive(&consumer.queue, consumer.batch_size);
                    if !batch.is_empty() {
                        running.spawn(work(lambda.clone(), queues.clone(), consumer.clone(), batch));
                        continue;
                    }
                }
                let next = queues.next(&consumer.queue);
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return,
                    () = queue.changed.notified() => {}
                    () = sleep_until(next), if running.len() < BATCHES => {}
                    Some(_) = running.join_next() => {}
                }
            }
        })
    }
}

/// Gives a batch to the function. What it does not report as failed is done; the rest becomes visible again in its time.
async fn work(lambda: Lambda, queues: Queues, consumer: template::Consumer, batch: Vec<Message>) {
    let failed: Vec<String> = match lambda.invoke(&consumer.function, event(&consumer.queue, &batch)).await {
        Ok(answer) => {
            let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
            failures
                .filter_map(|failure| failure["itemIdentifier"].as_str().map(str::to_owned))
                .collect()
        }
        Err(error) => {
            let function = consumer.function;
            tracing::error!(function, error, "function failed: {function}: {error}");
            return;
        }
    };
    for message in batch.into_iter().filter(|message| !failed.contains(&message.id)) {
        queues.delete(&consumer.queue, &message.id);
    }
}

/// What Lambda makes of a batch.
fn event(queue: &str, batch: &[Message]) -> Value {
    let record = |message: &Message| {
        json!({
            "messageId": message.id,
            "receiptHandle": message.receipt,
            "body": message.body,
            "attributes": {"ApproximateReceiveCount": message.received.to_string()},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:local:000000000000:{queue}"),
            "awsRegion": "local",
        })
    };
    json!({"Records": batch.iter().map(record).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues() -> Queues {
        let queue = |dead: Option<(&str, u32)>| template::Queue {
            visibility_timeout: Duration::from_secs(30),
            dead: dead.map(|(queue, most)| (queue.to_owned(), most)),
        };
        let queues = [
            ("Work".to_owned(), queue(Some(("Dead", 2)))),
            ("Dead".to_owned(), queue(None)),
        ];
        Queues::new(queues.into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_comes_until_it_is_deleted_and_then_no_more() {
        let queues = queues();
        queues.send("Work", "a".into()).expect("a queue");
        let first = queues.receive("Work", 10);
        assert_eq!(first.len(), 1);
        assert!(queues.receive("Work", 10).is_empty(), "hidden");
        assert!(queues.hide("Work", &first[0].receipt, Duration::from_secs(5)));
        assert!(!queues.hide("Work", "another", Duration::ZERO));
        tokio::time::advance(Duration::from_secs(5)).await;
        let second = queues.receive("Work", 10);
        assert_eq!((second[0].received, second[0].id == first[0].id), (2, true));
        queues.delete("Work", &second[0].id);
        tokio::time::advance(Duration::from_mins(1)).await;
        assert!(queues.receive("Work", 10).is_empty());
        assert_eq!(queues.send("Nowhere", "a".into()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_too_often_goes_among_the_dead() {
        let queues = queues();
        queues.send("Work", "a".into()).expect("a queue");
        for _ in 0..2 {
            assert_eq!(queues.receive("Work", 10).len(), 1);
            tokio::time::advance(Duration::from_secs(30)).await;
        }
        assert!(queues.receive("Work", 10).is_empty());
        assert_eq!(queues.bodies("Dead"), ["a"]);
        assert!(queues.bodies("Work").is_empty());
    }
}
