//! `POST /v1/opportunities`

use domain::{Command, CreateForm, Deal, DealId, Flaw, Refusal};
use edge::{Accepts, Answer, App, Problem, clock, entropy, request};
use lambda_http::Request;
use serde::Serialize;
use store::PossibleDuplicate;

use crate::command::Call;
use crate::list::parameter;
use crate::representation::{OpportunityBody, show};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreatedBody<'a> {
    #[serde(flatten)]
    opportunity: OpportunityBody<'a>,
    possible_duplicates: Vec<DuplicateBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invitees: Option<Vec<InviteeBody<'a>>>,
}

#[derive(Serialize)]
struct DuplicateBody<'a> {
    id: &'a str,
    name: &'a str,
    direction: &'a str,
    stage: &'a str,
    solutions: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InviteeBody<'a> {
    organization_id: &'a str,
    view: OpportunityBody<'a>,
}

/// Creates a deal, and invites others to it where the request says so; with `dryRun=true` only shows what would be.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let call = Call::of(&app, &request, &["dryRun"])?;
    let dry_run = match call.query.get("dryRun").unwrap_or("false") {
        "false" => false,
        "true" => true,
        _ => return parameter("dryRun", Err(Flaw::choice(&["true", "false"]))),
    };
    let form = CreateForm::read(&request::json_body(&request, Accepts::Json)?);
    let by = &call.by;
    let catalog = app.store.catalog(&form.references(by)).await?;
    let now = clock::now();
    let id = DealId::new(now, entropy::entropy());
    let create = match form.check(id, &catalog, by, app.config.response_window, now) {
        Ok(create) => create,
        Err(refusal) if dry_run => return Err(refusal.into()),
        Err(refusal) => return call.refuse(refusal).await,
    };
    let duplicates = app
        .store
        .possible_duplicates(by, create.customer(), create.solutions(), now)
        .await?;
    let command = Command::Create(Box::new(create));
    if dry_run {
        let deal = call.try_out(&command, now)?;
        return Ok(Answer::json(200, &body(&deal, &duplicates, true)));
    }
    call.create(&command, now, |outcome| shown(outcome.deal, &duplicates))
        .await
}

/// The version and digest are those that a GET gives: duplicates are a warning beside the opportunity, not part of it.
fn shown(deal: &Deal, duplicates: &[PossibleDuplicate]) -> Result<Answer, Refusal> {
    let own = show(201, deal, &deal.owner().organization.id, false)?;
    let etag = own
        .headers
        .into_iter()
        .find_map(|(name, value)| (name == "etag").then_some(value));
    let answer = Answer::json(201, &body(deal, duplicates, false)).location(format!("/v1/opportunities/{}", deal.id()));
    Ok(match etag {
        Some(etag) => answer.etag(etag),
        None => answer,
    })
}

fn body<'a>(deal: &'a Deal, duplicates: &'a [PossibleDuplicate], with_invitees: bool) -> CreatedBody<'a> {
    let duplicate = |found: &'a PossibleDuplicate| DuplicateBody {
        id: &found.id,
        name: &found.name,
        direction: &found.direction,
        stage: &found.stage,
        solutions: found.solutions.iter().map(domain::SolutionId::as_str).collect(),
    };
    let invitees = deal.views().skip(1).map(|view| InviteeBody {
        organization_id: view.organization.id.as_str(),
        view: OpportunityBody::with_participants(view, deal, false),
    });
    CreatedBody {
        opportunity: OpportunityBody::with_participants(deal.owner(), deal, false),
        possible_duplicates: duplicates.iter().map(duplicate).collect(),
        invitees: with_invitees.then(|| invitees.collect()),
    }
}
