//! Access control, and the access key of the writer.

use framepost_aws::Credentials;
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3Result, s3_error};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Anybody who reaches the endpoint may read objects. Everything else requires a signature.
pub(super) struct ReadersAreAnonymous;

#[async_trait::async_trait]
impl S3Access for ReadersAreAnonymous {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let signed = cx.credentials().is_some();
        if signed || matches!(cx.s3_op().name(), "GetObject" | "HeadObject") {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "only reading an object is possible without a signature"))
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    access_key_id: String,
    secret_access_key: String,
}

/// Loads the access key in the file at `path`, or creates a random one there, readable only by the owner.
pub fn load_or_create_credentials(path: &Path) -> io::Result<Credentials> {
    let mut file = match std::fs::File::options().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let Stored { access_key_id, secret_access_key } = serde_json::from_slice(&std::fs::read(path)?)?;
            return Ok(Credentials { access_key_id, secret_access_key });
        }
        Err(error) => return Err(error),
    };
    let mut random = [0; 28];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let access_key_id = format!("FP{}", hex::encode_upper(&random[..8]));
    let secret_access_key = hex::encode(&random[8..]);
    let stored = Stored { access_key_id, secret_access_key };
    file.write_all(&serde_json::to_vec_pretty(&stored)?)?;
    file.sync_all()?;
    Ok(Credentials { access_key_id: stored.access_key_id, secret_access_key: stored.secret_access_key })
}
