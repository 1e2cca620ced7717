//! The scheduled sweep: what the clock does to invitations. It reminds those who have not answered, and makes durable what
//! has expired, so that the inviter is told.
//!
//! Reads show an invitation as expired from `respondBy` on whether or not the sweep has run; a sweep that is late, runs
//! twice at once or stops half-way only delays the telling.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::{Change, DealId, OrganizationId};
use edge::{App, Failure, Metric, clock, entropy};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use store::{Commit, Due, Error, Store};

/// Deals that are worked on at once: one of each shard.
const AT_ONCE: usize = 16;
/// Invitations that are read at a time.
const PAGE: i32 = 100;
/// The sweep stops this long before its deadline, so that what it has begun is finished and counted.
const MARGIN: u64 = 5_000;
/// How often an expiry is tried that others keep getting in the way of.
const ATTEMPTS: u32 = 5;

#[derive(Default)]
struct Counts {
    due: AtomicU64,
    expired: AtomicU64,
    reminded: AtomicU64,
    already_answered: AtomicU64,
    failed: AtomicU64,
    unread: AtomicU64,
    /// Milliseconds.
    lag: AtomicU64,
}

/// Reminds of or expires every invitation that is due, until the deadline (milliseconds since 1970) is near. The event is the schedule's
/// and says nothing that matters. One invitation that this fails for does not keep the others from it.
pub async fn handle(app: App, _event: Value, deadline: u64) -> Result<Value, Failure> {
    let counts = Counts::default();
    let sweeps = Store::deadline_shards().map(|shard| sweep(&app, shard, deadline, &counts));
    stream::iter(sweeps)
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<()>>()
        .await;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let report = json!({
        "due": count(&counts.due),
        "expired": count(&counts.expired),
        "reminded": count(&counts.reminded),
        "alreadyAnswered": count(&counts.already_answered),
        "failed": count(&counts.failed),
        "complete": count(&counts.unread) == 0,
    });
    tracing::info!(%report, "swept");
    let lag = u32::try_from(count(&counts.lag) / 1_000).unwrap_or(u32::MAX);
    let metrics = [(Metric::SweepLag, f64::from(lag))];
    edge::measure(app.config.stack.as_deref(), clock::now(), &metrics);
    Ok(report)
}

async fn sweep(app: &App, shard: u8, deadline: u64, counts: &Counts) {
    let one_more = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
    let mut page: Option<Due> = None;
    loop {
        if near(deadline) {
            one_more(&counts.unread);
            return;
        }
        page = match app.store.due(shard, clock::now(), PAGE, page).await {
            Ok(page) => Some(page),
            Err(error) => {
                tracing::error!(shard, %error, source = ?std::error::Error::source(&error), "cannot read what is due");
                one_more(&counts.unread);
                return;
            }
        };
        let due = page.iter().flat_map(|page| &page.invitations);
        for (deal, organization) in due {
            if near(deadline) {
                one_more(&counts.unread);
                return;
            }
            one_more(&counts.due);
            match act(app, deal, organization, &counts.lag).await {
                Ok(Some(Change::Reminded)) => one_more(&counts.reminded),
                Ok(Some(_)) => one_more(&counts.expired),
                Ok(None) => one_more(&counts.already_answered),
                Err(error) => {
                    tracing::error!(%deal, %organization, %error, source = ?std::error::Error::source(&error), "cannot remind or expire");
                    one_more(&counts.failed)
                }
            };
        }
        if !page.as_ref().is_some_and(Due::has_more) {
            return;
        }
    }
}

/// What this sweep did to it, if it was this sweep; `lag` becomes how long that was due, if it is the longest yet.
async fn act(app: &App, id: &DealId, organization: &OrganizationId, lag: &AtomicU64) -> Result<Option<Change>, Error> {
    for _ in 0..ATTEMPTS {
        let Some(deal) = app.store.deal(id).await? else {
            return Ok(None);
        };
        let now = deal.next_instant(clock::now());
        let events = deal.due(organization, now);
        let Some(event) = events.first() else {
            return Ok(None);
        };
        let due_at = deal.view(organization).ok().and_then(domain::Opportunity::due_at);
        let late = due_at.map_or(0, |due_at| now.millis().saturating_sub(due_at.millis()));
        let change = event.change.clone();
        let commit = Commit {
            stored: Some(&deal),
            events: &events,
            now,
            entropy: entropy::entropy(),
            idempotency: None,
        };
        match app.store.commit(&commit).await {
            Err(Error::Stale) => {}
            outcome => {
                lag.fetch_max(late, Ordering::Relaxed);
                return outcome.map(|()| Some(change));
            }
        }
    }
    Err(Error::Stale)
}

fn near(deadline: u64) -> bool {
    clock::now().millis() + MARGIN >= deadline
}
