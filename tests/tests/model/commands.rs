//! What the model test does: commands that say as little as possible, so that any part of a script is a script. Deals and
//! people are named by where they stand among those that there are, and what is written is chosen from short tables.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Id, name, kind: in the order of their ids, which is the order of participants.
pub const ORGANIZATIONS: [(&str, &str, &str); 5] = [
    ("contoso", "Contoso", "vendor"),
    ("fabrikam", "Fabrikam", "partner"),
    ("litware", "Litware", "partner"),
    ("northwind", "Northwind", "partner"),
    ("tailspin", "Tailspin", "partner"),
];
/// Id, name, publisher.
pub const CATALOG: [(&str, &str, &str); 4] = [
    ("cloud", "Contoso Cloud", "contoso"),
    ("erp", "Fabrikam ERP", "fabrikam"),
    ("crm", "Northwind CRM", "northwind"),
    ("pos", "Tailspin POS", "tailspin"),
];
pub const NAMES: [&str; 4] = ["ERP for Adatum", "Société Générale rollout", "Phase 2", "日本電気 POS"];
/// The last one has more decimals than its currency.
pub const VALUES: [(&str, &str); 5] = [
    ("125000.00", "USD"),
    ("80000", "EUR"),
    ("500000", "JPY"),
    ("9.5", "KWD"),
    ("1.5", "JPY"),
];
pub const CRM_IDS: [Option<&str>; 3] = [None, Some("CRM-1"), Some("crm-2")];
pub const CAMPAIGNS: [Option<&str>; 3] = [None, Some("q3-erp"), Some("spring")];
pub const HELP: [&str; 3] = ["general", "proofOfConcept", "postSales"];
/// The last one needs a note.
pub const REASONS: [&str; 4] = ["budget", "noCapacity", "spam", "other"];
pub const SEARCHES: [&str; 7] = ["erp", "SOCIETE", "adatum", "Crm-1", "phase 2", "日本電", "proseware"];

/// The second one lies in the past.
pub fn date(index: usize) -> &'static str {
    ["2099-12-31", "2020-02-29", "2096-02-29"][index % 3]
}

pub fn decimals(currency: &str) -> usize {
    match currency {
        "JPY" => 0,
        "KWD" => 3,
        _ => 2,
    }
}

/// Some of them are wrong.
pub fn solutions(index: usize) -> &'static [&'static str] {
    [
        &["cloud"][..],
        &["cloud", "erp"],
        &["crm", "pos"],
        &["erp"],
        &["secret-erp"],
        &["cloud", "ghost"],
        &["erp", "erp"],
    ][index % 7]
}

/// The last one cannot be reached; in the second and third is the seller, in the one as people write addresses.
pub fn team(of: usize, index: usize) -> Vec<Value> {
    let organization = ORGANIZATIONS[of].0;
    let carla = json!({"name": "Carla", "phone": "+14255550111", "email": format!("carla@{organization}.example")});
    match index % 4 {
        0 => vec![carla],
        1 => vec![
            carla,
            json!({"name": "Sam S.", "phone": null, "email": format!("SAM@{organization}.Example")}),
        ],
        2 => vec![json!({"name": "Sam", "phone": "+14255550112", "email": format!("sam@{organization}.example")})],
        _ => vec![json!({"name": "Nobody", "phone": null, "email": null})],
    }
}

/// A customer, as it is asked for and as it is shown.
#[derive(Clone, Copy)]
pub struct Customer {
    pub name: &'static str,
    pub country: &'static str,
    pub duns: Option<&'static str>,
    /// From the directory.
    listed: bool,
    pub identity: u8,
}

pub fn customer(index: usize) -> Customer {
    let customer = |name, country, duns, listed, identity| Customer {
        name,
        country,
        duns,
        listed,
        identity,
    };
    match index % 5 {
        0 => customer("Adatum", "US", Some("123456789"), true, 0),
        1 => customer("Adatum Inc.", "US", Some("123456789"), false, 0),
        2 => customer("Proseware", "DE", None, false, 1),
        3 => customer("PROSEWARE", "DE", None, false, 1),
        _ => customer("Proseware", "AT", None, false, 2),
    }
}

impl Customer {
    pub fn address(self) -> Value {
        if !self.listed {
            return Value::Null;
        }
        json!({"addressLine1": null, "addressLine2": null, "city": "Reno", "region": "Nevada", "postalCode": null})
    }

