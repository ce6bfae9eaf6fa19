//! The function where a cloud runs it: AWS Lambda, or beside a local bucket.

use framepost_probe::{Probe, Settings};

fn main() -> anyhow::Result<()> {
    let settings = Settings::from_variables(|name| std::env::var(name).ok())?;
    framepost_host::run(|clouds| Probe::new(clouds.source, clouds.bus, settings))
}
