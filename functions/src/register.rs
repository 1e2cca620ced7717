//! `PUT` and `GET /v1/opportunities/{id}/registration`, `GET /v1/registrations`, `GET /v1/registrations/{id}` and
//! `POST /v1/registrations/{id}/review`

use std::collections::BTreeSet;

use domain::{
    Access, Actor, Command, OrganizationId, Refusal, RegisterForm, RegistrationId, RegistrationStatus, ReviewForm,
};
use edge::{Accepts, Answer, App, Caller, Problem, clock, entropy, request};
use futures_util::future::try_join;
use lambda_http::http::Method;
use lambda_http::{Request, RequestExt};
use serde::Serialize;
use store::{Registered, RegistrationPage, RegistrationQuery, Side};

use crate::command::{Call, Stop, check_match, deal_id};
use crate::get::own_view;
use crate::list::{ListBody, optional, paging};
use crate::representation::{AddressBody, MoneyBody, PartyBody};

/// A registration as vendor and registering organization see it: what it says, and who buys.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RegistrationBody<'a> {
    id: &'a str,
    /// `null` for a vendor that has no part in the deal.
    deal_id: Option<&'a str>,
    organization: PartyBody<'a>,
    status: &'static str,
    reason: Option<&'a str>,
    customer: CompanyBody<'a>,
    solution_id: &'a str,
    solution_name: &'a str,
    contract_value: MoneyBody,
    solution_value: MoneyBody,
    signed_date: String,
    start_date: String,
    end_date: Option<String>,
    tenant_reference: Option<&'a str>,
    note: Option<&'a str>,
    version: u64,
    created_at: String,
    submitted_at: String,
    reviewed_at: Option<String>,
}

/// The customer without the people there, who gave their consent to the participants of the deal and to nobody else.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CompanyBody<'a> {
    name: &'a str,
    country: &'a str,
    address: Option<AddressBody<'a>>,
    duns_number: Option<&'a str>,
}

/// Registers a won deal with the vendor, shows registrations, and takes the vendor's reviews.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let of_deal = request.raw_http_path().ends_with("/registration");
    match (request.method(), request::path(&request, "id")) {
        (&Method::PUT, _) => register(&app, &request).await,
        (&Method::POST, _) => review(&app, &request).await,
        (_, Some(_)) if of_deal => show_own(&app, &request).await,
        (_, Some(_)) => show(&app, &request).await,
        (_, None) => list(&app, &request).await,
    }
}

async fn register(app: &App, request: &Request) -> Result<Answer, Problem> {
    let call = Call::of(app, request, &[])?;
    let form = RegisterForm::read(&request::json_body(request, Accepts::JsonByPut)?);
    let if_match = request::if_match(request)?;
    let (catalog, vendor) = try_join(app.store.catalog(&form.references()), app.store.vendor()).await?;
    let by = &call.by;
    let id = deal_id(request)?;
    let outcome = call
        .try_change_of(
            &id,
            |deal, now| {
                let view = deal.seen_by(by)?;
                let new = RegistrationId::new(now, entropy::entropy());
                let register = form.check(deal, &catalog, vendor.as_ref(), new, by, now)?;
                if !register.is_there(view) {
                    let version = view.registration.as_ref().map(|registration| registration.version);
                    check_match(if_match.as_ref(), version)?;
                }
                Ok(Command::Register(Box::new(register)))
            },
            |outcome| {
                let view = outcome.deal.view(&by.organization)?;
                let registered = Registered::of(outcome.deal, view).ok_or(Refusal::NotFound)?;
                let first = outcome.changed && registered.registration.version == 1;
                let answer = answer(if first { 201 } else { 200 }, &registered, &by.organization);
                Ok(if first {
                    answer.location(format!("/v1/opportunities/{}/registration", view.deal))
                } else {
                    answer
                })
            },
        )
        .await;
    call.answer(outcome).await
}

async fn review(app: &App, request: &Request) -> Result<Answer, Problem> {
    let call = Call::of(app, request, &[])?;
    if let Access::Team(_) = call.by.access {
        return Err(Problem::forbidden(
            "Registrations are reviewed by the roles partner_admin and referrals_admin.",
        ));
    }
    let form = ReviewForm::read(&request::json_body(request, Accepts::Json)?);
    let outcome = try_review(app, request, &call, &form).await;
    call.answer(outcome).await
}

async fn try_review(app: &App, request: &Request, call: &Call<'_>, form: &ReviewForm) -> Result<Answer, Stop> {
    let if_match = request::if_match(request)?;
    let by = &call.by;
    let found = find(app, request, by).await?;
    let organization = &found.organization.id;
    call.try_change_of(
        &found.deal,
        |deal, _| {
            let registration = deal.view(organization)?.registration.as_ref();
            check_match(if_match.as_ref(), registration.map(|registration| registration.version))?;
            Ok(Command::Review(form.check(deal, organization, by)?))
        },
        |outcome| {
            let view = outcome.deal.view(organization)?;
            let registered = Registered::of(outcome.deal, view).ok_or(Refusal::NotFound)?;
            Ok(answer(200, &registered, &by.organization))
        },
    )
    .await
}

