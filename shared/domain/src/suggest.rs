//! Finding a company or a product by the beginnings of its words, as somebody types them.
//!
//! A name is found by its [`Entry`]s: the text of the name from one of its words on, and each two of its words. What was typed
//! is a few [`Probe`]s, each the beginning of entries, so that an ordered index answers them without reading what does not
//! match. Both are folded the same way: case, accents, width and punctuation do not count.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

use crate::fault::Flaw;
use crate::filter::fold;

/// A name has at most this many entries, so that a company, all of its entries and those of its last name are one transaction.
pub const MAX_ENTRIES: usize = 40;
/// So many of a name's words have pairs: more would be more than [`MAX_ENTRIES`].
const PAIRED: usize = 8;
/// The text of an entry is cut after this many bytes: it is part of a key.
const MAX_BYTES: usize = 200;
/// Between words. It sorts before letters and digits and after the end of a text, so that in an index a name comes before
/// those that go on with another word, and these before those that go on with another letter.
const BETWEEN: char = '-';

/// What a company is by law says nothing of which one it is. A name is all there without it, and as a later word it has no
/// entry: half of a country's companies would stand at the same place of the index, where nobody looks.
const LEGAL_FORMS: [&str; 35] = [
    "ab",
    "ag",
    "as",
    "asa",
    "bhd",
    "bv",
    "co",
    "company",
    "corp",
    "corporation",
    "gmbh",
    "inc",
    "incorporated",
    "kg",
    "kgaa",
    "limited",
    "llc",
    "llp",
    "lp",
    "ltd",
    "ltda",
    "nv",
    "oy",
    "oyj",
    "plc",
    "pte",
    "pty",
    "pvt",
    "sa",
    "sas",
    "sarl",
    "se",
    "sl",
    "spa",
    "srl",
];
/// Whether a name begins with one of these, people do not remember.
const ARTICLES: [&str; 12] = [
    "das", "der", "die", "el", "het", "il", "la", "las", "le", "les", "los", "the",
];
/// As a word between others these are an `&`, which does not count.
const ANDS: [&str; 4] = ["and", "et", "und", "y"];
/// How letters are written where a keyboard has no marks for them.
const SPELLED_OUT: [(char, &str); 5] = [('ä', "ae"), ('å', "aa"), ('ö', "oe"), ('ø', "oe"), ('ü', "ue")];

/// What the text of an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The name from its first word on.
    Name,
    /// The name from a later word on.
    Word,
    /// Two words of the name that do not stand side by side in this order, and all of it, which puts them in order.
    Pair,
}

/// A place where a name is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// What its text is.
    pub place: Place,
    /// Folded words, with a hyphen between them.
    pub text: String,
}

/// Entries to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Among which.
    pub place: Place,
    /// How they begin.
    pub text: String,
    /// Whether a word ends there.
    pub whole: bool,
    /// Whether the names that it reaches have yet to be compared: it has not all of what was typed.
    pub partial: bool,
}

/// How well a name is what was typed; the better, the less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It is all of the name.
    Name,
    /// The name begins so.
    Beginning,
    /// The name begins so but for an article, or is that but for what the company is by law.
    Nearly,
    /// A later part of the name begins so.
    Later,
    /// The name begins so, if spaces do not count.
    Unspaced,
    /// The name has all of the words, somewhere.
    Scattered,
}

/// What somebody has typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    words: Vec<String>,
}

