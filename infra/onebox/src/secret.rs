//! Secrets in the data directory: each a file with the hexadecimal digits of 32 random bytes, made when it is first needed.

use anyhow::Context as _;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Loads the secret in this file, or creates it. Whoever reads the file finds all of it or none, and of two processes that
/// create it at once both get the same.
pub(crate) fn kept(path: &Path) -> anyhow::Result<Vec<u8>> {
    if !path.exists() {
        create(path).with_context(|| format!("cannot make {}", path.display()))?;
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    hex::decode(text.trim()).with_context(|| format!("{} is not a key", path.display()))
}

fn create(path: &Path) -> anyhow::Result<()> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the operating system provides no random numbers")?;
    let staged = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&staged)?;
    file.write_all(hex::encode(secret).as_bytes())?;
    file.sync_all()?;
    // Unlike a renaming, this replaces nothing.
    let linked = std::fs::hard_link(&staged, path);
    std::fs::remove_file(&staged)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn it_is_made_once_and_for_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("paths.key");
        let first = kept(&path).unwrap();
        assert_eq!(first.len(), 32);
        assert_eq!(kept(&path).unwrap(), first);
        // As another process would, which did not see it.
        create(&path).unwrap();
        assert_eq!(kept(&path).unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_ne!(kept(&dir.path().join("signing.key")).unwrap(), first);
    }

    #[test]
    fn what_is_no_secret_is_said_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("paths.key");
        std::fs::write(&path, "no digits").unwrap();
        let error = kept(&path).unwrap_err();
        assert!(format!("{error:#}").contains("paths.key is not a key"), "{error:#}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "no digits");
    }
}
