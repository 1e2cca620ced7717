//! The rules of the exchange, each as its user would put it, through the public interface alone:
//! `…Form::read` → `check` → `decide` → `evolve`.

mod calendar;
mod leads;
mod life_cycle;
mod properties;
mod records;
mod registration;
mod requests;
mod strangers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::*;

const WINDOW: TimeDelta = TimeDelta::days(14);
const REMINDER: TimeDelta = TimeDelta::days(3);
const RESPONSE_WINDOW: ResponseWindow = ResponseWindow {
    length: WINDOW,
    reminder: REMINDER,
};
const MILLISECOND: TimeDelta = TimeDelta::milliseconds(1);
const TODAY: &str = "2026-11-21";
const YESTERDAY: &str = "2026-11-20";

/// What somebody asks for: the request as it arrives.
#[derive(Debug, Clone)]
enum Ask {
    Create(Value),
    Invite(Value),
    Withdraw(&'static str),
    Respond(Value),
    Update(Value),
    Close(Value),
    Register(Value),
    /// Of the registration of an organization.
    Review(&'static str, Value),
}

/// One deal and the clock. Commands run on it as the functions run them.
#[derive(Debug, Clone)]
struct World {
    now: Timestamp,
    /// As it is stored: what has lapsed may not have been swept.
    deal: Option<Deal>,
    /// Of the last command.
    events: Vec<Event>,
}

impl World {
    fn empty() -> Self {
        Self {
            now: noon(),
            deal: None,
            events: Vec::new(),
        }
    }

    /// With a private deal of contoso's.
    fn with_deal() -> Self {
        let mut world = Self::empty();
        assert_eq!(world.ask("contoso", &Ask::Create(deal())), "created contoso");
        world
    }

    /// With fabrikam's view of contoso's deal in some state.
    fn with_fabrikam(state: &str) -> Self {
        let mut world = Self::with_deal();
        assert_eq!(
            world.ask("contoso", &Ask::Invite(invitation("fabrikam"))),
            "invited fabrikam"
        );
        world.bring("fabrikam", state);
        world
    }

    /// Brings a pending invitation into a state.
    fn bring(&mut self, organization: &str, state: &str) {
        let accept = |world: &mut Self| world.ask(organization, &Ask::Respond(accept()));
        let told = match state {
            "received" => return,
            "lapsed" => return self.wait(WINDOW),
            "expired" => {
                self.wait(WINDOW);
                self.sweep(organization)
            }
            "declined" => self.ask(organization, &Ask::Respond(decline("budget"))),
            "withdrawn" => {
                let organization = ORGANIZATIONS.into_iter().find(|id| *id == organization);
                self.ask("contoso", &Ask::Withdraw(organization.expect("one of those")))
            }
            "accepted" => accept(self),
            "won" => {
                accept(self);
                self.ask(organization, &Ask::Close(won()))
            }
            "lost" => {
                accept(self);
                self.ask(organization, &Ask::Close(lost("budget")))
            }
            other => panic!("no state {other}"),
        };
        assert_eq!(told, format!("{state} {organization}"));
    }

    fn wait(&mut self, delta: TimeDelta) {
        self.now = self.now.plus(delta);
    }

    /// Carries out a request, and tells in a few words what came of it.
    fn ask(&mut self, by: &str, ask: &Ask) -> String {
        let by = actor(by);
        let stored = self.deal.clone();
        let deal = stored.clone().map(|deal| deal.at(self.now));
        let decided = command(ask, deal.as_ref(), &by, self.now)
            .and_then(|command| decide(stored.as_ref(), &command, &by, self.now));
        let told = tell(&decided);
        self.events = decided.unwrap_or_default();
        self.deal = self.events.iter().fold(stored, evolve);
        told
    }

    /// What the schedule does for one invitation.
    fn sweep(&mut self, organization: &str) -> String {
        let due = self.stored().due(&org(organization), self.now);
        self.events = due.into_iter().collect();
        self.deal = self.events.iter().fold(self.deal.take(), evolve);
        tell(&Ok(self.events.clone()))
    }

    fn stored(&self) -> &Deal {
        self.deal.as_ref().expect("there is a deal")
    }

    /// What the organization sees.
    fn view(&self, organization: &str) -> Opportunity {
        let deal = self.stored().clone().at(self.now);
        deal.view(&org(organization)).expect("it has a view").clone()
    }

    /// Stage and outcome as the organization sees them.
    fn stands(&self, organization: &str) -> String {
        stands(self.view(organization).standing())
    }

    /// Who was told of the last command.
    fn notices(&self) -> Vec<String> {
        let notices = self.events.iter().flat_map(|event| &event.notices);
        notices
            .map(|notice| format!("{} to {}", notice.notice_type, notice.recipient.organization))
            .collect()
    }

    /// The deal as who was told of the last command knows it.
    fn told(&self) -> &Snapshot {
        self.notice().opportunity.as_ref().expect("it has a part in the deal")
    }

    fn notice(&self) -> &Notice {
        match self.events.as_slice() {
            [event] => event.notices.first().expect("somebody is told"),
            events => panic!("one event, not {events:?}"),
        }
    }
}

fn command(ask: &Ask, deal: Option<&Deal>, by: &Actor, now: Timestamp) -> Result<Command, Refusal> {
    let deal = || deal.ok_or(Refusal::NotFound);
    Ok(match ask {
        Ask::Create(body) => {
            let form = CreateForm::read(body);
            let found = find(&form.references(by));
            Command::Create(Box::new(form.check(id(), &found, by, RESPONSE_WINDOW, now)?))
        }
        Ask::Invite(body) => {
            let form = InviteForm::read(body);
            let found = find(&form.references(by));
            Command::Invite(Box::new(form.check(deal()?, &found, by, RESPONSE_WINDOW)?))
        }
        Ask::Withdraw(organization) => Command::Withdraw(org(organization)),
        Ask::Respond(body) => Command::Respond(Box::new(RespondForm::read(body).check(deal()?, by, now)?)),
        Ask::Update(body) => {
            let form = UpdateForm::read(body);
            Command::Update(form.check(deal()?, &find(&form.references()), by, now)?)
        }
        Ask::Close(body) => Command::Close(Box::new(CloseForm::read(body).check(deal()?, by)?)),
        Ask::Register(body) => {
            let form = RegisterForm::read(body);
            let (found, vendor, new) = (find(&form.references()), org("contoso"), RegistrationId::new(now, 9));
            Command::Register(Box::new(form.check(deal()?, &found, Some(&vendor), new, by, now)?))
        }
        Ask::Review(organization, body) => {
            Command::Review(ReviewForm::read(body).check(deal()?, &org(organization), by)?)
        }
    })
}

/// `accepted fabrikam`, `409 wrongStage archived won`, `422 /name tooLong, /team required`, …
fn tell(decided: &Result<Vec<Event>, Refusal>) -> String {
    match decided {
        Ok(events) if events.is_empty() => "nothing".into(),
        Ok(events) => {
            let told = events
                .iter()
                .map(|event| format!("{} {}", event.change.name(), event.organization));
            told.collect::<Vec<_>>().join(", ")
        }
        Err(Refusal::NotFound) => "404".into(),
        Err(Refusal::Forbidden { code, .. }) => format!("403 {code}"),
        Err(Refusal::Conflict {
            code,
            standing: Some(standing),
            ..
        }) => format!("409 {code} {}", stands(*standing)),
        Err(Refusal::Conflict { code, .. }) => format!("409 {code}"),
        Err(Refusal::WrongStatus { status, .. }) => format!("409 wrongStatus {status}"),
        Err(Refusal::Invalid(faults)) => {
            assert!(!faults.is_empty(), "a refusal without a reason");
            let place = |pointer: &str| if pointer.is_empty() { "all" } else { pointer }.to_owned();
            let told = faults
                .0
                .iter()
                .map(|fault| format!("{} {}", place(&fault.pointer), fault.code));
            format!("422 {}", told.collect::<Vec<_>>().join(", "))
        }
    }
}

fn stands(standing: Standing) -> String {
    let outcome = standing.outcome.map(|outcome| format!(" {outcome}"));
    format!("{}{}", standing.stage, outcome.unwrap_or_default())
}

const ORGANIZATIONS: [&str; 4] = ["contoso", "fabrikam", "northwind", "tailspin"];

/// The vendor `contoso` (no solution counted), three partners, `adatum` with nothing to sell, and `p1` to `p10`;
/// `con-cloud`, `fab-erp`, `s1` to `s51`, and `con-beta`, which is not ready; one customer with an id.
static CATALOG: LazyLock<Catalog> = LazyLock::new(|| {
    let mut lines = vec![
        json!({"kind": "solution", "id": "con-cloud", "name": "Contoso Cloud", "publisher": "contoso", "coSellReady": true}),
        json!({"kind": "solution", "id": "con-beta", "name": "Contoso Beta", "publisher": "contoso"}),
        json!({"kind": "solution", "id": "fab-erp", "name": "Fabrikam ERP", "publisher": "fabrikam", "coSellReady": true,
            "registrationEligible": true}),
        json!({"kind": "customer", "name": "Adatum Corporation", "country": "US", "dunsNumber": "123456789",
            "address": {"city": "Redmond"}}),
    ];
    let partners = (1..=10).map(|n| format!("p{n}"));
    let partners = partners.chain(["fabrikam", "northwind", "tailspin", "adatum"].map(String::from));
    lines.push(json!({"kind": "organization", "id": "contoso", "name": "Contoso", "organizationKind": "vendor"}));
    lines.extend(
        partners.map(|id| json!({"kind": "organization", "id": id, "name": id, "organizationKind": "partner"})),
    );
    lines.extend((1..=51).map(
        |n| json!({"kind": "solution", "id": format!("s{n}"), "name": "S", "publisher": "p1", "coSellReady": true}),
    ));
    let mut catalog = Catalog::default();
    for line in &lines {
        match Line::read(line).expect("a right line") {
            Line::Organization(mut organization) => {
                let partner = organization.party.kind == OrganizationKind::Partner;
                let sells = partner && organization.party.id.as_str() != "adatum";
                organization.co_sell_ready_solutions = u64::from(sells);
                catalog
                    .organizations
                    .insert(organization.party.id.clone(), organization);
            }
            Line::Solution(solution) => {
                catalog.solutions.insert(solution.solution.id.clone(), solution);
            }
            Line::Customer(customer) => catalog.customer = Some(customer),
        }
    }
    catalog
});

/// Looks up what a request names, and no more.
fn find(references: &References) -> Catalog {
    fn named<K: Ord + Clone, V: Clone>(all: &BTreeMap<K, V>, names: &BTreeSet<K>) -> BTreeMap<K, V> {
        let found = names.iter().filter_map(|name| all.get_key_value(name));
        found.map(|(id, value)| (id.clone(), value.clone())).collect()
    }
    let customer = CATALOG.customer.clone();
    Catalog {
        organizations: named(&CATALOG.organizations, &references.organizations),
        solutions: named(&CATALOG.solutions, &references.solutions),
        customer: customer.filter(|customer| references.customer.as_ref() == Some(&customer.id)),
    }
}

fn noon() -> Timestamp {
    Timestamp::parse(&format!("{TODAY}T12:00:00.000Z")).expect("a timestamp")
}

fn id() -> DealId {
    DealId::new(noon(), 7)
}

fn org(id: &str) -> OrganizationId {
    OrganizationId::parse(id).expect("an id")
}

fn actor(organization: &str) -> Actor {
    Actor {
        organization: org(organization),
        user: UserId::parse("ana").expect("an id"),
        name: Some("Ana".into()),
        access: Access::All,
    }
}

/// A right request for a private deal; its contact is complete.
fn deal() -> Value {
    json!({
        "name": "Contoso's deal",
        "estimatedValue": {"amount": "125000.00", "currency": "USD"},
        "estimatedCloseDate": "2027-01-31",
        "crmId": "crm-1",
        "campaignId": "spring",
        "note": "internal",
        "customer": {
            "name": "Litware",
            "country": "US",
            "address": {"addressLine1": "1 Main St", "addressLine2": "Floor 2", "city": "Reno", "region": "NV", "postalCode": "89501"},
            "dunsNumber": "987654321",
            "contact": {"name": "Lee", "phone": "+14255550100", "email": "lee@litware.example"},
        },
        "team": [{"name": "Ana", "phone": "+14255550101", "email": "ana@contoso.example"}, {"name": "Bo"}],
        "solutions": ["con-cloud", "fab-erp"],
    })
}

fn invitation(organization: &str) -> Value {
    json!({
        "organizationId": organization,
        "helpType": "proofOfConcept",
        "message": "Please help",
        "contacts": [{"name": "Ana", "email": "ana@contoso.example"}],
        "customerConsent": true,
    })
}

/// The deal together with invitations.
fn co_sell(organizations: &[&str]) -> Value {
    let invitations: Vec<_> = organizations.iter().map(|id| invitation(id)).collect();
    set(&deal(), "/invitations", json!(invitations))
}

fn accept() -> Value {
    json!({"decision": "accept"})
}

fn decline(reason: &str) -> Value {
    json!({"decision": "decline", "reason": reason})
}

fn won() -> Value {
    json!({"outcome": "won"})
}

fn lost(reason: &str) -> Value {
    json!({"outcome": "lost", "reason": reason})
}

/// Every change that a participant can ask for.
fn every_change() -> Vec<Ask> {
    vec![
        Ask::Update(json!({"name": "Other"})),
        Ask::Update(json!({})),
        Ask::Respond(accept()),
        Ask::Respond(decline("spam")),
        Ask::Close(won()),
        Ask::Close(lost("spam")),
    ]
}

/// The document with a member at a JSON Pointer set.
fn set(body: &Value, pointer: &str, value: Value) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match body.pointer_mut(parent).expect("the parent is there") {
        Value::Array(items) => items[name.parse::<usize>().expect("an index")] = value,
        parent => parent[name] = value,
    }
    body
}

/// The document without the member at a JSON Pointer.
fn without(body: &Value, pointer: &str) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("an object").remove(name).expect("the member is there");
    body
}
