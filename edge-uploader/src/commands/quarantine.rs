//! `edge-uploader quarantine`.

use edge_uploader::spool::Spool;
use edge_uploader::terminal;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The spool's directory. The gateway must not be running.
    #[arg(long, value_name = "DIR")]
    spool: PathBuf,
    /// Gives all of them back to the uploader: the next start tries them again.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(arguments.spool.join("objects").is_dir(), "there is no spool at {}", arguments.spool.display());
    let spool = Spool::open_unmended(&arguments.spool)?;
    let objects = spool.quarantined();
    for object in &objects {
        terminal::row(&[&object.key, &object.bytes, &object.reason]);
    }
    if arguments.release {
        let released = spool.release_quarantine(None)?;
        terminal::err(format_args!("{released} objects are given back to the uploader"));
    } else {
        terminal::err(format_args!("{} objects in quarantine", objects.len()));
    }
    Ok(ExitCode::SUCCESS)
}
