//! What the local stack takes from `infra/template.yaml`: the table, the functions, their routes, the schedule, and the way of
//! events: stream, rules, queues.
//!
//! What it cannot run it refuses, by name: a resource or an event source that is only added to the template must not be
//! missing here in silence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_yaml_ng::{Mapping, Value};

use crate::routes::Route;

/// The template as it was when this was compiled.
const TEMPLATE: &str = include_str!("../../template.yaml");
/// Lambda's own default.
const DEFAULT_TIMEOUT: u64 = 3;

/// What the template says, as far as it can be run locally.
#[derive(Debug, Clone)]
pub struct Template {
    /// The one table.
    pub table: Table,
    /// Every route of the API.
    pub routes: Vec<Route>,
    /// The functions that run on a schedule, and how often they do on AWS, such as `rate(1 minute)`.
    pub schedules: Vec<(String, String)>,
    /// Every function, and how long it may take.
    pub functions: BTreeMap<String, Duration>,
    /// Which function gets the table's stream.
    pub stream: Option<StreamMapping>,
    /// The queues, by their logical ids.
    pub queues: BTreeMap<String, Queue>,
    /// Which functions get the messages of queues.
    pub consumers: Vec<Consumer>,
    /// What goes from the bus into queues.
    pub rules: Vec<Rule>,
    /// The settings of functions that name a queue, by the setting's name.
    pub queue_settings: BTreeMap<String, String>,
}

/// A function that gets the table's stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamMapping {
    /// Its name.
    pub function: String,
    /// At most so many records at once.
    pub batch_size: i32,
    /// Event patterns; a record is passed on if one of them matches, or if there are none.
    pub patterns: Vec<String>,
}

/// A function that gets the messages of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Its name.
    pub function: String,
    /// The queue's logical id.
    pub queue: String,
    /// At most so many messages at once.
    pub batch_size: usize,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// How long a message that was received stays hidden.
    pub visibility_timeout: Duration,
    /// Where a message goes that was received more often than this.
    pub dead: Option<(String, u32)>,
}

/// A rule of the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The event pattern, JSON.
    pub pattern: String,
    /// Logical ids of the queues that get what matches.
    pub queues: Vec<String>,
}

/// Why a template cannot be run.
#[derive(Debug, thiserror::Error)]
#[error("infra/template.yaml: {0}")]
pub struct TemplateError(String);

/// A table of DynamoDB, on demand.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Table {
    /// Every attribute that is part of a key.
    pub attribute_definitions: Vec<Attribute>,
    /// The primary key.
    pub key_schema: Vec<Key>,
    /// The indexes.
    #[serde(default)]
    pub global_secondary_indexes: Vec<Index>,
    /// When items are deleted by themselves.
    pub time_to_live_specification: Option<TimeToLive>,
    /// What the stream shows.
    pub stream_specification: Option<Stream>,
    billing_mode: String,
    // These protect the data on AWS, and have no meaning here.
    #[serde(rename = "DeletionProtectionEnabled")]
    _deletion_protection: Option<IgnoredAny>,
    #[serde(rename = "PointInTimeRecoverySpecification")]
    _point_in_time_recovery: Option<IgnoredAny>,
    #[serde(rename = "SSESpecification")]
    _encryption: Option<IgnoredAny>,
}

/// An attribute that is part of a key.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Attribute {
    /// Its name.
    #[serde(rename = "AttributeName")]
    pub name: String,
    /// `S`, `N` or `B`.
    #[serde(rename = "AttributeType")]
    pub kind: String,
}

/// A part of a key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The attribute.
    #[serde(rename = "AttributeName")]
    pub name: String,
    /// `HASH` or `RANGE`.
    #[serde(rename = "KeyType")]
    pub kind: String,
}

/// A global secondary index.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Index {
    /// Its name.
    #[serde(rename = "IndexName")]
    pub name: String,
    /// Its key.
    pub key_schema: Vec<Key>,
    /// What of an item it holds.
    pub projection: Projection,
}

