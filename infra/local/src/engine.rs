//! The database engine and the table in it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::describe_table::DescribeTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription, TableStatus, TimeToLiveSpecification,
};
use dynoxide::Database;
use rusqlite::Connection;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::stream::CHECKPOINTS;
use crate::template::{Key, Table};
use crate::{Data, StartError};

/// How long a table may take to become usable.
const CREATION: Duration = Duration::from_secs(30);
/// How long the engine may take to finish what it is at.
const SHUTDOWN: Duration = Duration::from_secs(5);

/// A DynamoDB-compatible engine: in this process, or somewhere else.
pub(crate) struct Engine {
    pub(crate) url: String,
    embedded: Option<Embedded>,
}

struct Embedded {
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), String>>,
    database: Database,
    _lock: Option<File>,
}

impl Engine {
    /// An engine that runs already.
    pub(crate) fn external(url: &str) -> Result<Self, StartError> {
        if url.starts_with("http://") || url.starts_with("https://") {
            let url = url.trim_end_matches('/').to_owned();
            Ok(Self { url, embedded: None })
        } else {
            Err(StartError::Endpoint(url.to_owned()))
        }
    }

    /// Starts the embedded engine on a free port.
    pub(crate) async fn start(data: &Data) -> Result<Self, StartError> {
        static MEMORIES: AtomicU32 = AtomicU32::new(0);
        let (path, name, lock) = match data {
            Data::Memory => {
                // SQLite's name for it, so that two connections find the same.
                let number = MEMORIES.fetch_add(1, Ordering::Relaxed);
                let name = format!("file:cosell-{number}?mode=memory&cache=shared");
                (Path::new("memory"), name, None)
            }
            Data::File(path) => {
                let lock = lock(path)?;
                let name = path.to_str().ok_or_else(|| data_error(path, "its name is not UTF-8"))?;
                (path.as_path(), name.to_owned(), Some(lock))
            }
        };
        let database = Database::new(&name).map_err(|error| data_error(path, error))?;
        index_stream(&name).map_err(|error| data_error(path, error))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(StartError::EnginePort)?;
        let url = format!("http://{}", listener.local_addr().map_err(StartError::EnginePort)?);
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(dynoxide::server::serve_with_shutdown(
            listener,
            database.clone(),
            async {
                // The sender being dropped is as good a reason to stop.
                let _ = stopped.await;
            },
        ));
        let embedded = Embedded {
            stop,
            serving,
            database,
            _lock: lock,
        };
        Ok(Self {
            url,
            embedded: Some(embedded),
        })
    }

    /// Stops the embedded engine; what is committed is in its file.
    pub(crate) async fn stop(self) {
        if let Some(Embedded {
            stop,
            serving,
            database,
            _lock: lock,
        }) = self.embedded
        {
            let _ = stop.send(());
            if timeout(SHUTDOWN, serving).await.is_err() {
                tracing::warn!("the engine did not stop in time");
            }
            drop(database);
            drop(lock);
        }
    }
}

fn data_error(path: &Path, error: impl fmt::Display) -> StartError {
    StartError::Data {
        path: path.to_owned(),
        error: error.to_string(),
    }
}

/// The engine numbers a record of a stream after a look at all that there are, and reads on in the same way: an import would
/// take the square of its lines. With an index in its own database it need not.
fn index_stream(name: &str) -> rusqlite::Result<()> {
    Connection::open(name)?.execute_batch(
        "CREATE INDEX IF NOT EXISTS cosell_stream_order
         ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
    )
}

/// Several processes could write to the file in turn, each with an engine that believes to be alone. The lock is the
/// operating system's, so it ends with the process however that ends.
fn lock(path: &Path) -> Result<File, StartError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|error| data_error(path, error))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options().create(true).append(true).open(PathBuf::from(name));
    let file = file.map_err(|error| data_error(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(data_error(path, error)),
    }
}

/// Sees to it that there is the table of the template. The table of another version is not touched.
pub(crate) async fn ensure_table(client: &Client, name: &str, table: &Table) -> Result<(), String> {
    let wanted = shape(
        table.key_schema.iter().map(key),
        table
            .global_secondary_indexes
            .iter()
            .map(|index| (index.name.clone(), shape(index.key_schema.iter().map(key), []))),
    );
    if let Some(found) = describe(client, name).await? {
        return if wanted == shape_of(&found) {
            Ok(())
        } else {
            Err(format!(
                "the table {name} there has other keys or indexes than infra/template.yaml, so another version made it: \
                 start with --memory or another --data FILE, or delete that one"
            ))
        };
    }
    create(client, name, table).await?;
    active(client, name).await?;
    if let Some(ttl) = &table.time_to_live_specification {
        let specification = TimeToLiveSpecification::builder()
            .attribute_name(&ttl.name)
            .enabled(ttl.enabled);
        let specification = specification.build().map_err(|error| error.to_string())?;
        let request = client
            .update_time_to_live()
            .table_name(name)
            .time_to_live_specification(specification);
        request.send().await.map_err(told)?;
    }
    Ok(())
}

