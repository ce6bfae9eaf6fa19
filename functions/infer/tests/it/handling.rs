//! The function as a whole: records, the gate, paid calls under failures, the budget under load.

use crate::support::house::{BUSY, House, STILL};
use crate::support::{Counting, decoder};
use async_trait::async_trait;
use framepost_events::record::{Data, Skipped};
use framepost_infer::{Infer, Parts, Settings};
use framepost_ports::{Effect, Error, ErrorKind, Function as _, Outcome, Result};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test]
async fn a_chunk_is_looked_at_and_the_same_record_comes_every_time() {
    let Some(house) = House::new(BUSY, Counting::free()) else { return };
    let infer = house.infer();
    let event = house.chunk(0, None);
    assert_eq!(infer.handle(event.clone()).await, Outcome::Done);
    let (first, inferred) = house.bus.last();
    assert_eq!(inferred.skipped, None);
    let offsets: Vec<f64> = inferred.frames.iter().map(|frame| frame.offset).collect();
    assert_eq!(offsets, [0.0, 1.0, 2.0]);
    let Data::ChunkProbed(chunk) = &event.data else { panic!("a chunk") };
    let second = chunk.duration.from.unwrap() + jiff::SignedDuration::from_secs(1);
    assert_eq!(inferred.frames[1].time, Some(second));
    let summary = &inferred.summary[0];
    assert_eq!((summary.label.as_str(), summary.pictures, summary.most), ("thing", 3, 1));
    assert_eq!((inferred.calls, inferred.dollars), (None, None), "it costs nothing");
    assert_eq!(infer.handle(event).await, Outcome::Done);
    let (again, mut data) = house.bus.last();
    data.detector_ms = inferred.detector_ms;
    assert_eq!((again.id, data), (first.id, inferred));
}

#[tokio::test]
async fn still_chunks_are_not_read_but_one_in_a_minute_is() {
    let Some(house) = House::new(BUSY, Counting::free()) else { return };
    let infer = house.infer();
    let mut looked = 0;
    for n in 0..40 {
        assert_eq!(infer.handle(house.chunk(n, Some(0.9))).await, Outcome::Done);
        let (_, inferred) = house.bus.last();
        looked += usize::from(inferred.skipped.is_none());
        assert!(matches!(inferred.skipped, None | Some(Skipped::Still)));
    }
    assert_eq!(looked, 2, "two minutes");
    assert_eq!(house.object.requests().len(), looked);
}

#[tokio::test]
async fn pictures_that_do_not_differ_cost_no_call_but_one_in_a_minute() {
    let Some(house) = House::new(STILL, Counting::paid()) else { return };
    let infer = house.infer();
    for n in 0..20 {
        assert_eq!(infer.handle(house.chunk(n, None)).await, Outcome::Done);
    }
    assert_eq!(house.detector.asked(), 3, "the pictures of one chunk");
    assert_eq!(house.object.requests().len(), 20, "nothing is known of their activity");
}

/// Whatever pictures are chosen, and whether or not they cost: only a detector that compares them itself is given still ones.
#[tokio::test]
async fn still_pictures_are_given_to_no_detector_at_any_rate() {
    for rate in ["random-access", "2/s"] {
        let Some(mut house) = House::new(STILL, Counting::free()) else { return };
        house.variables = vec![("FRAMEPOST_PICTURES", rate)];
        let infer = house.infer();
        let mut looked = 0;
        for n in 0..20 {
            assert_eq!(infer.handle(house.chunk(n, None)).await, Outcome::Done);
            looked += usize::from(house.bus.last().1.skipped.is_none());
        }
        assert_eq!(looked, 1, "{rate}: one chunk in a minute");
    }
}

/// A bright square that moves through a dark picture, a 30th as wide.
const SMALL: &str =
    "color=0x303030:s=960x540:r=10:d=3[dark];color=white:s=32x32:r=10:d=3[small];[dark][small]overlay=100+20*n:300";

#[tokio::test]
async fn what_moves_is_looked_at_again_at_any_rate_if_regions_are_on() {
    for (rate, pictures) in [("random-access", 3), ("2/s", 6)] {
        for regions in ["off", "on"] {
            let Some(mut house) = House::new(SMALL, Counting { size: Some((128, 128)), ..Counting::free() }) else {
                return;
            };
            house.variables = vec![("FRAMEPOST_PICTURES", rate), ("FRAMEPOST_REGIONS", regions)];
            assert_eq!(house.infer().handle(house.chunk(0, None)).await, Outcome::Done);
            let (_, inferred) = house.bus.last();
            assert_eq!(inferred.frames.len(), pictures, "{rate}");
            let crops = house.detector.asked() - pictures;
            assert_eq!(crops > 0, regions == "on", "{rate}, regions {regions}: {crops} crops");
        }
    }
}

