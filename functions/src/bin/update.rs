//! The Lambda function `update`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("update", functions::update::handle).await
}
