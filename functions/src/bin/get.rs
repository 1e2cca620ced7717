//! The Lambda function `get`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("get", functions::get::handle).await
}