#[tokio::test]
async fn what_was_paid_for_is_published_later_and_never_paid_again() {
    let Some(house) = House::new(BUSY, Counting::paid()) else { return };
    let infer = house.infer();
    house.bus.is_broken.store(true, Ordering::SeqCst);
    assert!(matches!(infer.handle(house.chunk(0, None)).await, Outcome::Retry { .. }));
    assert_eq!(house.detector.asked(), 3);
    house.bus.is_broken.store(false, Ordering::SeqCst);
    // Somebody else may still be at it, until the lease is over.
    assert!(matches!(infer.handle(house.chunk(0, None)).await, Outcome::Retry { .. }));
    house.clock.advance(Duration::from_mins(6));
    assert_eq!(house.infer().handle(house.chunk(0, None)).await, Outcome::Done);
    let (_, inferred) = house.bus.last();
    assert_eq!((inferred.frames.len(), inferred.calls, inferred.dollars), (3, Some(3), Some(0.003)));
    assert!(matches!(infer.handle(house.chunk(0, None)).await, Outcome::Skip(_)), "a duplicate");
    assert_eq!((house.detector.asked(), house.bus.records.lock().unwrap().len()), (3, 1));
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_not_made_again() {
    let Some(house) = House::new(BUSY, Counting::paid()) else { return };
    // The process is killed in the middle of the call: its future is dropped.
    let slow = Arc::new(Slow(Counting::paid()));
    let infer = house.infer_with(slow.clone());
    let killed = async {
        while slow.0.asked() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        outcome = infer.handle(house.chunk(0, None)) => panic!("{outcome:?}"),
        () = killed => {}
    }
    house.clock.advance(Duration::from_mins(6));
    assert_eq!(house.infer().handle(house.chunk(0, None)).await, Outcome::Done);
    let (_, inferred) = house.bus.last();
    assert_eq!(inferred.skipped, Some(Skipped::Interrupted));
    assert_eq!((slow.0.asked(), house.detector.asked()), (1, 0));
}

/// A detector that is asked and never answers, so that the function is cut off in between.
struct Slow(Counting);

#[async_trait]
impl framepost_ports::Detector for Slow {
    fn model(&self) -> &framepost_events::record::Model {
        self.0.model()
    }

    fn price(&self) -> Option<framepost_ports::Price> {
        self.0.price
    }

    async fn detect(
        &self,
        pictures: &[framepost_ports::Picture],
    ) -> Result<Vec<Vec<framepost_events::detection::Detection>>> {
        let _ = self.0.detect(pictures).await;
        std::future::pending().await
    }
}

#[tokio::test]
async fn what_the_service_refuses_is_tried_again_or_rejected_and_its_budget_given_back() {
    let Some(mut house) = House::new(BUSY, Counting::paid()) else { return };
    house.variables = vec![("FRAMEPOST_BUDGET", "3 calls")];
    let infer = house.infer();
    let fail = |error| house.detector.failures.lock().unwrap().push(error);
    fail(Error::new(ErrorKind::Busy, "detect", "throttled").with_effect(Effect::None));
    assert!(matches!(infer.handle(house.chunk(0, None)).await, Outcome::Retry { .. }));
    fail(Error::new(ErrorKind::Denied, "detect", "not allowed"));
    assert!(matches!(infer.handle(house.chunk(0, None)).await, Outcome::Retry { .. }));
    fail(Error::new(ErrorKind::Invalid, "detect", "too large"));
    assert!(matches!(infer.handle(house.chunk(0, None)).await, Outcome::Reject(_)));
    assert_eq!(infer.handle(house.chunk(0, None)).await, Outcome::Done);
    assert_eq!(house.bus.last().1.calls, Some(3));
    fail(Error::new(ErrorKind::Transport, "detect", "no answer"));
    assert_eq!(infer.handle(house.chunk(1, None)).await, Outcome::Done);
    assert_eq!(house.bus.last().1.skipped, Some(Skipped::Budget), "the third call was the last");
}

/// Fails when it is asked for the second picture.
struct FailsAtTheSecond(Counting, ErrorKind, Effect);

#[async_trait]
impl framepost_ports::Detector for FailsAtTheSecond {
    fn model(&self) -> &framepost_events::record::Model {
        self.0.model()
    }

    fn price(&self) -> Option<framepost_ports::Price> {
        self.0.price
    }

    async fn detect(
        &self,
        pictures: &[framepost_ports::Picture],
    ) -> Result<Vec<Vec<framepost_events::detection::Detection>>> {
        let found = self.0.detect(pictures).await;
        if self.0.asked() == 2 { Err(Error::new(self.1, "detect", "a picture").with_effect(self.2)) } else { found }
    }
}

#[tokio::test]
async fn what_was_paid_for_before_a_call_fails_is_the_answer_and_is_not_paid_for_again() {
    for (kind, effect, paid) in [
        (ErrorKind::Busy, Effect::None, 1),
        (ErrorKind::Invalid, Effect::None, 1),
        (ErrorKind::Denied, Effect::None, 1),
        // Perhaps it was done.
        (ErrorKind::Transport, Effect::Unknown, 2),
    ] {
        let Some(mut house) = House::new(BUSY, Counting::paid()) else { return };
        house.variables = vec![("FRAMEPOST_BUDGET", "5 calls")];
        let failing = Arc::new(FailsAtTheSecond(Counting::paid(), kind, effect));
        let infer = house.infer_with(failing.clone());
        assert_eq!(infer.handle(house.chunk(0, None)).await, Outcome::Done);
        let (_, inferred) = house.bus.last();
        assert_eq!((inferred.frames.len(), inferred.calls, inferred.skipped), (1, Some(paid), None), "{kind:?}");
        assert!(matches!(infer.handle(house.chunk(0, None)).await, Outcome::Skip(_)), "a duplicate");
        assert_eq!(failing.0.asked(), 2, "{kind:?}");
        // What was not paid is there for another chunk.
        assert_eq!(house.infer().handle(house.chunk(1, None)).await, Outcome::Done);
        assert_eq!(house.bus.last().1.calls, Some(3), "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_of_20_calls_makes_exactly_20_of_200_chunks_and_goes_on_the_next_day() {
    // A call costs a tenth of a cent.
    for budget in ["20 calls", "0.02 dollars"] {
        let Some(mut house) = House::new(BUSY, Counting::paid()) else { return };
        house.variables = vec![("FRAMEPOST_BUDGET", budget), ("FRAMEPOST_PICTURES", "first")];
        let infer = Arc::new(house.infer());
        let limit = Arc::new(tokio::sync::Semaphore::new(50));
        let chunks = (0..200).map(|n| {
            let infer = infer.clone();
            let event = house.chunk(n, None);
            let limit = limit.clone();
            tokio::spawn(async move {
                let _permit = limit.acquire().await.unwrap();
                infer.handle(event).await
            })
        });
        for outcome in futures::future::join_all(chunks).await {
            assert_eq!(outcome.unwrap(), Outcome::Done);
        }
        assert_eq!(house.detector.asked(), 20, "{budget}");
        let skipped = house
            .bus
            .records
            .lock()
            .unwrap()
            .iter()
            .filter(|record| matches!(&record.data, Data::ChunkInferred(data) if data.skipped == Some(Skipped::Budget)))
            .count();
        assert_eq!(skipped, 180, "{budget}");
        // Another site has its own.
        let mut elsewhere = house.chunk(300, None);
        let Data::ChunkProbed(chunk) = &mut elsewhere.data else { panic!("a chunk") };
        chunk.site = Some("elsewhere".to_owned().try_into().unwrap());
        assert_eq!(infer.handle(elsewhere).await, Outcome::Done);
        assert_eq!((house.detector.asked(), house.bus.last().1.skipped), (21, None), "{budget}");
        house.clock.advance(Duration::from_hours(12));
        assert_eq!(infer.handle(house.chunk(500, None)).await, Outcome::Done);
        assert_eq!((house.detector.asked(), house.bus.last().1.skipped), (22, None), "{budget}");
    }
}

#[tokio::test]
async fn a_paid_detector_without_a_ledger_is_refused() {
    let Some(house) = House::new(BUSY, Counting::paid()) else { return };
    let parts = Parts {
        source: house.object.clone(),
        bus: house.bus.clone(),
        clock: house.clock.clone(),
        detectors: vec![house.detector.clone()],
        ledger: None,
        decoder: decoder().unwrap(),
    };
    let refused = Infer::new(parts, Settings::from_variables(|_| None).unwrap());
    assert!(refused.is_err_and(|error| error.to_string().contains("FRAMEPOST_LEDGER")));
}
