//! `framepost`: the whole pipeline in one process tree, on one machine.

#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod cameras;
mod output;
mod privacy;
mod probe;
mod up;

use clap::{Parser, Subcommand};
use edge_uploader::{descriptors, terminal};
use framepost_host::telemetry;
use std::process::ExitCode;
use tracing::level_filters::LevelFilter;

/// Framepost on one machine: video in, time-stamped chunks in a bucket, a record for each.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts everything: an S3 endpoint, the bus, the probe and the edge uploader.
    Up(up::Arguments),
    /// Probes files: the record, or the reject record, of each. Exits with 1 if any was rejected.
    Probe(probe::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    descriptors::raise();
    // The records themselves are on standard output.
    let levels = [("framepost_probe", LevelFilter::ERROR), ("framepost_host", LevelFilter::WARN)];
    telemetry::init_with(telemetry::Format::Human, levels);
    let result = match cli.command {
        Command::Up(arguments) => up::run(arguments).await,
        Command::Probe(arguments) => probe::run(&arguments).await,
    };
    result.unwrap_or_else(|error| {
        terminal::err(format_args!("framepost: {error:#}"));
        ExitCode::FAILURE
    })
}
