//! The Lambda function `directory`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("directory", functions::directory::handle).await
}
