//! Logs: lines of JSON on standard output in Lambda, for people on standard error everywhere else.
//!
//! `RUST_LOG` filters; without it our own crates say `info` and the others `warn`.

use tracing_subscriber::EnvFilter;

const DEFAULT_FILTER: &str =
    "warn,framepost=info,framepost_host=info,framepost_local=info,framepost_aws=info,framepost_probe=info,edge_uploader=info";

/// Who reads the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Machines.
    Json,
    /// People.
    Human,
}

/// Starts the log of this process. Only the first call counts.
pub fn init(format: Format) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let builder = tracing_subscriber::fmt().with_env_filter(filter);
    let started = match format {
        Format::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
        Format::Human => builder.with_writer(std::io::stderr).try_init(),
    };
    // A test or an embedding program that has a log already keeps it.
    drop(started);
}
