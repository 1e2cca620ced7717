//! Text from strangers: whatever it is, it is taken exactly as it is or refused, and never more than it may be.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// Characters that something trips over somewhere: controls, other scripts' digits, marks, directions, halves of pairs.
const NASTY: [&str; 32] = [
    "\0",
    "\t",
    "\n",
    "\r\n",
    "\u{1b}[2J",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{200b}",
    "\u{200d}",
    "\u{202e}",
    "\u{2028}",
    "\u{2066}",
    "\u{feff}",
    "\u{fffd}",
    "\u{fdfa}",
    "\u{10ffff}",
    "\u{e0041}",
    "e\u{301}",
    "\u{301}",
    "١",
    "１",
    "А",
    "ſ",
    "İ",
    "ß",
    "ŉ",
    "🦀",
    "+",
    "-",
    "#",
    "\\",
];

/// A right text with some of it left out, repeated, or replaced by something else; or any text at all.
fn text(right: &'static [&'static str]) -> impl Strategy<Value = String> {
    let edit = (
        any::<Index>(),
        0..3usize,
        prop_oneof![select(&NASTY[..]).prop_map(str::to_owned), any::<String>()],
    );
    let edited = (select(right), vec(edit, 0..4)).prop_map(|(text, edits)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, removed, inserted) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + removed).min(chars.len());
            chars.splice(at..end, inserted.chars());
        }
        chars.into_iter().collect()
    });
    prop_oneof![4 => edited, 1 => any::<String>(), 1 => ".{0,300}"]
}

/// What is taken is what was sent, is no longer than it may be, and has no control characters.
fn is_taken_as_it_is<T: Parse>(text: &str, longest: usize, shown: impl Fn(&T) -> &str) -> Result<(), TestCaseError> {
    match T::parse(text) {
        Ok(parsed) => {
            prop_assert_eq!(shown(&parsed), text);
            prop_assert!((1..=longest).contains(&text.chars().count()));
            prop_assert!(!text.chars().any(char::is_control), "{:?}", text);
        }
        Err(flaw) => prop_assert!(flaw.message.len() < 300 && !flaw.code.is_empty()),
    }
    Ok(())
}

macro_rules! taken_as_it_is {
    ($($test:ident: $type:ty, $longest:expr, $right:expr;)*) => {
        proptest! {
            $(
                #[test]
                fn $test(text in text(&$right)) {
                    is_taken_as_it_is::<$type>(&text, $longest, |parsed| parsed.as_str())?;
                }
            )*
        }
    };
}

taken_as_it_is! {
    organizations: OrganizationId, 64, ["fabrikam-2.eu_x", "a"];
    users: UserId, 255, ["auth0|5f7c8ec7c33c6c004bbafe82", "ana@fabrikam.example"];
    solutions: SolutionId, 64, ["fab-erp"];
    customers: CustomerId, 500, ["au-atlassian-sydney", "123456789", "jp-日本電気"];
    deals: DealId, 26, ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"];
    webhooks: WebhookId, 26, ["01ARZ3NDEKTSV4RRFFQ69G5FAV"];
    urls: WebhookUrl, 2_048, ["https://a.example:8443/x?y=z", "http://[::1]:80/", "https://1.2.3.4"];
    keys: IdempotencyKey, 255, ["a key", "8e03978e-40d5-43e8-bc93-6894a57f9324"];
    deal_names: DealName, 255, ["ERP for Adatum", "日本"];
    customer_names: CustomerName, 120, ["AT&T Inc."];
    labels: Label, 255, ["Fabrikam ERP"];
    person_names: PersonName, 80, ["Lee Gu", "O’Brien-Núñez"];
    crm_ids: CrmId, 64, ["006-4711"];
    campaigns: CampaignId, 64, ["spring"];
    address_lines: AddressLine, 255, ["1 Main Street"];
    postal_codes: PostalCode, 20, ["98052-6399"];
    emails: Email, 254, ["ana@fabrikam.example", "jürgen@bücher.example", "\"a b\"@c.example"];
    phones: Phone, 16, ["+14255550100", "+6834000"];
    countries: Country, 2, ["US", "DE"];
    duns_numbers: DunsNumber, 9, ["123456789"];
}

proptest! {
    #[test]
    fn prose_has_lines_and_no_other_controls(text in text(&["We know them.\nSince 2019."])) {
        if let Ok(prose) = Prose::parse(&text) {
            prop_assert_eq!(prose.as_str(), &text);
            prop_assert!(text.chars().count() <= 2_000);
            prop_assert!(text.chars().all(|c| !c.is_control() || "\n\r\t".contains(c)));
        }
    }

    #[test]
    fn a_date_is_written_in_one_way(text in text(&["2026-11-21", "2028-02-29", "0000-01-01", "9999-12-31"])) {
        if let Ok(date) = Date::parse(&text) {
            prop_assert_eq!(date.to_string(), text);
        }
    }

    #[test]
    fn an_instant_has_a_fixed_width(text in text(&[
        "2026-11-21T09:30:00Z", "2026-11-21T09:30:00.123456789+05:30", "2016-12-31T23:59:60Z",
        "0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999-23:59",
    ])) {
        if let Ok(at) = Timestamp::parse(&text) {
            let shown = at.to_string();
            prop_assert_eq!(shown.len(), 24, "{} of {}", shown, text);
            prop_assert_eq!(Timestamp::parse(&shown), Ok(at));
        }
    }

    #[test]
    fn money_is_exact(amount in text(&["0", "125000.5", "999999999999999.99", "0.0001"]), currency in text(&["USD", "JPY", "CLF"])) {
        if let Ok(money) = Money::parse(&amount, &currency) {
            prop_assert_eq!(money.currency(), &currency);
            let shown = money.amount();
            prop_assert!(shown.starts_with(&amount), "{} of {}", shown, amount);
            prop_assert!(shown[amount.len()..].chars().all(|c| "0.".contains(c)), "{} of {}", shown, amount);
            prop_assert_eq!(Money::parse(&shown, &currency), Ok(money));
        }
    }

    /// Folding is for each character by itself, so that what is part of a name is found in it.
    #[test]
    fn a_part_of_a_name_is_found(name in text(&["Société Générale", "Hauptstraße 3"]), from in any::<Index>(), to in any::<Index>()) {
        let chars: Vec<char> = name.chars().collect();
        let (from, to) = (from.index(chars.len() + 1), to.index(chars.len() + 1));
        let part: String = chars[from.min(to)..from.max(to)].iter().collect();
        prop_assert!(fold(&name).len() <= 40 * name.len());
        if let Ok(search) = SearchText::parse(&part) {
            prop_assert!(fold(&name).contains(search.as_str()));
        }
    }
}
