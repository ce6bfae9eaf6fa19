//! `edge-uploader quarantine`.

use super::{endpoint_of_environment, parse_destination};
use edge_uploader::config::Upload;
use edge_uploader::destination;
use edge_uploader::spool::Spool;
use edge_uploader::terminal;
use edge_uploader::upload::{self, Absent, Verified};
use framepost_ports::chain;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The spool's directory. The gateway must not be running.
    #[arg(long, value_name = "DIR")]
    spool: PathBuf,
    /// Returns all objects to the uploader: the next start tries them again, as if for the first time. With
    /// --verify, returns only those that the bucket does not have.
    #[arg(long)]
    release: bool,
    /// Compares the checksum of each object with the bucket's, which needs a credential that may look at
    /// objects. Objects that are stored with the same bytes leave the spool. Objects that are missing in the
    /// bucket or differ stay.
    #[arg(long, requires = "to")]
    verify: bool,
    /// The bucket: s3://bucket, gs://bucket or file:///directory.
    #[arg(long, value_name = "URL", value_parser = parse_destination, requires = "verify")]
    to: Option<url::Url>,
    /// Another endpoint with the bucket's protocol. AWS_ENDPOINT_URL_S3 can also set it for s3://,
    /// and FRAMEPOST_GCS_ENDPOINT for gs://.
    #[arg(long, value_name = "URL", requires = "verify")]
    endpoint_url: Option<String>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(arguments.spool.join("objects").is_dir(), "there is no spool at {}", arguments.spool.display());
    let spool = Spool::open_unmended(&arguments.spool)?;
    if let Some(to) = &arguments.to {
        return verify(&spool, to, &arguments).await;
    }
    let objects = spool.quarantined();
    for object in &objects {
        terminal::row(&[&object.key, &object.bytes, &object.reason]);
    }
    if arguments.release {
        let released = spool.release_quarantine(None)?;
        terminal::err(format_args!("{released} objects are given back to the uploader"));
    } else {
        terminal::err(format_args!("{} objects in quarantine", objects.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares each object with the bucket and prints the results.
async fn verify(spool: &Spool, to: &url::Url, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let endpoint_url = arguments.endpoint_url.clone().or_else(|| endpoint_of_environment(to));
    let sink = destination::connect(&Upload { endpoint_url, ..Upload::to(to.clone()) }).await?;
    let absent = if arguments.release { Absent::Released } else { Absent::Kept };
    let mut stored = 0_u64;
    let mut released = 0_u64;
    let mut kept = 0_u64;
    let mut code = ExitCode::SUCCESS;
    for object in spool.quarantined() {
        let verified = upload::verify(spool, &*sink, &object, absent).await;
        *match verified {
            Ok(Verified::Stored) => &mut stored,
            Ok(Verified::Released) => &mut released,
            _ => &mut kept,
        } += 1;
        let words = match verified {
            Ok(Verified::Stored) => "stored with the same bytes, gone from the spool".to_owned(),
            Ok(Verified::Released) => "not in the bucket, given back to the uploader".to_owned(),
            Ok(Verified::Absent) => "not in the bucket, kept; --release gives it back to the uploader".to_owned(),
            Ok(Verified::Other) => "the bucket has a different object, kept".to_owned(),
            Ok(Verified::Unknown) => "the bucket does not report a checksum, kept".to_owned(),
            Err(error) => {
                code = ExitCode::FAILURE;
                format!("not compared, kept: {}", chain(&error))
            }
        };
        terminal::row(&[&object.key, &object.bytes, &words]);
    }
    terminal::err(format_args!(
        "{stored} objects were stored already, {released} are given back to the uploader, {kept} stay in quarantine"
    ));
    Ok(code)
}
