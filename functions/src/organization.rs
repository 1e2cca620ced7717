//! `/v1/organizations/me`: the caller's own organization.

use domain::{Access, Organization, ProfileForm, Refusal};
use edge::{Accepts, Answer, App, Caller, Problem, request};
use lambda_http::Request;
use serde::Serialize;
use store::Error;

use crate::command::Call;

/// How often a change that did not say what it had seen is made again when another one was faster.
const ATTEMPTS: u32 = 8;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationBody<'a> {
    id: &'a str,
    name: &'a str,
    kind: &'static str,
    countries: Vec<&'a str>,
    solution_areas: Vec<&'a str>,
    co_sell_ready_solutions: u64,
    version: u64,
}

/// Changes the profile of the caller's organization. Deals keep the name that they were made with.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let by = Call::of(&app, &request, &[])?.by;
    if by.access != Access::All {
        return Err(Problem::forbidden(
            "The organization's profile is changed by the roles partner_admin and referrals_admin.",
        ));
    }
    let form = ProfileForm::read(&request::json_body(&request, Accepts::MergePatch)?);
    let if_match = request::if_match(&request)?.ok_or_else(Problem::precondition_required)?;
    let form = form?;
    for _ in 0..ATTEMPTS {
        let found = app.store.profile(&by.organization).await?;
        let (before, version) = found.ok_or(Refusal::NotFound)?;
        if !if_match.allows(version) {
            return Err(Problem::precondition_failed(version));
        }
        let after = form.onto(&before);
        if after == before {
            return Ok(shown(&after, version));
        }
        match app.store.change_profile(&after, version).await {
            Ok(()) => return Ok(shown(&after, version + 1)),
            // `*`, or the tag of before: it is read and compared again.
            Err(Error::Stale) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Problem::unavailable())
}

/// Shows the caller's organization as it is registered.
pub(crate) async fn show(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = Caller::of(request)?.may_read()?;
    request::query(request, &[])?;
    let found = app.store.profile(&by.organization).await?;
    let (organization, version) = found.ok_or(Refusal::NotFound)?;
    Ok(shown(&organization, version).unless_known(request))
}

fn shown(organization: &Organization, version: u64) -> Answer {
    let body = OrganizationBody {
        id: organization.party.id.as_str(),
        name: organization.party.name.as_str(),
        kind: organization.party.kind.as_str(),
        countries: organization.countries.iter().map(domain::Country::as_str).collect(),
        solution_areas: organization.solution_areas.iter().map(domain::Label::as_str).collect(),
        co_sell_ready_solutions: organization.co_sell_ready_solutions,
        version,
    };
    Answer::json(200, &body).versioned(version)
}
