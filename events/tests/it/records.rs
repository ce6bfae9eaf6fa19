//! Records on paper: the samples, the schemas and CloudEvents' own reader agree with the types.

use cloudevents::{AttributesReader as _, Data as EventData, Event};
use framepost_events::bigquery::{Column, columns_of};
use framepost_events::finalized::{FINALIZED_EVENT_TYPE, ObjectFinalized, Provider};
use framepost_events::record::{ChunkProbed, DECLARED, Data, ObjectRef, Record, TYPES};
use framepost_events::schema::schemas;
use framepost_events::{due, removed};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn files(directory: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let value =
                serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, value)
        })
        .collect();
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files
}

fn sample_records() -> Vec<(String, Value)> {
    files(&directory("samples/records"))
}

fn validators() -> BTreeMap<&'static str, Validator> {
    schemas()
        .into_iter()
        .map(|(event_type, schema)| {
            let validator = jsonschema::options().should_validate_formats(true).build(schema.as_value());
            (event_type, validator.unwrap_or_else(|error| panic!("{event_type}: {error}")))
        })
        .collect()
}

fn assert_valid(name: &str, event: &Value) {
    let validators = validators();
    let validator = &validators[event["type"].as_str().unwrap()];
    let errors: Vec<String> =
        validator.iter_errors(event).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}

#[test]
fn the_schemas_are_not_stale() {
    let kept: BTreeMap<String, Value> = files(&directory("schemas")).into_iter().collect();
    let made: BTreeMap<String, Value> =
        schemas().into_iter().map(|(event_type, schema)| (format!("{event_type}.json"), schema.to_value())).collect();
    let names = |schemas: &BTreeMap<String, Value>| schemas.keys().cloned().collect::<BTreeSet<_>>();
    let again = "`cargo run -p framepost-events --example schemas -- --write` writes them anew";
    assert_eq!(names(&kept), names(&made), "{again}");
    for (name, schema) in &made {
        assert!(kept[name] == *schema, "{name} is stale; {again}");
    }
    let table: BTreeMap<String, Value> = files(&directory("schemas/bigquery")).into_iter().collect();
    let columns = serde_json::to_value(framepost_events::bigquery::columns()).unwrap();
    assert!(table == BTreeMap::from([("records.json".to_owned(), columns)]), "bigquery is stale; {again}");
    let table: BTreeMap<String, Value> = files(&directory("schemas/glue")).into_iter().collect();
    let columns = serde_json::to_value(framepost_events::glue::columns()).unwrap();
    assert!(table == BTreeMap::from([("records.json".to_owned(), columns)]), "glue is stale; {again}");
}

