//! Reading a request: body, path, query and the headers that are conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::{Faults, Flaw, IdempotencyKey};
use lambda_http::http::HeaderMap;
use lambda_http::http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use lambda_http::{Request, RequestExt};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::answer::hex;
use crate::problem::Problem;

/// The most that a body may have, after API Gateway's base64 is undone: 256 KiB.
pub const MAX_BODY: usize = 256 * 1024;

/// The media types that a body may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// `application/json`.
    Json,
    /// The same, of a PUT.
    JsonByPut,
    /// `application/merge-patch+json` (RFC 7396) or `application/json`.
    MergePatch,
}

impl Accepts {
    /// The header that tells a caller, and its value.
    pub(crate) fn header(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("accept-post", "application/json"),
            // RFC 9110, section 15.5.16: a PUT has no header of its own.
            Self::JsonByPut => ("accept", "application/json"),
            Self::MergePatch => ("accept-patch", "application/merge-patch+json, application/json"),
        }
    }

    /// Parameters, such as the `charset=utf-8` that many clients add, do not matter.
    fn covers(self, content_type: &str) -> bool {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        self.header()
            .1
            .split(", ")
            .any(|accepted| essence.eq_ignore_ascii_case(accepted))
    }
}

/// The body, a JSON object in which no member is named twice: 413, 415, 400 or 422 otherwise, in this order. A body without
/// a `Content-Type` is taken for what is expected.
pub fn json_body(request: &Request, accepts: Accepts) -> Result<Value, Problem> {
    let body: &[u8] = request.body();
    if body.len() > MAX_BODY {
        return Err(Problem::too_large());
    }
    if let Some(content_type) = request.headers().get(CONTENT_TYPE)
        && !content_type
            .to_str()
            .is_ok_and(|content_type| accepts.covers(content_type))
    {
        return Err(Problem::unsupported_media_type(accepts));
    }
    let Unique(value) = serde_json::from_slice(body).map_err(|error| {
        Problem::malformed_json(match error.classify() {
            Category::Eof if body.is_empty() => "The body is empty; a JSON object is needed.".to_owned(),
            _ => format!("The body is not usable JSON: {error}."),
        })
    })?;
    if !value.is_object() {
        let fault = Flaw::new("wrongType", "must be an object").at("");
        return Err(Problem::invalid(Faults(vec![fault])));
    }
    Ok(value)
}

/// Refuses a body that says something where nothing is asked for; an empty object says nothing.
pub fn no_body(request: &Request) -> Result<(), Problem> {
    let body: &[u8] = request.body();
    if body.is_empty() {
        return Ok(());
    }
    let body = json_body(request, Accepts::Json)?;
    let members = body.as_object().into_iter().flat_map(Map::keys);
    let unknown = |name: &String| {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        Flaw::new("unknownField", "is not a field here; there is none").at(pointer)
    };
    let faults: Faults = members.map(unknown).collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(faults))
    }
}

/// A JSON value in which no object has two members of the same name. Readers disagree about which of the two counts, so
/// what one of them checks may not be what another one does.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unique(element)) = elements.next_element()? {
            array.push(element);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "the member {} appears twice",
                    shown(&name)
                )));
            }
            let Unique(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

/// What the caller sent, quoted and shortened, for a message to that same caller.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(64).collect();
    format!("{start:?}")
}

/// A parameter of the path, as API Gateway has decoded it.
pub fn path(request: &Request, name: &str) -> Option<String> {
    request.path_parameters_ref()?.first(name).map(str::to_owned)
}

/// The query parameters, each at most once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(BTreeMap<String, String>);

impl Query {
    /// The value of a parameter; an empty one is a value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Reads the query: a parameter that is not among `allowed`, or comes twice, is a 400. A misspelt filter that is quietly
/// ignored would show deals that nobody asked for.
pub fn query(request: &Request, allowed: &[&str]) -> Result<Query, Problem> {
    let sent = request.query_string_parameters();
    // In order, so that the same request is always told the same.
    let names: BTreeSet<&str> = sent.iter().map(|(name, _)| name).collect();
    let mut query = Query::default();
    for name in names {
        if !allowed.contains(&name) {
            let instead = match allowed {
                [] => "there are none here".to_owned(),
                _ => format!("there are {}", allowed.join(", ")),
            };
            let name = shown(name);
            return Err(Problem::malformed_parameter(format!(
                "There is no query parameter {name}: {instead}."
            )));
        }
        match sent.all(name).unwrap_or_default()[..] {
            [value] => query.0.insert(name.to_owned(), value.to_owned()),
            _ => {
                return Err(Problem::malformed_parameter(format!(
                    "The query parameter {name} may be given once."
                )));
            }
        };
    }
    Ok(query)
}

/// The condition of `If-Match`: which versions the caller's change may meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: any, as long as there is one.
    Any,
    /// One of these; none at all if the caller named only weak or foreign tags.
    Versions(Vec<u64>),
}

