//! End to end: the built programs with real media, servers and faults. One binary, so that it is linked once.

mod api;
mod aws;
mod browsers;
mod chain;
mod clips;
mod clocks;
mod console;
mod dependencies;
mod gcp;
mod guide;
mod hostile;
mod image;
mod inferred;
mod live;
mod logging;
mod malformed;
mod mistreated;
mod package;
mod paid;
mod parity;
mod private;
mod processors;
mod put_only;
mod readmes;
mod replayed;
mod thinned;
