//! The demo: a vendor, three partners, what they sell, whom they sell to, and deals, so that no list is empty.
//!
//! Everything goes through the gateway and the functions, as a user's own would. Each organization owns five deals, which
//! meet different ends; as every organization is also the first, second and third to be invited by another, each sees
//! every kind in its own tabs.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use chrono::TimeDelta;
use domain::ResponseWindow;
use edge::{App, Config, clock};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::authorizer::{Claims, token};
use crate::gateway::Gateway;

const CATALOG: &str = include_str!("../demo.jsonl");

struct Organization {
    id: &'static str,
    /// The one on its team.
    person: &'static str,
    phone: &'static str,
    email: &'static str,
    solution: &'static str,
    currency: &'static str,
    /// Name, customer's D-U-N-S number and value of: the open deal, the one it wins, the one it loses, its private one, the
    /// one to which there is no answer.
    deals: [(&'static str, &'static str, u32); 5],
}

const ORGANIZATIONS: [Organization; 4] = [
    Organization {
        id: "contoso",
        person: "Carla Ruiz",
        phone: "+14255550111",
        email: "carla@contoso.example",
        solution: "contoso-cloud",
        currency: "USD",
        deals: [
            ("Data centre move", "900000009", 480_000),
            ("Analytics for the fleet", "900000006", 210_000),
            ("Campus network", "900000004", 95_000),
            ("Smart meter platform", "900000007", 1_250_000),
            ("Research workstations", "900000010", 60_000),
        ],
    },
    Organization {
        id: "fabrikam",
        person: "Ana Duarte",
        phone: "+14255550122",
        email: "ana@fabrikam.example",
        solution: "fabrikam-erp",
        currency: "USD",
        deals: [
            ("ERP for three plants", "900000002", 320_000),
            ("Winery bookkeeping", "900000011", 45_000),
            ("Hospital purchasing", "900000013", 150_000),
            ("Bakery rollout", "900000032", 38_000),
            ("Vineyard harvest planning", "900000012", 27_500),
        ],
    },
    Organization {
        id: "northwind",
        person: "Nils Berg",
        phone: "+46855501330",
        email: "nils@northwind.example",
        solution: "northwind-supply",
        currency: "EUR",
        deals: [
            ("Warehouse control", "900000020", 175_000),
            ("Print logistics", "900000019", 64_000),
            ("Coffee supply chain", "900000024", 88_000),
            ("Service desk, second year", "900000018", 52_000),
            ("Paper procurement", "900000027", 31_000),
        ],
    },
    Organization {
        id: "tailspin",
        person: "Tara Singh",
        phone: "+442055501440",
        email: "tara@tailspin.example",
        solution: "tailspin-shop",
        currency: "GBP",
        deals: [
            ("Online shop relaunch", "900000017", 120_000),
            ("Loyalty programme", "900000029", 74_000),
            ("Ticket shop", "900000016", 58_000),
            ("Video rental storefront", "900000028", 22_000),
            ("Import catalogue", "900000030", 41_000),
        ],
    },
];

/// Days from now to a deal's closing.
const CLOSES_IN: [i64; 5] = [60, 30, 45, 120, 90];

/// Fills an empty table.
pub(crate) async fn seed(gateway: &Gateway, secret: &str) -> Result<(), String> {
    let report = gateway.lambda.invoke("import", json!({"lines": CATALOG})).await?;
    if report["bad"] != json!([]) {
        return Err(format!("bad lines in the catalog: {}", report["bad"]));
    }
    let mut deals = JoinSet::new();
    for owner in 0..ORGANIZATIONS.len() {
        for deal in 0..CLOSES_IN.len() {
            let demo = Demo::new(gateway, secret, owner);
            deals.spawn(async move { demo.work(deal).await });
        }
    }
    deals.join_all().await.into_iter().collect()
}

/// A deal of one organization with the others.
struct Demo {
    gateway: Gateway,
    /// The same, but invitations lapse as soon as they are sent.
    impatient: Gateway,
    secret: Arc<str>,
    owner: &'static Organization,
    /// In the order in which they are invited.
    others: [&'static Organization; 3],
}

impl Demo {
    fn new(gateway: &Gateway, secret: &str, owner: usize) -> Self {
        let app = &gateway.lambda.app;
        let impatient = App::new(Config {
            response_window: ResponseWindow {
                length: TimeDelta::milliseconds(1),
                ..app.config.response_window
            },
            ..(*app.config).clone()
        });
        let at = |distance| &ORGANIZATIONS[(owner + distance) % ORGANIZATIONS.len()];
        Self {
            gateway: gateway.clone(),
            impatient: Gateway {
                lambda: gateway.lambda.with(impatient),
                ..gateway.clone()
            },
            secret: secret.into(),
            owner: at(0),
            others: [at(1), at(2), at(3)],
        }
    }

