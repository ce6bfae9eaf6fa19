//! The crate's integration tests. One binary, so that it is linked once.

mod bus;
mod contract;
mod inbox;
mod replay;
