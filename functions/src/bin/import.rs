//! The Lambda function `import`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    edge::event("import", functions::import::handle).await
}
