//! The errors of reading a manifest.

use serde::de::DeserializeOwned;
use serde_saphyr::{Options, RenderOptions, SnippetMode, UserMessageFormatter};
use std::io;

/// Why a `function.yaml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file does not exist or is not text.
    #[error("cannot read {file}: {source}")]
    Unreadable {
        /// Path of the file or directory.
        file: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The contents are not a valid manifest.
    #[error("{}: {key}: {what}", at(file, *line))]
    Invalid {
        /// Path of the file.
        file: String,
        /// The line, starting at 1, if known.
        line: Option<u64>,
        /// The key, such as `triggers[0].suffixes`.
        key: String,
        /// The problem, and what is allowed.
        what: String,
    },
}

fn at(file: &str, line: Option<u64>) -> String {
    line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
}

impl ManifestError {
    pub(super) fn invalid(file: &str, key: &str, what: impl Into<String>) -> Self {
        Self::Invalid { file: file.to_owned(), line: None, key: key.to_owned(), what: what.into() }
    }
}

/// Parses YAML 1.2 as `T`. A text that other YAML readers (such as Terraform's) could take for a number or
/// a Boolean must be quoted.
pub(super) fn typed<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ManifestError> {
    let mut options = Options::default();
    options.no_schema = true;
    options.strict_booleans = true;
    options.with_snippet = false;
    let mut track = serde_path_to_error::Track::new();
    let parsed = serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        T::deserialize(serde_path_to_error::Deserializer::new(deserializer, &mut track))
    });
    parsed.map_err(|error| {
        let mut plain = RenderOptions::new(&UserMessageFormatter);
        plain.snippets = SnippetMode::Off;
        let what = error.render_with_options(plain);
        let key = track.path().to_string();
        ManifestError::Invalid {
            file: file.to_owned(),
            line: error.location().map(|location| location.line()),
            key: if key == "." { "manifest".to_owned() } else { key },
            // The message begins with the line already.
            what: what.split_once(" at line ").map_or(what.as_str(), |(what, _)| what).to_owned(),
        }
    })
}
