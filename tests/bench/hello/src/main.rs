//! The least that a Lambda function behind HTTP can be: what the start of a function is measured against.

use std::convert::Infallible;

use lambda_http::{Error, Request, Response, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(|_: Request| async {
        Ok::<_, Infallible>(Response::new("hello".to_owned()))
    }))
    .await
}
