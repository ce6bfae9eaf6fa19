//! `framepost verify`: checks an export without any service.

use anyhow::Context as _;
use edge_uploader::terminal;
use framepost_api::export::{Report, verify};
use framepost_events::manifest::PublicKey;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exits with 0 if nothing is wrong with it, with 1 if something is, or if there is no export to check."
)]
pub(crate) struct Arguments {
    /// The export: its directory, or the ZIP archive that it was downloaded as.
    export: PathBuf,
    /// The public key of a gateway, of 64 hexadecimal digits; can be given several times. With one, every chunk has to be signed
    /// with it. Without any, those are used that the export itself names.
    #[arg(long, value_name = "KEY")]
    key: Vec<PublicKey>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let export = &arguments.export;
    let report = verify(export, &arguments.key).with_context(|| format!("{} cannot be checked", export.display()))?;
    let Report { lines, faults, unchecked, unsigned } = report;
    lines.iter().for_each(terminal::out);
    for what in &unsigned {
        terminal::out(format_args!("not covered by a signature: {what}"));
    }
    for what in &unchecked {
        terminal::out(format_args!("not checked: {what}"));
    }
    for what in &faults {
        terminal::out(format_args!("WRONG: {what}"));
    }
    Ok(if faults.is_empty() {
        terminal::out("nothing is wrong with it");
        ExitCode::SUCCESS
    } else {
        terminal::out(format_args!("faults: {}", faults.len()));
        ExitCode::FAILURE
    })
}
