//! Publishing: `PutEvents`, its limits, its partial failures, and the order of a deal's events.
//!
//! `PutEvents` takes some of its entries and refuses others, so that two events of a deal must never travel together: the
//! later one could be taken and the earlier one refused. Each round therefore has the earliest unpublished event of each
//! deal, and a deal whose event is refused for good waits: nothing of it goes out before that event is dealt with.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::DisplayErrorContext;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use domain::DealId;

use crate::{Detail, SOURCE};

/// As many entries as one call takes.
const MAX_ENTRIES: usize = 10;
/// As many bytes as one call takes.
const MAX_BYTES: usize = 256 * 1024;
/// How often an entry that is refused is sent, here; Lambda brings what is left over again.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// One thing that happened to a deal, for everyone that is told.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// The deal: its announcements stay in their order.
    pub deal: DealId,
    /// What each recipient is told.
    pub details: Vec<Detail>,
}

/// What became of an announcement.
pub type Outcome = Result<(), Unpublished>;

/// Why an announcement was not published, or not to everyone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpublished {
    /// The bus refused it every time.
    #[error("the bus refused it: {0}")]
    Refused(String),
    /// An earlier one of the same deal was not published.
    #[error("an earlier event of the deal waits")]
    HeldBack,
    /// There was no time left.
    #[error("there was no time left")]
    OutOfTime,
}

/// The EventBridge bus.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    /// The bus of that name.
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Publishes announcements, those of each deal in their order, and tells of each what became of it. `has_time` is asked
    /// before every call.
    pub async fn publish(&self, announcements: &[Announcement], has_time: impl Fn() -> bool) -> Vec<Outcome> {
        let mut outbox = Outbox::of(announcements);
        let mut pause = FIRST_PAUSE;
        loop {
            let batch = outbox.batch();
            if batch.is_empty() || !has_time() {
                return outbox.outcomes();
            }
            let refused = self.put(&outbox, &batch).await;
            let failed = refused.iter().filter(|why| why.is_some()).count();
            outbox.note(&batch, refused);
            if failed < batch.len() {
                // It takes some: no reason to keep the rest waiting longer and longer.
                pause = FIRST_PAUSE;
            }
            if failed > 0 {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(8 * FIRST_PAUSE);
            }
        }
    }

    /// One call: of each entry of the batch, why it was refused.
    async fn put(&self, outbox: &Outbox<'_>, batch: &[Place]) -> Vec<Option<String>> {
        let entries = batch.iter().map(|&place| {
            let entry = outbox.entry(place);
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(entry.detail_type)
                .detail(&entry.json)
                .build()
        });
        let request = self.client.put_events().set_entries(Some(entries.collect()));
        match request.send().await {
            Ok(answer) if answer.failed_entry_count() == 0 => vec![None; batch.len()],
            Ok(answer) => {
                // In the order of the request; an entry without an error was taken.
                let code = |index: usize| {
                    let Some(entry) = answer.entries().get(index) else {
                        return Some("Unanswered".to_owned());
                    };
                    entry.error_code().map(str::to_owned)
                };
                (0..batch.len()).map(code).collect()
            }
            Err(error) => vec![Some(DisplayErrorContext(error).to_string()); batch.len()],
        }
    }
}

/// An announcement and one of its details, by their numbers.
type Place = (usize, usize);

struct Entry {
    detail_type: &'static str,
    json: String,
    taken: bool,
}

impl Entry {
    /// As EventBridge counts, without a time of its own.
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>
    fn bytes(&self) -> usize {
        SOURCE.len() + self.detail_type.len() + self.json.len()
    }
}

struct Pending<'a> {
    deal: &'a DealId,
    entries: Vec<Entry>,
    attempts: u32,
    refused: Option<String>,
}

impl Pending<'_> {
    fn is_published(&self) -> bool {
        self.entries.iter().all(|entry| entry.taken)
    }

    fn is_given_up(&self) -> bool {
        self.refused.is_some() && self.attempts >= ATTEMPTS
    }
}

/// What is to be published, and how far that has come. Pure, so that it can be tested without a bus.
struct Outbox<'a> {
    pending: Vec<Pending<'a>>,
}

impl<'a> Outbox<'a> {
    fn of(announcements: &'a [Announcement]) -> Self {
        let pending = announcements.iter().map(|announcement| Pending {
            deal: &announcement.deal,
            entries: announcement
                .details
                .iter()
                .map(|detail| Entry {
                    detail_type: detail.detail_type(),
                    json: detail.json(),
                    taken: false,
                })
                .collect(),
            attempts: 0,
            refused: None,
        });
        Self {
            pending: pending.collect(),
        }
    }

    fn entry(&self, (announcement, detail): Place) -> &Entry {
        &self.pending[announcement].entries[detail]
    }

    /// What goes into the next call: of each deal its earliest announcement that is not published, as far as there is room.
    fn batch(&self) -> Vec<Place> {
        let (mut batch, mut bytes, mut busy) = (Vec::new(), 0, HashSet::new());
        for (number, pending) in self.pending.iter().enumerate() {
            if pending.is_published() || !busy.insert(pending.deal) || pending.is_given_up() {
                continue;
            }
            for (detail, entry) in pending.entries.iter().enumerate().filter(|(_, entry)| !entry.taken) {
                let fits = batch.is_empty() || bytes + entry.bytes() <= MAX_BYTES;
                if batch.len() == MAX_ENTRIES || !fits {
                    return batch;
                }
                bytes += entry.bytes();
                batch.push((number, detail));
            }
        }
        batch
    }

