//! Whose token may do what, and how claims may be written.

use serde_json::json;
use tests::{Client, World, deal, invitation};

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
