//! `framepost`: the whole pipeline on one machine.

use anyhow::Context as _;
use framepost_host::Registered;
use std::process::ExitCode;

/// Every function of this repository. A new one is one line here.
fn functions() -> anyhow::Result<Vec<Registered>> {
    let functions = [
        Registered::new(framepost_probe::MANIFEST, framepost_probe::start),
        Registered::new(framepost_catalog::MANIFEST, framepost_catalog::start),
        Registered::new(framepost_infer::MANIFEST, framepost_infer::start),
    ];
    functions.into_iter().collect::<Result<_, _>>().context("a function cannot be registered")
}

fn main() -> anyhow::Result<ExitCode> {
    if framepost_host::run_model_if_asked() {
        return Ok(ExitCode::SUCCESS);
    }
    let functions = functions()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(framepost_onebox::main(functions, std::env::args_os())))
}
