//! What can be looked up: whom to invite. All of it only reads.

use edge::{Answer, App, Problem};
use lambda_http::{Request, RequestExt};

use crate::partners;

/// Gives the request to the module of its path.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    match request.raw_http_path().trim_end_matches('/') {
        path if path.ends_with("/partners") || path.ends_with("/partners/me") => partners::handle(&app, &request).await,
        _ => Err(Problem::not_found()),
    }
}