impl Typed {
    /// The words of the text; or that there are none, or too much of it.
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        if text.chars().nth(255).is_some() {
            return Err(Flaw::new("tooLong", "must have at most 255 characters"));
        }
        let words: Vec<String> = tokens(text).into_iter().flatten().collect();
        if words.is_empty() {
            return Err(Flaw::new("tooShort", "must have at least one letter or digit"));
        }
        Ok(Self { words })
    }

    /// What is looked up first: the name that begins so, a later word that does, and the name without spaces; and where an
    /// article or a legal form was typed, the name without it.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes = vec![
            Probe::new(Place::Name, self.phrase()),
            Probe::new(Place::Word, self.phrase()),
        ];
        if self.words.len() > 1 {
            probes.push(Probe::new(Place::Name, self.unspaced()));
        }
        probes.extend(self.without_article().map(|text| Probe::new(Place::Name, text)));
        probes.extend(self.without_form().map(|text| Probe {
            whole: true,
            ..Probe::new(Place::Name, text)
        }));
        probes
    }

    /// What is looked up if that was not enough: the longest word and what the last one begins, for names that have all of the
    /// words somewhere.
    pub fn scattered_probes(&self) -> Vec<Probe> {
        let Some((last, others)) = self.words.split_last() else {
            return Vec::new();
        };
        let length = |word: &&String| (!is_legal_form(word), word.chars().count());
        let Some(longest) = others.iter().max_by_key(length) else {
            return Vec::new();
        };
        let partial = others.len() > 1;
        let places = if partial {
            &[Place::Pair, Place::Name, Place::Word][..]
        } else {
            // Side by side, they have been looked up.
            &[Place::Pair]
        };
        let text = joined([longest, last].into_iter());
        let probe = |place: &Place| Probe {
            partial,
            ..Probe::new(*place, text.clone())
        };
        places.iter().map(probe).collect()
    }

    /// How well the name is what was typed, and the part of it that is; `None` if it is something else.
    pub fn rank(&self, name: &str) -> Option<(Rank, String)> {
        let (phrase, unspaced) = (self.phrase(), self.unspaced());
        let (without_article, without_form) = (self.without_article(), self.without_form());
        let begins = |entry: &Entry, beginning: &Option<String>| {
            beginning
                .as_ref()
                .is_some_and(|beginning| entry.text.starts_with(beginning))
        };
        let entries = places(&spellings(name));
        let matching = entries.iter().filter_map(|entry| {
            let rank = match entry.place {
                Place::Name if entry.text == phrase || entry.text == unspaced => Rank::Name,
                Place::Name if entry.text.starts_with(&phrase) => Rank::Beginning,
                Place::Name if begins(entry, &without_article) || without_form.as_ref() == Some(&entry.text) => {
                    Rank::Nearly
                }
                Place::Word if entry.text.starts_with(&phrase) => Rank::Later,
                Place::Name if entry.text.starts_with(&unspaced) => Rank::Unspaced,
                _ => return None,
            };
            Some((rank, entry.text.clone()))
        });
        matching.min().or_else(|| {
            let words = words(name);
            let (last, others) = self.words.split_last()?;
            let has_all = others.iter().all(|word| words.contains(word))
                && words.iter().any(|word| word.starts_with(last.as_str()));
            has_all.then(|| (Rank::Scattered, joined(tokens(name).iter().flatten())))
        })
    }

    /// Those that are what was typed, best first: by rank, then in the order of the alphabet, from the part on that is what was
    /// typed.
    pub fn best<T>(&self, candidates: Vec<T>, name: impl Fn(&T) -> &str, limit: usize) -> Vec<T> {
        let ranked = candidates
            .into_iter()
            .filter_map(|candidate| Some((self.rank(name(&candidate))?, candidate)));
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_by(|(a, one), (b, other)| a.cmp(b).then_with(|| name(one).cmp(name(other))));
        ranked.into_iter().take(limit).map(|(_, candidate)| candidate).collect()
    }

    fn phrase(&self) -> String {
        joined(self.words.iter())
    }

    fn unspaced(&self) -> String {
        self.words.concat()
    }

    fn without_article(&self) -> Option<String> {
        let (first, others) = self.words.split_first()?;
        (ARTICLES.contains(&first.as_str()) && !others.is_empty()).then(|| joined(others.iter()))
    }

    fn without_form(&self) -> Option<String> {
        let named = self.words.iter().rposition(|word| !is_legal_form(word))? + 1;
        let article = usize::from(named > 1 && ARTICLES.contains(&self.words[0].as_str()));
        (named < self.words.len()).then(|| joined(self.words[article..named].iter()))
    }
}

impl Probe {
    fn new(place: Place, text: String) -> Self {
        Self {
            place,
            text: cut(text),
            whole: false,
            partial: false,
        }
    }
}

impl Entry {
    fn new(place: Place, text: String) -> Self {
        Self { place, text }
    }

