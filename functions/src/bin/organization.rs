//! The Lambda function `organization`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("organization", functions::organization::handle).await
}