/// Sees to it that there is a table for how far the stream was read.
pub(crate) async fn ensure_checkpoints(client: &Client) -> Result<(), String> {
    if describe(client, CHECKPOINTS).await?.is_some() {
        return Ok(());
    }
    let attribute = AttributeDefinition::builder()
        .attribute_name("shard")
        .attribute_type(ScalarAttributeType::S)
        .build();
    let key = KeySchemaElement::builder()
        .attribute_name("shard")
        .key_type(KeyType::Hash)
        .build();
    let request = client
        .create_table()
        .table_name(CHECKPOINTS)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute.map_err(|error| error.to_string())?)
        .key_schema(key.map_err(|error| error.to_string())?);
    request.send().await.map_err(told)?;
    active(client, CHECKPOINTS).await
}

/// Whether the table has no items at all.
#[expect(clippy::disallowed_methods, reason = "reads one item at most, once, at the start")]
pub(crate) async fn is_empty(client: &Client, table: &str) -> Result<bool, String> {
    let answer = client.scan().table_name(table).limit(1).send().await.map_err(told)?;
    Ok(answer.count() == 0)
}

/// Waits until a table can be used.
async fn active(client: &Client, name: &str) -> Result<(), String> {
    let deadline = Instant::now() + CREATION;
    while !describe(client, name).await?.is_some_and(|found| is_active(&found)) {
        if Instant::now() > deadline {
            return Err(format!("the table {name} did not become active"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn describe(client: &Client, name: &str) -> Result<Option<TableDescription>, String> {
    match client.describe_table().table_name(name).send().await {
        Ok(answer) => Ok(answer.table),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeTableError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(told(error)),
    }
}

async fn create(client: &Client, name: &str, table: &Table) -> Result<(), String> {
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest);
    for attribute in &table.attribute_definitions {
        let kind = ScalarAttributeType::from(attribute.kind.as_str());
        let definition = AttributeDefinition::builder()
            .attribute_name(&attribute.name)
            .attribute_type(kind);
        request = request.attribute_definitions(definition.build().map_err(|error| error.to_string())?);
    }
    request = request.set_key_schema(Some(key_schema(&table.key_schema)?));
    for index in &table.global_secondary_indexes {
        let kind = ProjectionType::from(index.projection.kind.as_str());
        let definition = GlobalSecondaryIndex::builder()
            .index_name(&index.name)
            .set_key_schema(Some(key_schema(&index.key_schema)?))
            .projection(
                Projection::builder()
                    .projection_type(kind)
                    .set_non_key_attributes(index.projection.attributes.clone())
                    .build(),
            );
        request = request.global_secondary_indexes(definition.build().map_err(|error| error.to_string())?);
    }
    if let Some(stream) = &table.stream_specification {
        let view = StreamViewType::from(stream.view.as_str());
        let specification = StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(view);
        request = request.stream_specification(specification.build().map_err(|error| error.to_string())?);
    }
    request.send().await.map(drop).map_err(told)
}

fn key_schema(keys: &[Key]) -> Result<Vec<KeySchemaElement>, String> {
    let element = |key: &Key| {
        let kind = KeyType::from(key.kind.as_str());
        KeySchemaElement::builder()
            .attribute_name(&key.name)
            .key_type(kind)
            .build()
    };
    keys.iter()
        .map(element)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn is_active(table: &TableDescription) -> bool {
    // Local engines do not always tell, and are ready at once.
    table.table_status().is_none_or(|status| *status == TableStatus::Active)
}

fn key(key: &Key) -> String {
    format!("{}:{}", key.name, key.kind)
}

fn shape_of(table: &TableDescription) -> String {
    let key = |key: &KeySchemaElement| format!("{}:{}", key.attribute_name(), key.key_type());
    shape(
        table.key_schema().iter().map(key),
        table.global_secondary_indexes().iter().map(|index| {
            let name = index.index_name().unwrap_or_default().to_owned();
            (name, shape(index.key_schema().iter().map(key), []))
        }),
    )
}

/// Keys and indexes as text, in an order of their own.
fn shape(keys: impl Iterator<Item = String>, indexes: impl IntoIterator<Item = (String, String)>) -> String {
    let keys: Vec<String> = keys.collect();
    let mut indexes: Vec<_> = indexes
        .into_iter()
        .map(|(name, keys)| format!(" {name}({keys})"))
        .collect();
    indexes.sort();
    format!("{}{}", keys.join(","), indexes.concat())
}

/// An error with everything that caused it.
fn told(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
