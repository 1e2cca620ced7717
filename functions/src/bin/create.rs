//! The Lambda function `create`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("create", functions::create::handle).await
}
