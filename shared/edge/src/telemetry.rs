//! What is logged: JSON lines, one for each request, and one for each failure at the place where it ends.
//!
//! Never names, email addresses, bodies, query strings or tokens: the ids lead to them for those who may see them.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use domain::{DealId, OrganizationId, Timestamp};
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use serde_json::{Map, Value, json};
use tracing::{Level, Span};

use crate::answer::Answer;
use crate::capacity::Usage;
use crate::claims::Caller;
use crate::request;

/// Whether standard output is a log of Lambda: only there metrics are read from it.
static LOGS: AtomicBool = AtomicBool::new(false);
/// The CloudWatch namespace of all metrics.
const NAMESPACE: &str = "Cosell";
/// How the paths of deals begin.
const DEALS: &str = "/v1/opportunities/";

/// Sends events of level `info` and above to standard output as JSON lines. Does nothing where a subscriber is set already.
pub fn init() {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .with_target(false)
        .with_ansi(false)
        .with_max_level(Level::INFO)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
    LOGS.store(true, Ordering::Relaxed);
}

/// A number that an operator watches: its name in CloudWatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Invitations that were accepted.
    Accepted,
    /// Invitations that were declined.
    Declined,
    /// Invitations that nobody answered in time.
    Expired,
    /// How long ago the oldest of what a sweep found was due.
    SweepLag,
    /// How long ago the oldest of the events that could not be published was written; 0 when all were.
    OldestUnpublishedEventAge,
    /// Attempts that the database refused because there were too many.
    DatabaseThrottles,
}

impl Metric {
    const fn name_and_unit(self) -> (&'static str, &'static str) {
        match self {
            Self::Accepted => ("Accepted", "Count"),
            Self::Declined => ("Declined", "Count"),
            Self::Expired => ("Expired", "Count"),
            Self::SweepLag => ("SweepLag", "Seconds"),
            Self::OldestUnpublishedEventAge => ("OldestUnpublishedEventAge", "Seconds"),
            Self::DatabaseThrottles => ("DatabaseThrottles", "Count"),
        }
    }
}

/// Tells CloudWatch some metrics: one line in its embedded metric format, which costs no call.
pub fn measure(stack: Option<&str>, now: Timestamp, values: &[(Metric, f64)]) {
    if LOGS.load(Ordering::Relaxed) && !values.is_empty() {
        println!("{}", embedded(stack, now, values));
    }
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
fn embedded(stack: Option<&str>, now: Timestamp, values: &[(Metric, f64)]) -> Value {
    let definitions: Vec<Value> = values
        .iter()
        .map(|(metric, _)| {
            let (name, unit) = metric.name_and_unit();
            json!({"Name": name, "Unit": unit})
        })
        .collect();
    let mut line = Map::new();
    let directive = json!({"Namespace": NAMESPACE, "Dimensions": [["Stack"]], "Metrics": definitions});
    line.insert(
        "_aws".into(),
        json!({"Timestamp": now.millis(), "CloudWatchMetrics": [directive]}),
    );
    line.insert("Stack".into(), stack.unwrap_or("-").into());
    for (metric, value) in values {
        line.insert(metric.name_and_unit().0.into(), (*value).into());
    }
    line.into()
}

/// Logs a failure with everything that caused it.
pub fn failure(error: &dyn Error) {
    let mut causes = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        causes = format!("{causes}: {cause}");
        source = cause.source();
    }
    tracing::error!(error = causes, "failed");
}

/// One invocation, from its start to the line that tells how it went.
pub(crate) struct Invocation {
    function: &'static str,
    request_id: String,
    organization: Option<OrganizationId>,
    deal: Option<DealId>,
    usage: Arc<Usage>,
    cold_start: bool,
    started: Instant,
}

impl Invocation {
    pub fn start(function: &'static str, request_id: String) -> Self {
        static WARM: AtomicBool = AtomicBool::new(false);
        Self {
            function,
            request_id,
            organization: None,
            deal: None,
            usage: Arc::default(),
            cold_start: !WARM.swap(true, Ordering::Relaxed),
            started: Instant::now(),
        }
    }

    /// Has API Gateway's id of the request, the one that the caller sees too.
    pub fn of(function: &'static str, request: &Request) -> Self {
        let request_id = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
            _ => None,
        };
        Self {
            organization: Caller::of(request).ok().map(|caller| caller.actor.organization),
            deal: request
                .raw_http_path()
                .starts_with(DEALS)
                .then(|| request::path(request, "id"))
                .flatten()
                .and_then(|id| DealId::parse(&id).ok()),
            ..Self::start(function, request_id.unwrap_or_default())
        }
    }

    /// What is logged within it carries its id.
    pub fn span(&self) -> Span {
        tracing::info_span!("invocation", function = self.function, request_id = self.request_id)
    }

    /// Counts what it asks of the database.
    pub fn usage(&self) -> Arc<Usage> {
        Arc::clone(&self.usage)
    }

    /// Writes the line: the answer to an HTTP request, and the code of what went wrong.
    pub fn finish(self, stack: Option<&str>, now: Timestamp, answer: Option<&Answer>, code: Option<&str>) {
        // Microseconds in thousandths: the digits that a float would add say nothing.
        let micros = u32::try_from(self.started.elapsed().as_micros()).unwrap_or(u32::MAX);
        let created = answer
            .and_then(|answer| answer.get("location"))
            .and_then(|location| DealId::parse(location.strip_prefix(DEALS)?).ok());
        let deal = self.deal.or(created);
        tracing::info!(
            function = self.function,
            request_id = self.request_id,
            organization = self.organization.as_ref().map(OrganizationId::as_str),
            deal = deal.as_ref().map(DealId::as_str),
            outcome = code.unwrap_or("ok"),
            status = answer.map(|answer| answer.status),
            latency_ms = f64::from(micros) / 1_000.0,
            read_units = self.usage.reads(),
            write_units = self.usage.writes(),
            cold_start = self.cold_start,
            "answered"
        );
        if self.usage.throttles() > 0 {
            measure(
                stack,
                now,
                &[(Metric::DatabaseThrottles, f64::from(self.usage.throttles()))],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_in_the_embedded_format() {
        let now = Timestamp::parse("2026-11-21T09:30:00Z").expect("an instant");
        let line = embedded(Some("cosell"), now, &[(Metric::Expired, 3.0), (Metric::SweepLag, 0.5)]);
        let expected = json!({
            "_aws": {
                "Timestamp": 1_795_253_400_000_u64,
                "CloudWatchMetrics": [{
                    "Namespace": "Cosell",
                    "Dimensions": [["Stack"]],
                    "Metrics": [{"Name": "Expired", "Unit": "Count"}, {"Name": "SweepLag", "Unit": "Seconds"}],
                }],
            },
            "Stack": "cosell",
            "Expired": 3.0,
            "SweepLag": 0.5,
        });
        assert_eq!(line, expected);
    }
}
