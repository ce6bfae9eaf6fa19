//! Logs: one JSON object per line on standard output if a machine reads them, otherwise text on standard error.
//!
//! `RUST_LOG` filters. By default, our own crates log at `info` and the others at `warn`.

#[cfg(feature = "gcp")]
mod cloud_logging;
mod json;
#[cfg(feature = "http")]
mod trace_context;

#[cfg(feature = "gcp")]
pub use cloud_logging::Service;
#[cfg(feature = "http")]
pub(crate) use trace_context::{Sampling, TraceContext};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// What the targets of our own crates begin with.
const OURS: [&str; 2] = ["framepost", "edge_uploader"];

/// The reader of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// CloudWatch, and any program that reads JSON.
    Json,
    /// Cloud Logging, with its names for severity and trace.
    #[cfg(feature = "gcp")]
    CloudLogging(Service),
    Human,
}

/// Parses the fields of a record, which pass through `tracing` as a JSON object in one field, because their
/// names are not known at the call site.
fn record_fields(field: &tracing::field::Field, value: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    (field.name() == "record").then(|| serde_json::from_str(value).ok())?
}

/// Starts the log of this process. Only the first call has an effect.
pub fn init(format: Format) {
    init_with(format, Vec::new());
}

/// [`init`], with targets that begin with these texts at other levels where `RUST_LOG` says nothing.
#[cfg_attr(
    not(feature = "gcp"),
    expect(clippy::needless_pass_by_value, reason = "the service that Cloud Logging names is kept")
)]
pub fn init_with(format: Format, levels: Vec<(String, LevelFilter)>) {
    let chosen = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let filter = chosen.unwrap_or_else(|| {
        let ours = OURS.map(|name| (name, LevelFilter::INFO));
        Targets::new().with_default(LevelFilter::WARN).with_targets(ours).with_targets(levels)
    });
    // Log a panic as a single line as well, with the message that caused it.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        Format::Json => registry.with(json::Lines::new(json::stdout)).try_init(),
        #[cfg(feature = "gcp")]
        Format::CloudLogging(service) => {
            registry.with(cloud_logging::CloudLogging::new(service, json::stdout)).try_init()
        }
        Format::Human => {
            // Text from a camera or a bucket must not control the terminal.
            let writer = || framepost_ports::shown::Lines(std::io::stderr());
            registry.with(tracing_subscriber::fmt::layer().with_target(false).with_writer(writer)).try_init()
        }
    };
    // Keep the log of a test or an embedding program.
    drop(started);
}
