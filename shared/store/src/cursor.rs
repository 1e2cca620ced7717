//! Where a walk through a list goes on. Opaque to callers, bound to the organization and the query, and checked.
//!
//! A cursor holds places within the caller's own lists and nothing else: the organization always comes from the token. The
//! digest is not a secret; who forges one sees his own data from another place on. It is there so that a damaged cursor,
//! or one of another query, is an error and not a wrong page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Timestamp;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The text is not a cursor of this organization and query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a cursor of this list")]
pub struct CursorError;

/// How far one stream of a list has been walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not at all.
    Start,
    /// Up to and with this sort key.
    After(String),
    /// To its end.
    End,
}

/// How far each stream of a list has been walked, and when the walk began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) since: Timestamp,
    pub(crate) places: Vec<Place>,
}

const DIGEST: usize = 12;

impl Cursor {
    /// The text; `scope` is what it is bound to.
    pub(crate) fn encode(&self, scope: &str) -> String {
        let places = self.places.iter().map(|place| match place {
            Place::Start => "",
            Place::After(key) => key.as_str(),
            Place::End => "end",
        });
        let body = std::iter::once(self.since.to_string().as_str())
            .chain(places)
            .collect::<Vec<_>>()
            .join("\n");
        let mut bytes = digest(scope, &body).to_vec();
        bytes.extend(body.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads the text back.
    pub(crate) fn decode(text: &str, scope: &str) -> Result<Self, CursorError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let (sum, body) = bytes.split_at_checked(DIGEST).ok_or(CursorError)?;
        let body = std::str::from_utf8(body).map_err(|_| CursorError)?;
        if sum != digest(scope, body) {
            return Err(CursorError);
        }
        let mut lines = body.split('\n');
        let since = lines
            .next()
            .and_then(|line| Timestamp::parse(line).ok())
            .ok_or(CursorError)?;
        let places = lines.map(|line| match line {
            "" => Place::Start,
            "end" => Place::End,
            key => Place::After(key.to_owned()),
        });
        Ok(Self {
            since,
            places: places.collect(),
        })
    }
}

/// The cursor of a list that is put together anew for each page: after this place in its order.
pub fn place_after(place: &str, scope: &str) -> String {
    Cursor {
        since: Timestamp::from_datetime(chrono::DateTime::UNIX_EPOCH),
        places: vec![Place::After(place.to_owned())],
    }
    .encode(scope)
}

/// The place of such a cursor.
pub fn place_of(text: &str, scope: &str) -> Result<String, CursorError> {
    match Cursor::decode(text, scope)?.places.as_slice() {
        [Place::After(place)] => Ok(place.clone()),
        _ => Err(CursorError),
    }
}

fn digest(scope: &str, body: &str) -> [u8; DIGEST] {
    let hash = Sha256::new()
        .chain_update(scope)
        .chain_update([0])
        .chain_update(body)
        .finalize();
    std::array::from_fn(|index| hash[index])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cursors() -> impl Strategy<Value = Cursor> {
        let place = prop_oneof![
            Just(Place::Start),
            Just(Place::End),
            "[0-9A-Z:.#-]{4,60}".prop_map(Place::After)
        ];
        (0i64..4_102_444_800_000, prop::collection::vec(place, 0..5)).prop_map(|(millis, places)| {
            let since = chrono::DateTime::from_timestamp_millis(millis).expect("in range");
            Cursor {
                since: Timestamp::from_datetime(since),
                places,
            }
        })
    }

    proptest! {
        #[test]
        fn a_cursor_reads_back_the_same(cursor in cursors(), scope in ".*") {
            prop_assert_eq!(Cursor::decode(&cursor.encode(&scope), &scope), Ok(cursor));
        }

        #[test]
        fn any_change_is_noticed(cursor in cursors(), at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_-]") {
            let text = cursor.encode("scope");
            let at = at.index(text.len());
            let changed = format!("{}{to}{}", &text[..at], &text[at + 1..]);
            prop_assume!(changed != text);
            prop_assert_eq!(Cursor::decode(&changed, "scope"), Err(CursorError));
            prop_assert_eq!(Cursor::decode(&text[..at], "scope"), Err(CursorError));
            prop_assert_eq!(Cursor::decode(&format!("{text}{to}"), "scope"), Err(CursorError));
        }

        #[test]
        fn another_scope_is_noticed(cursor in cursors(), a in ".*", b in ".*") {
            prop_assume!(a != b);
            prop_assert_eq!(Cursor::decode(&cursor.encode(&a), &b), Err(CursorError));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*", scope in ".*") {
            let _ = Cursor::decode(&text, &scope);
        }
    }
}
