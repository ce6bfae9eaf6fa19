//! `api` answers questions about the footage over HTTP: what was recorded, what was seen, and the footage itself.
//!
//! ```text
//! request ─▶ auth (who may see what) ─▶ routes ─▶ ports::Catalog      what is known
//!                                          │
//!                                          ├─▶ hls                    playlists, made of what is known alone
//!                                          ├─▶ keyframes              where in chunks the pictures are that decode by themselves
//!                                          ├─▶ clip                   files that exist only while they are read
//!                                          ├─▶ export                 clips that are written into the bucket, with their proofs
//!                                          └─▶ media ─▶ ObjectSource  bytes, or a link to them
//! ```
//!
//! [`router`] makes an axum router from a catalogue and a bucket, for any HTTP server. Invariants:
//!
//! - What a caller may not see does not exist for it: it is in no list and no count, and asking for it answers 404.
//! - An error is a problem document ([RFC 9457]) that says what is wrong and how to do it right. It shows nothing internal.
//! - Every parameter has a limit, and an unknown one is refused. A list with more entries has an opaque cursor.
//! - A playlist reads no object, unless it is one of key frames alone, and media are sent as they are in the bucket.
//! - Requests that change something have a JSON body or the method `DELETE`, so that no page of another origin can send them.
//!
//! [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457

mod answer;
pub mod auth;
mod body;
mod clip;
mod console;
mod cursor;
pub mod export;
mod hls;
mod json;
mod keyframes;
mod openapi;
mod origins;
mod parameters;
mod problem;
mod range;
mod ranged;
mod routes;
#[cfg(feature = "host")]
mod start;
mod workings;

pub use auth::{Access, Jwks, Oidc, OidcOptions, OwnHosts, PathSigner, Right, Scope, StoredToken, Tokens};
pub use origins::{MediaOrigins, NotAnOrigin};
pub use routes::events::Telling;
pub use routes::{Api, router};
#[cfg(feature = "host")]
pub use start::{MANIFEST, start};
pub use workings::{FunctionHealth, FunctionState, Workings};