#[test]
fn sample_records_keep_to_their_schema_and_come_back_as_they_were() {
    let mut seen = BTreeSet::from([FINALIZED_EVENT_TYPE, removed::EVENT_TYPE].map(str::to_owned));
    for (name, sample) in sample_records() {
        assert_valid(&name, &sample);
        let record: Record = serde_json::from_value(sample.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(record.event_type, record.data.event_type(), "{name}");
        assert_eq!(record.subject, record.data.object().key, "{name}");
        assert_eq!(serde_json::to_value(&record).unwrap(), sample, "{name}");
        // The id is part of the contract: copies made by an older version are still copies.
        assert_eq!(Record::about(record.data.object(), record.time, record.data.clone()), record, "{name}");
        seen.insert(record.event_type);
    }
    let types: BTreeSet<String> = schemas().into_iter().map(|(event_type, _)| event_type.to_owned()).collect();
    assert_eq!(seen, types, "a type without a sample record, or a sample without a type");
}

/// Takes each leaf that `columns` describe to `take`: its path, whether it is a time, and its value where it is there. What
/// is in a list has the list's path before its own.
fn each_leaf(
    prefix: &str,
    columns: &[Column],
    data: Option<&mut Value>,
    take: &mut dyn FnMut(String, bool, Option<&mut Value>),
) {
    let mut data = data;
    for column in columns {
        let path = if prefix.is_empty() { column.name.clone() } else { format!("{prefix}.{}", column.name) };
        let mut value = data.as_deref_mut().and_then(|data| data.get_mut(&column.name));
        match (column.kind, column.mode) {
            ("RECORD", "REPEATED") => {
                let items = value.as_deref_mut().and_then(Value::as_array_mut).into_iter().flatten();
                items.for_each(|item| each_leaf(&path, &column.fields, Some(item), take));
                each_leaf(&path, &column.fields, None, take);
            }
            ("RECORD", _) => each_leaf(&path, &column.fields, value, take),
            (kind, _) => take(path, kind == "TIMESTAMP", value),
        }
    }
}

#[test]
fn no_field_is_forgotten_in_samples_log_lines_or_the_cutting_of_times() {
    for declared in DECLARED {
        let name = declared.event_type;
        let columns = columns_of(name);
        let mut fields = BTreeSet::new();
        each_leaf("", &columns, None, &mut |path, _, _| {
            fields.insert(path);
        });
        let mut in_samples = BTreeSet::new();
        let mut in_log = BTreeSet::new();
        for (_, sample) in sample_records().into_iter().filter(|(_, sample)| sample["type"] == name) {
            let mut fine = sample.clone();
            each_leaf("", &columns, Some(&mut fine["data"]), &mut |path, is_time, value| {
                let Some(value) = value else { return };
                in_samples.insert(path);
                if is_time {
                    *value = "2026-11-20T15:08:23.123456789Z".into();
                }
            });
            let fine: Record = serde_json::from_value(fine).unwrap();
            let cut = Record::about(fine.data.object(), fine.time, fine.data.clone());
            let written = serde_json::to_string(&cut).unwrap();
            assert!(!written.contains(".123456789"), "{name}: a time is finer than a microsecond: {written}");
            let record: Record = serde_json::from_value(sample).unwrap();
            in_log.extend(record.log_fields().into_iter().map(|(path, _)| path));
        }
        let unsampled: Vec<_> = fields.difference(&in_samples).collect();
        assert!(unsampled.is_empty(), "{name}: no sample record has {unsampled:?}");
        let left_out = |path: &str| {
            let out = |out: &&str| path == *out || path.starts_with(&format!("{out}."));
            path == "object.key" || declared.not_logged.iter().any(out)
        };
        // A list is one field of the line, with its JSON.
        let logged = |path: &str| in_log.iter().any(|field| path == field || path.starts_with(&format!("{field}.")));
        let unlogged: Vec<_> = fields.iter().filter(|path| !logged(path) && !left_out(path)).collect();
        assert!(unlogged.is_empty(), "{name}: its log line lacks {unlogged:?}");
        for out in declared.not_logged {
            assert!(fields.iter().any(|path| left_out(path) && path.starts_with(out)), "{name} has no {out}");
        }
    }
}

#[test]
fn a_report_has_a_log_line_for_each_camera() {
    let (_, sample) = sample_records().into_iter().find(|(name, _)| name == "gateway-reported.json").unwrap();
    let record: Record = serde_json::from_value(sample).unwrap();
    let lines = record.data.logged_apart();
    assert_eq!(lines.len(), 2);
    let (message, fields) = &lines[1];
    assert_eq!(*message, "camera reported");
    for (name, expected) in [("event", "camera"), ("site", "plant-7"), ("camera", "dock"), ("state", "lost")] {
        assert_eq!(fields[name], expected, "{name}");
    }
}

#[test]
fn what_was_seen_has_a_log_line_for_each_label() {
    let (_, sample) = sample_records().into_iter().find(|(name, _)| name == "chunk-inferred.json").unwrap();
    let record: Record = serde_json::from_value(sample).unwrap();
    let lines = record.data.logged_apart();
    let labels: Vec<&Value> = lines.iter().map(|(_, fields)| &fields["label"]).collect();
    assert_eq!(labels, ["bicycle", "person"]);
    for (name, expected) in [("event", "seen"), ("site", "plant-7"), ("camera", "gate")] {
        assert_eq!(lines[1].1[name], expected, "{name}");
    }
}

#[test]
fn terraform_knows_every_type_and_no_other() {
    let clouds = ["aws", "gcp"];
    for cloud in clouds {
        let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../terraform/modules").join(cloud);
        let text: String = texts(&modules.join("observability")).concat();
        for event_type in TYPES {
            assert!(text.contains(event_type), "no saved query of {cloud} asks for {event_type}");
        }
        for named in texts(&modules).concat().split("io.framepost.").skip(1) {
            let named: String = named.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
            let event_type = format!("io.framepost.{}", named.trim_end_matches('.'));
            // A schedule's event is Terraform's own text.
            let known = schemas().iter().any(|(known, _)| *known == event_type) || event_type == due::EVENT_TYPE;
            assert!(known || named.is_empty(), "{cloud}: {event_type} is no type");
        }
    }
}

/// The configuration and queries below a directory, its tests aside.
fn texts(directory: &Path) -> Vec<String> {
    let mut found = vec![];
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            found.extend(texts(&path));
        } else if path.extension().is_some_and(|extension| extension == "tf" || extension == "sql") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

#[test]
fn a_record_of_a_record_names_its_object_and_not_another() {
    let mut data = probed();
    "elsewhere".clone_into(&mut data.object.bucket);
    let object: ObjectRef = (&event()).into();
    let record = Record::about(&object, event().time, data);
    assert_eq!(record.data.object(), &object);
    assert_eq!((record.subject, record.source), (object.key, "framepost/probe".to_owned()));
}

#[test]
fn the_schemas_refuse_what_is_no_record() {
    let validators = validators();
    let (_, good) = sample_records().into_iter().find(|(name, _)| name == "chunk-probed.json").unwrap();
    for (pointer, bad) in [
        ("/type", json!("io.framepost.span.ended.v1")),
        ("/specversion", json!("0.3")),
        ("/time", json!("yesterday")),
        ("/data/integrity/signature", json!("maybe")),
        ("/data/integrity/sha256", json!("abc")),
        ("/data/duration/seconds", json!("3")),
        ("/data/duration/from", json!("noon")),
        ("/data/sizeBytes", json!(-1)),
        ("/data/object", json!({ "bucket": "footage" })),
        ("/data/clock/source", json!("sundial")),
        ("/data/startsWithRandomAccess", json!("yes")),
        ("/data/clock/offsetUs", Value::Null),
        ("/data/camera", json!("../gate")),
        ("/data/camera", Value::Null),
    ] {
        let mut record = good.clone();
        *record.pointer_mut(pointer).unwrap() = bad;
        assert!(!validators["io.framepost.chunk.probed.v1"].is_valid(&record), "{pointer}");
    }
}

#[test]
fn the_local_event_keeps_to_its_schema_and_sample() {
    let written: Value = serde_json::from_slice(&event().to_json()).unwrap();
    assert_valid("local", &written);
    let sample = std::fs::read(directory("samples").join("local-finalized.json")).unwrap();
    assert_eq!(written, serde_json::from_slice::<Value>(&sample).unwrap());
}

#[test]
fn cloudevents_reads_our_records() {
    for (name, sample) in sample_records() {
        let record: Record = serde_json::from_value(sample.clone()).unwrap();
        let event: Event = serde_json::from_value(sample.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(event.id(), record.id, "{name}");
        assert_eq!(event.ty(), record.event_type, "{name}");
        assert_eq!(*event.source(), record.source, "{name}");
        assert_eq!(event.subject(), Some(record.subject.as_str()), "{name}");
        assert_eq!(event.datacontenttype(), Some("application/json"), "{name}");
        assert_eq!(event.time().unwrap().timestamp_micros(), record.time.as_microsecond(), "{name}");
        assert_eq!(event.data(), Some(&EventData::Json(sample["data"].clone())), "{name}");
        assert_eq!(event.iter_extensions().count(), 0, "{name}");
    }
}

#[test]
fn an_unknown_type_or_other_data_is_refused() {
    for (name, sample) in sample_records() {
        for other in ["io.framepost.chunk.probed.v2", "io.framepost.object.rejected.v1", "io.framepost.span.ended.v1"] {
            let mut record = sample.clone();
            if record["type"] == other {
                continue;
            }
            record["type"] = json!(other);
            assert!(serde_json::from_value::<Record>(record).is_err(), "{name} as {other}");
        }
    }
}

fn event() -> ObjectFinalized {
    ObjectFinalized {
        provider: Provider::Local,
        bucket: "footage".to_owned(),
        key: "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4".to_owned(),
        version: "3f0a377ba0a4a460".to_owned(),
        size: Some(1_503_224),
        time: "2026-11-20T15:08:27.123456Z".parse().unwrap(),
        media_link: None,
        region: None,
        read_version: None,
    }
}

fn probed() -> ChunkProbed {
    sample_records()
        .into_iter()
        .find_map(|(_, sample)| match serde_json::from_value::<Record>(sample).unwrap().data {
            Data::ChunkProbed(data) => Some(*data),
            _ => None,
        })
        .unwrap()
}

#[test]
fn the_id_is_that_of_the_work_and_of_what_is_said() {
    let data = || Data::ChunkProbed(Box::new(probed()));
    let record = Record::about(&(&event()).into(), event().time, data());
    assert_eq!(record.id.len(), 32);
    assert_eq!(record, Record::about(&(&event()).into(), event().time, data()));
    let later = ObjectFinalized { time: "2026-11-20T15:09:00Z".parse().unwrap(), size: None, ..event() };
    assert_eq!(Record::about(&(&later).into(), later.time, data()).id, record.id);
    let newer = ObjectFinalized { version: "other".to_owned(), ..event() };
    assert_ne!(Record::about(&(&newer).into(), newer.time, data()).id, record.id);
}

proptest! {
    #[test]
    fn records_come_back_as_they_were(
        seconds in 0.0_f64..1e9, frame_rate in 0.0_f64..1e4, key in ".{1,40}", size: u64, width: u32,
        micros in 0_i64..253_402_207_200_000_000,
    ) {
        let time = jiff::Timestamp::from_microsecond(micros).unwrap();
        let event = ObjectFinalized { key, time, size: Some(size), ..event() };
        let mut data = ChunkProbed { size_bytes: size, frame_rate: Some(frame_rate), object: (&event).into(), ..probed() };
        data.duration.seconds = Some(seconds);
        data.duration.from = Some(time);
        data.resolution.width = width;
        let record = Record::about(&(&event).into(), event.time, Data::ChunkProbed(Box::new(data)));
        let line = serde_json::to_string(&record).unwrap();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(&serde_json::from_str::<Record>(&line).unwrap(), &record);
    }
}
