//! One message in, one answer out, whatever happens between.

use crate::support::ByKey;
use framepost_events::record::{ObjectRejected, Record, RejectReason};
use framepost_events::{ObjectFinalized, finalized::Provider};
use framepost_host::{Answer, Handler};
use framepost_ports::memory::ParkedLetters;
use framepost_ports::{Carrier, DeadLetters, ErrorKind, Message, Reason};
use std::sync::Arc;
use std::time::Duration;

fn finalized(key: &str) -> ObjectFinalized {
    ObjectFinalized {
        provider: Provider::S3,
        bucket: "footage".to_owned(),
        key: key.to_owned(),
        version: "1".to_owned(),
        size: Some(5),
        time: "2026-11-20T15:08:27Z".parse().unwrap(),
        media_link: None,
        region: None,
        read_version: None,
    }
}

fn message(body: impl Into<Vec<u8>>) -> Message {
    let attributes = vec![("sent-by".to_owned(), "a test".to_owned())];
    Message { attributes, ..Message::new("m", Carrier::Queue, body.into()) }
}

fn notification(keys: &[&str]) -> Message {
    message(crate::support::notification(keys))
}

fn by_key() -> Arc<ByKey> {
    Arc::new(ByKey::retrying(u32::MAX, Duration::from_secs(7)))
}

fn again_after(seconds: u64) -> Answer {
    Answer::Again(Duration::from_secs(seconds))
}

#[tokio::test]
async fn the_worst_event_answers_for_its_message() {
    let parked = Arc::new(ParkedLetters::default());
    let function = by_key();
    let handler = Handler::new::<ObjectFinalized>(function.clone(), Some(parked.clone() as Arc<dyn DeadLetters>));
    for (keys, expected, letters) in [
        (vec!["done"], Answer::Acknowledge, 0),
        (vec!["done", "skip"], Answer::Acknowledge, 0),
        (vec!["done", "retry"], again_after(7), 0),
        (vec!["panic"], again_after(1), 0),
        (vec!["panic", "done", "retry"], again_after(7), 0),
        (vec!["reject", "done"], Answer::Acknowledge, 1),
        // It will come again, and be parked when nothing else is wrong with it.
        (vec!["reject", "retry"], again_after(7), 1),
        (vec!["reject", "panic"], again_after(1), 1),
    ] {
        let before = function.calls();
        let settled = handler.settle(&notification(&keys), None).await;
        assert_eq!(settled.answer, expected, "{keys:?}");
        assert_eq!((function.calls() - before) as usize, keys.len(), "{keys:?}");
        let words: Vec<&str> = settled.handled.iter().map(|handled| handled.ending.word()).collect();
        assert_eq!(words, keys, "a key here is the word for its outcome");
        assert_eq!(parked.letters().len(), letters, "{keys:?}");
    }
}

#[tokio::test]
async fn a_reject_is_parked_whole_or_comes_again() {
    let parked = Arc::new(ParkedLetters::default());
    let handler = Handler::new::<ObjectFinalized>(by_key(), Some(parked.clone() as _));
    let message = notification(&["reject"]);
    parked.fail_next(ErrorKind::Busy);
    assert!(matches!(handler.settle(&message, None).await.answer, Answer::Again(_)), "nothing may be lost");
    assert_eq!(parked.letters().len(), 0);
    assert_eq!(handler.settle(&message, None).await.answer, Answer::Acknowledge);
    let letter = parked.letters().remove(0);
    assert_eq!((letter.body, letter.attributes), (message.body, message.attributes));
    assert_eq!((letter.function, letter.reason), ("by-key", Reason::new("not-media", "as asked")));
}

#[tokio::test]
async fn what_is_no_event_is_parked_or_left_to_the_queue() {
    let parked = Arc::new(ParkedLetters::default());
    let function = by_key();
    let junk = message("{ this is no event");
    let with = Handler::new::<ObjectFinalized>(function.clone(), Some(parked.clone() as _));
    let settled = with.settle(&junk, None).await;
    assert_eq!((settled.answer, settled.handled[0].ending.word()), (Answer::Acknowledge, "reject"));
    assert_eq!(parked.letters()[0].reason.code, "not-an-event");
    let without = Handler::new::<ObjectFinalized>(function, None);
    assert!(matches!(without.settle(&junk, None).await.answer, Answer::Again(_)));
    assert_eq!(without.settle(&notification(&["reject"]), None).await.answer, Answer::Acknowledge, "the log has it");
    let test_event = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"footage"}"#;
    let settled = without.settle(&message(test_event), None).await;
    assert_eq!((settled.answer, settled.handled.len()), (Answer::Acknowledge, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_on_beyond_the_deadline() {
    struct Stalled;

    #[async_trait::async_trait]
    impl DeadLetters for Stalled {
        async fn park(&self, _letter: &framepost_ports::DeadLetter) -> framepost_ports::Result<()> {
            std::future::pending().await
        }
    }

    let handler = Handler::new::<ObjectFinalized>(by_key(), Some(Arc::new(Stalled)));
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    let settled = handler.settle(&notification(&["stall", "done"]), Some(until)).await;
    assert_eq!(settled.answer, again_after(0));
    assert_eq!(settled.handled[0].ending.word(), "out-of-time");
    assert_eq!(tokio::time::Instant::now(), until);
    let until = until + Duration::from_secs(20);
    let settled = handler.settle(&notification(&["reject"]), Some(until)).await;
    assert!(matches!(settled.answer, Answer::Again(_)), "{settled:?}");
    assert_eq!(tokio::time::Instant::now(), until);
}

#[tokio::test]
async fn records_trigger_functions_too() {
    let handler = Handler::new::<Record>(by_key(), None);
    let event = finalized("plant-7/2026-11-20/gate/15/08-23Z.0.mp4");
    let rejected = ObjectRejected::new(RejectReason::NotMedia, "junk", &event);
    let record = Record::about(&(&event).into(), event.time, rejected);
    let envelope = serde_json::json!({ "version": "0", "id": "1", "source": "framepost.probe",
        "detail-type": record.event_type, "detail": record });
    let settled = handler.settle(&message(envelope.to_string()), None).await;
    assert_eq!(settled.answer, Answer::Acknowledge);
    let about = &settled.handled[0].about;
    assert_eq!(about.site.as_ref().unwrap().as_str(), "plant-7");
    assert_eq!((about.key.as_deref(), about.object_bytes), (Some(event.key.as_str()), Some(5)));
    assert!(matches!(handler.settle(&notification(&["done"]), None).await.answer, Answer::Again(_)), "not a record");
}
