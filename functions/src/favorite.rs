//! `PUT` and `DELETE /v1/opportunities/{id}/favorite`

use domain::Refusal;
use edge::{Answer, App, Caller, Problem, request};
use lambda_http::Request;
use lambda_http::http::Method;
use store::MAX_FAVORITES;

use crate::get::own_view;

/// Marks a deal for the caller alone, or takes the mark away. A mark is no change of the deal: who may read it may mark it,
/// in every stage, as often as one likes.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let by = Caller::of(&request)?.may_read()?;
    request::query(&request, &[])?;
    let view = own_view(&app, &by, &request).await?;
    if request.method() == Method::DELETE {
        app.store.unmark(&by, &view.deal).await?;
    } else if !app.store.mark(&by, &view.deal).await? {
        let message = format!("You have marked {MAX_FAVORITES} deals, which is as many as one may.");
        return Err(Refusal::Conflict {
            code: "tooManyFavorites",
            message,
            standing: Some(view.standing()),
        }
        .into());
    }
    Ok(Answer::no_content())
}
