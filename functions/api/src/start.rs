//! The function, made of what its host gives it.

/// What this function is triggered by and what it needs: `function.yaml`.
pub const MANIFEST: &str = include_str!("../function.yaml");

/// Makes the router of its clouds.
pub async fn start(_clouds: framepost_host::Clouds) -> anyhow::Result<axum::Router> {
    anyhow::bail!("the API tells callers apart on one machine only so far: run `framepost up`")
}
