//! Between AWS Lambda and the rules: configuration, the caller, request parsing, answers, problem documents, telemetry.
//!
//! | to change | look in |
//! |---|---|
//! | a setting, a timeout of the database | [`config`] |
//! | how AWS is reached, and whom a function trusts | `connect` |
//! | who the caller is and what a role may do | [`claims`] |
//! | how a body, a query or a precondition is read | [`request`] |
//! | a status, a header, the form of an error | [`answer`], [`problem`] |
//! | what is logged, what is measured | [`telemetry`], `capacity` |
//! | how a function is entered, on AWS or locally | [`lambda`] |
//!
//! Architecture invariant: the environment is read in [`config`], the wall clock in [`clock`] and randomness in
//! [`entropy`], and nowhere else; what is decided from them is decided by pure functions that get them as arguments.

use std::sync::{Arc, OnceLock};

pub mod answer;
mod capacity;
pub mod claims;
pub mod clock;
pub mod config;
mod connect;
pub mod entropy;
pub mod lambda;
pub mod problem;
pub mod request;
pub mod telemetry;

pub use answer::{Answer, etag};
pub use claims::{Caller, Role, Roles};
pub use config::{Aws, Config, ConfigError, Endpoints, InvalidDuration, Needed, positive_duration};
pub use lambda::{Failure, event, http, invoke_event, invoke_http, respond};
pub use problem::Problem;
pub use request::{Accepts, IfMatch, Query};
pub use telemetry::{Metric, measure};

use events::{Bus, Queues};

/// What every function works with: built once for each process, cheap to clone.
#[derive(Clone)]
pub struct App {
    /// The settings.
    pub config: Arc<Config>,
    /// The table.
    pub store: store::Store,
    bus: Arc<OnceLock<Bus>>,
    queues: Arc<OnceLock<Queues>>,
}

impl App {
    /// Connects lazily: nothing is sent before the first request needs it.
    pub fn new(config: Config) -> Self {
        let store = store::Store::new(config.aws.dynamodb(), config.table.clone());
        Self {
            config: Arc::new(config),
            store,
            bus: Arc::default(),
            queues: Arc::default(),
        }
    }

    /// The bus. Made when it is first asked for, so that a function that publishes nothing carries none of it.
    pub fn bus(&self) -> Result<&Bus, ConfigError> {
        let name = self.config.bus.get()?;
        Ok(self
            .bus
            .get_or_init(|| Bus::new(self.config.aws.event_bridge(), name.to_owned())))
    }

    /// The queues, likewise.
    pub fn queues(&self) -> &Queues {
        self.queues.get_or_init(|| Queues::new(self.config.aws.sqs()))
    }
}

#[cfg(test)]
mod testing;
