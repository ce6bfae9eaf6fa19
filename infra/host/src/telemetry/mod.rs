//! Logs: one JSON object a line on standard output where a machine reads them, for people on standard error everywhere else.
//!
//! `RUST_LOG` filters; without it our own crates say `info` and the others `warn`.

#[cfg(feature = "gcp")]
mod cloud_logging;
mod json;
#[cfg(feature = "gcp")]
mod trace_context;

#[cfg(feature = "gcp")]
pub use cloud_logging::Service;
#[cfg(feature = "gcp")]
pub(crate) use trace_context::{Sampling, TraceContext};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// What the targets of our own crates begin with.
const OURS: [&str; 2] = ["framepost", "edge_uploader"];

/// Who reads the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// CloudWatch, and any machine that reads JSON.
    Json,
    /// Cloud Logging.
    #[cfg(feature = "gcp")]
    CloudLogging(Service),
    /// People.
    Human,
}

/// The fields of a record, which travel through `tracing` as the JSON object of one field: their names are the record's, and
/// no call site knows them.
fn record_fields(field: &tracing::field::Field, value: &str) -> Option<serde_json::Map<String, serde_json::Value>> {
    (field.name() == "record").then(|| serde_json::from_str(value).ok())?
}

/// Starts the log of this process. Only the first call counts.
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
    // A panic is one line of the log too, with the message that it was about, and not a dozen lines of text.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        Format::Json => registry.with(json::Lines::new(json::stdout)).try_init(),
        #[cfg(feature = "gcp")]
        Format::CloudLogging(service) => {
            registry.with(cloud_logging::CloudLogging::new(service, json::stdout)).try_init()
        }
        Format::Human => {
            // A camera's or a bucket's words do not move a terminal's cursor.
            let writer = || framepost_ports::shown::Lines(std::io::stderr());
            registry.with(tracing_subscriber::fmt::layer().with_target(false).with_writer(writer)).try_init()
        }
    };
    // A test or an embedding program that has a log already keeps it.
    drop(started);
}
