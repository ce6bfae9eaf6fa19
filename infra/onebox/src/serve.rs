//! `framepost serve`: the API and the console over what was recorded, without recording.
//!
//! Nothing is read from cameras and no function runs, so what waits for one goes on waiting. It may run beside `framepost up`
//! of the same directory: both make exports then, and whoever writes an object second finds it there.

use crate::{api, up};
use anyhow::{Context as _, ensure};
use edge_uploader::signals::Signals;
use edge_uploader::terminal;
use framepost_api::{Api, MediaOrigins, Telling};
use framepost_local::LocalBucket;
use framepost_ports::SystemClock;
use framepost_sql::SqliteCatalog;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The data directory of a `framepost up`, which may be running.
    #[arg(long, default_value = "framepost-data", value_name = "DIR")]
    dir: PathBuf,
    /// Address of the API; by default 127.0.0.1:8642, or another port if that one is taken.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Who may use the API.
    #[arg(long, value_enum, default_value = "none")]
    auth: api::Auth,
}

/// Serves the API and the console until the process is interrupted.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { dir, listen, auth } = arguments;
    let signals = Signals::install()?;
    let bucket = up::bucket_dir(&dir);
    let catalog = up::catalog_file(&dir)?;
    // Opening would create both. Whoever wants to see footage has misspelt the directory.
    ensure!(
        bucket.is_dir() && catalog.is_file(),
        "there is no footage in {}: `framepost up --dir` records into it",
        dir.display()
    );
    let bucket = Arc::new(LocalBucket::open(bucket).await.context("cannot open the bucket")?);
    let catalog = Arc::new(SqliteCatalog::open(catalog).await.context("cannot open the catalogue")?);
    let public_keys = up::known_signer(&dir)?.iter().map(|signer| signer.public_key()).collect();
    let exports = Some(api::exports(catalog.clone(), &bucket, public_keys));
    let listener = api::listen(listen, auth).await?;
    let address = listener.local_addr()?;
    let access = auth.access(&dir, address)?;
    api::tell(address, auth);
    let stop = CancellationToken::new();
    let api = Api {
        catalog,
        source: bucket,
        clock: Arc::new(SystemClock),
        exports,
        access,
        media_origins: MediaOrigins::default(),
        // None runs here.
        workings: None,
        telling: Telling::AsItHappens,
    };
    let serving = tokio::spawn(api::serve(listener, api, stop.clone()));
    terminal::err("nothing is recorded; Ctrl-C ends");
    signals.interrupted().await;
    stop.cancel();
    serving.await?;
    Ok(ExitCode::SUCCESS)
}
