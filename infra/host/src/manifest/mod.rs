//! `functions/<name>/function.yaml`: the triggers, resources and rights of a function.
//!
//! [`Manifest`] parses that file strictly. An unknown key or a value out of range is an error, which names the
//! file, the line, the key and what is allowed. Terraform reads the same files with `yamldecode`, which checks
//! nothing. A test therefore parses every manifest in the repository with this type.
//!
//! ```yaml
//! name: infer                      # the directory's name
//! description: Says what is to be seen in a chunk.
//! triggers:                        # one or more, see Trigger
//!   - event: record
//!     types: [io.framepost.chunk.probed.v1]
//!     filters: { site: [plant-7, dock-2] }
//! delivery:                        # of the one inbox that all triggers but http fill
//!   batch_size: 10                 # messages in one Lambda batch
//!   max_deliveries: 8              # then a message is parked in the dead letters
//! runtime:
//!   memory_mib: 128
//!   timeout_s: 30                  # for one batch, or one request
//!   max_concurrency: 50            # instances on AWS and on Google Cloud
//!   cpu: 1                         # optional: Cloud Run's CPUs
//!   instance_concurrency: 10       # optional: messages that one Cloud Run instance handles at a time
//! environment:                     # optional: the function's own variables with their defaults, all of them text
//!   FRAMEPOST_CONTENT_CHECK: head
//! grants: [footage:read, records:publish]   # optional
//! enabled: false                   # optional: a cloud gets it only where functions.overrides names it
//! package: image                   # optional: how AWS gets the program, zip unless said
//! ```

mod check;
mod cron;
mod error;
mod number;
mod trigger;

