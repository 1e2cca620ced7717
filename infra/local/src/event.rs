//! HTTP to API Gateway's payload format 2.0, and the answer of a function back to HTTP.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE, TRANSFER_ENCODING, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::routes::{Parameters, Route};

/// Everything of a request that goes into its event.
pub(crate) struct Incoming<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) body: &'a Bytes,
    pub(crate) source: IpAddr,
    pub(crate) route: &'a Route,
    pub(crate) parameters: Parameters,
    /// Verified.
    pub(crate) claims: Map<String, Value>,
    /// Under which name the gateway can be reached.
    pub(crate) domain: &'a str,
    pub(crate) id: &'a str,
    pub(crate) now: Timestamp,
}

/// The path as API Gateway matches it and passes it on.
pub(crate) fn decoded_path(parts: &Parts) -> String {
    percent_decode_str(parts.uri.path()).decode_utf8_lossy().into_owned()
}

impl Incoming<'_> {
    /// The event.
    pub(crate) fn event(self) -> Value {
        let path = decoded_path(self.parts);
        let key = self.route.key();
        let text = |name| self.parts.headers.get(name).and_then(|value| value.to_str().ok());
        let (body, is_base64) = body(self.body, text(CONTENT_TYPE));
        let query = self.parts.uri.query().unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": self.headers(),
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "authorizer": {"jwt": {"claims": self.claims, "scopes": null}},
                "domainName": self.domain,
                "domainPrefix": "local",
                "http": {
                    "method": self.parts.method.as_str(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.source.to_string(),
                    "userAgent": text(USER_AGENT).unwrap_or_default(),
                },
                "requestId": self.id,
                "routeKey": key,
                "stage": "$default",
                "time": self.now.datetime().format("%d/%b/%Y:%H:%M:%S +0000").to_string(),
                "timeEpoch": self.now.millis(),
            },
            "isBase64Encoded": is_base64,
        });
        // What there is none of is left out.
        let optional = [
            ("cookies", json!(cookies(&self.parts.headers))),
            ("queryStringParameters", json!(folded(query))),
            ("pathParameters", json!(self.parameters)),
            ("body", json!(body)),
        ];
        for (name, value) in optional {
            if ![json!([]), json!({}), json!(null)].contains(&value) {
                event[name] = value;
            }
        }
        event
    }

    /// Names in lower case, repeated ones joined by commas. The gateway sets some itself, as it would on AWS.
    fn headers(&self) -> BTreeMap<&str, String> {
        let mut headers: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in &self.parts.headers {
            if [COOKIE, TRANSFER_ENCODING].contains(name) {
                continue;
            }
            let value = String::from_utf8_lossy(value.as_bytes());
            let joined = headers.entry(name.as_str()).or_default();
            if !joined.is_empty() {
                joined.push(',');
            }
            joined.push_str(&value);
        }
        // Nobody reaches API Gateway under a name that is not its own.
        headers.insert(HOST.as_str(), self.domain.to_owned());
        headers.insert(CONTENT_LENGTH.as_str(), self.body.len().to_string());
        headers.insert("x-forwarded-for", self.source.to_string());
        headers.insert("x-forwarded-proto", "http".to_owned());
        headers
    }
}

