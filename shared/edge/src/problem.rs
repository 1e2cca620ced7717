//! Why a request was not carried out, as a problem document (RFC 9457) with a stable `code`.

use domain::{Fault, Faults, Outcome, Refusal, RegistrationStatus, Standing};
use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use serde::Serialize;

use crate::answer::Answer;
use crate::request::{Accepts, MAX_BODY};
use crate::telemetry;

/// An answer other than success. Everything in it is meant for the caller: nothing internal gets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    faults: Vec<Fault>,
    standing: Option<Standing>,
    registration: Option<RegistrationStatus>,
    header: Option<(&'static str, &'static str)>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            faults: Vec::new(),
            standing: None,
            registration: None,
            header: None,
        }
    }

    fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.header = Some((name, value));
        self
    }

    /// 400: the body is not JSON.
    pub fn malformed_json(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformedJson", detail)
    }

    /// 400: a query parameter or header; the detail names it and says what would be right.
    pub fn malformed_parameter(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformedParameter", detail)
    }

    /// 400: a cursor that this list did not give to this organization for this query.
    pub fn malformed_cursor() -> Self {
        let detail = "The cursor is none that this list has given for these parameters; start without one.";
        Self::new(StatusCode::BAD_REQUEST, "malformedCursor", detail)
    }

    /// 401: nobody has verified who is calling.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).with_header("www-authenticate", "Bearer")
    }

    /// 403: no role that allows it. For a rule of the deal, [`Refusal::Forbidden`] has the code.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404: no such thing, or none that the caller may know of. Always the very same text.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "notFound",
            "There is nothing here that your organization takes part in.",
        )
    }

    /// 412: `If-Match` names another version than `current`.
    pub fn precondition_failed(current: u64) -> Self {
        let detail = format!("It has changed since you read it: its version is now {current}. Read it again.");
        Self::new(StatusCode::PRECONDITION_FAILED, "preconditionFailed", detail)
    }

    /// 412: `If-Match` names a version, and there is nothing yet.
    pub fn precondition_failed_without() -> Self {
        let detail = "There is nothing yet that If-Match could mean; leave it away.";
        Self::new(StatusCode::PRECONDITION_FAILED, "preconditionFailed", detail)
    }

    /// 413: the body.
    pub fn too_large() -> Self {
        let detail = format!("The body may have at most {MAX_BODY} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "tooLarge", detail)
    }

    /// 415: names the media types that would be right, in the detail and in `Accept-Post` or `Accept-Patch`.
    pub fn unsupported_media_type(accepts: Accepts) -> Self {
        let (header, types) = accepts.header();
        let detail = format!("The Content-Type must be {}.", types.replace(", ", " or "));
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupportedMediaType", detail).with_header(header, types)
    }

    /// 422: all that is wrong with the fields of a request.
    pub fn invalid(faults: Faults) -> Self {
        let detail = match faults.0.len() {
            1 => "One field is wrong.".to_owned(),
            count => format!("{count} fields are wrong."),
        };
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validationFailed", detail);
        problem.faults = faults.0;
        problem
    }

    /// 422: the `Idempotency-Key` has been used for another path or body.
    pub fn idempotency_key_reused() -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotencyKeyReused",
            "This Idempotency-Key was used for a request with another path or body; take a new one.",
        )
    }

    /// 428: `If-Match` is needed.
    pub fn precondition_required() -> Self {
        Self::new(
            StatusCode::PRECONDITION_REQUIRED,
            "preconditionRequired",
            "Send If-Match with the ETag that you read, so that nobody's change is overwritten unseen.",
        )
    }

    /// 503: come again in a second.
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The database cannot answer at the moment. Try again.",
        )
        .with_header("retry-after", "1")
    }

    /// 500: says nothing; what happened is in the log.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side.",
        )
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Stable, machine-readable.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::not_found(),
            Refusal::Forbidden { code, message } => Self::new(StatusCode::FORBIDDEN, code, message),
            Refusal::Conflict {
                code,
                message,
                standing,
            } => Self {
                standing,
                ..Self::new(StatusCode::CONFLICT, code, message)
            },
            Refusal::WrongStatus { message, status } => Self {
                registration: Some(status),
                ..Self::new(StatusCode::CONFLICT, "wrongStatus", message)
            },
            Refusal::Invalid(faults) => Self::invalid(faults),
        }
    }
}

/// Here the failure of the database ends, so here it is logged.
impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        telemetry::failure(&error);
        match error {
            store::Error::Unavailable { .. } => Self::unavailable(),
            _ => Self::internal(),
        }
    }
}

