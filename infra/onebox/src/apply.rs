//! `framepost probe FILE...`: prints the records that a function would publish for the files.

use crate::functions::Functions;
use crate::output::Output;
use async_trait::async_trait;
use edge_uploader::terminal;
use framepost_events::finalized::{ObjectFinalized, Provider};
use framepost_host::{Clouds, Ending};
use framepost_ports::{
    ByteRange, Carrier, Error, ErrorKind, Message, ObjectHead, ObjectRead, ObjectSource, Outcome, Result,
};
use jiff::Timestamp;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// MP4, fragmented MP4, MKV or WebM files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Lets the function with this name handle each file, and prints the records that it publishes.
pub(crate) async fn run(name: &str, functions: &Functions, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let function = functions.get(name)?;
    let output = Arc::new(Output::default());
    let mut code = ExitCode::SUCCESS;
    for path in &arguments.files {
        let event = match finalized(path) {
            Ok(event) => event,
            Err(error) => {
                terminal::err(format_args!("framepost: cannot read {}: {error}", path.display()));
                code = ExitCode::FAILURE;
                continue;
            }
        };
        let clouds = Clouds::new(Arc::new(Files::beside(path)?), output.clone(), Arc::new(|_: &str| None));
        let handler = function.make(clouds).await?;
        let settled = handler.settle(&Message::new(event.key.clone(), Carrier::Queue, event.to_json()), None).await;
        for handled in settled.handled {
            match handled.ending {
                Ending::Outcome(Outcome::Done) => continue,
                // The record contains the reason.
                Ending::Outcome(Outcome::Reject(_)) => {}
                ref other => {
                    let reason = other.reason().map_or("no time left", |reason| reason.detail.as_str());
                    terminal::err(format_args!("framepost: {}: {reason}", path.display()));
                }
            }
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// Describes a file as an object: the directory is the bucket, the name the key.
pub(crate) fn finalized(path: &Path) -> std::io::Result<ObjectFinalized> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let absolute = std::path::absolute(path)?;
    let modified = Timestamp::try_from(metadata.modified()?).map_err(std::io::Error::other)?;
    let bucket = absolute.parent().and_then(Path::file_name);
    Ok(ObjectFinalized {
        provider: Provider::Local,
        bucket: bucket.map_or_else(|| "root".to_owned(), |name| name.to_string_lossy().into_owned()),
        key: absolute.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        version: modified.as_microsecond().to_string(),
        size: Some(metadata.len()),
        time: modified,
        media_link: url::Url::from_file_path(&absolute).ok().map(String::from),
        region: None,
        read_version: None,
    })
}

/// The files of one directory as an object source.
pub(crate) struct Files(PathBuf);

impl Files {
    /// The files of the directory that this one is in.
    pub(crate) fn beside(path: &Path) -> std::io::Result<Self> {
        Ok(Self(std::path::absolute(path)?.parent().unwrap_or(Path::new("/")).to_owned()))
    }
}

#[async_trait]
impl ObjectSource for Files {
    async fn read(&self, _bucket: &str, key: &str, _version: Option<&str>, range: ByteRange) -> Result<ObjectRead> {
        let path = self.0.join(key);
        tokio::task::spawn_blocking(move || {
            let failed = |error: std::io::Error| {
                Error::new(ErrorKind::Io, "read", path.to_string_lossy().into_owned()).because(error)
            };
            let mut file = std::fs::File::open(&path).map_err(failed)?;
            let size = file.metadata().map_err(failed)?.len();
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
            file.take(range.len).read_to_end(&mut bytes).map_err(failed)?;
            let head = ObjectHead { size, content_type: String::new(), metadata: Vec::new(), modified: None };
            Ok(ObjectRead { head, bytes: bytes.into() })
        })
        .await
        .map_err(|error| Error::new(ErrorKind::Io, "read", key).because(error))?
    }

    fn provider(&self) -> Provider {
        Provider::Local
    }

    fn media_link(&self, _bucket: &str, key: &str, _version: Option<&str>) -> String {
        url::Url::from_file_path(self.0.join(key)).map_or_else(|()| key.to_owned(), String::from)
    }
}
