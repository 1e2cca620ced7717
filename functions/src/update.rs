//! `PATCH /v1/opportunities/{id}`

use domain::{Command, UpdateForm};
use edge::{Accepts, Answer, App, Problem, request};
use lambda_http::Request;

use crate::command::Call;
use crate::representation::show;

/// Changes the caller's organization's view of a deal.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let call = Call::of(&app, &request, &[])?;
    let form = UpdateForm::read(&request::json_body(&request, Accepts::MergePatch)?);
    if request::if_match(&request)?.is_none() {
        return Err(Problem::precondition_required());
    }
    let by = &call.by;
    let catalog = app.store.catalog(&form.references()).await?;
    call.change(
        |deal, now| form.check(deal, &catalog, by, now).map(Command::Update),
        |outcome| show(200, outcome.deal, &by.organization, outcome.favorite),
    )
    .await
}
