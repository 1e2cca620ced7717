//! `/v1/webhooks`: where an organization wants to be told.

use chrono::DateTime;
use domain::{Access, Actor, Refusal, Timestamp, Webhook, WebhookForm, WebhookId};
use edge::{Accepts, Answer, App, Caller, Problem, clock, entropy, request};
use events::webhook::{Secret, check_addresses, check_scheme};
use lambda_http::http::Method;
use lambda_http::{Request, RequestExt};
use serde::Serialize;
use store::{AttemptRecord, TimelinePage, Webhooks};

use crate::command::{Call, Stop};
use crate::deliver::Message;
use crate::list::{ListBody, paging};

/// How often a registration that lost a race is tried again.
const ATTEMPTS: u32 = 8;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebhookBody<'a> {
    id: &'a str,
    url: &'a str,
    event_types: Option<Vec<&'static str>>,
    status: &'static str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptBody<'a> {
    event_id: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    at: &'a str,
    attempt: u32,
    result: &'static str,
    status: Option<u16>,
    error: Option<&'a str>,
    duration_ms: u64,
    next_attempt_at: Option<&'a str>,
}

#[derive(Serialize)]
struct TestBody {
    id: String,
}

/// Registers webhooks, lists and deletes them, sends test events, and shows the log of deliveries. All of it is the
/// administrators': an address may hold a secret of its own.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    let path = request.raw_http_path();
    match (request.method(), request::path(&request, "id")) {
        (&Method::POST, None) => add(&app, &request).await,
        (&Method::POST, Some(_)) => test(&app, &request).await,
        (&Method::DELETE, _) => remove(&app, &request).await,
        (_, Some(_)) if path.ends_with("/deliveries") => log(&app, &request).await,
        (_, id) => show(&app, &request, id).await,
    }
}

fn administrator(by: Actor) -> Result<Actor, Problem> {
    match by.access {
        Access::All => Ok(by),
        Access::Team(_) => Err(Problem::forbidden(
            "Webhooks are managed by the roles partner_admin and referrals_admin.",
        )),
    }
}

async fn add(app: &App, request: &Request) -> Result<Answer, Problem> {
    let call = Call::of(app, request, &[])?;
    administrator(call.by.clone())?;
    let body = request::json_body(request, Accepts::Json)?;
    let outcome = match WebhookForm::read(&body, |url| check_scheme(url, app.config.webhook_targets)) {
        Ok(form) => match check_addresses(&form.url, app.config.webhook_targets).await {
            Ok(()) => try_add(app, &call, &form).await,
            Err(flaw) => Err(Refusal::Invalid(domain::Faults(vec![flaw.at("/url")])).into()),
        },
        Err(refusal) => Err(refusal.into()),
    };
    call.answer(outcome).await
}

async fn try_add(app: &App, call: &Call<'_>, form: &WebhookForm) -> Result<Answer, Stop> {
    let organization = &call.by.organization;
    for _ in 0..ATTEMPTS {
        let (now, entropy) = (clock::now(), entropy::entropy());
        let before = app.store.webhooks(organization).await?;
        let id = WebhookId::new(now, entropy);
        let webhook = form.clone().register(before.entries.len(), id, now)?;
        let secret = Secret::new([entropy::entropy(), entropy::entropy()]).reveal();
        let shown = WebhookBody {
            secret: Some(secret.clone()),
            ..WebhookBody::of(&webhook)
        };
        let answer = Answer::json(201, &shown).location(format!("/v1/webhooks/{}", webhook.id));
        let mut entries = before.entries.clone();
        entries.push((webhook.clone(), secret));
        let record = call.idempotency(&answer);
        match app
            .store
            .replace_webhooks(organization, &before, &entries, record, now, entropy)
            .await
        {
            Err(store::Error::Stale) => {}
            written => return written.map(|()| answer).map_err(Stop::from),
        }
    }
    Err(Stop::Stale)
}

async fn remove(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = administrator(Caller::of(request)?.may_write()?)?;
    request::query(request, &[])?;
    for _ in 0..ATTEMPTS {
        let before = app.store.webhooks(&by.organization).await?;
        let id = find(&before, request::path(request, "id"))?.id.clone();
        let mut entries = before.entries.clone();
        entries.retain(|(webhook, _)| webhook.id != id);
        let (now, entropy) = (clock::now(), entropy::entropy());
        match app
            .store
            .replace_webhooks(&by.organization, &before, &entries, None, now, entropy)
            .await
        {
            Err(store::Error::Stale) => {}
            written => {
                written?;
                return Ok(Answer::no_content());
            }
        }
    }
    Err(Problem::unavailable())
}

