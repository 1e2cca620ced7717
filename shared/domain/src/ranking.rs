//! Which partner comes first: one formula over the records of all organizations.
//!
//! A score has up to three parts, each from 0 to 1:
//!
//! | part | weight | an observation | its value |
//! |---|---|---|---|
//! | responsiveness | 4 | an invitation that was answered | ½, and ½ of the share of the response window that was left over |
//! | | | an invitation that expired | 0 |
//! | fit, only where something is asked for | 4 | an accepted deal | 1 if it has in common what is asked for, else 0 |
//! | reliability | 2 | an accepted deal whose end was reported in time, or late | 1, or ½ |
//! | | | one that is open although its close date's month is over | 0 |
//!
//! The value of a part is `(5 × average + sum of the values) ÷ (5 + number of observations)`: everybody starts at the
//! average and moves away from it with what is seen (Bayesian smoothing). The average is that of the organizations, each
//! with the mean of its own observations, and of one more at ½, so that the first of all is not its own measure. It counts
//! organizations and not observations, because then an expiry costs the organization at least as much as it costs anybody
//! else through the average, and so never lets it pass somebody.
//!
//! Fit is the mean of what was asked for: solutions count twice, country and size once. So is reliability where something is
//! asked for: of the reports only those count of deals that have it in common, and of what is overdue all. Else whoever accepts
//! everything, and at once reports that it is lost, would rise by its reports; so an accepted deal that has nothing in common
//! with what is asked for never counts for more than its decline would have, however it ends. The score is the mean of the parts by
//! their weights. All of it is whole billionths, rounded down: sums come out the same in any order.
//!
//! Whose scores are equal, such as all that are new, are told apart by what their profiles say of what is asked for, and then by
//! a digest that differs for each who asks, so that nobody is always first because of its name.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use crate::catalog::Organization;
use crate::opportunity::{Opportunity, words};
use crate::record::{Counter, Likeness, Month, Record, Size, THOUSANDTHS};
use crate::text::{Country, OrganizationId, SolutionId};

/// As many observations as the average of the exchange counts for.
const PRIOR: u64 = 5;
const WHOLE: u64 = 1_000_000_000;
const HALF: u64 = WHOLE / 2;

words!(
    /// What a score is made of.
    PartName {
        /// How often and how quickly invitations are answered.
        Responsiveness = "responsiveness",
        /// How accepted deals resemble the one asked for.
        Fit = "fit",
        /// How reliably ends are reported.
        Reliability = "reliability",
    }
);

impl PartName {
    const fn weight(self) -> u64 {
        match self {
            Self::Responsiveness | Self::Fit => 4,
            Self::Reliability => 2,
        }
    }
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u64);

impl Share {
    /// Rounded to four decimals, as people see it.
    pub fn rounded(self) -> f64 {
        let unit = WHOLE / 10_000;
        f64::from(u32::try_from((self.0 + unit / 2) / unit).unwrap_or(u32::MAX)) / 10_000.0
    }

    fn percent(numerator: u64, denominator: u64) -> u64 {
        (200 * numerator + denominator) / (2 * denominator.max(1))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4}", self.rounded())
    }
}

/// The deal that somebody has in mind, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Its solutions, and who publishes each.
    pub solutions: BTreeMap<SolutionId, OrganizationId>,
    /// Where the customer is.
    pub country: Option<Country>,
    /// How large it is.
    pub size: Option<Size>,
}

impl Ask {
    /// What is asked for with this opportunity.
    pub fn of(view: &Opportunity) -> Self {
        let solutions = view.solutions.iter();
        Self {
            solutions: solutions
                .map(|solution| (solution.id.clone(), solution.publisher.clone()))
                .collect(),
            country: Some(view.customer.country.clone()),
            size: view.estimated_value.as_ref().map(Size::of),
        }
    }

    /// What deals may have in common with it.
    pub fn likenesses(&self) -> Vec<Likeness> {
        self.dimensions().into_iter().flat_map(|(_, alike)| alike).collect()
    }

    /// The same, by what counts together, with its weight within the fit.
    fn dimensions(&self) -> Vec<(u64, Vec<Likeness>)> {
        let solutions = self.solutions.keys().cloned().map(Likeness::Solution).collect();
        let country = self.country.iter().cloned().map(Likeness::Country).collect();
        let size = self.size.iter().cloned().map(Likeness::Size).collect();
        let dimensions: [(u64, Vec<Likeness>); 3] = [(2, solutions), (1, country), (1, size)];
        dimensions.into_iter().filter(|(_, alike)| !alike.is_empty()).collect()
    }
}

