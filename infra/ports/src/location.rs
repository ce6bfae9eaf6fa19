//! The locations in a configuration, and their only parser.
//!
//! | location | cloud | what it can be |
//! |---|---|---|
//! | `file:///dir` | local | a bucket, a bucket's events, a ledger |
//! | `log:` | local | a bus: standard output |
//! | `s3://bucket[/prefix]` | aws | a bucket |
//! | `sqs:https://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE` | aws | a function's events, the far end of its inbox, dead letters |
//! | `eventbridge:NAME`, `eventbridge:ARN` | aws | a bus |
//! | `dynamodb:TABLE` | aws | a ledger |
//! | `gs://bucket[/prefix]` | gcp | a bucket, a ledger |
//! | `pubsub:projects/P/subscriptions/S` | gcp | a function's events |
//! | `pubsub:projects/P/topics/T` | gcp | a bus, the far end of a function's inbox, dead letters |
//! | `motion:` | local | a detector: what moves |
//! | `onnx:DIR`, `onnx:s3://bucket/dir`, `onnx:gs://bucket/dir` | onnx | a detector: a model that runs here |
//! | `oip+https://host/v2/models/NAME` | oip | a detector: a model server |
//! | `oip+grpcs://host/v2/models/NAME` | grpc | a detector: a model server, over gRPC |
//! | `rekognition:` | aws | a detector |
//! | `vision:` | gcp | a detector |
//! | `sqlite:/path/catalog.db` | sqlite | a catalogue: a file of this machine |
//! | `postgres://[user[:password]@]host[:port]/database[?parameters]` | postgres | a catalogue |
//!
//! A location is parsed for its [`Role`], so that a mistake is found where it is written. Every program knows every location,
//! whichever clouds are compiled in. A program without the adapters for a location's [`cloud`](Location::cloud) can say so. A
//! new cloud needs some rows of [`FORMS`].

use crate::shown::ShownUrl;
use std::fmt;
use std::path::{Path, PathBuf};
use url::Url;

/// The use of a location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Where objects are read or put.
    Bucket,
    /// Source of a function's events.
    Events,
    /// The end of one function's inbox into which messages are put.
    Feed,
    /// Where records are published.
    Bus,
    /// Where rejected messages are parked.
    DeadLetters,
    /// Where claims are kept.
    Ledger,
    /// Finds things in pictures.
    Detector,
    /// The database of the footage.
    Catalog,
}

/// The part of a location behind its scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Absolute path of a directory on this machine.
    Directory(PathBuf),
    /// Objects of a bucket.
    Bucket {
        /// The bucket's name, which is the host of the URL.
        name: String,
        /// The common beginning of the keys, without slashes around it; empty for the whole bucket.
        prefix: String,
    },
    /// Absolute path of a file on this machine.
    File(PathBuf),
    /// A URL of the service itself.
    Url(Url),
    /// The URL of a database, which may contain secrets.
    Database(Url),
    /// A name that the service knows.
    Name(String),
    /// Nothing, because there is only one such place.
    Only,
}

/// How the text behind a scheme is read.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Directory,
    File,
    Bucket,
    Url,
    Database,
    Name,
    /// A URL whose own scheme stands behind a plus: `oip+https://host/path`.
    Over,
    /// `projects/P/<kind>/NAME`, whose kind is in the variant: `topics`, `subscriptions`.
    Resource(&'static str),
    Only,
}

#[derive(Debug)]
struct Form {
    scheme: &'static str,
    cloud: &'static str,
    shape: Shape,
    roles: &'static [Role],
    /// What an error message shows of this form.
    example: &'static str,
}

