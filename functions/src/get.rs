//! `GET /v1/opportunities/{id}` and `GET /v1/opportunities/{id}/history`

use domain::{Actor, Direction, Opportunity, Refusal};
use edge::{Answer, App, Caller, Problem, clock, request};
use futures_util::future::try_join;
use lambda_http::{Request, RequestExt};
use serde::Serialize;
use store::{ChangeRecord, EventRecord, TimelinePage, TimelineQuery};

use crate::command::deal_id;
use crate::list::{ListBody, paging};
use crate::representation::show;

/// Shows the caller's organization its view of a deal, with all participants; or what has happened to it.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let by = &Caller::of(&request)?.may_read()?;
    if request.raw_http_path().ends_with("/history") {
        return history(&app, by, &request).await;
    }
    request::query(&request, &[])?;
    let id = deal_id(&request)?;
    let (deal, favorite) = try_join(app.store.deal(&id), app.store.is_favorite(by, &id)).await?;
    let deal = deal.ok_or(Refusal::NotFound)?.at(clock::now());
    deal.seen_by(by)?;
    Ok(show(200, &deal, &by.organization, favorite)?.unless_known(&request))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventBody<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    at: &'a str,
    organization_id: &'a str,
    actor: Option<ActorBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    changes: &'a [ChangeRecord],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActorBody<'a> {
    organization_id: &'a str,
    user_id: Option<&'a str>,
}

async fn history(app: &App, by: &Actor, request: &Request) -> Result<Answer, Problem> {
    let query = request::query(request, &["limit", "cursor"])?;
    let (limit, cursor) = paging(&query)?;
    let view = own_view(app, by, request).await?;
    let timeline = TimelineQuery {
        deal: &view.deal,
        organization: &by.organization,
        limit,
        cursor,
    };
    let TimelinePage { items, next } = app.store.history(&timeline).await??;
    let items = items.iter().map(|event| EventBody::seen_from(event, &view)).collect();
    Ok(Answer::json(
        200,
        &ListBody {
            items,
            next_cursor: next,
        },
    ))
}

/// The caller's view of the deal, as it stands now.
pub(crate) async fn own_view(app: &App, by: &Actor, request: &Request) -> Result<Opportunity, Problem> {
    let view = app
        .store
        .view(&deal_id(request)?, &by.organization)
        .await?
        .ok_or(Refusal::NotFound)?
        .at(clock::now());
    if view.is_open_to(by) {
        Ok(view)
    } else {
        Err(Refusal::NotFound.into())
    }
}

impl<'a> EventBody<'a> {
    /// All of what the organization's own view went through; of others who, how far, when, and for the owner, why.
    fn seen_from(event: &'a EventRecord, view: &Opportunity) -> Self {
        let organization = view.organization.id.as_str();
        let own = event.organization_id == organization;
        let told_why = own || view.direction() == Direction::Outbound;
        let actor = event.actor.as_ref().map(|actor| ActorBody {
            organization_id: &actor.organization_id,
            user_id: (actor.organization_id == organization).then_some(actor.user_id.as_str()),
        });
        Self {
            id: &event.id,
            event_type: &event.event_type,
            at: &event.at,
            organization_id: &event.organization_id,
            actor,
            reason: event.reason.as_deref().filter(|_| told_why),
            changes: if own { &event.changes } else { &[] },
        }
    }
}
