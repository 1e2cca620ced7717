//! What each function is asked: its payload in `tests/events`, on a deal that is there.

use std::path::Path;

use serde_json::{Value, json};

use crate::Failed;

/// What is put in the place of the deal and the customer of a payload, so that the same can be asked again and again.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// A deal.
    pub deal: String,
    /// A D-U-N-S number that no other deal has.
    duns: String,
    /// The digest of the customer, by which duplicates are looked for.
    customer: String,
    /// An idempotency key that was never used.
    key: String,
    /// What a deal is registered as.
    registration: String,
    /// The day that the deal was made on.
    day: String,
}

impl Fresh {
    /// What no other number has.
    pub fn new(number: u32) -> Self {
        Self {
            // Of the length of a deal's id, so that the floor's items are as long.
            deal: format!("01BENCHBENCHBENCH{number:09}"),
            duns: format!("8{number:08}"),
            customer: format!("{number:032x}"),
            key: format!("5a7d1f0e-2c3b-4d5e-8f60-{number:012}"),
            registration: format!("01BENCHBENCHBENCHREG{number:06}"),
            day: String::new(),
        }
    }

    /// Notes the deal that an answer of `create` tells of.
    pub fn note_deal(&mut self, answer: &[u8]) -> Result<(), Failed> {
        let body = body(answer)?;
        self.deal = body["id"].as_str().ok_or("no deal")?.into();
        let at = body["createdAt"].as_str().ok_or("no instant")?;
        self.day = at.chars().take("2026-11-21".len()).collect();
        Ok(())
    }

    /// Notes the customer whose digest is in calls, if one is.
    pub fn note_customer(&mut self, calls: &str) {
        if let Some((_, calls)) = calls.split_once("#CUSTOMER#") {
            self.customer = calls.chars().take(self.customer.len()).collect();
        }
    }

    /// Notes the registration that an answer of `register` tells of.
    pub fn note_registration(&mut self, answer: &[u8]) -> Result<(), Failed> {
        self.registration = body(answer)?["id"].as_str().ok_or("no registration")?.into();
        Ok(())
    }
}

/// The body of an answer.
fn body(answer: &[u8]) -> Result<Value, Failed> {
    let answer: Value = serde_json::from_slice(answer)?;
    Ok(serde_json::from_str(answer["body"].as_str().unwrap_or_default())?)
}

/// What one function is asked.
pub struct Scenario {
    /// The function.
    pub function: String,
    payload: Value,
    /// What makes deals.
    create: Value,
}

/// Whose deal a function works on.
enum Deal {
    /// None: the function makes one, or looks at all.
    None,
    /// The caller's own, somebody invited.
    Own,
    /// The same, closed as won.
    Won,
    /// The vendor's, the caller invited; it has not answered.
    Pending,
}

impl Scenario {
    /// One for every function behind HTTP.
    pub fn all(root: &Path) -> Result<Vec<Self>, Failed> {
        let mut all = Vec::new();
        let create: Value = serde_json::from_slice(&std::fs::read(root.join("tests/events/create.json"))?)?;
        for entry in std::fs::read_dir(root.join("tests/events"))? {
            let path = entry?.path();
            let mut payload: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            let Some(function) = path.file_stem().and_then(|name| name.to_str()) else {
                continue;
            };
            if payload.get("routeKey").is_none() {
                continue;
            }
            if function == "webhooks" {
                // What registers one looks its name up in the DNS.
                payload["routeKey"] = "GET /v1/webhooks".into();
                payload["requestContext"]["routeKey"] = "GET /v1/webhooks".into();
                payload["requestContext"]["http"]["method"] = "GET".into();
                payload["body"] = Value::Null;
            }
            if payload["headers"]["if-match"].is_string() {
                payload["headers"]["if-match"] = "*".into();
            }
            all.push(Self {
                function: function.to_owned(),
                payload,
                create: create.clone(),
            });
        }
        all.sort_by(|a, b| a.function.cmp(&b.function));
        Ok(all)
    }

    fn deal(&self) -> Deal {
        match self.function.as_str() {
            "respond" => Deal::Pending,
            "register" => Deal::Won,
            _ if self.payload["pathParameters"]["id"].is_string() => Deal::Own,
            _ => Deal::None,
        }
    }