/// What of an item an index holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Projection {
    /// `ALL`, `KEYS_ONLY` or `INCLUDE`.
    #[serde(rename = "ProjectionType")]
    pub kind: String,
    /// What it includes beside the keys.
    #[serde(default, rename = "NonKeyAttributes")]
    pub attributes: Option<Vec<String>>,
}

/// The attribute that tells when an item is to be deleted.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TimeToLive {
    /// Its name; seconds since 1970.
    #[serde(rename = "AttributeName")]
    pub name: String,
    /// Whether it counts.
    pub enabled: bool,
}

/// A stream of a table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// `NEW_IMAGE` or another of DynamoDB's four.
    #[serde(rename = "StreamViewType")]
    pub view: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    #[serde(default)]
    globals: Globals,
    resources: BTreeMap<String, Resource>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Globals {
    #[serde(default)]
    function: Function,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    #[serde(default)]
    properties: Value,
    #[serde(default)]
    metadata: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Function {
    timeout: Option<u64>,
    #[serde(default)]
    events: BTreeMap<String, Event>,
    #[serde(default)]
    environment: Environment,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, Value>,
}

/// `!GetAtt Something.Arn`, or another attribute.
#[derive(Deserialize)]
struct Attr {
    #[serde(rename = "GetAtt")]
    of: String,
}

impl Attr {
    fn resource(self, attribute: &str) -> Result<String, String> {
        let id = self.of.strip_suffix(attribute).and_then(|id| id.strip_suffix('.'));
        id.map(str::to_owned)
            .ok_or_else(|| format!("{} is not supported here", self.of))
    }
}

/// `!Ref Something`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    #[serde(rename = "Ref")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StreamEvent {
    #[serde(rename = "Stream")]
    _stream: IgnoredAny,
    starting_position: String,
    batch_size: i32,
    #[serde(default)]
    filter_criteria: FilterCriteria,
    function_response_types: Vec<String>,
    // A batch at a time, in order, again and again: so it is here as well.
    #[serde(rename = "ParallelizationFactor")]
    _parallelization_factor: Option<IgnoredAny>,
    #[serde(rename = "BisectBatchOnFunctionError")]
    _bisect: Option<IgnoredAny>,
    // Nothing is given up here: who runs the stack sees what goes wrong.
    #[serde(rename = "MaximumRecordAgeInSeconds")]
    _maximum_age: Option<IgnoredAny>,
    #[serde(rename = "MaximumRetryAttempts")]
    _maximum_retries: Option<IgnoredAny>,
    #[serde(rename = "DestinationConfig")]
    _destination: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterCriteria {
    #[serde(default)]
    filters: Vec<FilterPattern>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct FilterPattern {
    pattern: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct QueueEvent {
    queue: Attr,
    batch_size: usize,
    function_response_types: Vec<String>,
    // There is room for all of them here.
    #[serde(rename = "ScalingConfig")]
    _scaling: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct QueueProperties {
    // SQS's own default.
    #[serde(default = "half_a_minute")]
    visibility_timeout: u64,
    redrive_policy: Option<RedrivePolicy>,
    // Messages are kept as long as the stack runs.
    #[serde(rename = "MessageRetentionPeriod")]
    _retention: Option<IgnoredAny>,
    #[serde(rename = "SqsManagedSseEnabled")]
    _encryption: Option<IgnoredAny>,
    #[serde(rename = "KmsMasterKeyId")]
    _key: Option<IgnoredAny>,
}

fn half_a_minute() -> u64 {
    30
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RedrivePolicy {
    dead_letter_target_arn: Attr,
    max_receive_count: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RuleProperties {
    event_pattern: Value,
    targets: Vec<Target>,
    #[serde(rename = "Name")]
    _name: Option<IgnoredAny>,
    #[serde(rename = "Description")]
    _description: Option<IgnoredAny>,
    // Required: without it the rule would be one of the account's default bus.
    #[serde(rename = "EventBusName")]
    _bus: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Target {
    arn: Attr,
    #[serde(rename = "Id")]
    _id: IgnoredAny,
    #[serde(rename = "DeadLetterConfig")]
    _dead_letters: Option<IgnoredAny>,
    #[serde(rename = "RetryPolicy")]
    _retries: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    #[serde(rename = "Type")]
    kind: String,
    properties: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct HttpEvent {
    method: String,
    path: String,
    // Required: without it SAM would make another API, and that one has no authorizer.
    #[serde(rename = "ApiId")]
    _api: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ScheduleEvent {
    schedule: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Api {
    #[serde(rename = "Auth")]
    _auth: Auth,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Auth {
    #[serde(rename = "DefaultAuthorizer")]
    _default: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    build_properties: BuildProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BuildProperties {
    binary: String,
}

impl TemplateError {
    pub(crate) fn of(error: String) -> Self {
        Self(error)
    }
}

impl Template {
    /// The repository's template.
    pub fn embedded() -> Result<Self, TemplateError> {
        Self::parse(TEMPLATE).map_err(TemplateError)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut document: Value = serde_yaml_ng::from_str(text).map_err(|error| error.to_string())?;
        let defaults = defaults(&document);
        resolve(&mut document, &defaults);
        let document: Document = read("the template", document)?;

        let (mut tables, mut apis) = (Vec::new(), 0);
        let (mut functions, mut buses) = (Functions::default(), 0);
        let (mut queues, mut rules) = (BTreeMap::new(), Vec::new());
        for (id, resource) in document.resources {
            match resource.kind.as_str() {
                "AWS::DynamoDB::Table" => tables.push(Table::read(&id, resource.properties)?),
                "AWS::Serverless::HttpApi" => {
                    read::<Api>(&id, resource.properties)?;
                    apis += 1;
                }
                "AWS::Serverless::Function" => {
                    functions.read(&id, resource, document.globals.function.timeout)?;
                }
                "AWS::SQS::Queue" => {
                    let queue = Queue::read(&id, resource.properties)?;
                    queues.insert(id, queue);
                }
                "AWS::Events::Rule" => rules.push(Rule::read(&id, resource.properties)?),
                "AWS::Events::EventBus" => buses += 1,
                // Who may do what, what is kept of the past, and what operators look at: there is nobody to be kept out here,
                // and nothing is kept but the data.
                "AWS::CloudWatch::Alarm"
                | "AWS::CloudWatch::Dashboard"
                | "AWS::Events::Archive"
                | "AWS::IAM::ManagedPolicy"
                | "AWS::IAM::Role"
                | "AWS::Logs::LogGroup"
                | "AWS::SQS::QueuePolicy" => {}
                other => return Err(format!("{id}: the local stack cannot run a resource of type {other}")),
            }
        }
        let [table] = <[Table; 1]>::try_from(tables)
            .map_err(|tables| format!("the local stack runs exactly one table, not {}", tables.len()))?;
        if apis != 1 {
            return Err(format!("the local stack runs exactly one HTTP API, not {apis}"));
        }
        if buses > 1 {
            return Err(format!("the local stack runs one bus, not {buses}"));
        }
        let Functions {
            timeouts,
            routes,
            schedules,
            stream,
            consumers,
            mut queue_settings,
        } = functions;
        let named = consumers.iter().map(|consumer| &consumer.queue);
        let named = named.chain(rules.iter().flat_map(|rule| &rule.queues));
        let dead = queues
            .values()
            .filter_map(|queue| queue.dead.as_ref().map(|(queue, _)| queue));
        if let Some(unknown) = named.chain(dead).find(|queue| !queues.contains_key(*queue)) {
            return Err(format!(
                "{unknown} is no queue, and the local stack delivers to nothing else"
            ));
        }
        queue_settings.retain(|_, queue| queues.contains_key(queue));
        let mut keys = BTreeSet::new();
        for key in routes.iter().map(Route::key) {
            if !keys.insert(key.clone()) {
                return Err(format!("the route {key} is there twice"));
            }
        }
        Ok(Self {
            table,
            routes,
            schedules,
            functions: timeouts,
            stream,
            queues,
            consumers,
            rules,
            queue_settings,
        })
    }
}

/// What the functions of a template say, taken together.
#[derive(Default)]
struct Functions {
    timeouts: BTreeMap<String, Duration>,
    routes: Vec<Route>,
    schedules: Vec<(String, String)>,
    stream: Option<StreamMapping>,
    consumers: Vec<Consumer>,
    queue_settings: BTreeMap<String, String>,
}

impl Functions {
    fn read(&mut self, id: &str, resource: Resource, default_timeout: Option<u64>) -> Result<(), String> {
        let metadata: Metadata = read(id, resource.metadata)?;
        let function: Function = read(id, resource.properties)?;
        let name = metadata.build_properties.binary;
        let timeout = function.timeout.or(default_timeout).unwrap_or(DEFAULT_TIMEOUT);
        let timeout = Duration::from_secs(timeout);
        if self.timeouts.insert(name.clone(), timeout).is_some() {
            return Err(format!("{id}: there are two functions {name}"));
        }
        for (setting, value) in function.environment.variables {
            if let Ok(queue) = serde_yaml_ng::from_value::<Reference>(value) {
                self.queue_settings.insert(setting, queue.id);
            }
        }
        for (event_id, event) in function.events {
            self.read_event(&format!("{id}: {event_id}"), name.clone(), event)?;
        }
        Ok(())
    }

    fn read_event(&mut self, id: &str, function: String, event: Event) -> Result<(), String> {
        match event.kind.as_str() {
            "HttpApi" => {
                let event: HttpEvent = read(id, event.properties)?;
                let route = Route::parse(&event.method, &event.path, &function);
                self.routes.push(route.map_err(|error| format!("{id}: {error}"))?);
            }
            "Schedule" => {
                let event: ScheduleEvent = read(id, event.properties)?;
                self.schedules.push((function, event.schedule));
            }
            "DynamoDB" => {
                let mapping = StreamMapping::read(id, function, event.properties)?;
                if self.stream.replace(mapping).is_some() {
                    return Err(format!("{id}: the stream is read once"));
                }
            }
            "SQS" => self.consumers.push(Consumer::read(id, function, event.properties)?),
            other => return Err(format!("{id}: the local stack has no events of type {other}")),
        }
        Ok(())
    }
}

const REPORTS_FAILURES: [&str; 1] = ["ReportBatchItemFailures"];

impl StreamMapping {
    fn read(id: &str, function: String, properties: Value) -> Result<Self, String> {
        let event: StreamEvent = read(id, properties)?;
        if event.starting_position != "TRIM_HORIZON" {
            return Err(format!(
                "{id}: the starting position {} is not supported",
                event.starting_position
            ));
        }
        if event.function_response_types != REPORTS_FAILURES {
            return Err(format!("{id}: FunctionResponseTypes must be ReportBatchItemFailures"));
        }
        let patterns = event.filter_criteria.filters.into_iter().map(|filter| filter.pattern);
        Ok(Self {
            function,
            batch_size: event.batch_size,
            patterns: patterns.collect(),
        })
    }
}

impl Consumer {
    fn read(id: &str, function: String, properties: Value) -> Result<Self, String> {
        let event: QueueEvent = read(id, properties)?;
        if event.function_response_types != REPORTS_FAILURES {
            return Err(format!("{id}: FunctionResponseTypes must be ReportBatchItemFailures"));
        }
        Ok(Self {
            function,
            queue: event.queue.resource("Arn").map_err(|error| format!("{id}: {error}"))?,
            batch_size: event.batch_size,
        })
    }
}

impl Queue {
    fn read(id: &str, properties: Value) -> Result<Self, String> {
        let queue: QueueProperties = read(id, properties)?;
        let dead = queue.redrive_policy.map(|policy| {
            let dead = policy.dead_letter_target_arn.resource("Arn");
            dead.map(|dead| (dead, policy.max_receive_count))
                .map_err(|error| format!("{id}: {error}"))
        });
        Ok(Self {
            visibility_timeout: Duration::from_secs(queue.visibility_timeout),
            dead: dead.transpose()?,
        })
    }
}

impl Rule {
    fn read(id: &str, properties: Value) -> Result<Self, String> {
        let rule: RuleProperties = read(id, properties)?;
        let queues = rule.targets.into_iter().map(|target| target.arn.resource("Arn"));
        Ok(Self {
            pattern: serde_json::to_string(&rule.event_pattern).map_err(|error| format!("{id}: {error}"))?,
            queues: queues
                .collect::<Result<_, _>>()
                .map_err(|error| format!("{id}: {error}"))?,
        })
    }
}

impl Table {
    fn read(id: &str, properties: Value) -> Result<Self, String> {
        let table: Self = read(id, properties)?;
        if table.billing_mode == "PAY_PER_REQUEST" {
            Ok(table)
        } else {
            Err(format!(
                "{id}: the billing mode {} is not supported",
                table.billing_mode
            ))
        }
    }
}

fn read<T: DeserializeOwned>(id: &str, value: Value) -> Result<T, String> {
    serde_yaml_ng::from_value(value).map_err(|error| format!("{id}: {error}"))
}

/// The parameters that have a default.
fn defaults(document: &Value) -> BTreeMap<String, Value> {
    let parameters = document.get("Parameters").and_then(Value::as_mapping);
    parameters
        .into_iter()
        .flatten()
        .filter_map(|(name, parameter)| Some((name.as_str()?.to_owned(), parameter.get("Default")?.clone())))
        .collect()
}

/// Puts the defaults of parameters in the place of references to them, and the long form of CloudFormation's functions in
/// the place of the short one (`!Ref x` is `{Ref: x}`): where the local stack reads one, it has the wrong type.
fn resolve(value: &mut Value, defaults: &BTreeMap<String, Value>) {
    match value {
        Value::Tagged(tagged) => {
            let reference = if tagged.tag == "Ref" {
                tagged.value.as_str()
            } else {
                None
            };
            let default = reference.and_then(|name| defaults.get(name));
            *value = default.cloned().unwrap_or_else(|| {
                let name = tagged.tag.to_string();
                Mapping::from_iter([(name.trim_start_matches('!').into(), tagged.value.clone())]).into()
            });
        }
        Value::Sequence(values) => values.iter_mut().for_each(|value| resolve(value, defaults)),
        Value::Mapping(mapping) => mapping.values_mut().for_each(|value| resolve(value, defaults)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    /// A few lines of the template in other places, twice, indented otherwise or broken: it can be run, or it is told why not.
    #[test]
    fn a_broken_template_is_refused() {
        let lines: Vec<&str> = TEMPLATE.lines().collect();
        let garbage = prop_oneof![
            Just("  "),
            Just("- "),
            Just("&a [*a]"),
            Just("*b"),
            Just("!GetAtt"),
            Just("\u{0}"),
            Just(": {")
        ];
        let edits = vec((any::<Index>(), any::<Index>(), 0..4_u8, garbage), 1..4);
        // Each reads the whole template.
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            // Each reads the whole template.
            cases: ProptestConfig::default().cases / 6,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let result = runner.run(&edits, |edits| {
            let mut lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            for (at, to, kind, garbage) in edits {
                let (at, to) = (at.index(lines.len()), to.index(lines.len()));
                match kind {
                    0 => drop(lines.remove(at)),
                    1 => lines.swap(at, to),
                    2 => lines[at].insert_str(0, garbage),
                    _ => lines[at].push_str(garbage),
                }
            }
            if let Err(why) = Template::parse(&lines.join("\n")) {
                prop_assert!(!why.is_empty());
            }
            Ok(())
        });
        assert!(result.is_ok(), "{result:?}");
    }

    #[test]
    fn a_template_that_grows_without_end_is_refused() {
        let nested = format!("Resources: {}{}", "[".repeat(1_000), "]".repeat(1_000));
        assert!(Template::parse(&nested).is_err());
        let levels = (1..30).map(|level| {
            let before = format!("*a{}", level - 1);
            format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "))
        });
        let laughs = format!("a0: &a0 ha\n{}Resources: *a29\n", levels.collect::<String>());
        assert!(Template::parse(&laughs).is_err());
    }

    #[test]
    fn the_template_of_the_repository_can_be_run() {
        let template = Template::embedded().expect("supported");
        let keys: Vec<_> = template.table.key_schema.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(keys, ["pk", "sk"]);
        let indexes: Vec<_> = template
            .table
            .global_secondary_indexes
            .iter()
            .map(|index| (index.name.as_str(), index.projection.kind.as_str()))
            .collect();
        assert_eq!(
            indexes,
            [("byTab", "ALL"), ("byDeadline", "KEYS_ONLY"), ("byCustomer", "INCLUDE")]
        );
        let ttl = template.table.time_to_live_specification.expect("there");
        assert_eq!((ttl.name.as_str(), ttl.enabled), ("expiresAt", true));
        assert_eq!(template.schedules, [("expire".into(), "rate(1 minute)".into())]);
        let mut routes: Vec<_> = template
            .routes
            .iter()
            .map(|route| format!("{} → {}", route.key(), route.function))
            .collect();
        routes.sort();
        assert_eq!(
            routes,
            [
                "DELETE /v1/opportunities/{id}/favorite → favorite",
                "DELETE /v1/opportunities/{id}/invitations/{organizationId} → invite",
                "DELETE /v1/webhooks/{id} → webhooks",
                "GET /v1/contacts/recent → directory",
                "GET /v1/customers → directory",
                "GET /v1/notifications → notifications",
                "GET /v1/opportunities → list",
                "GET /v1/opportunities/{id} → get",
                "GET /v1/opportunities/{id}/history → get",
                "GET /v1/opportunities/{id}/notes → notes",
                "GET /v1/opportunities/{id}/partners → directory",
                "GET /v1/opportunities/{id}/registration → register",
                "GET /v1/organizations/me → directory",
                "GET /v1/partners → directory",
                "GET /v1/partners/me → directory",
                "GET /v1/registrations → register",
                "GET /v1/registrations/{id} → register",
                "GET /v1/solutions → directory",
                "GET /v1/summary → summary",
                "GET /v1/webhooks → webhooks",
                "GET /v1/webhooks/{id} → webhooks",
                "GET /v1/webhooks/{id}/deliveries → webhooks",
                "PATCH /v1/opportunities/{id} → update",
                "PATCH /v1/organizations/me → organization",
                "POST /v1/opportunities → create",
                "POST /v1/opportunities/{id}/close → close",
                "POST /v1/opportunities/{id}/invitations → invite",
                "POST /v1/opportunities/{id}/notes → notes",
                "POST /v1/opportunities/{id}/response → respond",
                "POST /v1/registrations/{id}/review → register",
                "POST /v1/webhooks → webhooks",
                "POST /v1/webhooks/{id}/test → webhooks",
                "PUT /v1/opportunities/{id}/favorite → favorite",
                "PUT /v1/opportunities/{id}/registration → register",
            ]
        );
        for name in [
            "create", "get", "list", "update", "respond", "close", "invite", "register",
        ] {
            assert!(
                template.functions[name] < Duration::from_secs(30),
                "{name} outlives the gateway"
            );
        }
        assert_eq!(template.functions.len(), 19);
    }

    #[test]
    fn the_way_of_events_is_the_templates() {
        let template = Template::embedded().expect("supported");
        let stream = template.stream.expect("read");
        assert_eq!(
            (stream.function.as_str(), stream.batch_size, stream.patterns.len()),
            ("notify", 100, 1)
        );
        let deliveries = &template.queues["Deliveries"];
        assert_eq!(deliveries.dead, Some(("DeadDeliveries".into(), 9)));
        let consumer = &template.consumers[0];
        assert_eq!(
            (consumer.function.as_str(), consumer.queue.as_str()),
            ("deliver", "Deliveries")
        );
        assert_eq!(
            template.rules[0].pattern,
            r#"{"source":["cosell"],"detail":{"version":[1]}}"#
        );
        assert_eq!(template.rules[0].queues, ["Deliveries"]);
        assert_eq!(template.queue_settings["COSELL_DEAD_LETTERS"], "DeadLetters");
        assert_eq!(template.queue_settings["COSELL_DELIVERIES"], "Deliveries");
        // A message is received once for each attempt.
        let attempts = (1..)
            .map_while(|attempt| events::webhook::next_attempt(attempt, None))
            .count()
            + 1;
        assert_eq!(
            deliveries.dead.as_ref().map(|(_, count)| *count as usize),
            Some(attempts)
        );
    }

    fn refused(from: &str, to: &str) -> String {
        assert!(TEMPLATE.contains(from), "{from}");
        Template::parse(&TEMPLATE.replacen(from, to, 1)).expect_err("refused")
    }

    #[test]
    fn what_cannot_be_run_is_named() {
        let error = refused("Type: AWS::Logs::LogGroup", "Type: AWS::SNS::Topic");
        assert_eq!(
            error,
            "ApiLogs: the local stack cannot run a resource of type AWS::SNS::Topic"
        );
        let error = refused("          Type: HttpApi", "          Type: SNS");
        assert_eq!(error, "Create: Create: the local stack has no events of type SNS");
        let error = refused(
            "          Arn: !GetAtt Deliveries.Arn",
            "          Arn: !GetAtt Deliver.Arn",
        );
        assert_eq!(
            error,
            "Deliver is no queue, and the local stack delivers to nothing else"
        );
        let error = refused(
            "FunctionResponseTypes: [ReportBatchItemFailures]",
            "FunctionResponseTypes: []",
        );
        assert!(error.contains("ReportBatchItemFailures"), "{error}");
        let error = refused(
            "      VisibilityTimeout: 360",
            "      VisibilityTimeout: 360\n      FifoQueue: true",
        );
        assert!(error.starts_with("Deliveries: unknown field `FifoQueue`"), "{error}");
        let error = refused("Path: /v1/opportunities/{id}/close", "Path: /v1/{proxy+}");
        assert_eq!(error, "Close: Close: \"{proxy+}\" in /v1/{proxy+} is not supported");
        let error = refused("            ApiId: !Ref Api\n", "");
        assert!(error.contains("missing field `ApiId`"), "{error}");
        let error = refused(
            "      BillingMode:",
            "      LocalSecondaryIndexes: []\n      BillingMode:",
        );
        assert!(
            error.starts_with("Table: unknown field `LocalSecondaryIndexes`"),
            "{error}"
        );
        let error = refused("PAY_PER_REQUEST", "PROVISIONED");
        assert_eq!(error, "Table: the billing mode PROVISIONED is not supported");
        let error = refused("        DefaultAuthorizer: Jwt\n", "");
        assert!(error.starts_with("Api: "), "{error}");
        let error = refused("Schedule: !Ref SweepRate", "Schedule: !Ref JwtIssuer");
        assert!(error.starts_with("Expire: Sweep: "), "{error}");
        let error = refused("Method: PATCH", "Method: GET");
        assert_eq!(error, "the route GET /v1/opportunities/{id} is there twice");
    }
}
