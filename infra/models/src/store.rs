//! Where models are: directories of this machine, or of a bucket.
//!
//! A model's directory holds `model.toml`, the file that it names, and perhaps a file of labels. Nothing outside the directory is
//! read, and nothing is written into it. Everything has a limit, and the model's bytes are compared with the digest in
//! `model.toml` before anything else looks at them.

use crate::manifest::{FILE_NAME, Labels, Manifest, ModelFile, TEXT_LIMIT_BYTES, is_file_name, labels_of};
use async_trait::async_trait;
use framepost_events::Sha256;
use framepost_ports::location::{Place, Role};
use framepost_ports::{ByteRange, Error, ErrorKind, Location, ObjectSource, Result};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest model, in bytes.
pub const MODEL_LIMIT_BYTES: u64 = 512 * 1024 * 1024;
/// What is read from a bucket at a time, in bytes.
const PART_BYTES: u64 = 8 * 1024 * 1024;
/// Models that came from a bucket are kept below the directory for temporary files, by their digests.
const CACHE: &str = "framepost-models";

/// Finds the source for the objects of a bucket: the host's clouds.
#[async_trait]
pub trait Buckets: Send + Sync {
    /// Connects to the bucket at `at`.
    async fn source(&self, at: &Location) -> Result<Arc<dyn ObjectSource>>;
}

/// A directory with a `model.toml`, a model and its labels, on this machine or in a bucket.
#[derive(Clone)]
pub struct ModelDirectory(ModelPlace);

#[derive(Clone)]
enum ModelPlace {
    Local(PathBuf),
    Bucket { source: Arc<dyn ObjectSource>, bucket: String, prefix: String, shown: String },
}

/// What a directory says of its model.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Its `model.toml`, read and checked.
    pub manifest: Manifest,
    /// The labels of its classes. An empty one is not reported.
    pub labels: Vec<String>,
}

impl std::fmt::Display for ModelDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            ModelPlace::Local(dir) => write!(f, "{}", dir.display()),
            ModelPlace::Bucket { shown, .. } => f.write_str(shown),
        }
    }
}

impl ModelDirectory {
    /// The model's directory on this machine.
    pub fn local(dir: impl Into<PathBuf>) -> Self {
        Self(ModelPlace::Local(dir.into()))
    }

    /// Finds the directory that `text` names: a location of a bucket (`s3://bucket/dir`), a path, or the name of a model in
    /// `models`, which is a path or a location itself.
    pub async fn find(text: &str, models: Option<&str>, buckets: &dyn Buckets) -> Result<Self> {
        match models {
            Some(models) if is_file_name(text) => {
                let beside = Path::new(text);
                let found = Self::at(&format!("{}/{text}", models.trim_end_matches('/')), buckets).await?;
                // A directory here goes before nothing, but not before a model of that name.
                match &found.0 {
                    ModelPlace::Local(dir) if !dir.join(FILE_NAME).is_file() && beside.join(FILE_NAME).is_file() => {
                        Ok(Self::local(beside))
                    }
                    _ => Ok(found),
                }
            }
            _ => Self::at(text, buckets).await,
        }
    }

    async fn at(text: &str, buckets: &dyn Buckets) -> Result<Self> {
        let invalid = |why: String| Error::new(ErrorKind::Invalid, "find", "a model").because(why);
        if !text.contains("://") {
            return Ok(Self::local(text));
        }
        let at = Location::parse(text, Role::Bucket).map_err(|error| invalid(format!("{error}, or a directory")))?;
        Ok(match at.place() {
            Place::Directory(dir) => Self::local(dir),
            Place::Bucket { name, prefix } => Self(ModelPlace::Bucket {
                source: buckets.source(&at).await?,
                bucket: name.clone(),
                prefix: prefix.clone(),
                shown: at.to_string(),
            }),
            _ => return Err(invalid(format!("{at} is not a directory of a bucket"))),
        })
    }

