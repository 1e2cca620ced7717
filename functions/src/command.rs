//! The one way of every command: read the deal, decide, write once, answer.

use domain::{
    Access, Actor, Catalog, Command, Deal, DealId, Opportunity, References, Refusal, Timestamp, decide, evolve,
};
use edge::request::IfMatch;
use edge::{Answer, App, Caller, Problem, Query, clock, entropy, request};
use futures_util::future::try_join;
use lambda_http::Request;
use lambda_http::http::Method;
use store::{Commit, Error, Idempotency, NoteRecord, Recorded};

/// How often a command that lost a race is decided again before the caller is asked to come back.
const ATTEMPTS: u32 = 8;

/// A request to change something, by somebody who may.
pub(crate) struct Call<'a> {
    app: &'a App,
    request: &'a Request,
    pub(crate) by: Actor,
    pub(crate) query: Query,
    idempotency: Option<Idempotency>,
}

/// What a command has come to, to be shown.
pub(crate) struct Outcome<'a> {
    /// The deal, as it stands now.
    pub(crate) deal: &'a Deal,
    /// The notes that were added.
    pub(crate) notes: Vec<NoteRecord>,
    /// Whether the caller has marked the deal; `false` where that is not shown.
    pub(crate) favorite: bool,
    /// Whether the command has changed anything.
    pub(crate) changed: bool,
}

/// Why a command gave no answer of its own.
pub(crate) enum Stop {
    /// What was asked for is wrong, as things stand.
    Refused(Problem),
    /// What was asked for could not be done.
    Failed(Problem),
    /// Its idempotency key was used before.
    Used(Recorded),
    /// Somebody else was faster.
    Stale,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Used(recorded) => Self::Used(*recorded),
            Error::Stale => Self::Stale,
            other => Self::Failed(other.into()),
        }
    }
}

impl<'a> Call<'a> {
    /// The call, if the caller may change deals at all. A query parameter that means nothing here is refused: who asks for a
    /// dry run of something that has none must not get the real thing.
    pub(crate) fn of(app: &'a App, request: &'a Request, parameters: &[&str]) -> Result<Self, Problem> {
        let by = Caller::of(request)?.may_write()?;
        let query = request::query(request, parameters)?;
        let key = if request.method() == Method::POST {
            request::idempotency_key(request)?
        } else {
            None
        };
        let idempotency = key.map(|key| Idempotency {
            organization: by.organization.clone(),
            key,
            // An answer is not replayed to somebody who may not see what it shows.
            fingerprint: match &by.access {
                Access::All => request::fingerprint(request),
                Access::Team(email) => format!("{} {email}", request::fingerprint(request)),
            },
        });
        Ok(Self {
            app,
            request,
            by,
            query,
            idempotency,
        })
    }

    /// What the command would come to: the deal as it would be. Writes nothing and uses no key up.
    pub(crate) fn try_out(&self, command: &Command, now: Timestamp) -> Result<Deal, Refusal> {
        let events = decide(None, command, &self.by, now)?;
        events.iter().fold(None, evolve).ok_or(Refusal::NotFound)
    }

    /// Answers a command that was refused before there was a deal to decide on.
    pub(crate) async fn refuse(&self, refusal: Refusal) -> Result<Answer, Problem> {
        self.answer(Err(refusal.into())).await
    }

