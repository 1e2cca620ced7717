//! `POST /v1/opportunities/{id}/close`

use domain::{CloseForm, Command};
use edge::{Accepts, Answer, App, Problem, request};
use lambda_http::Request;

use crate::command::Call;
use crate::representation::show;

/// Reports that the caller's organization won or lost.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let call = Call::of(&app, &request, &[])?;
    let form = CloseForm::read(&request::json_body(&request, Accepts::Json)?);
    let by = &call.by;
    call.change(
        |deal, _| form.check(deal, by).map(|close| Command::Close(Box::new(close))),
        |outcome| show(200, outcome.deal, &by.organization, outcome.favorite),
    )
    .await
}
