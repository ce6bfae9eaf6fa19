//! The durable side of schedules.

use framepost_local::{LocalBucket, LocalTimetable};
use framepost_ports::{ErrorKind, Inbox as _, Timetable as _};
use std::path::Path;

#[tokio::test]
async fn a_schedule_fires_into_the_inbox_and_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let at = |time: &str| time.parse().unwrap();
    let open = async |root: &Path| {
        let bucket = LocalBucket::open(root).await.unwrap();
        let inbox = bucket.inboxes().subscribe("sweeper", Vec::new()).await.unwrap();
        let timetable = LocalTimetable::new(&bucket.inboxes(), "sweeper").unwrap();
        (bucket, inbox, timetable)
    };
    let (bucket, inbox, timetable) = open(dir.path()).await;
    assert_eq!(timetable.settled("hourly").await.unwrap(), None);
    timetable.begin("hourly", at("2026-11-20T14:30:00Z")).await.unwrap();
    for _ in 0..2 {
        timetable.fire("hourly", at("2026-11-20T15:00:00Z")).await.unwrap();
    }
    timetable.fire("daily", at("2026-11-20T00:00:00Z")).await.unwrap();
    drop((bucket, inbox, timetable));
    let (_bucket, inbox, timetable) = open(dir.path()).await;
    assert_eq!(timetable.settled("hourly").await.unwrap(), Some(at("2026-11-20T15:00:00Z")));
    let received = inbox.receive(10).await.unwrap();
    let due =
        received.iter().map(|delivery| framepost_events::due::parse([], &delivery.message.body).unwrap().unwrap());
    let due: Vec<_> = due.map(|due| (due.name, due.time.unwrap().to_string())).collect();
    let expected = [("daily", "2026-11-20T00:00:00Z"), ("hourly", "2026-11-20T15:00:00Z")];
    assert_eq!(due, expected.map(|(name, time)| (name.to_owned(), time.to_owned())), "the oldest first, each once");
    assert_eq!(timetable.fire("../x", at("2026-11-20T15:00:00Z")).await.unwrap_err().kind(), ErrorKind::Invalid);
}
