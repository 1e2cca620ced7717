//! `POST /v1/opportunities/{id}/invitations` and `DELETE /v1/opportunities/{id}/invitations/{organizationId}`

use domain::{Command, InviteForm, OrganizationId, Refusal};
use edge::{Accepts, Answer, App, Problem, request};
use lambda_http::Request;
use lambda_http::http::Method;

use crate::command::Call;
use crate::representation::show;

/// Sends the deal to another organization, or takes a pending invitation back.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let call = Call::of(&app, &request, &[])?;
    if request.method() == Method::DELETE {
        withdraw(call, &request).await
    } else {
        invite(&app, call, &request).await
    }
}

async fn invite(app: &App, call: Call<'_>, request: &Request) -> Result<Answer, Problem> {
    let form = InviteForm::read(&request::json_body(request, Accepts::Json)?);
    let by = &call.by;
    let catalog = app.store.catalog(&form.references(by)).await?;
    call.change(
        |deal, _| {
            let invite = form.check(deal, &catalog, by, app.config.response_window)?;
            Ok(Command::Invite(Box::new(invite)))
        },
        |outcome| show(201, outcome.deal, &by.organization, outcome.favorite),
    )
    .await
}

async fn withdraw(call: Call<'_>, request: &Request) -> Result<Answer, Problem> {
    let organization = request::path(request, "organizationId").and_then(|id| OrganizationId::parse(&id).ok());
    call.change_unshown(
        |_, _| organization.clone().map(Command::Withdraw).ok_or(Refusal::NotFound),
        |_| Ok(Answer::no_content()),
    )
    .await
}
