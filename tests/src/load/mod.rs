//! Many cameras and a bucket, played by one process cheaply enough that the gateway between them is what is measured.

mod cameras;
mod sink;

pub use cameras::{Cameras, Played};
pub use sink::Sink;