    /// Where a name is found, best place first: all of it, without its article, without what the company is by law, without
    /// spaces; from each later word on, with what punctuation parts as one word too (`at-t` and `att`); and the same as other
    /// keyboards write it. Where a script writes no spaces, each character begins a word. Last, by two words that stand apart.
    pub fn all(name: &str) -> Vec<Self> {
        let mut seen = BTreeSet::new();
        let spellings = spellings(name);
        let mut all = places(&spellings);
        pairs(&spellings, &mut all);
        let cut = all.into_iter().map(|entry| Self {
            text: cut(entry.text),
            ..entry
        });
        let distinct = cut.filter(|entry| seen.insert(entry.clone()));
        distinct.take(MAX_ENTRIES).collect()
    }
}

/// Names sort by this: their folded words.
pub fn sorting(name: &str) -> String {
    cut(joined(tokens(name).into_iter().flatten()))
}

/// The beginning that tells the part of an index in which an entry or a probe is: one character of what has no spaces, else up
/// to two of its first word.
pub fn start(text: &str) -> &str {
    let word = text.split(BETWEEN).next().unwrap_or_default();
    let length = match word.chars().next() {
        Some(first) if is_unspaced(first) => 1,
        _ => 2,
    };
    let end = word.char_indices().nth(length).map_or(word.len(), |(end, _)| end);
    &word[..end]
}

/// All entries of a name but its pairs, uncut, unbounded.
fn places(spellings: &[Vec<Vec<String>>]) -> Vec<Entry> {
    let mut places: Vec<Entry> = spellings.iter().flat_map(|tokens| leading(tokens)).collect();
    for tokens in spellings {
        later(tokens, &mut places);
    }
    // Last, since there are many of them.
    for tokens in spellings {
        let parts: Vec<&str> = tokens.iter().flatten().map(String::as_str).collect();
        for (at, part) in parts.iter().enumerate() {
            for (index, _) in part.char_indices().filter(|&(index, c)| index > 0 && is_unspaced(c)) {
                let text = joined(std::iter::once(&part[index..]).chain(parts[at + 1..].iter().copied()));
                places.push(Entry::new(Place::Word, text));
            }
        }
    }
    places
}

/// Two words of the name each, but for those that another entry begins with. What the company is by law is typed last, if at all.
fn pairs(spellings: &[Vec<Vec<String>>], all: &mut Vec<Entry>) {
    for tokens in spellings {
        let parts: Vec<&String> = tokens.iter().flatten().collect();
        let wholes: Vec<String> = tokens.iter().map(|token| token.concat()).collect();
        for words in [parts, wholes.iter().collect()] {
            let count = words.len().min(PAIRED);
            let onward = (0..count).flat_map(|at| (at + 1..count).map(move |later| (at, later)));
            let backward = onward.clone().map(|(at, later)| (later, at));
            for (first, second) in onward.chain(backward) {
                let (first, second) = (words[first], words[second]);
                let pair = joined([first, second].into_iter());
                if first != second && !is_legal_form(first) && !all.iter().any(|entry| entry.text.starts_with(&pair)) {
                    let text = joined([&pair].into_iter().chain(tokens.iter().flatten()));
                    all.push(Entry::new(Place::Pair, text));
                }
            }
        }
    }
}

fn is_legal_form(word: &str) -> bool {
    LEGAL_FORMS.contains(&word)
}

/// The name as a whole: as it is, and without what people leave out.
fn leading(tokens: &[Vec<String>]) -> Vec<Entry> {
    let mut texts = Vec::new();
    let named = named(tokens);
    for start in [0, article(tokens)] {
        let all = &tokens[start..];
        texts.push(joined(all.iter().flatten()));
        texts.push(joined(tokens[start..named].iter().flatten()));
        if let Some((first, others)) = all.split_first() {
            texts.push(joined(std::iter::once(&first.concat()).chain(others.iter().flatten())));
        }
        texts.push(all.concat().concat());
    }
    let texts = texts.into_iter().filter(|text| !text.is_empty());
    texts.map(|text| Entry::new(Place::Name, text)).collect()
}

/// The name from each of its later words on.
fn later(tokens: &[Vec<String>], places: &mut Vec<Entry>) {
    let mut place = |text| places.push(Entry::new(Place::Word, text));
    let article = article(tokens);
    for (at, token) in tokens.iter().enumerate() {
        let whole = token.concat();
        let rest = || tokens[at + 1..].iter().flatten();
        let is_form = is_legal_form(&whole);
        for index in 0..token.len() {
            // Where the name itself begins, with or without its article, is no later word.
            let begins_name = index == 0 && (at == 0 || at == article);
            if !begins_name && !is_form {
                place(joined(token[index..].iter().chain(rest())));
            }
        }
        if at > article && token.len() > 1 && !is_form {
            place(joined(std::iter::once(&whole).chain(rest())));
        }
    }
}

