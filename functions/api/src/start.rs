//! The function, made of what its host gives it.

use crate::export::{ExportBucket, ExportParts, Exports, Work};
use crate::{Access, Api, MediaOrigins, Oidc, OidcOptions, PathSigner, Telling, Tokens, router};
use anyhow::{Context as _, ensure};
use framepost_events::manifest::PublicKey;
use framepost_host::Clouds;
use framepost_ports::Catalog;
use std::sync::Arc;

/// What this function is triggered by and what it needs: `function.yaml`.
pub const MANIFEST: &str = include_str!("../function.yaml");

const TOKENS: &str = "FRAMEPOST_API_TOKENS";
const KEY: &str = "FRAMEPOST_API_KEY";
const EXPORTS: &str = "FRAMEPOST_API_EXPORTS";
const MEDIA_ORIGINS: &str = "FRAMEPOST_API_MEDIA_ORIGINS";
const PUBLIC_KEYS: &str = "FRAMEPOST_PUBLIC_KEYS";

/// Makes the router from its clouds. Everybody can send requests to it there, so it requires tokens.
pub async fn start(clouds: Clouds) -> anyhow::Result<axum::Router> {
    let options = OidcOptions::of_variables(|name| clouds.variable(name)).map_err(anyhow::Error::msg)?;
    let needed =
        |name| clouds.variable(name).with_context(|| format!("{name} is not set, and everybody could make requests"));
    // Neither error shows what is there.
    let tokens = match clouds.variable(TOKENS) {
        None if options.is_some() => "[]".to_owned(),
        _ => needed(TOKENS)?,
    };
    let tokens = Tokens::of(&tokens).map_err(|_| anyhow::anyhow!("{TOKENS} is not a list of tokens"))?;
    let secret = hex::decode(needed(KEY)?.trim()).map_err(|_| anyhow::anyhow!("{KEY} is not hexadecimal"))?;
    ensure!(secret.len() >= 32, "{KEY} has less than 64 hexadecimal digits");
    let oidc = options.map(|options| Oidc::new(options, clouds.clock.clone())).transpose()?.map(Arc::new);
    let access = Access::Tokens { tokens: Arc::new(tokens), oidc, signer: PathSigner::new(&secret) };
    let media_origins = clouds.variable(MEDIA_ORIGINS).unwrap_or_default();
    let media_origins = MediaOrigins::parse_list(&media_origins).context(MEDIA_ORIGINS)?;
    let catalog = clouds.catalog().await?;
    let exports = exports(&clouds, catalog.clone()).await?;
    // A Lambda answers one request at a time, to its end, whoever is still there: readers that have gone would take it from all others.
    let telling = if clouds.is_in_lambda() { Telling::InTurns } else { Telling::AsItHappens };
    let source = clouds.source;
    Ok(router(Api { catalog, source, clock: clouds.clock, exports, access, media_origins, workings: None, telling }))
}

/// What makes exports, where the environment names their bucket. Nothing runs here between two requests: neither Lambda nor Cloud
/// Run gives a process time then. So each request for an export that is being made, or for a list with one, writes a file of it.
async fn exports(clouds: &Clouds, catalog: Arc<dyn Catalog>) -> anyhow::Result<Option<Exports>> {
    let Some(at) = clouds.variable(EXPORTS) else { return Ok(None) };
    let bucket = clouds.bucket(EXPORTS, &at)?;
    let is_readable = bucket.provider == clouds.source.provider();
    ensure!(is_readable, "{EXPORTS}: exports are read by what reads the footage, so they are in the same cloud");
    let keys = clouds.variable(PUBLIC_KEYS).unwrap_or_default();
    Ok(Some(Exports::new(ExportParts {
        catalog,
        source: clouds.source.clone(),
        clock: clouds.clock.clone(),
        bucket: ExportBucket {
            sink: bucket.sink().await?,
            listing: bucket.listing().await?,
            removal: bucket.removal().await?,
            name: bucket.name,
        },
        work: Work::InCalls,
        public_keys: PublicKey::parse_list(&keys).context(PUBLIC_KEYS)?,
    })))
}