    /// The event that makes the deal of which the next invocation needs one: a payload of `create`.
    pub fn making(&self, fresh: &Fresh) -> Option<Value> {
        let claims = "/requestContext/authorizer/jwt/claims/org";
        let caller = self.payload.pointer(claims).and_then(Value::as_str).unwrap_or_default();
        let owner = match self.deal() {
            Deal::None => return None,
            Deal::Own | Deal::Won => caller,
            Deal::Pending => "contoso",
        };
        let (invited, solution) = match owner {
            "contoso" => ("fabrikam", "contoso-cloud"),
            _ => ("contoso", "fabrikam-erp"),
        };
        let mut event = self.create.clone();
        *event.pointer_mut(claims)? = owner.into();
        event["headers"]["idempotency-key"] = format!("made-{}", fresh.key).into();
        let body = json!({
            "name": "ERP for Adatum",
            "estimatedValue": {"amount": "125000.00", "currency": "USD"},
            "estimatedCloseDate": "2099-12-31",
            "customer": {
                "name": "Adatum Corporation", "country": "US", "dunsNumber": fresh.duns,
                "contact": {"name": "Lee Gu", "phone": "+14255550100", "email": "lee.gu@adatum.example"},
            },
            "team": [{"name": "Ana Duarte", "phone": "+14255550122", "email": "ana@fabrikam.example"}],
            "solutions": [solution],
            "invitations": [{
                "organizationId": invited, "helpType": "general", "message": "Join us.", "customerConsent": true,
            }],
        });
        event["body"] = body.to_string().into();
        Some(event)
    }

    /// Whether that deal must be won before.
    pub fn of_a_won_deal(&self) -> bool {
        matches!(self.deal(), Deal::Won)
    }

    /// The event.
    pub fn event(&self, fresh: &Fresh) -> Value {
        let mut event = self.payload.clone();
        if let Some(id) = self.payload["pathParameters"]["id"].as_str() {
            let path = self.payload["rawPath"]
                .as_str()
                .unwrap_or_default()
                .replace(id, &fresh.deal);
            event["pathParameters"]["id"] = fresh.deal.as_str().into();
            event["requestContext"]["http"]["path"] = path.as_str().into();
            event["rawPath"] = path.into();
        }
        if self.payload["headers"]["idempotency-key"].is_string() {
            event["headers"]["idempotency-key"] = fresh.key.as_str().into();
        }
        if let Some(body) = self.payload["body"].as_str() {
            event["body"] = body.replace(DUNS, &fresh.duns).replace(SIGNED, &fresh.day).into();
        }
        event
    }

    /// The event of the floor: the same, and what to put in the place of what was recorded.
    pub fn floor_event(&self, recorded: &Fresh, fresh: &Fresh) -> Value {
        let mut event = self.event(fresh);
        let pairs = [
            (&recorded.deal, &fresh.deal),
            (&recorded.duns, &fresh.duns),
            (&recorded.customer, &fresh.customer),
            (&recorded.key, &fresh.key),
            (&recorded.registration, &fresh.registration),
        ];
        let pairs = pairs.map(|(recorded, fresh)| format!("{recorded}={fresh}"));
        event["headers"]["x-fresh"] = pairs.join(",").into();
        event
    }
}

/// The customer of the payload.
const DUNS: &str = "900000001";
/// When the contract of the payload was signed. It must not have been long ago.
const SIGNED: &str = "2026-11-20";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_payload_is_asked_of_a_deal_that_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let all = Scenario::all(&root).expect("payloads");
        assert!(all.iter().any(|scenario| scenario.function == "respond"));
        let (recorded, fresh) = (Fresh::new(1), Fresh::new(2));
        for scenario in &all {
            let event = scenario.floor_event(&recorded, &fresh);
            let of_a_deal = event["pathParameters"]["id"].is_string();
            assert_eq!(of_a_deal, scenario.making(&fresh).is_some(), "{}", scenario.function);
            let path = event["rawPath"].as_str().expect("a path");
            assert_eq!(of_a_deal, path.contains(&fresh.deal), "{path}");
            let pairs = event["headers"]["x-fresh"].as_str().expect("pairs");
            assert!(pairs.contains(&format!("{}={}", recorded.deal, fresh.deal)), "{pairs}");
        }
    }
}
