//! What the environment says. The only module that reads it.

use std::time::Duration;

use aws_sdk_dynamodb::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use chrono::TimeDelta;
use domain::ResponseWindow;
use events::webhook::Targets;

use crate::capacity::Measure;
use crate::connect::{Http, Roots};

/// The endpoint is in the same region, where connecting takes milliseconds; the SDK's own 3.1 seconds are made for any
/// distance. The kernel repeats a lost SYN only after a second: by then a new attempt is worth more than waiting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// One attempt. DynamoDB answers in milliseconds, a contended transaction in some hundred; what takes longer than this is
/// lost. Not less: an attempt that is given up while its transaction still runs makes the next one meet it. "Setting it to 1
/// second or higher should work well to reduce chances of retries and `TransactionInProgressException` errors."
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html#API_TransactWriteItems_Errors>
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// All attempts of one operation, and the pauses between them. A transaction that got stuck is completed by a repetition
/// that comes more than 5 seconds after the first attempt (the same page), so there has to be time for one: the third
/// attempt begins after 6. No more than that: a request has several operations, and API Gateway gives up after 30 seconds
/// (29 with a REST API), a limit that cannot be raised for an HTTP API. The first operation that takes too long ends the
/// request; [`crate::lambda::BUDGET`] bounds what many slow ones add up to.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
/// The first try and two more: beyond that the caller, who is told to come again, is the better one to wait. A lost answer
/// is no lost write, and repeating it is safe: every write is conditional, and every `TransactWriteItems` has a
/// `ClientRequestToken`, with which DynamoDB answers a repetition within 10 minutes as it did the first time.
const ATTEMPTS: u32 = 3;
/// A throttled partition or a lost packet is over in milliseconds; the SDK's own second is made for slower services. It
/// doubles with each attempt, and half of it on average is random, so that those who met do not meet again.
/// <https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/>
const FIRST_BACKOFF: Duration = Duration::from_millis(50);

/// The longest duration that a setting may have: more is a mistyped unit.
const LONGEST: i64 = 366 * 24 * 60 * 60 * 1_000;

/// The settings of a function.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of the table.
    pub table: String,
    /// How long an invitation stays open, and when the invited organization is reminded: each positive, at most 366 days,
    /// whole milliseconds.
    pub response_window: ResponseWindow,
    /// Where the services of AWS are, and as whom to speak to them.
    pub aws: Aws,
    /// Name of the event bus.
    pub bus: Needed,
    /// URL of the queue for what cannot be published.
    pub dead_letters: Needed,
    /// URL of the queue of deliveries to webhooks.
    pub deliveries: Needed,
    /// What the metrics of this deployment are told from others' by.
    pub stack: Option<String>,
    /// Where webhooks may be. Not a setting: only the local stack allows its own machine.
    pub webhook_targets: Targets,
    /// How far the clock of this machine is ahead. Not a setting: tests have machines whose clocks differ.
    pub clock_ahead: TimeDelta,
}

/// A setting that some functions need and others do not.
#[derive(Debug, Clone)]
pub struct Needed {
    name: &'static str,
    meaning: &'static str,
    value: Option<String>,
}

impl Needed {
    /// The name of the bus: `COSELL_BUS`.
    pub fn bus(value: Option<String>) -> Self {
        let (name, meaning) = ("COSELL_BUS", "the name of the EventBridge bus");
        Self { name, meaning, value }
    }

    /// The URL of the queue for what cannot be published: `COSELL_DEAD_LETTERS`.
    pub fn dead_letters(value: Option<String>) -> Self {
        let (name, meaning) = (
            "COSELL_DEAD_LETTERS",
            "the URL of the SQS queue for what cannot be published",
        );
        Self { name, meaning, value }
    }

    /// The URL of the queue of deliveries: `COSELL_DELIVERIES`.
    pub fn deliveries(value: Option<String>) -> Self {
        let (name, meaning) = (
            "COSELL_DELIVERIES",
            "the URL of the SQS queue of deliveries to webhooks",
        );
        Self { name, meaning, value }
    }

