//! `GET /v1/opportunities`

use std::collections::BTreeSet;

use domain::{CampaignId, CrmId, Filter, Flaw, Outcome, QualificationName, SearchText, Stage, Tab, Timestamp};
use edge::{Answer, App, Caller, Problem, Query, clock, request};
use futures_util::future::try_join;
use lambda_http::Request;
use serde::Serialize;
use store::{ListQuery, Page};

use crate::representation::OpportunityBody;

const DEFAULT_LIMIT: usize = 25;
const MAX_LIMIT: usize = 100;

/// A page of any list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListBody<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next_cursor: Option<String>,
}

const PARAMETERS: [&str; 10] = [
    "tab",
    "stage",
    "outcome",
    "qualification",
    "q",
    "campaignId",
    "crmId",
    "updatedSince",
    "limit",
    "cursor",
];

/// Lists the opportunities of a tab, newest change first.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let by = Caller::of(&request)?.may_read()?;
    let query = request::query(&request, &PARAMETERS)?;
    let (limit, cursor) = paging(&query)?;
    let list = ListQuery {
        tab: parameter("tab", Tab::parse(query.get("tab").unwrap_or_default()))?,
        filter: Filter {
            stage: optional(&query, "stage", Stage::parse)?,
            outcome: optional(&query, "outcome", Outcome::parse)?,
            qualification: optional(&query, "qualification", QualificationName::parse)?,
            text: optional(&query, "q", SearchText::parse)?,
            campaign_id: optional(&query, "campaignId", CampaignId::parse)?,
            crm_id: optional(&query, "crmId", CrmId::parse)?,
            updated_since: optional(&query, "updatedSince", Timestamp::parse)?,
        },
        limit,
        now: clock::now(),
        by,
    };
    let marked = list.tab == Tab::Favorites;
    let favorites = async {
        if marked {
            return Ok(BTreeSet::new());
        }
        app.store.favorites(&list.by).await
    };
    let (page, favorites) = try_join(app.store.page(&list, cursor), favorites).await?;
    let Page { items, next } = page?;
    let items = items
        .iter()
        .map(|view| OpportunityBody::of(view, marked || favorites.contains(&view.deal)))
        .collect();
    Ok(Answer::json(
        200,
        &ListBody {
            items,
            next_cursor: next,
        },
    ))
}

/// `limit` and `cursor` of a list.
pub(crate) fn paging(query: &Query) -> Result<(usize, Option<&str>), Problem> {
    Ok((
        optional(query, "limit", |text| limit(text, MAX_LIMIT))?.unwrap_or(DEFAULT_LIMIT),
        query.get("cursor"),
    ))
}

/// `limit` of a list that gives at most so many items.
pub(crate) fn limit(text: &str, most: usize) -> Result<usize, Flaw> {
    text.parse()
        .ok()
        .filter(|limit| (1..=most).contains(limit) && !text.starts_with('+'))
        .ok_or_else(|| Flaw::new("invalidLimit", format!("must be a whole number from 1 to {most}")))
}

/// The value of a query parameter that may be absent.
pub(crate) fn optional<T>(
    query: &Query,
    name: &str,
    parse: impl Fn(&str) -> Result<T, Flaw>,
) -> Result<Option<T>, Problem> {
    query.get(name).map(|text| parameter(name, parse(text))).transpose()
}

/// The value of a query parameter, or which one is wrong and what would be right.
pub(crate) fn parameter<T>(name: &str, parsed: Result<T, Flaw>) -> Result<T, Problem> {
    let wrong = |flaw: Flaw| Problem::malformed_parameter(format!("The query parameter `{name}` {}.", flaw.message));
    parsed.map_err(wrong)
}
