//! Strings that have been checked once and are right ever after.
//!
//! Lengths count Unicode code points. Text is kept exactly as it was sent: nothing is trimmed or normalized.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use ulid::Ulid;

use crate::fault::Flaw;
use crate::form::Parse;

/// Declares a string type whose only way in is its check.
macro_rules! checked_string {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The value, or what is wrong with the text.
            pub fn parse(text: &str) -> Result<Self, Flaw> {
                $check(text).map(|()| Self(text.to_owned()))
            }

            /// The text, exactly as it was parsed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Parse for $name {
            fn parse(text: &str) -> Result<Self, Flaw> {
                Self::parse(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_string!(
    /// An organization of the exchange: the `org` claim of its people's tokens. 1–64 of `A–Z a–z 0–9 . _ -`,
    /// starting with a letter or digit, so that it stands in paths and keys as it is.
    OrganizationId,
    slug
);
checked_string!(
    /// A user within an organization: the `sub` claim. 1–255 code points, no control characters.
    UserId,
    line::<255>
);
checked_string!(
    /// A solution of the catalog. Same form as [`OrganizationId`].
    SolutionId,
    slug
);
checked_string!(
    /// A customer of the directory: its D-U-N-S number, else `<country>-<name>-<city>` in lower case. 1–500 code points.
    CustomerId,
    line::<500>
);
checked_string!(
    /// A deal's id, shared by all participants: a ULID in its canonical upper-case form.
    DealId,
    |text: &str| match Ulid::from_string(text) {
        Ok(ulid) if ulid.to_string() == text => Ok(()),
        _ => Err(Flaw::new("invalidId", "must be a ULID")),
    }
);
checked_string!(
    /// A webhook's id: a ULID.
    WebhookId,
    |text: &str| DealId::parse(text).map(drop)
);
checked_string!(
    /// A registration's id: a ULID that tells nothing of the deal's.
    RegistrationId,
    |text: &str| DealId::parse(text).map(drop)
);
checked_string!(
    /// Where a webhook is: an absolute `http` or `https` URL of 1–2,048 visible ASCII characters, without user or fragment.
    WebhookUrl,
    |text: &str| {
        let rule = "must be an absolute URL such as https://example.com/hooks, in ASCII, without user and fragment";
        match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
            _ if text.len() > 2_048 => Err(Flaw::new("tooLong", "must have at most 2048 characters")),
            Some(rest)
                if text.bytes().all(|byte| byte.is_ascii_graphic())
                    && !rest.starts_with(['/', '?', ':'])
                    && !rest.is_empty()
                    && !text.contains(['#', '@', '\\']) =>
            {
                Ok(())
            }
            _ => Err(Flaw::new("invalidUrl", rule)),
        }
    }
);
checked_string!(
    /// A caller's own name for a request, so that repeating it does nothing. 1–255 visible ASCII characters.
    IdempotencyKey,
    |text: &str| match text.len() {
        1..=255 if text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') => Ok(()),
        _ => Err(Flaw::new("invalidId", "must be 1 to 255 printable ASCII characters")),
    }
);
checked_string!(
    /// What an organization calls a deal. 1–255.
    DealName,
    line::<255>
);
checked_string!(
    /// The company that buys. 1–120.
    CustomerName,
    line::<120>
);
checked_string!(
    /// A company or product as its owner writes it. 1–255.
    Label,
    line::<255>
);
checked_string!(
    /// A person's name. 1–80.
    PersonName,
    line::<80>
);
checked_string!(
    /// The deal's id in the organization's own CRM. 1–64.
    CrmId,
    line::<64>
);
checked_string!(
    /// Where the customer uses what it bought: its tenant, account or subscription. 1–64.
    TenantReference,
    line::<64>
);
checked_string!(
    /// The campaign that a deal is counted under. 1–64.
    CampaignId,
    line::<64>
);
checked_string!(
    /// One line of a postal address. 1–255.
    AddressLine,
    line::<255>
);
checked_string!(
    /// A postal code. 1–20.
    PostalCode,
    line::<20>
);
checked_string!(
    /// A note or a message: may have several lines. 1–2,000.
    Prose,
    |text: &str| bounded(text, 2_000, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
);
checked_string!(
    /// An email address as of RFC 5321 and 6531, with a dotted domain. At most 254, no control characters, which the library
    /// takes between quotes.
    Email,
    |text: &str| {
        let options = Options::default().with_required_tld().without_display_text().without_domain_literal();
        if text.chars().count() > 254 {
            Err(too_long(254, text))
        } else if !text.contains(char::is_control) && EmailAddress::parse_with_options(text, options).is_ok() {
            Ok(())
        } else {
            Err(Flaw::new("invalidEmail", "must be an email address such as ana@fabrikam.example"))
        }
    }
);
checked_string!(
    /// A phone number in the international form of ITU-T E.164: `+`, then 7 to 15 digits, the first not 0.
    Phone,
    |text: &str| {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let fits = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if fits {
            Ok(())
        } else {
            Err(Flaw::new("invalidPhone", "must be in E.164 form: +, country code and number, 7 to 15 digits, such as +14255550100"))
        }
    }
);
checked_string!(
    /// A country as of ISO 3166-1 alpha-2, in upper case.
    Country,
    |text: &str| {
        // The library also takes lower case, which would make two spellings of one country.
        if text.bytes().all(|byte| byte.is_ascii_uppercase()) && rust_iso3166::from_alpha2(text).is_some() {
            Ok(())
        } else {
            Err(Flaw::new("invalidCountry", "must be an ISO 3166-1 alpha-2 code in upper case, such as US"))
        }
    }
);
checked_string!(
    /// A D-U-N-S number: nine digits that Dun & Bradstreet gave to one business location.
    DunsNumber,
    |text: &str| {
        if text.len() == 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(())
        } else {
            Err(Flaw::new("invalidDunsNumber", "must be nine digits, without hyphens"))
        }
    }
);

impl DealId {
    /// A new id: `entropy` makes it unique, the time makes ids sort by age.
    pub fn new(at: crate::Timestamp, entropy: u128) -> Self {
        Self(Ulid::from_parts(at.millis(), entropy).to_string())
    }
}

impl WebhookId {
    /// A new id, as [`DealId::new`].
    pub fn new(at: crate::Timestamp, entropy: u128) -> Self {
        Self(DealId::new(at, entropy).0)
    }
}

impl RegistrationId {
    /// A new id, as [`DealId::new`].
    pub fn new(at: crate::Timestamp, entropy: u128) -> Self {
        Self(DealId::new(at, entropy).0)
    }
}

impl FromStr for OrganizationId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|flaw| flaw.message)
    }
}

