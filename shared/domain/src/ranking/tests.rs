//! What the ranking promises, for every exchange that could be.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::opportunity::{OrganizationKind, Party};
use crate::text::Label;

/// Rounding, in billionths: each number in the formula is rounded down once, and there are a few of them.
const ROUNDING: i64 = 20;
const NOW: &str = "2027-06-15T00:00:00Z";

fn month(text: &str) -> Month {
    Month::of(crate::Timestamp::parse(text).expect("a timestamp"))
}

fn now() -> Month {
    month(NOW)
}

fn solution(id: &str) -> SolutionId {
    SolutionId::parse(id).expect("an id")
}

fn organization(id: &str) -> OrganizationId {
    OrganizationId::parse(id).expect("an id")
}

fn size() -> Size {
    Size::of(&crate::Money::parse("125000", "USD").expect("money"))
}

fn us() -> Country {
    Country::parse("US").expect("a country")
}

/// A deal with two solutions, in a country, of a size.
fn ask() -> Ask {
    let publisher = organization("o0");
    Ask {
        solutions: [(solution("erp"), publisher.clone()), (solution("crm"), publisher)].into(),
        country: Some(us()),
        size: Some(size()),
    }
}

/// One thing that an organization did, and what that counts.
#[derive(Debug, Clone)]
enum Deed {
    Declined { unused: i64 },
    Expired,
    Accepted { unused: i64, alike: [bool; 4], end: End },
}

#[derive(Debug, Clone, Copy)]
enum End {
    InTime,
    Late,
    Overdue,
    NotDue,
}

impl Deed {
    fn counts(&self) -> Vec<(Counter, i64)> {
        let answered = |unused: i64| vec![(Counter::Answered, 1), (Counter::Unused, unused)];
        match self {
            Self::Declined { unused } => answered(*unused),
            Self::Expired => vec![(Counter::Unanswered, 1)],
            Self::Accepted { unused, alike, end } => {
                let due = month("2027-04-01T00:00:00Z");
                let mut counts = answered(*unused);
                counts.push((Counter::Taken, 1));
                let likenesses = ask().likenesses().into_iter().zip(alike);
                let likenesses = likenesses.filter(|(_, alike)| **alike).map(|(likeness, _)| likeness);
                let likenesses: Vec<_> = likenesses.collect();
                let each =
                    |counter: fn(Likeness) -> Counter| likenesses.iter().cloned().map(move |it| (counter(it), 1));
                counts.extend(each(Counter::Alike));
                let ended = [(Counter::Open(due), 1), (Counter::Open(due), -1)];
                match end {
                    End::InTime => {
                        counts.extend(ended.into_iter().chain([(Counter::ClosedInTime, 1)]));
                        counts.extend(each(Counter::AlikeInTime));
                    }
                    End::Late => {
                        counts.extend(ended.into_iter().chain([(Counter::ClosedLate, 1)]));
                        counts.extend(each(Counter::AlikeLate));
                    }
                    End::Overdue => counts.push((Counter::Open(due), 1)),
                    End::NotDue => counts.push((Counter::Open(now()), 1)),
                }
                counts
            }
        }
    }
}

fn record(deeds: &[Deed]) -> Record {
    let mut record = Record::default();
    for (counter, number) in deeds.iter().flat_map(Deed::counts) {
        record.add(counter, number);
    }
    record
}

fn candidate(id: &str, deeds: &[Deed]) -> Candidate {
    Candidate {
        organization: Organization {
            party: Party {
                id: organization(id),
                name: Label::parse(id).expect("a name"),
                kind: OrganizationKind::Partner,
            },
            countries: Vec::new(),
            solution_areas: Vec::new(),
            co_sell_ready_solutions: 0,
        },
        record: record(deeds),
    }
}

/// An exchange: what each of its organizations did.
type Exchange = Vec<Vec<Deed>>;

fn candidates(exchange: &Exchange) -> Vec<Candidate> {
    let all = exchange.iter().enumerate();
    all.map(|(number, deeds)| candidate(&format!("o{number}"), deeds))
        .collect()
}

fn ranking(all: &[Candidate]) -> Ranking {
    Ranking::new(all, ask(), now())
}

