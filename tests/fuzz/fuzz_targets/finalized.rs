//! Finalized events of every sender. The input is a message's body, or a JSON object of headers (attributes), a zero
//! byte, and the body. Any gives an answer; what is read as an event survives our own form of it.

#![no_main]

use framepost_events::finalized::{self, Notice};
use framepost_events::{Error, envelope};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fn check(answer: Result<Vec<Notice>, Error>) {
    let Ok(notices) = answer else { return };
    assert!(!notices.is_empty(), "a message that says nothing");
    for notice in notices {
        let ours = match &notice {
            Notice::Finalized(event) => event.to_json(),
            Notice::Removed(event) => event.to_json(),
            Notice::Ignored { .. } => continue,
        };
        assert_eq!(finalized::parse(&ours), Ok(vec![notice]));
    }
}

fuzz_target!(|data: &[u8]| {
    check(finalized::parse(data));
    // Records come out of the same envelopes.
    drop(envelope::parse(data));
    let Some(end) = data.iter().position(|byte| *byte == 0) else { return };
    let Ok(beside) = serde_json::from_slice::<BTreeMap<String, String>>(&data[..end]) else { return };
    let body = &data[end + 1..];
    let pairs = || beside.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    check(finalized::parse_http(pairs(), body));
    drop(envelope::parse_http(pairs(), body));
    check(finalized::parse_pubsub(pairs(), body));
});