/// All forms of a location, in the order in which messages list them.
const FORMS: [Form; 19] = [
    Form { scheme: "s3", cloud: "aws", shape: Shape::Bucket, roles: &[Role::Bucket], example: "s3://bucket" },
    Form { scheme: "log", cloud: "local", shape: Shape::Only, roles: &[Role::Bus], example: "log:" },
    Form {
        scheme: "eventbridge",
        cloud: "aws",
        shape: Shape::Name,
        roles: &[Role::Bus],
        example: "eventbridge:NAME_OR_ARN",
    },
    Form { scheme: "dynamodb", cloud: "aws", shape: Shape::Name, roles: &[Role::Ledger], example: "dynamodb:TABLE" },
    Form {
        scheme: "gs",
        cloud: "gcp",
        shape: Shape::Bucket,
        roles: &[Role::Bucket, Role::Ledger],
        example: "gs://bucket",
    },
    Form {
        scheme: "sqs",
        cloud: "aws",
        shape: Shape::Url,
        roles: &[Role::Events, Role::Feed, Role::DeadLetters],
        example: "sqs:https://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE",
    },
    Form {
        scheme: "pubsub",
        cloud: "gcp",
        shape: Shape::Resource("subscriptions"),
        roles: &[Role::Events],
        example: "pubsub:projects/P/subscriptions/S",
    },
    Form {
        scheme: "pubsub",
        cloud: "gcp",
        shape: Shape::Resource("topics"),
        roles: &[Role::Bus, Role::Feed, Role::DeadLetters],
        example: "pubsub:projects/P/topics/T",
    },
    Form {
        scheme: "file",
        cloud: "local",
        shape: Shape::Directory,
        roles: &[Role::Bucket, Role::Events, Role::Feed, Role::Ledger],
        example: "file:///directory",
    },
    Form { scheme: "motion", cloud: "local", shape: Shape::Only, roles: &[Role::Detector], example: "motion:" },
    Form { scheme: "onnx", cloud: "onnx", shape: Shape::Name, roles: &[Role::Detector], example: "onnx:DIRECTORY" },
    Form {
        scheme: "oip+https",
        cloud: "oip",
        shape: Shape::Over,
        roles: &[Role::Detector],
        example: "oip+https://host/v2/models/NAME",
    },
    Form {
        scheme: "oip+http",
        cloud: "oip",
        shape: Shape::Over,
        roles: &[Role::Detector],
        example: "oip+http://host/v2/models/NAME",
    },
    Form {
        scheme: "oip+grpcs",
        cloud: "grpc",
        shape: Shape::Over,
        roles: &[Role::Detector],
        example: "oip+grpcs://host/v2/models/NAME",
    },
    Form {
        scheme: "oip+grpc",
        cloud: "grpc",
        shape: Shape::Over,
        roles: &[Role::Detector],
        example: "oip+grpc://host/v2/models/NAME",
    },
    Form { scheme: "rekognition", cloud: "aws", shape: Shape::Only, roles: &[Role::Detector], example: "rekognition:" },
    Form { scheme: "vision", cloud: "gcp", shape: Shape::Only, roles: &[Role::Detector], example: "vision:" },
    Form {
        scheme: "sqlite",
        cloud: "sqlite",
        shape: Shape::File,
        roles: &[Role::Catalog],
        example: "sqlite:/path/catalog.db",
    },
    Form {
        scheme: "postgres",
        cloud: "postgres",
        shape: Shape::Database,
        roles: &[Role::Catalog],
        example: "postgres://user@host/database",
    },
];

/// A location in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    scheme: &'static str,
    cloud: &'static str,
    place: Place,
}

/// A text that is not a location for the use that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}")]
pub struct LocationError {
    expected: String,
}

impl Location {
    /// Parses a location that is used as `role`.
    pub fn parse(text: &str, role: Role) -> Result<Self, LocationError> {
        let error = || LocationError { expected: expected(role) };
        let (scheme, rest) = text.split_once(':').ok_or_else(error)?;
        let scheme = scheme.to_ascii_lowercase();
        let form = FORMS.iter().find(|form| form.scheme == scheme && form.roles.contains(&role)).ok_or_else(error)?;
        let place = form.shape.read(rest, text).ok_or_else(error)?;
        Ok(Self { scheme: form.scheme, cloud: form.cloud, place })
    }

    /// Returns the location of a directory.
    pub fn of_directory(dir: &Path) -> std::io::Result<Self> {
        Ok(Self { scheme: "file", cloud: "local", place: Place::Directory(std::path::absolute(dir)?) })
    }

    /// Returns the scheme in lower case: the part before the first colon.
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Returns `local`, or the cargo feature that has the adapters.
    pub fn cloud(&self) -> &'static str {
        self.cloud
    }

    /// Returns the part behind the scheme.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

