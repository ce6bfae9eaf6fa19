//! What becomes of chunks that cannot be decoded, one by one and in a batch that has to end in time; and of two detectors that
//! share the work.

use crate::support::Counting;
use crate::support::house::{BUSY, House};
use crate::support::pretender::Pretender;
use framepost_events::Sha256;
use framepost_events::record::{Data, Model, Skipped};
use framepost_infer::pictures::Limits;
use framepost_ports::{Function as _, Outcome};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn what_holds_no_picture_has_a_record_and_what_exceeds_a_limit_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    for (name, script, expected) in [
        ("damaged", "cat > /dev/null; echo damaged >&2; exit 1", Ok(Skipped::NoPicture)),
        ("hangs", "sleep 1000", Err("decode-limit")),
        ("counts", "while :; do :; done", Err("decode-limit")),
    ] {
        let Some(mut house) = House::new(BUSY, Counting::paid()) else { return };
        let pretender = Pretender::new(dir.path(), script);
        house.program.clone_from(&pretender.program);
        // Who ends by itself has time for that on a busy machine.
        let decoding = Duration::from_secs(if expected.is_ok() { 200 } else { 1 });
        house.limits = Limits { decoding, ..Limits::default() };
        match (house.infer().handle(house.chunk(0, None)).await, expected) {
            (Outcome::Done, Ok(skipped)) => {
                let (record, inferred) = house.bus.last();
                assert_eq!(record.event_type, "io.framepost.chunk.inferred.v1");
                assert_eq!(
                    (inferred.skipped, inferred.frames.len(), inferred.calls),
                    (Some(skipped), 0, None),
                    "{name}"
                );
                assert_eq!(inferred.model.detector, "counting", "{name}");
            }
            (Outcome::Reject(reason), Err(code)) => {
                assert_eq!(reason.code, code, "{name}");
                assert!(reason.detail.contains("decoding took too much"), "{name}: {}", reason.detail);
                assert!(house.bus.records.lock().unwrap().is_empty(), "{name}");
            }
            (outcome, _) => panic!("{name}: {outcome:?}"),
        }
        assert_eq!(house.detector.asked(), 0, "{name}");
        pretender.is_gone(name).await;
    }
}

#[tokio::test]
async fn of_two_detectors_each_has_hours_of_a_camera_and_records_say_which_it_was() {
    let Some(mut house) = House::new(BUSY, Counting::free()) else { return };
    house.variables = vec![("FRAMEPOST_DETECTOR", "old=motion:@50,new=onnx:other@50"), ("FRAMEPOST_PICTURES", "first")];
    let arms: BTreeMap<&str, Arc<Counting>> = ["old", "new"]
        .into_iter()
        .map(|name| {
            let model = Model {
                detector: "counting".to_owned(),
                name: format!("{name}-model"),
                version: Some(format!("{name}-version")),
                digest: Some(Sha256::of(name.as_bytes())),
                arm: None,
            };
            (name, Arc::new(Counting { model, ..Counting::free() }))
        })
        .collect();
    let infer = house.infer_of(vec![arms["old"].clone(), arms["new"].clone()]);
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    let mut of_hours: BTreeMap<i64, String> = BTreeMap::new();
    // 8 hours, three chunks of each: 1200 chunks of 3 s are an hour.
    for n in (0..8 * 1200).step_by(400) {
        let event = house.chunk(n, None);
        let Data::ChunkProbed(chunk) = &event.data else { panic!("a chunk") };
        let hour = chunk.duration.from.unwrap().as_second() / 3600;
        assert_eq!(infer.handle(event).await, Outcome::Done);
        let model = house.bus.last().1.model;
        let arm = model.arm.unwrap();
        let is_the_arms = (&model.name, &model.version, &model.digest);
        let expected = &arms[&*arm].model;
        assert_eq!(is_the_arms, (&expected.name, &expected.version, &expected.digest));
        *asked.entry(arm.clone()).or_default() += 1;
        assert_eq!(*of_hours.entry(hour).or_insert_with(|| arm.clone()), arm, "an hour of a camera has one");
    }
    assert!(of_hours.len() >= 8, "{of_hours:?}");
    for (arm, detector) in &arms {
        let pictures = asked.get(*arm).copied().unwrap_or_default();
        assert!(pictures > 0, "{arm} has no hour: {of_hours:?}");
        assert_eq!(detector.asked(), pictures, "{arm}: the detector that is named is the one that was asked");
    }
}

/// A batch as a host has it: all messages at once, and an answer to each before the time is up.
#[cfg(feature = "host")]
mod batches {
    use super::*;
    use framepost_events::record::Record;
    use framepost_host::manifest::Manifest;
    use framepost_host::worker::{self, Summary, WorkerLimits};
    use framepost_host::{Answer, Handler, Settled};
    use framepost_ports::memory::{MemoryInbox, ParkedLetters};
    use framepost_ports::{Carrier, Message};
    use tokio::time::Instant;

