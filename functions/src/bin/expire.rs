//! The Lambda function `expire`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::event("expire", functions::expire::handle).await
}
