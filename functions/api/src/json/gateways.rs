//! The state of gateways.

use framepost_events::Site;
use framepost_events::record::Signature;
use framepost_events::report::GatewayReport;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The last report of each gateway.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gateways {
    pub(crate) gateways: Vec<Gateway>,
    /// The server's time, to tell how old a report is.
    pub(crate) now: Timestamp,
}

/// A gateway's report of itself and its cameras.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gateway {
    #[schema(value_type = String)]
    pub(crate) site: Site,
    /// The report's signature: `valid`, `invalid`, `absent` or `unknown`.
    #[schema(value_type = String)]
    pub(crate) signature: Signature,
    /// The report: see `io.framepost.gateway.reported.v1`.
    #[schema(value_type = Object)]
    pub(crate) report: GatewayReport,
}
