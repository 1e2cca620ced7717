//! The Lambda function `list`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::http("list", functions::list::handle).await
}
