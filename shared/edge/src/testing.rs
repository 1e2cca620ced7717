//! Requests as API Gateway sends them, for the tests of this crate.

use aws_sdk_dynamodb::config::Credentials;
use chrono::TimeDelta;
use domain::ResponseWindow;
use events::webhook::Targets;
use lambda_http::Request;
use serde_json::{Value, json};

use crate::config::{Aws, Endpoints, Needed};
use crate::{App, Config};

/// An event of payload format 2.0 from a referrals admin of `fabrikam`.
pub fn event(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "api.example"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "authorizer": {"jwt": {"claims": {"sub": "u1", "org": "fabrikam", "roles": "[referrals_admin]"}, "scopes": null}},
            "domainName": "api.example",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": format!("{method} {path}"),
            "stage": "$default",
            "time": "21/Nov/2026:09:30:00 +0000",
            "timeEpoch": 1_795_253_400_000_u64,
        },
        "isBase64Encoded": false,
    })
}

/// The request that a handler gets for the event.
pub fn request(event: &Value) -> Request {
    lambda_http::request::from_str(&event.to_string()).expect("an event of API Gateway")
}

/// An app whose database nobody reaches.
pub fn app() -> App {
    App::new(Config {
        table: "cosell".into(),
        response_window: ResponseWindow {
            length: TimeDelta::days(14),
            reminder: TimeDelta::days(3),
        },
        aws: Aws {
            region: "eu-central-1".into(),
            credentials: Credentials::new("key", "secret", None, None, "test"),
            own_roots: false,
            endpoints: Endpoints {
                dynamodb: Some("http://127.0.0.1:1".into()),
                ..Endpoints::default()
            },
        },
        bus: Needed::bus(None),
        dead_letters: Needed::dead_letters(None),
        deliveries: Needed::deliveries(None),
        stack: None,
        webhook_targets: Targets::Public,
        clock_ahead: TimeDelta::zero(),
    })
}
