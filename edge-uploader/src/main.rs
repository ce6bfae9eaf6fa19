//! `edge-uploader`: the gateway's program.

mod commands;

use clap::Parser as _;
use std::process::ExitCode;

// What takes time, disk and mux, has threads of its own: one for all the rest wakes no other for each packet.
#[tokio::main(flavor = "current_thread")]
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
