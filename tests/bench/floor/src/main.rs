//! The least that a function with this work can be: `lambda_http`, the SDK of DynamoDB, and the calls that a real function was
//! seen to make (`FLOOR_CALLS`, a file of the bench program), one after the other as it made them. Nothing of the product.
//!
//! Each invocation says in `x-fresh` what is to stand in place of what was recorded, so that every write is a new one.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use futures_util::future::try_join_all;
use lambda_http::{Error, Request, Response, run, service_fn};
use serde_json::{Map, Value};

/// The roots that the endpoints of AWS have: <https://www.amazontrust.com/repository/>.
const ROOTS: &str = include_str!("../../../../shared/edge/src/amazon.pem");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let calls = std::fs::read(variable("FLOOR_CALLS").ok_or("FLOOR_CALLS names the recorded calls")?)?;
    let stages: &Vec<Vec<(String, Value)>> = &serde_json::from_slice(&calls)?;
    let client = &client()?;
    run(service_fn(|request: Request| async move {
        let fresh = request
            .headers()
            .get("x-fresh")
            .map_or(Ok(""), |value| value.to_str())?;
        let fresh = Fresh(fresh.split(',').filter_map(|pair| pair.split_once('=')).collect());
        for stage in stages {
            let calls = stage
                .iter()
                .map(|(operation, input)| call(client, operation, &fresh, input));
            try_join_all(calls).await?;
        }
        Ok::<_, Error>(Response::new("done".to_owned()))
    }))
    .await
}

#[expect(clippy::disallowed_methods, reason = "a function by itself: there is no other home")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn client() -> Result<Client, Error> {
    let needed = |name: &str| variable(name).ok_or_else(|| format!("{name} is not set"));
    let endpoint = variable("AWS_ENDPOINT_URL_DYNAMODB");
    let http = if endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.starts_with("http://"))
    {
        Builder::new().build_http()
    } else {
        let roots = match variable("SSL_CERT_FILE") {
            Some(file) => std::fs::read(file)?,
            None => ROOTS.into(),
        };
        let context = TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(roots));
        Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context.build()?)
            .build_https()
    };
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(needed("AWS_REGION")?))
        .credentials_provider(Credentials::new(
            needed("AWS_ACCESS_KEY_ID")?,
            needed("AWS_SECRET_ACCESS_KEY")?,
            variable("AWS_SESSION_TOKEN"),
            None,
            "environment",
        ))
        .retry_config(RetryConfig::standard())
        .http_client(http);
    config.set_endpoint_url(endpoint);
    Ok(Client::from_conf(config.build()))
}

/// What stands in an invocation for what was recorded.
struct Fresh<'a>(Vec<(&'a str, &'a str)>);

impl Fresh<'_> {
    fn text(&self, recorded: &str) -> String {
        let mut text = recorded.to_owned();
        for (recorded, fresh) in &self.0 {
            if text.contains(recorded) {
                text = text.replace(recorded, fresh);
            }
        }
        text
    }

    fn attribute(&self, value: &Value) -> Result<AttributeValue, Error> {
        let (kind, value) = value
            .as_object()
            .and_then(|value| value.iter().next())
            .ok_or("no attribute")?;
        Ok(match (kind.as_str(), value) {
            ("S", Value::String(text)) => AttributeValue::S(self.text(text)),
            ("N", Value::String(number)) => AttributeValue::N(number.clone()),
            ("BOOL", Value::Bool(bool)) => AttributeValue::Bool(*bool),
            ("NULL", _) => AttributeValue::Null(true),
            ("L", Value::Array(items)) => AttributeValue::L(
                items
                    .iter()
                    .map(|item| self.attribute(item))
                    .collect::<Result<_, _>>()?,
            ),
            ("SS", Value::Array(items)) => AttributeValue::Ss(
                items
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|text| self.text(text))
                    .collect(),
            ),
            ("M", Value::Object(items)) => AttributeValue::M(self.item(items)?),
            _ => return Err(format!("an attribute of the kind {kind}").into()),
        })
    }

    fn item(&self, item: &Map<String, Value>) -> Result<HashMap<String, AttributeValue>, Error> {
        let attributes = item
            .iter()
            .map(|(name, value)| Ok((name.clone(), self.attribute(value)?)));
        attributes.collect()
    }
}