/// The registration of the path, for its vendor and the organization that registers; to others there is none.
async fn find(app: &App, request: &Request, by: &Actor) -> Result<Registered, Stop> {
    let id = request::path(request, "id").and_then(|id| RegistrationId::parse(&id).ok());
    let found = app.store.registration(&id.ok_or(Refusal::NotFound)?).await?;
    let concerns =
        |found: &Registered| [&found.registration.vendor, &found.organization.id].contains(&&by.organization);
    found.filter(concerns).ok_or(Stop::from(Refusal::NotFound))
}

async fn show_own(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = Caller::of(request)?.may_read()?;
    request::query(request, &[])?;
    let view = own_view(app, &by, request).await?;
    let registration = view.registration.as_deref().ok_or(Refusal::NotFound)?.clone();
    let registered = Registered::own(&view, registration);
    Ok(answer(200, &registered, &by.organization).unless_known(request))
}

async fn show(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = Caller::of(request)?.may_read()?;
    request::query(request, &[])?;
    let found = match find(app, request, &by).await {
        Ok(found) => seen(app, &by, vec![found]).await?.pop(),
        Err(Stop::Refused(problem) | Stop::Failed(problem)) => return Err(problem),
        Err(Stop::Used(_) | Stop::Stale) => return Err(Problem::unavailable()),
    };
    let found = found.ok_or(Refusal::NotFound)?;
    Ok(answer(200, &found, &by.organization).unless_known(request))
}

async fn list(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = Caller::of(request)?.may_read()?;
    let query = request::query(request, &["status", "limit", "cursor"])?;
    let (limit, cursor) = paging(&query)?;
    let status = optional(&query, "status", RegistrationStatus::parse)?;
    let side = match app.store.vendor().await? {
        Some(vendor) if vendor == by.organization => Side::Vendor,
        _ => Side::Organization,
    };
    let query = RegistrationQuery {
        organization: &by.organization,
        side,
        status,
        limit,
        cursor,
    };
    let RegistrationPage { items, next } = app.store.registrations(&query).await??;
    let items = seen(app, &by, items).await?;
    let body = ListBody {
        items: items
            .iter()
            .map(|registered| RegistrationBody::of(registered, &by.organization))
            .collect(),
        next_cursor: next,
    };
    Ok(Answer::json(200, &body))
}

/// Those that the caller may see: a seller's are those of deals whose own team it is on.
async fn seen(app: &App, by: &Actor, mut registered: Vec<Registered>) -> Result<Vec<Registered>, Problem> {
    if let Access::Team(_) = by.access {
        let deals: BTreeSet<_> = registered.iter().map(|found| found.deal.clone()).collect();
        let seen = app.store.seen_among(by, &deals, clock::now()).await?;
        registered.retain(|found| seen.contains(&found.deal));
    }
    Ok(registered)
}

fn answer(status: u16, registered: &Registered, organization: &OrganizationId) -> Answer {
    let body = RegistrationBody::of(registered, organization);
    Answer::json(status, &body).versioned(registered.registration.version)
}

impl<'a> RegistrationBody<'a> {
    fn of(registered: &'a Registered, seen_by: &OrganizationId) -> Self {
        let Registered {
            deal,
            organization,
            vendor_takes_part,
            customer,
            registration,
        } = registered;
        let knows_the_deal = *vendor_takes_part || organization.id == *seen_by;
        let address = AddressBody::unless_empty(&customer.address);
        let terms = &registration.terms;
        Self {
            id: registration.id.as_str(),
            deal_id: knows_the_deal.then_some(deal.as_str()),
            organization: PartyBody::of(organization),
            status: registration.status().as_str(),
            reason: registration.reason().map(domain::Prose::as_str),
            customer: CompanyBody {
                name: customer.name.as_str(),
                country: customer.country.as_str(),
                address,
                duns_number: customer.duns_number.as_ref().map(domain::DunsNumber::as_str),
            },
            solution_id: terms.solution.id.as_str(),
            solution_name: terms.solution.name.as_str(),
            contract_value: MoneyBody::of(&terms.contract_value),
            solution_value: MoneyBody::of(&terms.solution_value),
            signed_date: terms.signed_date.to_string(),
            start_date: terms.start_date.to_string(),
            end_date: terms.end_date.map(|date| date.to_string()),
            tenant_reference: terms.tenant_reference.as_ref().map(domain::TenantReference::as_str),
            note: terms.note.as_ref().map(domain::Prose::as_str),
            version: registration.version,
            created_at: registration.created_at.to_string(),
            submitted_at: registration.submitted_at.to_string(),
            reviewed_at: registration.reviewed_at().map(|at| at.to_string()),
        }
    }
}
