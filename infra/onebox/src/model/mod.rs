//! `framepost model`: the models in a directory, and what they do.

mod add;
mod check;
mod compare;
mod get;

use crate::up::{DEFAULT_MODELS, MODELS};
use clap::Subcommand;
use edge_uploader::terminal;
use framepost_events::Sha256;
use framepost_models::ModelDirectory;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fetches a model from its publisher, and verifies it.
    Get(get::Arguments),
    /// Adds a model of your own: copies it, writes its model.toml, and runs it on a blank picture.
    Add(Box<add::Arguments>),
    /// Lists the models that are there: name, version, decoder, input, digest.
    List(Directory),
    /// Loads a model and runs it on a blank picture.
    Check(check::Arguments),
    /// Compares what two models saw in the same chunks, from the records of `infer`.
    Compare(compare::Arguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Directory {
    /// The directory of models.
    #[arg(long, env = MODELS, default_value = DEFAULT_MODELS, value_name = "DIR")]
    models: PathBuf,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Get(arguments) => get::run(&arguments).await,
        Command::Add(arguments) => add::run(&arguments).await,
        Command::List(directory) => list(&directory.models).await,
        Command::Check(arguments) => check::run(&arguments).await,
        Command::Compare(arguments) => compare::run(&arguments),
    }
}

/// Prints a line for each model. Exits with 1 if one is not what its `model.toml` says.
async fn list(models: &Path) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let entries = match std::fs::read_dir(models) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let mut directories: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    directories.retain(|path| path.join("model.toml").exists());
    directories.sort();
    if directories.is_empty() {
        terminal::err(format_args!(
            "no models in {}: `framepost model get` fetches one, `framepost model add` takes one of yours",
            models.display()
        ));
    }
    for path in directories {
        let directory = ModelDirectory::local(&path);
        let described = match directory.describe().await {
            Ok(description) => match description.manifest.file.clone() {
                Some(file) => directory.model(&file).await.map(|_| (Some(file.sha256), description)),
                None => Ok((None, description)),
            },
            Err(error) => Err(error),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match described {
            Ok((digest, description)) => {
                let manifest = &description.manifest;
                let labels = description.labels.len();
                let version = manifest.version.as_deref().unwrap_or("-");
                let input = format!("{}x{}", manifest.input.width, manifest.input.height);
                let digest = digest.map_or_else(|| "on a server".to_owned(), |digest: Sha256| digest.to_string());
                terminal::row(&[&name, &version, &input, &format!("{labels} labels"), &digest]);
            }
            Err(error) => {
                terminal::err(format_args!("framepost: {name}: {}", framepost_ports::chain(&error)));
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
