//! `GET /v1/partners`, `GET /v1/partners/me` and `GET /v1/opportunities/{id}/partners`: whom to invite, best first.
//!
//! Of another organization's deals nothing is shown but counts. A page is a part of a ranking that is made anew for it, so that
//! who moves between two pages may be seen twice or not at all.

use domain::invite::invitable;
use domain::{
    Actor, Advice, Ask, Candidate, Country, Flaw, Month, Outcome, Part, Ranked, Ranking, References, Refusal,
    SolutionId, fold,
};
use edge::{Answer, App, Caller, Problem, clock, request};
use lambda_http::{Request, RequestExt};
use serde::Serialize;
use serde_json::{Map, Value};
use store::{CursorError, place_after, place_of};

use crate::command::deal_id;
use crate::list::{ListBody, optional, paging, parameter};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartnerBody<'a> {
    organization_id: &'a str,
    name: &'a str,
    kind: &'static str,
    countries: Vec<&'a str>,
    solution_areas: Vec<&'a str>,
    co_sell_ready: bool,
    score: f64,
    parts: Vec<PartBody<'a>>,
    reasons: Vec<String>,
    counts: Map<String, Value>,
}

#[derive(Serialize)]
struct PartBody<'a> {
    name: &'static str,
    value: f64,
    weight: f64,
    average: f64,
    because: &'a str,
    counts: Map<String, Value>,
}

#[derive(Serialize)]
struct StandingBody<'a> {
    #[serde(flatten)]
    partner: PartnerBody<'a>,
    rank: usize,
    of: usize,
    raise: Vec<AdviceBody<'a>>,
}

#[derive(Serialize)]
struct AdviceBody<'a> {
    part: &'static str,
    text: &'a str,
    score: f64,
}

/// Ranks the organizations of the exchange for a caller, for one of its deals, or shows it where it stands itself.
pub(crate) async fn handle(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = Caller::of(request)?.may_read()?;
    let path = request.raw_http_path();
    if request::path(request, "id").is_some() {
        for_deal(app, &by, request).await
    } else if path.ends_with("/me") {
        own(app, &by, request).await
    } else {
        list(app, &by, request).await
    }
}

async fn list(app: &App, by: &Actor, request: &Request) -> Result<Answer, Problem> {
    let query = request::query(request, &["country", "solution", "q", "limit", "cursor"])?;
    let country = optional(&query, "country", Country::parse)?;
    let text = optional(&query, "q", wanted)?;
    let mut ask = Ask {
        country: country.clone(),
        ..Ask::default()
    };
    if let Some(id) = optional(&query, "solution", SolutionId::parse)? {
        let publisher = publisher(app, &id).await?;
        ask.solutions.insert(id, publisher);
    }
    let scope = ["country", "solution", "q"].map(|name| query.get(name).unwrap_or_default());
    let scope = format!("{}/partners/{}", by.organization, scope.join("\n"));
    let all = app.store.candidates(&ask.likenesses()).await?;
    let ranking = Ranking::new(&all, ask, Month::of(clock::now()));
    let shown = all.iter().filter(|candidate| {
        candidate.organization.party.id != by.organization
            && country.as_ref().is_none_or(|country| candidate.sells_in(country))
            && text.as_ref().is_none_or(|text| is_about(candidate, text))
    });
    let ranked = ranking.order(shown, by.organization.as_str());
    let (page, next_cursor) = page(&ranked, paging(&query)?, &scope)?;
    let items = page.iter().map(PartnerBody::of).collect();
    Ok(Answer::json(200, &ListBody { items, next_cursor }))
}

async fn for_deal(app: &App, by: &Actor, request: &Request) -> Result<Answer, Problem> {
    let query = request::query(request, &["limit", "cursor"])?;
    let id = deal_id(request)?;
    let now = clock::now();
    let deal = app.store.deal(&id).await?.ok_or(Refusal::NotFound)?.at(now);
    let may_be_invited = invitable(&deal, by)?;
    let ask = Ask::of(deal.owner());
    let all = app.store.candidates(&ask.likenesses()).await?;
    let ranking = Ranking::new(&all, ask, Month::of(now));
    let shown = all
        .iter()
        .filter(|candidate| may_be_invited(&candidate.organization.party.id));
    let ranked = ranking.order(shown, &format!("{} {id}", by.organization));
    let scope = format!("{}/{id}/partners", by.organization);
    let (page, next_cursor) = page(&ranked, paging(&query)?, &scope)?;
    let body = |ranked| {
        let mut body = PartnerBody::of(ranked);
        let previous = deal.view(&ranked.candidate.organization.party.id).ok();
        let before = previous.and_then(|view| view.standing().outcome);
        body.reasons.extend(before.and_then(said_before).map(str::to_owned));
        body
    };
    let items = page.iter().map(body).collect();
    Ok(Answer::json(200, &ListBody { items, next_cursor }))
}

