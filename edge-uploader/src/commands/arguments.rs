//! The command line's arguments, and what is said where they are wrong.
//!
//! clap repeats the argument that it cannot take. That may be a camera's URL, or the half of a password that a shell has
//! split at a space; so of an argument only an option's name, and of a value only a plain word, is repeated.

use super::Cli;
use clap::Parser as _;
use clap::error::{ContextKind, ContextValue};
use edge_uploader::terminal;
use framepost_ports::shown::ShownUrl;
use std::process::ExitCode;

/// What stands for an argument that is not repeated.
const WITHHELD: &str = "…";

/// The command line; otherwise what is said about it, or the help, has been printed, and the program ends.
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

/// clap's words, without what may not be shown.
fn said(error: &mut clap::Error) -> String {
    let mut withheld = Vec::new();
    for (kind, shown) in [
        (ContextKind::InvalidArg, option as fn(&str) -> String),
        (ContextKind::InvalidSubcommand, command),
        (ContextKind::InvalidValue, value),
    ] {
        if let Some(ContextValue::String(text)) = error.get(kind) {
            let (text, shown) = (text.clone(), shown(text));
            error.insert(kind, ContextValue::String(shown.clone()));
            if !text.is_empty() && text != shown {
                withheld.push((text, shown));
            }
        }
    }
    let text = error.render().to_string();
    // Whoever refuses a value repeats it in a sentence of its own.
    withheld.iter().fold(text, |said, (text, shown)| said.replace(text, shown))
}

/// An option's name with what clap puts behind it, such as `--to <URL>`; nothing else.
fn option(text: &str) -> String {
    let name = text.split([' ', '=']).next().unwrap_or_default();
    let word = name.trim_start_matches('-');
    let known = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && word.len() <= 24;
    let placed = text.starts_with('<') && text.ends_with('>') || text.starts_with('[');
    if (name.starts_with("--") && known) || placed { text.to_owned() } else { WITHHELD.to_owned() }
}

/// A command's name, or what could be a misspelt one.
fn command(text: &str) -> String {
    let word = text.len() <= 24 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    if word { text.to_owned() } else { WITHHELD.to_owned() }
}

/// A value that is a plain word, or what may be shown of a URL.
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
