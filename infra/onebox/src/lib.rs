//! The whole pipeline in one process tree, on one machine: a program with whatever functions it is given.
//!
//! [`main`] is the command line of `framepost`. It gets a list of functions, and this crate knows none of them by name. Each
//! is made with the same [`Clouds`](framepost_host::Clouds), and has an inbox of its own in the bucket's directory, which the
//! triggers in its manifest fill.

mod api;
mod apply;
mod cameras;
mod detect;
mod functions;
mod lasting;
#[cfg(feature = "onnx")]
mod model;
mod output;
mod privacy;
mod replay;
mod retention;
pub mod s3_endpoint;
mod secret;
mod serve;
mod token;
mod up;
mod verify;
mod workings;

pub use functions::Functions;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use edge_uploader::terminal;
use framepost_host::{Registered, telemetry};
use std::ffi::OsString;
use std::process::ExitCode;
use tracing::level_filters::LevelFilter;

/// Framepost on one machine: video in, time-stamped chunks in a bucket, a record for each.
#[derive(Debug, Parser)]
#[command(name = "framepost", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts everything: an S3 endpoint, the bus, the functions, the API and the edge uploader.
    Up(Box<up::Arguments>),
    /// Serves the API and the console over what was recorded, without recording.
    Serve(serve::Arguments),
    /// Probes files, and prints a record for each. Exits with 1 if any file was rejected.
    Probe(apply::Arguments),
    /// Runs a detector on files, and prints a record for each; on request, draws the boxes into pictures.
    Detect(detect::Arguments),
    /// Gives objects in a bucket to a function again, for example after a change of model or settings, or to rebuild a catalogue.
    Replay(Box<replay::Arguments>),
    /// Models that say what is to be seen: fetches, adds, lists, checks and compares them.
    #[cfg(feature = "onnx")]
    #[command(subcommand)]
    Model(model::Command),
    /// Makes, lists and takes away tokens of the API.
    Token(token::Arguments),
    /// Checks an export without any service: its files, what they show, who signed it, and whether anything is missing.
    Verify(verify::Arguments),
    /// Lists the functions that this program has, and what each is triggered by.
    Functions,
}

/// Runs the command in the arguments, the first of which is the program's name, with these functions.
pub async fn main(functions: Vec<Registered>, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let functions = match Functions::new(functions) {
        Ok(functions) => functions,
        Err(error) => return failed(&error),
    };
    let listed = format!("Functions:\n{functions}");
    let command = Cli::command().mut_subcommand("up", |up| up.after_help(listed));
    let cli = match command.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Where nobody reads it there is nobody to tell either.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    framepost_listener::descriptors::raise();
    telemetry::init_with(telemetry::Format::Human, levels(&functions, &cli.command));
    let result = match cli.command {
        Command::Up(arguments) => up::run(*arguments, &functions).await,
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Probe(arguments) => apply::run("probe", &functions, &arguments).await,
        Command::Detect(arguments) => detect::run(arguments, &functions).await,
        Command::Replay(arguments) => replay::run(*arguments, &functions).await,
        #[cfg(feature = "onnx")]
        Command::Model(command) => model::run(command).await,
        Command::Token(arguments) => token::run(arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Functions => {
            terminal::out_lines(&functions.to_string());
            Ok(ExitCode::SUCCESS)
        }
    };
    result.unwrap_or_else(|error| failed(&error))
}

/// Records are on standard output already, so a function's own log lines about them are left out.
fn levels(functions: &Functions, command: &Command) -> Vec<(String, LevelFilter)> {
    let host = match command {
        Command::Up(_) | Command::Serve(_) | Command::Token(_) | Command::Verify(_) | Command::Functions => {
            LevelFilter::WARN
        }
        #[cfg(feature = "onnx")]
        Command::Model(_) => LevelFilter::WARN,
        // Its exit code and the records say the same.
        Command::Probe(_) | Command::Detect(_) | Command::Replay(_) => LevelFilter::OFF,
    };
    let own = |name: &str| (format!("framepost_{}", name.replace('-', "_")), LevelFilter::ERROR);
    let mut levels: Vec<_> = functions.iter().map(|function| own(function.name())).collect();
    levels.push(("framepost_host".to_owned(), host));
    // The lines of records, whichever function logs them.
    levels.push(("framepost_ports".to_owned(), LevelFilter::ERROR));
    levels
}

fn failed(error: &anyhow::Error) -> ExitCode {
    terminal::err(format_args!("framepost: {error:#}"));
    ExitCode::FAILURE
}
