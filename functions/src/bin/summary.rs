//! The Lambda function `summary`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("summary", functions::summary::handle).await
}
