use super::*;
use framepost_events::detection::{Bounds, Detection};

fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_variables(|name| {
        variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn the_defaults_are_those_of_the_manifest() {
    let manifest = include_str!("../../function.yaml");
    let (_, environment) = manifest.split_once("\nenvironment:\n").unwrap();
    let lines = environment.lines().take_while(|line| line.starts_with("  "));
    let declared: Vec<(&str, &str)> = lines
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(|line| line.trim().split_once(": ").unwrap())
        .map(|(name, value)| (name, value.trim_matches('"')))
        .collect();
    assert!(declared.len() > 15, "{declared:?}");
    assert_eq!(read(&declared).unwrap(), read(&[]).unwrap());
    // Each one is read: a value that is not possible is refused under its own name. Any text can be labels or a program, and
    // what concerns detectors is read where they are connected.
    let others = [
        "FRAMEPOST_LABELS",
        FFMPEG,
        DETECTOR,
        "FRAMEPOST_MODELS",
        "FRAMEPOST_MODEL_MEMORY_MIB",
        "FRAMEPOST_OIP_TOKEN_FILE",
    ];
    for (name, _) in declared.iter().filter(|(name, _)| !others.contains(name)) {
        let error = read(&[(name, "?")]).unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    for (name, value) in [
        ("FRAMEPOST_PICTURES", "0/s"),
        ("FRAMEPOST_PICTURES", "31/s"),
        ("FRAMEPOST_PICTURES", "last"),
        ("FRAMEPOST_STILL_BELOW", "NaN"),
        ("FRAMEPOST_STILL_BELOW", "-1"),
        ("FRAMEPOST_SCORE_MIN", "1.1"),
        ("FRAMEPOST_LOOK_EVERY_S", "0"),
        ("FRAMEPOST_DECODE_S", "0"),
        ("FRAMEPOST_PIXELS_MAX", "99999999999999999999"),
        ("FRAMEPOST_BUDGET", "500"),
        ("FRAMEPOST_BUDGET", "-1 calls"),
        ("FRAMEPOST_BUDGET", "inf dollars"),
        ("FRAMEPOST_CAMERAS", "[]"),
        ("FRAMEPOST_CAMERAS", r#"{"gate": {}}"#),
        ("FRAMEPOST_CAMERAS", r#"{"plant-7/gate": {"zone": {}}}"#),
        ("FRAMEPOST_CAMERAS", r#"{"plant-7/gate": {"scoreMin": 2}}"#),
        ("FRAMEPOST_CAMERAS", r#"{"plant-7/gate": {"masks": [[[0, 0], [1, 1]]]}}"#),
        ("FRAMEPOST_CAMERAS", r#"{"plant-7/gate": {"pictures": "all"}}"#),
    ] {
        let error = read(&[(name, value)]).expect_err(value).to_string();
        assert!(error.starts_with(name), "{error}");
    }
}

#[test]
fn a_camera_has_zones_masks_and_thresholds_of_its_own() {
    let json = r#"{"plant-7/gate": {
        "zones": {"door": [[0.0, 0.5], [0.5, 0.5], [0.5, 1.0], [0.0, 1.0]]},
        "masks": [[[0.8, 0.0], [1.0, 0.0], [1.0, 0.5], [0.8, 0.5]]],
        "labels": ["person", "car"], "scoreMin": 0.4, "sizeMin": 0.01, "pictures": "2/s", "stillBelow": 0}}"#;
    let settings = read(&[("FRAMEPOST_CAMERAS", json), ("FRAMEPOST_LABELS", "cat, dog")]).unwrap();
    let site = "plant-7".parse().unwrap();
    let camera = "gate".parse().unwrap();
    let own = settings.of(Some(&site), Some(&camera));
    assert_eq!((own.pictures, own.still_below), (Some(Wanted::PerSecond(2.0)), 0.0));
    let other = settings.of(Some(&site), Some(&"dock".parse().unwrap()));
    assert_eq!(other.labels.iter().collect::<Vec<_>>(), ["cat", "dog"]);
    let seen = |label: &str, score, edges: [f64; 4]| {
        let [left, top, right, bottom] = edges;
        let bounds = Bounds::from_edges(left, top, right, bottom).unwrap();
        Detection { label: label.to_owned(), score, bounds, zones: vec![] }
    };
    let kept = own.keep(
        vec![
            seen("person", 0.5, [0.1, 0.2, 0.3, 1.0]),
            seen("car", 0.9, [0.6, 0.2, 0.8, 0.9]),
            seen("cat", 0.9, [0.1, 0.2, 0.3, 0.8]),
            seen("person", 0.3, [0.1, 0.2, 0.3, 0.8]),
            seen("person", 0.9, [0.1, 0.2, 0.12, 0.22]),
            seen("person", 0.9, [0.85, 0.1, 0.95, 0.4]),
        ],
        100,
    );
    let told: Vec<_> = kept.iter().map(|seen| (&*seen.label, seen.zones.join(","))).collect();
    assert_eq!(told, [("car", String::new()), ("person", "door".to_owned())], "the surest first");
    assert_eq!(own.keep(kept, 1).len(), 1);
}

#[test]
fn the_digest_changes_with_what_the_result_depends_on() {
    let digest = |variables: &[(&str, &str)], wanted| {
        let settings = read(variables).unwrap();
        settings.camera.digest(wanted, &settings.limits).to_string()
    };
    let plain = digest(&[], Wanted::First);
    assert_eq!(plain, digest(&[("FRAMEPOST_BUDGET", "5 calls"), ("FRAMEPOST_DECODE_S", "9")], Wanted::First));
    for (name, value) in [
        ("FRAMEPOST_SCORE_MIN", "0.5"),
        ("FRAMEPOST_LABELS", "person"),
        ("FRAMEPOST_STILL_BELOW", "0"),
        ("FRAMEPOST_PIXELS_MAX", "4096"),
        ("FRAMEPOST_REGIONS", "on"),
    ] {
        assert_ne!(plain, digest(&[(name, value)], Wanted::First), "{name}");
    }
    assert_ne!(plain, digest(&[], Wanted::RandomAccess));
}