async fn own(app: &App, by: &Actor, request: &Request) -> Result<Answer, Problem> {
    request::query(request, &[])?;
    let all = app.store.candidates(&[]).await?;
    let own = all
        .iter()
        .find(|candidate| candidate.organization.party.id == by.organization)
        .ok_or(Refusal::NotFound)?;
    let ranking = Ranking::new(&all, Ask::default(), Month::of(clock::now()));
    let ranked = ranking.rank(own, "");
    let better = all
        .iter()
        .filter(|candidate| ranking.rank(candidate, "").score > ranked.score)
        .count();
    let advice = ranking.advice(&own.record);
    let body = StandingBody {
        partner: PartnerBody::of(&ranked),
        rank: better + 1,
        of: all.len(),
        raise: advice.iter().map(AdviceBody::of).collect(),
    };
    Ok(Answer::json(200, &body))
}

/// Who publishes a solution that is asked for.
async fn publisher(app: &App, id: &SolutionId) -> Result<domain::OrganizationId, Problem> {
    let references = References {
        solutions: [id.clone()].into(),
        ..References::default()
    };
    let catalog = app.store.catalog(&references).await?;
    let found = catalog.solutions.get(id).map(|found| found.solution.publisher.clone());
    let unknown = || Flaw::new("unknownSolution", "is not a solution of this exchange");
    parameter("solution", found.ok_or_else(unknown))
}

fn wanted(text: &str) -> Result<String, Flaw> {
    match fold(text).trim() {
        "" => Err(Flaw::new("empty", "must not be empty")),
        folded => Ok(folded.to_owned()),
    }
}

/// Whether name, id or an area of its solutions has the text in it.
fn is_about(candidate: &Candidate, folded: &str) -> bool {
    let organization = &candidate.organization;
    let areas = organization.solution_areas.iter().map(domain::Label::as_str);
    [organization.party.name.as_str(), organization.party.id.as_str()]
        .into_iter()
        .chain(areas)
        .any(|text| fold(text).contains(folded))
}

fn said_before(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Declined => Some("Declined this deal before."),
        Outcome::Expired => Some("Let an invitation to this deal expire."),
        Outcome::Withdrawn => Some("Its invitation to this deal was withdrawn."),
        Outcome::Won | Outcome::Lost => None,
    }
}

/// The part of a ranking after the cursor's place, and the cursor of what follows.
fn page<'r, 'a>(
    ranked: &'r [Ranked<'a>],
    (limit, cursor): (usize, Option<&str>),
    scope: &str,
) -> Result<(&'r [Ranked<'a>], Option<String>), CursorError> {
    let start = match cursor {
        None => 0,
        Some(cursor) => {
            let after = place_of(cursor, scope)?;
            ranked.partition_point(|one| one.place <= after)
        }
    };
    let rest = &ranked[start..];
    let shown = &rest[..limit.min(rest.len())];
    let next = shown.last().filter(|_| shown.len() < rest.len());
    Ok((shown, next.map(|last| place_after(&last.place, scope))))
}

fn counts(counts: &[(String, u64)]) -> Map<String, Value> {
    counts
        .iter()
        .map(|(name, count)| (name.clone(), Value::from(*count)))
        .collect()
}

impl<'a> PartnerBody<'a> {
    fn of(ranked: &'a Ranked<'a>) -> Self {
        let organization = &ranked.candidate.organization;
        Self {
            organization_id: organization.party.id.as_str(),
            name: organization.party.name.as_str(),
            kind: organization.party.kind.as_str(),
            countries: organization.countries.iter().map(Country::as_str).collect(),
            solution_areas: organization.solution_areas.iter().map(domain::Label::as_str).collect(),
            co_sell_ready: organization.is_co_sell_ready(),
            score: ranked.score.rounded(),
            parts: ranked.parts.iter().map(PartBody::of).collect(),
            reasons: ranked.says.clone(),
            counts: counts(&ranked.counts),
        }
    }
}

impl<'a> PartBody<'a> {
    fn of(part: &'a Part) -> Self {
        Self {
            name: part.name.as_str(),
            value: part.value.rounded(),
            weight: part.weight.rounded(),
            average: part.average.rounded(),
            because: &part.because,
            counts: counts(&part.counts),
        }
    }
}

impl<'a> AdviceBody<'a> {
    fn of(advice: &'a Advice) -> Self {
        Self {
            part: advice.part.as_str(),
            text: &advice.text,
            score: advice.score.rounded(),
        }
    }
}
