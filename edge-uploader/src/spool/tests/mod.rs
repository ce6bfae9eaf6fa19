//! The spool on a model of a file system, and on a real one.

mod crash;
mod disk;
mod privacy;
mod scenario;
mod sim_fs;
mod space;