/// API Gateway takes these content types for text, and nothing else: not even other JSON, or none at all.
fn body(body: &[u8], content_type: Option<&str>) -> (Option<String>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    let kind = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_text = kind.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"].contains(&kind.as_str());
    match str::from_utf8(body) {
        Ok(text) if is_text => (Some(text.to_owned()), false),
        _ => (Some(STANDARD.encode(body)), true),
    }
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(|cookie| cookie.trim().to_owned())
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// Query parameters by name, decoded, the values of repeated ones joined by commas.
fn folded(query: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name.into_owned())
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    parameters
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    multi_value_headers: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The answer of a function as HTTP. An error says why it is none.
pub(crate) fn response(answer: Value) -> Result<Response<Body>, String> {
    let answer: Answer = serde_json::from_value(answer).map_err(|error| error.to_string())?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(answer.status_code).map_err(|error| error.to_string())?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let single = answer.headers.into_iter().map(|(name, value)| (name, vec![value]));
    // Where a header is in both, all of its values are in the second.
    for (name, values) in single.chain(answer.multi_value_headers) {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        headers.remove(&name);
        for value in values {
            headers.append(&name, HeaderValue::try_from(value).map_err(|error| error.to_string())?);
        }
    }
    for cookie in answer.cookies.into_iter().flatten() {
        headers.append(
            SET_COOKIE,
            HeaderValue::try_from(cookie).map_err(|error| error.to_string())?,
        );
    }
    // This end counts the bytes itself.
    headers.remove(CONTENT_LENGTH);
    let body = answer.body.unwrap_or_default();
    *response.body_mut() = if answer.is_base64_encoded {
        Body::from(STANDARD.decode(body).map_err(|error| error.to_string())?)
    } else {
        Body::from(body)
    };
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use axum::http::Request;

    use super::*;

    fn event(request: Request<&'static str>) -> Value {
        let (parts, body) = request.into_parts();
        let route = Route::parse("GET", "/v1/opportunities/{id}", "get").expect("supported");
        let path = decoded_path(&parts);
        let (_, parameters) =
            crate::routes::find(std::slice::from_ref(&route), parts.method.as_str(), &path).expect("matches");
        let incoming = Incoming {
            parts: &parts,
            body: &Bytes::from_static(body.as_bytes()),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            route: &route,
            parameters,
            claims: Map::from_iter([("org".to_owned(), json!("fabrikam"))]),
            domain: "127.0.0.1:9000",
            id: "ID",
            now: Timestamp::parse("2026-11-21T09:30:00.123Z").expect("a time"),
        };
        incoming.event()
    }

    #[test]
    fn a_request_becomes_an_event_of_payload_format_2() {
        let request = Request::get("/v1/opportunities/a%20b%3F?limit=5&tag=a&tag=b%26c&empty=")
            .header("Host", "localhost:9000")
            .header("X-Thing", "one")
            .header("x-thing", "two")
            .header("Cookie", "a=1; b=2")
            .header("User-Agent", "test")
            .header("Content-Type", "application/json; charset=utf-8")
            .body("{}")
            .expect("a request");
        let expected = json!({
            "version": "2.0",
            "routeKey": "GET /v1/opportunities/{id}",
            "rawPath": "/v1/opportunities/a b?",
            "rawQueryString": "limit=5&tag=a&tag=b%26c&empty=",
            "cookies": ["a=1", "b=2"],
            "headers": {
                "content-length": "2",
                "content-type": "application/json; charset=utf-8",
                "host": "127.0.0.1:9000",
                "user-agent": "test",
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-proto": "http",
                "x-thing": "one,two",
            },
            "queryStringParameters": {"limit": "5", "tag": "a,b&c", "empty": ""},
            "pathParameters": {"id": "a b?"},
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "authorizer": {"jwt": {"claims": {"org": "fabrikam"}, "scopes": null}},
                "domainName": "127.0.0.1:9000",
                "domainPrefix": "local",
                "http": {
                    "method": "GET",
                    "path": "/v1/opportunities/a b?",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "test",
                },
                "requestId": "ID",
                "routeKey": "GET /v1/opportunities/{id}",
                "stage": "$default",
                "time": "21/Nov/2026:09:30:00 +0000",
                "timeEpoch": 1_795_253_400_123_u64,
            },
            "body": "{}",
            "isBase64Encoded": false,
        });
        assert_eq!(event(request), expected);
    }

    #[test]
    fn what_there_is_none_of_is_left_out() {
        let event = event(Request::get("/v1/opportunities/7").body("").expect("a request"));
        for name in ["cookies", "queryStringParameters", "body"] {
            assert_eq!(event.get(name), None, "{name}");
        }
        assert_eq!(event["rawQueryString"], "");
        assert_eq!(event["isBase64Encoded"], false);
    }

    #[test]
    fn only_some_content_types_are_text() {
        let text = |kind| body(b"{}", kind) == (Some("{}".into()), false);
        assert!(text(Some("application/json")));
        assert!(text(Some("Application/JSON ; charset=utf-8")));
        assert!(text(Some("text/plain")));
        for kind in [
            None,
            Some("application/merge-patch+json"),
            Some("application/octet-stream"),
            Some("nonsense"),
        ] {
            assert_eq!(body(b"{}", kind), (Some("e30=".into()), true), "{kind:?}");
        }
        assert_eq!(body(b"\xff", Some("application/json")), (Some("/w==".into()), true));
        assert_eq!(body(b"", None), (None, false));
    }

    #[test]
    fn an_answer_becomes_a_response() {
        let answer = json!({
            "statusCode": 201,
            "headers": {"etag": "\"1-a\"", "x-both": "one"},
            "multiValueHeaders": {"x-both": ["one", "two"], "content-type": ["text/plain"]},
            "cookies": ["a=1", "b=2"],
            "body": "aGk=",
            "isBase64Encoded": true,
        });
        let response = response(answer).expect("an answer");
        assert_eq!(response.status(), StatusCode::CREATED);
        let all = |name: &str| -> Vec<_> { response.headers().get_all(name).iter().collect() };
        assert_eq!(all("etag"), ["\"1-a\""]);
        assert_eq!(all("x-both"), ["one", "two"]);
        assert_eq!(all("content-type"), ["text/plain"]);
        assert_eq!(all("set-cookie"), ["a=1", "b=2"]);
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for wrong in [
            json!({}),
            json!({"statusCode": 7}),
            json!({"statusCode": 200, "headers": {"a": "b\nc"}}),
            json!({"statusCode": 200, "body": "?", "isBase64Encoded": true}),
        ] {
            assert!(response(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
