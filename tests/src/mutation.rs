//! What strangers send: something right with something done to it, and what is right about the answer all the same.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::{Map, Value, json};

use crate::size;

/// Texts that something trips over somewhere.
const TEXTS: [&str; 30] = [
    "",
    " ",
    "\0",
    "\r\n",
    "\u{1b}[31m",
    "\u{200b}",
    "\u{202e}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffd}",
    "e\u{301}",
    "ﷺ",
    "١",
    "🦀",
    "null",
    "-1",
    "1e999",
    "NaN",
    "true",
    "../..",
    "%2e%2e",
    "*",
    "#",
    "a#b",
    "DEAL#",
    "ORG#contoso",
    "[a b]",
    "{{",
    "'",
    "\"",
];

/// One thing that is done to a JSON value, at some place in it.
#[derive(Debug, Clone)]
pub enum Edit {
    /// Something else is there.
    Replace(Index, Value),
    /// It is gone.
    Remove(Index),
    /// It is there many times, or a text many times as long.
    Repeat(Index, usize),
    /// What is there and what is elsewhere have changed places.
    Swap(Index, Index),
    /// It lies deep in lists.
    Wrap(Index, usize),
    /// A member has another name.
    Rename(Index, String),
    /// There is one more member.
    Add(Index, String, Value),
}

/// Any text.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(&TEXTS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => (select(&TEXTS[..]), 1..5_000usize).prop_map(|(text, times)| text.repeat(times)),
    ]
}

/// Any value, not very large.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        2 => select(vec![json!(null), json!(true), json!(0), json!(-1), json!(0.1), json!(1e308), json!(u64::MAX), json!(i64::MIN), json!([]), json!({})]),
        1 => any::<i64>().prop_map(Value::from),
        3 => texts().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((texts(), inner), 0..4).prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// A few edits.
pub fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = any::<Index>;
    let edit = prop_oneof![
        4 => (at(), values()).prop_map(|(at, value)| Edit::Replace(at, value)),
        2 => at().prop_map(Edit::Remove),
        1 => (at(), 2..300usize).prop_map(|(at, times)| Edit::Repeat(at, times)),
        2 => (at(), at()).prop_map(|(at, other)| Edit::Swap(at, other)),
        1 => (at(), 1..100usize).prop_map(|(at, depth)| Edit::Wrap(at, depth)),
        1 => (at(), texts()).prop_map(|(at, name)| Edit::Rename(at, name)),
        1 => (at(), texts(), values()).prop_map(|(at, name, value)| Edit::Add(at, name, value)),
    ];
    vec(edit, 0..5)
}

/// The value after all of the edits.
pub fn edited(value: &Value, edits: &[Edit]) -> Value {
    let mut value = value.clone();
    for edit in edits {
        edit.apply(&mut value);
    }
    value
}

impl Edit {
    fn apply(&self, value: &mut Value) {
        let all = places(value);
        let at = |index: &Index| all[index.index(all.len())].as_str();
        match self {
            Self::Replace(index, with) => place(value, at(index)).clone_from(with),
            Self::Remove(index) => {
                let Some((parent, name)) = at(index).rsplit_once('/') else {
                    return;
                };
                match place(value, parent) {
                    Value::Array(items) => drop(items.remove(name.parse().expect("an index"))),
                    object => drop(
                        object
                            .as_object_mut()
                            .and_then(|members| members.remove(&unescaped(name))),
                    ),
                }
            }
            Self::Repeat(index, times) => {
                let place = place(value, at(index));
                *place = match &*place {
                    Value::String(text) => text.repeat(*times).into(),
                    other => vec![other.clone(); *times].into(),
                };
            }
            Self::Swap(index, other) => {
                let (one, two) = (at(index), at(other));
                let (a, b) = (place(value, one).clone(), place(value, two).clone());
                // The one within the other may be gone after that.
                *place(value, one) = b;
                if let Some(place) = value.pointer_mut(two) {
                    *place = a;
                }
            }
            Self::Wrap(index, depth) => {
                let place = place(value, at(index));
                *place = (0..*depth).fold(place.take(), |inner, _| json!([inner]));
            }
            Self::Rename(index, name) => {
                let Some((parent, old)) = at(index).rsplit_once('/') else {
                    return;
                };
                if let Some(members) = place(value, parent).as_object_mut()
                    && let Some(member) = members.remove(&unescaped(old))
                {
                    members.insert(name.clone(), member);
                }
            }
            Self::Add(index, name, member) => {
                if let Some(members) = place(value, at(index)).as_object_mut() {
                    members.insert(name.clone(), member.clone());
                }
            }
        }
    }
}

