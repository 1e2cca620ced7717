//! The Lambda function `close`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("close", functions::close::handle).await
}