fn slug(text: &str) -> Result<(), Flaw> {
    let fits = (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if fits {
        Ok(())
    } else {
        Err(Flaw::new(
            "invalidId",
            "must be 1 to 64 letters, digits, '.', '_' or '-', starting with a letter or digit",
        ))
    }
}

fn line<const MAX: usize>(text: &str) -> Result<(), Flaw> {
    bounded(text, MAX, char::is_control)
}

fn bounded(text: &str, max: usize, forbidden: impl Fn(char) -> bool) -> Result<(), Flaw> {
    if text.chars().all(char::is_whitespace) {
        Err(Flaw::new("empty", "must not be empty"))
    } else if text.chars().nth(max).is_some() {
        Err(too_long(max, text))
    } else if text.chars().any(forbidden) {
        Err(Flaw::new("invalidCharacter", "must not have control characters"))
    } else {
        Ok(())
    }
}

fn too_long(max: usize, text: &str) -> Flaw {
    Flaw::new(
        "tooLong",
        format!("must have at most {max} characters, not {}", text.chars().count()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T: Parse>(text: &str) -> &'static str {
        T::parse(text).err().map_or("ok", |flaw| flaw.code)
    }

    #[test]
    fn lengths_count_code_points_and_hold_at_the_boundary() {
        for letter in ["a", "é", "日", "🦀"] {
            assert_eq!(code::<DealName>(&letter.repeat(255)), "ok");
            assert_eq!(code::<DealName>(&letter.repeat(256)), "tooLong");
            assert_eq!(code::<CustomerName>(&letter.repeat(120)), "ok");
            assert_eq!(code::<CustomerName>(&letter.repeat(121)), "tooLong");
            assert_eq!(code::<PersonName>(&letter.repeat(80)), "ok");
            assert_eq!(code::<PersonName>(&letter.repeat(81)), "tooLong");
            assert_eq!(code::<CrmId>(&letter.repeat(64)), "ok");
            assert_eq!(code::<CrmId>(&letter.repeat(65)), "tooLong");
            assert_eq!(code::<PostalCode>(&letter.repeat(20)), "ok");
            assert_eq!(code::<PostalCode>(&letter.repeat(21)), "tooLong");
            assert_eq!(code::<Prose>(&letter.repeat(2_000)), "ok");
            assert_eq!(code::<Prose>(&letter.repeat(2_001)), "tooLong");
        }
        assert_eq!(code::<DealName>(""), "empty");
        assert_eq!(code::<DealName>(" \u{a0}"), "empty");
    }

    #[test]
    fn lines_have_no_control_characters_and_prose_has_line_breaks() {
        assert_eq!(code::<DealName>("a\nb"), "invalidCharacter");
        assert_eq!(code::<Prose>("a\n\tb\r\n"), "ok");
        assert_eq!(code::<Prose>("a\u{0}b"), "invalidCharacter");
    }

    #[test]
    fn emails() {
        assert_eq!(code::<Email>("ana@fabrikam.example"), "ok");
        assert_eq!(code::<Email>("jürgen@bücher.example"), "ok");
        for wrong in [
            "",
            "ana",
            "ana@",
            "@fabrikam.example",
            "ana@fabrikam",
            "Ana <ana@fabrikam.example>",
            "a b@c.example",
            "\"a\tb\"@c.example",
        ] {
            assert_eq!(code::<Email>(wrong), "invalidEmail", "{wrong}");
        }
        // 64 before the @ is the most that RFC 5321 allows; the rest is domain.
        let local = "a".repeat(64);
        let domain = ["b".repeat(63), "c".repeat(63), "d".repeat(57), "ee".into()].join(".");
        let longest = format!("{local}@{domain}");
        assert_eq!((longest.len(), code::<Email>(&longest)), (253, "ok"));
        assert_eq!(
            code::<Email>(&format!("{}@{}", "a".repeat(64), "b.".repeat(96))),
            "tooLong"
        );
    }

    #[test]
    fn phones_countries_and_duns_numbers() {
        for right in ["+14255550100", "+6834000", "+123456789012345"] {
            assert_eq!(code::<Phone>(right), "ok", "{right}");
        }
        for wrong in [
            "",
            "+",
            "14255550100",
            "+0123456789",
            "+1 425 555 0100",
            "+123456",
            "+1234567890123456",
            "+1425555010٠",
        ] {
            assert_eq!(code::<Phone>(wrong), "invalidPhone", "{wrong}");
        }
        assert_eq!(code::<Country>("US"), "ok");
        for wrong in ["us", "USA", "XX", "", "U"] {
            assert_eq!(code::<Country>(wrong), "invalidCountry", "{wrong}");
        }
        assert_eq!(code::<DunsNumber>("123456789"), "ok");
        for wrong in ["12345678", "1234567890", "12-345-6789", "12345678a", "１23456789"] {
            assert_eq!(code::<DunsNumber>(wrong), "invalidDunsNumber", "{wrong}");
        }
    }

    #[test]
    fn ids() {
        assert_eq!(code::<OrganizationId>("fabrikam-2.eu_x"), "ok");
        assert_eq!(code::<OrganizationId>(&"a".repeat(64)), "ok");
        for wrong in ["", "-a", "a b", "a#b", "a/b", "é", &"a".repeat(65)] {
            assert_eq!(code::<OrganizationId>(wrong), "invalidId", "{wrong}");
        }
        assert_eq!(code::<DealId>("01ARZ3NDEKTSV4RRFFQ69G5FAV"), "ok");
        for wrong in [
            "",
            "01arz3ndektsv4rrffq69g5fav",
            "81ARZ3NDEKTSV4RRFFQ69G5FAV",
            "01ARZ3NDEKTSV4RRFFQ69G5FA",
        ] {
            assert_eq!(code::<DealId>(wrong), "invalidId", "{wrong}");
        }
        assert_eq!(code::<IdempotencyKey>(&"k".repeat(255)), "ok");
        assert_eq!(code::<IdempotencyKey>(&"k".repeat(256)), "invalidId");
        assert_eq!(code::<IdempotencyKey>(""), "invalidId");
    }
}
