use super::*;
use framepost_events::finalized::{ObjectFinalized, Provider};
use framepost_events::record::{CHUNK_PROBED, OBJECT_REJECTED, ObjectRejected, Record, RejectReason};

const MINIMAL: &str = "\
name: watch
description: Watches.
triggers:
  - event: object-finalized
delivery: { batch_size: 10, max_deliveries: 8 }
runtime: { memory_mib: 128, timeout_s: 30, max_concurrency: 50 }
";

fn with_triggers(triggers: &str) -> String {
    MINIMAL.replace("  - event: object-finalized\n", triggers)
}

fn parse(text: &str) -> Manifest {
    Manifest::parse("watch/function.yaml", text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn every_function_has_a_manifest_that_holds() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let functions = repository.join("functions");
    let manifests = Manifest::read_all(&functions).unwrap();
    let directories = std::fs::read_dir(&functions).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir());
    assert_eq!(manifests.len(), directories.count(), "a function without function.yaml");
    assert!(manifests.iter().any(|manifest| manifest.name == "probe"));
    // The ones that Terraform's tests read are manifests too.
    for tests in
        ["terraform/gcp/tests/functions", "tests/terraform/aws/functions", "terraform/modules/any/functions/tests/good"]
    {
        assert!(!Manifest::read_all(&repository.join(tests)).unwrap().is_empty(), "{tests}");
    }
}

#[test]
fn everything_that_can_be_said_is_read() {
    let manifest = parse(
        r#"
name: watch
description: Watches.
triggers:
  - event: object-finalized
    prefixes: [plant-7/, dock-2/]
    suffixes: [.mp4]
  - event: object-removed
  - event: record
    types: [io.framepost.chunk.probed.v1]
    filters: { site: [plant-7], startsWithRandomAccess: [true] }
  - { event: schedule, name: sweep, every_minutes: 15 }
  - { event: schedule, name: nightly, cron: "0 3 * * *" }
delivery: { batch_size: 20, max_deliveries: 5 }
runtime: { memory_mib: 2048, timeout_s: 60, max_concurrency: 2, cpu: 4, instance_concurrency: 1 }
environment: { WATCH_MODEL: small, WATCH_LEVEL: "3" }
grants: [footage:read, footage:list, footage:write, exports:write, records:publish, ledger:claim, pictures:detect]
enabled: false
package: image
"#,
    );
    assert_eq!(manifest.triggers.len(), 5);
    assert_eq!(manifest.runtime.timeout, Duration::from_mins(1));
    assert_eq!((manifest.runtime.cpu, manifest.runtime.instance_concurrency), (Some(4), Some(1)));
    let times: Vec<String> = manifest.schedules().map(|schedule| schedule.times.to_string()).collect();
    assert_eq!(times, ["*/15 * * * *", "0 3 * * *"]);
    assert_eq!(manifest.grants.len(), 7);
    assert_eq!((manifest.enabled, manifest.package), (false, Package::Image));
    assert_eq!(manifest.environment["WATCH_LEVEL"], "3");
    let requests = with_triggers("  - { event: http, path: /v1, auth: cloud }\n");
    let requests = parse(&requests.replace("delivery: { batch_size: 10, max_deliveries: 8 }\n", ""));
    assert_eq!(
        (requests.http(), requests.has_inbox()),
        (Some(&Http { path: "/v1".to_owned(), auth: Auth::Cloud }), false)
    );
    let parsed = parse(MINIMAL);
    assert_eq!((parsed.http(), parsed.schedules().count(), parsed.has_inbox()), (None, 0, true));
}

