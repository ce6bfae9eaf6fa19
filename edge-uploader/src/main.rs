//! `edge-uploader`: the gateway's program.

mod commands;

use clap::Parser as _;
use std::process::ExitCode;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let cli = commands::Cli::parse();
    commands::telemetry(cli.log);
    match cli.run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("edge-uploader: {error:#}");
            ExitCode::FAILURE
        }
    }
}
