//! Which function answers a request: the routes of an HTTP API, matched as API Gateway does.

use std::collections::BTreeMap;

/// One route of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// In upper case.
    pub method: String,
    /// As the template has it, such as `/v1/opportunities/{id}`.
    pub path: String,
    /// The function behind it.
    pub function: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
}

/// Path parameters by name, decoded.
pub type Parameters = BTreeMap<String, String>;

impl Route {
    /// A route as the template has it; the error says what of it is not supported.
    pub fn parse(method: &str, path: &str, function: &str) -> Result<Self, String> {
        if !["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method) {
            return Err(format!("the method {method} is not supported"));
        }
        let rest = path
            .strip_prefix('/')
            .ok_or_else(|| format!("the path {path} does not start with /"))?;
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            function: function.to_owned(),
            segments: rest
                .split('/')
                .map(|segment| Segment::parse(segment).ok_or_else(|| format!("{segment:?} in {path} is not supported")))
                .collect::<Result<_, _>>()?,
        })
    }

    /// What API Gateway calls it.
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn matches(&self, method: &str, path: &[&str]) -> Option<Parameters> {
        if method != self.method || path.len() != self.segments.len() {
            return None;
        }
        let mut parameters = Parameters::new();
        for (segment, text) in self.segments.iter().zip(path) {
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Parameter(name) if !text.is_empty() => {
                    parameters.insert(name.clone(), (*text).to_owned());
                }
                _ => return None,
            }
        }
        Some(parameters)
    }
}

impl Segment {
    fn parse(text: &str) -> Option<Self> {
        let plain = |text: &str| !text.is_empty() && !text.contains(['{', '}', '+', '*', '%', '$']);
        match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(name) => plain(name).then(|| Self::Parameter(name.to_owned())),
            None => plain(text).then(|| Self::Literal(text.to_owned())),
        }
    }
}

/// The route that answers, and its path parameters. The path is the decoded one: API Gateway decodes before it matches, so an
/// encoded slash parts segments like any other. Where two routes match, a literal segment beats a parameter, the first first.
pub fn find<'a>(routes: &'a [Route], method: &str, path: &str) -> Option<(&'a Route, Parameters)> {
    let path: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    routes
        .iter()
        .filter_map(|route| Some((route, route.matches(method, &path)?)))
        .min_by_key(|(route, _)| {
            let is_parameter = |segment: &Segment| matches!(segment, Segment::Parameter(_));
            route.segments.iter().map(is_parameter).collect::<Vec<_>>()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str) -> Option<String> {
        let routes = [
            ("GET", "/v1/deals", "list"),
            ("POST", "/v1/deals", "create"),
            ("GET", "/v1/deals/{id}", "get"),
            ("GET", "/v1/deals/recent", "recent"),
            ("GET", "/v1/{kind}/recent", "any"),
            ("DELETE", "/v1/deals/{id}/invitations/{organizationId}", "invite"),
        ];
        let routes = routes.map(|(method, path, function)| Route::parse(method, path, function).expect("supported"));
        let (route, parameters) = find(&routes, method, path)?;
        let parameters: Vec<_> = parameters
            .into_iter()
            .map(|(name, value)| format!(" {name}={value}"))
            .collect();
        Some(format!("{}{}", route.function, parameters.concat()))
    }

    #[test]
    fn a_route_is_matched_by_method_and_path() {
        assert_eq!(found("GET", "/v1/deals").as_deref(), Some("list"));
        assert_eq!(found("POST", "/v1/deals").as_deref(), Some("create"));
        assert_eq!(found("GET", "/v1/deals/7 a").as_deref(), Some("get id=7 a"));
        let withdraw = found("DELETE", "/v1/deals/7/invitations/fabrikam");
        assert_eq!(withdraw.as_deref(), Some("invite id=7 organizationId=fabrikam"));
    }

    #[test]
    fn a_literal_beats_a_parameter_from_the_left() {
        assert_eq!(found("GET", "/v1/deals/recent").as_deref(), Some("recent"));
        assert_eq!(
            found("GET", "/v1/contacts/recent").as_deref(),
            Some("any kind=contacts")
        );
    }

    #[test]
    fn anything_else_has_no_route() {
        let unknown = [
            ("PUT", "/v1/deals"),
            ("HEAD", "/v1/deals"),
            ("OPTIONS", "/v1/deals"),
            ("get", "/v1/deals"),
            ("GET", "/v1/deals/"),
            ("GET", "/v1//deals"),
            ("GET", "//v1/deals"),
            ("GET", "/V1/deals"),
            ("GET", "/v1/deals/7/"),
            ("GET", "/v1/deals/7/8"),
            ("GET", "/"),
            ("OPTIONS", "*"),
        ];
        for (method, path) in unknown {
            assert_eq!(found(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for (method, path) in [
            ("ANY", "/v1"),
            ("get", "/v1"),
            ("GET", "v1"),
            ("GET", "/v1/{proxy+}"),
            ("GET", "/v1/"),
            ("GET", "/v1/a{id}"),
            ("GET", "$default"),
        ] {
            assert!(Route::parse(method, path, "f").is_err(), "{method} {path}");
        }
    }
}
