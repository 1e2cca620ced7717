//! `GET /v1/opportunities/{id}`

use domain::Refusal;
use edge::{Answer, App, Caller, Problem, clock};
use lambda_http::Request;

use crate::command::deal_id;
use crate::representation::show;

/// Shows the caller's organization its view of a deal, with all participants.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let caller = Caller::of(&request)?;
    caller.may_read()?;
    let deal = app.store.deal(&deal_id(&request)?).await?.ok_or(Refusal::NotFound)?;
    Ok(show(200, &deal.at(clock::now()), &caller.actor.organization)?.unless_known(&request))
}