async fn show(app: &App, request: &Request, id: Option<String>) -> Result<Answer, Problem> {
    let by = administrator(Caller::of(request)?.may_write()?)?;
    request::query(request, &[])?;
    let webhooks = app.store.webhooks(&by.organization).await?;
    if id.is_some() {
        return Ok(Answer::json(200, &WebhookBody::of(find(&webhooks, id)?)));
    }
    let items = webhooks.entries.iter().map(|(webhook, _)| WebhookBody::of(webhook));
    let body = ListBody {
        items: items.collect(),
        next_cursor: None,
    };
    Ok(Answer::json(200, &body))
}

async fn test(app: &App, request: &Request) -> Result<Answer, Problem> {
    let call = Call::of(app, request, &[])?;
    administrator(call.by.clone())?;
    request::no_body(request)?;
    let outcome = try_test(app, &call, request).await;
    call.answer(outcome).await
}

async fn try_test(app: &App, call: &Call<'_>, request: &Request) -> Result<Answer, Stop> {
    call.unused().await?;
    let webhooks = app.store.webhooks(&call.by.organization).await?;
    let webhook = find(&webhooks, request::path(request, "id"))?;
    let (now, entropy) = (clock::now(), entropy::entropy());
    // When it was sent and that could not be recorded, it is sent again: with the same id, so that a receiver can drop it.
    let id = match call.seed() {
        Some(seed) => WebhookId::new(Timestamp::from_datetime(DateTime::UNIX_EPOCH), seed),
        None => WebhookId::new(now, entropy),
    };
    let message = Message::test(&call.by, webhook, &id, now);
    let answer = Answer::json(202, &TestBody { id: message.id.clone() });
    let queue = app.config.deliveries.get().map_err(|error| {
        edge::telemetry::failure(&error);
        Problem::internal()
    })?;
    let sent = app.queues().send(queue, message.json(), Some(webhook.id.as_str()));
    sent.await.map_err(|error| {
        edge::telemetry::failure(&error);
        Problem::unavailable()
    })?;
    // Only now: a test that was not sent must not count as sent.
    if let Some((used, record)) = call.idempotency(&answer) {
        app.store.record(used, record, now, entropy).await?;
    }
    Ok(answer)
}

async fn log(app: &App, request: &Request) -> Result<Answer, Problem> {
    let by = administrator(Caller::of(request)?.may_write()?)?;
    let query = request::query(request, &["limit", "cursor"])?;
    let (limit, cursor) = paging(&query)?;
    let webhooks = app.store.webhooks(&by.organization).await?;
    let id = &find(&webhooks, request::path(request, "id"))?.id;
    let page = app
        .store
        .attempts(&by.organization, id, limit, cursor, clock::now())
        .await?;
    let TimelinePage { items, next } = page?;
    let body = ListBody {
        items: items.iter().map(AttemptBody::of).collect(),
        next_cursor: next,
    };
    Ok(Answer::json(200, &body))
}

/// The organization's own webhook of that id; what is no id names none.
fn find(webhooks: &Webhooks, id: Option<String>) -> Result<&Webhook, Refusal> {
    let id = id.unwrap_or_default();
    let found = webhooks.entries.iter().find(|(webhook, _)| webhook.id.as_str() == id);
    found.map(|(webhook, _)| webhook).ok_or(Refusal::NotFound)
}

impl<'a> WebhookBody<'a> {
    fn of(webhook: &'a Webhook) -> Self {
        let types = webhook.event_types.as_ref();
        Self {
            id: webhook.id.as_str(),
            url: webhook.url.as_str(),
            event_types: types.map(|types| types.iter().map(|kind| kind.as_str()).collect()),
            status: webhook.status.as_str(),
            created_at: webhook.created_at.to_string(),
            secret: None,
        }
    }
}

impl<'a> AttemptBody<'a> {
    fn of(attempt: &'a AttemptRecord) -> Self {
        let delivered = attempt.status.is_some_and(|status| (200..300).contains(&status));
        Self {
            event_id: &attempt.event_id,
            event_type: &attempt.event_type,
            at: &attempt.at,
            attempt: attempt.attempt,
            result: if delivered { "delivered" } else { "failed" },
            status: attempt.status,
            error: attempt.error.as_deref(),
            duration_ms: attempt.duration_ms,
            next_attempt_at: attempt.next_attempt_at.as_deref(),
        }
    }
}
