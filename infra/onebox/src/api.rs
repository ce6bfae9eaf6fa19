//! The API's listener.

use crate::token;
use anyhow::Context as _;
use edge_uploader::terminal;
use framepost_api::export::{ExportBucket, ExportParts, Exports, Work};
use framepost_api::{Access, Api, Oidc, OidcOptions, PathSigner, Tokens};
use framepost_events::manifest::PublicKey;
use framepost_listener::{ConnectionLimits, Versions};
use framepost_local::LocalBucket;
use framepost_ports::{Catalog, SystemClock};
use hyper_util::service::TowerToHyperService;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const PORT: u16 = 8642;

/// A page opens several connections, and nine cameras one each.
const LIMITS: ConnectionLimits = ConnectionLimits {
    versions: Versions::Http1,
    connections: 256,
    header_time: Duration::from_mins(1),
    idle_time: Duration::from_mins(2),
    answer_time: Duration::from_mins(2),
    lifetime: Duration::from_hours(6),
    header_bytes: 64 * 1024,
    drain: Duration::from_secs(10),
};

/// Who may use the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Auth {
    /// Everybody on this machine may see everything.
    None,
    /// Only callers with a token: `framepost token new`.
    Tokens,
}

impl Auth {
    /// Returns the access to a listener at this address, with the tokens of the data directory.
    pub(crate) fn access(self, dir: &Path, address: SocketAddr) -> anyhow::Result<Access> {
        Ok(match self {
            Self::None => Access::on_loopback(address),
            Self::Tokens => Access::Tokens {
                tokens: Arc::new(Tokens::in_file(token::file(dir))),
                oidc: oidc()?,
                signer: PathSigner::new(&token::path_secret(dir)?),
            },
        })
    }
}

/// Checks tokens of an issuer, where the environment names one.
fn oidc() -> anyhow::Result<Option<Arc<Oidc>>> {
    let options = OidcOptions::of_variables(|name| std::env::var(name).ok()).map_err(anyhow::Error::msg)?;
    Ok(options.map(|options| Oidc::new(options, Arc::new(SystemClock))).transpose()?.map(Arc::new))
}

/// Listens at the address that was asked for; otherwise on the usual port, or on another if that is taken.
pub(crate) async fn listen(asked: Option<SocketAddr>, auth: Auth) -> anyhow::Result<TcpListener> {
    if let Some(asked) = asked {
        anyhow::ensure!(
            asked.ip().is_loopback() || auth == Auth::Tokens,
            "--listen {asked}: others than this machine reach that, so it needs --auth tokens"
        );
        return TcpListener::bind(asked).await.with_context(|| format!("cannot listen on {asked}"));
    }
    match TcpListener::bind((Ipv4Addr::LOCALHOST, PORT)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on loopback"),
    }
}

/// Prints the addresses of API and console, and who may use them.
pub(crate) fn tell(address: SocketAddr, auth: Auth) {
    let who = match auth {
        Auth::None => "anyone on this machine may ask",
        Auth::Tokens => "with a token: framepost token new",
    };
    terminal::err(format_args!("console   http://{address}/"));
    terminal::err(format_args!("api       http://{address}/docs ({who})"));
}

/// What makes exports of this bucket, beside the footage.
pub(crate) fn exports(catalog: Arc<dyn Catalog>, bucket: &Arc<LocalBucket>, public_keys: Vec<PublicKey>) -> Exports {
    let name = bucket.name().to_owned();
    Exports::new(ExportParts {
        catalog,
        source: bucket.clone(),
        clock: Arc::new(SystemClock),
        bucket: ExportBucket { name, sink: bucket.clone(), listing: bucket.clone(), removal: bucket.clone() },
        work: Work::Background,
        public_keys,
    })
}

/// Serves until `stop`, then finishes requests in progress. Exports are made meanwhile; what is not done then goes on next time.
pub(crate) async fn serve(listener: TcpListener, api: Api, stop: CancellationToken) {
    let exports = api.exports.clone();
    let router = framepost_api::router(api);
    let serving = framepost_listener::serve(listener, "api", LIMITS, || TowerToHyperService::new(router.clone()), stop);
    let exporting = async {
        match exports {
            Some(exports) => exports.run().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = serving => {}
        () = exporting => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[tokio::test]
    async fn it_listens_on_the_usual_port_or_on_another_if_that_is_taken() {
        // Another program of this machine may have it for a while.
        let deadline = Instant::now() + Duration::from_mins(2);
        let first = loop {
            let listener = listen(None, Auth::None).await.unwrap();
            if listener.local_addr().unwrap() == ([127, 0, 0, 1], 8642).into() {
                break listener;
            }
            assert!(Instant::now() < deadline, "somebody has port 8642 all the time");
            std::thread::park_timeout(Duration::from_millis(10));
        };
        let second = listen(None, Auth::None).await.unwrap().local_addr().unwrap();
        assert!(second.ip().is_loopback() && second != first.local_addr().unwrap(), "{second}");
        let asked = listen(Some(first.local_addr().unwrap()), Auth::None).await.unwrap_err();
        assert!(format!("{asked:#}").contains("cannot listen on 127.0.0.1:8642"), "{asked:#}");
        let open = listen(Some(([0, 0, 0, 0], 0).into()), Auth::None).await.unwrap_err();
        assert!(format!("{open:#}").contains("--auth tokens"), "{open:#}");
        assert!(listen(Some(([0, 0, 0, 0], 0).into()), Auth::Tokens).await.is_ok());
    }
}
