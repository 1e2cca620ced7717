//! Whose token may do what, and how claims may be written.

use axum::http::Method;
use serde_json::json;
use tests::{Client, JSON, World, deal, invitation};

const UNKNOWN: &str = "/v1/opportunities/01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// What somebody may do with Contoso's deal: read, list, create, change.
async fn may(client: &Client, path: &str) -> [u16; 4] {
    [
        client.get(path).await.status,
        client.get("/v1/opportunities?tab=outbound").await.status,
        client.post("/v1/opportunities", &deal(&[])).await.status,
        client.patch(path, "*", &json!({"name": "Mine"})).await.status,
    ]
}

#[tokio::test]
async fn what_each_role_may_do() {
    let world = World::start().await;
    let path = world.deal(&[]).await;
    for (roles, expected) in [
        (&["partner_admin"][..], [200, 200, 201, 200]),
        (&["referrals_admin"], [200, 200, 201, 200]),
        (&["viewer"], [200, 200, 403, 403]),
        (&["viewer", "partner_admin"], [200, 200, 201, 200]),
        (&["exchange_admin"], [403, 403, 403, 403]),
        (&["exchange_admin", "partner_admin"], [403, 403, 403, 403]),
        (&["janitor"], [403, 403, 403, 403]),
        (&[], [403, 403, 403, 403]),
    ] {
        assert_eq!(may(&world.client("contoso", roles), &path).await, expected, "{roles:?}");
    }
    assert_eq!(may(&world.nobody(), &path).await, [401, 401, 401, 401]);
    assert_eq!(may(&world.bearer("nonsense"), &path).await, [401, 401, 401, 401]);
}

#[tokio::test]
async fn another_organizations_deal_is_an_unknown_one() {
    let world = World::start().await;
    let path = world.deal(&["northwind"]).await;
    let fabrikam = world.admin("fabrikam");
    for there in [
        path.as_str(),
        UNKNOWN,
        "/v1/opportunities/nonsense",
        "/v1/opportunities/01arz3ndektsv4rrffq69g5fav",
    ] {
        let unknown = fabrikam.get(UNKNOWN).await;
        let known = fabrikam.get(there).await;
        assert_eq!(
            (known.status, &known.headers, &known.text),
            (404, &unknown.headers, &unknown.text),
            "{there}"
        );
        for (action, body) in [
            ("response", json!({"decision": "accept"})),
            ("close", json!({"outcome": "won"})),
            ("invitations", invitation("tailspin")),
        ] {
            let answer = fabrikam.post(&format!("{there}/{action}"), &body).await;
            assert_eq!((answer.status, &answer.text), (404, &unknown.text), "{action} {there}");
        }
        let answer = fabrikam.patch(there, "*", &json!({"name": "Mine"})).await;
        assert_eq!((answer.status, &answer.text), (404, &unknown.text));
        let answer = fabrikam.delete(&format!("{there}/invitations/northwind")).await;
        assert_eq!((answer.status, &answer.text), (404, &unknown.text));
    }
    assert_eq!(
        fabrikam.all("/v1/opportunities?tab=inbound").await,
        Vec::<serde_json::Value>::new()
    );
}

