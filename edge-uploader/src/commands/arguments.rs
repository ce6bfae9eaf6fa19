//! Command line parsing, and messages for wrong arguments.
//!
//! clap repeats the argument that it rejects. That argument may be a camera's URL, or half of a
//! password that the shell split at a space. Messages therefore repeat only an option's name, or a
//! value that is a plain word.

use super::Cli;
use clap::Parser as _;
use clap::error::{ContextKind, ContextValue};
use edge_uploader::terminal;
use framepost_ports::shown::ShownUrl;
use std::process::ExitCode;

/// Replaces an argument that is not repeated.
const WITHHELD: &str = "…";

/// Parses the command line. On an error or `--help`, prints the text and returns the exit code.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|mut error| {
        let text = said(&mut error);
        if error.use_stderr() {
            terminal::err_lines(&text);
        } else {
            terminal::out_lines(&text);
        }
        u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
    })
}

/// Returns clap's message without text that must not be shown.
fn said(error: &mut clap::Error) -> String {
    let mut withheld = Vec::new();
    for (kind, shown) in [
        (ContextKind::InvalidArg, option as fn(&str) -> String),
        (ContextKind::InvalidSubcommand, command),
        (ContextKind::InvalidValue, value),
    ] {
        if let Some(ContextValue::String(text)) = error.get(kind) {
            let text = text.clone();
            let shown = shown(&text);
            error.insert(kind, ContextValue::String(shown.clone()));
            if !text.is_empty() && text != shown {
                withheld.push((text, shown));
            }
        }
    }
    let text = error.render().to_string();
    // Some value parsers repeat the value within a sentence of their own.
    withheld.iter().fold(text, |said, (text, shown)| said.replace(text, shown))
}

/// Returns an option's name with clap's placeholder, such as `--to <URL>`.
fn option(text: &str) -> String {
    let name = text.split([' ', '=']).next().unwrap_or_default();
    let word = name.trim_start_matches('-');
    let known = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && word.len() <= 24;
    let placed = text.starts_with('<') && text.ends_with('>') || text.starts_with('[');
    if (name.starts_with("--") && known) || placed { text.to_owned() } else { WITHHELD.to_owned() }
}

/// Returns a command's name, or a word that may be a misspelt one.
fn command(text: &str) -> String {
    let word = text.len() <= 24 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if word { text.to_owned() } else { WITHHELD.to_owned() }
}

/// Returns a value that is a plain word, or the visible part of a URL.
fn value(text: &str) -> String {
    if text.contains("://") {
        return ShownUrl::of(text).into();
    }
    let plain = text.chars().all(|c| c.is_alphanumeric() || " ._+-/=".contains(c));
    if plain { text.to_owned() } else { WITHHELD.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(arguments: &str) -> String {
        let arguments = format!("edge-uploader {arguments}");
        said(&mut Cli::try_parse_from(arguments.split(' ')).err().unwrap())
    }

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        for (arguments, expected) in [
            ("run --site s --camera c --from rtsp://u:hunter2 ss@h/ --to file:///d --spool d", "unexpected argument"),
            ("run --to rtsp://u:hunter2@h:port/", "--to"),
            ("run --to s3://u:hunter2@h:port/", "--to"),
            ("run --form rtsp://u:hunter2@h/", "--form"),
            ("run --form=rtsp://u:hunter2@h/", "--form"),
            ("run rtsp://u:hunter2@h/", "unexpected argument"),
            ("rtsp://u:hunter2@h/", "subcommand"),
            ("records", "records"),
            ("run --window hunter2://x", "--window"),
            ("run --site u:hunter2@h", "--site"),
            ("run --shutdown-deadline 3x", "3x"),
            ("run -xhunter2", "unexpected argument"),
        ] {
            let text = said_of(arguments);
            assert!(text.contains(expected), "{arguments}: {text}");
            let leaked = text.contains("hunter2@") || text.contains("u:hunter") || text.contains("ss@h");
            assert!(!leaked, "{arguments}: {text}");
        }
    }
}