/// The fields of a recorded input. All of them are used: what is not understood must not be lost in silence.
struct Fields<'a> {
    fresh: &'a Fresh<'a>,
    all: &'a Map<String, Value>,
    used: usize,
}

impl<'a> Fields<'a> {
    fn of(fresh: &'a Fresh<'a>, input: &'a Value) -> Result<Self, Error> {
        let all = input.as_object().ok_or("an input is an object")?;
        Ok(Self { fresh, all, used: 0 })
    }

    fn value(&mut self, name: &str) -> Option<&'a Value> {
        let value = self.all.get(name)?;
        self.used += 1;
        Some(value)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        Some(self.fresh.text(self.value(name)?.as_str()?))
    }

    fn bool(&mut self, name: &str) -> Option<bool> {
        self.value(name)?.as_bool()
    }

    fn names(&mut self) -> Option<HashMap<String, String>> {
        let names = self.value("ExpressionAttributeNames")?.as_object()?;
        Some(
            names
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect(),
        )
    }

    fn item(&mut self, name: &str) -> Result<Option<HashMap<String, AttributeValue>>, Error> {
        let item = self.value(name).and_then(Value::as_object);
        item.map(|item| self.fresh.item(item)).transpose()
    }

    fn values(&mut self) -> Result<Option<HashMap<String, AttributeValue>>, Error> {
        self.item("ExpressionAttributeValues")
    }

    fn capacity(&mut self) -> Option<ReturnConsumedCapacity> {
        self.text("ReturnConsumedCapacity")
            .map(|text| ReturnConsumedCapacity::from(text.as_str()))
    }

    fn on_failure(&mut self) -> Option<ReturnValuesOnConditionCheckFailure> {
        let text = self.text("ReturnValuesOnConditionCheckFailure")?;
        Some(ReturnValuesOnConditionCheckFailure::from(text.as_str()))
    }

    fn end(&self) -> Result<(), Error> {
        if self.used == self.all.len() {
            return Ok(());
        }
        let names: Vec<&String> = self.all.keys().collect();
        Err(format!("not all of {names:?} is understood").into())
    }
}

