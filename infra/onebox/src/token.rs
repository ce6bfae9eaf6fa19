//! `framepost token`: creates, lists and revokes tokens for the API.

use crate::{lasting, privacy, secret};
use anyhow::{Context as _, bail, ensure};
use edge_uploader::terminal;
use framepost_api::{Right, Scope, StoredToken};
use framepost_events::{Camera, Site};
use jiff::{SignedDuration, Timestamp};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The data directory of the installation whose API the tokens are for.
    #[arg(long, default_value = "framepost-data", value_name = "DIR", global = true)]
    dir: PathBuf,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Creates a token and prints it. It cannot be shown again.
    New(New),
    /// Lists the tokens: id, what each may see, and until when.
    List,
    /// Revokes a token: requests with it are refused from now on.
    Revoke {
        /// The token's id, as the list shows it.
        id: String,
    },
}

#[derive(Debug, clap::Args)]
struct New {
    /// A site that its holder may see; can be given several times. Without this option, all sites.
    #[arg(long, value_name = "SITE")]
    site: Vec<Site>,
    /// Only these cameras of the site.
    #[arg(long, value_name = "CAMERA")]
    camera: Vec<Camera>,
    /// Its holder may see footage and what is known about it.
    #[arg(long, required = true)]
    read: bool,
    /// Its holder may keep footage that it sees: make and remove exports and holds.
    #[arg(long)]
    keep: bool,
    /// For how long it counts: `12h`, `30d`. Without it, until it is taken away.
    #[arg(long, value_parser = lasting::parse, value_name = "DURATION")]
    expires: Option<SignedDuration>,
}

/// Returns the path of the file with the tokens.
pub(crate) fn file(dir: &Path) -> PathBuf {
    dir.join("tokens.json")
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let dir = arguments.dir;
    match arguments.command {
        Command::New(new) => {
            privacy::keep(&dir).with_context(|| format!("cannot make {} readable by its owner only", dir.display()))?;
            let (text, stored) = StoredToken::make(new.scopes()?, new.ends()?)?;
            let stored = stored.with(new.rights());
            let mut tokens = read(&dir)?;
            tokens.push(stored);
            write(&dir, &tokens)?;
            terminal::out(text);
        }
        Command::List => {
            for StoredToken { id, reads, rights, expires, .. } in read(&dir)? {
                let reads: Vec<String> = reads.into_iter().map(String::from).collect();
                let rights = if rights.contains(&Right::Keep) { "  may keep footage" } else { "" };
                let until = expires.map_or_else(String::new, |expires| format!("  until {expires}"));
                terminal::out(format_args!("{id}  {}{rights}{until}", reads.join(" ")));
            }
        }
        Command::Revoke { id } => {
            let mut tokens = read(&dir)?;
            let before = tokens.len();
            tokens.retain(|token| token.id != id);
            if tokens.len() == before {
                bail!("there is no token {id:?}");
            }
            write(&dir, &tokens)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl New {
    fn scopes(&self) -> anyhow::Result<Vec<Scope>> {
        Ok(match (&self.site[..], &self.camera[..]) {
            ([], []) => vec![Scope::All],
            (sites, []) => sites.iter().cloned().map(Scope::Site).collect(),
            ([site], cameras) => cameras.iter().map(|camera| Scope::Camera(site.clone(), camera.clone())).collect(),
            _ => bail!("--camera needs exactly one --site"),
        })
    }

    fn rights(&self) -> Vec<Right> {
        if self.keep { vec![Right::Keep] } else { vec![] }
    }

    fn ends(&self) -> anyhow::Result<Option<Timestamp>> {
        Ok(self.expires.map(|lasts| Timestamp::now().checked_add(lasts)).transpose()?)
    }
}

fn read(dir: &Path) -> anyhow::Result<Vec<StoredToken>> {
    let file = file(dir);
    match std::fs::read(&file) {
        Ok(json) => serde_json::from_slice(&json).with_context(|| format!("{} holds no tokens", file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(vec![]),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Replaces the whole file, so that a reader sees either the old or the new one.
fn write(dir: &Path, tokens: &[StoredToken]) -> anyhow::Result<()> {
    let staged = dir.join(format!(".tokens-{}", std::process::id()));
    let mut file_there = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
    file_there.write_all(&serde_json::to_vec_pretty(tokens)?)?;
    file_there.sync_all()?;
    std::fs::rename(&staged, file(dir))?;
    Ok(())
}

/// Loads the secret that paths are signed with, or creates it on first use.
pub(crate) fn path_secret(dir: &Path) -> anyhow::Result<Vec<u8>> {
    let path = dir.join("paths.key");
    let secret = secret::kept(&path)?;
    ensure!(secret.len() >= 32, "{} is too short for a key", path.display());
    Ok(secret)
}
