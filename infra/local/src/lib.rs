//! The local stack: an engine, a gateway, a schedule, a stream, a bus and queues in one process, as `infra/template.yaml` has
//! them.
//!
//! | to change | look in |
//! |---|---|
//! | what of the template is understood | [`template`] |
//! | how a request finds its function | [`routes`] |
//! | what the gateway says itself | `gateway`, `authorizer` |
//! | what a function gets and gives | `event` |
//! | the embedded engine, the creation of the table | `engine` |
//! | how events go their way | `stream`, `bus`, `queue`, `services` |
//! | the demo | `seed`, `demo.jsonl` |
//!
//! Architecture invariant: functions cannot tell this from AWS. They get the same JSON, through the same parsing, with a
//! deadline; what API Gateway answers itself they never see.

mod authorizer;
mod bus;
mod client;
mod engine;
mod event;
mod gateway;
mod import;
mod lambda;
mod queue;
pub mod routes;
mod schedule;
mod seed;
mod services;
mod stream;
pub mod template;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::config::Credentials;
use chrono::TimeDelta;
use domain::ResponseWindow;
use edge::{App, Aws, Config, Endpoints, Needed, clock};
use events::webhook::Targets;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub use authorizer::{Claims, token};
pub use client::{CommandError, events, redrive, sweep};
pub use import::{Progress, Report, import};
pub use template::{Template, TemplateError};

use authorizer::Authorizer;
use bus::Bus;
use engine::Engine;
use gateway::Gateway;
use lambda::Lambda;
use queue::Queues;
use services::{Services, queue_url};
use stream::Reader;

/// The table's name, as CloudFormation would give it one.
pub const TABLE: &str = "cosell";
/// The bus's name, which on AWS is that of the stack.
pub const BUS: &str = "cosell";
/// The access key for engines that check none.
pub const ACCESS_KEY: &str = "local";
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
    /// How long before the end of that it is reminded.
    pub expiring_before: TimeDelta,
    /// How often the sweep runs; `None` for only when it is asked for.
    pub sweep_every: Option<Duration>,
    /// An engine to use instead of the embedded one: `http://` or `https://`.
    pub dynamodb_endpoint: Option<String>,
    /// What the stack calls itself there. DynamoDB Local keeps a database for each access key; no local engine checks it.
    pub dynamodb_access_key: String,
    /// Where to publish instead of at the bus of the stack: `http://` or `https://`.
    pub events_endpoint: Option<String>,
    /// Whether the stream of the table is read. Without, events stay where they are: for who counts what else is asked of the
    /// database.
    pub stream: bool,
    /// What tokens are signed with.
    pub secret: String,
    /// How far the clocks of the machines that run the functions are ahead; only tests have any that are.
    pub clock_ahead: TimeDelta,
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
    /// The endpoint of an engine or of a bus is no URL.
    #[error("{0:?} is no endpoint: it must start with http:// or https://")]
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
    services: Services,
    events_url: String,
    lambda: Lambda,
    stop: watch::Sender<bool>,
    /// The gateway, what runs on a schedule, and what carries events on.
    tasks: Vec<JoinHandle<()>>,
    /// The endpoint of EventBridge and SQS.
    serving: JoinHandle<()>,
}

impl Stack {
    /// Starts a stack; it is ready when this returns.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let mut template = Template::embedded()?;
        if !options.stream && options.dynamodb_endpoint.is_some() {
            // DynamoDB Local fails now and then where several write at once to what has a stream.
            template.table.stream_specification = None;
        }
        // First, because it is what fails most often.
        let (listener, address) = listen(options.port).await?;
        if let Some(url) = &options.events_endpoint
            && !["http://", "https://"].iter().any(|scheme| url.starts_with(scheme))
        {
            return Err(StartError::Endpoint(url.clone()));
        }
        let engine = match &options.dynamodb_endpoint {
            Some(url) => Engine::external(url)?,
            None => Engine::start(&options.data).await?,
        };
        let unusable = |error: String| StartError::Template(TemplateError::of(error));
        let queues = Queues::new(template.queues);
        let services = Services {
            bus: Bus::new(BUS.to_owned(), template.rules, queues.clone()).map_err(unusable)?,
            queues: queues.clone(),
        };
        let events_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(StartError::EnginePort)?;
        let events_url = format!(
            "http://{}",
            events_listener.local_addr().map_err(StartError::EnginePort)?
        );
        let config = config(&options, &engine.url, &events_url, &template.queue_settings);
        let client = config.aws.dynamodb();
        let streams = aws_sdk_dynamodbstreams::Client::new(&config.aws.sdk_config(Some(&engine.url)));
        let lambda = Lambda::new(App::new(config), template.functions);
        let table_error = |error| StartError::Table {
            engine: engine.url.clone(),
            error,
        };
        engine::ensure_table(&client, TABLE, &template.table)
            .await
            .map_err(table_error)?;

