//! What can go wrong between the functions and the table.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use thiserror::Error;

use crate::idempotency::Recorded;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a read or a write did not happen, or may not have.
#[derive(Debug, Error)]
pub enum Error {
    /// Somebody else changed the deal since it was read. Nothing was written: read and decide again.
    #[error("the deal has changed since it was read")]
    Stale,
    /// The idempotency key was used before. Nothing was written.
    #[error("the idempotency key was used before")]
    Used(Box<Recorded>),
    /// The database did not answer, or was busy, for longer than the retries last. A write may have happened.
    #[error("the database is not available")]
    Unavailable(#[source] Source),
    /// The database refused the call: the fault is ours, or the deployment's.
    #[error("the database refused the call")]
    Refused(#[source] Source),
    /// An item does not say what this version of the code writes.
    #[error("the item is not readable: {0}")]
    Corrupt(String),
}

impl Error {
    pub(crate) fn unavailable(message: &'static str) -> Self {
        Self::Unavailable(message.into())
    }
}

/// Error codes that pass: the same call may succeed later.
const PASSING: [&str; 8] = [
    "InternalServerError",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

impl<E> From<SdkError<E>> for Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E>) -> Self {
        let passing = match &error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
            SdkError::ServiceError(service) => {
                service.raw().status().as_u16() >= 500
                    || service.err().code().is_some_and(|code| PASSING.contains(&code))
            }
            _ => false,
        };
        let source: Source = Box::new(error);
        if passing {
            Self::Unavailable(source)
        } else {
            Self::Refused(source)
        }
    }
}

/// Whether an earlier attempt at the same transaction is still running.
pub(crate) fn in_progress(error: &SdkError<TransactWriteItemsError>) -> bool {
    error
        .as_service_error()
        .is_some_and(TransactWriteItemsError::is_transaction_in_progress_exception)
}

/// Why one item of a cancelled transaction failed.
#[derive(Debug)]
pub(crate) enum Cancelled {
    /// This item was not the reason.
    No,
    /// Its condition did not hold; the item as it is.
    Condition(Option<crate::Item>),
    /// Another transaction was at it, or there was no capacity: it may pass.
    Passing,
    /// Anything else.
    Other(String),
}

/// Why each item of a cancelled transaction failed, in the order of the items; `None` if it was not cancelled.
pub(crate) fn cancellation(error: &SdkError<TransactWriteItemsError>) -> Option<Vec<Cancelled>> {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return None;
    };
    let reasons = cancelled
        .cancellation_reasons()
        .iter()
        .map(|reason| match reason.code() {
            None | Some("None") => Cancelled::No,
            Some("ConditionalCheckFailed") => Cancelled::Condition(reason.item().cloned()),
            Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded") => Cancelled::Passing,
            Some(other) => Cancelled::Other(other.to_owned()),
        });
    Some(reasons.collect())
}
