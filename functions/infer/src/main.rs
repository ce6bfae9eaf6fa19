//! The function as a program of its own, wherever its environment says that it runs.

fn main() -> anyhow::Result<()> {
    framepost_host::run(framepost_infer::MANIFEST, framepost_infer::start)
}