    /// The value, or what is missing.
    pub fn get(&self) -> Result<&str, ConfigError> {
        let Self { name, meaning, value } = self;
        value.as_deref().ok_or(ConfigError::Missing { name, meaning })
    }
}

/// The services of AWS: where they are, and as whom to speak to them.
#[derive(Debug, Clone)]
pub struct Aws {
    /// A region such as `eu-central-1`; it is also part of every signature.
    pub region: String,
    /// For signing.
    pub credentials: Credentials,
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` is set: the deployment says itself whom to trust.
    pub own_roots: bool,
    /// Where they are not the endpoints of AWS in that region.
    pub endpoints: Endpoints,
}

/// Endpoints, each `http://` or `https://`, where they are not AWS's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// `AWS_ENDPOINT_URL_DYNAMODB`
    pub dynamodb: Option<String>,
    /// `AWS_ENDPOINT_URL_EVENTBRIDGE`
    pub event_bridge: Option<String>,
    /// `AWS_ENDPOINT_URL_SQS`
    pub sqs: Option<String>,
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable is not there, or empty.
    #[error("{name} is not set: {meaning}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it would say.
        meaning: &'static str,
    },
    /// A variable has a value that cannot be meant.
    #[error("{name} is {value:?}, but {rule}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        rule: String,
    },
}

/// A text that is no usable duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it must be an ISO 8601 duration in weeks, days, hours, minutes and seconds, such as P14D or PT3S: \
     more than zero, at most 366 days, and whole milliseconds"
)]
pub struct InvalidDuration;