/// Somebody who could be invited: what it says of itself, and what was seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its profile.
    pub organization: Organization,
    /// What was counted.
    pub record: Record,
}

impl Candidate {
    /// Whether it may sell in a country: it says so, says nothing of countries, or has accepted a deal there.
    pub fn sells_in(&self, country: &Country) -> bool {
        let says = &self.organization.countries;
        let seen = || self.record.get(&Counter::Alike(Likeness::Country(country.clone())));
        says.is_empty() || says.contains(country) || seen() > 0
    }
}

/// A part of a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which.
    pub name: PartName,
    /// From 0 to 1.
    pub value: Share,
    /// Its weight in the score; those of all parts add up to 1.
    pub weight: Share,
    /// What it would be if nothing had been seen.
    pub average: Share,
    /// Why it is what it is, for a person.
    pub because: String,
    /// The counts behind it, by name.
    pub counts: Vec<(String, u64)>,
}

/// An organization with its score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked<'a> {
    /// Who.
    pub candidate: &'a Candidate,
    /// From 0 to 1.
    pub score: Share,
    /// What it is made of.
    pub parts: Vec<Part>,
    /// What its profile says of what is asked for, for a person.
    pub says: Vec<String>,
    /// What was counted of it, by name.
    pub counts: Vec<(String, u64)>,
    /// Where it stands: texts of this sort best first, and each is another.
    pub place: String,
}

/// What would raise a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Which part of it.
    pub part: PartName,
    /// What to do, and why.
    pub text: String,
    /// What the score would be then, all others being as they are.
    pub score: Share,
}

/// The sum and the number of some observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    sum: u128,
    number: u64,
}

impl Seen {
    fn mean(self) -> Option<u64> {
        let number = u128::from(self.number);
        (number > 0).then(|| narrow(self.sum / number))
    }

    fn smoothed(self, average: u64) -> u64 {
        let sum = u128::from(PRIOR) * u128::from(average) + self.sum;
        narrow(sum / u128::from(PRIOR + self.number))
    }
}

/// What never exceeds a whole.
fn narrow(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(WHOLE).min(WHOLE)
}

/// Something of which there is an average.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Measure {
    Responsiveness,
    /// Of all deals.
    Reliability,
    /// Of deals that have this in common.
    ReliabilityAlike(Likeness),
    Alike(Likeness),
}

impl Measure {
    fn seen(&self, record: &Record, now: Month) -> Seen {
        let count = |counter: &Counter| record.get(counter);
        let reported = |in_time: u64, late: u64| Seen {
            sum: u128::from(WHOLE) * u128::from(in_time) + u128::from(HALF) * u128::from(late),
            number: in_time + late + record.overdue(now),
        };
        match self {
            Self::Responsiveness => {
                let answered = count(&Counter::Answered);
                let thousandths = THOUSANDTHS.unsigned_abs();
                let unused = count(&Counter::Unused).min(answered * thousandths);
                Seen {
                    sum: u128::from(HALF) * u128::from(answered) + u128::from(HALF / thousandths) * u128::from(unused),
                    number: answered + count(&Counter::Unanswered),
                }
            }
            Self::Reliability => reported(count(&Counter::ClosedInTime), count(&Counter::ClosedLate)),
            Self::ReliabilityAlike(likeness) => reported(
                count(&Counter::AlikeInTime(likeness.clone())),
                count(&Counter::AlikeLate(likeness.clone())),
            ),
            Self::Alike(likeness) => {
                let taken = count(&Counter::Taken);
                let alike = count(&Counter::Alike(likeness.clone())).min(taken);
                Seen {
                    sum: u128::from(WHOLE) * u128::from(alike),
                    number: taken,
                }
            }
        }
    }
}

/// The formula, for one ask at one time.
#[derive(Debug, Clone)]
pub struct Ranking {
    ask: Ask,
    now: Month,
    averages: BTreeMap<Measure, u64>,
}

