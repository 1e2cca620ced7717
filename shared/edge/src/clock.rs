//! The wall clock. The only module that reads it.

use chrono::{TimeDelta, Utc};
use domain::Timestamp;

tokio::task_local! {
    /// How far the clock of the machine that the task runs on is ahead.
    static AHEAD: TimeDelta;
}

/// The time, to the millisecond.
#[expect(clippy::disallowed_methods, reason = "this is the one home of the wall clock")]
pub fn now() -> Timestamp {
    let ahead = AHEAD.try_with(|ahead| *ahead).unwrap_or_default();
    Timestamp::from_datetime(Utc::now()).plus(ahead)
}

/// Runs an invocation on a machine whose clock is so far ahead, or behind. Machines of the real world differ by themselves; the
/// local stack runs them all on one.
pub(crate) async fn ahead_by<F: Future>(ahead: TimeDelta, invocation: F) -> F::Output {
    AHEAD.scope(ahead, invocation).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn machines_differ() {
        let here = now();
        let there = ahead_by(TimeDelta::days(31), async { now() }).await;
        let back = ahead_by(TimeDelta::minutes(-5), async { now() }).await;
        assert!(there >= here.plus(TimeDelta::days(31)) && there < here.plus(TimeDelta::days(32)));
        assert!(back < here);
    }
}