fn place<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Value {
    value.pointer_mut(pointer).expect("one of its places")
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// A pointer to every value within a value, itself included.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, pointer: String, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, format!("{pointer}/{index}"), found);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    walk(member, format!("{pointer}/{name}"), found);
                }
            }
            _ => {}
        }
        found.push(pointer);
    }
    let mut found = Vec::new();
    walk(value, String::new(), &mut found);
    found
}

/// One thing that is done to bytes.
#[derive(Debug, Clone)]
pub enum Cut {
    /// Some of the bits of a byte are others.
    Flip(Index, u8),
    /// Some bytes are gone.
    Remove(Index, usize),
    /// Something stands there as well.
    Insert(Index, Vec<u8>),
    /// Some bytes stand there once more.
    Repeat(Index, usize),
    /// All that follows is gone.
    End(Index),
}

/// A few cuts.
pub fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    let at = any::<Index>;
    let bytes = prop_oneof![
        select(vec![
            &b"\xff"[..],
            b"\xed\xa0\x80",
            b"\\ud800",
            b"\xef\xbb\xbf",
            b"\0",
            b"[",
            b"{\"\":",
            b"\"",
            b",",
            b"1e999",
            b"-"
        ])
        .prop_map(<[u8]>::to_vec),
        vec(any::<u8>(), 0..8),
        (select(&b"[{\"0 "[..]), 1..2_000usize).prop_map(|(byte, times)| vec![byte; times]),
    ];
    let cut = prop_oneof![
        (at(), 1..=255u8).prop_map(|(at, bits)| Cut::Flip(at, bits)),
        (at(), 1..20usize).prop_map(|(at, count)| Cut::Remove(at, count)),
        (at(), bytes).prop_map(|(at, bytes)| Cut::Insert(at, bytes)),
        (at(), 1..60usize).prop_map(|(at, count)| Cut::Repeat(at, count)),
        at().prop_map(Cut::End),
    ];
    vec(cut, 1..4)
}

/// The bytes after all of the cuts.
pub fn cut(bytes: &[u8], cuts: &[Cut]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for cut in cuts {
        let place = |at: &Index| at.index(bytes.len() + 1);
        match cut {
            Cut::Flip(at, bits) => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Cut::Remove(at, count) => {
                let at = place(at);
                bytes.drain(at..(at + count).min(bytes.len()));
            }
            Cut::Insert(at, inserted) => {
                let at = place(at);
                bytes.splice(at..at, inserted.iter().copied());
            }
            Cut::Repeat(at, count) => {
                let at = place(at);
                let again = bytes[at..(at + count).min(bytes.len())].to_vec();
                bytes.splice(at..at, again);
            }
            Cut::End(at) => bytes.truncate(place(at)),
        }
    }
    bytes
}

/// Tries a property with so many cases, times [`size`]. The seed is printed first: `PROPTEST_RNG_SEED` repeats it.
pub fn hold<S: Strategy>(cases: usize, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let mut config = Config {
        cases: u32::try_from(cases * size()).expect("fewer cases"),
        failure_persistence: None,
        ..Config::default()
    };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => u64::try_from(edge::entropy::entropy() >> 64).expect("64 bits"),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    println!("{} cases, PROPTEST_RNG_SEED={seed}", config.cases);
    let mut runner = TestRunner::new(config);
    if let Err(error) = runner.run(&strategy, test) {
        panic!("PROPTEST_RNG_SEED={seed}: {error}");
    }
}
