//! The triggers of a function.
//!
//! | `event` | options | fires |
//! |---|---|---|
//! | `object-finalized` | `prefixes`, `suffixes` | when an object in the bucket is complete |
//! | `object-removed` | `prefixes`, `suffixes` | when an object was removed |
//! | `record` | `types`, `filters` | for records of these types with one of the given values in each field |
//! | `http` | `path`, `auth` | for requests; such a function has no other trigger |
//! | `schedule` | `name`, and `every_minutes` or `cron` | at these times, in UTC |
//! | `job-ended` | | reserved: jobs do not exist yet, and a manifest with it is refused |

use super::cron::Cron;
use framepost_events::record::Record;
use framepost_ports::{FilterValue, Keys, Records};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A trigger of a function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Options")]
pub enum Trigger {
    /// An object in the bucket is complete.
    ObjectFinalized(Keys),
    /// An object in the bucket was removed.
    ObjectRemoved(Keys),
    /// A function published a record about an object.
    Record(Records),
    /// A client sent an HTTP request.
    Http(Http),
    /// A scheduled time was reached.
    Schedule(Schedule),
}

/// HTTP requests that the function answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// The prefix of its paths; `/` by default. The function gets the whole path.
    pub path: String,
    /// Who may send requests.
    pub auth: Auth,
}

/// Who may send requests to a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// Identities with the right in the cloud: `lambda:InvokeFunctionUrl`, `roles/run.invoker`.
    Cloud,
    /// Everybody. The function must authenticate the sender.
    Function,
}

/// The times at which a function is called, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The name in the event, and the last part of the resource's name.
    pub name: String,
    /// The times of the schedule.
    pub times: Cron,
}

/// An occurrence that may trigger a function, except schedules and requests.
#[derive(Debug, Clone, Copy)]
pub enum Happened<'a> {
    /// The object with this key is complete.
    Finalized(&'a str),
    /// The object with this key was removed.
    Removed(&'a str),
    /// This record was published.
    Record(&'a Record),
}

impl Trigger {
    /// Returns whether the trigger applies to the occurrence.
    pub fn hears(&self, happened: Happened<'_>) -> bool {
        match (self, happened) {
            (Self::ObjectFinalized(keys), Happened::Finalized(key))
            | (Self::ObjectRemoved(keys), Happened::Removed(key)) => keys.hold(key),
            (Self::Record(records), Happened::Record(record)) => records.hold(record),
            _ => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    ObjectFinalized,
    ObjectRemoved,
    Record,
    Http,
    Schedule,
    JobEnded,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::ObjectFinalized => "object-finalized",
            Self::ObjectRemoved => "object-removed",
            Self::Record => "record",
            Self::Http => "http",
            Self::Schedule => "schedule",
            Self::JobEnded => "job-ended",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::ObjectFinalized | Self::ObjectRemoved => &["prefixes", "suffixes"],
            Self::Record => &["types", "filters"],
            Self::Http => &["path", "auth"],
            Self::Schedule => &["name", "every_minutes", "cron"],
            Self::JobEnded => &[],
        }
    }
}

/// A trigger as written, before `event` determines the valid options.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    event: Kind,
    prefixes: Option<Vec<String>>,
    suffixes: Option<Vec<String>>,
    types: Option<Vec<String>>,
    filters: Option<BTreeMap<String, Vec<FilterValue>>>,
    path: Option<String>,
    auth: Option<Auth>,
    name: Option<String>,
    every_minutes: Option<u32>,
    cron: Option<String>,
}

impl Options {
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("prefixes", self.prefixes.is_some()),
            ("suffixes", self.suffixes.is_some()),
            ("types", self.types.is_some()),
            ("filters", self.filters.is_some()),
            ("path", self.path.is_some()),
            ("auth", self.auth.is_some()),
            ("name", self.name.is_some()),
            ("every_minutes", self.every_minutes.is_some()),
            ("cron", self.cron.is_some()),
        ];
        given.into_iter().filter_map(|(name, is_given)| is_given.then_some(name))
    }
}

impl TryFrom<Options> for Trigger {
    type Error = String;

    fn try_from(options: Options) -> Result<Self, String> {
        let kind = options.event;
        if kind == Kind::JobEnded {
            return Err("job-ended is reserved: nothing runs jobs yet".to_owned());
        }
        if let Some(stray) = options.given().find(|option| !kind.options().contains(option)) {
            let allowed = kind.options().join(", ");
            return Err(format!("{stray} is no option of {}, which takes {allowed}", kind.word()));
        }
        let missing = |option: &str| format!("{} needs {option}", kind.word());
        Ok(match kind {
            Kind::ObjectFinalized | Kind::ObjectRemoved => {
                let prefixes = options.prefixes.unwrap_or_default();
                let suffixes = options.suffixes.unwrap_or_default();
                let keys = Keys { prefixes, suffixes };
                if kind == Kind::ObjectFinalized { Self::ObjectFinalized(keys) } else { Self::ObjectRemoved(keys) }
            }
            Kind::Record => Self::Record(Records {
                types: options.types.ok_or_else(|| missing("types"))?,
                filters: options.filters.unwrap_or_default(),
            }),
            Kind::Http => Self::Http(Http {
                path: options.path.unwrap_or_else(|| "/".to_owned()),
                auth: options.auth.ok_or_else(|| missing("auth"))?,
            }),
            Kind::Schedule => {
                let times = match (options.every_minutes, options.cron) {
                    (Some(minutes), None) => Cron::every_minutes(minutes)?,
                    (None, Some(text)) => text.parse()?,
                    _ => return Err("schedule needs either every_minutes or cron".to_owned()),
                };
                Self::Schedule(Schedule { name: options.name.ok_or_else(|| missing("name"))?, times })
            }
            Kind::JobEnded => return Err(missing("jobs")),
        })
    }
}
