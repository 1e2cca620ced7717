//! Whether what concurrent clients saw can have happened one after the other: a search after Wing and Gong, with Lowe's memory of
//! where it has been.
//!
//! A library was looked for: the tester of linearizability in `stateright` 0.31 tries orders without remembering which it has
//! tried, so that a history without an order takes exponential time, and brings a model checker with a web server along, 44
//! packages. This is two hundred lines with their tests.

use std::collections::HashSet;
use std::hash::Hash;

/// Something that a client did.
#[derive(Debug, Clone)]
pub struct Operation<I, O> {
    /// When it began, by one clock for all.
    pub invoked: u64,
    /// When its answer was there; `None` if there was none, so that it may have happened at any time since, or not at all.
    pub answered: Option<u64>,
    /// What was asked.
    pub input: I,
    /// What the answer was; without one, anything goes.
    pub output: Option<O>,
}

/// What happens one thing at a time.
pub trait Sequential: Clone + Eq + Hash {
    /// What is asked.
    type Input;
    /// What is answered.
    type Output;

    /// The state after something was asked and answered so; `None` if that is not the answer. Without an answer, the state
    /// after what was asked.
    fn after(&self, input: &Self::Input, output: Option<&Self::Output>) -> Option<Self>;
}

/// An order in which the operations can have happened, as indices; `None` if there is none. Each takes effect at some
/// instant from its invocation to its answer.
///
/// # Panics
///
/// If there are more than 128 operations.
pub fn order<S: Sequential>(start: &S, history: &[Operation<S::Input, S::Output>]) -> Option<Vec<usize>> {
    assert!(history.len() <= 128, "a set of operations is the bits of one number");
    let mut been = HashSet::new();
    let mut order = Vec::new();
    search(start, 0, history, &mut been, &mut order).then_some(order)
}

fn search<S: Sequential>(
    state: &S,
    done: u128,
    history: &[Operation<S::Input, S::Output>],
    been: &mut HashSet<(u128, S)>,
    order: &mut Vec<usize>,
) -> bool {
    let open = || (0..history.len()).filter(|index| done & (1_u128 << index) == 0);
    if open().all(|index| history[index].answered.is_none()) {
        return true;
    }
    if !been.insert((done, state.clone())) {
        return false;
    }
    // Whatever is next began before anything else that is open had its answer.
    let first_answer = open()
        .filter_map(|index| history[index].answered)
        .min()
        .unwrap_or(u64::MAX);
    for index in open().filter(|index| history[*index].invoked <= first_answer) {
        let operation = &history[index];
        if let Some(after) = state.after(&operation.input, operation.output.as_ref()) {
            order.push(index);
            if search(&after, done | (1_u128 << index), history, been, order) {
                return true;
            }
            order.pop();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    struct Register(u32);

    enum Ask {
        Write(u32),
        Read,
        /// From, to: whether it was so.
        Swap(u32, u32),
    }

    impl Sequential for Register {
        type Input = Ask;
        type Output = u32;

        fn after(&self, input: &Ask, output: Option<&u32>) -> Option<Self> {
            let (answer, after) = match *input {
                Ask::Write(value) => (0, value),
                Ask::Read => (self.0, self.0),
                Ask::Swap(from, to) if from == self.0 => (1, to),
                Ask::Swap(..) => (0, self.0),
            };
            output.is_none_or(|output| *output == answer).then_some(Self(after))
        }
    }

    fn done(invoked: u64, answered: u64, input: Ask, output: u32) -> Operation<Ask, u32> {
        Operation {
            invoked,
            answered: Some(answered),
            input,
            output: Some(output),
        }
    }

    fn is_linearizable(history: &[Operation<Ask, u32>]) -> bool {
        order(&Register(0), history).is_some()
    }

    #[test]
    fn what_overlaps_may_have_happened_in_either_order() {
        for seen in [0, 7] {
            assert!(is_linearizable(&[
                done(0, 10, Ask::Write(7), 0),
                done(5, 15, Ask::Read, seen)
            ]));
        }
        let order = order(
            &Register(0),
            &[done(0, 10, Ask::Read, 7), done(0, 10, Ask::Write(7), 0)],
        );
        assert_eq!(order, Some(vec![1, 0]));
    }

    #[test]
    fn what_was_over_before_has_happened_before() {
        assert!(
            !is_linearizable(&[done(0, 10, Ask::Write(7), 0), done(11, 15, Ask::Read, 0)]),
            "a stale read"
        );
        assert!(
            !is_linearizable(&[done(0, 10, Ask::Read, 7), done(11, 15, Ask::Write(7), 0)]),
            "a read of the future"
        );
    }

    #[test]
    fn what_was_seen_stays_seen() {
        let write = || done(0, 100, Ask::Write(7), 0);
        assert!(is_linearizable(&[
            write(),
            done(10, 20, Ask::Read, 0),
            done(30, 40, Ask::Read, 7)
        ]));
        assert!(
            !is_linearizable(&[write(), done(10, 20, Ask::Read, 7), done(30, 40, Ask::Read, 0)]),
            "new, then old"
        );
    }

    #[test]
    fn one_of_two_that_contradict_wins() {
        let swap = |to, won| done(0, 10, Ask::Swap(0, to), won);
        assert!(is_linearizable(&[swap(1, 1), swap(2, 0)]));
        assert!(!is_linearizable(&[swap(1, 1), swap(2, 1)]), "a lost update");
        assert!(!is_linearizable(&[swap(1, 0), swap(2, 0)]), "nobody won");
    }

    #[test]
    fn what_had_no_answer_may_have_happened_or_not() {
        let lost = || Operation {
            invoked: 0,
            answered: None,
            input: Ask::Write(7),
            output: None,
        };
        for seen in [0, 7] {
            assert!(is_linearizable(&[lost(), done(50, 60, Ask::Read, seen)]));
        }
        assert!(!is_linearizable(&[lost(), done(50, 60, Ask::Read, 8)]));
        assert!(
            !is_linearizable(&[lost(), done(50, 60, Ask::Read, 7), done(70, 80, Ask::Read, 0)]),
            "and not both"
        );
    }
}
