//! Who may see what.

mod hosts;
mod oidc;
mod signed;
mod tokens;

pub use hosts::OwnHosts;
pub use oidc::{Jwks, Oidc, OidcOptions};
pub use signed::PathSigner;
pub use tokens::{Right, Scope, StoredToken, Tokens};

use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use framepost_ports::catalog::CameraName;
use framepost_ports::{ErrorKind, chain};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use tokens::Admitted;

/// How callers are told apart.
#[derive(Debug, Clone)]
pub enum Access {
    /// Everybody who reaches the listener, which is on loopback, may see everything. Requests for other hosts are refused, so that
    /// no web page reaches it under a name of its own.
    Loopback(OwnHosts),
    /// Who has a token (`Authorization: Bearer`) may see what it is for. Paths that are signed need none.
    Tokens {
        /// The tokens that are accepted, and what each may see.
        tokens: Arc<Tokens>,
        /// Checks tokens of an issuer, where those are accepted, too.
        oidc: Option<Arc<Oidc>>,
        /// Signs the paths of media, and checks the signatures on them.
        signer: PathSigner,
    },
}

impl Access {
    /// Everybody on this machine.
    pub fn on_loopback(listen: SocketAddr) -> Self {
        Self::Loopback(OwnHosts::of(listen))
    }

    /// A path that can be asked for without a token, as `path[?query]`. `None` where none is needed.
    pub(crate) fn sign(&self, path_and_query: &str, now: Timestamp) -> Option<(String, Timestamp)> {
        match self {
            Self::Loopback(_) => None,
            Self::Tokens { signer, .. } => Some(signer.sign(path_and_query, now)),
        }
    }
}

/// What a caller may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sight {
    /// All cameras of all sites, those that come later included.
    Everything,
    /// These cameras of these sites.
    Some(Arc<Vec<Grant>>),
}

/// A right to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The site that may be seen, by its name.
    pub(crate) site: String,
    /// One camera of it; all where absent.
    pub(crate) camera: Option<String>,
}

impl Sight {
    /// Whether this camera exists for the caller.
    pub(crate) fn has(&self, camera: &CameraName) -> bool {
        match self {
            Self::Everything => true,
            Self::Some(grants) => grants.iter().any(|grant| {
                grant.site == camera.site.as_str()
                    && grant.camera.as_ref().is_none_or(|name| name == camera.camera.as_str())
            }),
        }
    }

    /// Whether anything of this site exists for the caller as a whole, as a gateway's report does.
    pub(crate) fn has_site(&self, site: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Some(grants) => grants.iter().any(|grant| grant.site == site && grant.camera.is_none()),
        }
    }
}

/// What was found out about the caller, in the request's extensions.
impl<S: Send + Sync> FromRequestParts<S> for Sight {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthorized)
    }
}

/// What a caller may see, and may keep: the right to make and remove exports and holds.
pub(crate) struct Keeper(pub(crate) Sight);

/// Marks a request whose caller has [`Right::Keep`].
#[derive(Debug, Clone, Copy)]
struct MayKeep;

impl<S: Send + Sync> FromRequestParts<S> for Keeper {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let sight = Sight::from_request_parts(parts, state).await?;
        parts.extensions.get::<MayKeep>().map(|MayKeep| Self(sight)).ok_or_else(Problem::forbidden)
    }
}

/// What a caller is called in the log.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) String);

/// The token of a request.
fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Finds out who asks, or why not. The routes see a signed path without its signature.
pub(crate) async fn check(access: &Access, now: Timestamp, parts: &mut Parts) -> Result<(), Problem> {
    match access {
        Access::Loopback(hosts) => {
            if !hosts.are_asked(&parts.headers, &parts.uri) {
                return Err(Problem::other_host());
            }
            parts.extensions.insert(Sight::Everything);
            parts.extensions.insert(MayKeep);
            Ok(())
        }
        Access::Tokens { tokens, oidc, signer } => {
            let path = parts.uri.path();
            // A signed path is for reading alone.
            let reads = parts.method == Method::GET || parts.method == Method::HEAD;
            if let Some(bare) = parts.uri.query().filter(|_| reads).and_then(|query| signer.check(path, query, now)) {
                let bare = if bare.is_empty() { path.to_owned() } else { format!("{path}?{bare}") };
                parts.uri = bare.parse().map_err(|_| Problem::not_found())?;
                // Exactly this was signed, for somebody who may see it.
                parts.extensions.insert(Sight::Everything);
                parts.extensions.insert(Caller("signed".to_owned()));
                return Ok(());
            }
            let text = bearer(parts).ok_or_else(Problem::unauthorized)?;
            let Admitted { sight, rights, id } = match (tokens.admit(text, now), oidc) {
                (Some(admitted), _) => admitted,
                (None, Some(oidc)) => oidc.admit(text).await.map_err(|error| match error.kind() {
                    ErrorKind::Denied => {
                        tracing::debug!(error = chain(&error), "a token is not accepted");
                        Problem::unauthorized()
                    }
                    _ => Problem::from(error),
                })?,
                (None, None) => return Err(Problem::unauthorized()),
            };
            parts.extensions.insert(sight);
            parts.extensions.insert(Caller(id));
            if rights.contains(&Right::Keep) {
                parts.extensions.insert(MayKeep);
            }
            Ok(())
        }
    }
}
