//! `GET /v1/customers`

use domain::suggest::Typed;
use domain::{Country, DirectoryCustomer};
use edge::{Answer, App, Caller, Problem, request};
use lambda_http::Request;
use serde::Serialize;

use crate::list::{ListBody, limit, optional, parameter};
use crate::representation::AddressBody;

const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 25;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Suggestion<'a> {
    id: &'a str,
    name: &'a str,
    country: &'a str,
    address: Option<AddressBody<'a>>,
    duns_number: Option<&'a str>,
}

/// Suggests companies of a country as their name is typed, best match first. There is no next page: who does not find the
/// company types on.
pub(crate) async fn handle(app: &App, request: &Request) -> Result<Answer, Problem> {
    Caller::of(request)?.may_read()?;
    let query = request::query(request, &["country", "q", "limit"])?;
    let country = parameter("country", Country::parse(query.get("country").unwrap_or_default()))?;
    let typed = parameter("q", Typed::parse(query.get("q").unwrap_or_default()))?;
    let limit = optional(&query, "limit", |text| limit(text, MAX_LIMIT))?.unwrap_or(DEFAULT_LIMIT);
    let found = app.store.customers(&country, &typed, limit).await?;
    let best = typed.best(found, |customer| customer.name.as_str(), limit);
    let items = best.iter().map(Suggestion::of).collect();
    Ok(Answer::json(
        200,
        &ListBody {
            items,
            next_cursor: None,
        },
    ))
}

impl<'a> Suggestion<'a> {
    fn of(customer: &'a DirectoryCustomer) -> Self {
        Self {
            id: customer.id.as_str(),
            name: customer.name.as_str(),
            country: customer.country.as_str(),
            address: AddressBody::unless_empty(&customer.address),
            duns_number: customer.duns_number.as_ref().map(domain::DunsNumber::as_str),
        }
    }
}