    fn asked(self) -> Value {
        if self.listed {
            return json!({"id": self.duns});
        }
        let mut asked = json!({"name": self.name, "country": self.country});
        if let Some(duns) = self.duns {
            asked["dunsNumber"] = json!(duns);
        }
        asked
    }
}

pub type Contact = [Option<&'static str>; 3];

const CONTACTS: [Contact; 4] = [
    [Some("Lee Gu"), Some("+14255550100"), Some("lee@adatum.example")],
    [Some("Kim Abel"), Some("+4930123456"), Some("kim@proseware.example")],
    [Some("Lee Gu"), None, None],
    [None, None, None],
];

/// What a patch does to a part of a contact.
#[derive(Clone, Copy)]
enum Part {
    Stays,
    Becomes(Option<&'static str>),
}

/// What a patch does to a contact; nothing stands for all of it.
#[derive(Clone, Copy)]
pub struct ContactPatch(Option<[Part; 3]>);

pub fn contact_patch(index: usize) -> ContactPatch {
    use Part::{Becomes, Stays};
    ContactPatch(match index % 4 {
        0 => Some([Stays, Becomes(Some("+14255550199")), Stays]),
        1 => Some(CONTACTS[1].map(Becomes)),
        2 => Some([Stays, Stays, Becomes(None)]),
        _ => None,
    })
}

impl ContactPatch {
    pub fn onto(self, contact: Contact) -> Contact {
        let Some(patch) = self.0 else { return [None; 3] };
        [0, 1, 2].map(|index| match patch[index] {
            Part::Stays => contact[index],
            Part::Becomes(value) => value,
        })
    }

    fn asked(self) -> Value {
        let Some(patch) = self.0 else { return Value::Null };
        let named = ["name", "phone", "email"].into_iter().zip(patch);
        let named = named.filter_map(|(name, part)| match part {
            Part::Stays => None,
            Part::Becomes(value) => Some((name.to_owned(), json!(value))),
        });
        named.collect()
    }
}

pub fn contacts_of_sender(there: bool) -> Vec<Value> {
    let carla = json!({"name": "Carla Ruiz", "phone": null, "email": "carla@contoso.example"});
    if there { vec![carla] } else { Vec::new() }
}

pub fn note_text(number: u8) -> String {
    format!("Note {number}: ask for Lee’s view.")
}

pub fn organization(index: usize) -> Option<&'static str> {
    ORGANIZATIONS.get(index).map(|(id, ..)| *id)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum User {
    Admin,
    Seller,
    Viewer,
}

/// A person of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    pub org: usize,
    pub user: User,
}

impl Who {
    pub fn organization(self) -> &'static str {
        ORGANIZATIONS[self.org].0
    }

    pub fn id(self) -> &'static str {
        match self.user {
            User::Admin => "ana",
            User::Seller => "sam",
            User::Viewer => "vic",
        }
    }

    pub fn role(self) -> &'static str {
        match self.user {
            User::Admin => "referrals_admin",
            User::Seller => "seller",
            User::Viewer => "viewer",
        }
    }

    pub fn email(self) -> String {
        format!("{}@{}.example", self.id(), self.organization())
    }
}

/// An organization, by what it is to the deal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Side {
    Owner,
    /// One of the invited.
    Invited(u8),
    Any(u8),
}

/// One step of a script.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Which deal: counted from the newest.
    pub deal: u8,
    pub side: Side,
    pub user: User,
    /// Whether it goes to the instance whose invitations lapse soon.
    pub soon: bool,
    /// A key of few, so that some meet.
    pub key: Option<u8>,
    pub tag: Tag,
    pub ask: Ask,
}

/// What `If-Match` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tag {
    Absent,
    Right,
    Stale,
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub help: usize,
    pub message: u8,
    pub contacts: bool,
    pub consent: bool,
}

