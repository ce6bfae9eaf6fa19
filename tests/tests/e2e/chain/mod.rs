//! The whole chain, in each cloud with the programs that it runs there, and on one machine: a clip goes in, is found by what is seen in it, plays, is
//! exported, and, in the clouds, is shown in a browser. Then the bucket removes its objects, and it is gone from the catalogue; the export stays.

mod asked;
mod aws;
mod google;
mod here;

use asked::Asked;
use framepost_events::{KeyKind, ObjectKey};
use framepost_tests::judge::packets::Stream;
use framepost_tests::media::Clip;
use std::path::Path;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(3);

/// The prefix of the keys of exports; all other keys are footage.
const EXPORTS: &str = "exports/";

/// A cloud with Framepost's functions and a gateway's footage of one camera in it.
trait Cloud {
    /// The keys of all objects.
    fn keys(&self) -> Vec<String>;

    fn bytes(&self, key: &str) -> Vec<u8>;

    /// Removes an object as a rule of the bucket's lifecycle does.
    fn expire(&mut self, key: &str);

    /// Brings functions what waits for them, once.
    fn deliver(&mut self);

    /// What the functions said, for the message of a failed test.
    fn why(&self) -> String;
}

/// Delivers messages until `done` returns true. Panics with what the functions said after three minutes.
fn deliver_until(cloud: &mut dyn Cloud, what: &str, mut done: impl FnMut(&dyn Cloud) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done(cloud) {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}\n{}", cloud.why());
        cloud.deliver();
    }
}

fn is_chunk(key: &str) -> bool {
    key.parse::<ObjectKey>().is_ok_and(|key| key.kind == KeyKind::Chunk)
}

/// Follows a clip from the bucket to its end. `directory` is for the test's own files.
fn follow(cloud: &mut dyn Cloud, asked: &Asked, clip: Clip, directory: &Path) {
    let footage = cloud.keys();
    let chunks: Vec<String> = footage.iter().filter(|key| is_chunk(key)).cloned().collect();
    assert!(chunks.len() > 2, "{footage:?}");
    // The catalog makes the tables.
    cloud.deliver();
    deliver_until(cloud, "each chunk is known, and was looked at", |_| asked.looked_at() == chunks.len());

    let known = asked.camera().unwrap_or_else(|| panic!("no camera\n{}", cloud.why()));
    let best = asked.sighting("motion", &known);
    assert_eq!(asked.sightings("person"), [""; 0], "what nobody saw is not found");
    assert!(chunks.contains(&best), "{best}");
    let bytes = cloud.bytes(&best);
    asked.media_is(&best, &bytes);
    asked.plays(&known, &clip.path(), &[Stream::Video]);

    let export = asked.export(&known, &clip.path(), directory);
    asked.shows(&export, directory);
    let exported: Vec<String> = cloud.keys().into_iter().filter(|key| key.starts_with(EXPORTS)).collect();
    assert!(exported.iter().any(|key| key.contains(".mp4")), "{exported:?}");

    for key in &footage {
        cloud.expire(key);
    }
    // The last object to go is the end of the span, which is no chunk: chunks are forgotten while it is still there.
    deliver_until(cloud, "the bucket has the export alone", |cloud| cloud.keys() == exported);
    deliver_until(cloud, "no chunk is known", |_| asked.chunks().is_empty());
    asked.has_nothing(&known, &best);
    asked.still_has(&export);
}
