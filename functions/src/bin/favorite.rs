//! The Lambda function `favorite`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("favorite", functions::favorite::handle).await
}
