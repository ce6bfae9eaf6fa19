//! AWS on this machine: the real Terraform root applied to a moto server, with a simulated Lambda service.
//!
//! - [`moto`]: the account, `tests/aws/moto_server.py`. It enforces policies for
//!   every credential that it issues.
//! * [`account`]: signed calls to its services, and what the tests ask of them.
//! * [`terraform`]: init, validate, plan, apply and destroy of the unmodified root.
//! * [`package`]: a function's zip, as `cargo lambda` makes it.
//! * [`lambda`]: event source mappings and sandboxes that run the zip that Terraform uploaded.
//! * [`deployment`]: all of these together.

pub mod account;
pub mod deployment;
pub mod lambda;
pub mod moto;
pub mod package;
pub mod queue;
pub mod terraform;

/// The region of all tests.
pub const REGION: &str = "eu-central-1";
pub const ACCOUNT: &str = "123456789012";