        let written = Arc::new(Notify::new());
        let gateway = Gateway {
            lambda: lambda.clone(),
            routes: template.routes.into(),
            authorizer: Arc::new(Authorizer::new(&options.secret)),
            address,
            engine: client.clone(),
            bus: services.bus.clone(),
            written: Arc::clone(&written),
        };
        if options.seed && engine::is_empty(&client, TABLE).await.map_err(table_error)? {
            seed::seed(&lambda).await.map_err(StartError::Seed)?;
        }

        let (stop, stopped) = watch::channel(false);
        let router = services.clone().router();
        // The last to stop: what is finished at the end may still publish.
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(events_listener, router).await {
                tracing::error!(%error, "the endpoint of events failed: {error}");
            }
        });
        let mut tasks = vec![serve(listener, gateway, stopped.clone())];
        if let (true, Some(mapping)) = (options.stream, template.stream) {
            engine::ensure_checkpoints(&client).await.map_err(table_error)?;
            let reader = Reader::new(streams, client, lambda.clone(), mapping, written).map_err(unusable)?;
            tasks.push(reader.start(stopped.clone()));
        }
        for consumer in template.consumers {
            tasks.push(queues.consume(lambda.clone(), consumer, stopped.clone()));
        }
        if let Some(every) = options.sweep_every {
            for (function, _) in template.schedules {
                tasks.push(schedule::start(lambda.clone(), function, every, stopped.clone()));
            }
        }
        Ok(Self {
            address,
            engine,
            services,
            events_url,
            lambda,
            stop,
            tasks,
            serving,
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

    /// Where EventBridge and SQS are.
    pub fn events_url(&self) -> String {
        self.events_url.clone()
    }

    /// What was published at the stack's own bus, oldest first.
    pub fn published(&self) -> Vec<Value> {
        let published = self.services.bus.published();
        let events = published.iter().map(|event| serde_json::from_str(event.get()));
        events.collect::<Result<_, _>>().unwrap_or_default()
    }

    /// The bodies of the messages in a queue of the template, by its logical id.
    pub fn messages(&self, queue: &str) -> Vec<String> {
        self.services.queues.bodies(queue)
    }

    /// Publishes again, as `notify` does when it is asked to.
    pub async fn redrive(&self, redrive: &Value) -> Result<Value, String> {
        self.lambda.invoke("notify", json!({"redrive": redrive})).await
    }

    /// Gives a function an event, as the Lambda service would.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, String> {
        self.lambda.invoke(function, event).await
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
        self.serving.abort();
        // Its connections to the engine end with it.
        drop(self.lambda);
        self.engine.stop().await;
    }
}

async fn listen(port: u16) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| match error.kind() {
            ErrorKind::AddrInUse => StartError::PortTaken(port),
            _ => StartError::Port { port, error },
        })?;
    let address = listener
        .local_addr()
        .map_err(|error| StartError::Port { port, error })?;
    Ok((listener, address))
}

/// What the functions are told; on AWS, the template tells it.
fn config(options: &Options, engine: &str, events: &str, queues: &BTreeMap<String, String>) -> Config {
    let queue = |setting: &str| queues.get(setting).map(|queue| queue_url(events, queue));
    let event_bridge = options.events_endpoint.as_deref().unwrap_or(events);
    Config {
        table: TABLE.to_owned(),
        response_window: ResponseWindow {
            length: options.response_window,
            reminder: options.expiring_before,
        },
        aws: Aws {
            // Local engines check neither region nor credentials, but there have to be some.
            region: "local".to_owned(),
            credentials: Credentials::new(&options.dynamodb_access_key, "local", None, None, "local"),
            own_roots: false,
            endpoints: Endpoints {
                dynamodb: Some(engine.to_owned()),
                event_bridge: Some(event_bridge.to_owned()),
                sqs: Some(events.to_owned()),
            },
        },
        bus: Needed::bus(Some(BUS.to_owned())),
        dead_letters: Needed::dead_letters(queue("COSELL_DEAD_LETTERS")),
        deliveries: Needed::deliveries(queue("COSELL_DELIVERIES")),
        stack: None,
        webhook_targets: Targets::Loopback,
        clock_ahead: options.clock_ahead,
    }
}

/// Serves the API until told to stop; requests that run are finished.
fn serve(listener: TcpListener, gateway: Gateway, mut stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    let service = gateway.router().into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move {
        let shutdown = async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(shutdown).await {
            tracing::error!(%error, "the gateway failed: {error}");
        }
    })
}
