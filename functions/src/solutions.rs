//! `GET /v1/solutions`

use domain::suggest::Typed;
use domain::{CatalogSolution, OrganizationId, SolutionType};
use edge::{Answer, App, Caller, Problem, request};
use lambda_http::Request;
use serde::Serialize;
use store::{SolutionsPage, SolutionsQuery};

use crate::list::{ListBody, optional, paging};
use crate::representation::SolutionBody;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CatalogBody<'a> {
    #[serde(flatten)]
    solution: SolutionBody<'a>,
    registration_eligible: bool,
}

/// Lists the co-sell ready solutions by name; whose they are is relative to the caller's organization.
pub(crate) async fn handle(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = Caller::of(request)?.may_read()?;
    let query = request::query(request, &["type", "q", "limit", "cursor"])?;
    let (limit, cursor) = paging(&query)?;
    let typed = optional(&query, "q", Typed::parse)?;
    let asked = SolutionsQuery {
        organization: &by.organization,
        solution_type: optional(&query, "type", SolutionType::parse)?,
        typed: typed.as_ref(),
        limit,
        cursor,
    };
    let SolutionsPage { items, next } = app.store.solutions(&asked).await??;
    Ok(Answer::json(
        200,
        &ListBody {
            items: items
                .iter()
                .map(|found| CatalogBody::of(found, &by.organization))
                .collect(),
            next_cursor: next,
        },
    ))
}

impl<'a> CatalogBody<'a> {
    fn of(found: &'a CatalogSolution, organization: &OrganizationId) -> Self {
        Self {
            solution: SolutionBody::of(&found.solution, organization),
            registration_eligible: found.registration_eligible,
        }
    }
}
