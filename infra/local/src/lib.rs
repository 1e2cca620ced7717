//! The local stack: an engine, a gateway and a schedule in one process, as `infra/template.yaml` has them.
//!
//! | to change | look in |
//! |---|---|
//! | what of the template is understood | [`template`] |
//! | how a request finds its function | [`routes`] |
//! | what the gateway says itself | `gateway`, `authorizer` |
//! | what a function gets and gives | `event` |
//! | the embedded engine, the creation of the table | `engine` |
//! | the demo | `seed`, `demo.jsonl` |
//!
//! Architecture invariant: functions cannot tell this from AWS. They get the same JSON, through the same parsing, with a
//! deadline; what API Gateway answers itself they never see.

mod authorizer;
mod client;
mod engine;
mod event;
mod gateway;
mod import;
mod lambda;
pub mod routes;
mod schedule;
mod seed;
pub mod template;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use edge::{App, Config, clock};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use authorizer::{Claims, token};
pub use client::{CommandError, sweep};
pub use import::{Report, import};
pub use template::{Template, TemplateError};

use authorizer::Authorizer;
use engine::Engine;
use gateway::Gateway;
use lambda::Lambda;

/// The table's name, as CloudFormation would give it one.
pub const TABLE: &str = "cosell";
/// How long running requests, and a running sweep, may take to finish at the end.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// What a stack is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the gateway listens, on the loopback interface; 0 for a free port.
    pub port: u16,
    /// Where the embedded engine keeps the data.
    pub data: Data,
    /// Whether an empty table is filled with the demo.
    pub seed: bool,
    /// How long an invited organization has to answer.
    pub response_window: TimeDelta,
    /// How often the sweep runs; `None` for only when it is asked for.
    pub sweep_every: Option<Duration>,
    /// An engine to use instead of the embedded one: `http://` or `https://`.
    pub dynamodb_endpoint: Option<String>,
    /// What tokens are signed with.
    pub secret: String,
}

/// Where the embedded engine keeps the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// Nowhere: they end with the stack.
    Memory,
    /// In a file, made where there is none.
    File(PathBuf),
}

/// Why a stack does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else listens there.
    #[error("port {0} is taken, perhaps by another stack: choose another one with --port, or --port 0 for a free one")]
    PortTaken(u16),
    /// The port cannot be listened on.
    #[error("cannot listen on port {port}: {error}")]
    Port {
        /// Where.
        port: u16,
        /// Why not.
        error: std::io::Error,
    },
    /// There is no port for the engine.
    #[error("cannot listen on a port for the engine: {0}")]
    EnginePort(std::io::Error),
    /// Another stack works on the file.
    #[error("{} is in use by another stack: stop that one, or start this one with --memory or another --data FILE", .0.display())]
    Locked(PathBuf),
    /// The file cannot be used.
    #[error("cannot use {} for the data: {error}", .path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: String,
    },
    /// The endpoint of the engine is no URL.
    #[error("{0:?} is no endpoint of an engine: it must start with http:// or https://")]
    Endpoint(String),
    /// The template asks for something that cannot be run here.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The engine has no table that could be used.
    #[error("cannot use the engine at {engine}: {error}")]
    Table {
        /// Its address.
        engine: String,
        /// Why not.
        error: String,
    },
    /// The demo could not be made.
    #[error("cannot make the demo (--no-seed starts without it): {0}")]
    Seed(String),
}

/// A running stack. Dropping it stops it too, without waiting for what is running.
pub struct Stack {
    address: SocketAddr,
    engine: Engine,
    lambda: Lambda,
    stop: watch::Sender<bool>,
    /// The gateway, and what runs on a schedule.
    tasks: Vec<JoinHandle<()>>,
}

impl Stack {
    /// Starts a stack; it is ready when this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let template = Template::embedded()?;
        // First, because it is what fails most often.
        let port = options.port;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|error| match error.kind() {
                ErrorKind::AddrInUse => StartError::PortTaken(port),
                _ => StartError::Port { port, error },
            })?;
        let address = listener
            .local_addr()
            .map_err(|error| StartError::Port { port, error })?;

        let engine = match &options.dynamodb_endpoint {
            Some(url) => Engine::external(url)?,
            None => Engine::start(&options.data).await?,
        };
        let table_error = |error| StartError::Table {
            engine: engine.url.clone(),
            error,
        };
        let client = engine.dynamodb().client();
        engine::ensure_table(&client, TABLE, &template.table)
            .await
            .map_err(table_error)?;

        let app = App::new(Config {
            table: TABLE.to_owned(),
            response_window: options.response_window,
            dynamodb: engine.dynamodb(),
        });
        let lambda = Lambda::new(app, template.functions);
        let gateway = Gateway {
            lambda: lambda.clone(),
            routes: template.routes.into(),
            authorizer: Arc::new(Authorizer::new(&options.secret)),
            address,
            engine: client.clone(),
        };
        if options.seed && engine::is_empty(&client, TABLE).await.map_err(table_error)? {
            seed::seed(&gateway, &options.secret).await.map_err(StartError::Seed)?;
        }

        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        if let Some(every) = options.sweep_every {
            for (function, _) in template.schedules {
                tasks.push(schedule::start(lambda.clone(), function, every, stopped.clone()));
            }
        }
        let service = gateway.router().into_make_service_with_connect_info::<SocketAddr>();
        tasks.push(tokio::spawn(async move {
            let mut stopped = stopped;
            let shutdown = async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(shutdown).await {
                tracing::error!(%error, "the gateway failed: {error}");
            }
        }));
        Ok(Self {
            address,
            engine,
            lambda,
            stop,
            tasks,
        })
    }

    /// Where the gateway is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the engine is.
    pub fn engine_url(&self) -> String {
        self.engine.url.clone()
    }

    /// What the functions work with.
    pub fn app(&self) -> &App {
        &self.lambda.app
    }

    /// Runs the sweep once and gives its report.
    pub async fn sweep(&self) -> Result<Value, String> {
        self.lambda.invoke("expire", schedule::event(clock::now())).await
    }

    /// Imports JSON Lines and gives the report of the function.
    pub async fn import(&self, lines: &str) -> Result<Value, String> {
        self.lambda.invoke("import", json!({"lines": lines})).await
    }

    /// Stops: no new requests, those that run may finish for some seconds, then the engine.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        let finish = async {
            for task in self.tasks {
                let _ = task.await;
            }
        };
        if timeout(SHUTDOWN, finish).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
        // Its connections to the engine end with it.
        drop(self.lambda);
        self.engine.stop().await;
    }
}
