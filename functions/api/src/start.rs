//! The function, made of what its host gives it.

use crate::{Access, Api, Oidc, OidcOptions, PathSigner, Tokens, router};
use anyhow::{Context as _, ensure};
use framepost_host::Clouds;
use std::sync::Arc;

/// What this function is triggered by and what it needs: `function.yaml`.
pub const MANIFEST: &str = include_str!("../function.yaml");

const TOKENS: &str = "FRAMEPOST_API_TOKENS";
const KEY: &str = "FRAMEPOST_API_KEY";

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
    let catalog = clouds.catalog().await?;
    Ok(router(Api { catalog, source: clouds.source, clock: clouds.clock, exports: None, access, workings: None }))
}