impl Terms {
    pub fn message(self) -> String {
        format!("Message {}", self.message)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitee {
    /// One past the last is nobody.
    pub organization: usize,
    pub terms: Terms,
}

impl Invitee {
    pub fn asked(&self) -> Value {
        json!({
            "organizationId": organization(self.organization).unwrap_or("nobody"),
            "helpType": HELP[self.terms.help % HELP.len()],
            "message": self.terms.message(),
            "contacts": contacts_of_sender(self.terms.contacts).iter().map(without_nulls).collect::<Vec<_>>(),
            "customerConsent": self.terms.consent,
        })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Draft {
    pub lead: bool,
    pub name: usize,
    pub value: Option<usize>,
    pub date: Option<usize>,
    pub crm_id: usize,
    pub campaign: usize,
    pub customer: usize,
    pub contact: usize,
    pub team: usize,
    pub solutions: usize,
    pub note: Option<u8>,
    pub invitees: Vec<Invitee>,
}

impl Draft {
    pub fn contact(&self) -> Contact {
        CONTACTS[self.contact % CONTACTS.len()]
    }

    pub fn asked(&self, of: usize) -> Value {
        let fields = [
            Some(Field::Name(self.name)),
            self.value.map(Field::Value),
            self.date.map(Field::Date),
            Some(Field::Crm(self.crm_id)),
            Some(Field::Campaign(self.campaign)),
            Some(Field::Team(self.team)),
            Some(Field::Solutions(self.solutions)),
        ];
        let mut asked = asked_fields(of, &fields.into_iter().flatten().collect::<Vec<_>>(), self.note);
        asked["customer"] = customer(self.customer).asked();
        if self.contact() != [None; 3] {
            let [name, phone, email] = self.contact();
            asked["customer"]["contact"] = without_nulls(&json!({"name": name, "phone": phone, "email": email}));
        }
        if self.lead {
            asked["qualification"] = json!("lead");
        }
        asked["invitations"] = self.invitees.iter().map(Invitee::asked).collect();
        without_nulls(&asked)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    Name(usize),
    Value(usize),
    Date(usize),
    Crm(usize),
    Campaign(usize),
    Team(usize),
    Solutions(usize),
    Contact(usize),
    Misspelt,
}

/// Fields of a view, as a request gives them.
pub fn asked_fields(of: usize, fields: &[Field], note: Option<u8>) -> Value {
    let mut asked = json!({});
    for field in fields {
        let (name, value) = match *field {
            Field::Name(index) => ("name", json!(NAMES[index % NAMES.len()])),
            Field::Value(index) => {
                let (amount, currency) = VALUES[index % VALUES.len()];
                ("estimatedValue", json!({"amount": amount, "currency": currency}))
            }
            Field::Date(index) => ("estimatedCloseDate", json!(date(index))),
            Field::Crm(index) => ("crmId", json!(CRM_IDS[index % CRM_IDS.len()])),
            Field::Campaign(index) => ("campaignId", json!(CAMPAIGNS[index % CAMPAIGNS.len()])),
            Field::Team(index) => ("team", team(of, index).iter().map(without_nulls).collect()),
            Field::Solutions(index) => ("solutions", json!(solutions(index))),
            Field::Contact(index) => ("customer", json!({"contact": contact_patch(index).asked()})),
            Field::Misspelt => ("nmae", json!("x")),
        };
        asked[name] = value;
    }
    if let Some(note) = note {
        asked["note"] = json!(note_text(note));
    }
    asked
}

/// The members that are there.
pub fn without_nulls(object: &Value) -> Value {
    let members = object.as_object().expect("an object").iter();
    members
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    Create {
        draft: Draft,
        dry_run: bool,
    },
    Edit(Vec<Field>),
    Invite {
        invitee: Invitee,
        note: Option<u8>,
    },
    Withdraw,
    Accept {
        fields: Vec<Field>,
        note: Option<u8>,
    },
    Decline {
        reason: usize,
        note: Option<u8>,
    },
    Won {
        value: Option<usize>,
        note: Option<u8>,
    },
    Lost {
        reason: usize,
        note: Option<u8>,
    },
    Note {
        shared: bool,
        text: u8,
    },
    Mark(bool),
    /// An earlier request with a key, as it was, or with another body.
    Again {
        which: u8,
        same: bool,
    },
    View {
        known: bool,
    },
    History,
    Notes,
    List(Listing),
    Summary,
    /// What is due soon comes due, and the sweep runs.
    Sweep,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Listing {
    pub tab: usize,
    pub stage: usize,
    pub outcome: usize,
    pub qualification: usize,
    pub text: Option<usize>,
    pub campaign: usize,
    pub crm_id: usize,
    pub since: Option<u8>,
    pub limit: usize,
}

fn rarely<T: std::fmt::Debug + Clone + 'static>(
    usual: impl Strategy<Value = T> + 'static,
    rare: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<T> {
    prop_oneof![12 => usual, 1 => rare].boxed()
}

fn note() -> BoxedStrategy<Option<u8>> {
    prop_oneof![3 => Just(None), 1 => (0..9u8).prop_map(Some)].boxed()
}

fn terms() -> impl Strategy<Value = Terms> {
    (0..3usize, 0..9u8, any::<bool>(), prop::bool::weighted(0.97)).prop_map(|(help, message, contacts, consent)| {
        Terms {
            help,
            message,
            contacts,
            consent,
        }
    })
}

fn invitee() -> impl Strategy<Value = Invitee> {
    let organization = prop_oneof![30 => 1..5usize, 2 => Just(0usize), 1 => Just(5usize)];
    (organization, terms()).prop_map(|(organization, terms)| Invitee { organization, terms })
}

/// Different organizations, most of the time.
fn invitees() -> impl Strategy<Value = Vec<Invitee>> {
    (prop::collection::vec(invitee(), 0..4), prop::bool::weighted(0.03)).prop_map(|(mut invitees, twice)| {
        if !twice {
            let mut seen = BTreeSet::new();
            invitees.retain(|one| seen.insert(one.organization));
        }
        invitees
    })
}

fn value() -> BoxedStrategy<usize> {
    rarely(0..4usize, Just(4))
}

fn a_date() -> BoxedStrategy<usize> {
    rarely(prop_oneof![Just(0usize), Just(2)], Just(1))
}

fn draft() -> impl Strategy<Value = Draft> {
    let worth = (
        prop::bool::weighted(0.25),
        value(),
        a_date(),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.2),
    );
    let rest = (
        0..4usize,
        0..3usize,
        0..3usize,
        0..5usize,
        0..8usize,
        rarely(0..3usize, Just(3)),
        rarely(0..4usize, 4..7usize),
    );
    (worth, rest, note(), invitees()).prop_map(|((lead, value, date, without, incomplete), rest, note, invitees)| {
        let (name, crm_id, campaign, customer, contact, team, solutions) = rest;
        Draft {
            lead,
            name,
            value: (!lead || !without).then_some(value),
            date: (!lead || !without).then_some(date),
            crm_id,
            campaign,
            customer,
            contact: if incomplete { contact } else { contact % 2 },
            team,
            solutions,
            note,
            invitees,
        }
    })
}

fn field(patch: bool) -> BoxedStrategy<Field> {
    let common = prop_oneof![
        (0..4usize).prop_map(Field::Name),
        value().prop_map(Field::Value),
        a_date().prop_map(Field::Date),
        (0..3usize).prop_map(Field::Crm),
        (0..3usize).prop_map(Field::Campaign),
        (0..4usize).prop_map(Field::Team),
    ];
    if !patch {
        return rarely(common, Just(Field::Misspelt));
    }
    prop_oneof![
        8 => common,
        2 => rarely(0..4usize, 4..7usize).prop_map(Field::Solutions),
        2 => (0..4usize).prop_map(Field::Contact),
        1 => Just(Field::Misspelt),
    ]
    .boxed()
}

fn fields(patch: bool, size: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Field>> {
    prop::collection::vec(field(patch), size).prop_map(|fields| {
        // A field is given once.
        let kind = std::mem::discriminant::<Field>;
        let mut once: Vec<Field> = Vec::new();
        for field in fields {
            if once.iter().all(|other| kind(other) != kind(&field)) {
                once.push(field);
            }
        }
        once
    })
}

fn listing() -> impl Strategy<Value = Listing> {
    let seldom = |choices: usize| prop_oneof![3 => Just(0), 1 => 1..choices];
    let text = prop_oneof![3 => Just(None), 1 => (0..8usize).prop_map(Some)];
    let since = prop_oneof![4 => Just(None), 1 => any::<u8>().prop_map(Some)];
    let limit = prop_oneof![Just(2usize), Just(5), Just(100)];
    (
        0..3usize,
        seldom(4),
        seldom(6),
        seldom(3),
        text,
        (seldom(3), seldom(3)),
        since,
        limit,
    )
        .prop_map(
            |(tab, stage, outcome, qualification, text, (campaign, crm_id), since, limit)| Listing {
                tab,
                stage,
                outcome,
                qualification,
                text,
                campaign,
                crm_id,
                since,
                limit,
            },
        )
}

fn create() -> impl Strategy<Value = Ask> {
    (draft(), prop::bool::weighted(0.12)).prop_map(|(draft, dry_run)| Ask::Create { draft, dry_run })
}

fn ask() -> impl Strategy<Value = Ask> {
    let value = prop_oneof![Just(None), value().prop_map(Some)];
    prop_oneof![
        12 => create(),
        14 => fields(true, 1..4).prop_map(Ask::Edit),
        12 => (invitee(), note()).prop_map(|(invitee, note)| Ask::Invite { invitee, note }),
        6 => Just(Ask::Withdraw),
        12 => (fields(false, 0..4), note()).prop_map(|(fields, note)| Ask::Accept { fields, note }),
        9 => (0..4usize, note()).prop_map(|(reason, note)| Ask::Decline { reason, note }),
        4 => (value, note()).prop_map(|(value, note)| Ask::Won { value, note }),
        4 => (0..4usize, note()).prop_map(|(reason, note)| Ask::Lost { reason, note }),
        8 => (any::<bool>(), 0..9u8).prop_map(|(shared, text)| Ask::Note { shared, text }),
        4 => any::<bool>().prop_map(Ask::Mark),
        6 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(which, same)| Ask::Again { which, same }),
        4 => any::<bool>().prop_map(|known| Ask::View { known }),
        2 => Just(Ask::History),
        2 => Just(Ask::Notes),
        4 => listing().prop_map(Ask::List),
        2 => Just(Ask::Summary),
        3 => Just(Ask::Sweep),
    ]
}

/// A step that asks for one of these.
fn step(ask: impl Strategy<Value = Ask>) -> impl Strategy<Value = Step> {
    let side = |ask: &Ask| match ask {
        Ask::Accept { .. } | Ask::Decline { .. } => prop_oneof![
            16 => any::<u8>().prop_map(Side::Invited),
            1 => Just(Side::Owner),
            1 => any::<u8>().prop_map(Side::Any),
        ]
        .boxed(),
        Ask::Invite { .. } | Ask::Withdraw => prop_oneof![
            1 => any::<u8>().prop_map(Side::Invited),
            16 => Just(Side::Owner),
            1 => any::<u8>().prop_map(Side::Any),
        ]
        .boxed(),
        Ask::Create { .. } => prop_oneof![
            2 => Just(Side::Any(0)),
            1 => any::<u8>().prop_map(Side::Any),
        ]
        .boxed(),
        _ => prop_oneof![
            7 => any::<u8>().prop_map(Side::Invited),
            7 => Just(Side::Owner),
            1 => any::<u8>().prop_map(Side::Any),
        ]
        .boxed(),
    };
    let tag = |ask: &Ask| match ask {
        Ask::Edit(_) => {
            prop_oneof![12 => Just(Tag::Right), 1 => Just(Tag::Absent), 2 => Just(Tag::Stale), 1 => Just(Tag::Any)]
                .boxed()
        }
        _ => prop_oneof![1 => Just(Tag::Right), 16 => Just(Tag::Absent), 1 => Just(Tag::Stale)].boxed(),
    };
    let key = prop_oneof![2 => Just(None), 1 => (0..40u8).prop_map(Some)];
    let user = prop_oneof![12 => Just(User::Admin), 5 => Just(User::Seller), 1 => Just(User::Viewer)];
    ask.prop_flat_map(move |ask| {
        let soon = prop::bool::weighted(0.3);
        (
            any::<u8>(),
            side(&ask),
            user.clone(),
            soon,
            key.clone(),
            tag(&ask),
            Just(ask),
        )
    })
    .prop_map(|(deal, side, user, soon, key, tag, ask)| Step {
        deal,
        side,
        user,
        soon,
        key,
        tag,
        ask,
    })
}

/// A script: some deals to begin with, so that there is something to work with, and then anything.
pub fn script(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    let beginning = prop::collection::vec(step(create()), 0..8);
    let rest = prop::collection::vec(step(ask()), steps / 2..=steps);
    (beginning, rest).prop_map(|(mut script, rest)| {
        script.extend(rest);
        script
    })
}
