//! Money: an exact amount in a currency.

use std::fmt;

pub use iso_currency::Currency;
use serde_json::Value;

use crate::fault::{Faults, Flaw};
use crate::form::{Fields, FromJson, Parse};

/// An amount of money that is not negative: a whole number of the currency's smallest units (ISO 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    minor: u64,
    currency: Currency,
}

impl Money {
    /// Reads a decimal string, `(0|[1-9]\d{0,14})(\.\d{1,4})?` with no more decimals than the currency has, and
    /// an ISO 4217 code.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, Flaw> {
        let currency = parse_currency(currency)?;
        let minor = parse_amount(amount)?.minor(currency)?;
        Ok(Self { minor, currency })
    }

    /// The amount as a decimal string with all decimals of the currency.
    pub fn amount(&self) -> String {
        decimal(i128::from(self.minor), self.currency)
    }

    /// The amount in the currency's smallest units.
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The currency itself.
    pub fn iso(&self) -> Currency {
        self.currency
    }

    /// The ISO 4217 code.
    pub fn currency(&self) -> &'static str {
        self.currency.code()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency())
    }
}

impl FromJson for Money {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults);
        let amount: Option<Amount> = fields.required("amount", faults);
        let currency: Option<CurrencyCode> = fields.required("currency", faults);
        let at_amount = fields.at("amount");
        fields.finish(faults);
        let (amount, CurrencyCode(currency)) = (amount?, currency?);
        let minor = faults.check(&at_amount, amount.minor(currency))?;
        Some(Self { minor, currency })
    }
}

/// Smallest units of a currency, which may be a sum of many amounts, as a decimal string with all its decimals.
pub fn decimal(minor: i128, currency: Currency) -> String {
    let decimals = decimals(currency);
    let sign = if minor < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// What a merge patch says of money: each member that it does not name stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MoneyPatch {
    amount: Option<Amount>,
    currency: Option<CurrencyCode>,
}

impl MoneyPatch {
    /// The money after the patch, or what is wrong: the name of the member, and its flaw. Where there was no money, the patch
    /// has both.
    pub(crate) fn onto(&self, money: Option<Money>) -> Result<Money, (&'static str, Flaw)> {
        let missing = |member| (member, Flaw::new("required", "is required"));
        let currency = self.currency.as_ref().map(|code| code.0);
        let currency = currency.or(money.map(|money| money.currency));
        let currency = currency.ok_or_else(|| missing("currency"))?;
        let amount = match (&self.amount, money) {
            (Some(amount), _) => amount.clone(),
            (None, Some(money)) => parse_amount(&money.amount()).map_err(|flaw| ("amount", flaw))?,
            (None, None) => return Err(missing("amount")),
        };
        let minor = amount.minor(currency).map_err(|flaw| ("amount", flaw))?;
        Ok(Money { minor, currency })
    }
}

impl FromJson for MoneyPatch {
    fn from_json(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Self> {
        let mut fields = Fields::of(value, pointer, faults);
        let patch = Self {
            amount: fields.replace("amount", faults),
            currency: fields.replace("currency", faults),
        };
        fields.finish(faults);
        Some(patch)
    }
}

/// A decimal number before its currency is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Amount {
    whole: u64,
    fraction: String,
}

impl Amount {
    fn minor(&self, currency: Currency) -> Result<u64, Flaw> {
        let decimals = decimals(currency);
        if self.fraction.len() > decimals {
            let message = format!(
                "{} has {decimals} decimals, not {}",
                currency.code(),
                self.fraction.len()
            );
            return Err(Flaw::new("tooManyDecimals", message));
        }
        // At most 15 digits before and 4 after the point: 19 digits, which a u64 holds.
        let scale = |power: usize| 10u64.pow(u32::try_from(power).unwrap_or(0));
        let fraction = self.fraction.parse::<u64>().unwrap_or(0) * scale(decimals - self.fraction.len());
        Ok(self.whole * scale(decimals) + fraction)
    }
}

impl Parse for Amount {
    fn parse(text: &str) -> Result<Self, Flaw> {
        parse_amount(text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct CurrencyCode(Currency);

impl Parse for CurrencyCode {
    fn parse(text: &str) -> Result<Self, Flaw> {
        parse_currency(text).map(Self)
    }
}

fn parse_amount(text: &str) -> Result<Amount, Flaw> {
    let flaw = || {
        Flaw::new(
            "invalidAmount",
            "must be a decimal string of at most 15 digits, then at most 4 decimals, such as \"125000.00\"",
        )
    };
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let digits = |part: &str, max| (1..=max).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    if !digits(whole, 15) || leading_zero || fraction.is_some_and(|part| !digits(part, 4)) {
        return Err(flaw());
    }
    Ok(Amount {
        whole: whole.parse().map_err(|_| flaw())?,
        fraction: fraction.unwrap_or_default().to_owned(),
    })
}

fn parse_currency(text: &str) -> Result<Currency, Flaw> {
    Currency::from_code(text).ok_or_else(|| Flaw::new("invalidCurrency", "must be an ISO 4217 code such as USD"))
}

/// ISO 4217 gives no decimals for metals and the like: those are counted in whole units.
fn decimals(currency: Currency) -> usize {
    currency.exponent().map_or(0, usize::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(amount: &str, currency: &str) -> Result<String, &'static str> {
        Money::parse(amount, currency)
            .map(|money| money.amount())
            .map_err(|flaw| flaw.code)
    }

    #[test]
    fn amounts_hold_at_their_limits() {
        assert_eq!(code("0", "USD"), Ok("0.00".into()));
        assert_eq!(code("125000.5", "USD"), Ok("125000.50".into()));
        assert_eq!(code("999999999999999.99", "USD"), Ok("999999999999999.99".into()));
        assert_eq!(code("999999999999999.9999", "CLF"), Ok("999999999999999.9999".into()));
        assert_eq!(code("1", "JPY"), Ok("1".into()));
        assert_eq!(code("1.123", "KWD"), Ok("1.123".into()));
        for (amount, currency) in [("1.001", "USD"), ("1.0", "JPY"), ("1.1234", "KWD")] {
            assert_eq!(code(amount, currency), Err("tooManyDecimals"), "{amount} {currency}");
        }
        for wrong in [
            "",
            ".5",
            "5.",
            "01",
            "-1",
            "+1",
            "1e3",
            "1,000",
            "1000000000000000",
            "1.00000",
            " 1",
            "١",
        ] {
            assert_eq!(code(wrong, "USD"), Err("invalidAmount"), "{wrong}");
        }
        for wrong in ["", "usd", "US", "EURO", "ZZZ"] {
            assert_eq!(code("1", wrong), Err("invalidCurrency"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(whole in 0u64..1_000_000_000_000_000, cents in 0u64..100) {
            let money = Money::parse(&format!("{whole}.{cents:02}"), "EUR").expect("right");
            prop_assert_eq!(Money::parse(&money.amount(), money.currency()), Ok(money));
        }

        #[test]
        fn no_text_makes_it_panic(amount in ".*", currency in ".*") {
            let _ = Money::parse(&amount, &currency);
        }
    }
}
