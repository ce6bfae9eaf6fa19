//! What the timeline of a camera says of it, held against the records that it was made of.

use crate::support::{ALL, Service};
use framepost_events::record::{ChainState, ChunkProbed, Data, Record, RecordType as _};
use framepost_events::removed::{Cause, ObjectRemoved, Removal};
use framepost_ports::catalog::Change;
use framepost_ports::contract::Footage;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn chunks(records: &[Record]) -> Vec<(Timestamp, Timestamp, &ChunkProbed)> {
    let of = |record| match record {
        &Record { data: Data::ChunkProbed(ref chunk), .. } => {
            Some((chunk.duration.from?, chunk.duration.to?, chunk.as_ref()))
        }
        _ => None,
    };
    records.iter().filter_map(of).collect()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap_or_else(|| panic!("{value} is no time")).parse().unwrap()
}

fn list<'a>(timeline: &'a Value, name: &str) -> &'a Vec<Value> {
    timeline[name].as_array().unwrap_or_else(|| panic!("{name}: {timeline}"))
}

#[tokio::test]
async fn it_says_how_much_happened_and_what_was_proved() {
    let service = Service::start().await;
    let timeline = service.get(&format!("/v1/timeline?{ALL}")).await.json();
    let mut activity = Vec::new();
    for (from, to, chunk) in chunks(&service.records) {
        if let Some(measured) = &chunk.activity {
            activity.push(json!({"from": from, "to": to, "level": measured.level}));
        }
        let stretch =
            list(&timeline, "integrity").iter().filter(|one| time(&one["from"]) <= from && to <= time(&one["to"]));
        let stretch: Vec<&Value> = stretch.collect();
        let [stretch] = stretch[..] else { panic!("{from}: {stretch:?}") };
        assert_eq!(stretch["signature"], json!(chunk.integrity.signature), "{from}");
        assert_eq!(stretch["content"], json!(chunk.integrity.content), "{from}");
        assert_eq!((chunk.integrity.chain.state, &stretch["chain"]), (ChainState::Linked, &json!("linked")), "{from}");
    }
    assert!(activity.len() > 5, "{activity:?}");
    assert_eq!(list(&timeline, "activity"), &activity);
    let stretches = list(&timeline, "integrity");
    assert!(stretches.windows(2).all(|two| time(&two[0]["to"]) <= time(&two[1]["from"])), "{stretches:?}");
}

/// The results of two models for a chunk: the one of the model counts whose last chunk became complete later.
#[tokio::test]
async fn it_says_why_nobody_looked() {
    let service = Service::start().await;
    let timeline = service.get(&format!("/v1/timeline?{ALL}")).await.json();
    let mut last = BTreeMap::<String, Timestamp>::new();
    let mut said = BTreeMap::<&str, Vec<(String, Value)>>::new();
    for record in service.records.iter().chain(&service.others) {
        let Data::ChunkInferred(inferred) = &record.data else { continue };
        let series = inferred.made_with().unwrap();
        let newest = last.entry(series.clone()).or_insert(record.time);
        *newest = record.time.max(*newest);
        said.entry(&inferred.object.key).or_default().push((series, json!(inferred.skipped)));
    }
    let mut reasons = BTreeMap::<String, usize>::new();
    for (from, to, chunk) in chunks(&service.records) {
        let shown = said
            .get(chunk.object.key.as_str())
            .and_then(|said| said.iter().max_by_key(|(series, _)| (last[series], series)));
        let expected = match shown {
            None => json!("not-asked"),
            Some((_, skipped)) => skipped.clone(),
        };
        let stretches =
            list(&timeline, "notLookedAt").iter().filter(|one| time(&one["from"]) <= from && to <= time(&one["to"]));
        let found: Vec<&Value> = stretches.map(|one| &one["reason"]).collect();
        if expected.is_null() {
            assert_eq!(found, [&Value::Null; 0], "{from} was looked at");
        } else {
            assert_eq!(found, [&expected], "{from}");
            *reasons.entry(expected.to_string()).or_default() += 1;
        }
    }
    assert!(reasons.len() >= 3, "each reason occurs: {reasons:?}");
}

#[tokio::test]
async fn sightings_are_counted_where_they_begin() {
    let service = Service::start().await;
    for seconds in [1, 7, 60] {
        let timeline = service.get(&format!("/v1/timeline?{ALL}&countSeconds={seconds}")).await.json();
        let start = time(&timeline["from"]);
        let mut expected = BTreeMap::<(i64, String), u64>::new();
        for sighting in list(&timeline, "sightings") {
            let bin = time(&sighting["from"]).duration_since(start).as_secs() / seconds;
            *expected.entry((bin, sighting["label"].as_str().unwrap().to_owned())).or_default() += 1;
        }
        assert!(expected.len() > 2, "{timeline}");
        let expected: Vec<Value> = expected
            .into_iter()
            .map(|((bin, label), count)| {
                json!({"from": start + SignedDuration::from_secs(bin * seconds), "label": label, "count": count})
            })
            .collect();
        assert_eq!(list(&timeline, "counts"), &expected, "bins of {seconds} s");
    }
}

