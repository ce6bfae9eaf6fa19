//! `edge-uploader`: the gateway's program.

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod commands;

use edge_uploader::{descriptors, terminal};
use std::process::ExitCode;

/// Threads for work on the disk, which is done no faster by more of them; each keeps memory of its own.
const DISK_THREADS: usize = 8;

fn main() -> ExitCode {
    // As many descriptors as the system lets it have: each camera takes some.
    descriptors::raise();
    // What takes time, disk and mux, has threads of its own: one for all the rest wakes no other for each packet.
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
