//! How a function is entered: by the Lambda runtime, or by the local stack with the same JSON, through the same code.
//!
//! A handler is a function of the [`App`] and what arrived. A panic in one is not caught here: the runtime answers with an
//! error and keeps the process.

use std::fmt::{self, Write as _};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::http::header::HOST;
use lambda_http::request::LambdaRequest;
use lambda_http::{Body, Request, Response};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::time::timeout;
use tracing::Instrument;

use crate::App;
use crate::answer::Answer;
use crate::capacity::measured;
use crate::clock;
use crate::config::{Config, ConfigError};
use crate::problem::Problem;
use crate::telemetry::{self, Invocation};

/// How long a request may take. Each operation of the database has its own limit ([`crate::config`]), but a request has several,
/// and some of them are repeated. A function that takes longer than its `Timeout` (25 seconds in `infra/template.yaml`) is
/// killed, and the gateway says a bare 503 or 500 in its place; this one answers before that, so that the caller hears when
/// to come again. Whatever was under way may have been written: as with any lost answer, the `Idempotency-Key` tells.
pub const BUDGET: Duration = Duration::from_secs(20);

/// Carries out one HTTP request and logs one line about it.
pub async fn respond<F, Fut>(function: &'static str, app: &App, request: Request, handler: F) -> Response<Body>
where
    F: FnOnce(App, Request) -> Fut,
    Fut: Future<Output = Result<Answer, Problem>>,
{
    let invocation = Invocation::of(function, &request);
    // On the heap: what a handler waits for is nested more deeply than the compiler likes to lay out in one piece.
    let work = Box::pin(handler(app.clone(), request)).instrument(invocation.span());
    let work = clock::ahead_by(app.config.clock_ahead, measured(invocation.usage(), work));
    let result = timeout(BUDGET, work).await.unwrap_or_else(|_| {
        tracing::error!(function, "out of time");
        Err(Problem::unavailable())
    });
    let (answer, code) = match result {
        Ok(answer) => (answer, None),
        Err(problem) => {
            let code = problem.code();
            (problem.into(), Some(code))
        }
    };
    invocation.finish(app.config.stack.as_deref(), clock::now(), Some(&answer), code);
    answer.into()
}

/// Serves the HTTP requests of Lambda until the process ends. The settings come from the environment.
pub async fn http<F, Fut>(function: &'static str, handler: F) -> Result<(), lambda_runtime::Error>
where
    F: Fn(App, Request) -> Fut + Sync,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    telemetry::init();
    let (app, handler) = (&App::new(Config::from_env()?), &handler);
    lambda_runtime::run(service_fn(|event: LambdaEvent<LambdaRequest>| async move {
        translate(function, app, event.payload, handler).await
    }))
    .await
}

/// Does with one event of API Gateway (payload format 2.0) what [`http`] does, and gives what the function would return to
/// it. An error says why the event is none.
pub async fn invoke_http<F, Fut>(function: &'static str, app: &App, event: Value, handler: F) -> Result<Value, String>
where
    F: Fn(App, Request) -> Fut + Sync,
    Fut: Future<Output = Result<Answer, Problem>> + Send,
{
    let request: LambdaRequest = serde_json::from_value(event).map_err(|error| error.to_string())?;
    let response = translate(function, app, request, handler).await;
    serde_json::to_value(response.map_err(|failure| failure.to_string())?).map_err(|error| error.to_string())
}

/// One event of API Gateway in, one answer in its format out. Not by `lambda_http`'s `Adapter`, which can convert any text to UTF-8
/// and so links every encoding there is.
async fn translate<F, Fut>(
    function: &'static str,
    app: &App,
    mut event: LambdaRequest,
    handler: F,
) -> Result<ApiGatewayV2httpResponse, Failure>
where
    F: FnOnce(App, Request) -> Fut,
    Fut: Future<Output = Result<Answer, Problem>>,
{
    if let LambdaRequest::ApiGatewayV2(http) = &mut event {
        make_usable(http)?;
    }
    let (parts, body) = respond(function, app, event.into(), handler).await.into_parts();
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = parts.status.as_u16().into();
    response.headers = parts.headers;
    response.body = Some(body).filter(|body| !matches!(body, Body::Empty));
    Ok(response)
}

/// The longest path and query, in percent-encoded form, of which `http` makes a URI. API Gateway itself takes 10 KB.
const MAX_URI: usize = 60_000;

/// Leaves nothing in an event over which `lambda_http` would panic, for callers decide what some of it says: it makes a URI of
/// the path and the query as they came, takes any host for right, and any body for Base64 that is said to be.
fn make_usable(event: &mut ApiGatewayV2httpRequest) -> Result<(), Failure> {
    let unusable = |what: &str| Failure::new("BadEvent", format!("The event has no usable {what}."));
    // Nothing here asks under which name the API was called.
    event.headers.remove(HOST);
    event.request_context.domain_name = None;
    let path = event.raw_path.as_deref().unwrap_or_default();
    let stage = event.request_context.stage.as_deref().unwrap_or_default();
    if !path.starts_with('/') || 3 * (path.len() + stage.len()) > MAX_URI {
        return Err(unusable("path"));
    }
    if let Some(query) = &mut event.raw_query_string {
        *query = encoded(query);
        if query.len() > MAX_URI / 3 {
            return Err(unusable("query"));
        }
    }
    let body = event.body.as_deref().unwrap_or_default();
    if event.is_base64_encoded && STANDARD.decode(body).is_err() {
        return Err(unusable("body"));
    }
    Ok(())
}

/// A query with everything percent-encoded that a URI cannot have. It means the same.
fn encoded(query: &str) -> String {
    let mut encoded = String::with_capacity(query.len());
    for byte in query.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // A `String` takes whatever it is given.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Why a function that nobody calls over HTTP failed. Whoever invoked it sees both parts, so nothing internal gets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable, machine-readable: Lambda's `errorType`.
    pub kind: &'static str,
    /// For the operator: Lambda's `errorMessage`.
    pub message: String,
}

impl Failure {
    /// A failure that is told as it is.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

impl std::error::Error for Failure {}

/// Here the failure of the database ends, so here it is logged.
impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        telemetry::failure(&error);
        match error {
            store::Error::Unavailable { .. } => Self::new("Unavailable", "The database cannot answer at the moment."),
            _ => Self::new("Internal", "Something went wrong; the log tells what."),
        }
    }
}

/// What is missing is a matter of the deployment.
impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new("Configuration", error.to_string())
    }
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        Self {
            error_type: failure.kind.to_owned(),
            error_message: failure.message,
        }
    }
}

