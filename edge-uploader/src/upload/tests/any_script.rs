//! Whatever the bucket does, nothing is lost.

use super::bucket::{Act, Bucket, Looking};
use super::{HOUR_MS, drained, open, record, uploader};
use crate::upload::{Backoff, UploadSettings};
use framepost_events::{KeyKind, ObjectKey};
use framepost_ports::ErrorKind;
use proptest::prelude::*;
use std::time::Duration;

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Take),
        2 => Just(Act::LoseAnswer),
        2 => Just(Act::Fail(ErrorKind::Transport)),
        2 => Just(Act::Fail(ErrorKind::Busy)),
        1 => Just(Act::Fail(ErrorKind::Denied)),
        1 => Just(Act::Fail(ErrorKind::Invalid)),
        1 => Just(Act::Fail(ErrorKind::Corrupt)),
        1 => Just(Act::Fail(ErrorKind::Io)),
        1 => Just(Act::Stall),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bucket does, and however often the process restarts, every object is there once or set aside.
    #[test]
    fn nothing_is_lost_under_any_script(
        script in proptest::collection::vec(act(), 0..60),
        restarts in proptest::collection::vec(1_u64..120_000, 0..4),
        looking in prop_oneof![Just(Looking::Allowed), Just(Looking::Denied)],
    ) {
        let dir = tempfile::tempdir().unwrap();
        let bucket = Bucket::new(looking, script);
        let settings = UploadSettings {
            refusal_backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(30) },
            ..UploadSettings::default()
        };
        let mut objects = 0;
        for (round, after_ms) in restarts.into_iter().chain([HOUR_MS]).enumerate() {
            // Each life has a runtime of its own; dropping it is the crash.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            let spool = open(dir.path());
            record(&spool, &"c".repeat(round + 1), 4, 100_000);
            objects += 4;
            runtime.block_on(async {
                let (uploader, _shutdown) = uploader(&spool, &bucket, settings.clone());
                drained(&uploader, Duration::from_millis(after_ms)).await;
            });
        }
        let spool = open(dir.path());
        // The end object of the last span, which this last start has written.
        prop_assert_eq!(spool.pending(), (1, 0));
        let quarantined = spool.quarantined();
        let inside = bucket.inside.lock().unwrap();
        let chunks = inside.objects.keys().filter(|key| key.parse::<ObjectKey>().unwrap().kind == KeyKind::Chunk).count();
        let set_aside = quarantined.iter().filter(|q| !inside.objects.contains_key(&q.key.to_string())).count();
        prop_assert_eq!(chunks + set_aside, objects, "{:?}", quarantined);
        // A refusal makes the next put the first one: an object that got there before it is somebody's for all that is known.
        let for_good = |reason: &str| reason.contains("invalid") || reason.contains("never put from here");
        prop_assert!(quarantined.iter().all(|q| for_good(&q.reason)), "{:?}", quarantined);
    }
}
