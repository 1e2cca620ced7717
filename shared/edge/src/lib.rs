//! Between AWS Lambda and the rules: configuration, the caller, request parsing, answers, problem documents, telemetry.
//!
//! | to change | look in |
//! |---|---|
//! | a setting, a timeout of the database | [`config`] |
//! | who the caller is and what a role may do | [`claims`] |
//! | how a body, a query or a precondition is read | [`request`] |
//! | a status, a header, the form of an error | [`answer`], [`problem`] |
//! | what is logged | [`telemetry`] |
//! | how a function is entered, on AWS or locally | [`lambda`] |
//!
//! Architecture invariant: the environment is read in [`config`], the wall clock in [`clock`] and randomness in
//! [`entropy`], and nowhere else; what is decided from them is decided by pure functions that get them as arguments.

use std::sync::Arc;

pub mod answer;
pub mod claims;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod lambda;
pub mod problem;
pub mod request;
pub mod telemetry;

pub use answer::{Answer, etag};
pub use claims::{Caller, Role, Roles};
pub use config::{Config, ConfigError, DynamoDb, InvalidDuration, positive_duration};
pub use lambda::{Failure, event, http, invoke_event, invoke_http, respond};
pub use problem::Problem;
pub use request::{Accepts, IfMatch, Query};

/// What every function works with: built once for each process, cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The settings.
    pub config: Arc<Config>,
    /// The table.
    pub store: store::Store,
}

impl App {
    /// Connects lazily: nothing is sent before the first request needs it.
    pub fn new(config: Config) -> Self {
        let store = store::Store::new(config.dynamodb.client(), config.table.clone());
        Self {
            config: Arc::new(config),
            store,
        }
    }
}

#[cfg(test)]
mod testing;
