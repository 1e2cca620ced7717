//! The handlers: one module and one Lambda binary for each action.
//!
//! A handler only translates. It reads the request, has the domain decide, has the store write, and shows the result; every
//! command goes the same way, in [`command`].

pub mod close;
mod command;
mod contacts;
pub mod create;
mod customers;
pub mod deliver;
pub mod directory;
pub mod expire;
pub mod favorite;
pub mod get;
pub mod import;
pub mod invite;
pub mod list;
pub mod notes;
pub mod notifications;
pub mod notify;
pub mod organization;
mod partners;
mod redrive;
pub mod register;
mod representation;
pub mod respond;
mod solutions;
pub mod summary;
pub mod update;
pub mod webhooks;

use edge::App;
use serde_json::Value;

/// What the Lambda service does with a function: one JSON event in, one JSON answer out. For HTTP functions both are in
/// API Gateway's payload format 2.0. `deadline` is in milliseconds since 1970.
///
/// # Errors
/// There is no such function, the event is not one it takes, or it failed.
pub async fn invoke(name: &str, app: &App, event: Value, deadline: u64) -> Result<Value, String> {
    match name {
        "create" => edge::invoke_http("create", app, event, create::handle).await,
        "get" => edge::invoke_http("get", app, event, get::handle).await,
        "list" => edge::invoke_http("list", app, event, list::handle).await,
        "update" => edge::invoke_http("update", app, event, update::handle).await,
        "respond" => edge::invoke_http("respond", app, event, respond::handle).await,
        "close" => edge::invoke_http("close", app, event, close::handle).await,
        "invite" => edge::invoke_http("invite", app, event, invite::handle).await,
        "favorite" => edge::invoke_http("favorite", app, event, favorite::handle).await,
        "notes" => edge::invoke_http("notes", app, event, notes::handle).await,
        "summary" => edge::invoke_http("summary", app, event, summary::handle).await,
        "notifications" => edge::invoke_http("notifications", app, event, notifications::handle).await,
        "register" => edge::invoke_http("register", app, event, register::handle).await,
        "webhooks" => edge::invoke_http("webhooks", app, event, webhooks::handle).await,
        "directory" => edge::invoke_http("directory", app, event, directory::handle).await,
        "organization" => edge::invoke_http("organization", app, event, organization::handle).await,
        "expire" => edge::invoke_event("expire", app, event, deadline, expire::handle).await,
        "notify" => edge::invoke_event("notify", app, event, deadline, notify::handle).await,
        "deliver" => edge::invoke_event("deliver", app, event, deadline, deliver::handle).await,
        "import" => edge::invoke_event("import", app, event, deadline, import::handle).await,
        other => Err(format!("there is no function {other}")),
    }
}