pub use cron::Cron;
pub use error::ManifestError;
pub use framepost_ports::{FilterValue, Keys, Records};
pub use trigger::{Auth, Happened, Http, Schedule, Trigger};

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A function as declared in its `function.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name of the function and its directory, and the last part of its resources' names.
    pub name: String,
    /// One line for people, which the cloud's console shows beside the name.
    pub description: String,
    /// The triggers. Several triggers share one inbox, except for [`Trigger::Http`], which has none.
    pub triggers: Vec<Trigger>,
    /// How messages are delivered; required for every function with an inbox.
    #[serde(default)]
    pub delivery: Option<Delivery>,
    /// The resources of the function.
    pub runtime: Runtime,
    /// The variables that it reads, with their defaults.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Its rights for the footage, the bus and the ledger.
    #[serde(default)]
    pub grants: BTreeSet<Grant>,
    /// Whether a cloud gets it without being asked. What costs before it is used, or needs something that is brought along,
    /// is left out there until `functions.overrides` names it. A program that runs functions inside itself does not look here.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How AWS Lambda gets the program. Google Cloud takes images only.
    #[serde(default)]
    pub package: Package,
}

fn yes() -> bool {
    true
}

/// How AWS Lambda gets the program of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Package {
    /// As a zip file with the program alone.
    #[default]
    Zip,
    /// As a container image, for a function that starts other programs.
    Image,
}

/// How the messages of a function's inbox are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Most messages in a Lambda batch. Pub/Sub pushes single messages.
    #[serde(deserialize_with = "number::whole::<_, 1, 10_000>")]
    pub batch_size: u32,
    /// After this many unsuccessful deliveries, a message is parked in the dead letters. Less than five could
    /// be used up by throttling alone. Pub/Sub allows at most 100.
    #[serde(deserialize_with = "number::whole::<_, 5, 100>")]
    pub max_deliveries: u32,
}

/// The resources of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runtime {
    /// Memory in MiB. Lambda allows up to 10 240, Cloud Run up to 32 768 with eight CPUs.
    #[serde(deserialize_with = "number::whole::<_, 128, 32_768>")]
    pub memory_mib: u32,
    /// Time limit of a batch or request. Lambda allows up to 900 s, a Pub/Sub push up to 570 s.
    #[serde(rename = "timeout_s", deserialize_with = "number::seconds::<_, 1, 900>")]
    pub timeout: Duration,
    /// Most concurrent instances. A queue scales Lambda to at least two.
    #[serde(deserialize_with = "number::whole::<_, 2, 1000>")]
    pub max_concurrency: u32,
    /// Cloud Run's CPUs; 1 by default. Lambda allocates CPU time in proportion to memory.
    #[serde(default, deserialize_with = "number::cpus")]
    pub cpu: Option<u32>,
    /// Most messages or requests that a Cloud Run instance handles concurrently; 10 by default. A
    /// Lambda instance handles one batch.
    #[serde(default, deserialize_with = "number::optional::<_, 1, 1000>")]
    pub instance_concurrency: Option<u32>,
}

/// A right of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum Grant {
    /// Read objects in the bucket.
    #[serde(rename = "footage:read")]
    ReadFootage,
    /// List the objects in the bucket, and read none of them.
    #[serde(rename = "footage:list")]
    ListFootage,
    /// Write objects to the bucket.
    #[serde(rename = "footage:write")]
    WriteFootage,
    /// Write, read, list and remove objects below `exports/` in the bucket.
    #[serde(rename = "exports:write")]
    WriteExports,
    /// Publish records on the bus.
    #[serde(rename = "records:publish")]
    PublishRecords,
    /// Claim work in the ledger.
    #[serde(rename = "ledger:claim")]
    ClaimWork,
    /// Have pictures looked at by the cloud's own service, and read the model in a bucket: whichever of both the
    /// function's detectors name.
    #[serde(rename = "pictures:detect")]
    DetectPictures,
}

impl Manifest {
    /// Reads `functions/<name>/function.yaml`.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is invalid, or if it names another function than its directory.
    pub fn read(file: &Path) -> Result<Self, ManifestError> {
        let place = file.display().to_string();
        let text = std::fs::read_to_string(file)
            .map_err(|source| ManifestError::Unreadable { file: place.clone(), source })?;
        let manifest = Self::parse(&place, &text)?;
        let directory = file.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        match directory {
            Some(directory) if directory != manifest.name => {
                let what = format!("{:?} is in the directory {directory:?}: both have one name", manifest.name);
                Err(ManifestError::invalid(&place, "name", what))
            }
            _ => Ok(manifest),
        }
    }

    /// Parses the text of a manifest. Errors name it `file`.
    ///
    /// # Errors
    ///
    /// Fails if the text is not a valid manifest.
    pub fn parse(file: &str, text: &str) -> Result<Self, ManifestError> {
        let manifest: Self = error::typed(file, text)?;
        check::manifest(&manifest).map_err(|(key, what)| ManifestError::invalid(file, &key, what))?;
        Ok(manifest)
    }

    /// Reads `<directory>/*/function.yaml`, sorted by name. Directories without this file are ignored.
    ///
    /// # Errors
    ///
    /// Fails if the directory or one of the manifests cannot be read.
    pub fn read_all(directory: &Path) -> Result<Vec<Self>, ManifestError> {
        let unreadable = |source| ManifestError::Unreadable { file: directory.display().to_string(), source };
        let mut manifests = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path().join("function.yaml");
            if file.is_file() {
                manifests.push(Self::read(&file)?);
            }
        }
        manifests.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(manifests)
    }

    /// Returns whether one of the triggers applies to the event.
    pub fn hears(&self, happened: Happened<'_>) -> bool {
        self.triggers.iter().any(|trigger| trigger.hears(happened))
    }

    /// Returns whether it has an inbox, as all functions with a trigger other than HTTP do.
    pub fn has_inbox(&self) -> bool {
        self.triggers.iter().any(|trigger| !matches!(trigger, Trigger::Http(_)))
    }

    /// Returns its HTTP trigger, of which there is at most one.
    pub fn http(&self) -> Option<&Http> {
        self.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Http(http) => Some(http),
            _ => None,
        })
    }

    /// Returns the schedules among its triggers.
    pub fn schedules(&self) -> impl Iterator<Item = &Schedule> {
        self.triggers.iter().filter_map(|trigger| match trigger {
            Trigger::Schedule(schedule) => Some(schedule),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
