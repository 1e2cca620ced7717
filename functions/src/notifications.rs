//! `GET /v1/notifications`

use std::collections::BTreeSet;

use domain::Access;
use edge::{Answer, App, Caller, Problem, clock, request};
use lambda_http::Request;
use serde_json::value::RawValue;
use store::{Error, FeedPage};

use crate::list::{ListBody, paging};

/// Lists what the caller's organization was told, oldest first, for 90 days. `nextCursor` is `null` only when there is nothing
/// after the cursor: who polls then keeps the one it has. A seller gets what is about the deals that it sees.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let by = Caller::of(&request)?.may_read()?;
    let query = request::query(&request, &["limit", "cursor"])?;
    let (limit, cursor) = paging(&query)?;
    let now = clock::now();
    let page = app.store.feed(&by.organization, limit, cursor, now).await?;
    let FeedPage { mut messages, next } = page?;
    if let Access::Team(_) = by.access {
        let deals: BTreeSet<_> = messages.iter().map(|(deal, _)| deal.clone()).collect();
        let seen = app.store.seen_among(&by, &deals, now).await?;
        messages.retain(|(deal, _)| seen.contains(deal));
    }
    let items = messages.into_iter().map(|(_, message)| RawValue::from_string(message));
    let items = items
        .collect::<Result<_, _>>()
        .map_err(|error| Error::Corrupt(error.to_string()))?;
    Ok(Answer::json(
        200,
        &ListBody::<Box<RawValue>> {
            items,
            next_cursor: next,
        },
    ))
}
