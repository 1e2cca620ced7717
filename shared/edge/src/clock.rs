//! The wall clock. The only module that reads it.

use chrono::Utc;
use domain::Timestamp;

/// The time, to the millisecond.
#[expect(clippy::disallowed_methods, reason = "this is the one home of the wall clock")]
pub fn now() -> Timestamp {
    Timestamp::from_datetime(Utc::now())
}
