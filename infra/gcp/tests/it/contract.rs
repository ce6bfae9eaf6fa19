//! The contract suites, against fake-gcs-server and pstest.

use async_trait::async_trait;
use framepost_events::record::Record;
use framepost_gcp::{GcsBucket, GcsSource, GoogleOptions};
use framepost_ports::contract::{self, Listener, Subject, sink_and_source};
use framepost_tests::google_emulators::GoogleEmulators;
use std::sync::{Arc, Mutex};

fn options(endpoint: &str) -> GoogleOptions {
    GoogleOptions { endpoint: Some(endpoint.parse().expect("a URL")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_cloud_storage_keeps_the_contract() {
    let Some(google) = GoogleEmulators::start() else { return };
    let name = google.bucket();
    let url = format!("gs://{name}").parse().expect("a URL");
    let bucket = GcsBucket::connect(&url, &options(&google.storage)).expect("connected");
    let source = Arc::new(GcsSource::connect(&options(&google.storage)).await.expect("connected"));
    sink_and_source(&Subject { sink: Arc::new(bucket), source, bucket: name }).await;
}

#[cfg(feature = "functions")]
#[tokio::test(flavor = "multi_thread")]
async fn removing_from_cloud_storage_keeps_the_contract() {
    let Some(google) = GoogleEmulators::start() else { return };
    let name = google.bucket();
    let url = format!("gs://{name}").parse().expect("a URL");
    let options = options(&google.storage);
    let bucket = GcsBucket::connect(&url, &options).expect("connected");
    let source = Arc::new(GcsSource::connect(&options).await.expect("connected"));
    let removal = framepost_gcp::GcsRemoval::new(&name, &options).expect("a client");
    let listing = framepost_gcp::GcsListing::new(&name, &options).expect("a client");
    contract::removal(&Subject { sink: Arc::new(bucket), source, bucket: name }, &removal, &listing).await;
}

/// A subscription from which each call takes all messages.
struct Subscribed<'a> {
    google: &'a GoogleEmulators,
    subscription: String,
    heard: Mutex<Vec<Record>>,
}

#[async_trait]
impl Listener for Subscribed<'_> {
    async fn heard(&self) -> Vec<Record> {
        let mut heard = self.heard.lock().expect("no panic");
        for message in self.google.pull(&self.subscription) {
            self.google.acknowledge(&self.subscription, &message);
            heard.push(serde_json::from_slice(&message.data).expect("a record"));
        }
        heard.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_keeps_the_contract_of_a_bus() {
    let Some(google) = GoogleEmulators::start() else { return };
    let topic = google.topic();
    let subscription = google.subscription(&topic, 60);
    let bus = framepost_gcp::PubSubBus::connect(&topic, &options(&google.pubsub)).await.expect("connected");
    contract::bus(&bus, &Subscribed { google: &google, subscription, heard: Mutex::default() }).await;
}

#[cfg(feature = "functions")]
mod claims {
    use super::*;
    use framepost_gcp::GcsLedger;
    use framepost_ports::ledger::{Claimed, Hold};
    use framepost_ports::{Ledger, SystemClock};
    use framepost_tests::fault_proxy::{Fault, FaultProxy, Plan};
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_bucket_keeps_the_contract_of_a_ledger() {
        let Some(google) = GoogleEmulators::start() else { return };
        for prefix in ["", "claims/transcode"] {
            let store =
                GcsLedger::connect(&google.bucket(), prefix, &options(&google.storage)).await.expect("connected");
            contract::ledger(Arc::new(store)).await;
        }
    }

    /// The cost that the module's documentation states.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_piece_of_work_costs_two_writes_and_a_duplicate_one_of_each() {
        let Some(google) = GoogleEmulators::start() else { return };
        let proxy = FaultProxy::start(google.storage.trim_start_matches("http://").parse().expect("an address"));
        let bucket = google.bucket();
        let store = GcsLedger::connect(&bucket, "claims", &options(&proxy.url())).await.expect("connected");
        let ledger = Ledger::new(Arc::new(store), Arc::new(SystemClock));
        let requests = || {
            let seen = proxy.seen().methods;
            let of = |method: &str| seen.get(method).copied().unwrap_or(0);
            (of("POST"), of("GET"))
        };
        let lease = Duration::from_mins(5);
        let Claimed::Won(mut claim) = ledger.claim("work", lease).await.expect("claim") else { panic!("it is new") };
        assert_eq!(requests(), (1, 0));
        assert_eq!(ledger.done(&mut claim).await.expect("done"), Hold::Kept);
        assert_eq!(requests(), (2, 0));
        assert_eq!(ledger.claim("work", lease).await.expect("claim"), Claimed::Done);
        assert_eq!(requests(), (3, 1));
        let [name] = &google.names(&bucket)[..] else { panic!("one object") };
        assert_eq!(google.object(&bucket, name)["metadata"]["work"], "work");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_write_that_is_put_off_is_waited_for_and_a_lost_answer_loses_no_claim() {
        let Some(google) = GoogleEmulators::start() else { return };
        let proxy = FaultProxy::start(google.storage.trim_start_matches("http://").parse().expect("an address"));
        let store = GcsLedger::connect(&google.bucket(), "claims", &options(&proxy.url())).await.expect("connected");
        let ledger = Ledger::new(Arc::new(store), Arc::new(SystemClock));
        let lease = Duration::from_mins(5);
        for fault in [Fault::SlowDown { retry_after_s: 1 }, Fault::LoseAnswer] {
            proxy.set_plan(Plan::Script(vec![fault]));
            let claimed = ledger.claim(fault.name(), lease).await.expect("claim");
            assert!(matches!(claimed, Claimed::Won(_)), "{fault:?}: {claimed:?}");
            assert_eq!(proxy.seen().fault(fault), 1);
        }
    }
}