    /// Reads `model.toml` and the labels.
    pub async fn describe(&self) -> Result<Description> {
        if let ModelPlace::Local(path) = &self.0
            && path.is_file()
        {
            let why = format!(
                "that is a file, and a model is a directory with a {FILE_NAME}; `framepost model add NAME --onnx FILE` makes one"
            );
            return Err(self.invalid("read", why));
        }
        let manifest = Manifest::parse(&self.text(FILE_NAME).await?).map_err(|error| self.invalid("read", error))?;
        let labels = match &manifest.labels {
            Labels::List(labels) => labels.clone(),
            Labels::File(name) => labels_of(&self.text(name).await?)
                .map_err(|problem| self.invalid("read", format!("{name}: {problem}")))?,
        };
        Ok(Description { manifest, labels })
    }

    /// Reads the model, and compares it with its digest.
    pub async fn model(&self, file: &ModelFile) -> Result<Vec<u8>> {
        let cached = self.cache(file);
        if let Some(cached) = &cached
            && let Ok(bytes) = read_local(cached.clone(), MODEL_LIMIT_BYTES).await
            && Sha256::of(&bytes) == file.sha256
        {
            return Ok(bytes);
        }
        let bytes = self.bytes(&file.name, MODEL_LIMIT_BYTES).await?;
        let found = Sha256::of(&bytes);
        if found != file.sha256 {
            let why = format!("{} has the SHA-256 {found}; {FILE_NAME} says {}", file.name, file.sha256);
            return Err(self.invalid("load", why));
        }
        if let Some(cached) = cached {
            // What cannot be kept is read again the next time.
            let copy = bytes.clone();
            let kept = tokio::task::spawn_blocking(move || keep(&cached, &copy)).await;
            if let Ok(Err(error)) = kept {
                tracing::debug!(error = &error as &dyn std::error::Error, "cannot cache a model for the next start");
            }
        }
        Ok(bytes)
    }

    /// An error about this model.
    pub(crate) fn invalid(
        &self,
        operation: &'static str,
        why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::new(ErrorKind::Invalid, operation, format!("the model in {self}")).because(why)
    }

    /// Where a model from a bucket is kept on this machine.
    fn cache(&self, file: &ModelFile) -> Option<PathBuf> {
        match self.0 {
            ModelPlace::Local(_) => None,
            ModelPlace::Bucket { .. } => Some(std::env::temp_dir().join(CACHE).join(format!("{}.onnx", file.sha256))),
        }
    }

    async fn text(&self, name: &str) -> Result<String> {
        let bytes = self.bytes(name, TEXT_LIMIT_BYTES).await?;
        String::from_utf8(bytes).map_err(|error| self.invalid("read", format!("{name}: {error}")))
    }

    async fn bytes(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        match &self.0 {
            ModelPlace::Local(dir) => read_local(dir.join(name), limit).await,
            ModelPlace::Bucket { source, bucket, prefix, .. } => {
                let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
                self.read_object(source.as_ref(), bucket, &key, limit).await
            }
        }
    }

    async fn read_object(&self, source: &dyn ObjectSource, bucket: &str, key: &str, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let start = bytes.len() as u64;
            let range = ByteRange { start, len: PART_BYTES.min(limit + 1 - start) };
            let read = source.read(bucket, key, None, range).await?;
            if read.head.size > limit {
                return Err(self.invalid("read", format!("{key} has {} bytes; allowed are {limit}", read.head.size)));
            }
            bytes.extend_from_slice(&read.bytes);
            if bytes.len() as u64 >= read.head.size || read.bytes.is_empty() {
                return Ok(bytes);
            }
        }
    }
}

async fn read_local(path: PathBuf, limit: u64) -> Result<Vec<u8>> {
    let shown = path.display().to_string();
    let read = move || {
        // Asked first, because opening a pipe would wait for its other end.
        if !std::fs::metadata(&path)?.is_file() {
            return Err(std::io::Error::other("it is not a file"));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(&path)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(std::io::Error::other(format!("it has more than {limit} bytes")));
        }
        Ok(bytes)
    };
    let failed = |kind, error: std::io::Error| Error::new(kind, "read", &shown).because(error);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Err(failed(ErrorKind::NotFound, error)),
        Ok(Err(error)) => Err(failed(ErrorKind::Io, error)),
        Err(error) => Err(Error::new(ErrorKind::Io, "read", &shown).because(error)),
    }
}

fn keep(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.persist(path)?;
    Ok(())
}