impl IfMatch {
    /// Whether the change may be made to this version.
    pub fn allows(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

/// Reads `If-Match` (RFC 9110, section 13.1.1). The comparison is strong, so a weak tag matches nothing; of our own tags
/// only the version counts. 400 if it is no list of entity tags.
pub fn if_match(request: &Request) -> Result<Option<IfMatch>, Problem> {
    if !request.headers().contains_key(IF_MATCH) {
        return Ok(None);
    }
    match Tags::parse(request.headers(), IF_MATCH.as_str()) {
        Some(Tags::Any) => Ok(Some(IfMatch::Any)),
        Some(Tags::These(tags)) => {
            let strong = tags.iter().filter(|tag| !tag.weak);
            Ok(Some(IfMatch::Versions(
                strong.filter_map(|tag| version(tag.opaque)).collect(),
            )))
        }
        None => Err(Problem::malformed_parameter(
            "If-Match must be the ETag of an answer, quotes included, a list of them, or *.",
        )),
    }
}

/// Whether `If-None-Match` (RFC 9110, section 13.1.2) names this tag, so that the answer is 304. The comparison is weak:
/// proxies that compress an answer mark its tag so. What is no list of entity tags is ignored: the full answer is right.
pub fn if_none_match(request: &Request, etag: &str) -> bool {
    let opaque = etag.trim_start_matches("W/").trim_matches('"').as_bytes();
    match Tags::parse(request.headers(), IF_NONE_MATCH.as_str()) {
        Some(Tags::Any) => true,
        Some(Tags::These(tags)) => tags.iter().any(|tag| tag.opaque == opaque),
        None => false,
    }
}

/// The version in a tag of ours; `None` for one that we never gave.
fn version(opaque: &[u8]) -> Option<u64> {
    let (version, digest) = std::str::from_utf8(opaque).ok()?.split_once('-')?;
    let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let ours = digest.len() == 16 && digest.bytes().all(hex);
    version
        .parse::<u64>()
        .ok()
        .filter(|number| ours && number.to_string() == version)
}

enum Tags<'a> {
    Any,
    These(Vec<Tag<'a>>),
}

struct Tag<'a> {
    weak: bool,
    opaque: &'a [u8],
}

impl<'a> Tags<'a> {
    /// `*`, or a list of at least one tag, which may be spread over several lines and have empty elements.
    fn parse(headers: &'a HeaderMap, name: &str) -> Option<Self> {
        let lines: Vec<&[u8]> = headers
            .get_all(name)
            .iter()
            .map(|line| line.as_bytes().trim_ascii())
            .collect();
        if lines == [b"*"] {
            return Some(Self::Any);
        }
        let mut tags = Vec::new();
        for mut rest in lines {
            while !rest.is_empty() {
                if rest[0] != b',' {
                    let (tag, after) = Tag::parse(rest)?;
                    tags.push(tag);
                    rest = after.trim_ascii_start();
                }
                // After an element comes a comma or the end.
                if !rest.is_empty() {
                    rest = rest.strip_prefix(b",")?.trim_ascii_start();
                }
            }
        }
        (!tags.is_empty()).then_some(Self::These(tags))
    }
}

impl<'a> Tag<'a> {
    fn parse(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (weak, text) = match text.strip_prefix(b"W/") {
            Some(text) => (true, text),
            None => (false, text),
        };
        let text = text.strip_prefix(b"\"")?;
        let end = text.iter().position(|&byte| byte == b'"')?;
        let (opaque, after) = (&text[..end], &text[end + 1..]);
        let allowed = opaque.iter().all(|&byte| byte > b' ' && byte != 0x7f);
        allowed.then_some((Self { weak, opaque }, after))
    }
}

/// The `Idempotency-Key`; 400 if it is none.
pub fn idempotency_key(request: &Request) -> Result<Option<IdempotencyKey>, Problem> {
    let malformed = |what: &str| Problem::malformed_parameter(format!("Idempotency-Key {what}."));
    let mut lines = request.headers().get_all("idempotency-key").iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(malformed("may be given once"));
    }
    // What is not visible ASCII is no key either, and is told so by the same rule.
    let key = IdempotencyKey::parse(line.to_str().unwrap_or_default());
    key.map(Some).map_err(|flaw| malformed(&flaw.message))
}

