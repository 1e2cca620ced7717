//! `POST /v1/opportunities/{id}/close`

use domain::{Catalog, CloseForm, Command, Opportunity, References, SolutionId, registrable, registrable_references};
use edge::{Accepts, Answer, App, Problem, request};
use lambda_http::Request;
use serde::Serialize;

use crate::command::{Call, Outcome};
use crate::representation::{OpportunityBody, show};

/// What was won, and which of its solutions can be registered with the vendor. That stands beside the opportunity, so the
/// `ETag` is the one that a GET gives.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WonBody<'a> {
    #[serde(flatten)]
    opportunity: OpportunityBody<'a>,
    registrable_solutions: Vec<&'a str>,
}

/// Reports that the caller's organization won or lost.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let call = Call::of(&app, &request, &[])?;
    let form = CloseForm::read(&request::json_body(&request, Accepts::Json)?);
    let by = &call.by;
    let won = form.is_won();
    call.change_knowing(
        |view| {
            if won {
                registrable_references(view)
            } else {
                References::default()
            }
        },
        |deal, _, _| form.check(deal, by).map(|close| Command::Close(Box::new(close))),
        |outcome, catalog| {
            let answer = show(200, outcome.deal, &by.organization, outcome.favorite)?;
            Ok(if won {
                let view = outcome.deal.view(&by.organization)?;
                answer.with_body(&WonBody::of(view, outcome, catalog))
            } else {
                answer
            })
        },
    )
    .await
}

impl<'a> WonBody<'a> {
    fn of(view: &'a Opportunity, outcome: &'a Outcome<'_>, catalog: &Catalog) -> Self {
        let registrable = registrable(view, catalog);
        Self {
            opportunity: OpportunityBody::with_participants(view, outcome.deal, outcome.favorite),
            registrable_solutions: registrable.into_iter().map(SolutionId::as_str).collect(),
        }
    }
}