impl Ranking {
    /// With the averages of these: all organizations of the exchange, in any order.
    pub fn new(all: &[Candidate], ask: Ask, now: Month) -> Self {
        let alike = ask.likenesses().into_iter();
        let alike = alike.flat_map(|alike| [Measure::Alike(alike.clone()), Measure::ReliabilityAlike(alike)]);
        let measures = [Measure::Responsiveness, Measure::Reliability].into_iter().chain(alike);
        let average = |measure: &Measure| {
            let means = all
                .iter()
                .filter_map(|candidate| measure.seen(&candidate.record, now).mean());
            let (sum, number) = means.fold((u128::from(HALF), 1), |(sum, number), mean| {
                (sum + u128::from(mean), number + 1)
            });
            narrow(sum / number)
        };
        let averages = measures.map(|measure| (measure.clone(), average(&measure))).collect();
        Self { ask, now, averages }
    }

    /// These, best first. `asking` tells apart who is equal in everything else.
    pub fn order<'a>(&self, candidates: impl IntoIterator<Item = &'a Candidate>, asking: &str) -> Vec<Ranked<'a>> {
        let mut ranked: Vec<_> = candidates
            .into_iter()
            .map(|candidate| self.rank(candidate, asking))
            .collect();
        ranked.sort_by(|a, b| a.place.cmp(&b.place));
        ranked
    }

    /// One of them, with its score.
    pub fn rank<'a>(&self, candidate: &'a Candidate, asking: &str) -> Ranked<'a> {
        let score = self.score(&candidate.record);
        let organization = &candidate.organization;
        let id = &organization.party.id;
        let publishes = self.ask.solutions.values().filter(|publisher| *publisher == id).count();
        let sells_there = self
            .ask
            .country
            .as_ref()
            .is_some_and(|country| organization.countries.contains(country));
        // Fixed widths: text order is the order of numbers, and less is better.
        let place = format!(
            "{:010}.{:03}.{}.{:016x}.{id}",
            WHOLE - score.0,
            999 - publishes.min(999),
            u8::from(!sells_there),
            digest(asking, id.as_str()),
        );
        Ranked {
            candidate,
            score,
            parts: self.parts(&candidate.record),
            says: self.says(organization),
            counts: self.counts(&candidate.record),
            place,
        }
    }

    /// What an organization can do to raise its own score, the most effective first.
    pub fn advice(&self, record: &Record) -> Vec<Advice> {
        let overdue = record.overdue(self.now);
        let count = |counter: &Counter| record.get(counter);
        let (answered, unanswered) = (count(&Counter::Answered), count(&Counter::Unanswered));
        let (in_time, late) = (count(&Counter::ClosedInTime), count(&Counter::ClosedLate));
        let mut advice = Vec::new();

        let mut prompt = record.clone();
        prompt.add(Counter::Answered, 1);
        prompt.add(Counter::Unused, THOUSANDTHS);
        let text = if answered + unanswered == 0 {
            "Answer the first invitations soon: nothing is known of you yet, so that you stand at the average."
                .to_owned()
        } else if unanswered > 0 {
            format!(
                "Answer every invitation before respondBy: {unanswered} of {} expired. A decline is an answer as well.",
                plural(answered + unanswered, "invitation")
            )
        } else {
            let passed = 100 - Share::percent(count(&Counter::Unused), answered * THOUSANDTHS.unsigned_abs()).min(100);
            format!("Answer sooner: on average {passed} % of the response window had passed when you answered.")
        };
        advice.push((PartName::Responsiveness, text, prompt));

        if overdue > 0 {
            let mut reported = record.clone();
            for (month, open) in record.open_before(self.now) {
                reported.add(Counter::Open(month), -open);
            }
            reported.add(Counter::ClosedLate, i64::try_from(overdue).unwrap_or(i64::MAX));
            let text = format!(
                "Report how {} ended, or set a later estimated close date: its month is over.",
                plural(overdue, "accepted deal")
            );
            advice.push((PartName::Reliability, text, reported));
        }
        let mut timely = record.clone();
        timely.add(Counter::ClosedInTime, 1);
        let text = if late > 0 {
            format!(
                "Report an end no later than in the month of the estimated close date: {late} of {} came later.",
                plural(in_time + late, "report")
            )
        } else {
            "Report how accepted deals end, no later than in the month of the estimated close date.".to_owned()
        };
        advice.push((PartName::Reliability, text, timely));

        let now = self.score(record);
        let mut advice: Vec<Advice> = advice
            .into_iter()
            .map(|(part, text, then)| Advice {
                part,
                text,
                score: self.score(&then),
            })
            .filter(|advice| advice.score > now)
            .collect();
        advice.sort_by_key(|advice| Reverse(advice.score));
        advice
    }

    fn score(&self, record: &Record) -> Share {
        let values: Vec<(PartName, u64)> = self.names().map(|name| (name, self.value(name, record))).collect();
        mean(values.into_iter().map(|(name, value)| (name.weight(), value)))
    }

    fn names(&self) -> impl Iterator<Item = PartName> {
        let asked = self.asks();
        let names = PartName::ALL.iter().copied();
        names.filter(move |name| asked || *name != PartName::Fit)
    }

    fn value(&self, name: PartName, record: &Record) -> u64 {
        self.combine(name, |measure, average| {
            measure.seen(record, self.now).smoothed(average)
        })
    }

    fn combine(&self, name: PartName, value: impl Fn(&Measure, u64) -> u64) -> u64 {
        let value = |measure: Measure| {
            let average = self.averages.get(&measure).copied().unwrap_or(HALF);
            value(&measure, average)
        };
        let each = |measure: fn(Likeness) -> Measure| {
            let dimensions = self.ask.dimensions().into_iter().map(|(weight, alike)| {
                let values = alike.into_iter().map(|likeness| (1, value(measure(likeness))));
                (weight, mean(values).0)
            });
            mean(dimensions).0
        };
        match name {
            PartName::Responsiveness => value(Measure::Responsiveness),
            PartName::Fit => each(Measure::Alike),
            PartName::Reliability if self.asks() => each(Measure::ReliabilityAlike),
            PartName::Reliability => value(Measure::Reliability),
        }
    }

    fn asks(&self) -> bool {
        !self.ask.dimensions().is_empty()
    }

    fn parts(&self, record: &Record) -> Vec<Part> {
        let weights: u64 = self.names().map(PartName::weight).sum();
        let part = |name: PartName| {
            let (because, counts) = self.behind(name, record);
            Part {
                name,
                value: Share(self.value(name, record)),
                weight: Share(name.weight() * WHOLE / weights),
                average: Share(self.combine(name, |_, average| average)),
                because,
                counts,
            }
        };
        self.names().map(part).collect()
    }

    /// The explanation of a part, and its counts.
    fn behind(&self, name: PartName, record: &Record) -> (String, Vec<(String, u64)>) {
        let count = |counter: &Counter| record.get(counter);
        let average = "so it stands at the average of the exchange.";
        match name {
            PartName::Responsiveness => {
                let (answered, expired) = (count(&Counter::Answered), count(&Counter::Unanswered));
                let left = Share::percent(count(&Counter::Unused), answered * THOUSANDTHS.unsigned_abs()).min(100);
                let because = match answered {
                    0 if expired == 0 => format!("No invitation was answered or expired yet, {average}"),
                    0 => format!("Let {} expire and answered none.", plural(expired, "invitation")),
                    _ => format!(
                        "Answered {answered} of {} in time, with {left} % of the response window left on average.",
                        plural(answered + expired, "invitation")
                    ),
                };
                let counts = [
                    ("answered", answered),
                    ("expired", expired),
                    ("windowLeftPercent", left),
                ];
                (because, named(counts))
            }
            PartName::Reliability if self.asks() => {
                let overdue = record.overdue(self.now);
                let alike = self.ask.likenesses().into_iter().map(|likeness| {
                    let in_time = count(&Counter::AlikeInTime(likeness.clone()));
                    let late = count(&Counter::AlikeLate(likeness.clone()));
                    (likeness, in_time, late)
                });
                let alike: Vec<_> = alike.collect();
                let because = if overdue == 0 && alike.iter().all(|(_, in_time, late)| in_time + late == 0) {
                    format!("No accepted deal like this has ended or should have yet, {average}")
                } else {
                    let each = alike.iter().map(|(likeness, in_time, late)| {
                        in_words(likeness, format!("{in_time} of {}", in_time + late))
                    });
                    let each: Vec<String> = each.collect();
                    format!(
                        "Reported in time, of those that ended: {}; {}.",
                        each.join(", "),
                        open_past(overdue)
                    )
                };
                let alike = alike.into_iter().flat_map(|(likeness, in_time, late)| {
                    let counters = [Counter::AlikeInTime(likeness.clone()), Counter::AlikeLate(likeness)];
                    counters
                        .map(|counter| counter.to_string())
                        .into_iter()
                        .zip([in_time, late])
                });
                let counts = named([("overdue", overdue)]).into_iter().chain(alike);
                (because, counts.collect())
            }
            PartName::Reliability => {
                let (in_time, late) = (count(&Counter::ClosedInTime), count(&Counter::ClosedLate));
                let overdue = record.overdue(self.now);
                let because = match in_time + late + overdue {
                    0 => format!("No accepted deal has ended or should have yet, {average}"),
                    _ => format!(
                        "Reported how {} ended, {in_time} of them in time; {}.",
                        plural(in_time + late, "accepted deal"),
                        open_past(overdue)
                    ),
                };
                let counts = [
                    ("reportedInTime", in_time),
                    ("reportedLate", late),
                    ("overdue", overdue),
                ];
                (because, named(counts))
            }
            PartName::Fit => {
                let taken = count(&Counter::Taken);
                let alike = self.ask.likenesses().into_iter();
                let alike: Vec<(Likeness, u64)> = alike
                    .map(|likeness| (likeness.clone(), count(&Counter::Alike(likeness)).min(taken)))
                    .collect();
                let because = if taken == 0 {
                    format!("No deal was accepted yet, {average}")
                } else {
                    let each = alike.iter().map(|(likeness, number)| in_words(likeness, number));
                    let each: Vec<String> = each.collect();
                    format!("Of {}: {}.", plural(taken, "accepted deal"), each.join(", "))
                };
                let alike = alike
                    .into_iter()
                    .map(|(likeness, number)| (likeness.to_string(), number));
                (because, named([("accepted", taken)]).into_iter().chain(alike).collect())
            }
        }
    }

    fn counts(&self, record: &Record) -> Vec<(String, u64)> {
        let count = |counter: &Counter| record.get(counter);
        named([
            ("answered", count(&Counter::Answered)),
            ("expired", count(&Counter::Unanswered)),
            ("accepted", count(&Counter::Taken)),
            ("reportedInTime", count(&Counter::ClosedInTime)),
            ("reportedLate", count(&Counter::ClosedLate)),
            ("overdue", record.overdue(self.now)),
        ])
    }

    fn says(&self, organization: &Organization) -> Vec<String> {
        let published = self.ask.solutions.iter();
        let published = published
            .filter(|(_, publisher)| **publisher == organization.party.id)
            .map(|(id, _)| format!("Publishes {id}."));
        let country = self.ask.country.iter();
        let country = country.filter(|_| !organization.countries.is_empty()).map(|country| {
            let sells = organization.countries.contains(country);
            format!(
                "Says that it {} in {country}.",
                if sells { "sells" } else { "does not sell" }
            )
        });
        published.chain(country).collect()
    }
}