/// Of more than 2000 chunks none is listed, and activity comes in bins: of each, the highest level.
#[tokio::test]
async fn many_chunks_come_in_bins() {
    let service = Service::start().await;
    let mut footage = Footage::new(12);
    let camera = Footage::camera(2);
    let records: Vec<Record> =
        (0..2_100_u64).flat_map(|n| footage.chunk(&camera, i64::try_from(n * 3_000).unwrap(), n, "1")).collect();
    service.tell(records.iter().map(|record| Change::Record(Box::new(record.clone())))).await;
    let all = "site=site-0&camera=cam-2&from=2026-11-20T23:00:00Z&to=2026-11-21T03:00:00Z";
    let timeline = service.get(&format!("/v1/timeline?{all}")).await.json();
    assert_eq!((&timeline["chunks"], list(&timeline, "segments").len()), (&json!(2_100), 0));
    let bins = list(&timeline, "activity");
    let of_all: Vec<(Timestamp, f64)> = chunks(&records)
        .into_iter()
        .filter_map(|(from, _, chunk)| Some((from, chunk.activity.as_ref()?.level)))
        .collect();
    let mut counted = 0;
    for bin in bins {
        let within = of_all.iter().filter(|(from, _)| time(&bin["from"]) <= *from && *from < time(&bin["to"]));
        let levels: Vec<f64> = within.map(|(_, level)| *level).collect();
        counted += levels.len();
        assert_eq!(bin["level"].as_f64(), levels.iter().copied().reduce(f64::max), "{bin}");
    }
    assert_eq!(counted, of_all.len(), "each chunk is in one bin");
    assert!(bins.len() <= 2_000 && bins.len() > 200, "{}", bins.len());
    assert!(bins.windows(2).all(|two| time(&two[0]["to"]) <= time(&two[1]["from"])));
}

#[tokio::test]
async fn what_was_removed_stays_on_it_as_removed() {
    let service = Service::start().await;
    let at: Timestamp = "2026-11-21T00:01:01Z".parse().unwrap();
    let removal = |n: usize, cause| {
        let object = chunks(&service.records)[n].2.object.clone();
        Change::Removed(ObjectRemoved {
            provider: object.provider,
            bucket: object.bucket,
            key: object.key,
            sequence: object.version.clone(),
            version: Some(object.version),
            removal: Removal::Deleted,
            cause,
            time: at + SignedDuration::from_secs(i64::try_from(n).unwrap()),
        })
    };
    let of = |n: usize| chunks(&service.records)[n];
    let path = format!("/v1/timeline?{ALL}");
    assert_eq!(service.get(&path).await.json()["removed"], json!([]));
    // The oldest by the bucket's rules, one in the middle by hand, and one of which no record ever came.
    let unknown = "site-0/2026-11-20/cam-0/23/59-30Z.0.mp4";
    let Change::Removed(of_unknown) = removal(0, None) else { unreachable!("it is one") };
    let of_unknown = Change::Removed(ObjectRemoved { key: unknown.to_owned(), time: at, ..of_unknown });
    let of_gap = Change::Removed(ObjectRemoved {
        key: "site-0/2026-11-20/cam-0/23/59-00Z.0.mp4_gap".to_owned(),
        ..match removal(0, None) {
            Change::Removed(removed) => removed,
            Change::Record(_) => unreachable!("it is none"),
        }
    });
    let rules = Some(Cause::Lifecycle);
    let changes =
        [removal(1, rules), removal(0, rules), removal(2, rules), removal(9, Some(Cause::Request)), of_unknown, of_gap];
    service.tell(changes).await;
    let timeline = service.get(&path).await.json();
    let removed_at = |n: i64| at + SignedDuration::from_secs(n);
    let nowhere: Timestamp = "2026-11-20T23:59:30Z".parse().unwrap();
    assert_eq!(
        timeline["removed"],
        json!([
            {"from": of(0).0, "to": of(2).1, "chunks": 3, "removedAt": removed_at(2), "cause": "lifecycle"},
            {"from": of(9).0, "to": of(9).1, "chunks": 1, "removedAt": removed_at(9), "cause": "request"},
            {"from": nowhere, "to": nowhere, "chunks": 1, "removedAt": removed_at(0)},
        ])
    );
    assert_eq!(timeline["chunks"], 36);
    assert_eq!(time(&timeline["recorded"][0]["from"]), of(3).0);
    // Another camera's are not among them, nor what is outside of the stretch.
    let other = service.get(&path.replace("site-0", "site-1").replace("cam-0", "cam-1")).await.json();
    assert_eq!(other["removed"], json!([]));
    let later = service.get(&path.replace("2026-11-20T23:00:00Z", "2026-11-20T23:58:12Z")).await.json();
    assert_eq!(list(&later, "removed").len(), 2, "{}", later["removed"]);
}

/// The last report of each site's gateway, to those who may see the site.
#[tokio::test]
async fn gateways_are_as_they_last_said() {
    let service = Service::start().await;
    let footage = Footage::new(11);
    for minutes in [12, 7] {
        for n in 0..2 {
            let record = footage.report(&Footage::camera(n), minutes);
            service.tell([Change::Record(Box::new(record))]).await;
        }
    }
    let answer = service.get("/v1/gateways").await.json();
    assert_eq!(answer["now"], "2026-11-21T00:01:05Z");
    let gateways = list(&answer, "gateways");
    for (gateway, n) in gateways.iter().zip(0..) {
        let Data::GatewayReported(reported) = footage.report(&Footage::camera(n), 12).data else {
            unreachable!("it is a report")
        };
        assert_eq!(gateway["site"], format!("site-{n}"));
        assert_eq!(gateway["signature"], json!(reported.integrity.signature));
        assert_eq!(gateway["report"], json!(reported.report), "all that it said");
    }
    assert_eq!(gateways.len(), 2);
}
