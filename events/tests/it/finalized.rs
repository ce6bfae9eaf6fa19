//! Finalized events beyond the samples: what is refused and how, and properties over arbitrary input.

use framepost_events::finalized::{self, IgnoreCode, Notice, ObjectFinalized, Provider};
use jiff::Timestamp;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Value, json};

const STORAGE_FINALIZED: &str = "google.cloud.storage.object.v1.finalized";

#[test]
fn what_is_refused_says_why() {
    for (body, expected) in [
        ("", "the message is empty"),
        ("{", "not JSON"),
        ("[]", "expected a JSON object, found an array"),
        ("null", "expected a JSON object, found null"),
        ("{}", "fields []"),
        (r#"{"Records":[],"a":1}"#, "S3 notification: Records is empty"),
        (r#"{"Records":{}}"#, "Records should be an array, found an object"),
        (r#"{"Records":[7]}"#, "Records[0]"),
        (r#"{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}"#, "found \"aws:sqs\""),
        (r#"{"Records":[{"eventSource":"aws:s3"}]}"#, "Records[0]: missing field `eventVersion`"),
        (r#"{"Service":"Amazon S3","Event":"s3:Other"}"#, "S3 test event"),
        (r#"{"Type":"Notification","TopicArn":"arn:x"}"#, "SNS message: there is no Message"),
        (r#"{"Type":"Notification","TopicArn":"arn:x","Message":"{\"kind\":1}"}"#, "fields [kind]"),
        (r#"{"Type":"Notification","TopicArn":"a","Message":"{\"specversion\":1}"}"#, "does not come by SNS"),
        (r#"{"Type":"Bill","TopicArn":"arn:x","Message":""}"#, "unknown Type \"Bill\""),
        (r#"{"detail-type":"Object Created"}"#, "EventBridge event: missing field `source`"),
        (r#"{"detail-type":"Object Created","source":"aws.s3","time":"x"}"#, "EventBridge event"),
        (r#"{"message":{"attributes":{"a":1}}}"#, "Pub/Sub message: invalid type: integer `1`"),
        (r#"{"message":{"attributes":{"eventType":"OBJECT_FINALIZE","objectGeneration":"-1"}}}"#, "objectGeneration"),
        (r#"{"message":{"attributes":{"eventType":"OBJECT_FINALIZE","payloadFormat":"XML"}}}"#, "payloadFormat"),
        (r#"{"message":{"attributes":{"eventType":"OBJECT_FINALIZE"}}}"#, "there is no generation"),
        (r#"{"message":{"attributes":{}}}"#, "neither an eventType attribute nor a payload"),
        (r#"{"kind":"storage#object","size":"many"}"#, "\"many\", expected a whole number"),
        (r#"{"kind":"storage#object","size":-1}"#, "expected a whole number"),
        (r#"{"kind":"storage#object"}"#, "nor a metageneration"),
        (r#"{"specversion":"1.0"}"#, "CloudEvent: missing field `id`"),
        (r#"{"specversion":"7"}"#, "CloudEvent: unknown variant `7`"),
        (r#"{"specversion":"1.0","id":"1","type":"a.b","source":"/"}"#, "unknown type \"a.b\""),
    ] {
        let error = finalized::parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{body}: {error}");
    }
}

#[test]
fn binary_mode_is_refused_with_its_reason() {
    let ce = [("ce-id", "1"), ("ce-source", "/"), ("ce-type", STORAGE_FINALIZED), ("CE-SpecVersion", "1.0")];
    let with = |changes: &[(&'static str, &'static str)], body: &str| {
        let mut headers = ce.to_vec();
        for (name, value) in changes {
            headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
            headers.push((name, value));
        }
        finalized::parse_http(headers, body.as_bytes()).unwrap_err().to_string()
    };
    for (changes, body, expected) in [
        (&[("ce-specversion", "0.3")][..], "{}", "specversion should be 1.0"),
        (&[("ce-source", "")], "{}", "CloudEvent"),
        (&[("ce-time", "noon")], "{}", "time"),
        (&[], "", "data: there is none"),
        (&[], "{", "data: not JSON"),
        (&[("content-type", "application/protobuf")], "\u{8}\u{1}", "expected JSON, found \"application/protobuf\""),
        (&[("content-type", "application/json")], "[1]", "expected a JSON object, found an array"),
        (&[("Content-Type", "application/cloudevents-batch+json")], "[]", "batched mode"),
        (&[("Content-Type", "Application/CloudEvents+JSON")], "{}", "fields []"),
    ] {
        let error = with(changes, body);
        assert!(error.contains(expected), "{changes:?} {body}: {error}");
    }
}

#[test]
fn an_object_without_a_name_is_refused() {
    let event = ObjectFinalized {
        provider: Provider::Local,
        bucket: "footage".to_owned(),
        key: "a.mp4".to_owned(),
        version: "1".to_owned(),
        size: None,
        time: Timestamp::UNIX_EPOCH,
        media_link: None,
        region: None,
        read_version: None,
    };
    assert_eq!(finalized::parse(&event.to_json()).unwrap(), [Notice::Finalized(event.clone())]);
    for (bad, expected) in [
        (ObjectFinalized { bucket: String::new(), ..event.clone() }, "bucket's name is empty"),
        (ObjectFinalized { bucket: "a/b".to_owned(), ..event.clone() }, "slash"),
        (ObjectFinalized { key: String::new(), ..event.clone() }, "key is empty"),
        (ObjectFinalized { version: String::new(), ..event.clone() }, "version is empty"),
    ] {
        let error = finalized::parse(&bad.to_json()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn our_own_records_are_no_work() {
    let record =
        json!({ "specversion": "1.0", "id": "1", "source": "framepost/probe", "type": "io.framepost.chunk.probed.v1" });
    let notices = finalized::parse(record.to_string().as_bytes()).unwrap();
    assert!(matches!(notices[..], [Notice::Ignored { code: IgnoreCode::OtherEvent, .. }]), "{notices:?}");
}

/// As S3 writes keys: everything but the unreserved and the slash is encoded, a space is a plus.
fn form_encoded(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b' ' => "+".to_owned(),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn json_value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "Records",
        "s3",
        "object",
        "bucket",
        "name",
        "key",
        "size",
        "versionId",
        "sequencer",
        "eventName",
        "aws:s3",
        "eventVersion",
        "2.1",
        "eventSource",
        "eventTime",
        "ObjectCreated:Put",
        "Type",
        "TopicArn",
        "Message",
        "e30=",
        "Notification",
        "detail-type",
        "source",
        "detail",
        "Object Created",
        "aws.s3",
        "message",
        "attributes",
        "data",
        "eventType",
        "OBJECT_FINALIZE",
        "bucketId",
        "objectId",
        "specversion",
        "1.0",
        "id",
        "type",
        "time",
        STORAGE_FINALIZED,
        "2026-11-20T15:08:27Z",
        "generation",
        "metageneration",
        "kind",
        "storage#object",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(words.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(body: Vec<u8>) {
        let _ = finalized::parse(&body);
        let _ = finalized::parse_pubsub([("eventType", "OBJECT_FINALIZE"), ("payloadFormat", "JSON_API_V1")], &body);
        let _ = finalized::parse_http([("ce-specversion", "1.0"), ("ce-type", STORAGE_FINALIZED)], &body);
    }

    #[test]
    fn any_json_gives_an_answer(value in json_value()) {
        if let Ok(notices) = finalized::parse(value.to_string().as_bytes()) {
            prop_assert!(!notices.is_empty(), "a message that says nothing");
        }
    }

    #[test]
    fn keys_come_back_as_they_were(key in "[^\u{0}]{1,60}", size in of(any::<u64>()), text: bool) {
        let number = |n: u64| if text { json!(n.to_string()) } else { json!(n) };
        let time = "2026-11-20T15:08:27.123Z";
        let s3 = json!({ "Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": time,
            "s3": {
                "bucket": { "name": "footage" },
                "object": { "key": form_encoded(&key), "size": size.map(number), "sequencer": "0A" },
            },
        }] });
        let eventbridge = json!({
            "detail-type": "Object Created", "source": "aws.s3", "time": time,
            "detail": {
                "bucket": { "name": "footage" },
                "object": { "key": key, "size": size.map(number), "sequencer": "0a" },
            },
        });
        let gcs = json!({
            "kind": "storage#object", "bucket": "footage", "name": key, "size": size.map(number), "timeCreated": time,
            "generation": number(7), "metageneration": number(1),
        });
        for (message, version) in [(s3, format!("{:0<32}", "0A")), (eventbridge, format!("{:0<32}", "0A")), (gcs, "7.1".to_owned())] {
            let notices = finalized::parse(message.to_string().as_bytes()).unwrap();
            let [Notice::Finalized(event)] = &notices[..] else { panic!("{notices:?}") };
            prop_assert_eq!((&event.key, event.size, &event.version), (&key, size, &version));
            prop_assert_eq!(finalized::parse(&event.to_json()).unwrap(), notices);
        }
    }
}
