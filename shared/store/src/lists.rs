//! An organization's lists: newest change first, page by page.
//!
//! Each stage is a key range of the index `byTab`, already in order; a page merges the ranges it covers. Received
//! opportunities are ordered by `respondBy`, which parts them in two: those still pending, and those that have lapsed
//! and are shown as expired at that very instant, so that the key is the instant of their last change as well.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{DealId, Direction, Opportunity, OrganizationId, Outcome, Stage, Timestamp};

use crate::cursor::{Cursor, CursorError, Place};
use crate::records::{OpportunityRecord, from_item};
use crate::{Error, Item, Store, keys};

/// A request reads at most about this many opportunities of a stage that its filter drops, and then answers with what
/// it has and a cursor.
const MAX_READ: usize = 1_000;

/// Which opportunities, and from where on.
#[derive(Debug, Clone)]
pub struct ListQuery {
    /// Whose.
    pub organization: OrganizationId,
    /// The tab.
    pub direction: Direction,
    /// Only this stage.
    pub stage: Option<Stage>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
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
    fn ranges(&self) -> Vec<Range> {
        let inbound = self.direction == Direction::Inbound;
        let stage = |stage| self.stage.is_none_or(|wanted| wanted == stage);
        let unarchived = self.outcome.is_none();
        let may_lapse = self.outcome.is_none_or(|outcome| outcome == Outcome::Expired);
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

    fn scope(&self) -> String {
        let stage = self.stage.map_or("", Stage::as_str);
        let outcome = self.outcome.map_or("", Outcome::as_str);
        format!("{}/{}/{stage}/{outcome}", self.organization, self.direction)
    }

    fn matches(&self, view: &Opportunity) -> bool {
        let standing = view.standing();
        self.stage.is_none_or(|stage| stage == standing.stage)
            && self.outcome.is_none_or(|outcome| Some(outcome) == standing.outcome)
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
        let ranges = query.ranges();
        let scope = query.scope();
        let cursor = match cursor.map(|text| Cursor::decode(text, &scope)) {
            None => Cursor {
                since: query.now,
                places: vec![Place::Start; ranges.len()],
            },
            Some(Ok(cursor)) if cursor.places.len() == ranges.len() => cursor,
            Some(_) => return Ok(Err(CursorError)),
        };
        let mut streams = Vec::new();
        for (range, place) in ranges.into_iter().zip(cursor.places) {
            streams.push(self.stream(query, range, cursor.since, place).await?);
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
    async fn stream(&self, query: &ListQuery, range: Range, since: Timestamp, place: Place) -> Result<Stream, Error> {
        if place == Place::End {
            return Ok(Stream {
                place,
                unread: Vec::new(),
                rest: Place::End,
            });
        }
        let tab_pk = keys::tab_pk(&query.organization, query.direction, range.stage());
        let filter = query.outcome.filter(|_| range == Range::Archived);
        let wanted = query.limit + 1;
        let mut start = match &place {
            Place::After(after) => exclusive_start(query, &tab_pk, after),
            Place::Start | Place::End => None,
        };
        let (mut unread, mut read) = (Vec::new(), 0);
        let rest = loop {
            let limit = if filter.is_some() {
                MAX_READ.min(wanted * 4)
            } else {
                wanted - unread.len()
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
                // At `respondBy` itself it has lapsed.
                let split = keys::tab_split(since.plus(chrono::TimeDelta::milliseconds(1)));
                request = request.expression_attribute_values(":split", keys::text(&split));
            }
            if let Some(outcome) = filter {
                request = request
                    .filter_expression("outcome = :outcome")
                    .expression_attribute_values(":outcome", keys::text(outcome.as_str()));
            }
            let answer = request.send().await?;
            read += usize::try_from(answer.scanned_count).unwrap_or(0);
            for item in answer.items.unwrap_or_default() {
                unread.push((
                    tab_sk(&item)?,
                    from_item::<OpportunityRecord>(item)?.opportunity()?.at(query.now),
                ));
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
            // What lapsed since the walk began may have left the stage that was asked for.
            if query.matches(&view) {
                items.push(view);
            }
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

/// The index key that a place stands for: all of it follows from the sort key and the organization.
fn exclusive_start(query: &ListQuery, tab_pk: &str, after: &str) -> Option<Item> {
    let id: DealId = keys::deal_of_tab_sk(after)?;
    let mut key = keys::view(&id, &query.organization).attributes();
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
