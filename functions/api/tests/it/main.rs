//! The API as its callers see it, over a catalogue and a bucket in memory.

mod attacks;
mod find;
mod play;
mod support;
