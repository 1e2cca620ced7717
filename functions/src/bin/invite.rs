//! The Lambda function `invite`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("invite", functions::invite::handle).await
}
