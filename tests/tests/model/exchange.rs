//! The model: what DESIGN.md promises, once more, as small and plain as it can be said. It shares no line with the product.
//!
//! It is told what is asked and when it was decided, and says what the answer must be. Views, lists, totals, history, notes
//! and events are all worked out from the same few values when they are asked for; nothing is stored twice.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use chrono::DateTime;
use serde_json::{Value, json};
use tests::Answer;

use crate::commands::{
    CAMPAIGNS, CRM_IDS, Draft, Field, HELP, Invitee, NAMES, ORGANIZATIONS, REASONS, SEARCHES, Terms, User, VALUES, Who,
    contact_patch, contacts_of_sender, customer, date, decimals, note_text, organization, solutions, team,
};

/// An instant: milliseconds since 1970.
pub type Instant = i64;

/// As the interface writes it.
pub fn written(at: Instant) -> String {
    let at = DateTime::from_timestamp_millis(at).expect("an instant");
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// As the interface writes it, read.
pub fn instant(text: &Value) -> Option<Instant> {
    Some(DateTime::parse_from_rfc3339(text.as_str()?).ok()?.timestamp_millis())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    minor: i128,
    currency: &'static str,
}

impl Money {
    fn of(index: usize) -> Option<Self> {
        let (amount, currency) = VALUES[index % VALUES.len()];
        let decimals = decimals(currency);
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = format!("{whole}{fraction:0<decimals$}");
        (fraction.len() <= decimals).then(|| Self {
            minor: digits.parse().expect("digits"),
            currency,
        })
    }

    fn json(self) -> Value {
        json!({"amount": decimal(self.minor, self.currency), "currency": self.currency})
    }
}

fn decimal(minor: i128, currency: &str) -> String {
    let decimals = decimals(currency);
    let digits = format!("{minor:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if decimals == 0 {
        whole.to_owned()
    } else {
        format!("{whole}.{fraction}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Received,
    Accepted,
    Archived(&'static str),
}

impl State {
    pub fn stage(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Accepted => "accepted",
            Self::Archived(_) => "archived",
        }
    }

    pub fn outcome(self) -> Option<&'static str> {
        match self {
            Self::Archived(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether the invitation came to nothing.
    fn came_to_nothing(self) -> bool {
        matches!(self, Self::Archived("declined" | "expired" | "withdrawn"))
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Invitation {
    terms: Terms,
    sent_at: Instant,
    respond_by: Instant,
    remind_at: Option<Instant>,
}

#[derive(Clone, Debug, PartialEq)]
struct View {
    version: u64,
    created_at: Instant,
    updated_at: Instant,
    name: &'static str,
    lead: bool,
    value: Option<Money>,
    final_value: Option<Money>,
    date: Option<&'static str>,
    crm_id: Option<&'static str>,
    campaign: Option<&'static str>,
    /// Name, phone, email.
    contact: [Option<&'static str>; 3],
    team: Vec<Value>,
    solutions: Vec<&'static str>,
    state: State,
    reason: Option<&'static str>,
    accepted_at: Option<Instant>,
    closed_at: Option<Instant>,
    invitation: Option<Invitation>,
}

#[derive(Clone, Debug)]
struct Event {
    at: Instant,
    by: Option<Who>,
    /// Whose view.
    of: usize,
    kind: &'static str,
    reason: Option<&'static str>,
    changes: Vec<Value>,
    notices: Vec<(usize, Value)>,
}

#[derive(Clone, Debug)]
struct Note {
    at: Instant,
    by: Who,
    shared: bool,
    text: String,
}

#[derive(Clone, Debug)]
pub struct Deal {
    pub id: String,
    owner: usize,
    customer: usize,
    views: BTreeMap<usize, View>,
    /// Of a lead: who gets it next.
    next: Vec<(Invitee, Window)>,
    events: Vec<Event>,
    notes: Vec<Note>,
}

/// How long there is to answer, and when the reminder is due, if one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub length: Instant,
    pub remind_after: Option<Instant>,
}

/// What must come back.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A body: exactly this, save what `ids` names.
    Shown {
        status: u16,
        version: Option<u64>,
        body: Value,
    },
    /// Nothing but the status.
    Empty(u16),
    /// A problem: code, where it stands, what is wrong.
    Refused {
        status: u16,
        code: &'static str,
        standing: Option<State>,
        faults: Vec<(String, &'static str)>,
    },
    /// What came back the first time, to the byte.
    Again(Box<Answer>),
}

/// The version that a request insists on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfMatch {
    Any,
    Version(u64),
}

/// Everything that a request says, as the model takes it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub who: Who,
    pub what: What,
    /// The deal, if the path names one that there is.
    pub deal: Option<usize>,
    pub if_match: Option<IfMatch>,
    /// The key, and what a repetition has to have in common with the first request.
    pub key: Option<(String, String)>,
    pub window: Window,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub enum What {
    Create { draft: Draft, dry_run: bool },
    Edit(Vec<Field>),
    Invite { invitee: Invitee, note: Option<u8> },
    Withdraw(usize),
    Accept { fields: Vec<Field>, note: Option<u8> },
    Decline { reason: usize, note: Option<u8> },
    Won { value: Option<usize>, note: Option<u8> },
    Lost { reason: usize, note: Option<u8> },
    Note { shared: bool, text: u8 },
    Mark(bool),
    View,
}

#[derive(Clone, Debug, Default)]
pub struct Exchange {
    pub deals: Vec<Rc<Deal>>,
    marks: BTreeSet<(Who, usize)>,
    keys: BTreeMap<(usize, String), (String, Answer)>,
}

fn refused(status: u16, code: &'static str) -> Reply {
    Reply::Refused {
        status,
        code,
        standing: None,
        faults: Vec::new(),
    }
}

fn wrong_stage(view: &View) -> Reply {
    conflict("wrongStage", view)
}

fn conflict(code: &'static str, view: &View) -> Reply {
    Reply::Refused {
        status: 409,
        code,
        standing: Some(view.state),
        faults: Vec::new(),
    }
}

fn invalid(faults: Vec<(String, &'static str)>) -> Reply {
    Reply::Refused {
        status: 422,
        code: "validationFailed",
        standing: None,
        faults,
    }
}

fn fault(pointer: &str, code: &'static str) -> (String, &'static str) {
    (pointer.to_owned(), code)
}

impl View {
    fn touch(&mut self, at: Instant) {
        self.version += 1;
        self.updated_at = self.updated_at.max(at);
    }

    fn respond_by(&self) -> Option<Instant> {
        let invitation = self.invitation.as_ref()?;
        (self.state == State::Received).then_some(invitation.respond_by)
    }

    fn expire(&mut self) {
        if let Some(at) = self.respond_by() {
            self.state = State::Archived("expired");
            self.closed_at = Some(at);
            self.touch(at);
        }
    }

    fn at(&self, now: Instant) -> Self {
        let mut view = self.clone();
        if self.respond_by().is_some_and(|at| at <= now) {
            view.expire();
        }
        view
    }

    fn open_to(&self, who: Who) -> bool {
        who.user != User::Seller || self.state == State::Received || on_team(&self.team, who)
    }

    fn shares_notes(&self) -> bool {
        self.accepted_at.is_some()
    }

    fn worth(&self) -> Option<Money> {
        self.final_value.or(self.value)
    }

    /// Applies the fields, and tells which of them made a difference.
    fn edit(&mut self, of: usize, fields: &[Field]) -> Vec<Value> {
        let mut changes = Vec::new();
        let mut set = |place: u8, name: &str, from: Value, to: Value| {
            if from != to {
                changes.push((place, json!({"field": name, "from": from, "to": to})));
            }
        };
        let text = |text: Option<&str>| text.map_or(Value::Null, |text| json!(text));
        let money = |money: Option<Money>| money.map_or(Value::Null, Money::json);
        for field in fields {
            match *field {
                Field::Name(name) => {
                    set(0, "name", json!(self.name), json!(NAMES[name % NAMES.len()]));
                    self.name = NAMES[name % NAMES.len()];
                }
                Field::Value(value) => {
                    set(1, "estimatedValue", money(self.value), money(Money::of(value)));
                    self.value = Money::of(value);
                }
                Field::Date(index) => {
                    set(2, "estimatedCloseDate", text(self.date), text(Some(date(index))));
                    self.date = Some(date(index));
                }
                Field::Crm(index) => {
                    let to = CRM_IDS[index % CRM_IDS.len()];
                    set(3, "crmId", text(self.crm_id), text(to));
                    self.crm_id = to;
                }
                Field::Campaign(index) => {
                    let to = CAMPAIGNS[index % CAMPAIGNS.len()];
                    set(4, "campaignId", text(self.campaign), text(to));
                    self.campaign = to;
                }
                Field::Team(index) => {
                    let to = team(of, index);
                    set(5, "team", brief(&self.team), brief(&to));
                    self.team = to;
                }
                Field::Solutions(index) => {
                    let to = solutions(index).to_vec();
                    set(6, "solutions", json!(self.solutions), json!(to));
                    self.solutions = to;
                }
                Field::Contact(index) => {
                    let to = contact_patch(index).onto(self.contact);
                    set(
                        7,
                        "customer.contact",
                        brief_person(&person(self.contact)),
                        brief_person(&person(to)),
                    );
                    self.contact = to;
                }
                Field::Misspelt => {}
            }
        }
        changes.sort_by_key(|(place, _)| *place);
        changes.into_iter().map(|(_, change)| change).collect()
    }
}

fn person([name, phone, email]: [Option<&str>; 3]) -> Value {
    json!({"name": name, "phone": phone, "email": email})
}

/// A person as history shows it: without what is not there.
fn brief_person(person: &Value) -> Value {
    let members = person.as_object().expect("a person").iter();
    members
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn brief(team: &[Value]) -> Value {
    team.iter().map(brief_person).collect()
}

fn on_team(team: &[Value], who: Who) -> bool {
    let email = who.email();
    team.iter().any(|member| {
        member["email"]
            .as_str()
            .is_some_and(|own| own.eq_ignore_ascii_case(&email))
    })
}

/// A seller puts itself on the team of what it creates or accepts.
fn joined(mut team: Vec<Value>, who: Who) -> Vec<Value> {
    if who.user == User::Seller && !on_team(&team, who) {
        team.push(json!({"name": who.id(), "phone": null, "email": who.email()}));
    }
    team
}

impl Deal {
    /// With what has lapsed shown as expired.
    fn at(&self, now: Instant) -> Self {
        let views = self.views.iter().map(|(of, view)| (*of, view.at(now))).collect();
        Self { views, ..self.clone() }
    }

    fn owners(&self) -> &View {
        &self.views[&self.owner]
    }

    fn co_sell(&self) -> bool {
        self.views.len() > 1
    }

    fn is_pending(&self) -> bool {
        self.views.values().any(|view| view.state == State::Received)
    }

    fn next_partner(&self) -> Option<(Invitee, Window)> {
        let own = self.owners();
        if !own.lead || own.state != State::Accepted || self.is_pending() {
            return None;
        }
        let free = |of: usize| self.views.get(&of).is_none_or(|view| view.state.came_to_nothing());
        self.next
            .iter()
            .find(|(invitee, _)| free(invitee.organization))
            .copied()
    }

    /// Puts an event on record, with everyone that is told. To be called when it has changed the views.
    fn tell(&mut self, at: Instant, by: Option<Who>, of: usize, kind: &'static str, changes: Vec<Value>) {
        let subject = self.views[&of].clone();
        let counterparts: Vec<usize> = if of == self.owner {
            let accepted = self
                .views
                .iter()
                .filter(|(other, view)| **other != self.owner && view.shares_notes());
            accepted.map(|(other, _)| *other).collect()
        } else {
            vec![self.owner]
        };
        let readers = || {
            let readers = self
                .views
                .iter()
                .filter(|(other, view)| **other != of && view.shares_notes());
            readers.map(|(other, _)| *other).collect()
        };
        let (told, mut recipients): (&str, Vec<usize>) = match kind {
            "invited" => ("Opportunity Received", vec![of]),
            "reminded" => ("Opportunity Expiring", vec![of]),
            "withdrawn" => ("Invitation Withdrawn", vec![of]),
            "accepted" => ("Opportunity Accepted", vec![self.owner]),
            "declined" => ("Opportunity Declined", vec![self.owner]),
            "expired" => ("Opportunity Expired", vec![self.owner]),
            "won" => ("Opportunity Won", counterparts),
            "lost" => ("Opportunity Lost", counterparts),
            "noteShared" => ("Note Shared", readers()),
            _ => ("", Vec::new()),
        };
        let mut told: Vec<(&str, usize)> = recipients.drain(..).map(|recipient| (told, recipient)).collect();
        if matches!(kind, "declined" | "expired")
            && self.owners().lead
            && self.owners().state == State::Accepted
            && !self.is_pending()
            && self.next_partner().is_none()
        {
            told.push(("Lead Returned", self.owner));
        }
        let notice = |(told, to): (&str, usize)| {
            let own = &self.views[&to];
            let mut detail = json!({
                "version": 1,
                "type": told,
                "occurredAt": written(at),
                "dealId": self.id,
                "actor": by.map(|by| json!({"organizationId": by.organization(), "userId": by.id()})),
                "recipient": {"organizationId": ORGANIZATIONS[to].0, "kind": ORGANIZATIONS[to].2},
                "opportunity": {
                    "name": own.name,
                    "customerName": customer(self.customer).name,
                    "estimatedValue": own.value.map(Money::json),
                    "stage": subject.state.stage(),
                    "outcome": subject.state.outcome(),
                    "reason": subject.reason.filter(|_| to == self.owner),
                },
            });
            if matches!(kind, "invited" | "reminded") {
                detail["respondBy"] = json!(written(subject.respond_by().expect("it is pending")));
            }
            (to, detail)
        };
        let notices = told.into_iter().map(notice).collect();
        let kind = if kind == "noteShared" { "noteAdded" } else { kind };
        let reason = subject.reason.filter(|_| matches!(kind, "declined" | "lost"));
        self.events.push(Event {
            at,
            by,
            of,
            kind,
            reason,
            changes,
            notices,
        });
    }

    /// Sends an invitation to somebody who may have one.
    fn send(&mut self, invitee: &Invitee, window: Window, by: Option<Who>, at: Instant) {
        let own = self.owners().clone();
        let previous = self.views.get(&invitee.organization);
        let view = View {
            version: previous.map_or(1, |view| view.version + 1),
            created_at: at,
            updated_at: previous.map_or(at, |view| view.updated_at.max(at)),
            final_value: None,
            crm_id: None,
            campaign: None,
            team: Vec::new(),
            state: State::Received,
            reason: None,
            accepted_at: None,
            closed_at: None,
            invitation: Some(Invitation {
                terms: invitee.terms,
                sent_at: at,
                respond_by: at + window.length,
                remind_at: window.remind_after.map(|after| at + after),
            }),
            ..own
        };
        self.views.insert(invitee.organization, view);
        self.next.retain(|(next, _)| next.organization != invitee.organization);
        self.views.get_mut(&self.owner).expect("there").touch(at);
        self.tell(at, by, invitee.organization, "invited", Vec::new());
    }

    fn pass_on(&mut self, at: Instant) {
        if let Some((invitee, window)) = self.next_partner() {
            self.send(&invitee, window, None, at);
        }
    }

    fn note(&mut self, at: Instant, by: Who, shared: bool, note: Option<u8>) {
        if let Some(text) = note {
            self.notes.push(Note {
                at,
                by,
                shared,
                text: note_text(text),
            });
        }
    }

    /// The expiry of what has lapsed, made durable.
    fn lapse(&mut self, of: usize) {
        let view = self.views.get_mut(&of).expect("there");
        let at = view.respond_by().expect("it is pending");
        view.expire();
        self.tell(at, None, of, "expired", Vec::new());
    }

    /// One organization's view, as it is shown.
    fn show(&self, of: usize, favorite: bool, in_list: bool) -> Value {
        let view = &self.views[&of];
        let listed = customer(self.customer);
        let own = ORGANIZATIONS[self.owner];
        let solution = |id: &&str| {
            let (_, name, publisher) = crate::commands::CATALOG
                .iter()
                .find(|(known, ..)| known == id)
                .expect("known");
            let kind = match *publisher {
                publisher if publisher == ORGANIZATIONS[of].0 => "own",
                "contoso" => "vendor",
                _ => "thirdParty",
            };
            json!({"id": id, "name": name, "publisher": publisher, "type": kind})
        };
        let invitation = |invitation: &Invitation| {
            json!({
                "from": own.0,
                "helpType": HELP[invitation.terms.help % HELP.len()],
                "message": invitation.terms.message(),
                "contacts": contacts_of_sender(invitation.terms.contacts),
                "sentAt": written(invitation.sent_at),
                "respondBy": written(invitation.respond_by),
            })
        };
        let contact = (view.contact != [None; 3]).then(|| person(view.contact));
        let mut shown = json!({
            "id": self.id,
            "direction": if of == self.owner { "outbound" } else { "inbound" },
            "dealType": if self.co_sell() { "coSell" } else { "privatePipeline" },
            "stage": view.state.stage(),
            "outcome": view.state.outcome(),
            "reason": view.reason,
            "organizationId": ORGANIZATIONS[of].0,
            "owner": {"organizationId": own.0, "name": own.1, "kind": own.2},
            "name": view.name,
            "qualification": if view.lead { "lead" } else { "salesQualified" },
            "estimatedValue": view.value.map(Money::json),
            "finalValue": view.final_value.map(Money::json),
            "estimatedCloseDate": view.date,
            "crmId": view.crm_id,
            "campaignId": view.campaign,
            "customer": {
                "name": listed.name,
                "country": listed.country,
                "address": listed.address(),
                "dunsNumber": listed.duns,
                "contact": contact,
            },
            "team": view.team,
            "solutions": view.solutions.iter().map(solution).collect::<Vec<_>>(),
            "invitation": view.invitation.as_ref().map(invitation),
            "favorite": favorite,
            "registration": null,
            "version": view.version,
            "createdAt": written(view.created_at),
            "updatedAt": written(view.updated_at),
            "acceptedAt": view.accepted_at.map(written),
            "closedAt": view.closed_at.map(written),
        });
        if view.lead && of == self.owner {
            let next = self
                .next
                .iter()
                .map(|(invitee, _)| ORGANIZATIONS[invitee.organization].0);
            shown["nextPartners"] = next.collect();
        }
        if !in_list {
            let others = self.views.keys().filter(|other| **other != self.owner);
            let participant = |of: &usize| {
                let view = &self.views[of];
                json!({
                    "organizationId": ORGANIZATIONS[*of].0,
                    "name": ORGANIZATIONS[*of].1,
                    "stage": view.state.stage(),
                    "outcome": view.state.outcome(),
                    "respondBy": view.invitation.as_ref().map(|invitation| written(invitation.respond_by)),
                })
            };
            shown["participants"] = std::iter::once(&self.owner).chain(others).map(participant).collect();
        }
        shown
    }
}

/// What a campaign has come to.
#[derive(Debug, Default)]
struct Tally {
    deals: usize,
    won: usize,
    lost: usize,
    value: BTreeMap<&'static str, i128>,
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Narrowed {
    pub stage: Option<&'static str>,
    pub outcome: Option<&'static str>,
    pub qualification: Option<&'static str>,
    pub text: Option<String>,
    pub campaign: Option<&'static str>,
    pub crm_id: Option<&'static str>,
    pub since: Option<Instant>,
}

impl Exchange {
    /// The answer to what is asked and was decided at `now`; a new deal is `id`. What the answer does is done.
    pub fn ask(&mut self, asked: &Asked, now: Instant, id: &str) -> Reply {
        let key = asked.key.as_ref();
        let used = key.and_then(|(key, same)| Some((self.keys.get(&(asked.who.org, key.clone()))?, same)));
        if asked.who.user == User::Viewer && !matches!(asked.what, What::Mark(_) | What::View) {
            return refused(403, "forbidden");
        }
        if let (Some(((first, answer), same)), false) = (used, matches!(asked.what, What::Create { dry_run: true, .. }))
        {
            return if first == same {
                Reply::Again(Box::new(answer.clone()))
            } else {
                refused(422, "idempotencyKeyReused")
            };
        }
        match &asked.what {
            What::Create { draft, dry_run } => self.create(asked, draft, *dry_run, now, id),
            What::Edit(_) if asked.if_match.is_none() => refused(428, "preconditionRequired"),
            _ => {
                let Some(index) = asked.deal else {
                    return refused(404, "notFound");
                };
                let deal = Rc::clone(&self.deals[index]);
                let (reply, after) = self.change(asked, index, &deal, now);
                if let Some(after) = after {
                    self.deals[index] = Rc::new(after);
                }
                reply
            }
        }
    }

    /// Remembers the answer of a request that succeeded with a key.
    pub fn remember(&mut self, asked: &Asked, answer: &Answer) {
        if let Some((key, same)) = &asked.key {
            let key = (asked.who.org, key.clone());
            self.keys.entry(key).or_insert_with(|| (same.clone(), answer.clone()));
        }
    }

    fn create(&mut self, asked: &Asked, draft: &Draft, dry_run: bool, now: Instant, id: &str) -> Reply {
        let Asked { who, window, .. } = asked;
        let who = *who;
        if draft.lead && who.org != 0 {
            return refused(403, "notVendor");
        }
        if !draft.invitees.is_empty() && who.organization() == "litware" {
            return refused(403, "notCoSellReady");
        }
        let faults = draft.faults(who);
        if !faults.is_empty() {
            return invalid(faults);
        }
        let invitees: Vec<(Invitee, Window)> = draft.invitees.iter().map(|one| (*one, *window)).collect();
        let mut view = View {
            version: 1,
            created_at: now,
            updated_at: now,
            name: NAMES[draft.name % NAMES.len()],
            lead: draft.lead,
            value: draft.value.and_then(Money::of),
            final_value: None,
            date: draft.date.map(date),
            crm_id: CRM_IDS[draft.crm_id % CRM_IDS.len()],
            campaign: CAMPAIGNS[draft.campaign % CAMPAIGNS.len()],
            contact: draft.contact(),
            team: team(who.org, draft.team),
            solutions: solutions(draft.solutions).to_vec(),
            state: State::Accepted,
            reason: None,
            accepted_at: Some(now),
            closed_at: None,
            invitation: None,
        };
        view.team = joined(view.team, who);
        let duplicates = self.duplicates(who, draft.customer, &view.solutions, now);
        let mut deal = Deal {
            id: id.to_owned(),
            owner: who.org,
            customer: draft.customer,
            views: BTreeMap::from([(who.org, view)]),
            next: if draft.lead { invitees.clone() } else { Vec::new() },
            events: Vec::new(),
            notes: Vec::new(),
        };
        deal.tell(now, Some(who), who.org, "created", Vec::new());
        deal.note(now, who, false, draft.note);
        let at_once = if draft.lead { 1 } else { invitees.len() };
        for (invitee, window) in &invitees[..at_once] {
            deal.send(invitee, *window, Some(who), now);
        }
        let mut body = deal.show(who.org, false, false);
        body["possibleDuplicates"] = json!(duplicates);
        if dry_run {
            let others = deal.views.keys().filter(|of| **of != who.org);
            let invitee =
                |of: &usize| json!({"organizationId": ORGANIZATIONS[*of].0, "view": deal.show(*of, false, false)});
            body["invitees"] = others.map(invitee).collect();
            return Reply::Shown {
                status: 200,
                version: None,
                body,
            };
        }
        let version = Some(deal.owners().version);
        self.deals.push(Rc::new(deal));
        Reply::Shown {
            status: 201,
            version,
            body,
        }
    }

    /// Open opportunities of the organization for the same customer with a common solution.
    fn duplicates(&self, who: Who, of_customer: usize, wanted: &[&str], now: Instant) -> Vec<Value> {
        let mut found: Vec<_> = self
            .deals
            .iter()
            .filter(|deal| customer(deal.customer).identity == customer(of_customer).identity)
            .filter_map(|deal| {
                let view = deal.views.get(&who.org)?.at(now);
                let common: Vec<_> = view.solutions.iter().filter(|id| wanted.contains(id)).collect();
                let open = view.state.outcome().is_none() && view.open_to(who) && !common.is_empty();
                open.then(|| {
                    json!({
                        "id": deal.id,
                        "name": view.name,
                        "direction": if deal.owner == who.org { "outbound" } else { "inbound" },
                        "stage": view.state.stage(),
                        "solutions": common,
                    })
                })
            })
            .collect();
        found.sort_by_key(|one| std::cmp::Reverse(one["id"].as_str().map(str::to_owned)));
        found
    }

    /// A request about a deal: the answer, and the deal afterwards if it changed.
    fn change(&mut self, asked: &Asked, index: usize, stored: &Deal, now: Instant) -> (Reply, Option<Deal>) {
        let who = asked.who;
        let mut deal = stored.at(now);
        let Some(view) = deal.views.get(&who.org).filter(|view| view.open_to(who)).cloned() else {
            return (refused(404, "notFound"), None);
        };
        let favorite = self.marks.contains(&(who, index));
        match &asked.what {
            What::View => {
                let body = deal.show(who.org, favorite, false);
                return (
                    Reply::Shown {
                        status: 200,
                        version: Some(view.version),
                        body,
                    },
                    None,
                );
            }
            What::Mark(on) => {
                if *on {
                    self.marks.insert((who, index));
                } else {
                    self.marks.remove(&(who, index));
                }
                return (Reply::Empty(204), None);
            }
            _ => {}
        }
        if matches!(asked.if_match, Some(IfMatch::Version(version)) if version != view.version) {
            return (refused(412, "preconditionFailed"), None);
        }
        if let Err(reply) = deal.carry_out(stored, asked, &view, now) {
            return (reply, None);
        }
        let reply = match &asked.what {
            What::Withdraw(_) => Reply::Empty(204),
            What::Note { shared, text } => {
                let visibility = if *shared { "shared" } else { "internal" };
                let author = json!({"organizationId": who.organization(), "userId": who.id(), "name": who.id()});
                let text = note_text(*text);
                let body = json!({"text": text, "visibility": visibility, "author": author, "createdAt": written(now)});
                Reply::Shown {
                    status: 201,
                    version: None,
                    body,
                }
            }
            what => {
                let status = if matches!(what, What::Invite { .. }) { 201 } else { 200 };
                let version = Some(deal.views[&who.org].version);
                Reply::Shown {
                    status,
                    version,
                    body: deal.show(who.org, favorite, false),
                }
            }
        };
        // What has lapsed is not written down by somebody else's change.
        for (of, before) in &stored.views {
            if deal.views[of] == before.at(now)
                && deal.events[stored.events.len()..].iter().all(|event| event.of != *of)
            {
                deal.views.insert(*of, before.clone());
            }
        }
        (reply, Some(deal))
    }
}

impl Deal {
    /// Does what is asked for to the deal as it stands at `now`, or says why not.
    fn carry_out(&mut self, stored: &Self, asked: &Asked, view: &View, now: Instant) -> Result<(), Reply> {
        let who = asked.who;
        let me = who.org;
        let is_owner = me == self.owner;
        match &asked.what {
            What::Create { .. } | What::View | What::Mark(_) => unreachable!("answered before"),
            What::Edit(fields) => {
                if view.state != State::Accepted {
                    return Err(wrong_stage(view));
                }
                let mut faults = field_faults(fields);
                if is_owner
                    && fields
                        .iter()
                        .any(|field| matches!(field, Field::Team(index) if index % 4 == 3))
                {
                    faults.push(fault("/team", "teamContactRequired"));
                }
                let locked = |field: &Field| matches!(field, Field::Contact(index) if contact_patch(*index).onto(view.contact) != view.contact);
                if self.co_sell() && fields.iter().any(locked) {
                    faults.push(fault("/customer/contact", "contactLocked"));
                }
                if !faults.is_empty() {
                    return Err(invalid(faults));
                }
                let own = self.views.get_mut(&me).expect("there");
                let changes = own.edit(me, fields);
                if !changes.is_empty() {
                    own.touch(now);
                    self.tell(now, Some(who), me, "updated", changes);
                }
            }
            What::Invite { invitee, note } => self.invite(stored, asked, invitee, *note, now)?,
            What::Withdraw(of) => {
                if !is_owner {
                    return Err(refused(403, "notOwner"));
                }
                let Some(theirs) = self.views.get_mut(of) else {
                    return Err(refused(404, "notFound"));
                };
                if theirs.state != State::Received {
                    return Err(wrong_stage(theirs));
                }
                theirs.state = State::Archived("withdrawn");
                theirs.closed_at = Some(now);
                theirs.touch(now);
                self.tell(now, Some(who), *of, "withdrawn", Vec::new());
                self.pass_on(now);
            }
            What::Accept { fields, note } => {
                if is_owner || view.state != State::Received {
                    return Err(wrong_stage(view));
                }
                self.accept(who, fields, now)?;
                self.note(now, who, false, *note);
            }
            What::Decline { reason, note } => {
                if is_owner || view.state != State::Received {
                    return Err(wrong_stage(view));
                }
                let reason = told_reason(*reason, *note)?;
                let own = self.views.get_mut(&me).expect("there");
                own.state = State::Archived("declined");
                own.reason = Some(reason);
                own.closed_at = Some(now);
                own.touch(now);
                self.tell(now, Some(who), me, "declined", Vec::new());
                self.note(now, who, false, *note);
                self.pass_on(now);
            }
            What::Won { note, .. } | What::Lost { note, .. } => {
                if view.state != State::Accepted {
                    return Err(wrong_stage(view));
                }
                self.close(asked, view, now)?;
                self.note(now, who, false, *note);
            }
            What::Note { shared, text } => {
                if view.state.outcome().is_some() || (*shared && !view.shares_notes()) {
                    return Err(wrong_stage(view));
                }
                self.tell(
                    now,
                    Some(who),
                    me,
                    if *shared { "noteShared" } else { "noteAdded" },
                    Vec::new(),
                );
                self.note(now, who, *shared, Some(*text));
            }
        }
        Ok(())
    }

    fn accept(&mut self, who: Who, fields: &[Field], now: Instant) -> Result<(), Reply> {
        let me = who.org;
        let view = &self.views[&me];
        let mut faults = field_faults(fields);
        if view.lead {
            let has = |wanted: fn(&Field) -> bool| fields.iter().any(wanted);
            if view.value.is_none() && !has(|field| matches!(field, Field::Value(_))) {
                faults.push(fault("/estimatedValue", "required"));
            }
            if view.date.is_none() && !has(|field| matches!(field, Field::Date(_))) {
                faults.push(fault("/estimatedCloseDate", "required"));
            }
        }
        if !faults.is_empty() {
            return Err(invalid(faults));
        }
        let own = self.views.get_mut(&me).expect("there");
        own.state = State::Accepted;
        own.accepted_at = Some(now);
        let mut changes = own.edit(me, fields);
        let team = joined(own.team.clone(), who);
        if team != own.team {
            changes.retain(|change| change["field"] != "team");
            changes.push(json!({"field": "team", "from": [], "to": brief(&team)}));
            own.team = team;
        }
        own.touch(now);
        if std::mem::take(&mut own.lead) {
            let owner = self.views.get_mut(&self.owner).expect("there");
            owner.lead = false;
            owner.touch(now);
            self.next.clear();
        }
        self.tell(now, Some(who), me, "accepted", changes);
        Ok(())
    }

    fn invite(
        &mut self,
        stored: &Self,
        asked: &Asked,
        invitee: &Invitee,
        note: Option<u8>,
        now: Instant,
    ) -> Result<(), Reply> {
        let who = asked.who;
        if who.org != self.owner {
            return Err(refused(403, "notOwner"));
        }
        let own = self.owners().clone();
        if own.state != State::Accepted {
            return Err(wrong_stage(&own));
        }
        if who.organization() == "litware" {
            return Err(refused(403, "notCoSellReady"));
        }
        let mut faults = Vec::new();
        if own.contact.contains(&None) {
            faults.push(fault("", "contactIncomplete"));
        }
        faults.extend(invitee.faults(who.org, ""));
        if !faults.is_empty() {
            return Err(invalid(faults));
        }
        let of = invitee.organization;
        if own.lead
            && self
                .views
                .iter()
                .any(|(other, view)| *other != of && view.state == State::Received)
        {
            return Err(conflict("leadPending", &own));
        }
        match self.views.get(&of).map(|view| view.state) {
            Some(State::Received) => return Err(conflict("alreadyInvited", &own)),
            Some(state) if !state.came_to_nothing() => return Err(conflict("alreadyParticipates", &own)),
            _ => {}
        }
        if stored.views.get(&of).is_some_and(|view| view.state == State::Received) {
            // Its last invitation lapsed, and nobody had written that down: that comes first, and is told as things are stored.
            let mut before = stored.clone();
            before.lapse(of);
            self.events.push(before.events.pop().expect("the expiry"));
        }
        self.send(invitee, asked.window, Some(who), now);
        self.note(now, who, false, note);
        Ok(())
    }

    fn close(&mut self, asked: &Asked, view: &View, now: Instant) -> Result<(), Reply> {
        let who = asked.who;
        let (kind, reason, final_value) = match asked.what {
            What::Won { value, .. } => {
                let value = match value.map(Money::of) {
                    Some(None) => return Err(invalid(vec![fault("/finalValue/amount", "tooManyDecimals")])),
                    Some(value) => value,
                    None => view.value,
                };
                let missing = || invalid(vec![fault("/finalValue", "required")]);
                ("won", None, Some(value.ok_or_else(missing)?))
            }
            What::Lost { reason, note } => ("lost", Some(told_reason(reason, note)?), None),
            _ => unreachable!("only these close"),
        };
        let own = self.views.get_mut(&who.org).expect("there");
        own.state = State::Archived(kind);
        own.reason = reason;
        own.final_value = final_value;
        own.closed_at = Some(now);
        own.touch(now);
        let change = final_value.map(|value| json!({"field": "finalValue", "from": null, "to": value.json()}));
        self.tell(now, Some(who), who.org, kind, change.into_iter().collect());
        if who.org == self.owner {
            let pending = self.views.iter().filter(|(_, view)| view.state == State::Received);
            let pending: Vec<usize> = pending.map(|(of, _)| *of).collect();
            for of in pending {
                let theirs = self.views.get_mut(&of).expect("there");
                theirs.state = State::Archived("withdrawn");
                theirs.closed_at = Some(now);
                theirs.touch(now);
                self.tell(now, Some(who), of, "withdrawn", Vec::new());
            }
        }
        Ok(())
    }
}

fn told_reason(reason: usize, note: Option<u8>) -> Result<&'static str, Reply> {
    match REASONS[reason % REASONS.len()] {
        "other" if note.is_none() => Err(invalid(vec![fault("/note", "noteRequired")])),
        reason => Ok(reason),
    }
}

/// What is wrong with fields wherever they are given.
pub fn field_faults(fields: &[Field]) -> Vec<(String, &'static str)> {
    let mut faults = Vec::new();
    for field in fields {
        match field {
            Field::Value(index) if Money::of(*index).is_none() => {
                faults.push(fault("/estimatedValue/amount", "tooManyDecimals"));
            }
            Field::Date(index) if date(*index) < "2026" => faults.push(fault("/estimatedCloseDate", "dateInPast")),
            Field::Solutions(index) => faults.extend(solution_faults(*index)),
            Field::Misspelt => faults.push(fault("/nmae", "unknownField")),
            _ => {}
        }
    }
    faults
}

/// What is wrong with a choice of solutions.
pub fn solution_faults(index: usize) -> Vec<(String, &'static str)> {
    match solutions(index) {
        ["secret-erp"] => vec![fault("/solutions/0", "solutionNotCoSellReady")],
        [_, "ghost"] => vec![fault("/solutions/1", "unknownSolution")],
        [one, other] if one == other => vec![fault("/solutions/1", "duplicate")],
        _ => Vec::new(),
    }
}

impl Draft {
    fn faults(&self, who: Who) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        let fields = [
            self.value.map(Field::Value),
            self.date.map(Field::Date),
            Some(Field::Solutions(self.solutions)),
        ];
        faults.extend(field_faults(&fields.into_iter().flatten().collect::<Vec<_>>()));
        if !self.lead {
            for (missing, pointer) in [
                (self.value.is_none(), "/estimatedValue"),
                (self.date.is_none(), "/estimatedCloseDate"),
            ] {
                if missing {
                    faults.push(fault(pointer, "required"));
                }
            }
        }
        if self.lead && self.invitees.is_empty() {
            faults.push(fault("/invitations", "required"));
        }
        if self.team % 4 == 3 {
            faults.push(fault("/team", "teamContactRequired"));
        }
        if !self.invitees.is_empty() {
            for (name, there) in ["name", "phone", "email"].into_iter().zip(self.contact()) {
                if there.is_none() {
                    faults.push((format!("/customer/contact/{name}"), "required"));
                }
            }
        }
        for (index, invitee) in self.invitees.iter().enumerate() {
            let pointer = format!("/invitations/{index}");
            if self.invitees[..index]
                .iter()
                .any(|other| other.organization == invitee.organization)
            {
                faults.push((format!("{pointer}/organizationId"), "alreadyInvited"));
            }
            faults.extend(invitee.faults(who.org, &pointer));
        }
        faults
    }
}

impl Invitee {
    fn faults(&self, by: usize, pointer: &str) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        if self.organization == by {
            faults.push((format!("{pointer}/organizationId"), "selfInvitation"));
        }
        if organization(self.organization).is_none() {
            faults.push((format!("{pointer}/organizationId"), "unknownOrganization"));
        }
        if !self.terms.consent {
            faults.push((format!("{pointer}/customerConsent"), "consentRequired"));
        }
        faults
    }
}

/// What the sweep does, and what has to be known to tell when it did it.
#[derive(Debug, Default)]
pub struct Swept {
    pub expired: usize,
    pub reminded: usize,
}

/// What only shows when an organization looks.
pub type When<'a> = &'a dyn Fn(usize, usize) -> Instant;

impl Exchange {
    /// Whether something lapses after `from` and not after `to`.
    pub fn lapses(&self, from: Instant, to: Instant) -> bool {
        self.deadlines().any(|at| at > from && at <= to)
    }

    /// The deadlines of everything that was not swept yet.
    pub fn deadlines(&self) -> impl Iterator<Item = Instant> {
        let views = self.deals.iter().flat_map(|deal| deal.views.values());
        views.filter_map(View::respond_by)
    }

    /// The deadlines of a deal in an interval, each an instant from which on another answer is right.
    pub fn turns(&self, deal: Option<usize>, from: Instant, to: Instant) -> Vec<Instant> {
        let deals = deal.map_or(&self.deals[..], |deal| std::slice::from_ref(&self.deals[deal]));
        let views = deals.iter().flat_map(|deal| deal.views.values());
        let mut turns: Vec<_> = views
            .filter_map(View::respond_by)
            .filter(|at| *at > from && *at <= to)
            .collect();
        turns.sort_unstable();
        turns.insert(0, from);
        turns
    }

    /// The next instant at which the clock has something to do that is near.
    pub fn due(&self, horizon: Instant) -> Option<Instant> {
        let views = self.deals.iter().flat_map(|deal| deal.views.values());
        let due = views.filter_map(|view| {
            let respond_by = view.respond_by()?;
            view.invitation.as_ref()?.remind_at.or(Some(respond_by))
        });
        due.filter(|at| *at <= horizon).max()
    }

    /// The sweep, when everything that is due is due. `when` tells the instant of a reminder or of a passing on: that of the
    /// last change of a view.
    pub fn sweep(&mut self, now: Instant, when: When<'_>) -> Swept {
        let mut swept = Swept::default();
        for index in 0..self.deals.len() {
            let deal = &self.deals[index];
            let due = |view: &View| {
                let respond_by = view.respond_by()?;
                Some(view.invitation.as_ref()?.remind_at.unwrap_or(respond_by))
            };
            let mut dues: Vec<_> = deal
                .views
                .iter()
                .filter_map(|(of, view)| Some((due(view)?, *of)))
                .collect();
            dues.retain(|(at, _)| *at <= now);
            dues.sort_unstable();
            for (_, of) in dues {
                let deal = Rc::make_mut(&mut self.deals[index]);
                if deal.views[&of].respond_by().is_some_and(|at| at <= now) {
                    deal.lapse(of);
                    swept.expired += 1;
                    if deal.next_partner().is_some() {
                        deal.pass_on(when(index, deal.owner));
                    }
                } else {
                    let at = when(index, of);
                    let view = deal.views.get_mut(&of).expect("there");
                    view.invitation.as_mut().expect("there").remind_at = None;
                    view.touch(at);
                    deal.tell(at, None, of, "reminded", Vec::new());
                    swept.reminded += 1;
                }
            }
        }
        swept
    }

    fn seen(&self, who: Who, now: Instant) -> impl Iterator<Item = (usize, Deal)> {
        let deals = self
            .deals
            .iter()
            .enumerate()
            .map(move |(index, deal)| (index, deal.at(now)));
        deals.filter(move |(_, deal)| deal.views.get(&who.org).is_some_and(|view| view.open_to(who)))
    }

    /// A list: its items, newest change first.
    pub fn list(&self, who: Who, tab: &str, narrowed: &Narrowed, now: Instant) -> Vec<Value> {
        let mut items = Vec::new();
        for (index, deal) in self.seen(who, now) {
            let view = &deal.views[&who.org];
            let favorite = self.marks.contains(&(who, index));
            let of_tab = match tab {
                "outbound" => deal.owner == who.org,
                "inbound" => deal.owner != who.org,
                _ => favorite,
            };
            let holds = |text: &String| {
                let places = [
                    view.name,
                    customer(deal.customer).name,
                    &deal.id,
                    view.crm_id.unwrap_or_default(),
                ];
                places.iter().any(|place| folded(place).contains(&folded(text)))
            };
            if of_tab
                && narrowed.stage.is_none_or(|stage| view.state.stage() == stage)
                && narrowed
                    .outcome
                    .is_none_or(|outcome| view.state.outcome() == Some(outcome))
                && narrowed.qualification.is_none_or(|name| (name == "lead") == view.lead)
                && narrowed.campaign.is_none_or(|campaign| view.campaign == Some(campaign))
                && narrowed.crm_id.is_none_or(|crm_id| view.crm_id == Some(crm_id))
                && narrowed.since.is_none_or(|since| view.updated_at >= since)
                && narrowed.text.as_ref().is_none_or(holds)
            {
                items.push(((view.updated_at, deal.id.clone()), deal.show(who.org, favorite, true)));
            }
        }
        items.sort_by(|one, other| other.0.cmp(&one.0));
        items.into_iter().map(|(_, item)| item).collect()
    }

    /// The summary, its lines in order of their text.
    pub fn summary(&self, who: Who, now: Instant) -> Value {
        let mut totals: BTreeMap<_, (usize, i128)> = BTreeMap::new();
        let mut campaigns: BTreeMap<&str, Tally> = BTreeMap::new();
        for (_, deal) in self.seen(who, now) {
            let view = &deal.views[&who.org];
            let tab = if deal.owner == who.org { "outbound" } else { "inbound" };
            let worth = view.worth();
            let minor = worth.map_or(0, |money| money.minor);
            let line = (
                tab,
                view.state.stage(),
                view.state.outcome(),
                worth.map(|money| money.currency),
            );
            let total = totals.entry(line).or_default();
            *total = (total.0 + 1, total.1 + minor);
            let Some(campaign) = view.campaign else { continue };
            let tally = campaigns.entry(campaign).or_default();
            tally.deals += 1;
            match (view.state, worth) {
                (State::Archived("won"), Some(money)) => {
                    tally.won += 1;
                    *tally.value.entry(money.currency).or_default() += minor;
                }
                (State::Archived("lost"), _) => tally.lost += 1,
                _ => {}
            }
        }
        let totals = totals.iter().map(|((tab, stage, outcome, currency), (count, value))| {
            let value = currency.map(|currency| decimal(*value, currency));
            json!({"tab": tab, "stage": stage, "outcome": outcome, "currency": currency, "count": count, "value": value})
        });
        let campaigns = campaigns.iter().map(|(id, Tally { deals, won, lost, value })| {
            let money =
                |(currency, value): (&&str, &i128)| json!({"amount": decimal(*value, currency), "currency": currency});
            #[expect(clippy::cast_precision_loss, reason = "a handful")]
            let rate = (won + lost > 0).then(|| *won as f64 / (won + lost) as f64);
            json!({
                "campaignId": id, "deals": deals, "won": won, "lost": lost,
                "wonValue": value.iter().map(money).collect::<Vec<_>>(), "winRate": rate,
            })
        });
        sorted(json!({
            "totals": totals.collect::<Vec<_>>(),
            "campaigns": campaigns.collect::<Vec<_>>(),
        }))
    }

    /// What somebody reads of a deal's history, newest first; `None` if nothing. Without ids.
    pub fn history(&self, who: Who, index: usize, now: Instant) -> Option<Vec<Value>> {
        let (_, deal) = self.seen(who, now).find(|(seen, _)| *seen == index)?;
        let events = deal
            .events
            .iter()
            .rev()
            .filter(|event| event.of == who.org || !matches!(event.kind, "updated" | "noteAdded" | "reminded"));
        let shown = events.map(|event| {
            let own = event.of == who.org;
            let actor = event.by.map(|by| {
                let user = (by.org == who.org).then(|| by.id());
                json!({"organizationId": by.organization(), "userId": user})
            });
            let mut item = json!({
                "type": event.kind, "at": written(event.at), "organizationId": ORGANIZATIONS[event.of].0, "actor": actor,
            });
            if let Some(reason) = event.reason.filter(|_| own || deal.owner == who.org) {
                item["reason"] = json!(reason);
            }
            if own && !event.changes.is_empty() {
                item["changes"] = json!(event.changes);
            }
            item
        });
        Some(shown.collect())
    }

    /// The notes of a deal that somebody reads, newest first; `None` if nothing. Without ids.
    pub fn notes(&self, who: Who, index: usize, now: Instant) -> Option<Vec<Value>> {
        let (_, deal) = self.seen(who, now).find(|(seen, _)| *seen == index)?;
        let shares = deal.views[&who.org].shares_notes();
        let read = deal
            .notes
            .iter()
            .rev()
            .filter(|note| note.by.org == who.org || (note.shared && shares));
        let shown = read.map(|note| {
            json!({
                "text": note.text,
                "visibility": if note.shared { "shared" } else { "internal" },
                "author": {"organizationId": note.by.organization(), "userId": note.by.id(), "name": note.by.id()},
                "createdAt": written(note.at),
            })
        });
        Some(shown.collect())
    }

    /// What an organization was told about a deal, oldest first. Without ids.
    pub fn told(&self, organization: usize, index: usize) -> Vec<Value> {
        let notices = self.deals[index].events.iter().flat_map(|event| &event.notices);
        notices
            .filter(|(to, _)| *to == organization)
            .map(|(_, detail)| detail.clone())
            .collect()
    }

    /// Whether a deal is somebody's to see.
    pub fn is_seen(&self, who: Who, index: usize, now: Instant) -> bool {
        self.seen(who, now).any(|(seen, _)| seen == index)
    }

    /// How many events and notes a deal has.
    pub fn records(&self, index: usize) -> (usize, usize) {
        (self.deals[index].events.len(), self.deals[index].notes.len())
    }

    /// The version of an organization's view, and when it last changed.
    pub fn version(&self, org: usize, index: usize, now: Instant) -> Option<(u64, Instant)> {
        let view = self.deals[index].views.get(&org)?.at(now);
        Some((view.version, view.updated_at))
    }

    /// The owner of a deal.
    pub fn owner(&self, index: usize) -> usize {
        self.deals[index].owner
    }

    /// Everyone that was invited to a deal.
    pub fn invited(&self, index: usize) -> Vec<usize> {
        let deal = &self.deals[index];
        deal.views.keys().copied().filter(|of| *of != deal.owner).collect()
    }

    /// Every invitation that waits for its answer, lapsed or not.
    pub fn pending(&self) -> Vec<(usize, usize)> {
        let views = self
            .deals
            .iter()
            .enumerate()
            .flat_map(|(index, deal)| deal.views.iter().map(move |one| (index, one)));
        let pending = views.filter(|(_, (_, view))| view.state == State::Received);
        pending.map(|(index, (of, _))| (index, *of)).collect()
    }
}

/// As people compare text, as far as the words that are searched for here go.
fn folded(text: &str) -> String {
    text.to_lowercase().replace('é', "e")
}

/// The words that are searched for; the last one stands for the id of a deal.
pub fn search(index: usize, ids: &[Rc<Deal>]) -> String {
    match SEARCHES.get(index % (SEARCHES.len() + 1)) {
        Some(text) => (*text).to_owned(),
        None => ids.first().map_or("none", |deal| &deal.id[12..]).to_lowercase(),
    }
}

/// Lines in the order of their text.
pub fn sorted(mut summary: Value) -> Value {
    for part in ["totals", "campaigns"] {
        if let Some(lines) = summary[part].as_array_mut() {
            for line in lines.iter_mut() {
                if let Some(values) = line.get_mut("wonValue").and_then(Value::as_array_mut) {
                    values.sort_by_key(Value::to_string);
                }
            }
            lines.sort_by_key(Value::to_string);
        }
    }
    summary
}
