//! Stand-ins for providers.
pub mod fate;
#[derive(Debug, Clone, clap::Args)]
pub struct SimulateArgs {
    #[arg(long)]
    pub listen: Option<String>,
}
pub async fn run(_: SimulateArgs, stop: tokio_util::sync::CancellationToken) -> Result<(), String> {
    stop.cancelled().await;
    Ok(())
}