    /// Notes what a call has come to.
    fn note(&mut self, batch: &[Place], refused: Vec<Option<String>>) {
        let mut counted = HashSet::new();
        for (&(number, detail), refused) in batch.iter().zip(refused) {
            let pending = &mut self.pending[number];
            match refused {
                None => pending.entries[detail].taken = true,
                Some(why) => {
                    pending.attempts += u32::from(counted.insert(number));
                    pending.refused = Some(why);
                }
            }
        }
    }

    fn outcomes(self) -> Vec<Outcome> {
        let mut waiting = HashSet::new();
        let outcome = |pending: Pending<'a>| {
            if pending.is_published() {
                return Ok(());
            }
            if !waiting.insert(pending.deal) {
                return Err(Unpublished::HeldBack);
            }
            Err(pending.refused.map_or(Unpublished::OutOfTime, Unpublished::Refused))
        };
        self.pending.into_iter().map(outcome).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::detail;

    fn deal(number: u8) -> DealId {
        DealId::parse(&format!("01ARZ3NDEKTSV4RRFFQ69G5F{:02}", number % 10 + 10)).expect("an id")
    }

    fn announcements(of: &[(u8, usize)]) -> Vec<Announcement> {
        of.iter()
            .map(|&(number, recipients)| Announcement {
                deal: deal(number),
                details: vec![detail(); recipients],
            })
            .collect()
    }

    #[test]
    fn a_call_has_the_earliest_announcement_of_each_deal() {
        let announcements = announcements(&[(1, 2), (2, 1), (1, 1), (3, 1)]);
        let mut outbox = Outbox::of(&announcements);
        assert_eq!(outbox.batch(), [(0, 0), (0, 1), (1, 0), (3, 0)]);
        let refused = vec![None, Some("ThrottlingException".into()), None, None];
        outbox.note(&[(0, 0), (0, 1), (1, 0), (3, 0)], refused);
        assert_eq!(outbox.batch(), [(0, 1)], "only what was refused is sent again");
        outbox.note(&[(0, 1)], vec![None]);
        assert_eq!(outbox.batch(), [(2, 0)]);
        outbox.note(&[(2, 0)], vec![None]);
        assert_eq!(outbox.batch(), []);
        assert_eq!(outbox.outcomes(), vec![Ok(()); 4]);
    }

    #[test]
    fn a_call_takes_ten_entries() {
        let announcements = announcements(&[(1, 9), (2, 9), (3, 1)]);
        let outbox = Outbox::of(&announcements);
        let batch = outbox.batch();
        assert_eq!((batch.len(), batch[9]), (10, (1, 0)));
    }

    #[test]
    fn a_call_takes_so_many_bytes() {
        let announcements = announcements(&[(1, 3), (2, 1)]);
        let mut outbox = Outbox::of(&announcements);
        outbox.pending[0].entries[1].json = "x".repeat(MAX_BYTES - 100);
        assert_eq!(outbox.batch(), [(0, 0)]);
        outbox.note(&[(0, 0)], vec![None]);
        assert_eq!(outbox.batch(), [(0, 1)]);
        // What no call takes goes alone, to be refused.
        outbox.pending[0].entries[1].json = "x".repeat(MAX_BYTES + 1);
        assert_eq!(outbox.batch(), [(0, 1)]);
    }

    #[test]
    fn what_is_refused_for_good_holds_back_its_deal_and_no_other() {
        let announcements = announcements(&[(1, 1), (1, 1), (2, 1)]);
        let mut outbox = Outbox::of(&announcements);
        for _ in 0..ATTEMPTS {
            let batch = outbox.batch();
            let refused = batch.iter().map(|place| (place.0 == 0).then(|| "Bad".to_owned()));
            let refused = refused.collect();
            outbox.note(&batch, refused);
        }
        assert_eq!(outbox.batch(), []);
        let refused = Unpublished::Refused("Bad".into());
        assert_eq!(outbox.outcomes(), [Err(refused), Err(Unpublished::HeldBack), Ok(())]);
    }

    proptest! {
        /// Whatever is refused: first arrivals are in order for each deal, and all is published or told of.
        #[test]
        fn no_later_event_of_a_deal_goes_out_first(
            of in prop::collection::vec((0..4u8, 1..4usize), 1..30),
            refusals in prop::collection::vec(any::<bool>(), 1..200),
        ) {
            let announcements = announcements(&of);
            let mut outbox = Outbox::of(&announcements);
            let mut refusals = refusals.into_iter().chain(std::iter::repeat(false));
            let mut arrived: Vec<Place> = Vec::new();
            loop {
                let batch = outbox.batch();
                if batch.is_empty() {
                    break;
                }
                prop_assert!(batch.len() <= MAX_ENTRIES);
                let refused: Vec<_> = batch.iter().map(|_| refusals.next().expect("endless").then(|| "No".to_owned())).collect();
                arrived.extend(batch.iter().zip(&refused).filter(|(_, refused)| refused.is_none()).map(|(place, _)| *place));
                outbox.note(&batch, refused);
            }
            let outcomes = outbox.outcomes();
            for (index, &(number, detail)) in arrived.iter().enumerate() {
                prop_assert!(!arrived[..index].contains(&(number, detail)), "once");
                let earlier = (0..number).filter(|&earlier| of[earlier].0 == of[number].0);
                for earlier in earlier {
                    prop_assert_eq!(&outcomes[earlier], &Ok(()));
                    let all = (0..of[earlier].1).all(|detail| arrived[..index].contains(&(earlier, detail)));
                    prop_assert!(all, "{:?} before {earlier}", (number, detail));
                }
            }
            for (number, outcome) in outcomes.iter().enumerate() {
                let all = (0..of[number].1).all(|detail| arrived.contains(&(number, detail)));
                prop_assert_eq!(outcome.is_ok(), all);
            }
        }
    }
}
