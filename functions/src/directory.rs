//! What a form of a deal is filled with: customers, contacts, solutions, partners to invite, and the caller's own organization.
//! All of it only reads.

use edge::{Answer, App, Problem};
use lambda_http::{Request, RequestExt};

use crate::{contacts, customers, organization, partners, solutions};

/// Gives the request to the module of its path.
pub async fn handle(app: App, request: Request) -> Result<Answer, Problem> {
    match request.raw_http_path().trim_end_matches('/') {
        path if path.ends_with("/customers") => customers::handle(&app, &request).await,
        path if path.ends_with("/contacts/recent") => contacts::handle(&app, &request).await,
        path if path.ends_with("/solutions") => solutions::handle(&app, &request).await,
        path if path.ends_with("/organizations/me") => organization::show(&app, &request).await,
        path if path.ends_with("/partners") || path.ends_with("/partners/me") => partners::handle(&app, &request).await,
        _ => Err(Problem::not_found()),
    }
}
