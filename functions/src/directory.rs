//! What can be looked up: partners.

use edge::{Answer, App, Problem};
use lambda_http::Request;

/// Hands a request on to what it is about.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    crate::partners::handle(&app, &request).await
}
