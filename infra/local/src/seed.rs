//! The demo: a vendor, three partners, what they sell, whom they sell to, and deals, so that no list is empty.
//!
//! The forms, the rules and the store are those of the functions; only nobody waits for an answer, so that a deal and all that
//! has happened to it is one transaction. Each organization owns five deals, which meet different ends; as every organization
//! is also the first, second and third to be invited by another, each sees every kind in its own tabs.

use chrono::TimeDelta;
use domain::{
    Access, Actor, CloseForm, Command, CreateForm, Deal, DealId, Event, OrganizationId, Refusal, RespondForm,
    ResponseWindow, Timestamp, UserId, decide, evolve,
};
use edge::{App, clock, entropy};
use serde_json::{Value, json};
use store::Commit;
use tokio::task::JoinSet;

use crate::lambda::Lambda;

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
pub(crate) async fn seed(lambda: &Lambda) -> Result<(), String> {
    let report = lambda.invoke("import", json!({"lines": CATALOG})).await?;
    if report["bad"] != json!([]) {
        return Err(format!("bad lines in the catalog: {}", report["bad"]));
    }
    let mut deals = JoinSet::new();
    for owner in 0..ORGANIZATIONS.len() {
        for number in 0..CLOSES_IN.len() {
            let app = lambda.app.clone();
            deals.spawn(async move { Demo::new(&app, owner).work(number).await });
        }
    }
    deals.join_all().await.into_iter().collect()
}

/// A deal of one organization with the others, and what has happened to it so far.
struct Demo<'a> {
    app: &'a App,
    owner: &'static Organization,
    /// In the order in which they are invited.
    others: [&'static Organization; 3],
    deal: Option<Deal>,
    events: Vec<Event>,
    now: Timestamp,
}

impl<'a> Demo<'a> {
    fn new(app: &'a App, owner: usize) -> Self {
        let at = |distance| &ORGANIZATIONS[(owner + distance) % ORGANIZATIONS.len()];
        Self {
            app,
            owner: at(0),
            others: [at(1), at(2), at(3)],
            deal: None,
            events: Vec::new(),
            now: clock::now(),
        }
    }

    async fn work(mut self, number: usize) -> Result<(), String> {
        let accept = json!({"decision": "accept"});
        let decline = json!({"decision": "decline", "reason": "noCapacity"});
        let won = json!({"outcome": "won"});
        let lost = json!({"outcome": "lost", "reason": "choseCompetitor"});
        let (owner, [first, second, third]) = (self.owner, self.others);
        let window = self.app.config.response_window;
        match number {
            // The first has not answered yet.
            0 => {
                self.create(number, &[first, second, third], window).await?;
                self.respond(second, &accept)?;
                self.respond(third, &decline)?;
            }
            // The second has not answered when the owner wins, so its invitation is withdrawn; the third is still at work.
            1 => {
                self.create(number, &[first, second, third], window).await?;
                self.respond(first, &accept)?;
                self.close(first, &won)?;
                self.respond(third, &accept)?;
                self.close(owner, &won)?;
            }
            2 => {
                self.create(number, &[first], window).await?;
                self.respond(first, &accept)?;
                self.close(first, &lost)?;
                self.close(owner, &lost)?;
            }
            3 => self.create(number, &[], window).await?,
            // It lapses as soon as it is sent.
            _ => {
                let length = TimeDelta::milliseconds(1);
                self.create(number, &[first], ResponseWindow { length, ..window })
                    .await?;
            }
        }
        let commit = Commit {
            stored: None,
            events: &self.events,
            now: self.now,
            entropy: entropy::entropy(),
            idempotency: None,
        };
        self.app.store.commit(&commit).await.map_err(|error| error.to_string())
    }

    async fn create(&mut self, number: usize, invited: &[&Organization], window: ResponseWindow) -> Result<(), String> {
        let (owner, by) = (self.owner, self.owner.person()?);
        let (name, customer, value) = owner.deals[number];
        let closing = self.now.plus(TimeDelta::days(CLOSES_IN[number])).date();
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
        let form = CreateForm::read(&json!({
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
        }));
        let catalog = self.app.store.catalog(&form.references(&by)).await;
        let catalog = catalog.map_err(|error| error.to_string())?;
        let id = DealId::new(self.now, entropy::entropy());
        let create = form.check(id, &catalog, &by, window, self.now);
        let create = create.map_err(|refusal| format!("{name}: {refusal:?}"))?;
        self.happens(&Command::Create(Box::new(create)), &by)
    }

    fn respond(&mut self, by: &Organization, body: &Value) -> Result<(), String> {
        let (form, by) = (RespondForm::read(body), by.person()?);
        self.change(&by, |deal, now| {
            form.check(deal, &by, now)
                .map(|respond| Command::Respond(Box::new(respond)))
        })
    }

    fn close(&mut self, by: &Organization, body: &Value) -> Result<(), String> {
        let (form, by) = (CloseForm::read(body), by.person()?);
        self.change(&by, |deal, _| {
            form.check(deal, &by).map(|close| Command::Close(Box::new(close)))
        })
    }

    fn change(
        &mut self,
        by: &Actor,
        command: impl Fn(&Deal, Timestamp) -> Result<Command, Refusal>,
    ) -> Result<(), String> {
        let deal = self.deal.as_ref().ok_or("nothing was created")?;
        self.now = deal.next_instant(clock::now());
        let command = command(deal, self.now).map_err(|refusal| format!("{refusal:?}"))?;
        self.happens(&command, by)
    }

    fn happens(&mut self, command: &Command, by: &Actor) -> Result<(), String> {
        let events = decide(self.deal.as_ref(), command, by, self.now);
        let events = events.map_err(|refusal| format!("{refusal:?}"))?;
        self.deal = events.iter().fold(self.deal.take(), evolve);
        self.events.extend(events);
        Ok(())
    }
}

impl Organization {
    fn person(&self) -> Result<Actor, String> {
        Ok(Actor {
            organization: OrganizationId::parse(self.id).map_err(|flaw| flaw.message)?,
            user: UserId::parse(self.email).map_err(|flaw| flaw.message)?,
            name: Some(self.person.to_owned()),
            access: Access::All,
        })
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
