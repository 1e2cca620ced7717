//! An organization's lists: newest change first, page by page.
//!
//! Each stage is a key range of the index `byTab`, already in order; a page merges the ranges it covers. Received
//! opportunities are ordered by `respondBy`, which parts them in two: those still pending, and those that have lapsed
//! and are shown as expired at that very instant, so that the key is the instant of their last change as well.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Access, Actor, DealId, Direction, Filter, Opportunity, Outcome, Stage, Tab, Timestamp};

use crate::cursor::{Cursor, CursorError, Place};
use crate::records::{OpportunityRecord, from_item};
use crate::{Error, Item, Store, keys};

/// A request reads at most about this many opportunities of a range while its filter drops them, and then answers with what
/// it has and a cursor.
const MAX_READ: usize = 1_000;

/// What a Query reads at least when a filter drops some of it.
const NARROWED_READ: usize = 100;

/// Which opportunities, and from where on.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Who asks: the organization's list, as far as the person's role goes.
    pub by: Actor,
    /// The tab.
    pub tab: Tab,
    /// What it is narrowed to.
    pub filter: Filter,
    /// At most this many.
    pub limit: usize,
    /// The present.
    pub now: Timestamp,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// Newest change first, as they stand now.
    pub items: Vec<Opportunity>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<String>,
}

/// A key range of the index that is in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Pending,
    Lapsed,
    Accepted,
    Archived,
}

impl Range {
    fn stage(self) -> Stage {
        match self {
            Self::Pending | Self::Lapsed => Stage::Received,
            Self::Accepted => Stage::Accepted,
            Self::Archived => Stage::Archived,
        }
    }
}

impl ListQuery {
    fn ranges(&self, direction: Direction) -> Vec<Range> {
        let Filter { stage, outcome, .. } = &self.filter;
        let inbound = direction == Direction::Inbound;
        let stage = |wanted| stage.is_none_or(|stage| stage == wanted);
        let unarchived = outcome.is_none();
        let may_lapse = outcome.is_none_or(|outcome| outcome == Outcome::Expired);
        [
            (Range::Pending, inbound && unarchived && stage(Stage::Received)),
            (Range::Lapsed, inbound && may_lapse && stage(Stage::Archived)),
            (Range::Accepted, unarchived && stage(Stage::Accepted)),
            (Range::Archived, stage(Stage::Archived)),
        ]
        .into_iter()
        .filter_map(|(range, covered)| covered.then_some(range))
        .collect()
    }

    /// What a cursor is bound to: who asks for what. A user's favourites are its own.
    pub(crate) fn scope(&self) -> String {
        let user = if self.tab == Tab::Favorites {
            self.by.user.as_str()
        } else {
            ""
        };
        format!("{}/{user}/{}/{:?}", self.by.organization, self.tab, self.filter)
    }

    /// Whether some of what is read may not be shown, beyond what the ranges leave out.
    fn narrows(&self, range: Range) -> bool {
        let Filter {
            stage: _,
            outcome,
            qualification,
            text,
            campaign_id,
            crm_id,
            updated_since: _,
        } = &self.filter;
        (outcome.is_some() && range == Range::Archived)
            || qualification.is_some()
            || text.is_some()
            || campaign_id.is_some()
            || crm_id.is_some()
            || self.by.access != Access::All
    }

    /// Whether everything further on in the range changed before what is asked for.
    fn is_past(&self, range: Range, view: &Opportunity) -> bool {
        range != Range::Pending && self.filter.updated_since.is_some_and(|since| view.updated_at < since)
    }
}

/// What was read of a range and not yet taken.
struct Stream {
    place: Place,
    /// Newest last, to be taken from the end.
    unread: Vec<(String, Opportunity)>,
    /// Where reading goes on once those are taken.
    rest: Place,
}

impl Store {
    /// One page of a list: one Query for each range that it covers.
    pub async fn page(&self, query: &ListQuery, cursor: Option<&str>) -> Result<Result<Page, CursorError>, Error> {
        let direction = match query.tab {
            Tab::Inbound => Direction::Inbound,
            Tab::Outbound => Direction::Outbound,
            Tab::Favorites => return self.favorites_page(query, cursor).await,
        };
        let ranges = query.ranges(direction);
        let scope = query.scope();
        let cursor = match cursor.map(|text| Cursor::decode(text, &scope)) {
            None => Cursor {
                since: query.now,
                places: vec![Place::Start; ranges.len()],
            },
            Some(Ok(cursor)) if cursor.is_within(&ranges) => cursor,
            Some(_) => return Ok(Err(CursorError)),
        };
        let mut streams = Vec::new();
        for (range, place) in ranges.into_iter().zip(cursor.places) {
            streams.push(self.stream(query, (direction, range), cursor.since, place).await?);
        }
        let items = merge(&mut streams, query);
        let places: Vec<Place> = streams.into_iter().map(Stream::place).collect();
        let more = places.iter().any(|place| *place != Place::End);
        let next = more.then(|| {
            Cursor {
                since: cursor.since,
                places,
            }
            .encode(&scope)
        });
        Ok(Ok(Page { items, next }))
    }