/// What makes two requests the same for an idempotency key: the SHA-256, in hex digits, of method, path and body, each
/// preceded by its length, so that no part can pass for the beginning of the next.
pub fn fingerprint(request: &Request) -> String {
    let body: &[u8] = request.body();
    let mut hash = Sha256::new();
    for part in [
        request.method().as_str().as_bytes(),
        request.raw_http_path().as_bytes(),
        body,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use lambda_http::Body;
    use lambda_http::http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::answer::{Answer, etag};
    use crate::testing;

    fn post(body: impl Into<Body>) -> Request {
        let mut request = testing::request(&testing::event("POST", "/v1/opportunities"));
        *request.body_mut() = body.into();
        request
    }

    fn with(name: &'static str, lines: &[&str]) -> Request {
        let mut request = post("{}");
        for line in lines {
            let line = HeaderValue::from_bytes(line.as_bytes()).expect("a header");
            request.headers_mut().append(name, line);
        }
        request
    }

    fn read(body: impl Into<Body>) -> Result<Value, Problem> {
        json_body(&post(body), Accepts::Json)
    }

    fn refusal<T: fmt::Debug>(result: Result<T, Problem>) -> (u16, &'static str, String) {
        let problem = result.expect_err("refused");
        let (status, code) = (problem.status(), problem.code());
        let body: Value = serde_json::from_str(&Answer::from(problem).body).expect("JSON");
        (status, code, body["detail"].as_str().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_is_no_json_is_told_where() {
        for (body, detail) in [
            ("", "The body is empty; a JSON object is needed."),
            (
                r#"{"a":}"#,
                "The body is not usable JSON: expected value at line 1 column 6.",
            ),
            (
                "{\n\"a\": 1\n",
                "The body is not usable JSON: EOF while parsing an object at line 3 column 0.",
            ),
            (
                "{} x",
                "The body is not usable JSON: trailing characters at line 1 column 4.",
            ),
            (
                "{\"a\": 1,\n\"b\": {\"c\": 1, \"c\": 1}}",
                "The body is not usable JSON: the member \"c\" appears twice at line 2 column 17.",
            ),
        ] {
            assert_eq!(refusal(read(body)), (400, "malformedJson", detail.to_owned()), "{body}");
        }
        let twice = format!("{{\"{0}\": 1, \"{0}\": 1}}", "k".repeat(1_000));
        assert!(refusal(read(twice)).2.len() < 200, "a long name is not sent back");
        for body in [
            r#"{"a": 1, "\u0061": 2}"#,
            r#"[{"a": 1, "a": 1}]"#,
            r#"{"a": 1e999}"#,
            r#"{"a": "\ud800"}"#,
            r#"{"a": NaN}"#,
            "\u{feff}{}",
        ] {
            assert_eq!(refusal(read(body)).1, "malformedJson", "{body}");
        }
        for bytes in [&b"{\"a\": \"\xff\"}"[..], b"\xff", b"{\"a\": \"\xed\xa0\x80\"}"] {
            assert_eq!(refusal(read(bytes.to_vec())).1, "malformedJson");
        }
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(100)).is_ok());
        assert_eq!(refusal(read(nested(100_000))).1, "malformedJson");
    }

    #[test]
    fn the_top_is_an_object() {
        for body in ["null", "1", "\"a\"", "[]", "true"] {
            let answer = Answer::from(read(body).expect_err("refused"));
            assert_eq!(answer.status, 422);
            let body: Value = serde_json::from_str(&answer.body).expect("JSON");
            assert_eq!(
                body["errors"],
                json!([{"pointer": "", "code": "wrongType", "message": "must be an object"}])
            );
        }
    }

    #[test]
    fn the_size_counts_before_all_else() {
        let body = |size: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(size - 8));
        assert!(read(body(MAX_BODY)).is_ok());
        assert_eq!(refusal(read(body(MAX_BODY + 1))).0, 413);
        let mut request = with("content-type", &["text/plain"]);
        *request.body_mut() = vec![0xff; MAX_BODY + 1].into();
        assert_eq!(refusal(json_body(&request, Accepts::Json)).0, 413);
    }

    #[test]
    fn media_types() {
        let read = |content_type: &str, accepts| json_body(&with("content-type", &[content_type]), accepts);
        for content_type in [
            "application/json",
            "Application/JSON ; charset=utf-8",
            "application/json;v=1",
        ] {
            assert!(read(content_type, Accepts::Json).is_ok(), "{content_type}");
            assert!(read(content_type, Accepts::MergePatch).is_ok(), "{content_type}");
        }
        let patch = "application/merge-patch+json";
        assert!(read(patch, Accepts::MergePatch).is_ok());
        for content_type in [
            patch,
            "",
            "text/plain",
            "application/jsonp",
            "application/json-patch+json",
            "application/j\u{e9}",
        ] {
            let (status, code, detail) = refusal(read(content_type, Accepts::Json));
            assert_eq!((status, code), (415, "unsupportedMediaType"), "{content_type}");
            assert_eq!(detail, "The Content-Type must be application/json.");
        }
    }

    #[test]
    fn the_body_may_be_in_base64() {
        let mut event = testing::event("POST", "/v1/opportunities");
        event["body"] = "eyJhIjogIsO8In0=".into();
        event["isBase64Encoded"] = true.into();
        let read = json_body(&testing::request(&event), Accepts::Json);
        assert_eq!(read.expect("JSON"), json!({"a": "ü"}));
    }

    #[test]
    fn queries() {
        let read = |raw: &str| {
            let mut event = testing::event("GET", "/v1/opportunities");
            event["rawQueryString"] = raw.into();
            query(&testing::request(&event), &["tab", "q"])
        };
        let both = read("tab=inbound&q=b%C3%BCro+%2B%26,").expect("a query");
        assert_eq!(
            (both.get("tab"), both.get("q"), both.get("x")),
            (Some("inbound"), Some("büro +&,"), None)
        );
        assert_eq!(read("").expect("a query"), Query::default());
        assert_eq!(read("q=").expect("a query").get("q"), Some(""));
        for (raw, detail) in [
            (
                "tab=inbound&Tab=a",
                "There is no query parameter \"Tab\": there are tab, q.",
            ),
            ("q=a&tab=b&q=a", "The query parameter q may be given once."),
        ] {
            assert_eq!(refusal(read(raw)), (400, "malformedParameter", detail.to_owned()));
        }
        let mut event = testing::event("GET", "/v1/opportunities/x");
        event["rawQueryString"] = "a=1".into();
        let (.., detail) = refusal(query(&testing::request(&event), &[]));
        assert_eq!(detail, "There is no query parameter \"a\": there are none here.");
    }

    #[test]
    fn path_parameters() {
        let mut event = testing::event("GET", "/v1/opportunities/x");
        event["pathParameters"] = json!({"id": "x"});
        let request = testing::request(&event);
        assert_eq!(
            (path(&request, "id").as_deref(), path(&request, "organizationId")),
            (Some("x"), None)
        );
        assert_eq!(path(&post("{}"), "id"), None);
    }

    #[test]
    fn if_match_compares_versions_strongly() {
        let parse = |lines: &[&str]| if_match(&with("if-match", lines));
        let tag = etag(3, "whatever");
        assert_eq!(parse(&[]).expect("none"), None);
        for lines in [
            &[&*tag][..],
            &[&format!("\"x\" , {tag}")],
            &["\"2-0000000000000000\"", &tag],
            &[&format!(", ,W/\"a,b\",{tag},")],
        ] {
            let condition = parse(lines).expect("a condition").expect("given");
            assert!(condition.allows(3) && !condition.allows(4), "{lines:?}");
        }
        assert!(parse(&[" * "]).expect("a condition").expect("given").allows(7));
        for never in [
            &*format!("W/{tag}"),
            "\"3\"",
            "\"3-\"",
            "\"03-0123456789abcdef\"",
            "\"+3-0123456789abcdef\"",
            "\"3-0123456789ABCDEF\"",
            "\"\"",
            "\"é\"",
        ] {
            let condition = parse(&[never]).expect("a condition").expect("given");
            assert!(!condition.allows(3), "{never}");
        }
        for malformed in [
            &[""][..],
            &[","],
            &["3"],
            &["\"3"],
            &["*,*"],
            &["*", "*"],
            &["*", "\"a\""],
            &["\"a\" \"b\""],
            &["\"a b\""],
            &["w/\"a\""],
            &["\"a\"x"],
        ] {
            assert_eq!(refusal(parse(malformed)).1, "malformedParameter", "{malformed:?}");
        }
    }

    #[test]
    fn if_none_match_compares_whole_tags_weakly() {
        let tag = etag(3, "whatever");
        let matches = |lines: &[&str]| if_none_match(&with("if-none-match", lines), &tag);
        assert!(matches(&[&tag]) && matches(&[&format!("W/{tag}")]) && matches(&["*"]));
        assert!(matches(&["\"a\"", &format!("\"b\", {tag}")]));
        assert!(!matches(&[]) && !matches(&[""]) && !matches(&["\"3-0000000000000000\""]));
        assert!(!matches(&[tag.trim_matches('"')]), "not an entity tag");
    }

    #[test]
    fn idempotency_keys() {
        let key = |lines: &[&str]| idempotency_key(&with("idempotency-key", lines));
        assert_eq!(key(&[]), Ok(None));
        let longest = "k".repeat(255);
        assert_eq!(key(&[&longest]).expect("a key").expect("given").as_str(), longest);
        for lines in [&[""][..], &[&"k".repeat(256)], &["é"], &["a", "b"]] {
            let (status, code, detail) = refusal(key(lines));
            assert_eq!((status, code), (400, "malformedParameter"), "{lines:?}");
            assert!(detail.starts_with("Idempotency-Key "), "{detail}");
        }
    }

    fn request(method: &str, path: &str, body: &[u8]) -> Request {
        let mut request = testing::request(&testing::event(method, path));
        *request.body_mut() = body.to_vec().into();
        request
    }

    proptest! {
        #[test]
        fn fingerprints_tell_requests_apart(
            one in ("POST|PUT", "/[ab]{0,3}", proptest::collection::vec(any::<u8>(), 0..4)),
            other in ("POST|PUT", "/[ab]{0,3}", proptest::collection::vec(any::<u8>(), 0..4)),
        ) {
            let of = |(method, path, body): &(String, String, Vec<u8>)| fingerprint(&request(method, path, body));
            prop_assert_eq!(of(&one) == of(&other), one == other);
            prop_assert_eq!(of(&one), of(&one));
        }

        #[test]
        fn any_body_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..64)) {
            let expected = serde_json::from_slice::<Value>(&body);
            match read(body) {
                Ok(value) => prop_assert_eq!(value, expected.expect("JSON")),
                Err(problem) => prop_assert!([400, 422].contains(&problem.status())),
            }
        }

        #[test]
        fn an_object_is_read_as_it_is(object in object()) {
            prop_assert_eq!(read(object.to_string()).expect("an object"), object);
        }

        #[test]
        fn any_precondition_is_read_or_refused(line in "[\"W/,* a0-9-]{0,24}|[ -~é]{0,24}", version in any::<u64>()) {
            let strict = if_match(&with("if-match", &[&line]));
            let tag = etag(version, &line);
            prop_assert!(!if_none_match(&with("if-none-match", &[&line]), &tag) || line.trim() == "*");
            prop_assert!(strict.is_ok() || strict.err().map(|problem| problem.status()) == Some(400));
            let listed = with("if-match", &[&format!("\"x\",{tag}")]);
            prop_assert!(if_match(&listed).expect("a condition").expect("given").allows(version));
        }

        #[test]
        fn any_query_is_read_or_refused(raw in "([a-c%&=+]|\\PC){0,24}") {
            let mut event = testing::event("GET", "/v1/opportunities");
            // A request line cannot hold more than this.
            event["rawQueryString"] = raw.replace(|c: char| !c.is_ascii_graphic() || "<>\"{}|\\^`#".contains(c), "").into();
            if let Err(problem) = query(&testing::request(&event), &["a", "b"]) {
                prop_assert_eq!((problem.status(), problem.code()), (400, "malformedParameter"));
            }
        }
    }

    /// Objects with all kinds of values, four levels deep.
    fn object() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1000_i32..1000).prop_map(|number| Value::from(f64::from(number) / 8.0)),
            any::<String>().prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(3, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
            ]
        });
        proptest::collection::btree_map(any::<String>(), value, 0..4)
            .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into())
    }
}
