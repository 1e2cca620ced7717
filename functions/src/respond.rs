//! `POST /v1/opportunities/{id}/response`

use domain::{Command, RespondForm};
use edge::{Accepts, Answer, App, Problem, request};
use lambda_http::Request;

use crate::command::Call;
use crate::representation::show;

/// Accepts or declines an invitation.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let call = Call::of(&app, &request, &[])?;
    let form = RespondForm::read(&request::json_body(&request, Accepts::Json)?);
    let by = &call.by;
    call.change(
        |deal, now| {
            form.check(deal, by, now)
                .map(|respond| Command::Respond(Box::new(respond)))
        },
        |outcome| show(200, outcome.deal, &by.organization, outcome.favorite),
    )
    .await
}
