//! Which keys the bucket accepts, and the file path of each.

use framepost_ports::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// The only name in a bucket's directory that is reserved.
pub(crate) const HIDDEN: &str = ".framepost";

/// S3's limit, so that every key that is valid here is valid there.
const KEY_LIMIT_BYTES: usize = 1024;
/// The limit of common file systems for one name.
const SEGMENT_LIMIT_BYTES: usize = 255;

/// Returns the path of the object below the bucket's directory. Different keys have different paths, and no
/// path leads out of the directory.
pub(crate) fn path(operation: &'static str, key: &str) -> Result<PathBuf, Error> {
    match why_not(key) {
        None => Ok(Path::new(key).to_owned()),
        Some(reason) => Err(Error::new(ErrorKind::Invalid, operation, key).because(reason)),
    }
}

fn why_not(key: &str) -> Option<&'static str> {
    if key.is_empty() || key.len() > KEY_LIMIT_BYTES {
        return Some("a key has 1 to 1024 bytes");
    }
    if key.contains('\0') {
        return Some("a file name cannot hold a NUL");
    }
    if key.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Some("no part of a key between slashes can be empty, \".\" or \"..\" where keys are paths");
    }
    if key.split('/').any(|segment| segment.len() > SEGMENT_LIMIT_BYTES) {
        return Some("no part of a key between slashes can be longer than 255 bytes where keys are paths");
    }
    (key.split('/').next() == Some(HIDDEN)).then_some("\".framepost\" is where the bucket keeps its notes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_leads_out_of_its_bucket() {
        let long = "x".repeat(256);
        let deep = vec!["x"; 600].join("/");
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "..",
            "a/../b",
            "./a",
            "a\0b",
            ".framepost/x",
            ".framepost",
            &long,
            &deep,
        ] {
            assert_eq!(path("put", bad).unwrap_err().kind(), ErrorKind::Invalid, "{bad:?}");
        }
        for good in ["a", "a/b", "...", ".hidden", "a/.framepost", "a b", "ä", "back\\slash", &long[..255]] {
            assert_eq!(path("put", good).unwrap(), Path::new(good));
        }
    }
}
