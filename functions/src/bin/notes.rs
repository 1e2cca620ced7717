//! The Lambda function `notes`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("notes", functions::notes::handle).await
}