/// Everybody's score in billionths, with and without something that is asked for.
fn scores(exchange: &Exchange) -> [Vec<i64>; 2] {
    let all = candidates(exchange);
    [ask(), Ask::default()].map(|ask| {
        let ranking = Ranking::new(&all, ask, now());
        let scores = all.iter().map(|one| ranking.score(&one.record).0);
        scores.map(|score| i64::try_from(score).expect("small")).collect()
    })
}

/// The first of the exchange comes no closer to anybody that is before it, and nobody behind it comes closer.
fn is_no_better(before: &Exchange, after: &Exchange) -> Result<(), TestCaseError> {
    for (before, after) in scores(before).iter().zip(&scores(after)) {
        leads_no_more(before, after)?;
    }
    Ok(())
}

fn leads_no_more(before: &[i64], after: &[i64]) -> Result<(), TestCaseError> {
    prop_assert!(after[0] <= before[0] + ROUNDING, "{before:?} {after:?}");
    for other in 1..before.len() {
        let lead = |scores: &[i64]| scores[0] - scores[other];
        prop_assert!(lead(after) <= lead(before) + ROUNDING, "{other}: {before:?} {after:?}");
    }
    Ok(())
}

fn deed() -> impl Strategy<Value = Deed> {
    let end = prop_oneof![
        Just(End::InTime),
        Just(End::Late),
        Just(End::Overdue),
        Just(End::NotDue)
    ];
    prop_oneof![
        2 => (0..=1_000i64).prop_map(|unused| Deed::Declined { unused }),
        2 => Just(Deed::Expired),
        4 => (0..=1_000i64, any::<[bool; 4]>(), end)
            .prop_map(|(unused, alike, end)| Deed::Accepted { unused, alike, end }),
    ]
}

/// Organizations that do now this, now that, some that always do the same, and newcomers.
fn exchange() -> impl Strategy<Value = Exchange> {
    let deeds = prop_oneof![
        2 => vec(deed(), 0..25),
        2 => (deed(), 0..80usize).prop_map(|(deed, times)| vec![deed; times]),
        1 => Just(Vec::new()),
    ];
    vec(deeds, 1..7)
}