async fn call(client: &Client, operation: &str, fresh: &Fresh<'_>, input: &Value) -> Result<(), Error> {
    let mut fields = Fields::of(fresh, input)?;
    let f = &mut fields;
    match operation {
        "GetItem" => {
            let call = client
                .get_item()
                .set_table_name(f.text("TableName"))
                .set_key(f.item("Key")?)
                .set_consistent_read(f.bool("ConsistentRead"))
                .set_projection_expression(f.text("ProjectionExpression"))
                .set_expression_attribute_names(f.names())
                .set_return_consumed_capacity(f.capacity());
            f.end()?;
            call.send().await?;
        }
        "Query" => {
            let call = client
                .query()
                .set_table_name(f.text("TableName"))
                .set_index_name(f.text("IndexName"))
                .set_key_condition_expression(f.text("KeyConditionExpression"))
                .set_filter_expression(f.text("FilterExpression"))
                .set_projection_expression(f.text("ProjectionExpression"))
                .set_expression_attribute_names(f.names())
                .set_expression_attribute_values(f.values()?)
                .set_exclusive_start_key(f.item("ExclusiveStartKey")?)
                .set_scan_index_forward(f.bool("ScanIndexForward"))
                .set_consistent_read(f.bool("ConsistentRead"))
                .set_limit(f.value("Limit").and_then(|limit| limit.as_i64()?.try_into().ok()))
                .set_return_consumed_capacity(f.capacity());
            f.end()?;
            call.send().await?;
        }
        "BatchGetItem" => {
            let tables = f.value("RequestItems").and_then(Value::as_object).ok_or("no tables")?;
            let mut call = client.batch_get_item().set_return_consumed_capacity(f.capacity());
            f.end()?;
            for (table, input) in tables {
                call = call.request_items(table, keys(fresh, input)?);
            }
            call.send().await?;
        }
        "TransactWriteItems" => {
            let items = f.value("TransactItems").and_then(Value::as_array).ok_or("no items")?;
            // Each transaction is one of its own: the SDK draws a token.
            f.value("ClientRequestToken");
            let mut call = client.transact_write_items().set_return_consumed_capacity(f.capacity());
            f.end()?;
            for item in items {
                call = call.transact_items(transact_item(fresh, item)?);
            }
            call.send().await?;
        }
        "PutItem" => {
            let call = client
                .put_item()
                .set_table_name(f.text("TableName"))
                .set_item(f.item("Item")?)
                .set_condition_expression(f.text("ConditionExpression"))
                .set_expression_attribute_names(f.names())
                .set_expression_attribute_values(f.values()?)
                .set_return_consumed_capacity(f.capacity());
            f.end()?;
            call.send().await?;
        }
        "UpdateItem" => {
            let call = client
                .update_item()
                .set_table_name(f.text("TableName"))
                .set_key(f.item("Key")?)
                .set_update_expression(f.text("UpdateExpression"))
                .set_condition_expression(f.text("ConditionExpression"))
                .set_expression_attribute_names(f.names())
                .set_expression_attribute_values(f.values()?)
                .set_return_consumed_capacity(f.capacity());
            f.end()?;
            call.send().await?;
        }
        other => return Err(format!("an operation that is not understood: {other}").into()),
    }
    Ok(())
}

fn keys(fresh: &Fresh<'_>, input: &Value) -> Result<KeysAndAttributes, Error> {
    let mut fields = Fields::of(fresh, input)?;
    let keys = fields.value("Keys").and_then(Value::as_array).ok_or("no keys")?;
    let keys = keys.iter().filter_map(Value::as_object).map(|key| fresh.item(key));
    let built = KeysAndAttributes::builder()
        .set_keys(Some(keys.collect::<Result<_, _>>()?))
        .set_consistent_read(fields.bool("ConsistentRead"))
        .set_projection_expression(fields.text("ProjectionExpression"))
        .set_expression_attribute_names(fields.names());
    fields.end()?;
    Ok(built.build()?)
}

fn transact_item(fresh: &Fresh<'_>, item: &Value) -> Result<TransactWriteItem, Error> {
    let (kind, input) = item.as_object().and_then(|item| item.iter().next()).ok_or("no item")?;
    let mut fields = Fields::of(fresh, input)?;
    let f = &mut fields;
    let built = TransactWriteItem::builder();
    let built = match kind.as_str() {
        "Put" => built.put(
            Put::builder()
                .set_table_name(f.text("TableName"))
                .set_item(f.item("Item")?)
                .set_condition_expression(f.text("ConditionExpression"))
                .set_expression_attribute_names(f.names())
                .set_expression_attribute_values(f.values()?)
                .set_return_values_on_condition_check_failure(f.on_failure())
                .build()?,
        ),
        "Update" => built.update(
            Update::builder()
                .set_table_name(f.text("TableName"))
                .set_key(f.item("Key")?)
                .set_update_expression(f.text("UpdateExpression"))
                .set_condition_expression(f.text("ConditionExpression"))
                .set_expression_attribute_names(f.names())
                .set_expression_attribute_values(f.values()?)
                .set_return_values_on_condition_check_failure(f.on_failure())
                .build()?,
        ),
        other => return Err(format!("an item that is not understood: {other}").into()),
    };
    fields.end()?;
    Ok(built.build())
}
