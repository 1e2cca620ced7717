//! What the exchange remembers of how an organization treats invitations: counts and sums of what its events said, each
//! added once. The order in which events arrive makes no difference, since everything is a sum.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::Datelike;

use crate::deal::Deal;
use crate::event::{Change, Edit};
use crate::money::Money;
use crate::opportunity::{Direction, Invitation, Opportunity};
use crate::text::{Country, OrganizationId, SolutionId};
use crate::time::{Date, Timestamp};

/// What a whole is in the sums of [`Counter::Unused`].
pub const THOUSANDTHS: i64 = 1_000;
/// Months from here on are counted as one, so that a record stays small whatever dates people set.
const LAST_YEAR: i32 = 2_100;

/// A month of the calendar, in UTC. Whether an end was reported in time is told by months: a deal that was to close on the
/// 3rd and did on the 20th was in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// The month of an instant.
    pub fn of(at: Timestamp) -> Self {
        Self::new(at.date().year(), at.date().month())
    }

    /// The month of a date.
    pub fn of_date(date: Date) -> Self {
        Self::new(date.calendar().year(), date.calendar().month())
    }

    fn new(year: i32, month: u32) -> Self {
        if year >= LAST_YEAR {
            Self {
                year: LAST_YEAR,
                month: 1,
            }
        } else {
            Self { year, month }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        (1..=12).contains(&month).then(|| Self::new(year, month))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// How large a deal is: its currency, and how many digits its value has before the point. There are no exchange rates here,
/// so that values in two currencies are not alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    currency: String,
    digits: usize,
}

impl Size {
    /// The size of a deal of this value.
    pub fn of(value: &Money) -> Self {
        let amount = value.amount();
        Self {
            currency: value.currency().to_owned(),
            digits: amount.split('.').next().map_or(0, str::len),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (currency, digits) = text.split_once('-')?;
        Some(Self {
            currency: currency.to_owned(),
            digits: digits.parse().ok()?,
        })
    }

    /// As people say it: `USD of 6 digits`.
    pub fn in_words(&self) -> String {
        format!("{} of {} digits", self.currency, self.digits)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.currency, self.digits)
    }
}

/// Something that deals can have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Likeness {
    /// A solution that is sold.
    Solution(SolutionId),
    /// The customer's country.
    Country(Country),
    /// The size.
    Size(Size),
}

impl Likeness {
    /// Everything that a deal can have in common with others.
    pub fn of(view: &Opportunity) -> BTreeSet<Self> {
        let solutions = view
            .solutions
            .iter()
            .map(|solution| Self::Solution(solution.id.clone()));
        let country = Self::Country(view.customer.country.clone());
        solutions
            .chain([country])
            .chain(view.estimated_value.as_ref().map(Size::of).map(Self::Size))
            .collect()
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("solution", id) => SolutionId::parse(id).ok().map(Self::Solution),
            ("country", country) => Country::parse(country).ok().map(Self::Country),
            ("size", size) => Size::parse(size).map(Self::Size),
            _ => None,
        }
    }
}

impl fmt::Display for Likeness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Solution(id) => write!(f, "solution:{id}"),
            Self::Country(country) => write!(f, "country:{country}"),
            Self::Size(size) => write!(f, "size:{size}"),
        }
    }
}

/// One number of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// Invitations that were accepted or declined.
    Answered,
    /// The share of the response window that was left over at each answer, in thousandths, added up.
    Unused,
    /// Invitations that expired.
    Unanswered,
    /// Invitations that were accepted.
    Taken,
    /// Accepted deals whose end was reported no later than in the month of their estimated close date.
    ClosedInTime,
    /// Accepted deals whose end was reported later.
    ClosedLate,
    /// Accepted deals that have not ended and are to close in this month.
    Open(Month),
    /// Accepted deals that have this in common.
    Alike(Likeness),
    /// Of those, the ones whose end was reported in time.
    AlikeInTime(Likeness),
    /// And the ones whose end was reported later.
    AlikeLate(Likeness),
}

impl Counter {
    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "answered" => Self::Answered,
            "unused" => Self::Unused,
            "unanswered" => Self::Unanswered,
            "taken" => Self::Taken,
            "closedInTime" => Self::ClosedInTime,
            "closedLate" => Self::ClosedLate,
            other => match other.split_once(':')? {
                ("open", month) => Self::Open(Month::parse(month)?),
                ("inTime", likeness) => Self::AlikeInTime(Likeness::parse(likeness)?),
                ("late", likeness) => Self::AlikeLate(Likeness::parse(likeness)?),
                _ => Self::Alike(Likeness::parse(other)?),
            },
        })
    }
}

impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered => f.write_str("answered"),
            Self::Unused => f.write_str("unused"),
            Self::Unanswered => f.write_str("unanswered"),
            Self::Taken => f.write_str("taken"),
            Self::ClosedInTime => f.write_str("closedInTime"),
            Self::ClosedLate => f.write_str("closedLate"),
            Self::Open(month) => write!(f, "open:{month}"),
            Self::Alike(likeness) => likeness.fmt(f),
            Self::AlikeInTime(likeness) => write!(f, "inTime:{likeness}"),
            Self::AlikeLate(likeness) => write!(f, "late:{likeness}"),
        }
    }
}

/// What an organization did with the invitations that it received. What it does with deals of its own is not counted, nor is
/// an invitation that was taken back before it answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    counts: BTreeMap<Counter, i64>,
}

impl Record {
    /// Adds what an event says.
    pub fn add(&mut self, counter: Counter, number: i64) {
        *self.counts.entry(counter).or_default() += number;
    }

    /// A count. While a sum is being read, part of it may be missing, so that what it says may be less than nothing.
    pub(crate) fn get(&self, counter: &Counter) -> u64 {
        let count = self.counts.get(counter).copied().unwrap_or(0);
        u64::try_from(count).unwrap_or(0)
    }

    /// Accepted deals that have not ended although the month of their estimated close date has.
    pub(crate) fn overdue(&self, now: Month) -> u64 {
        let overdue: i64 = self.open_before(now).map(|(_, count)| count).sum();
        u64::try_from(overdue).unwrap_or(0)
    }

    /// Open deals by the month in which they were to close, as far as that is over.
    pub(crate) fn open_before(&self, now: Month) -> impl Iterator<Item = (Month, i64)> {
        self.counts.iter().filter_map(move |(counter, count)| match counter {
            Counter::Open(month) if *month < now => Some((*month, *count)),
            _ => None,
        })
    }
}

/// What an event adds to the record of the organization that it happened to: `before` it, and `after` it.
pub(crate) fn counts(
    before: &Deal,
    after: &Deal,
    organization: &OrganizationId,
    change: &Change,
    at: Timestamp,
) -> Vec<(Counter, i64)> {
    // The deal as its owner has it: what the organization itself makes of it would let it say what it is good at.
    let alike = |counter: fn(Likeness) -> Counter| {
        let likenesses = Likeness::of(before.owner()).into_iter();
        likenesses.map(move |likeness| (counter(likeness), 1))
    };
    let (Ok(before), Ok(after)) = (before.view(organization), after.view(organization)) else {
        return Vec::new();
    };
    let Some(invitation) = before.invitation().filter(|_| before.direction() == Direction::Inbound) else {
        return Vec::new();
    };
    // Whatever was accepted has a close date, a lead as well.
    let due = |view: &Opportunity| view.estimated_close_date.map(Month::of_date);
    let open = |view: &Opportunity, number: i64| due(view).map(|month| (Counter::Open(month), number));
    let answered = || {
        vec![
            (Counter::Answered, 1),
            (Counter::Unused, unused_thousandths(invitation, at)),
        ]
    };
    match change {
        Change::Declined(_) => answered(),
        Change::Accepted(_) => {
            let mut counts = answered();
            counts.push((Counter::Taken, 1));
            counts.extend(open(after, 1));
            counts.extend(alike(Counter::Alike));
            counts
        }
        Change::Expired => vec![(Counter::Unanswered, 1)],
        Change::Updated(edits) => edits
            .iter()
            .filter_map(|edit| match edit {
                Edit::EstimatedCloseDate(date) => Some((date.from.map(Month::of_date), date.to.map(Month::of_date))),
                _ => None,
            })
            .filter(|(from, to)| from != to)
            .flat_map(|(from, to)| [(from, -1), (to, 1)])
            .filter_map(|(month, number)| Some((Counter::Open(month?), number)))
            .collect(),
        Change::Won(_) | Change::Lost(_) => {
            let late = due(before).is_some_and(|due| due < Month::of(at));
            let (reported, reported_alike): (_, fn(Likeness) -> Counter) = if late {
                (Counter::ClosedLate, Counter::AlikeLate)
            } else {
                (Counter::ClosedInTime, Counter::AlikeInTime)
            };
            let counts = open(before, -1).into_iter().chain([(reported, 1)]);
            counts.chain(alike(reported_alike)).collect()
        }
        Change::Created(_)
        | Change::Invited(_)
        | Change::Reminded
        | Change::Withdrawn
        | Change::NoteAdded(_)
        | Change::RegistrationSubmitted(_)
        | Change::RegistrationReviewed(_) => Vec::new(),
    }
}

/// How much of the response window is left at the instant.
fn unused_thousandths(invitation: &Invitation, at: Timestamp) -> i64 {
    let millis = |from: Timestamp, to: Timestamp| (to.datetime() - from.datetime()).num_milliseconds().max(0);
    let window = millis(invitation.sent_at, invitation.respond_by).max(1);
    let left = millis(at, invitation.respond_by).min(window);
    i64::try_from(i128::from(left) * i128::from(THOUSANDTHS) / i128::from(window)).unwrap_or(0)
}
