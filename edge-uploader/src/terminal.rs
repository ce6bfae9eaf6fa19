//! Lines for people, on standard output and standard error.
//!
//! The only place of this library and its programs that writes there, besides the log (clippy refuses `println!` elsewhere):
//! what a camera, a bucket or a file's name brings along must neither move a terminal's cursor nor show a password. See
//! [`framepost_ports::shown`].

use framepost_ports::shown::{Lines, line};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write as _};

/// One line on standard output. That nobody reads it any more is no error.
pub fn out(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{}", line(&text.to_string()));
}

/// One line on standard output of columns with a tab between them, for other programs.
pub fn row(columns: &[&dyn Display]) {
    let columns: Vec<String> = columns.iter().map(|column| line(&column.to_string())).collect();
    let _ = writeln!(io::stdout().lock(), "{}", columns.join("\t"));
}

/// One line on standard error.
pub fn err(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", line(&text.to_string()));
}

/// Several lines on standard error, each shown like one.
pub fn err_lines(text: &str) {
    text.lines().for_each(err);
}

/// Several lines on standard output, each shown like one.
pub fn out_lines(text: &str) {
    text.lines().for_each(out);
}

/// Draws the last line of standard error again, where that is a terminal.
pub fn redraw(text: impl Display) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[K{}", line(&text.to_string()));
    let _ = stderr.flush();
}

/// Whether standard error is a terminal.
pub fn is_interactive() -> bool {
    io::stderr().is_terminal()
}

/// Where log lines go.
pub fn log_lines() -> Lines<io::Stderr> {
    Lines(io::stderr())
}

/// Has a panic say where it was and what about in one line of the log, like everything else.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}