    /// Carries out a command on no deal yet.
    pub(crate) async fn create(
        &self,
        command: &Command,
        now: Timestamp,
        show: impl Fn(&Outcome<'_>) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Problem> {
        let outcome = self.decide_and_write(None, command, now, false, &show).await;
        self.answer(outcome).await
    }

    /// Carries out a command on the deal of the path: decided again on the new state when somebody else was faster.
    pub(crate) async fn change(
        &self,
        prepare: impl Fn(&Deal, Timestamp) -> Result<Command, Refusal>,
        show: impl Fn(&Outcome<'_>) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Problem> {
        self.change_knowing(
            |_| References::default(),
            |deal, _, now| prepare(deal, now),
            |outcome, _| show(outcome),
        )
        .await
    }

    /// The same, with what is found in the catalog of what the caller's view of the deal names.
    pub(crate) async fn change_knowing(
        &self,
        names: impl Fn(&Opportunity) -> References,
        prepare: impl Fn(&Deal, &Catalog, Timestamp) -> Result<Command, Refusal>,
        show: impl Fn(&Outcome<'_>, &Catalog) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Problem> {
        let outcome = self.try_change(true, names, prepare, show).await;
        self.answer(outcome).await
    }

    /// The same, where the answer does not show the opportunity, and so not whether the caller has marked it.
    pub(crate) async fn change_unshown(
        &self,
        prepare: impl Fn(&Deal, Timestamp) -> Result<Command, Refusal>,
        show: impl Fn(&Outcome<'_>) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Problem> {
        let names = |_: &Opportunity| References::default();
        let prepare = |deal: &Deal, _: &Catalog, now| prepare(deal, now);
        let outcome = self.try_change(false, names, prepare, |outcome, _| show(outcome)).await;
        self.answer(outcome).await
    }

    async fn try_change(
        &self,
        marked: bool,
        names: impl Fn(&Opportunity) -> References,
        prepare: impl Fn(&Deal, &Catalog, Timestamp) -> Result<Command, Refusal>,
        show: impl Fn(&Outcome<'_>, &Catalog) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Stop> {
        let if_match = request::if_match(self.request)?;
        let id = deal_id(self.request)?;
        let by = &self.by;
        let favorite = async { Ok(marked && self.app.store.is_favorite(by, &id).await?) };
        let (first, favorite) = try_join(self.app.store.deal(&id), favorite).await?;
        let stored = first.ok_or(Refusal::NotFound)?;
        let names = |deal: &Deal| {
            let view = deal.seen_by(by)?;
            check_match(if_match.as_ref(), Some(view.version))?;
            Ok(names(view))
        };
        let prepare = |deal: &Deal, catalog: &Catalog, now| Ok(prepare(deal, catalog, now)?);
        self.repeat(stored, favorite, names, prepare, show).await
    }

    /// Carries out a command on a deal, of which the answer shows something else than the caller's view: whether the caller has
    /// a part in it, and what `If-Match` means, is for `prepare` to tell.
    pub(crate) async fn try_change_of(
        &self,
        id: &DealId,
        prepare: impl Fn(&Deal, Timestamp) -> Result<Command, Stop>,
        show: impl Fn(&Outcome<'_>) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Stop> {
        let stored = self.app.store.deal(id).await?.ok_or(Refusal::NotFound)?;
        let prepare = |deal: &Deal, _: &Catalog, now| prepare(deal, now);
        let nothing = |_: &Deal| Ok(References::default());
        self.repeat(stored, false, nothing, prepare, |outcome, _| show(outcome))
            .await
    }

    async fn repeat(
        &self,
        mut stored: Deal,
        favorite: bool,
        names: impl Fn(&Deal) -> Result<References, Stop>,
        prepare: impl Fn(&Deal, &Catalog, Timestamp) -> Result<Command, Stop>,
        show: impl Fn(&Outcome<'_>, &Catalog) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Stop> {
        for _ in 0..ATTEMPTS {
            let now = stored.next_instant(clock::now());
            let deal = stored.clone().at(now);
            // Asks for nothing where nothing is named.
            let catalog = self.app.store.catalog(&names(&deal)?).await?;
            let command = prepare(&deal, &catalog, now)?;
            let show = |outcome: &Outcome<'_>| show(outcome, &catalog);
            match self
                .decide_and_write(Some(&stored), &command, now, favorite, show)
                .await
            {
                Err(Stop::Stale) => stored = self.app.store.deal(stored.id()).await?.ok_or(Refusal::NotFound)?,
                outcome => return outcome,
            }
        }
        Err(Stop::Stale)
    }

    async fn decide_and_write(
        &self,
        stored: Option<&Deal>,
        command: &Command,
        now: Timestamp,
        favorite: bool,
        show: impl Fn(&Outcome<'_>) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Stop> {
        let events = decide(stored, command, &self.by, now)?;
        let after = events
            .iter()
            .fold(stored.cloned(), evolve)
            .ok_or(Refusal::NotFound)?
            .at(now);
        let mut commit = Commit {
            stored,
            events: &events,
            now,
            entropy: entropy::entropy(),
            idempotency: None,
        };
        let answer = show(&Outcome {
            deal: &after,
            notes: commit.notes()?,
            favorite,
            changed: !events.is_empty(),
        })?;
        if !events.is_empty() {
            commit.idempotency = self.idempotency(&answer);
            self.app.store.commit(&commit).await?;
        }
        Ok(answer)
    }

    /// The idempotency key, if there is one, and the record of the answer that a repetition gets.
    pub(crate) fn idempotency(&self, answer: &Answer) -> Option<(&Idempotency, String)> {
        self.idempotency.as_ref().map(|used| (used, record(answer)))
    }

    /// What is the same in every repetition of the request, if it has an idempotency key.
    pub(crate) fn seed(&self) -> Option<u128> {
        self.idempotency.as_ref().map(Idempotency::seed)
    }

    /// Stops what cannot be done in one transaction with the record of its key, if the key was used.
    pub(crate) async fn unused(&self) -> Result<(), Stop> {
        let Some(key) = &self.idempotency else { return Ok(()) };
        match self.app.store.recorded(key, clock::now()).await? {
            Some(used) => Err(Stop::Used(used)),
            None => Ok(()),
        }
    }

    /// A key that was used answers as it did then, whatever has become of the deal since.
    pub(crate) async fn answer(&self, outcome: Result<Answer, Stop>) -> Result<Answer, Problem> {
        let (problem, used) = match outcome {
            Ok(answer) => return Ok(answer),
            Err(Stop::Used(used)) => (Problem::unavailable(), Some(used)),
            Err(Stop::Stale) => (Problem::unavailable(), None),
            Err(Stop::Refused(problem)) => {
                let used = match &self.idempotency {
                    Some(key) => self.app.store.recorded(key, clock::now()).await?,
                    None => None,
                };
                (problem, used)
            }
            Err(Stop::Failed(problem)) => return Err(problem),
        };
        match (used, &self.idempotency) {
            (Some(used), Some(key)) if used.fingerprint == key.fingerprint => replay(&used),
            (Some(_), Some(_)) => Err(Problem::idempotency_key_reused()),
            _ => Err(problem),
        }
    }
}

/// Whether the version that is there, if there is anything, is one that the caller has named.
pub(crate) fn check_match(if_match: Option<&IfMatch>, version: Option<u64>) -> Result<(), Problem> {
    match (if_match, version) {
        (Some(_), None) => Err(Problem::precondition_failed_without()),
        (Some(if_match), Some(version)) if !if_match.allows(version) => Err(Problem::precondition_failed(version)),
        _ => Ok(()),
    }
}

/// The deal of the path. What is no id names no deal.
pub(crate) fn deal_id(request: &Request) -> Result<DealId, Refusal> {
    request::path(request, "id")
        .and_then(|id| DealId::parse(&id).ok())
        .ok_or(Refusal::NotFound)
}

/// The answer as its idempotency record keeps it.
fn record(answer: &Answer) -> String {
    serde_json::to_string(answer).expect("an answer is strings and a number")
}

fn replay(used: &Recorded) -> Result<Answer, Problem> {
    serde_json::from_str(&used.answer).map_err(|error| Error::Corrupt(format!("a recorded answer: {error}")).into())
}
