//! RTSP cameras that no camera program would be: sloppy ones that are to be recorded, and hostile ones that are to be stopped.
//!
//! Each is a script on loopback, so that a test takes milliseconds; what real servers do is in `rtsp.rs`.

mod accepted;
mod encrypted;
mod script;
mod stopped;
