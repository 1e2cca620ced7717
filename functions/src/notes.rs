//! `GET` and `POST /v1/opportunities/{id}/notes`

use domain::{Command, NoteForm, Refusal};
use edge::{Accepts, Answer, App, Caller, Problem, request};
use lambda_http::Request;
use lambda_http::http::Method;
use serde::Serialize;
use store::{NoteRecord, TimelinePage, TimelineQuery};

use crate::command::Call;
use crate::get::own_view;
use crate::list::{ListBody, paging};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NoteBody<'a> {
    id: &'a str,
    text: &'a str,
    visibility: &'a str,
    author: AuthorBody<'a>,
    created_at: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorBody<'a> {
    organization_id: &'a str,
    user_id: &'a str,
    name: Option<&'a str>,
}

/// Adds a note to a deal, or lists those that the caller's organization may read, newest first.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    if request.method() == Method::POST {
        add(&app, &request).await
    } else {
        list(&app, &request).await
    }
}

async fn add(app: &App, request: &Request) -> Result<Answer, Problem> {
    let call = Call::of(app, request, &[])?;
    let form = NoteForm::read(&request::json_body(request, Accepts::Json)?);
    let by = &call.by;
    call.change_unshown(
        |deal, _| form.check(deal, by).map(Command::Note),
        |outcome| {
            let note = outcome.notes.first().ok_or(Refusal::NotFound)?;
            Ok(Answer::json(201, &NoteBody::of(note)))
        },
    )
    .await
}

async fn list(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = Caller::of(request)?.may_read()?;
    let query = request::query(request, &["limit", "cursor"])?;
    let (limit, cursor) = paging(&query)?;
    let view = own_view(app, &by, request).await?;
    let timeline = TimelineQuery {
        deal: &view.deal,
        organization: &by.organization,
        limit,
        cursor,
    };
    let TimelinePage { items, next } = app.store.notes(&timeline, view.shares_notes()).await??;
    Ok(Answer::json(
        200,
        &ListBody {
            items: items.iter().map(NoteBody::of).collect(),
            next_cursor: next,
        },
    ))
}

impl<'a> NoteBody<'a> {
    fn of(note: &'a NoteRecord) -> Self {
        Self {
            id: &note.id,
            text: &note.text,
            visibility: &note.visibility,
            author: AuthorBody {
                organization_id: &note.author.organization_id,
                user_id: &note.author.user_id,
                name: note.author.name.as_deref(),
            },
            created_at: &note.created_at,
        }
    }
}