impl Config {
    /// Reads `COSELL_TABLE`, `COSELL_RESPONSE_WINDOW` (`P14D`), `COSELL_EXPIRING_BEFORE` (`P3D`), where a function needs them
    /// `COSELL_BUS`, `COSELL_DEAD_LETTERS` and `COSELL_DELIVERIES`, `COSELL_STACK`, and the SDK's own `AWS_REGION`,
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_ENDPOINT_URL` and that of each service, and whether
    /// `SSL_CERT_FILE` or `SSL_CERT_DIR` is there, which TLS reads.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(variable)
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let required = |name, meaning| variable(name).ok_or(ConfigError::Missing { name, meaning });
        let duration = |name, default| match variable(name) {
            None => Ok(TimeDelta::days(default)),
            Some(value) => positive_duration(&value).map_err(|rule| ConfigError::Invalid {
                name,
                value,
                rule: rule.to_string(),
            }),
        };
        let endpoint = |name| {
            let found = [name, "AWS_ENDPOINT_URL"]
                .into_iter()
                .find_map(|name| variable(name).map(|value| (name, value)));
            match found {
                Some((name, value)) if !["http://", "https://"].iter().any(|scheme| value.starts_with(scheme)) => {
                    Err(ConfigError::Invalid {
                        name,
                        value,
                        rule: "it must start with http:// or https://".to_owned(),
                    })
                }
                found => Ok(found.map(|(_, url)| url)),
            }
        };
        Ok(Self {
            table: required("COSELL_TABLE", "the name of the DynamoDB table")?,
            response_window: ResponseWindow {
                length: duration("COSELL_RESPONSE_WINDOW", 14)?,
                reminder: duration("COSELL_EXPIRING_BEFORE", 3)?,
            },
            aws: Aws {
                region: required("AWS_REGION", "the AWS region of the table; Lambda sets it")?,
                // The credentials chain of aws-config is not linked: Lambda has these three in the environment of every
                // function, valid for as long as the process lives.
                credentials: Credentials::new(
                    required(
                        "AWS_ACCESS_KEY_ID",
                        "Lambda sets it; elsewhere, any text will do for a local engine",
                    )?,
                    required(
                        "AWS_SECRET_ACCESS_KEY",
                        "Lambda sets it; elsewhere, any text will do for a local engine",
                    )?,
                    variable("AWS_SESSION_TOKEN"),
                    None,
                    "environment",
                ),
                own_roots: ["SSL_CERT_FILE", "SSL_CERT_DIR"]
                    .into_iter()
                    .any(|name| variable(name).is_some()),
                endpoints: Endpoints {
                    dynamodb: endpoint("AWS_ENDPOINT_URL_DYNAMODB")?,
                    event_bridge: endpoint("AWS_ENDPOINT_URL_EVENTBRIDGE")?,
                    sqs: endpoint("AWS_ENDPOINT_URL_SQS")?,
                },
            },
            bus: Needed::bus(variable("COSELL_BUS")),
            dead_letters: Needed::dead_letters(variable("COSELL_DEAD_LETTERS")),
            deliveries: Needed::deliveries(variable("COSELL_DELIVERIES")),
            stack: variable("COSELL_STACK"),
            webhook_targets: Targets::Public,
            clock_ahead: TimeDelta::zero(),
        })
    }
}

/// A variable that is empty counts as not set, as in a shell.
#[expect(clippy::disallowed_methods, reason = "this is the one home of the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Aws {
    /// A client of the table.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.sdk_config(self.endpoints.dynamodb.as_deref()));
        // A quota of retries for each client, as each process on Lambda has by itself: the SDK would share one among all
        // clients of a process, so that the failures of one table would leave another one without retries.
        let partition = RetryPartition::custom("table").build();
        let config = config.retry_partition(partition).interceptor(Measure);
        aws_sdk_dynamodb::Client::from_conf(config.build())
    }

    /// A client of the bus.
    pub fn event_bridge(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.sdk_config(self.endpoints.event_bridge.as_deref()))
    }

    /// A client of the queues.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.sdk_config(self.endpoints.sqs.as_deref()))
    }

    /// Whom to trust: only Amazon where it is known that the certificates are Amazon's.
    fn roots(&self, endpoint: Option<&str>) -> Roots {
        match endpoint {
            // Without TLS there is nobody to trust, and the certificates of the system need not be read.
            Some(endpoint) if endpoint.starts_with("http://") => Roots::Amazon,
            _ if !self.own_roots && endpoint.is_none_or(is_amazons) && is_public_region(&self.region) => Roots::Amazon,
            _ => Roots::System,
        }
    }

    /// The settings of any client: the timeouts and retries of a function that somebody waits for.
    pub fn sdk_config(&self, endpoint: Option<&str>) -> SdkConfig {
        let http = Http::new(self.roots(endpoint));
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(self.credentials.clone()))
            .http_client(http)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            )
            // Standard, not adaptive: that one also delays first attempts once it has met throttling, by its own measure of a
            // rate. Here each process has one request at a time and sees nothing of the others', so it would only make that
            // one wait, and no one could say how long. "It assumes that the client works against a single resource."
            // <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS)
                    .with_initial_backoff(FIRST_BACKOFF),
            );
        config.set_endpoint_url(endpoint.map(str::to_owned));
        config.build()
    }
}

/// Whether an endpoint is one of AWS, such as that of a VPC.
fn is_amazons(endpoint: &str) -> bool {
    let host = endpoint.split("//").nth(1).unwrap_or_default();
    let host = host.split(['/', ':']).next().unwrap_or_default();
    host.ends_with(".amazonaws.com") || host.ends_with(".api.aws")
}

/// Whether a region is of AWS's commercial partition or of `GovCloud`. The others (China, the sovereign clouds) have
/// certificates of their own.
fn is_public_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    match parts[..] {
        ["us", "gov", _, _] => true,
        [area, _, _] => ["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"].contains(&area),
        _ => false,
    }
}

/// Reads an ISO 8601 duration of weeks, days, hours, minutes and seconds: positive, at most 366 days, whole milliseconds.
/// Years and months have no fixed length, so they are refused.
///
/// Exact, in integers: a deadline may not be off by a rounding error.
pub fn positive_duration(text: &str) -> Result<TimeDelta, InvalidDuration> {
    milliseconds(text)
        .filter(|total| (1..=LONGEST).contains(total))
        .and_then(TimeDelta::try_milliseconds)
        .ok_or(InvalidDuration)
}

fn milliseconds(text: &str) -> Option<i64> {
    let text = text.strip_prefix('P')?;
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    let date = sum(date, &[('W', 604_800_000), ('D', 86_400_000)])?;
    date.checked_add(sum(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])?)
}

/// Adds up what stands before each designator; they come in this order, each at most once.
fn sum(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total = 0_i64;
    for &(designator, unit) in units {
        if let Some((number, rest)) = text.split_once(designator) {
            total = total.checked_add(times(number, unit)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(total)
}

/// A decimal number, with a comma or a point, times a unit, where that is a whole number.
fn times(number: &str, unit: i64) -> Option<i64> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match number.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    if !digits(whole) || !fraction.is_none_or(digits) {
        return None;
    }
    let whole = whole.parse::<i64>().ok()?.checked_mul(unit)?;
    let Some(fraction) = fraction else { return Some(whole) };
    let scale = 10_i64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction = fraction.parse::<i64>().ok()?.checked_mul(unit)?;
    (fraction % scale == 0).then_some(whole.checked_add(fraction / scale)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMPLETE: [(&str, &str); 5] = [
        ("COSELL_TABLE", "deals"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "very-secret"),
        ("AWS_SESSION_TOKEN", "very-secret-too"),
    ];

    /// What the environment says with some variables replaced.
    fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
        let lookup = |name: &str| {
            let of = |pairs: &[(&str, &str)]| pairs.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
            of(changes).or_else(|| of(&COMPLETE)).filter(|value| !value.is_empty())
        };
        Config::read(lookup).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults() {
        let config = read(&[]).expect("complete");
        assert_eq!(config.table, "deals");
        assert_eq!(config.response_window.length, TimeDelta::days(14));
        assert_eq!(config.response_window.reminder, TimeDelta::days(3));
        assert_eq!(config.aws.endpoints, Endpoints::default());
        assert_eq!(config.webhook_targets, Targets::Public);
        let missing = config.bus.get().expect_err("not there").to_string();
        assert_eq!(missing, "COSELL_BUS is not set: the name of the EventBridge bus");
        assert!(
            !format!("{config:?}").contains("very-secret"),
            "credentials are not shown"
        );
        // Builds for AWS and for a local engine.
        for config in [
            config,
            read(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]).expect("complete"),
        ] {
            config.aws.dynamodb();
            config.aws.event_bridge();
            config.aws.sqs();
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in [
            "COSELL_TABLE",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            let error = read(&[(name, "")]).expect_err("refused");
            assert!(error.starts_with(&format!("{name} is not set: ")), "{error}");
        }
        assert!(read(&[("AWS_SESSION_TOKEN", "")]).is_ok());
    }

    #[test]
    fn the_endpoint_of_the_service_wins_over_the_general_one() {
        let endpoint = |changes| read(changes).map(|config| config.aws.endpoints.dynamodb);
        let both = [
            ("AWS_ENDPOINT_URL", "http://a"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "https://b"),
        ];
        assert_eq!(endpoint(&both), Ok(Some("https://b".into())));
        assert_eq!(endpoint(&both[..1]), Ok(Some("http://a".into())));
        let error = endpoint(&[("AWS_ENDPOINT_URL_DYNAMODB", "localhost:8000")]).expect_err("refused");
        assert_eq!(
            error,
            r#"AWS_ENDPOINT_URL_DYNAMODB is "localhost:8000", but it must start with http:// or https://"#
        );
    }

    #[test]
    fn a_wrong_response_window_is_refused_with_the_rule() {
        let error = read(&[("COSELL_RESPONSE_WINDOW", "14 days")]).expect_err("refused");
        assert!(
            error.starts_with(r#"COSELL_RESPONSE_WINDOW is "14 days", but it must be an ISO 8601"#),
            "{error}"
        );
    }

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("P14D", 1_209_600_000),
            ("P2W", 1_209_600_000),
            ("PT3S", 3_000),
            ("PT0.001S", 1),
            ("PT0,5M", 30_000),
            ("P1DT2H3M4.567S", 93_784_567),
            ("PT36H", 129_600_000),
            ("P366D", LONGEST),
            ("PT31622399.999S", LONGEST - 1),
            ("PT1.5000S", 1_500),
        ] {
            assert_eq!(
                positive_duration(text),
                Ok(TimeDelta::milliseconds(milliseconds)),
                "{text}"
            );
        }
        for text in [
            "",
            "P",
            "PT",
            "P1DT",
            "14D",
            "P14",
            "P14d",
            "p14d",
            " P14D",
            "P14D ",
            "P-14D",
            "-P14D",
            "P+1D",
            "P0D",
            "PT0S",
            "P1Y",
            "P1M",
            "P1DT1D",
            "PT1S1M",
            "P1D1D",
            "PT.5S",
            "PT5.S",
            "PT1.2.3S",
            "PT0.0001S",
            "P366DT0.001S",
            "P367D",
            "PT1e3S",
            "PTinfS",
            "PTNaNS",
            "P١D",
            "PT99999999999999999999S",
            "PT0.0000000000000000000001S",
        ] {
            assert_eq!(positive_duration(text), Err(InvalidDuration), "{text}");
        }
    }

    #[test]
    fn amazon_alone_is_trusted_where_the_certificates_are_amazons() {
        let aws = |region: &str, own_roots| Aws {
            region: region.to_owned(),
            credentials: Credentials::new("key", "secret", None, None, "test"),
            own_roots,
            endpoints: Endpoints::default(),
        };
        let vpc = "https://vpce-1a2b3c4d.dynamodb.eu-central-1.vpce.amazonaws.com";
        for (region, own_roots, endpoint, roots) in [
            ("eu-central-1", false, None, Roots::Amazon),
            ("us-gov-west-1", false, None, Roots::Amazon),
            ("eu-central-1", false, Some(vpc), Roots::Amazon),
            (
                "eu-central-1",
                false,
                Some("https://dynamodb.eu-central-1.api.aws:443/x"),
                Roots::Amazon,
            ),
            ("eu-central-1", true, None, Roots::System),
            ("eu-central-1", false, Some("https://localhost:8000"), Roots::System),
            (
                "eu-central-1",
                false,
                Some("https://localhost:8000/.amazonaws.com"),
                Roots::System,
            ),
            ("local", true, Some("http://localhost:8000"), Roots::Amazon),
            ("cn-north-1", false, None, Roots::System),
            ("us-iso-east-1", false, None, Roots::System),
            ("eusc-de-east-1", false, None, Roots::System),
            ("local", false, None, Roots::System),
        ] {
            assert_eq!(aws(region, own_roots).roots(endpoint), roots, "{region} {endpoint:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_duration_or_refused(text in "\\PC*|P[0-9WDTHMS.,]*") {
            if let Ok(duration) = positive_duration(&text) {
                prop_assert!((1..=LONGEST).contains(&duration.num_milliseconds()));
            }
        }

        #[test]
        fn durations_are_exact(days in 0_i64..365, hours in 0_i64..24, minutes in 0_i64..60, ms in 1_i64..60_000) {
            let text = format!("P{days}DT{hours}H{minutes}M{}.{:03}S", ms / 1_000, ms % 1_000);
            let expected = TimeDelta::days(days)
                + TimeDelta::hours(hours)
                + TimeDelta::minutes(minutes)
                + TimeDelta::milliseconds(ms);
            prop_assert_eq!(positive_duration(&text), Ok(expected));
        }
    }
}