impl Shape {
    fn read(self, rest: &str, whole: &str) -> Option<Place> {
        let name = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        match self {
            Self::Directory => {
                let url: Url = whole.parse().ok()?;
                // A path that is relative, or another machine's, is read as something else than what was meant.
                let is_absolute = rest.starts_with("//") && url.query().is_none() && url.fragment().is_none();
                is_absolute.then(|| url.to_file_path().ok()).flatten().map(Place::Directory)
            }
            Self::Bucket => {
                let (bucket, prefix) = rest.strip_prefix("//")?.split_once('/').unwrap_or((rest.get(2..)?, ""));
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
                let is_bucket = !bucket.is_empty() && bucket.bytes().all(is_plain);
                let has_no_parameters = !prefix.contains(['?', '#']);
                (is_bucket && has_no_parameters)
                    .then(|| Place::Bucket { name: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
            }
            Self::Url => service(rest, &["https", "http"]),
            Self::File => {
                let is_file = rest.starts_with('/') && !rest.ends_with('/') && !rest.contains('\0');
                is_file.then(|| Place::File(rest.into()))
            }
            Self::Database => {
                let url: Url = whole.parse().ok()?;
                let is_named = !url.path().trim_start_matches('/').is_empty() && rest.starts_with("//");
                is_named.then_some(Place::Database(url))
            }
            Self::Over => {
                let (_, url) = whole.split_once('+')?;
                let (scheme, rest) = url.split_once(':')?;
                let schemes = ["https", "http", "grpcs", "grpc"];
                service(&format!("{scheme}:{rest}"), &schemes).filter(|_| rest.starts_with("//"))
            }
            Self::Name => name(rest).map(Place::Name),
            Self::Resource(kind) => {
                let parts: Vec<&str> = rest.split('/').collect();
                let is_good = matches!(parts[..], ["projects", project, found, name]
                    if found == kind && !project.is_empty() && !name.is_empty());
                is_good.then(|| Place::Name(rest.to_owned()))
            }
            Self::Only => rest.is_empty().then_some(Place::Only),
        }
    }
}

/// Reads the URL of something that a service has.
fn service(text: &str, schemes: &[&str]) -> Option<Place> {
    let url: Url = text.parse().ok()?;
    let is_named = url.path_segments()?.next_back().is_some_and(|name| !name.is_empty());
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    (is_named && has_host && schemes.contains(&url.scheme())).then_some(Place::Url(url))
}

/// Returns all forms that a location of this role can have: `a, b or c`.
pub fn expected(role: Role) -> String {
    let examples: Vec<&str> = FORMS.iter().filter(|form| form.roles.contains(&role)).map(|form| form.example).collect();
    match examples[..] {
        [ref first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => examples.concat(),
    }
}

/// Formats the location without anything that could be a secret.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.scheme;
        match &self.place {
            Place::Directory(dir) => write!(f, "{scheme}://{}", dir.display()),
            Place::Bucket { name, prefix } if prefix.is_empty() => write!(f, "{scheme}://{name}"),
            Place::Bucket { name, prefix } => write!(f, "{scheme}://{name}/{prefix}"),
            Place::File(file) => write!(f, "{scheme}:{}", file.display()),
            Place::Database(url) => f.write_str(ShownUrl::of(url.as_str()).as_str()),
            Place::Url(url) => {
                let scheme = scheme.split('+').next().unwrap_or(scheme);
                let between = if scheme == self.scheme { ':' } else { '+' };
                write!(f, "{scheme}{between}{}", ShownUrl::of(url.as_str()).as_str())
            }
            Place::Name(name) => write!(f, "{scheme}:{name}"),
            Place::Only => write!(f, "{scheme}:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 8] = [
        Role::Bucket,
        Role::Events,
        Role::Feed,
        Role::Bus,
        Role::DeadLetters,
        Role::Ledger,
        Role::Detector,
        Role::Catalog,
    ];

    #[test]
    fn each_form_is_read_in_its_roles_and_in_no_other() {
        let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/framepost-probe";
        let bucket = |name: &str, prefix: &str| Place::Bucket { name: name.to_owned(), prefix: prefix.to_owned() };
        let name = |name: &str| Place::Name(name.to_owned());
        for (text, cloud, roles, place) in [
            ("s3://footage", "aws", &[Role::Bucket][..], bucket("footage", "")),
            ("S3://my.footage/a/b/", "aws", &[Role::Bucket], bucket("my.footage", "a/b")),
            ("gs://foot_age/a", "gcp", &[Role::Bucket, Role::Ledger], bucket("foot_age", "a")),
            ("log:", "local", &[Role::Bus], Place::Only),
            ("eventbridge:records", "aws", &[Role::Bus], name("records")),
            ("eventbridge:arn:aws:events:eu-central-1:1:event-bus/b", "aws", &[Role::Bus], {
                name("arn:aws:events:eu-central-1:1:event-bus/b")
            }),
            ("dynamodb:claims", "aws", &[Role::Ledger], name("claims")),
            (
                &format!("sqs:{queue}"),
                "aws",
                &[Role::Events, Role::Feed, Role::DeadLetters],
                Place::Url(queue.parse().unwrap()),
            ),
            ("pubsub:projects/p/subscriptions/s", "gcp", &[Role::Events], name("projects/p/subscriptions/s")),
            (
                "pubsub:projects/p/topics/t",
                "gcp",
                &[Role::Bus, Role::Feed, Role::DeadLetters],
                name("projects/p/topics/t"),
            ),
            ("motion:", "local", &[Role::Detector], Place::Only),
            ("onnx:s3://models/yolox", "onnx", &[Role::Detector], name("s3://models/yolox")),
            ("oip+https://h:8000/v2/models/m", "oip", &[Role::Detector], {
                Place::Url("https://h:8000/v2/models/m".parse().unwrap())
            }),
            ("oip+http://h/v2/models/m", "oip", &[Role::Detector], Place::Url("http://h/v2/models/m".parse().unwrap())),
            ("oip+grpc://h:8001/v2/models/m", "grpc", &[Role::Detector], {
                Place::Url("grpc://h:8001/v2/models/m".parse().unwrap())
            }),
            ("oip+GRPCS://h/v2/models/m/versions/3", "grpc", &[Role::Detector], {
                Place::Url("grpcs://h/v2/models/m/versions/3".parse().unwrap())
            }),
            ("rekognition:", "aws", &[Role::Detector], Place::Only),
            ("sqlite:/srv/c a.db", "sqlite", &[Role::Catalog], Place::File("/srv/c a.db".into())),
            ("postgres://u:p@h/d?sslmode=require", "postgres", &[Role::Catalog], {
                Place::Database("postgres://u:p@h/d?sslmode=require".parse().unwrap())
            }),
            ("postgres:///d?host=/run/postgresql", "postgres", &[Role::Catalog], {
                Place::Database("postgres:///d?host=/run/postgresql".parse().unwrap())
            }),
            ("file:///srv/a%20b", "local", &[Role::Bucket, Role::Events, Role::Feed, Role::Ledger], {
                Place::Directory("/srv/a b".into())
            }),
        ] {
            for role in ROLES {
                let read = Location::parse(text, role);
                assert_eq!(read.is_ok(), roles.contains(&role), "{text} as {role:?}: {read:?}");
                if let Ok(read) = read {
                    assert_eq!((read.cloud(), read.place()), (cloud, &place), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_location_is_told_what_could_be_one() {
        for text in [
            "",
            ":",
            "footage",
            "/srv/footage",
            "file:",
            "file:footage",
            "file:/srv",
            "file://host/srv",
            "file:///srv?x",
            "s3:",
            "s3:footage",
            "s3://",
            "s3:///x",
            "s3://user:secret@footage",
            "s3://footage:9000/x",
            "s3://footage/x?y",
            "gs://",
            "log",
            "log:x",
            "eventbridge:",
            "dynamodb:",
            "sqs:queue",
            "sqs:https://sqs.amazonaws.com/",
            "sqs:arn:aws:sqs:eu-central-1:1:q",
            "sqs:file:///q",
            "pubsub:t",
            "pubsub:projects//topics/t",
            "pubsub:projects/p/topics/",
            "pubsub:projects/p/topics/t/u",
            "motion:x",
            "onnx:",
            "oip:https://h/v2/models/m",
            "oip+https:h/v2/models/m",
            "oip+ftp://h/v2/models/m",
            "oip+https://h/",
            "oip+grpc://h:8001",
            "oip+grpc://h:8001/",
            "oip+grpc:///v2/models/m",
            "oip+grpc:h/v2/models/m",
            "grpc://h/v2/models/m",
            "sqs:grpc://h/1/q",
            "vision:x",
            "sqlite:catalog.db",
            "sqlite:/srv/",
            "sqlite:",
            "postgres://host",
            "postgres:d",
            "mysql://h/d",
            "azure://x",
            "http://footage",
        ] {
            for role in ROLES {
                assert!(Location::parse(text, role).is_err(), "{text} as {role:?}");
            }
        }
        let error = Location::parse("s3://footage", Role::Ledger).unwrap_err();
        assert_eq!(error.to_string(), "expected dynamodb:TABLE, gs://bucket or file:///directory");
    }

    #[test]
    fn a_location_is_shown_as_it_was_written_but_for_secrets() {
        for (text, role, shown) in [
            ("s3://footage/a", Role::Bucket, "s3://footage/a"),
            ("file:///srv/footage", Role::Events, "file:///srv/footage"),
            ("sqs:https://u:secret@h/1/q?token=x", Role::Events, "sqs:https://h/1/q"),
            ("log:", Role::Bus, "log:"),
            ("sqlite:/srv/c.db", Role::Catalog, "sqlite:/srv/c.db"),
            ("postgres://u:secret@h:5432/d?password=secret", Role::Catalog, "postgres://h:5432/d"),
            ("oip+https://u:secret@h/v2/models/m?token=x", Role::Detector, "oip+https://h/v2/models/m"),
            ("oip+grpcs://u:secret@h:1/v2/models/m?token=x", Role::Detector, "oip+grpcs://h:1/v2/models/m"),
        ] {
            assert_eq!(Location::parse(text, role).unwrap().to_string(), shown);
        }
    }
}
