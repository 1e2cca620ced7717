//! What is logged: JSON lines, one for each request, and one for each failure at the place where it ends.
//!
//! Never names, email addresses, bodies, query strings or tokens: the ids lead to them for those who may see them.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use domain::OrganizationId;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use tracing::{Level, Span};

use crate::claims::Caller;

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
}

/// Logs a failure with everything that caused it.
pub(crate) fn failure(error: &dyn Error) {
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
            ..Self::start(function, request_id.unwrap_or_default())
        }
    }

    /// What is logged within it carries its id.
    pub fn span(&self) -> Span {
        tracing::info_span!("invocation", function = self.function, request_id = self.request_id)
    }

    /// Writes the line: the status of an HTTP request, and the code of what went wrong.
    pub fn finish(self, status: Option<u16>, code: Option<&str>) {
        // Microseconds in thousandths: the digits that a float would add say nothing.
        let micros = u32::try_from(self.started.elapsed().as_micros()).unwrap_or(u32::MAX);
        tracing::info!(
            function = self.function,
            request_id = self.request_id,
            organization = self.organization.as_ref().map(OrganizationId::as_str),
            status,
            code,
            latency_ms = f64::from(micros) / 1_000.0,
            cold_start = self.cold_start,
            "answered"
        );
    }
}