impl From<store::CursorError> for Problem {
    fn from(_: store::CursorError) -> Self {
        Self::malformed_cursor()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    // The code says more than a page behind a URI could, so the type is the one that RFC 9457 has for that.
    r#type: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Item<'a>>,
    #[serde(flatten)]
    standing: Option<Where>,
    // `status` is HTTP's.
    #[serde(rename = "registrationStatus", skip_serializing_if = "Option::is_none")]
    registration: Option<&'a str>,
}

#[derive(Serialize)]
struct Item<'a> {
    pointer: &'a str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    allowed: &'a [&'a str],
}

#[derive(Serialize)]
struct Where {
    stage: &'static str,
    outcome: Option<&'static str>,
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let errors = problem.faults.iter().map(|fault| Item {
            pointer: &fault.pointer,
            code: fault.code,
            message: &fault.message,
            allowed: &fault.allowed,
        });
        let document = Document {
            r#type: "about:blank",
            title: problem.status.canonical_reason().unwrap_or_default(),
            status: problem.status(),
            detail: &problem.detail,
            code: problem.code,
            errors: errors.collect(),
            standing: problem.standing.map(|standing| Where {
                stage: standing.stage.as_str(),
                outcome: standing.outcome.map(Outcome::as_str),
            }),
            registration: problem.registration.map(RegistrationStatus::as_str),
        };
        let answer = Self::with_type("application/problem+json", problem.status(), &document);
        match problem.header {
            Some((name, value)) => answer.header(name, value),
            None => answer,
        }
    }
}

impl From<Problem> for Response<Body> {
    fn from(problem: Problem) -> Self {
        Answer::from(problem).into()
    }
}

#[cfg(test)]
mod tests {
    use domain::{Flaw, Stage};
    use serde_json::{Value, json};

    use super::*;

    fn sent(problem: impl Into<Problem>) -> (Answer, Value) {
        let answer = Answer::from(problem.into());
        let body = serde_json::from_str(&answer.body).expect("JSON");
        (answer, body)
    }

    fn has(answer: &Answer, name: &str, value: &str) -> bool {
        answer
            .headers
            .iter()
            .any(|header| *header == (name.to_owned(), value.to_owned()))
    }

    #[test]
    fn a_conflict_tells_where_it_stands() {
        let refusal = |stage, outcome| Refusal::Conflict {
            code: "wrongStage",
            message: "The opportunity is expired.".into(),
            standing: Some(Standing { stage, outcome }),
        };
        let (answer, body) = sent(refusal(Stage::Archived, Some(Outcome::Expired)));
        assert!(has(&answer, "content-type", "application/problem+json"));
        assert_eq!(answer.status, 409);
        assert_eq!(
            body,
            json!({
                "type": "about:blank", "title": "Conflict", "status": 409, "code": "wrongStage",
                "detail": "The opportunity is expired.", "stage": "archived", "outcome": "expired",
            })
        );
        let (_, body) = sent(refusal(Stage::Accepted, None));
        assert_eq!((&body["stage"], &body["outcome"]), (&json!("accepted"), &Value::Null));
        assert!(
            body.as_object().is_some_and(|body| body.contains_key("outcome")),
            "null, not absent"
        );
    }

    #[test]
    fn a_registrations_conflict_tells_its_status_beside_that_of_http() {
        let (_, body) = sent(Refusal::WrongStatus {
            message: "The registration is approved.".into(),
            status: RegistrationStatus::Approved,
        });
        assert_eq!(
            body,
            json!({
                "type": "about:blank", "title": "Conflict", "status": 409, "code": "wrongStatus",
                "detail": "The registration is approved.", "registrationStatus": "approved",
            })
        );
    }

    #[test]
    fn all_faults_are_listed() {
        let faults = vec![
            Flaw::new("empty", "must not be empty").at("/name"),
            Flaw::choice(&["accept", "decline"]).at("/decision"),
        ];
        let (_, body) = sent(Refusal::Invalid(Faults(faults)));
        assert_eq!(
            (&body["status"], &body["code"]),
            (&json!(422), &json!("validationFailed"))
        );
        assert_eq!(
            body["errors"],
            json!([
                {"pointer": "/name", "code": "empty", "message": "must not be empty"},
                {"pointer": "/decision", "code": "invalidChoice", "message": "must be one of accept, decline",
                 "allowed": ["accept", "decline"]},
            ])
        );
        assert_eq!(body.get("stage"), None);
    }

    #[test]
    fn a_failure_of_the_database_says_nothing_of_itself() {
        let source = "SECRET arn:aws:dynamodb".to_owned();
        let (answer, body) = sent(store::Error::Corrupt(source));
        assert_eq!((answer.status, &body["code"]), (500, &json!("internal")));
        assert!(!answer.body.contains("SECRET"));
    }

    #[test]
    fn headers_that_help_the_caller() {
        assert!(has(&sent(Problem::unavailable()).0, "retry-after", "1"));
        assert!(has(&sent(Problem::unauthorized("")).0, "www-authenticate", "Bearer"));
        let (answer, body) = sent(Problem::unsupported_media_type(Accepts::MergePatch));
        assert!(has(
            &answer,
            "accept-patch",
            "application/merge-patch+json, application/json"
        ));
        assert_eq!(
            body["detail"],
            "The Content-Type must be application/merge-patch+json or application/json."
        );
    }
}
