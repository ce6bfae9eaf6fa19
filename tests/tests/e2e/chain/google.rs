//! On Google Cloud: Cloud Storage and Pub/Sub are emulators, Cloud SQL is a PostgreSQL server of the test's own. Topics, and
//! subscriptions with their filters, are those that `terraform/modules/gcp/bucket` and `event-route` make.

use super::asked::{Asked, Page, Token};
use super::{Cloud, follow};
use crate::gcp::{address, backfill_to};
use crate::inferred::has_ffmpeg;
use framepost_tests::binaries::{Output, Program, Running};
use framepost_tests::cloud_run::{Service, Vouching, Wiring};
use framepost_tests::google_emulators::GoogleEmulators;
use framepost_tests::media::Clip;
use framepost_tests::postgres::Server;
use std::collections::BTreeMap;
use std::path::Path;

/// A function, and what is pushed to it.
struct Pushed {
    service: Service,
    subscriptions: Vec<String>,
}

struct Google {
    emulators: GoogleEmulators,
    vouching: Vouching,
    bucket: String,
    functions: Vec<Pushed>,
}

/// The topics, by the events of a function's triggers.
type Topics = BTreeMap<&'static str, String>;

/// What a function is triggered by, as its `function.yaml` says: events, and the types of records.
fn triggers(function: &str) -> Vec<(String, Vec<String>)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../functions/{function}/function.yaml"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let listed = text.split("triggers:").nth(1).and_then(|rest| rest.split("\ndelivery:").next()).expect("triggers");
    let word = |character: char| !(character.is_ascii_alphanumeric() || ".-".contains(character));
    let trigger = |text: &str| {
        let words: Vec<&str> = text.split(word).filter(|word| !word.is_empty()).collect();
        let types = words.iter().filter(|word| word.starts_with("io.framepost.")).map(|word| (*word).to_owned());
        (words[0].to_owned(), types.collect())
    };
    listed.split("event:").skip(1).map(trigger).collect()
}

impl Google {
    /// Subscribes a function to what triggers it, except for schedules, and starts it.
    fn deploy(&mut self, wiring: &Wiring, topics: &Topics) {
        let mut subscriptions = Vec::new();
        for (event, types) in triggers(wiring.program.name()) {
            let Some(topic) = topics.get(event.as_str()) else { continue };
            // In a real filter `ce-type` is in quotes, which the emulator's do not have.
            let filter: Vec<String> = types.iter().map(|name| format!("attributes.ce-type = \"{name}\"")).collect();
            subscriptions.push(self.emulators.filtered_subscription(topic, 90, &filter.join(" OR ")));
        }
        assert!(!subscriptions.is_empty(), "{}", wiring.program.name());
        self.functions.push(Pushed { service: wiring.service(&self.vouching), subscriptions });
    }
}

impl Cloud for Google {
    fn keys(&self) -> Vec<String> {
        self.emulators.names(&self.bucket)
    }

    fn bytes(&self, key: &str) -> Vec<u8> {
        self.emulators.bytes(&self.bucket, key)
    }

    fn expire(&mut self, key: &str) {
        self.emulators.delete(&self.bucket, key);
    }

    fn deliver(&mut self) {
        for Pushed { service, subscriptions } in &self.functions {
            for subscription in subscriptions {
                for message in self.emulators.pull(subscription) {
                    match service.push(subscription, &message, &self.vouching) {
                        200..300 => self.emulators.acknowledge(subscription, &message),
                        _ => self.emulators.give_back(subscription, &message),
                    }
                }
            }
        }
    }

    fn why(&self) -> String {
        let of = |function: &Pushed| {
            let running = &function.service.running;
            [running.lines(Output::Stdout), running.lines(Output::Stderr)].concat()
        };
        let logs: Vec<String> = self.functions.iter().flat_map(of).collect();
        format!("{}\n{}", logs.join("\n"), self.emulators.log())
    }
}

#[test]
fn on_google_a_clip_is_found_played_exported_and_gone_when_its_objects_are() {
    if !has_ffmpeg() {
        return;
    }
    let Some(database) = Server::start() else { return };
    let Some(emulators) = GoogleEmulators::start() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = emulators.bucket();
    let topics = Topics::from(["object-finalized", "object-removed", "record"].map(|event| (event, emulators.topic())));
    emulators.notify_of(&bucket, &topics["object-finalized"], &["OBJECT_FINALIZE"]);
    emulators.notify_of(&bucket, &topics["object-removed"], &["OBJECT_DELETE", "OBJECT_ARCHIVE"]);
    let parked = emulators.topic();
    let dead_letters = emulators.subscription(&parked, 60);
    let mut wiring = Wiring {
        program: Program::Api,
        storage: emulators.storage.clone(),
        pubsub: emulators.pubsub.clone(),
        records: topics["record"].clone(),
        dead_letters: parked,
        variables: BTreeMap::new(),
    };
    let mut google = Google { emulators, vouching: Vouching::start(), bucket, functions: Vec::new() };

    // The api reads as a user that owns nothing, and is there before anybody has made a table.
    database.make_user("framepost_reader");
    let url = database.database("chain");
    let token = Token::make(&directory.path().join("operator"));
    wiring.variables = BTreeMap::from([
        ("FRAMEPOST_RECORDS", "log:".to_owned()),
        ("FRAMEPOST_CATALOG", url.replace("framepost@", "framepost_reader@") + "?tables=awaited"),
        ("FRAMEPOST_API_TOKENS", token.stored.clone()),
        ("FRAMEPOST_API_KEY", "0f".repeat(32)),
        ("FRAMEPOST_API_EXPORTS", format!("gs://{}", google.bucket)),
    ]);
    let api = wiring.service(&google.vouching);
    let at = address(api.url().trim_end_matches('/'));
    let asked = Asked::new(at, Some(Page { address: at, media: None }), &token);
    assert_eq!(asked.status("/v1/cameras"), 503, "nobody has made the tables: {}", api.running.log());

    for (program, variables) in [
        (Program::Probe, BTreeMap::new()),
        (Program::Infer, BTreeMap::from([("FRAMEPOST_DETECTOR", "motion:".to_owned())])),
        (Program::Catalog, BTreeMap::from([("FRAMEPOST_CATALOG", format!("{url}?reader=public"))])),
    ] {
        (wiring.program, wiring.variables) = (program, variables);
        google.deploy(&wiring, &topics);
    }

    let spool = directory.path().join("spool");
    let mut gateway = backfill_to(&google.bucket, &google.emulators.storage, Clip::H264, &spool);
    Running::start(&mut gateway).wait_for_exit_code(0, super::PATIENCE);
    follow(&mut google, &asked, Clip::H264, directory.path());
    assert!(google.emulators.drain_rest(&dead_letters).is_empty(), "nothing was parked\n{}", google.why());
}