#[tokio::test]
async fn no_wrong_request_tells_a_deal_of_others_from_none() {
    let world = World::start().await;
    let path = world.deal(&["northwind"]).await;
    let fabrikam = world.admin("fabrikam");
    let headers = [
        vec![JSON],
        vec![JSON, ("if-match", "*")],
        vec![JSON, ("if-match", "\"1-0000000000000000\"")],
        vec![JSON, ("if-match", "x")],
        vec![JSON, ("if-none-match", "*")],
    ];
    let bodies = [
        "{}",
        "{",
        r#"{"name": ""}"#,
        r#"{"decision": "accept"}"#,
        r#"{"outcome": "won"}"#,
    ];
    for (method, suffix) in [
        (Method::GET, ""),
        (Method::GET, "/history"),
        (Method::GET, "/notes"),
        (Method::PATCH, ""),
        (Method::POST, "/response"),
        (Method::POST, "/close"),
        (Method::POST, "/invitations"),
        (Method::POST, "/notes"),
        (Method::DELETE, "/invitations/northwind"),
    ] {
        for query in ["", "?cursor=x", "?limit=0", "?colour=red"] {
            for headers in &headers {
                for body in bodies {
                    let ask = async |deal: &str| {
                        let path = format!("{deal}{suffix}{query}");
                        let answer = fabrikam
                            .send(method.clone(), &path, headers, Some(body.to_owned()))
                            .await;
                        (answer.status, answer.headers, answer.text)
                    };
                    let (known, unknown) = (ask(&path).await, ask(UNKNOWN).await);
                    assert_eq!(known, unknown, "{method} {suffix}{query} {headers:?} {body}");
                    assert!((400..500).contains(&known.0), "{method} {suffix}{query}: {known:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_organization_that_is_not_in_the_exchange_has_nothing_and_makes_nothing() {
    let world = World::start().await;
    let stranger = world.admin("stranger");
    stranger
        .post("/v1/opportunities", &deal(&[]))
        .await
        .refuses(403, "organizationUnknown");
    assert_eq!(
        stranger.get("/v1/opportunities?tab=inbound").await.is(200).text,
        r#"{"items":[],"nextCursor":null}"#
    );
}

#[tokio::test]
async fn an_issuer_may_write_its_claims_in_many_ways() {
    let world = World::start().await;
    let path = world.deal(&[]).await;
    let (all, read, none) = ([200, 200, 201, 200], [200, 200, 403, 403], [403, 403, 403, 403]);
    let nobody = [401, 401, 401, 401];
    for (claims, expected) in [
        (json!({"org": "contoso", "roles": ["partner_admin", "other"]}), all),
        (json!({"org": "contoso", "roles": "[viewer partner_admin]"}), all),
        (json!({"org": "contoso", "roles": "viewer referrals_admin"}), all),
        (
            json!({"custom:org": "contoso", "cognito:groups": ["referrals_admin"]}),
            all,
        ),
        (json!({"custom:org": "contoso", "cognito:groups": "viewer"}), read),
        (
            json!({"org": "contoso", "custom:org": "fabrikam", "roles": "viewer"}),
            read,
        ),
        (
            json!({"org": "contoso", "roles": ["PARTNER_ADMIN", "partner_admins"]}),
            none,
        ),
        (json!({"org": "contoso", "roles": []}), none),
        (json!({"org": "contoso"}), none),
        (json!({"roles": ["partner_admin"]}), nobody),
        (json!({"org": "", "roles": ["partner_admin"]}), nobody),
        (json!({"org": "con#toso", "roles": ["partner_admin"]}), nobody),
        (json!({"org": ["contoso"], "roles": ["partner_admin"]}), nobody),
        (json!({"org": "contoso", "roles": ["partner_admin"], "sub": ""}), nobody),
        (json!({"org": "contoso", "roles": ["partner_admin"], "sub": null}), all),
        (
            json!({"org": "contoso", "roles": ["partner_admin"], "exp": 1_000_000_000}),
            nobody,
        ),
        (
            json!({"org": "contoso", "roles": ["partner_admin"], "exp": null}),
            nobody,
        ),
        (
            json!({"org": "contoso", "roles": ["partner_admin"], "nbf": 4_000_000_000_u64}),
            nobody,
        ),
    ] {
        let mut token = json!({"sub": "u1", "exp": 4_100_000_000_u64});
        for (name, value) in claims.as_object().expect("claims") {
            token[name] = value.clone();
        }
        assert_eq!(may(&world.claiming(&token), &path).await, expected, "{claims}");
    }
}

#[tokio::test]
async fn every_refusal_of_a_caller_is_told_in_the_same_way() {
    let world = World::start().await;
    let list = "/v1/opportunities?tab=outbound";
    let gateway = world.nobody().get(list).await;
    assert_eq!(gateway.is(401).text, r#"{"message":"Unauthorized"}"#);
    let token = json!({"sub": "u1", "exp": 4_100_000_000_u64, "roles": "viewer"});
    world.claiming(&token).get(list).await.refuses(401, "unauthorized");
    world.client("contoso", &[]).get(list).await.refuses(403, "forbidden");
    world
        .client("contoso", &["viewer"])
        .post("/v1/opportunities", &deal(&[]))
        .await
        .refuses(403, "forbidden");
}
