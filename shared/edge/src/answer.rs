//! A successful answer: plain data, so that it can be stored and replayed byte for byte.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::request;

/// Status, headers and body, exactly as they go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, each once.
    pub headers: Vec<(String, String)>,
    /// Empty where there is none.
    pub body: String,
}

impl Answer {
    fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
        // A browser or proxy may keep an answer for its own user, but asks each time whether it is still right.
        .header("cache-control", "private, no-cache")
        .header("x-content-type-options", "nosniff")
    }

    pub(crate) fn with_type(content_type: &str, status: u16, body: &impl Serialize) -> Self {
        let mut answer = Self::new(status).header("content-type", content_type);
        answer.body = serde_json::to_string(body).expect("answers have string keys and no fallible parts");
        answer
    }

    /// A JSON body.
    ///
    /// # Panics
    ///
    /// If the value has a map with keys that are no strings, or serializes only sometimes. Views do neither.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        Self::with_type("application/json", status, body)
    }

    /// The same answer, `ETag` included, with a JSON body that says more.
    ///
    /// # Panics
    ///
    /// As [`Self::json`].
    #[must_use]
    pub fn with_body(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_string(body).expect("answers have string keys and no fallible parts");
        self
    }

    /// 204.
    pub fn no_content() -> Self {
        Self::new(204)
    }

    /// 304: what the caller has, of which it named the tag, is still right.
    pub fn not_modified(etag: &str) -> Self {
        Self::new(304).etag(etag)
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Adds an `ETag`, quotes included: see [`etag`].
    #[must_use]
    pub fn etag(self, etag: impl Into<String>) -> Self {
        self.header("etag", etag)
    }

    /// Adds the `ETag` of this version and this body.
    #[must_use]
    pub fn versioned(self, version: u64) -> Self {
        let tag = etag(version, &self.body);
        self.etag(tag)
    }

    /// The answer, or 304 when the request says that the caller has it (`If-None-Match`).
    #[must_use]
    pub fn unless_known(self, request: &Request) -> Self {
        match self.get("etag") {
            Some(etag) if request::if_none_match(request, etag) => Self::not_modified(etag),
            _ => self,
        }
    }

    /// Adds a `Location`, a path.
    #[must_use]
    pub fn location(self, path: impl Into<String>) -> Self {
        self.header("location", path)
    }
}

/// The entity tag of a representation, quotes included: `"<version>-<16 hex digits of its SHA-256>"`. The version is what
/// `If-Match` compares; the digest makes `If-None-Match` notice what changed without a new version of the view.
pub fn etag(version: u64, representation: &str) -> String {
    let digest = Sha256::digest(representation);
    format!("\"{version}-{}\"", hex(&digest[..8]))
}

/// Two hex digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |hex, byte| {
        format!("{hex}{byte:02x}")
    })
}

impl From<Answer> for Response<Body> {
    fn from(answer: Answer) -> Self {
        let body = match answer.body {
            empty if empty.is_empty() => Body::Empty,
            text => Body::Text(text),
        };
        let mut response = Response::builder().status(answer.status);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        response.body(body).unwrap_or_else(|_| {
            // Only a stored answer that somebody has tampered with gets here.
            let mut response = Self::new(Body::Empty);
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_survives_storage() {
        let answer = Answer::json(201, &json!({"name": "Überseehafen \u{1f600} \"x\""}))
            .versioned(3)
            .location("/v1/opportunities/01ARZ3NDEKTSV4RRFFQ69G5FAV");
        let stored = serde_json::to_string(&answer).expect("stored");
        assert_eq!(serde_json::from_str::<Answer>(&stored).expect("read"), answer);
    }

    #[test]
    fn headers_and_body_of_the_response() {
        let response = Response::from(Answer::json(200, &json!({"a": 1})).versioned(12));
        let header = |name| response.headers()[name].to_str().expect("ASCII").to_owned();
        assert_eq!(response.status(), 200);
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("cache-control"), "private, no-cache");
        assert_eq!(header("x-content-type-options"), "nosniff");
        // printf '{"a":1}' | sha256sum
        assert_eq!(header("etag"), "\"12-015abd7f5cc57a2d\"");
        assert_eq!(response.body(), &Body::Text(r#"{"a":1}"#.into()));
    }

    #[test]
    fn answers_without_a_body() {
        let response = Response::from(Answer::not_modified("\"1-0000000000000000\""));
        assert_eq!((response.status().as_u16(), response.body()), (304, &Body::Empty));
        assert!(!response.headers().contains_key("content-type"));
        assert_eq!(response.headers()["etag"], "\"1-0000000000000000\"");
        assert_eq!(Answer::no_content().status, 204);
    }

    #[test]
    fn a_stored_answer_that_is_none_becomes_a_500() {
        let mut answer = Answer::no_content();
        answer.headers.push(("x".into(), "a\nb".into()));
        assert_eq!(Response::from(answer).status(), 500);
    }
}