    fn message(house: &House, n: i64) -> Message {
        let record = house.chunk(n, None);
        Message::new(n.to_string(), Carrier::Queue, serde_json::to_vec(&record).unwrap())
    }

    async fn settled(handler: &Handler, messages: &[Message], time: Duration) -> Vec<Settled> {
        let until = Instant::now() + time;
        let settled = messages.iter().map(|message| handler.settle(message, Some(until)));
        futures::future::join_all(settled).await
    }

    fn endings(settled: &[Settled]) -> Vec<&str> {
        settled.iter().flat_map(|settled| &settled.handled).map(|handled| handled.ending.word()).collect()
    }

    /// A function whose every chunk hangs, and where its rejects go.
    fn hanging(dir: &std::path::Path) -> Option<(House, Handler, Arc<ParkedLetters>)> {
        let mut house = House::new(BUSY, Counting::paid())?;
        house.program = Pretender::new(dir, "sleep 1000").program;
        let parked = Arc::new(ParkedLetters::default());
        let handler = Handler::new::<Record>(Arc::new(house.infer()), Some(parked.clone()));
        Some((house, handler, parked))
    }

    /// The clock is simulated, and goes on to the next limit when nothing is done.
    #[tokio::test(start_paused = true)]
    async fn a_batch_of_hostile_chunks_ends_within_the_functions_time() {
        let dir = tempfile::tempdir().unwrap();
        let Some((house, handler, parked)) = hanging(dir.path()) else { return };
        let manifest = Manifest::parse("function.yaml", framepost_infer::MANIFEST).unwrap();
        let batch = i64::from(manifest.delivery.unwrap().batch_size);
        let messages: Vec<Message> = (0..batch).map(|n| message(&house, n)).collect();
        let begun = Instant::now();
        // A Lambda answers half a second before its end.
        let time = manifest.runtime.timeout.saturating_sub(Duration::from_millis(500));
        let settled = settled(&handler, &messages, time).await;
        assert_eq!(endings(&settled), vec!["reject"; messages.len()], "after {:?}", begun.elapsed());
        assert_eq!(parked.letters().len(), messages.len());
        // However few processors a machine has, so many are decoded at once, so each of these is decoded at once.
        assert!(messages.len() <= framepost_infer::AT_ONCE_MIN.get(), "{batch}: {:?} for two of them", begun.elapsed());
    }

    /// Those that wait for a place wait in the queue, where no time runs for them and no delivery is counted.
    #[tokio::test(start_paused = true)]
    async fn beside_a_worker_no_chunk_runs_out_of_time_behind_hostile_ones() {
        let dir = tempfile::tempdir().unwrap();
        let Some((house, handler, parked)) = hanging(dir.path()) else { return };
        let at_once = house.infer().at_once().unwrap().get();
        let manifest = Manifest::parse("function.yaml", framepost_infer::MANIFEST).unwrap();
        let inbox = Arc::new(MemoryInbox::default());
        // Each is given up after a minute, and three after each other take longer than one message may.
        for n in 0..3 * i64::try_from(at_once).unwrap() {
            inbox.send(message(&house, n).body);
        }
        let all = inbox.len();
        let is_empty = async {
            while !inbox.is_empty() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        let limits = WorkerLimits { handling: manifest.runtime.timeout, ..WorkerLimits::default() };
        let summary = worker::run(handler, inbox.clone(), limits, is_empty).await.unwrap();
        assert_eq!(summary, Summary { rejected: all as u64, ..Summary::default() });
        assert_eq!(parked.letters().len(), all);
        // Nor does an instance in a cloud take more, on the smallest machine.
        let smallest = framepost_infer::AT_ONCE_MIN.get();
        assert!(at_once >= smallest);
        assert_eq!(manifest.runtime.instance_concurrency.unwrap() as usize, smallest);
        assert_eq!(manifest.delivery.unwrap().batch_size as usize, smallest);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_done_in_time_comes_again_and_what_was_done_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let Some((house, handler, parked)) = hanging(dir.path()) else { return };
        // As many as are decoded at once, and some more.
        let at_once = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2);
        let mut queue: Vec<Message> = (0..).map(|n| message(&house, n)).take(at_once + 2).collect();
        let all: Vec<String> = queue.iter().map(|message| message.id.clone()).collect();
        let mut batches = Vec::new();
        while !queue.is_empty() && batches.len() < 4 {
            // One is given up after a minute, two after each other have no time.
            let settled = settled(&handler, &queue, Duration::from_secs(100)).await;
            batches.push(queue.len());
            let mut answers = settled.iter().map(|settled| settled.answer);
            queue.retain(|_| answers.next() != Some(Answer::Acknowledge));
        }
        assert_eq!(batches, [at_once + 2, 2]);
        let mut ended: Vec<String> = parked.letters().into_iter().map(|letter| letter.id).collect();
        ended.sort_by_key(|id| id.parse::<usize>().unwrap());
        assert_eq!(ended, all, "each once");
        assert_eq!(house.detector.asked(), 0);
    }
}
