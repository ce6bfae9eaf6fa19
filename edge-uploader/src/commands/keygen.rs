//! `edge-uploader keygen`.

use anyhow::Context as _;
use edge_uploader::terminal;
use framepost_events::manifest::ManifestSigner;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// File for the secret key; it must not exist yet. The public key is written beside it, with `.pub` added.
    #[arg(long, value_name = "FILE", default_value = "signing.key")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the operating system provides no random numbers")?;
    let signer = ManifestSigner::from_secret(&secret);
    let public = signer.public_key();
    let mut public_out = arguments.out.clone().into_os_string();
    public_out.push(".pub");
    // Write the public key first: if that fails, no secret key without its public key is left.
    let public_out = PathBuf::from(public_out);
    write_new(&public_out, &format!("{public}\n"), 0o644)?;
    if let Err(error) = write_new(&arguments.out, &format!("{}\n", hex::encode(secret)), 0o600) {
        std::fs::remove_file(&public_out).with_context(|| format!("cannot remove {} again", public_out.display()))?;
        return Err(error);
    }
    let key_file = std::path::absolute(&arguments.out).unwrap_or_else(|_| arguments.out.clone());
    terminal::out(format_args!(
        "secret key  {}  (keep it on the gateway; readable by you alone)",
        arguments.out.display()
    ));
    terminal::out(format_args!("public key  {public}"));
    terminal::out(format_args!("key id      {}", public.id()));
    terminal::out("");
    terminal::out(format_args!("On the gateway, in edge.toml:"));
    terminal::out(format_args!("    [signing]"));
    terminal::out(format_args!("    key_file = \"{}\"", key_file.display()));
    terminal::out(format_args!("For the probe, in its settings: FRAMEPOST_PUBLIC_KEYS={public}"));
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &std::path::Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("cannot create {} (an existing key is never overwritten)", path.display()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))
}
