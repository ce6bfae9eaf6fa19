//! CloudWatch's embedded metric format: metrics as log lines ("Specification: Embedded metric format").
//!
//! There is one line for each site of a batch, with arrays of values. A line counts for both sets of
//! dimensions, `[Function]` and `[Function, Site]`. Only our own keys have a site, so that other objects in
//! the bucket create no metrics.

use crate::event::ObjectKind;
use crate::handled::{Ending, Handled};
use framepost_events::Site;
use framepost_ports::Outcome;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;

/// Most values of one metric in a line.
const MAX_VALUES: usize = 100;

/// Writes the lines to standard output, which is Lambda's log.
pub(super) fn write(function: &str, done_metric: &str, handled: &[Handled]) {
    let mut out = std::io::stdout().lock();
    for line in lines(function, done_metric, Timestamp::now(), handled) {
        // One write per line. A failure cannot be reported anywhere.
        let _ = out.write_all(format!("{line}\n").as_bytes());
    }
    let _ = out.flush();
}

fn lines(function: &str, done_metric: &str, now: Timestamp, handled: &[Handled]) -> Vec<Value> {
    let mut sites: BTreeMap<Option<&Site>, Vec<&Handled>> = BTreeMap::new();
    for handled in handled {
        sites.entry(handled.about.site.as_ref()).or_default().push(handled);
    }
    let parts = sites.into_iter().flat_map(|(site, handled)| {
        handled.chunks(MAX_VALUES).map(|part| line(function, done_metric, now, site, part)).collect::<Vec<_>>()
    });
    parts.collect()
}

fn line(function: &str, done_metric: &str, now: Timestamp, site: Option<&Site>, handled: &[&Handled]) -> Value {
    let chunks: Vec<&Handled> = handled
        .iter()
        .copied()
        .filter(|handled| handled.about.kind == ObjectKind::Chunk && handled.ending == Ending::Outcome(Outcome::Done))
        .collect();
    let rejects =
        handled.iter().filter(|handled| matches!(handled.ending, Ending::Outcome(Outcome::Reject(_)))).count();
    let retries = handled.iter().filter(|handled| handled.ending.again().is_some()).count();
    let bytes: Vec<Value> = chunks.iter().filter_map(|handled| handled.about.object_bytes).map(Value::from).collect();
    let latencies = handled.iter().filter(|handled| handled.about.key.is_some());
    let latencies_ms: Vec<Value> = latencies.map(|handled| millis(handled.latency)).collect();
    let mut line = Map::new();
    let mut metrics = Vec::new();
    let mut metric = |name: &str, unit: &str, value: Value| {
        // An array without values would make the whole line invalid.
        if value.as_array().is_none_or(|values| !values.is_empty()) {
            metrics.push(json!({ "Name": name, "Unit": unit }));
            line.insert(name.to_owned(), value);
        }
    };
    metric(done_metric, "Count", chunks.len().into());
    metric("ObjectBytes", "Bytes", bytes.into());
    metric("HandleLatency", "Milliseconds", latencies_ms.into());
    metric("Rejects", "Count", rejects.into());
    metric("Retries", "Count", retries.into());
    line.insert("Function".to_owned(), function.into());
    let mut dimensions = vec![json!(["Function"])];
    if let Some(site) = site {
        line.insert("Site".to_owned(), site.as_str().into());
        dimensions.push(json!(["Function", "Site"]));
    }
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millisecond(),
            "CloudWatchMetrics": [{ "Namespace": "Framepost", "Dimensions": dimensions, "Metrics": metrics }],
        }),
    );
    Value::Object(line)
}

/// Rounds to a tenth of a millisecond, the precision of a latency.
fn millis(latency: std::time::Duration) -> Value {
    ((latency.as_secs_f64() * 10_000.0).round() / 10.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::About;
    use framepost_ports::{Carrier, Message, Reason};
    use std::time::Duration;

    fn handled(key: &str, outcome: Outcome) -> Handled {
        let about = About::key(key.to_owned(), key, Some(1000));
        Handled { about, ending: Ending::Outcome(outcome), latency: Duration::from_micros(12_345) }
    }

    #[test]
    fn a_batch_gives_one_line_for_each_site() {
        let reason = || Reason::new("x", "y");
        let no_event = Message::new("m", Carrier::Queue, "{");
        let handled = [
            handled("plant-7/2026-11-20/gate/15/08-23Z.0.mp4", Outcome::Done),
            handled("plant-7/2026-11-20/gate/15/08-26Z.1.mp4", Outcome::Done),
            handled("plant-7/2026-11-20/gate/15/08-29Z.2.mp4_end", Outcome::Done),
            // That a gateway reports is no footage: its silence must raise the alarm all the same.
            handled("plant-7/reports/2026-11-20/15-08-29Z.report.json", Outcome::Done),
            handled("plant-8/2026-11-20/gate/15/08-23Z.0.mp4", Outcome::Reject(reason())),
            handled(
                "plant-8/2026-11-20/gate/15/08-26Z.0.mp4",
                Outcome::Retry { after: Duration::ZERO, reason: reason() },
            ),
            handled("in/monday.mkv", Outcome::Done),
            Handled::of_no_event("probe", &no_event, Outcome::Reject(reason())),
        ];
        let lines = lines("probe", "ChunksProbed", "2026-11-20T15:09:00Z".parse().unwrap(), &handled);
        let [foreign, seven, eight] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(seven["ChunksProbed"], 2);
        assert_eq!(seven["ObjectBytes"], json!([1000, 1000]));
        assert_eq!(seven["HandleLatency"], json!([12.3, 12.3, 12.3, 12.3]));
        assert_eq!((&seven["Function"], &seven["Site"]), (&json!("probe"), &json!("plant-7")));
        let directive = &seven["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["Function"], ["Function", "Site"]]));
        assert_eq!(directive["Namespace"], "Framepost");
        assert_eq!(directive["Metrics"].as_array().unwrap().len(), 5);
        assert_eq!(seven["_aws"]["Timestamp"], 1_795_187_340_000_u64);
        assert_eq!((&eight["Rejects"], &eight["Retries"], &eight["ChunksProbed"]), (&json!(1), &json!(1), &json!(0)));
        // Nothing was done, so there are no sizes, and an empty array would be invalid.
        assert!(eight.get("ObjectBytes").is_none());
        assert_eq!(foreign["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Function"]]));
        assert_eq!((&foreign["Rejects"], &foreign["ChunksProbed"]), (&json!(1), &json!(1)));
        assert_eq!(foreign["HandleLatency"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn every_metric_that_is_declared_is_there_and_no_array_is_too_long() {
        let many: Vec<Handled> =
            (0..250).map(|n| handled(&format!("s/2026-11-20/c/15/08-23Z.{n}.mp4"), Outcome::Done)).collect();
        let lines = lines("probe", "ChunksProbed", Timestamp::UNIX_EPOCH, &many);
        assert_eq!(lines.len(), 3);
        for line in &lines {
            for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap() {
                let value = &line[metric["Name"].as_str().unwrap()];
                assert!(value.is_number() || value.as_array().is_some_and(|v| (1..=100).contains(&v.len())), "{line}");
            }
        }
        assert_eq!(lines.iter().map(|line| line["ChunksProbed"].as_u64().unwrap()).sum::<u64>(), 250);
    }
}
