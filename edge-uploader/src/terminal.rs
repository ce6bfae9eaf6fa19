//! Writes lines to standard output and standard error.
//!
//! Besides the log, this is the only place in the library and its programs that writes there (clippy refuses
//! `println!` elsewhere). Text from a camera, a bucket or a file's name must neither move a terminal's cursor
//! nor show a password. See [`framepost_ports::shown`].

use framepost_ports::shown::{Lines, line};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write as _};

/// Writes one line to standard output. Ignores an error, for example when the reader has gone.
pub fn out(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{}", line(&text.to_string()));
}

/// Writes one line of tab-separated columns to standard output, for other programs.
pub fn row(columns: &[&dyn Display]) {
    let columns: Vec<String> = columns.iter().map(|column| line(&column.to_string())).collect();
    let _ = writeln!(io::stdout().lock(), "{}", columns.join("\t"));
}

/// Writes one line to standard error.
pub fn err(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", line(&text.to_string()));
}

/// Writes several lines to standard error, each filtered separately.
pub fn err_lines(text: &str) {
    text.lines().for_each(err);
}

/// Writes several lines to standard output, each filtered separately.
pub fn out_lines(text: &str) {
    text.lines().for_each(out);
}

/// Redraws the last line of standard error, if it is a terminal.
pub fn redraw(text: impl Display) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[K{}", line(&text.to_string()));
    let _ = stderr.flush();
}

/// Returns whether standard error is a terminal.
pub fn is_interactive() -> bool {
    io::stderr().is_terminal()
}

/// Returns the writer for log lines.
pub fn log_lines() -> Lines<io::Stderr> {
    Lines(io::stderr())
}

/// Logs a panic's place and message as one line, like everything else.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}