/// Serves the events of a function that is not behind HTTP until the process ends. The settings come from the environment.
/// The handler gets the event and the deadline in milliseconds since 1970.
pub async fn event<F, Fut>(function: &'static str, handler: F) -> Result<(), lambda_runtime::Error>
where
    F: Fn(App, Value, u64) -> Fut,
    Fut: Future<Output = Result<Value, Failure>>,
{
    telemetry::init();
    let (app, handler) = (&App::new(Config::from_env()?), &handler);
    lambda_runtime::run(service_fn(|LambdaEvent { payload, context }| async move {
        let invocation = Invocation::start(function, context.request_id);
        let deadline = usable(context.deadline, clock::now().millis());
        carry_out(invocation, app, payload, deadline, handler).await
    }))
    .await
}

/// How long a function takes itself that is not told, in milliseconds.
const NOT_TOLD: u64 = 60_000;

/// The deadline, in milliseconds since 1970. `cargo lambda` has none, and says 1970: nothing would ever be begun.
fn usable(deadline: u64, now: u64) -> u64 {
    if deadline > now { deadline } else { now + NOT_TOLD }
}

/// Does with one event what [`event`] does; an error is the text of the [`Failure`].
pub async fn invoke_event<F, Fut>(
    function: &'static str,
    app: &App,
    event: Value,
    deadline_ms: u64,
    handler: F,
) -> Result<Value, String>
where
    F: FnOnce(App, Value, u64) -> Fut,
    Fut: Future<Output = Result<Value, Failure>>,
{
    let invocation = Invocation::start(function, String::new());
    let result = carry_out(invocation, app, event, deadline_ms, handler).await;
    result.map_err(|failure| failure.to_string())
}

async fn carry_out<F, Fut>(
    invocation: Invocation,
    app: &App,
    event: Value,
    deadline_ms: u64,
    handler: F,
) -> Result<Value, Failure>
where
    F: FnOnce(App, Value, u64) -> Fut,
    Fut: Future<Output = Result<Value, Failure>>,
{
    let work = Box::pin(handler(app.clone(), event, deadline_ms)).instrument(invocation.span());
    let result = clock::ahead_by(app.config.clock_ahead, measured(invocation.usage(), work)).await;
    let code = result.as_ref().err().map(|failure| failure.kind);
    invocation.finish(app.config.stack.as_deref(), clock::now(), None, code);
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::claims::Caller;
    use crate::request::{self, Accepts};
    use crate::testing;

    async fn echo(_: App, request: Request) -> Result<Answer, Problem> {
        Caller::of(&request)?.may_write()?;
        let body = request::json_body(&request, Accepts::Json)?;
        Ok(Answer::json(201, &body).versioned(1).location("/v1/x"))
    }

    async fn invoke(event: Value) -> Result<Value, String> {
        invoke_http("echo", &testing::app(), event, echo).await
    }

    #[tokio::test]
    async fn an_event_goes_in_and_an_answer_comes_out() {
        let mut event = testing::event("POST", "/v1/opportunities");
        event["body"] = r#"{"name": "Ü"}"#.into();
        let answer = invoke(event).await.expect("an answer");
        assert_eq!(answer["statusCode"], 201);
        assert_eq!(answer["body"], r#"{"name":"Ü"}"#);
        assert_eq!(answer["isBase64Encoded"], false);
        assert_eq!(answer["headers"]["location"], "/v1/x");
        assert_eq!(answer["headers"]["content-type"], "application/json");
    }

    #[tokio::test]
    async fn a_problem_is_an_answer_too() {
        let mut event = testing::event("POST", "/v1/opportunities");
        event["requestContext"]["authorizer"]["jwt"]["claims"]["roles"] = "viewer".into();
        let answer = invoke(event).await.expect("an answer");
        assert_eq!(answer["statusCode"], 403);
        assert_eq!(answer["headers"]["content-type"], "application/problem+json");
        assert_eq!(answer["isBase64Encoded"], false);
        let body: Value = serde_json::from_str(answer["body"].as_str().expect("text")).expect("JSON");
        assert_eq!(body["code"], "forbidden");
    }

    /// `lambda_http` would panic over each of these.
    #[tokio::test]
    async fn what_a_caller_decides_of_an_event_does_no_harm() {
        let event = |name: &str, value: Value| {
            let mut event = testing::event("POST", "/v1/opportunities");
            event["body"] = "{}".into();
            event[name] = value;
            event
        };
        for usable in [
            event("rawQueryString", "a=<\"ü`>&b={|}^\\ #\u{0}".into()),
            event("rawPath", "/v1/a b<\"ü`>{|}^\\#?[".into()),
            event("headers", json!({"host": "[::", "x-forwarded-proto": "☃"})),
            event("headers", json!({"host": "a b:99999999"})),
        ] {
            let answer = invoke(usable.clone()).await;
            assert_eq!(answer.expect("an answer")["statusCode"], 201, "{usable}");
        }
        for (unusable, what) in [
            (event("rawPath", "v1".into()), "path"),
            (event("rawPath", format!("/{}", "ü".repeat(10_000)).into()), "path"),
            (event("rawQueryString", "ü".repeat(10_000).into()), "query"),
            (event("isBase64Encoded", true.into()), "body"),
        ] {
            let expected = format!("BadEvent: The event has no usable {what}.");
            assert_eq!(invoke(unusable).await, Err(expected));
        }
    }

    #[test]
    fn an_encoded_query_says_the_same() {
        assert_eq!(encoded("q=b%C3%BC+a&x=1,2"), "q=b%C3%BC+a&x=1,2");
        assert_eq!(encoded("q=ü \"#"), "q=%C3%BC%20%22%23");
    }

    #[tokio::test]
    async fn what_is_no_event_is_refused() {
        assert!(invoke(json!({"hello": "world"})).await.is_err());
    }

    /// The local stack serves requests on several threads.
    #[test]
    fn invocations_can_move_between_threads() {
        fn send<T: Send>(value: T) -> T {
            value
        }
        let app = testing::app();
        drop(send(invoke_http("echo", &app, Value::Null, echo)));
        drop(send(respond("echo", &app, Request::default(), echo)));
        drop(send(invoke_event("count", &app, Value::Null, 0, count)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_too_long_is_answered_before_the_function_is_killed() {
        let never = async |_, _| std::future::pending().await;
        let event = testing::event("GET", "/v1/opportunities");
        let answer = respond("never", &testing::app(), testing::request(&event), never).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &"1".parse().expect("a value"))
        );
    }

    async fn count(_: App, event: Value, deadline_ms: u64) -> Result<Value, Failure> {
        match event.as_array() {
            Some(items) => Ok(json!({"read": items.len(), "deadline": deadline_ms})),
            None => Err(Failure::new("BadEvent", "an array is needed")),
        }
    }

    #[tokio::test]
    async fn other_events() {
        let invoke = |event| async { invoke_event("count", &testing::app(), event, 7, count).await };
        assert_eq!(invoke(json!([1, 2])).await, Ok(json!({"read": 2, "deadline": 7})));
        assert_eq!(invoke(json!(1)).await, Err("BadEvent: an array is needed".to_owned()));
    }

    #[test]
    fn a_deadline_that_is_over_before_it_begins_is_none() {
        assert_eq!(usable(2_000, 1_000), 2_000);
        assert_eq!(usable(0, 1_000), 61_000);
    }

    #[test]
    fn a_failure_of_the_database_says_nothing_of_itself() {
        let diagnostic = Diagnostic::from(Failure::from(store::Error::Corrupt("SECRET".into())));
        assert_eq!(diagnostic.error_type, "Internal");
        assert!(!diagnostic.error_message.contains("SECRET"));
    }
}
