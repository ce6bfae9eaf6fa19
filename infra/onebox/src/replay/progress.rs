//! How far a replay has come, in a file, so that one that was killed goes on where it was.

use framepost_events::Sha256;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What has been given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    /// The key of the last object that the inbox has; empty before the first.
    pub(crate) after: String,
    /// Messages that the inbox has.
    pub(crate) messages: u64,
}

/// The file of one replay, told by what it gives to whom.
#[derive(Debug)]
pub(crate) struct Progress {
    file: PathBuf,
}

impl Progress {
    /// The file in `dir` for the replay of this identity.
    pub(crate) fn of(dir: &Path, identity: &str) -> Self {
        let digest = Sha256::of(identity.as_bytes()).to_string();
        Self { file: dir.join(format!("{}.json", &digest[..32])) }
    }

    /// Where a replay before this one was cut off; nothing where there was none, or it came to its end.
    pub(crate) fn read(&self) -> io::Result<Given> {
        match fs::read(&self.file) {
            Ok(json) => Ok(serde_json::from_slice(&json)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Given::default()),
            Err(error) => Err(error),
        }
    }

    /// Keeps it; on return it outlives this process.
    pub(crate) fn write(&self, given: &Given) -> io::Result<()> {
        if let Some(dir) = self.file.parent() {
            fs::create_dir_all(dir)?;
        }
        let next = self.file.with_extension("next");
        let mut file = File::create(&next)?;
        file.write_all(&serde_json::to_vec(given)?)?;
        file.sync_data()?;
        fs::rename(next, &self.file)
    }

    /// It has come to its end.
    pub(crate) fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Where these files are unless another place is named: the XDG base directory for state.
pub(crate) fn default_directory() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = of("XDG_STATE_HOME").or_else(|| Some(of("HOME")?.join(".local/state")));
    state.unwrap_or_else(|| PathBuf::from(".")).join("framepost/replay")
}