/// Each text is wrong, and its error has the parts.
fn judge(cases: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (text, expected) in cases {
        let error = match Manifest::parse("watch/function.yaml", text) {
            Ok(_) => "nothing wrong was found".to_owned(),
            Err(error) => error.to_string(),
        };
        println!("{error}");
        let is_one_line = error.starts_with("watch/function.yaml:") && !error.contains('\n');
        let missing: Vec<_> = expected.iter().filter(|part| !error.contains(**part)).collect();
        if !is_one_line || !missing.is_empty() {
            wrong.push(format!("{error:?} lacks {missing:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_is_told_with_file_key_and_what_is_allowed() {
    let change = |from: &str, to: &str| {
        assert!(MINIMAL.contains(from), "{from}");
        MINIMAL.replace(from, to)
    };
    judge(&[
        ("", &["manifest:"]),
        ("- 1", &["manifest:", "expected"]),
        (&change("name: watch", "name: Watch"), &["name:", "\"Watch\"", "a-z"]),
        (&change("name: watch", "name: 7"), &[":1:", "name:"]),
        (&change("name: watch", "nane: watch"), &[":1:", "nane", "name"]),
        (&change("name: watch", "name: watch\nname: probe"), &[":2:", "duplicate", "name"]),
        (&change("name: watch", "name: true"), &[":1:", "name:", "quoting"]),
        (&change("Watches.", "' '"), &["description:", "256"]),
        (&change("  - event: object-finalized\n", ""), &["triggers"]),
        (&with_triggers("").replace("triggers:", "triggers: []"), &["triggers:", "at least one trigger"]),
        (&change("triggers:", "trigger:"), &[":3:", "trigger", "triggers"]),
        (&change("memory_mib: 128", "memory_mib: 64"), &[":6:", "runtime.memory_mib:", "64", "between 128 and 32768"]),
        (&change("timeout_s: 30", "timeout_s: 901"), &["runtime.timeout_s:", "901", "between 1 and 900"]),
        (&change("timeout_s: 30", "timeout_s: -1"), &["runtime.timeout_s:", "-1"]),
        (&change("timeout_s: 30", "timeout_s: 1.5"), &["runtime.timeout_s:"]),
        (&change("timeout_s: 30", "timeout_s: 30s"), &["runtime.timeout_s:"]),
        (&change("timeout_s: 30", "timeout: 30"), &["runtime", "timeout", "timeout_s"]),
        (&change(", max_concurrency: 50", ""), &["runtime", "max_concurrency"]),
        (&change("max_concurrency: 50", "max_concurrency: 1"), &["max_concurrency:", "between 2 and 1000"]),
        (&change("50 }", "50, cpu: 3 }"), &["runtime.cpu:", "3", "1, 2, 4, 6 or 8"]),
        (&change("50 }", "50, cpu: null }"), &["runtime.cpu:"]),
        (&change("50 }", "50, instance_concurrency: 0 }"), &["runtime.instance_concurrency:", "between 1 and 1000"]),
        (&change("batch_size: 10", "batch_size: 0"), &["delivery.batch_size:", "between 1 and 10000"]),
        (&change("max_deliveries: 8", "max_deliveries: 4"), &["delivery.max_deliveries:", "between 5 and 100"]),
        (&change("delivery: { batch_size: 10, max_deliveries: 8 }\n", ""), &["delivery:", "missing", "max_deliveries"]),
        (&format!("{MINIMAL}grants: [footage:delete]\n"), &[":7:", "grants[0]:", "footage:delete", "ledger:claim"]),
        (&format!("{MINIMAL}package: tarball\n"), &[":7:", "package", "tarball", "zip", "image"]),
        (&format!("{MINIMAL}enabled: sometimes\n"), &[":7:", "enabled", "bool"]),
        (&format!("{MINIMAL}grants: footage:read\n"), &[":7:", "grants"]),
        (&format!("{MINIMAL}environment: {{ LEVEL: 3 }}\n"), &[":7:", "environment.LEVEL:", "quoting"]),
        (&format!("{MINIMAL}environment: {{ LEVEL: true }}\n"), &["environment.LEVEL:", "quoting"]),
        (&format!("{MINIMAL}environment: {{ level: a }}\n"), &["environment.level:", "A-Z"]),
        (
            &format!("{MINIMAL}environment: {{ FRAMEPOST_LEDGER: a }}\n"),
            &["environment.FRAMEPOST_LEDGER:", "is set by"],
        ),
        (&format!("{MINIMAL}environment: {{ AWS_REGION: a }}\n"), &["environment.AWS_REGION:", "is set by"]),
    ]);
}

#[test]
fn what_is_wrong_with_a_trigger_is_told() {
    let trigger = |trigger: &str| with_triggers(&format!("  - {trigger}\n"));
    let records = |filters: &str| {
        trigger(&format!("{{ event: record, types: [io.framepost.chunk.probed.v1], filters: {filters} }}"))
    };
    judge(&[
        (&trigger("{ event: http, auth: cloud }"), &["delivery:", "leave it out"]),
        (&trigger("{ event: object-created }"), &[":4:", "triggers[0].event:", "object-created", "object-finalized"]),
        (&trigger("{ prefixes: [a] }"), &["triggers[0]", "event"]),
        (&trigger("{ event: object-finalized, prefix: a }"), &["triggers[0]", "prefix", "prefixes"]),
        (&trigger("{ event: object-finalized, prefixes: a }"), &["triggers[0].prefixes"]),
        (
            &trigger("{ event: object-removed, types: [a] }"),
            &["triggers[0]", "types is no option of object-removed", "suffixes"],
        ),
        (
            &trigger("{ event: record, types: [io.framepost.chunk.probed.v1], path: / }"),
            &["path is no option of record"],
        ),
        (&trigger("{ event: object-finalized, suffixes: [''] }"), &["triggers[0].suffixes:", "not empty"]),
        (&trigger("{ event: object-finalized, prefixes: ['a*'] }"), &["triggers[0].prefixes:", "a*", "asterisks"]),
        (&trigger("{ event: record }"), &["triggers[0]", "record needs types"]),
        (&trigger("{ event: record, types: [] }"), &["triggers[0].types:", "one at least"]),
        (
            &trigger("{ event: record, types: [io.framepost.chunk.probed.v2] }"),
            &["triggers[0].types:", "v2", "chunk.probed.v1"],
        ),
        (&records("{ sites: [a] }"), &["triggers[0].filters.sites:", "site", "container"]),
        (&records("{ frameRate: [a] }"), &["triggers[0].filters.frameRate:", "codec"]),
        (&records("{ resolution: [a] }"), &["triggers[0].filters.resolution:"]),
        (&records("{ site: [] }"), &["triggers[0].filters.site:", "between 1 and 20"]),
        (&records("{ site: [{}] }"), &["triggers[0].filters"]),
        (&trigger("{ event: http }"), &["http needs auth"]),
        (&trigger("{ event: http, auth: none }"), &["triggers[0].auth:", "none", "cloud", "function"]),
        (&trigger("{ event: http, auth: cloud, path: v1 }"), &["triggers[0].path:", "begins with /"]),
        (&trigger("{ event: http, auth: cloud, path: /v1/../x }"), &["triggers[0].path:"]),
        (&trigger("{ event: schedule, name: a }"), &["either every_minutes or cron"]),
        (
            &trigger("{ event: schedule, name: a, every_minutes: 5, cron: '* * * * *' }"),
            &["either every_minutes or cron"],
        ),
        (&trigger("{ event: schedule, every_minutes: 5 }"), &["schedule needs name"]),
        (&trigger("{ event: schedule, name: A, every_minutes: 5 }"), &["triggers[0].name:"]),
        (&trigger("{ event: schedule, name: a, every_minutes: 7 }"), &["triggers[0]", "every_minutes: 7", "1440"]),
        (&trigger("{ event: schedule, name: a, cron: '@daily' }"), &["triggers[0]", "five"]),
        (&trigger("{ event: job-ended }"), &["triggers[0]", "reserved"]),
        (
            &trigger("{ event: http, auth: cloud }\n  - { event: http, auth: function }"),
            &["triggers[1]:", "one http trigger"],
        ),
        (&trigger("{ event: http, auth: function }\n  - event: object-removed"), &["triggers:", "make two functions"]),
        (&trigger("event: object-finalized\n  - { event: http, auth: cloud }"), &["triggers:", "make two functions"]),
        (&trigger("event: object-finalized\n  - event: object-finalized"), &["triggers[1]:", "twice"]),
        (
            &trigger(
                "{ event: schedule, name: a, every_minutes: 5 }\n  - { event: schedule, name: a, every_minutes: 6 }",
            ),
            &["triggers[1].name:", "\"a\""],
        ),
    ]);
}

#[test]
fn a_directory_and_its_function_have_one_name() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        std::fs::create_dir(dir.path().join(name)).unwrap();
        std::fs::write(dir.path().join(name).join("function.yaml"), text).unwrap();
    };
    put("watch", MINIMAL);
    std::fs::create_dir(dir.path().join("src")).unwrap();
    std::fs::write(dir.path().join("README.md"), "").unwrap();
    let names = |manifests: Vec<Manifest>| manifests.into_iter().map(|manifest| manifest.name).collect::<Vec<_>>();
    assert_eq!(names(Manifest::read_all(dir.path()).unwrap()), ["watch"]);
    put("look", MINIMAL);
    let error = Manifest::read_all(dir.path()).unwrap_err().to_string();
    assert!(error.contains("look/function.yaml: name: \"watch\"") && error.contains("\"look\""), "{error}");
    let error = Manifest::read(&dir.path().join("gone/function.yaml")).unwrap_err().to_string();
    assert!(error.contains("gone/function.yaml"), "{error}");
}

#[test]
fn keys_are_told_by_both_of_their_ends() {
    let keys = |prefixes: &[&str], suffixes: &[&str]| Keys {
        prefixes: prefixes.iter().map(|&prefix| prefix.to_owned()).collect(),
        suffixes: suffixes.iter().map(|&suffix| suffix.to_owned()).collect(),
    };
    for (keys, key, expected) in [
        (keys(&[], &[]), "anything", true),
        (keys(&["plant-7/"], &[]), "plant-7/a.mp4", true),
        (keys(&["plant-7/"], &[]), "plant-70/a.mp4", false),
        (keys(&["plant-7/", "dock/"], &[".mp4"]), "dock/a.mp4", true),
        (keys(&["plant-7/", "dock/"], &[".mp4"]), "dock/a.mp4_gap", false),
        (keys(&[], &[".mp4", ".mkv"]), "a.mkv", true),
        (keys(&[], &[".mp4", ".mkv"]), "a.MKV", false),
        (keys(&["aba"], &["aba"]), "ababa", false),
        (keys(&["aba"], &["aba"]), "abaaba", true),
    ] {
        assert_eq!(keys.hold(key), expected, "{keys:?} {key}");
        let manifest = Manifest { triggers: vec![Trigger::ObjectRemoved(keys)], ..parse(MINIMAL) };
        assert_eq!(manifest.hears(Happened::Removed(key)), expected);
        assert!(!manifest.hears(Happened::Finalized(key)), "one trigger heard another's event");
    }
}

#[test]
fn records_are_told_by_type_and_fields() {
    let event = |key: &str| ObjectFinalized {
        provider: Provider::Local,
        bucket: "footage".to_owned(),
        key: key.to_owned(),
        version: "1".to_owned(),
        size: Some(4),
        time: "2026-11-20T15:08:27Z".parse().unwrap(),
        media_link: None,
        region: None,
        read_version: None,
    };
    let record = |key: &str, reason| {
        let data = ObjectRejected::new(reason, "junk", &event(key));
        Record::about(&(&event(key)).into(), event(key).time, data)
    };
    let gate = "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4";
    let hears = |filters: &str, record: &Record| {
        let one = format!("  - {{ event: record, types: [{OBJECT_REJECTED}], filters: {filters} }}\n");
        parse(&with_triggers(&one)).hears(Happened::Record(record))
    };
    let empty = record(gate, RejectReason::Empty);
    assert!(hears("{}", &empty));
    assert!(hears("{ reason: [not-media, empty] }", &empty));
    assert!(hears("{ reason: [empty], site: [plant-7], camera: [gate, yard] }", &empty));
    assert!(!hears("{ reason: [empty], site: [dock-2] }", &empty));
    assert!(!hears("{ reason: [not-media] }", &empty));
    // A key that names no site.
    assert!(!hears("{ site: [plant-7] }", &record("junk", RejectReason::Empty)));
    let others = parse(&with_triggers(&format!("  - {{ event: record, types: [{CHUNK_PROBED}] }}\n")));
    assert!(!others.hears(Happened::Record(&empty)));
    assert!(!parse(MINIMAL).hears(Happened::Record(&empty)));
}