fn named<const N: usize>(counts: [(&str, u64); N]) -> Vec<(String, u64)> {
    counts.map(|(name, count)| (name.to_owned(), count)).to_vec()
}

fn in_words(likeness: &Likeness, number: impl fmt::Display) -> String {
    match likeness {
        Likeness::Solution(id) => format!("{number} with {id}"),
        Likeness::Country(country) => format!("{number} in {country}"),
        Likeness::Size(size) => format!("{number} of this size ({})", size.in_words()),
    }
}

fn open_past(overdue: u64) -> String {
    let are = if overdue == 1 { "is" } else { "are" };
    format!("{overdue} {are} open past the month of the close date")
}

fn plural(count: u64, thing: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{s}")
}

/// The mean of values by their weights.
fn mean(values: impl IntoIterator<Item = (u64, u64)>) -> Share {
    let (mut sum, mut weights) = (0, 0);
    for (weight, value) in values {
        sum += u128::from(weight) * u128::from(value);
        weights += u128::from(weight);
    }
    Share(narrow(sum / weights.max(1)))
}

/// Tells organizations apart without favour, and the same way each time (FNV-1a, and a final mix so that every bit counts).
fn digest(asking: &str, id: &str) -> u64 {
    let bytes = asking.bytes().chain([0]).chain(id.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests;