    /// Reads enough of a range for a page, and one more, to know whether there is one.
    async fn stream(
        &self,
        query: &ListQuery,
        (direction, range): (Direction, Range),
        since: Timestamp,
        place: Place,
    ) -> Result<Stream, Error> {
        if place == Place::End {
            return Ok(Stream {
                place,
                unread: Vec::new(),
                rest: Place::End,
            });
        }
        let tab_pk = keys::tab_pk(&query.by.organization, direction, range.stage());
        let wanted = query.limit + 1;
        let split = split(since);
        let mut start = match &place {
            Place::After(after) => exclusive_start(query, &tab_pk, after),
            Place::Start | Place::End => None,
        };
        let (mut unread, mut read) = (Vec::new(), 0);
        let rest = 'range: loop {
            // A filter drops some: then larger bites, which cost the same, save round trips.
            let limit = if query.narrows(range) {
                wanted.max(NARROWED_READ)
            } else {
                wanted
            };
            let mut request = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(keys::BY_TAB)
                .scan_index_forward(false)
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start.take())
                .expression_attribute_values(":tab", keys::text(&tab_pk));
            request = match range {
                Range::Pending => request.key_condition_expression("tabPk = :tab AND tabSk >= :split"),
                Range::Lapsed => request.key_condition_expression("tabPk = :tab AND tabSk < :split"),
                Range::Accepted | Range::Archived => request.key_condition_expression("tabPk = :tab"),
            };
            if range.stage() == Stage::Received {
                request = request.expression_attribute_values(":split", keys::text(&split));
            }
            let answer = request.send().await?;
            for item in answer.items.unwrap_or_default() {
                read += 1;
                let place = tab_sk(&item)?;
                let view = from_item::<OpportunityRecord>(item)?.opportunity()?.at(query.now);
                if query.is_past(range, &view) {
                    break 'range Place::End;
                }
                if query.filter.shows(&view, &query.by) {
                    unread.push((place, view));
                }
            }
            let Some(last) = answer.last_evaluated_key else {
                break Place::End;
            };
            if unread.len() >= wanted || read >= MAX_READ {
                break Place::After(tab_sk(&last)?);
            }
            start = Some(last);
        };
        unread.reverse();
        Ok(Stream { place, unread, rest })
    }
}

/// Takes from the streams, newest first, until the page is full or what comes next is not known.
fn merge(streams: &mut [Stream], query: &ListQuery) -> Vec<Opportunity> {
    let mut items = Vec::new();
    while items.len() < query.limit {
        let unknown = streams
            .iter()
            .any(|stream| stream.unread.is_empty() && stream.rest != Place::End);
        let newest = streams
            .iter_mut()
            .filter(|stream| !stream.unread.is_empty())
            .max_by_key(|stream| {
                stream
                    .unread
                    .last()
                    .map(|(_, view)| (view.updated_at, view.deal.clone()))
            });
        let Some((stream, false)) = newest.map(|stream| (stream, unknown)) else {
            break;
        };
        if let Some((tab_sk, view)) = stream.unread.pop() {
            stream.place = Place::After(tab_sk);
            items.push(view);
        }
    }
    items
}

impl Stream {
    /// How far the range has been walked.
    fn place(self) -> Place {
        if self.unread.is_empty() { self.rest } else { self.place }
    }
}

/// What parts the pending from what has lapsed: at `respondBy` itself it has.
fn split(since: Timestamp) -> String {
    keys::tab_split(since.plus(chrono::TimeDelta::milliseconds(1)))
}

impl Cursor {
    /// Whether it has a place in each of the ranges. The database refuses to start outside of what it is asked for.
    fn is_within(&self, ranges: &[Range]) -> bool {
        let split = split(self.since);
        let within = |(place, range): (&Place, &Range)| match place {
            Place::Start | Place::End => true,
            Place::After(after) => {
                keys::deal_of_tab_sk(after).is_some()
                    && match range {
                        Range::Pending => *after >= split,
                        Range::Lapsed => *after < split,
                        Range::Accepted | Range::Archived => true,
                    }
            }
        };
        self.places.len() == ranges.len() && self.places.iter().zip(ranges).all(within)
    }
}

/// The index key that a place stands for: all of it follows from the sort key and the organization.
fn exclusive_start(query: &ListQuery, tab_pk: &str, after: &str) -> Option<Item> {
    let id: DealId = keys::deal_of_tab_sk(after)?;
    let mut key = keys::view(&id, &query.by.organization).attributes();
    key.insert(keys::TAB_PK.to_owned(), keys::text(tab_pk));
    key.insert(keys::TAB_SK.to_owned(), keys::text(after));
    Some(key)
}

fn tab_sk(item: &Item) -> Result<String, Error> {
    match item.get(keys::TAB_SK) {
        Some(AttributeValue::S(text)) => Ok(text.clone()),
        _ => Err(Error::Corrupt("an index entry without a sort key".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_lies_in_its_range() {
        let since = Timestamp::parse("2026-11-21T09:00:00Z").expect("an instant");
        let at = |time: &str| Place::After(format!("2026-11-21T{time}Z#01ARZ3NDEKTSV4RRFFQ69G5FAV"));
        let within = |range, place| {
            let places = vec![place];
            Cursor { since, places }.is_within(&[range])
        };
        for place in [Place::Start, Place::End, at("09:00:00.001")] {
            assert!(within(Range::Pending, place));
        }
        assert!(within(Range::Lapsed, at("09:00:00.000")));
        assert!(!within(Range::Lapsed, at("09:00:00.001")) && !within(Range::Pending, at("09:00:00.000")));
        assert!(within(Range::Accepted, at("09:00:00.000")) && within(Range::Archived, at("23:00:00.000")));
        for wrong in [
            "",
            "end#",
            "contoso#x",
            "2026-11-21T09:00:00Z#01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "2026-11-21T09:00:00.000Z#x",
            "2026-11-21T09:00:00.000Z#x#01ARZ3NDEKTSV4RRFFQ69G5FAV",
        ] {
            assert!(!within(Range::Accepted, Place::After(wrong.to_owned())), "{wrong}");
        }
        let none = Cursor {
            since,
            places: Vec::new(),
        };
        assert!(!none.is_within(&[Range::Accepted]));
    }
}
