//! The progress of a replay, in a file, so that a replay that was killed continues where it was.

use framepost_events::Sha256;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What has been given so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    /// Key of the last object that the inbox has; empty before the first.
    pub(crate) after: String,
    /// Number of messages that the inbox has.
    pub(crate) messages: u64,
}

/// The file of one replay, whose name depends on what is given to which function.
#[derive(Debug)]
pub(crate) struct Progress {
    file: PathBuf,
}

impl Progress {
    /// Returns the file in `dir` for the replay with this identity.
    pub(crate) fn of(dir: &Path, identity: &str) -> Self {
        let digest = Sha256::of(identity.as_bytes()).to_string();
        Self { file: dir.join(format!("{}.json", &digest[..32])) }
    }

    /// Returns where an earlier replay was cut off; the start if there was none, or if it reached its end.
    pub(crate) fn read(&self) -> io::Result<Given> {
        match fs::read(&self.file) {
            Ok(json) => Ok(serde_json::from_slice(&json)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Given::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes the progress. On return, it survives the end of this process.
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

    /// Removes the file, because the replay has reached its end.
    pub(crate) fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Returns the default directory for these files: that for state in the XDG base directories.
pub(crate) fn default_directory() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = of("XDG_STATE_HOME").or_else(|| Some(of("HOME")?.join(".local/state")));
    state.unwrap_or_else(|| PathBuf::from(".")).join("framepost/replay")
}
