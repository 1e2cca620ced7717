//! `GET /v1/opportunities`

use domain::{Direction, Flaw, Outcome, Stage};
use edge::{Answer, App, Caller, Problem, Query, clock, request};
use lambda_http::Request;
use serde::Serialize;
use store::{ListQuery, Page};

use crate::representation::OpportunityBody;

const DEFAULT_LIMIT: usize = 25;
const MAX_LIMIT: usize = 100;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListBody<'a> {
    items: Vec<OpportunityBody<'a>>,
    next_cursor: Option<String>,
}

/// Lists the opportunities of a tab, newest change first.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let caller = Caller::of(&request)?;
    caller.may_read()?;
    let query = request::query(&request, &["tab", "stage", "outcome", "limit", "cursor"])?;
    let tab = query.get("tab").unwrap_or_default();
    let list = ListQuery {
        organization: caller.actor.organization.clone(),
        direction: checked("tab", Direction::parse(tab))?,
        stage: optional(&query, "stage", Stage::parse)?,
        outcome: optional(&query, "outcome", Outcome::parse)?,
        limit: optional(&query, "limit", limit)?.unwrap_or(DEFAULT_LIMIT),
        now: clock::now(),
    };
    let page = app.store.page(&list, query.get("cursor")).await?;
    let Page { items, next } = page.map_err(|_| Problem::malformed_cursor())?;
    Ok(Answer::json(
        200,
        &ListBody {
            items: items.iter().map(OpportunityBody::of).collect(),
            next_cursor: next,
        },
    ))
}

fn limit(text: &str) -> Result<usize, Flaw> {
    text.parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit) && !text.starts_with('+'))
        .ok_or_else(|| Flaw::new("invalidLimit", format!("must be a whole number from 1 to {MAX_LIMIT}")))
}

fn optional<T>(query: &Query, name: &str, parse: impl Fn(&str) -> Result<T, Flaw>) -> Result<Option<T>, Problem> {
    query.get(name).map(|text| checked(name, parse(text))).transpose()
}

fn checked<T>(name: &str, parsed: Result<T, Flaw>) -> Result<T, Problem> {
    parsed.map_err(|flaw| Problem::malformed_parameter(format!("The query parameter `{name}` {}.", flaw.message)))
}
