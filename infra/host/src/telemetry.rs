//! Logs: lines of JSON on standard output in Lambda, for people on standard error everywhere else.
//!
//! `RUST_LOG` filters; without it our own crates say `info` and the others `warn`.

mod cloud_logging;
mod trace_context;

pub use cloud_logging::{CloudLogging, Service};
pub use trace_context::{Sampling, TraceContext};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Our own crates.
const OURS: [&str; 6] =
    ["framepost", "framepost_host", "framepost_local", "framepost_aws", "framepost_probe", "edge_uploader"];

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
    init_with(format, []);
}

/// [`init`], with some crates at other levels where `RUST_LOG` says nothing.
pub fn init_with<const N: usize>(format: Format, levels: [(&str, LevelFilter); N]) {
    let chosen = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = chosen.unwrap_or_else(|| {
        let ours = OURS.map(|name| (name, LevelFilter::INFO));
        Targets::new().with_default(LevelFilter::WARN).with_targets(ours).with_targets(levels)
    });
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer();
    let started = match format {
        Format::Json => registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init(),
        Format::Human => registry.with(lines.with_target(false).with_writer(std::io::stderr)).try_init(),
    };
    // A test or an embedding program that has a log already keeps it.
    drop(started);
}
