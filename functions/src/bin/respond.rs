//! The Lambda function `respond`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("respond", functions::respond::handle).await
}
