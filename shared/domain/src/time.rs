//! Instants and dates. The domain never asks what time it is: it is told.

use std::fmt;

use chrono::{DateTime, Datelike, Days, NaiveDate, SecondsFormat, TimeDelta, Utc};

use crate::fault::Flaw;
use crate::form::Parse;

/// An instant in UTC, to the millisecond. Its text has a fixed width, so that it sorts as the time does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// Drops what is finer than a millisecond. A leap second is the second after it, as in every count of seconds since 1970:
    /// else two instants would differ as text and be the same as numbers.
    pub fn from_datetime(at: DateTime<Utc>) -> Self {
        Self(DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap_or(at))
    }

    /// Reads RFC 3339. An offset may lead out of the years of four digits, where text no longer sorts as time does.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|at| Self::from_datetime(at.to_utc()))
            .filter(|at| (0..=9_999).contains(&at.0.year()))
            .ok_or_else(|| {
                Flaw::new(
                    "invalidTimestamp",
                    "must be an RFC 3339 timestamp such as 2026-11-21T09:30:00Z",
                )
            })
    }

    /// The instant as chrono has it.
    pub fn datetime(self) -> DateTime<Utc> {
        self.0
    }

    /// The calendar day in UTC.
    pub fn date(self) -> NaiveDate {
        self.0.date_naive()
    }

    /// Milliseconds since 1970; 0 for what lies before.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.timestamp_millis()).unwrap_or(0)
    }

    /// Later by `delta`, or the last instant there is.
    #[must_use]
    pub fn plus(self, delta: TimeDelta) -> Self {
        self.0
            .checked_add_signed(delta)
            .map_or(Self(DateTime::<Utc>::MAX_UTC), Self::from_datetime)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither here nor below by chrono's patterns: their language would be in every function.
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// A calendar day, written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(NaiveDate);

impl Date {
    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        // chrono also takes `2026-1-5`, `2026- 1- 5` and years beyond four digits; the contract does not.
        let strict = text.len() == 10
            && text.bytes().enumerate().all(|(index, byte)| match index {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        text.parse()
            .ok()
            .filter(|_| strict)
            .map(Self)
            .ok_or_else(|| Flaw::new("invalidDate", "must be a date of the calendar as YYYY-MM-DD"))
    }

    /// The day as chrono has it.
    pub(crate) fn calendar(self) -> NaiveDate {
        self.0
    }

    /// A date that lies ahead, today included; the day is that of UTC.
    pub(crate) fn not_before(self, now: Timestamp) -> Result<Self, Flaw> {
        if self.0 < now.date() {
            return Err(Flaw::new(
                "dateInPast",
                format!("must not be before today, {} in UTC", now.date()),
            ));
        }
        Ok(self)
    }
}

impl Date {
    /// The day in UTC.
    pub fn of(now: Timestamp) -> Self {
        Self(now.date())
    }

    /// So many days before, or the first day there is.
    #[must_use]
    pub(crate) fn days_before(self, days: u64) -> Self {
        Self(self.0.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN))
    }
}

impl From<NaiveDate> for Date {
    fn from(date: NaiveDate) -> Self {
        Self(date)
    }
}

impl Parse for Date {
    fn parse(text: &str) -> Result<Self, Flaw> {
        Self::parse(text)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_strict() {
        assert_eq!(
            Date::parse("2028-02-29").map(|d| d.to_string()),
            Ok("2028-02-29".into())
        );
        for wrong in [
            "2027-02-29",
            "2026-1-05",
            "26-01-05",
            "2026-01-05T00:00:00Z",
            "",
            "+2026-01-5",
            "2026- 1- 5",
            "2026-01- 5",
            " 2026-01-5",
            "٢٠٢٦-01-05",
        ] {
            assert_eq!(
                Date::parse(wrong).map_err(|flaw| flaw.code),
                Err("invalidDate"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_leap_second_is_the_second_after_it() {
        let read = |text| Timestamp::parse(text).expect("a timestamp");
        let (leap, after) = (read("2016-12-31T23:59:60.500Z"), read("2017-01-01T00:00:00.500Z"));
        assert_eq!((leap, leap.to_string()), (after, after.to_string()));
        assert_eq!(
            read("2016-12-31T23:59:59.9999Z").to_string(),
            "2016-12-31T23:59:59.999Z"
        );
        assert_eq!(
            read("1969-12-31T23:59:59.9999Z").to_string(),
            "1969-12-31T23:59:59.999Z"
        );
    }

    #[test]
    fn today_is_not_in_the_past() {
        let now = Timestamp::parse("2026-11-21T23:59:59.999Z").expect("a timestamp");
        let date = |text| {
            Date::parse(text)
                .expect("a date")
                .not_before(now)
                .map_err(|flaw| flaw.code)
        };
        assert!(date("2026-11-21").is_ok());
        assert_eq!(date("2026-11-20"), Err("dateInPast"));
    }

    proptest! {
        #[test]
        fn text_order_is_time_order_and_text_round_trips(a in 0i64..253_402_300_799_999, b in 0i64..253_402_300_799_999) {
            let at = |ms| Timestamp::from_datetime(DateTime::from_timestamp_millis(ms).expect("in range"));
            let (a, b) = (at(a), at(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(Timestamp::parse(&a.to_string()), Ok(a));
        }
    }
}
