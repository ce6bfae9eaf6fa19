//! The spool on a model of a file system, and on a real one.

mod crash;
mod disk;
mod hashing;
mod loose;
mod marks;
mod privacy;
mod scenario;
pub(crate) mod sim_disk;
mod sim_fs;
mod space;