proptest! {
    #[test]
    fn an_expiry_never_ranks_higher(before in exchange()) {
        let mut after = before.clone();
        after[0].push(Deed::Expired);
        is_no_better(&before, &after)?;
    }

    #[test]
    fn an_expiry_is_never_better_than_an_answer(others in exchange(), unused in 0..=1_000i64) {
        let (mut silent, mut declined) = (others.clone(), others);
        silent[0].push(Deed::Expired);
        declined[0].push(Deed::Declined { unused });
        is_no_better(&declined, &silent)?;
        declined[0].pop();
        declined[0].push(Deed::Declined { unused: 0 });
        for (declined, silent) in scores(&declined).iter().zip(scores(&silent)) {
            prop_assert!(silent[0] < declined[0], "silence is worse than even the last moment");
        }
    }

    #[test]
    fn faster_answers_never_rank_lower(others in exchange(), slow in 0..=1_000i64, faster in 0..=1_000i64) {
        let (mut before, mut after) = (others.clone(), others);
        before[0].push(Deed::Declined { unused: slow.max(faster) });
        after[0].push(Deed::Declined { unused: slow.min(faster) });
        is_no_better(&before, &after)?;
        for (quick, slow_one) in scores(&before).iter().zip(scores(&after)) {
            prop_assert!(slow == faster || slow_one[0] < quick[0], "what is quicker is better");
        }
    }

    #[test]
    fn accepting_what_does_not_fit_is_never_better_than_declining_it(others in exchange(), unused in 0..=1_000i64) {
        for end in [End::NotDue, End::Overdue, End::Late, End::InTime] {
            let (mut declined, mut accepted) = (others.clone(), others.clone());
            declined[0].push(Deed::Declined { unused });
            accepted[0].push(Deed::Accepted { unused, alike: [false; 4], end });
            let ([asked, listed], [asked_then, listed_then]) = (scores(&declined), scores(&accepted));
            leads_no_more(&asked, &asked_then)?;
            // Where nothing is asked for nothing is unfit, and a report in time is worth what it is.
            if matches!(end, End::NotDue | End::Overdue) {
                leads_no_more(&listed, &listed_then)?;
            }
        }
        // And it raises the fit of nobody for anything that is asked for, its own neither.
        let mut accepted = others.clone();
        accepted[0].push(Deed::Accepted { unused, alike: [false; 4], end: End::NotDue });
        let fits = |exchange: &Exchange| -> Vec<u64> {
            let all = candidates(exchange);
            let ranking = ranking(&all);
            all.iter().map(|one| ranking.value(PartName::Fit, &one.record)).collect()
        };
        let (before, after) = (fits(&others), fits(&accepted));
        prop_assert!(after[0] < before[0], "it lowers its own");
        for (before, after) in before.into_iter().zip(after) {
            prop_assert!(after <= before + ROUNDING.unsigned_abs(), "{before} {after}");
        }
    }

    #[test]
    fn a_late_report_is_better_than_none_and_worse_than_one_in_time(others in exchange()) {
        let ends = [End::InTime, End::Late, End::Overdue].map(|end| {
            let mut exchange = others.clone();
            exchange[0].push(Deed::Accepted { unused: 500, alike: [true; 4], end });
            exchange
        });
        is_no_better(&ends[0], &ends[1])?;
        is_no_better(&ends[1], &ends[2])?;
    }

    #[test]
    fn a_newcomer_stands_at_the_average(mut exchange in exchange()) {
        exchange.push(Vec::new());
        let all = candidates(&exchange);
        let ranking = ranking(&all);
        for part in ranking.rank(all.last().expect("the newcomer"), "").parts {
            prop_assert_eq!(part.value, part.average);
            prop_assert!(part.because.contains("at the average"), "{}", part.because);
        }
    }

    /// The same again and again: the value goes from the average towards what was seen, and never past it.
    #[test]
    fn the_more_is_seen_the_closer_it_comes_to_it(others in exchange(), deed in deed(), times in 1..40usize) {
        let all = candidates(&others);
        let ranking = ranking(&all);
        for measure in ranking.averages.keys() {
            let average = ranking.averages[measure];
            let value = |times: usize| measure.seen(&record(&vec![deed.clone(); times]), now()).smoothed(average);
            let Some(own) = measure.seen(&record(std::slice::from_ref(&deed)), now()).mean() else { continue };
            let (before, after) = (value(times - 1), value(times));
            prop_assert!(own.abs_diff(after) <= own.abs_diff(before) + 1, "{measure:?}");
            let between = average.min(own).saturating_sub(1)..=average.max(own);
            prop_assert!(between.contains(&after), "{measure:?}: {after} in {between:?}");
            // Gradually: one of them moves it by no more than a sixth of the way.
            prop_assert!(after.abs_diff(before) <= own.abs_diff(before) / (PRIOR + 1) + 1, "{measure:?}");
        }
    }

    #[test]
    fn nothing_depends_on_the_order_of_arrival(
        (exchange, shuffled) in exchange().prop_flat_map(|exchange| {
            let counts = exchange.iter().map(|deeds| deeds.iter().flat_map(Deed::counts).collect::<Vec<_>>());
            let shuffled: Vec<_> = counts.map(|counts| Just(counts).prop_shuffle()).collect();
            (Just(exchange), shuffled)
        }),
    ) {
        let all = candidates(&exchange);
        let mut again = all.clone();
        for (candidate, counts) in again.iter_mut().zip(shuffled) {
            candidate.record = Record::default();
            for (counter, number) in counts {
                candidate.record.add(counter, number);
            }
        }
        again.reverse();
        let order = |all: &[Candidate]| -> Vec<String> {
            ranking(all).order(all, "asking").into_iter().map(|ranked| ranked.place).collect()
        };
        prop_assert_eq!(order(&all), order(&again));
    }

    #[test]
    fn every_number_is_from_0_to_1_and_explained(exchange in exchange()) {
        let all = candidates(&exchange);
        let ranking = ranking(&all);
        for ranked in ranking.order(&all, "asking") {
            let parts = ranked.parts.iter();
            prop_assert!(parts.clone().map(|part| part.value).chain([ranked.score]).all(|share| share.0 <= WHOLE));
            let weights: u64 = parts.clone().map(|part| part.weight.0).sum();
            prop_assert_eq!(weights, WHOLE);
            let sum: u128 = parts.clone().map(|part| u128::from(part.weight.0) * u128::from(part.value.0)).sum();
            prop_assert!(narrow(sum / u128::from(WHOLE)).abs_diff(ranked.score.0) <= 3, "the score is the sum of its parts");
            prop_assert!(parts.clone().all(|part| !part.because.is_empty() && !part.counts.is_empty()));
        }
    }

    #[test]
    fn places_are_in_order_and_each_is_another(exchange in exchange()) {
        let all = candidates(&exchange);
        let ranked = ranking(&all).order(&all, "asking");
        for pair in ranked.windows(2) {
            prop_assert!(pair[0].place < pair[1].place && pair[0].score >= pair[1].score);
        }
    }

    #[test]
    fn advice_raises_the_score_as_it_says(exchange in exchange()) {
        let all = candidates(&exchange);
        let ranking = ranking(&all);
        for one in &all {
            let advice = ranking.advice(&one.record);
            prop_assert!(advice.iter().all(|advice| advice.score > ranking.score(&one.record)));
            prop_assert!(advice.is_sorted_by(|a, b| a.score >= b.score));
        }
    }
}

