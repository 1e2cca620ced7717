//! What an invocation asked of the database: the capacity that it consumed, and how often it was throttled.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::delete_item::{DeleteItemInput, DeleteItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::put_item::{PutItemInput, PutItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsInput, TransactWriteItemsOutput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemInput, UpdateItemOutput};
use aws_sdk_dynamodb::types::{ConsumedCapacity, ReturnConsumedCapacity};
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextMut, FinalizerInterceptorContextRef, Output,
};

/// Units are counted in halves: an eventually consistent read of 4 KB is half of one.
const HALVES: f64 = 2.0;
/// What a refusal names when there were too many calls.
const THROTTLED: [&str; 4] = [
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "ThrottlingError",
    "ThrottlingException",
];

/// What an invocation has asked of the database so far.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    reads: AtomicU32,
    writes: AtomicU32,
    throttles: AtomicU32,
}

impl Usage {
    /// Read units.
    pub(crate) fn reads(&self) -> f64 {
        f64::from(self.reads.load(Ordering::Relaxed)) / HALVES
    }

    /// Write units.
    pub(crate) fn writes(&self) -> f64 {
        f64::from(self.writes.load(Ordering::Relaxed)) / HALVES
    }

    /// Attempts that the database refused because there were too many.
    pub(crate) fn throttles(&self) -> u32 {
        self.throttles.load(Ordering::Relaxed)
    }
}

tokio::task_local! {
    /// The invocation that the task works for. The local stack runs several at once with one client.
    static USAGE: Arc<Usage>;
}

/// Runs an invocation; what it asks of the database counts.
pub(crate) async fn measured<F: Future>(usage: Arc<Usage>, invocation: F) -> F::Output {
    USAGE.scope(usage, invocation).await
}

/// Has the database tell what each call consumed, and adds it to the invocation's.
#[derive(Debug)]
pub(crate) struct Measure;

impl Intercept for Measure {
    fn name(&self) -> &'static str {
        "Measure"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input_mut();
        let total = Some(ReturnConsumedCapacity::Total);
        if let Some(input) = input.downcast_mut::<QueryInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<GetItemInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<BatchGetItemInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<TransactWriteItemsInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<PutItemInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<UpdateItemInput>() {
            input.return_consumed_capacity = total;
        } else if let Some(input) = input.downcast_mut::<DeleteItemInput>() {
            input.return_consumed_capacity = total;
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let refused = context.response().filter(|response| response.status().as_u16() == 400);
        let body = refused.and_then(|response| response.body().bytes()).unwrap_or_default();
        let body = String::from_utf8_lossy(body);
        if THROTTLED.iter().any(|code| body.contains(code)) {
            let _ = USAGE.try_with(|usage| usage.throttles.fetch_add(1, Ordering::Relaxed));
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(Ok(output)) = context.output_or_error() {
            let (reads, writes) = consumed(output);
            let _ = USAGE.try_with(|usage| {
                usage.reads.fetch_add(halves(reads), Ordering::Relaxed);
                usage.writes.fetch_add(halves(writes), Ordering::Relaxed);
            });
        }
        Ok(())
    }
}

/// What a call consumed: of reading, of writing.
fn consumed(output: &Output) -> (&[ConsumedCapacity], &[ConsumedCapacity]) {
    fn one(capacity: Option<&ConsumedCapacity>) -> &[ConsumedCapacity] {
        capacity.map_or(&[], std::slice::from_ref)
    }
    if let Some(output) = output.downcast_ref::<QueryOutput>() {
        (one(output.consumed_capacity()), &[])
    } else if let Some(output) = output.downcast_ref::<GetItemOutput>() {
        (one(output.consumed_capacity()), &[])
    } else if let Some(output) = output.downcast_ref::<BatchGetItemOutput>() {
        (output.consumed_capacity(), &[])
    } else if let Some(output) = output.downcast_ref::<TransactWriteItemsOutput>() {
        (&[], output.consumed_capacity())
    } else if let Some(output) = output.downcast_ref::<PutItemOutput>() {
        (&[], one(output.consumed_capacity()))
    } else if let Some(output) = output.downcast_ref::<UpdateItemOutput>() {
        (&[], one(output.consumed_capacity()))
    } else if let Some(output) = output.downcast_ref::<DeleteItemOutput>() {
        (&[], one(output.consumed_capacity()))
    } else {
        (&[], &[])
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a call consumes some thousand halves at most, and never less than none"
)]
fn halves(capacity: &[ConsumedCapacity]) -> u32 {
    let units: f64 = capacity.iter().filter_map(ConsumedCapacity::capacity_units).sum();
    (units * HALVES).round() as u32
}