/// The place after a name's article.
fn article(tokens: &[Vec<String>]) -> usize {
    let is_article = |token: &Vec<String>| ARTICLES.contains(&token.concat().as_str());
    usize::from(tokens.len() > 1 && tokens.first().is_some_and(is_article))
}

/// The place after the last word that says which company it is.
fn named(tokens: &[Vec<String>]) -> usize {
    let is_form = |token: &Vec<String>| is_legal_form(&token.concat());
    let last = tokens.iter().rposition(|token| !is_form(token));
    last.map_or(tokens.len(), |last| last + 1)
}

/// A name as it is written, as it is where letters have no marks (`mueller` for `Müller`), and as it would be if it had been
/// written so (`muller` for `Mueller`).
fn spellings(name: &str) -> Vec<Vec<Vec<String>>> {
    let own = tokens(name);
    let composed: String = name.nfkc().flat_map(char::to_lowercase).collect();
    let out = SPELLED_OUT
        .iter()
        .fold(composed, |text, (letter, out)| text.replace(*letter, out));
    let marked = |part: &String| unmarked(part);
    let short = own.iter().map(|token| token.iter().map(marked).collect()).collect();
    let mut spellings = vec![own];
    for other in [tokens(&out), short] {
        if !spellings.contains(&other) {
            spellings.push(other);
        }
    }
    spellings
}

/// A word without each `e` that may stand for the mark of the vowel before it.
fn unmarked(word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    let is_consonant = |place: Option<usize>| {
        place
            .and_then(|place| letters.get(place))
            .is_some_and(|letter| letter.is_ascii_lowercase() && !"aeiouq".contains(*letter))
    };
    let stands_for_mark = |at: usize| {
        letters[at] == 'e'
            && at > 0
            && "aou".contains(letters[at - 1])
            && (at == 1 || is_consonant(at.checked_sub(2)))
            && is_consonant(Some(at + 1))
    };
    let kept = letters.iter().enumerate().filter(|(at, _)| !stands_for_mark(*at));
    kept.map(|(_, letter)| *letter).collect()
}

/// The words of a name, both as punctuation parts them and as one, in all spellings.
fn words(name: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for token in spellings(name).into_iter().flatten() {
        words.insert(token.concat());
        words.extend(token);
    }
    words
}

/// What stands between spaces, folded, each as its parts between punctuation.
fn tokens(text: &str) -> Vec<Vec<String>> {
    // Composed again, so that what a Korean syllable is made of counts as one character.
    let mut folded = String::new();
    for c in fold(text).nfc() {
        match spelled(c) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(c),
        }
    }
    let parts = |token: &str| {
        let parts = token
            .split(|c: char| !c.is_alphanumeric())
            .filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect::<Vec<_>>()
    };
    let tokens = folded.split_whitespace().map(parts).filter(|parts| !parts.is_empty());
    let between = |(at, parts): &(usize, Vec<String>)| *at > 0 && ANDS.contains(&parts.concat().as_str());
    let counting = tokens.enumerate().filter(|token| !between(token));
    counting.map(|(_, parts)| parts).collect()
}

/// Letters that are one character each and that few keyboards have, as they are typed without it.
fn spelled(c: char) -> Option<&'static str> {
    Some(match c {
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ħ' => "h",
        _ => return None,
    })
}

fn joined<T: AsRef<str>>(words: impl Iterator<Item = T>) -> String {
    let mut text = String::new();
    for word in words {
        if !text.is_empty() {
            text.push(BETWEEN);
        }
        text.push_str(word.as_ref());
    }
    text
}

fn cut(mut text: String) -> String {
    let end = (0..=MAX_BYTES.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end));
    text.truncate(end.unwrap_or(0));
    text
}

