//! The function where a cloud runs it.

fn main() {
    // `framepost-host` finds out where this runs and calls [`framepost_probe::Probe`].
}
