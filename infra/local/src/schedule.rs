//! The schedule: EventBridge's part in the sweep.

use std::time::Duration;

use domain::Timestamp;
use edge::{clock, entropy};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::lambda::Lambda;

/// Invokes a function again and again until told to stop, `every` from start to start but never while it still runs. A failure
/// is told and does not keep the next one from coming.
pub(crate) fn start(
    lambda: Lambda,
    function: String,
    every: Duration,
    mut stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = lambda.invoke(&function, event(clock::now())).await {
                tracing::error!(function, error, "scheduled function failed: {function}: {error}");
            }
        }
    })
}

/// What EventBridge sends on a schedule.
pub(crate) fn event(now: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": format!("{:032x}", entropy::entropy()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": now.datetime().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": "local",
        "resources": ["arn:aws:events:local:000000000000:rule/cosell-sweep"],
        "detail": {},
    })
}