#[test]
fn in_an_empty_exchange_everybody_stands_in_the_middle() {
    let all = candidates(&vec![Vec::new(), Vec::new()]);
    let ranked = ranking(&all).order(&all, "asking");
    assert!(ranked.iter().all(|ranked| ranked.score == Share(HALF)));
}

#[test]
fn among_equals_who_publishes_what_is_asked_for_comes_first_then_who_sells_there() {
    let mut all = candidates(&vec![Vec::new(); 4]);
    all[3].organization.countries = vec![us()];
    let ranking = ranking(&all);
    let ids = |asking: &str| -> Vec<String> {
        let ranked = ranking.order(&all, asking).into_iter();
        ranked
            .map(|ranked| ranked.candidate.organization.party.id.to_string())
            .collect()
    };
    for asking in ["contoso", "fabrikam", "northwind"] {
        assert_eq!(ids(asking)[..2], ["o0", "o3"]);
        assert_eq!(ids(asking), ids(asking), "the same each time");
    }
    // Beyond that nobody is always first.
    let third = |asking: usize| ids(&format!("p{asking}"))[2].clone();
    let first: std::collections::BTreeSet<_> = (0..20).map(third).collect();
    assert_eq!(first.len(), 2);
}

#[test]
fn what_is_missing_of_a_sum_that_is_being_read_does_no_harm() {
    let mut record = Record::default();
    record.add(Counter::Open(month("2027-01-01T00:00:00Z")), -1);
    record.add(Counter::Unused, 900);
    record.add(Counter::Alike(Likeness::Country(us())), 3);
    let newcomer = candidate("o0", &[]);
    let torn = Candidate {
        record,
        ..newcomer.clone()
    };
    let ranking = ranking(&[]);
    assert_eq!(ranking.rank(&torn, "").score, ranking.rank(&newcomer, "").score);
}

#[test]
fn advice_is_concrete() {
    let deeds = [
        Deed::Expired,
        Deed::Declined { unused: 400 },
        Deed::Accepted {
            unused: 200,
            alike: [true; 4],
            end: End::Overdue,
        },
        Deed::Accepted {
            unused: 300,
            alike: [true; 4],
            end: End::Late,
        },
    ];
    let all = vec![candidate("o0", &deeds)];
    let ranking = Ranking::new(&all, Ask::default(), now());
    let mut texts: Vec<_> = ranking
        .advice(&all[0].record)
        .into_iter()
        .map(|advice| advice.text)
        .collect();
    texts.sort();
    assert_eq!(
        texts,
        [
            "Answer every invitation before respondBy: 1 of 4 invitations expired. A decline is an answer as well.",
            "Report an end no later than in the month of the estimated close date: 1 of 1 report came later.",
            "Report how 1 accepted deal ended, or set a later estimated close date: its month is over.",
        ]
    );
}
