//! The Lambda service, as far as one process needs it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use edge::{App, clock};
use serde_json::Value;

/// Runs functions in this process, through the same code as on AWS.
#[derive(Clone)]
pub(crate) struct Lambda {
    pub(crate) app: App,
    /// How long each function may take.
    timeouts: Arc<BTreeMap<String, Duration>>,
}

impl Lambda {
    pub(crate) fn new(app: App, timeouts: BTreeMap<String, Duration>) -> Self {
        Self {
            app,
            timeouts: Arc::new(timeouts),
        }
    }

    /// One event in, one answer out. As on AWS a function runs to its end even when nobody waits for it any more, and one that
    /// panics or takes too long does no harm to others.
    pub(crate) async fn invoke(&self, function: &str, event: Value) -> Result<Value, String> {
        let timeout = *self
            .timeouts
            .get(function)
            .ok_or_else(|| format!("there is no function {function}"))?;
        // By the clock of the machine that the function runs on.
        let deadline = clock::now()
            .plus(self.app.config.clock_ahead)
            .plus(TimeDelta::from_std(timeout).unwrap_or(TimeDelta::MAX))
            .millis();
        let (app, name) = (self.app.clone(), function.to_owned());
        let mut running = tokio::spawn(async move { functions::invoke(&name, &app, event, deadline).await });
        match tokio::time::timeout(timeout, &mut running).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(format!("{function} panicked")),
            Err(_) => {
                running.abort();
                Err(format!("{function} timed out after {} seconds", timeout.as_secs()))
            }
        }
    }
}
