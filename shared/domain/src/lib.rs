//! The rules of co-sell deals: pure functions over values that have been parsed once.
//!
//! ```text
//! decide(deal, command, by, now) -> events | refusal      what may happen
//! evolve(deal, event)            -> deal                  what it does
//! ```
//!
//! A command is read in two steps, so that all that is wrong with a request is told at once: `…Form::read` takes the
//! JSON and names what it refers to; `form.check` compares it with what was found and with the deal, and gives the command.
//!
//! | to find the rule for | look in |
//! |---|---|
//! | creating a deal | [`create`] |
//! | inviting, withdrawing an invitation, passing a lead on | [`invite`] |
//! | accepting, declining | [`respond`] |
//! | changing | [`update`] |
//! | won, lost | [`close`] |
//! | notes | [`note`] |
//! | registering a won deal, reviewing that | [`registration`] |
//! | reminding, expiring | [`Deal::due`], [`Deal::lapse`], [`Opportunity::at`] |
//! | who is told | [`Event::notices`] |
//! | what is counted of an organization | [`record`] |
//! | which partner comes first | [`ranking`] |
//! | lines of an import | [`import`] |
//! | webhooks | [`WebhookForm`] |
//! | finding a company as its name is typed | [`suggest`] |
//! | an organization's own profile | [`profile`] |
//!
//! Architecture invariant: this crate knows no AWS, HTTP, tokio, environment or clock. `tests/tests/architecture.rs` proves it.

mod catalog;
pub mod close;
pub mod contacts;
pub mod create;
mod deal;
mod event;
mod fault;
mod filter;
mod form;
pub mod import;
pub mod invite;
mod money;
pub mod note;
mod opportunity;
pub mod profile;
pub mod ranking;
pub mod record;
mod refusal;
pub mod registration;
pub mod respond;
pub mod suggest;
mod summary;
mod text;
mod time;
pub mod update;
mod webhook;

pub use catalog::{Catalog, CatalogSolution, DirectoryCustomer, Organization, References, SolutionType};
pub use close::CloseForm;
pub use contacts::RecentContact;
pub use create::CreateForm;
pub use deal::{Command, Deal, decide, evolve};
pub use event::{Change, Edit, Event, FromTo, Notice, NoticeType, Recipient, RegistrationNotice, Snapshot};
pub use fault::{Fault, Faults, Flaw};
pub use filter::{Filter, SearchText, Tab, fold};
pub use form::Parse;
pub use import::Line;
pub use invite::{Invite, InviteForm};
pub use money::{Currency, Money, decimal};
pub use note::{NoteForm, Visibility};
pub use opportunity::{
    Access, Actor, Address, CloseResult, Closed, Contact, Customer, DealType, Direction, HelpType, Invitation,
    Opportunity, OrganizationKind, Outcome, Party, Person, Progress, Qualification, QualificationName, Reason,
    Response, ResponseWindow, Solution, Stage, Standing, Work,
};
pub use profile::ProfileForm;
pub use ranking::{Advice, Ask, Candidate, Part, PartName, Ranked, Ranking, Share};
pub use record::{Counter, Likeness, Month, Record, Size};
pub use refusal::Refusal;
pub use registration::{
    RegisterForm, Registration, RegistrationState, RegistrationStatus, ReviewForm, Terms, Verdict, registrable,
    registrable_references,
};
pub use respond::RespondForm;
pub use summary::{Bucket, CampaignTally, Summary, Tally};
pub use text::{
    AddressLine, CampaignId, Country, CrmId, CustomerId, CustomerName, DealId, DealName, DunsNumber, Email,
    IdempotencyKey, Label, OrganizationId, PersonName, Phone, PostalCode, Prose, RegistrationId, SolutionId,
    TenantReference, UserId, WebhookId, WebhookUrl,
};
pub use time::{Date, Timestamp};
pub use update::UpdateForm;
pub use webhook::{MAX_WEBHOOKS, Webhook, WebhookForm, WebhookStatus};

#[cfg(test)]
mod tests;
