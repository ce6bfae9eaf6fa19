//! The event that a schedule of a `function.yaml` is due.
//!
//! A CloudEvent in structured mode, whose data has the schedule's name. EventBridge Scheduler fills in the time; Cloud Scheduler
//! sends it in the header `X-CloudScheduler-ScheduleTime`.

use crate::Error;
use crate::finalized::json;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// The `type` of the CloudEvent that Terraform's schedules and the onebox send.
pub const EVENT_TYPE: &str = "io.framepost.schedule.due.v1";
/// The name of that header, in lower case as in messages.
pub const TIME_HEADER: &str = "x-cloudscheduler-scheduletime";

/// One due time of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The schedule's name in the function's `function.yaml`.
    pub name: String,
    /// The time at which it was due; absent if the sender does not say.
    pub time: Option<Timestamp>,
    /// A text that is the same for every redelivery.
    pub identity: String,
}

#[derive(Deserialize)]
struct Event {
    id: String,
    time: Option<Timestamp>,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    name: String,
}

impl Due {
    /// Returns the event as [`parse`] reads it.
    pub fn to_json(name: &str, time: Timestamp) -> Vec<u8> {
        serde_json::json!({
            "specversion": "1.0",
            "id": format!("{name}-{time}"),
            "source": "framepost/schedule",
            "type": EVENT_TYPE,
            "time": time,
            "datacontenttype": "application/json",
            "data": { "name": name },
        })
        .to_string()
        .into_bytes()
    }
}

/// Reads the event of a schedule; `None` for a valid CloudEvent of another type. Header names must be in lower case.
pub fn parse<'a, I>(headers: I, body: &[u8]) -> Result<Option<Due>, Error>
where
    I: IntoIterator<Item = (&'a str, &'a str)>,
{
    let event = json::object(body).map_err(Error::Event)?;
    match event.get("type").and_then(Value::as_str) {
        Some(EVENT_TYPE) => {}
        Some(_) if event.contains_key("specversion") => return Ok(None),
        _ => return Err(Error::Event("schedule: not a CloudEvent".to_owned())),
    }
    let Event { id, time, data } =
        json::typed(event).map_err(|error| Error::Event(format!("{EVENT_TYPE}: {error}")))?;
    let header = headers.into_iter().find(|(name, _)| *name == TIME_HEADER);
    let time = time.or_else(|| header?.1.parse().ok());
    // Cloud Scheduler sends the same body each time.
    let identity =
        time.map_or_else(|| format!("{EVENT_TYPE} {id}"), |time| format!("{EVENT_TYPE} {} {time}", data.name));
    Ok(Some(Due { name: data.name, time, identity }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clouds_and_one_machine_say_the_same() {
        let time: Timestamp = "2026-11-20T15:00:00Z".parse().unwrap();
        let ours = parse([], &Due::to_json("sweep", time)).unwrap().unwrap();
        assert_eq!((ours.name.as_str(), ours.time), ("sweep", Some(time)));
        // EventBridge Scheduler, with its placeholders filled in as its guide shows.
        let aws = br#"{"specversion":"1.0","id":"d32c5kddcf5bb8c3","source":"framepost/schedule","type":"io.framepost.schedule.due.v1",
            "time":"2026-11-20T15:00:00Z","datacontenttype":"application/json","data":{"name":"sweep"}}"#;
        assert_eq!(parse([], aws).unwrap().unwrap(), ours);
        let google =
            br#"{"specversion":"1.0","id":"sweep","source":"framepost/schedule","type":"io.framepost.schedule.due.v1",
            "datacontenttype":"application/json","data":{"name":"sweep"}}"#;
        assert_eq!(parse([(TIME_HEADER, "2026-11-20T15:00:00Z")], google).unwrap().unwrap(), ours);
        assert_eq!(parse([], google).unwrap().unwrap().time, None);
    }

    #[test]
    fn what_is_no_schedule_is_told_apart() {
        assert_eq!(parse([], br#"{"specversion":"1.0","type":"io.framepost.chunk.probed.v1"}"#).unwrap(), None);
        for bad in ["", "[]", "{}", r#"{"specversion":"1.0","type":"io.framepost.schedule.due.v1","id":"1"}"#] {
            assert!(parse([], bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