    async fn work(&self, deal: usize) -> Result<(), String> {
        let accept = json!({"decision": "accept"});
        let decline = json!({"decision": "decline", "reason": "noCapacity"});
        let won = json!({"outcome": "won"});
        let lost = json!({"outcome": "lost", "reason": "choseCompetitor"});
        let [first, second, third] = self.others;
        match deal {
            // The first has not answered yet.
            0 => {
                let deal = self.create(&self.gateway, deal, &[first, second, third]).await?;
                self.post(second, &deal, "response", &accept).await?;
                self.post(third, &deal, "response", &decline).await
            }
            // The second has not answered when the owner wins, so its invitation is withdrawn; the third is still at work.
            1 => {
                let deal = self.create(&self.gateway, deal, &[first, second, third]).await?;
                self.post(first, &deal, "response", &accept).await?;
                self.post(first, &deal, "close", &won).await?;
                self.post(third, &deal, "response", &accept).await?;
                self.post(self.owner, &deal, "close", &won).await
            }
            2 => {
                let deal = self.create(&self.gateway, deal, &[first]).await?;
                self.post(first, &deal, "response", &accept).await?;
                self.post(first, &deal, "close", &lost).await?;
                self.post(self.owner, &deal, "close", &lost).await
            }
            3 => self.create(&self.gateway, deal, &[]).await.map(drop),
            _ => self.create(&self.impatient, deal, &[first]).await.map(drop),
        }
    }

    /// The path of the new deal.
    async fn create(&self, gateway: &Gateway, deal: usize, invited: &[&Organization]) -> Result<String, String> {
        let owner = self.owner;
        let (name, customer, value) = owner.deals[deal];
        let closing = clock::now().plus(TimeDelta::days(CLOSES_IN[deal])).date();
        let person = json!({"name": owner.person, "phone": owner.phone, "email": owner.email});
        let invitations = invited.iter().map(|invited| {
            json!({
                "organizationId": invited.id,
                "helpType": "workloadValueProposition",
                "message": format!("Would you join us on \"{name}\"? They asked for a partner."),
                "contacts": [person],
                "customerConsent": true,
            })
        });
        let solutions: Vec<_> = [owner]
            .iter()
            .chain(invited)
            .map(|organization| organization.solution)
            .collect();
        let body = json!({
            "name": name,
            "estimatedValue": {"amount": format!("{value}.00"), "currency": owner.currency},
            "estimatedCloseDate": closing.to_string(),
            "customer": {
                "id": customer,
                "contact": {"name": "Lee Gu", "phone": "+14255550100", "email": "lee@customer.example"},
            },
            "team": [person],
            "solutions": solutions,
            "invitations": invitations.collect::<Vec<_>>(),
        });
        let location = self.send(gateway, owner, "/v1/opportunities", &body).await?;
        location.ok_or_else(|| format!("{name}: no location"))
    }

    async fn post(&self, by: &Organization, deal: &str, action: &str, body: &Value) -> Result<(), String> {
        self.send(&self.gateway, by, &format!("{deal}/{action}"), body)
            .await
            .map(drop)
    }

    async fn send(
        &self,
        gateway: &Gateway,
        by: &Organization,
        path: &str,
        body: &Value,
    ) -> Result<Option<String>, String> {
        let claims = Claims {
            org: by.id.to_owned(),
            roles: vec!["referrals_admin".to_owned()],
            email: by.email.to_owned(),
            name: Some(by.person.to_owned()),
            sub: by.email.to_owned(),
        };
        let request = Request::post(path)
            .header(AUTHORIZATION, token(&self.secret, &claims, TimeDelta::hours(1)))
            .header(CONTENT_TYPE, "application/json")
            .body(Some(Bytes::from(body.to_string())))
            .map_err(|error| error.to_string())?;
        let response = gateway.answer(request, IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok(parts
                .headers
                .get(LOCATION)
                .and_then(|location| location.to_str().ok())
                .map(str::to_owned));
        }
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        Err(format!(
            "{} POST {path}: {} {}",
            by.id,
            parts.status,
            String::from_utf8_lossy(&body)
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_deals_refer_to_the_catalog() {
        let lines: Vec<Value> = CATALOG
            .lines()
            .map(|line| serde_json::from_str(line).expect("one object a line"))
            .collect();
        let of = |kind: &str, field: &str| -> BTreeSet<String> {
            let lines = lines.iter().filter(|line| line["kind"] == kind);
            lines
                .filter_map(|line| line[field].as_str().map(str::to_owned))
                .collect()
        };
        let (organizations, solutions, customers) = (
            of("organization", "id"),
            of("solution", "id"),
            of("customer", "dunsNumber"),
        );
        assert_eq!(organizations.len(), ORGANIZATIONS.len());
        for organization in &ORGANIZATIONS {
            assert!(organizations.contains(organization.id));
            assert!(solutions.contains(organization.solution));
            for (name, customer, _) in organization.deals {
                assert!(customers.contains(customer), "{name}");
            }
        }
        let eligible: Vec<_> = lines
            .iter()
            .filter(|line| line["registrationEligible"] == true)
            .collect();
        assert!(matches!(eligible[..], [one] if one["publisher"] == "fabrikam"));
    }
}
