//! The function where a cloud runs it.
//!
//! All of it will be the host's: `framepost_host::run(|clouds, settings| Probe::new(clouds.source, clouds.bus, settings))`,
//! with the settings from `FRAMEPOST_PUBLIC_KEYS` and `FRAMEPOST_CONTENT_CHECK` ([`Settings::from_variables`]).

fn main() -> anyhow::Result<()> {
    let settings = framepost_probe::Settings::from_variables(|name| std::env::var(name).ok())?;
    anyhow::bail!("no host was compiled in; {} public keys are configured", settings.public_keys.len())
}
