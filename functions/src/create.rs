//! `POST /v1/opportunities`

use domain::{Command, CreateForm, DealId};
use edge::{Accepts, Answer, App, Problem, entropy, request};
use lambda_http::Request;

use crate::command::Call;
use crate::representation::show;

/// Creates a deal, and invites others to it where the request says so.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let call = Call::of(&app, &request)?;
    let form = CreateForm::read(&request::json_body(&request, Accepts::Json)?);
    let actor = &call.caller.actor;
    let catalog = app.store.catalog(&form.references(actor)).await?;
    let prepare = |now| {
        let id = DealId::new(now, entropy::entropy());
        let create = form.check(id, &catalog, actor, app.config.response_window, now)?;
        Ok(Command::Create(Box::new(create)))
    };
    call.create(prepare, |deal| {
        Ok(show(201, deal, &actor.organization)?.location(format!("/v1/opportunities/{}", deal.id())))
    })
    .await
}
