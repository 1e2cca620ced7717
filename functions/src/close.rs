//! `POST /v1/opportunities/{id}/close`

use domain::{CloseForm, Command};
use edge::{Accepts, Answer, App, Problem, request};
use lambda_http::Request;

use crate::command::Call;
use crate::representation::show;

/// Reports that the caller's organization won or lost.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let call = Call::of(&app, &request)?;
    let form = CloseForm::read(&request::json_body(&request, Accepts::Json)?);
    let actor = &call.caller.actor;
    call.change(
        |deal, _| form.check(deal, actor).map(|close| Command::Close(Box::new(close))),
        |deal| show(200, deal, &actor.organization),
    )
    .await
}
