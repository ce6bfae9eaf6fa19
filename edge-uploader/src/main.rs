//! The program `edge-uploader`.

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod commands;

use edge_uploader::terminal;
use std::process::ExitCode;

/// Threads for disk work. More threads do not make it faster, and each needs memory.
const DISK_THREADS: usize = 8;

fn main() -> ExitCode {
    // Each camera needs descriptors, so raise the limit to what the system allows.
    framepost_listener::descriptors::raise();
    // Slow work (disk, muxing) has threads of its own. For the rest, one thread avoids wake-ups
    // between threads for each packet.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    match runtime.enable_all().max_blocking_threads(DISK_THREADS).build() {
        Ok(runtime) => runtime.block_on(run()),
        Err(error) => failed(&error.into()),
    }
}

async fn run() -> ExitCode {
    let cli = match commands::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    commands::telemetry(cli.log);
    match cli.run().await {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    terminal::err(format_args!("edge-uploader: {error:#}"));
    ExitCode::FAILURE
}