/// Chinese, Japanese and Korean characters.
fn is_unspaced(c: char) -> bool {
    matches!(
        u32::from(c),
        0x1100..=0x11ff | 0x3005..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7a3 | 0xf900..=0xfaff
            | 0x2_0000..=0x3_ffff
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(text: &str) -> Typed {
        Typed::parse(text).expect("words")
    }

    /// The names that an index with all of their entries finds, best first.
    fn found<'a>(text: &str, names: &[&'a str]) -> Vec<&'a str> {
        let typed = typed(text);
        let reached = |name: &&&str| {
            let entries = Entry::all(name);
            let probes = typed.probes().into_iter().chain(typed.scattered_probes());
            probes
                .into_iter()
                .any(|probe| entries.iter().any(|entry| probe.reaches(entry)))
        };
        let mut found: Vec<_> = names
            .iter()
            .filter(reached)
            .filter_map(|name| Some((typed.rank(name)?, *name)))
            .collect();
        found.sort();
        found.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn what_a_person_types_finds_the_company() {
        for (name, texts) in [
            ("AT&T", &["at&t", "AT & T", "at t", "att", "At&t"][..]),
            ("AT & T Mobility", &["at&t", "att", "at t mob", "attmob", "mobility"]),
            ("3M", &["3m", "3M", "3 m", "３Ｍ"]),
            (
                "Société Générale",
                &["société", "societe", "SOCIÉTÉ G", "gener", "generale societe"],
            ),
            (
                "Karl Müller KG",
                &[
                    "muller",
                    "Müller",
                    "mueller",
                    "karl mu",
                    "karl mue",
                    "ｍüller",
                    "karl müller gmbh",
                ],
            ),
            (
                "The Home Depot",
                &["the home", "home", "home d", "depot", "thehome", "the depot"],
            ),
            (
                "First National Bank",
                &["national bank", "first bank", "bank", "nat", "bank first", "first nat"],
            ),
            ("日本電気株式会社", &["日本", "日", "電気", "日本電気"]),
            ("삼성전자", &["삼성", "삼", "전자"]),
            ("Trygg-Hansa Ørsted", &["orsted", "hansa", "tryggh", "trygg hansa"]),
            ("Straße AG", &["strasse", "straße"]),
            ("McDonald's", &["mcdonalds", "mcdonald's", "mcdonald"]),
            ("J.P. Morgan", &["jp morgan", "jpmorgan", "j p m", "morgan"]),
            ("Łukasz Æther", &["lukasz", "aether"]),
            ("X", &["x"]),
        ] {
            for text in texts {
                assert_eq!(found(text, &[name]), [name], "{text}");
            }
        }
        for (name, text) in [
            ("First National Bank", "ational"),
            ("First National Bank", "national banks"),
            ("First National Bank", "nat bank first"),
            ("X Corp", "corp"),
            ("X S.A.", "sa"),
            ("Apple Hospitality", "apple inc"),
            ("Blue Queen Value", "blu q"),
            ("Contoso", "c"),
        ] {
            assert_eq!(found(text, &[name]), [""; 0], "{text}");
        }
    }

    #[test]
    fn the_best_comes_first() {
        let names = [
            "Home Depot Supply",
            "The Home Depot",
            "Homeland",
            "Depot at Home",
            "Home Depot",
            "Depot for the Home",
        ];
        let expected = [
            "Home Depot",
            "The Home Depot",
            "Home Depot Supply",
            "Depot at Home",
            "Depot for the Home",
        ];
        assert_eq!(found("home depot", &names), expected);
        let expected = [
            "Home Depot",
            "The Home Depot",
            "Home Depot Supply",
            "Homeland",
            "Depot at Home",
            "Depot for the Home",
        ];
        assert_eq!(found("home", &names), expected);
        let expected = [
            "The Home Depot",
            "Home Depot",
            "Home Depot Supply",
            "Homeland",
            "Depot for the Home",
        ];
        assert_eq!(found("the home", &names), expected);
        let names = ["Apple Hospitality", "Apple Inc.", "Big Apple", "Appleton"];
        let expected = ["Apple Inc.", "Apple Hospitality", "Appleton", "Big Apple"];
        assert_eq!(found("apple", &names), expected);
        assert_eq!(found("apple company", &names), ["Apple Inc."]);
        assert_eq!(
            found("at t", &["Attentive", "AT&T", "At The Races"]),
            ["AT&T", "At The Races", "Attentive"]
        );
    }

    #[test]
    fn what_is_typed_has_a_letter_or_digit() {
        for text in ["", " ", "&", "—!", "\u{301}"] {
            assert_eq!(
                Typed::parse(text).map_err(|flaw| flaw.code),
                Err("tooShort"),
                "{text:?}"
            );
        }
        assert_eq!(Typed::parse(&"a".repeat(256)).map_err(|flaw| flaw.code), Err("tooLong"));
    }

    #[test]
    fn an_index_is_parted_by_the_first_characters() {
        for (text, expected) in [
            ("contoso", "co"),
            ("3-m", "3"),
            ("x", "x"),
            ("日本", "日"),
            ("é-a", "é"),
        ] {
            assert_eq!(start(text), expected);
        }
    }

    impl Probe {
        fn reaches(&self, entry: &Entry) -> bool {
            let rest = entry.text.strip_prefix(&self.text);
            let ends = |rest: &str| !self.whole || rest.is_empty() || rest.starts_with(BETWEEN);
            self.place == entry.place && start(&self.text) == start(&entry.text) && rest.is_some_and(ends)
        }
    }

    fn names() -> impl Strategy<Value = String> {
        prop::collection::vec("[a-zäøßéＡ１日本ガ가&'.-]{1,6}", 1..5).prop_map(|words| words.join(" "))
    }

    proptest! {
        #[test]
        fn a_name_is_found_by_itself_and_by_any_beginning_of_it(name in names(), length in 0usize..30) {
            let beginning: String = name.chars().take(length).collect();
            for text in [&name, &beginning] {
                let Ok(typed) = Typed::parse(text) else { continue };
                // A letter that stands alone is a word; more than one begins one.
                let entries = Entry::all(&name);
                let first = typed.probes();
                prop_assert!(first.iter().any(|probe| entries.iter().any(|entry| probe.reaches(entry)))
                    || typed.phrase().chars().count() == 1, "{text}: {entries:?}");
                prop_assert!(typed.rank(&name).is_some());
            }
            if let Ok(typed) = Typed::parse(&name) {
                prop_assert_eq!(typed.rank(&name).map(|(rank, _)| rank), Some(Rank::Name));
            }
        }

        #[test]
        fn a_name_is_found_by_any_two_of_its_words(name in names()) {
            let words: Vec<String> = tokens(&name).into_iter().flatten().collect();
            prop_assume!(words.len() <= PAIRED);
            let entries = Entry::all(&name);
            for (first, second) in words.iter().flat_map(|first| words.iter().map(move |second| (first, second))) {
                let typed = typed(&format!("{first} {second}"));
                if first == second || is_legal_form(first) || typed.words.len() < 2 || entries.len() == MAX_ENTRIES {
                    continue;
                }
                let mut probes = typed.probes().into_iter().chain(typed.scattered_probes());
                prop_assert!(probes.any(|probe| entries.iter().any(|entry| probe.reaches(entry))), "{typed:?}: {entries:?}");
                prop_assert!(typed.rank(&name).is_some());
            }
        }

        #[test]
        fn how_a_name_is_written_does_not_matter(name in names()) {
            let upper = name.to_uppercase();
            prop_assert_eq!(Entry::all(&name), Entry::all(&upper));
            let decomposed: String = name.nfd().collect();
            prop_assert_eq!(Entry::all(&name), Entry::all(&decomposed));
        }

        #[test]
        fn entries_are_few_short_distinct_and_plain(name in any::<String>()) {
            let entries = Entry::all(&name);
            prop_assert!(entries.len() <= MAX_ENTRIES);
            let distinct: BTreeSet<_> = entries.iter().collect();
            prop_assert_eq!(distinct.len(), entries.len());
            for entry in &entries {
                prop_assert!(!entry.text.is_empty() && entry.text.len() <= MAX_BYTES);
                prop_assert!(entry.text.chars().all(|c| c.is_alphanumeric() || c == BETWEEN), "{}", entry.text);
                prop_assert!(!start(&entry.text).is_empty() && entry.text.starts_with(start(&entry.text)));
            }
        }

        #[test]
        fn nothing_typed_makes_it_panic(text in any::<String>(), name in any::<String>()) {
            if let Ok(typed) = Typed::parse(&text) {
                let probes = typed.probes().len() + typed.scattered_probes().len();
                prop_assert!((2..=8).contains(&probes));
                let _ = typed.rank(&name);
            }
        }
    }
}
