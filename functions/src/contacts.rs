//! `GET /v1/contacts/recent`

use domain::RecentContact;
use edge::{Answer, App, Caller, Problem, clock, request};
use lambda_http::Request;
use serde::Serialize;
use store::ContactsPage;

use crate::list::{ListBody, paging};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContactBody<'a> {
    name: &'a str,
    phone: Option<&'a str>,
    email: Option<&'a str>,
    last_used_at: String,
}

/// Lists the people whom the caller's organization put on teams last. A seller gets those of the teams that it is on itself.
pub(crate) async fn handle(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = Caller::of(request)?.may_read()?;
    let query = request::query(request, &["limit", "cursor"])?;
    let (limit, cursor) = paging(&query)?;
    let ContactsPage { items, next } = app.store.recent_contacts(&by, limit, cursor, clock::now()).await??;
    Ok(Answer::json(
        200,
        &ListBody {
            items: items.iter().map(ContactBody::of).collect(),
            next_cursor: next,
        },
    ))
}

impl<'a> ContactBody<'a> {
    fn of(contact: &'a RecentContact) -> Self {
        let person = &contact.person;
        Self {
            name: person.name.as_str(),
            phone: person.phone.as_ref().map(domain::Phone::as_str),
            email: person.email.as_ref().map(domain::Email::as_str),
            last_used_at: contact.last_used_at.to_string(),
        }
    }
}
