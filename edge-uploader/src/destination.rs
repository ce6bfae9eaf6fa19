//! Selects the adapter by the URL of the destination, which is a [`Location`]. Cargo features only decide what is compiled in.

use crate::config::{ConfigError, Echo, Upload};
use framepost_local::LocalBucket;
use framepost_ports::ObjectSink;
use framepost_ports::location::{Location, Place, Role};
use std::sync::Arc;

/// Makes the sink that `upload.to` names. Fails for an address of no bucket, an option of another kind of bucket, and a cloud
/// that is not compiled in.
pub async fn connect(upload: &Upload) -> Result<Arc<dyn ObjectSink>, DestinationError> {
    let to = Location::parse(upload.to.as_str(), Role::Bucket)
        .map_err(|error| ConfigError::of("upload.to", &format!("not a destination: {error}")))?;
    if upload.echo != Echo::Detected && to.scheme() != "s3" {
        return Err(ConfigError::of("upload.echo", "for s3:// alone").into());
    }
    if let Place::Directory(path) = to.place() {
        return Ok(Arc::new(LocalBucket::open(path).await?));
    }
    match to.scheme() {
        #[cfg(feature = "aws")]
        "s3" => {
            let options = framepost_aws::S3Options {
                endpoint_url: endpoint(upload)?,
                region: upload.region.clone(),
                echo: match upload.echo {
                    Echo::Detected => framepost_aws::Echo::Detected,
                    Echo::Required => framepost_aws::Echo::Required,
                    Echo::Absent => framepost_aws::Echo::Absent,
                },
                ..framepost_aws::S3Options::default()
            };
            Ok(Arc::new(framepost_aws::S3Bucket::connect(&upload.to, options).await?))
        }
        #[cfg(feature = "gcp")]
        "gs" => {
            let options = framepost_gcp::GoogleOptions { endpoint: endpoint(upload)? };
            Ok(Arc::new(framepost_gcp::GcsBucket::connect(&upload.to, &options)?))
        }
        scheme => {
            let needs = format!("{scheme}:// needs a program that is built with the feature `{}`", to.cloud());
            Err(ConfigError::of("upload.to", &needs).into())
        }
    }
}

#[cfg(any(feature = "aws", feature = "gcp"))]
fn endpoint(upload: &Upload) -> Result<Option<url::Url>, ConfigError> {
    let parsed = upload.endpoint_url.as_deref().map(str::parse).transpose();
    parsed.map_err(|_| ConfigError::of("upload.endpoint_url", "not a URL; write it like https://host:port"))
}

/// Why the destination cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The connection to the cloud or the directory failed.
    #[error("cannot use the destination")]
    Cloud(#[from] framepost_ports::Error),
}
