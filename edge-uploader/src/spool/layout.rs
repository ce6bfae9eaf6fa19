//! The paths of the spool's files, and which names in its directories are its own.

use framepost_events::ObjectKey;
pub(super) use framepost_ports::catalog::CameraName;
use std::path::{Path, PathBuf};

/// The role of a file in `objects/`, given by the suffix after the object's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Suffix {
    /// The closed object, ready to be uploaded: the only file without a suffix.
    Object,
    /// The object being recorded.
    Part,
    /// Its attributes known so far, while it is being recorded.
    Draft,
    Meta,
    /// Marks that a put was begun.
    Try,
    /// Why it is in quarantine.
    Quarantine,
    /// A part that could not be repaired, kept for manual inspection.
    Broken,
    /// A file before it is renamed to its final name.
    Temporary,
}

const SUFFIXES: [(Suffix, &str); 7] = [
    (Suffix::Part, ".part"),
    (Suffix::Draft, ".draft"),
    (Suffix::Meta, ".meta"),
    (Suffix::Try, ".try"),
    (Suffix::Quarantine, ".quarantine"),
    (Suffix::Broken, ".broken"),
    (Suffix::Temporary, ".tmp"),
];

impl Suffix {
    fn text(self) -> &'static str {
        SUFFIXES.iter().find(|(suffix, _)| *suffix == self).map_or("", |(_, text)| text)
    }
}

/// Names the files below the spool's directory. It reads and writes none.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    dir: PathBuf,
}

impl Layout {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.dir.join(".lock")
    }

    pub(super) fn reserve(&self) -> PathBuf {
        self.dir.join(".reserve")
    }

    pub(super) fn objects(&self) -> PathBuf {
        self.dir.join("objects")
    }

    pub(super) fn cameras(&self) -> PathBuf {
        self.dir.join("cameras")
    }

    pub(super) fn state(&self, name: &CameraName) -> PathBuf {
        self.cameras().join(name.site.as_str()).join(format!("{}.json", name.camera))
    }

    pub(super) fn file(&self, key: &ObjectKey, suffix: Suffix) -> PathBuf {
        self.objects().join(format!("{key}{}", suffix.text()))
    }
}

/// Returns the temporary name under which `path` is written first.
pub(super) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(Suffix::Temporary.text());
    name.into()
}

/// Parses the path of a file relative to `objects/`. Returns its key and suffix, or `None` for a name
/// that the spool never writes.
pub(super) fn parse(relative: &str) -> Option<(ObjectKey, Suffix)> {
    let (text, suffix) = if let Some(text) = relative.strip_suffix(".tmp") {
        // Matches `<key>.meta.tmp` and similar names.
        let inner = SUFFIXES.iter().find_map(|(_, suffix)| text.strip_suffix(suffix)).unwrap_or(text);
        (inner, Suffix::Temporary)
    } else {
        SUFFIXES
            .iter()
            .find_map(|(suffix, text)| relative.strip_suffix(text).map(|key| (key, *suffix)))
            .unwrap_or((relative, Suffix::Object))
    };
    let key: ObjectKey = text.parse().ok()?;
    // A key has only one path: `08-23.5Z` and `08-23.500000Z` must not be two files of one object.
    (key.site.is_some() && key.camera.is_some() && key.to_string() == text).then_some((key, suffix))
}

/// Returns the camera of an object, or `None` for a key that the spool does not write.
pub(super) fn owner(key: &ObjectKey) -> Option<CameraName> {
    CameraName::of(key.site.as_ref(), key.camera.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let key = "s/2026-11-20/c/15/08-23.547000Z.0.mp4";
        for (name, suffix) in [
            (key.to_owned(), Suffix::Object),
            (format!("{key}.part"), Suffix::Part),
            (format!("{key}.draft"), Suffix::Draft),
            (format!("{key}.meta"), Suffix::Meta),
            (format!("{key}.try"), Suffix::Try),
            (format!("{key}.quarantine"), Suffix::Quarantine),
            (format!("{key}.broken"), Suffix::Broken),
            (format!("{key}.meta.tmp"), Suffix::Temporary),
        ] {
            let (parsed, found) = parse(&name).unwrap();
            assert_eq!((parsed.to_string().as_str(), found), (key, suffix), "{name}");
        }
        for foreign in [
            "2026-11-20/c/15/08-23Z.0.mp4",
            "s/2026-11-20/c/15/08-23.5Z.0.mp4",
            "s/2026-11-20/c/15/08-23Z.0.mp4.bak",
            "s/2026-11-20/c/15/.DS_Store",
            "s/2026-11-20/c/15/..",
            "lost+found",
        ] {
            assert_eq!(parse(foreign), None, "{foreign}");
        }
    }
}
