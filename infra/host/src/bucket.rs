//! A bucket that one of a function's own settings names.

use crate::connector::{ConnectError, Connector};
use crate::environment;
use framepost_events::finalized::Provider;
use framepost_ports::location::{Place, Role};
use framepost_ports::{Cloud, Error, ErrorKind, Location, ObjectListing, ObjectRemoval, ObjectSink};
use std::sync::Arc;

/// A whole bucket. Each port of it is connected when it is asked for, and a function asks only for those that it has rights to.
pub struct NamedBucket {
    /// The cloud that stores it.
    pub provider: Provider,
    /// Its name, as events and an [`ObjectSource`](framepost_ports::ObjectSource) have it. That of a directory is its last part.
    pub name: String,
    at: Location,
    cloud: Arc<dyn Cloud>,
}

impl NamedBucket {
    /// The bucket at `at`, the value of `variable`.
    pub(crate) fn of(connector: &Connector, variable: &'static str, at: &str) -> Result<Self, ConnectError> {
        let at = environment::located(variable, Role::Bucket, at)?;
        let cloud = connector.cloud_of(&at)?;
        let invalid = |why: &'static str| Error::new(ErrorKind::Invalid, "connect", variable).because(why);
        let (provider, name) = match (at.place(), at.cloud()) {
            (Place::Bucket { prefix, .. }, _) if !prefix.is_empty() => {
                return Err(invalid("it is a whole bucket, since keys begin with the site: leave out the path").into());
            }
            (Place::Bucket { name, .. }, "gcp") => (Provider::Gcs, name.clone()),
            (Place::Bucket { name, .. }, _) => (Provider::S3, name.clone()),
            (Place::Directory(directory), _) => {
                let name = directory.file_name().map(|name| name.to_string_lossy().into_owned());
                (Provider::Local, name.ok_or_else(|| invalid("the directory has no name"))?)
            }
            _ => return Err(invalid("it is not a bucket").into()),
        };
        Ok(Self { provider, name, at, cloud })
    }

    /// What lists its objects.
    pub async fn listing(&self) -> Result<Arc<dyn ObjectListing>, ConnectError> {
        Ok(self.cloud.listing(&self.at).await?)
    }

    /// What puts objects into it.
    pub async fn sink(&self) -> Result<Arc<dyn ObjectSink>, ConnectError> {
        Ok(self.cloud.sink(&self.at).await?)
    }

    /// What removes objects of it.
    pub async fn removal(&self) -> Result<Arc<dyn ObjectRemoval>, ConnectError> {
        Ok(self.cloud.removal(&self.at).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_whole_and_has_a_name() {
        let connector = Connector::default();
        let of = |at: &str| NamedBucket::of(&connector, "FRAMEPOST_X", at);
        let named = of("file:///srv/footage").unwrap();
        assert_eq!((named.provider, named.name.as_str()), (Provider::Local, "footage"));
        #[cfg(feature = "aws")]
        {
            let named = of("s3://footage").unwrap();
            assert_eq!((named.provider, named.name.as_str()), (Provider::S3, "footage"));
            let error = of("s3://footage/plant-7").map(drop).unwrap_err();
            assert!(framepost_ports::chain(&error).contains("leave out the path"), "{error}");
        }
        for bad in ["file:///", "sqs:https://x/y", "footage", ""] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
