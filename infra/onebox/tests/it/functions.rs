//! The command line of a program with functions of its own.

use framepost_host::Registered;
use std::process::Command;

fn framepost(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_framepost")).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_functions_are_listed() {
    let (code, listed, _) = framepost(&["functions"]);
    assert_eq!(code, Some(0));
    let probe = listed.lines().find(|line| line.trim_start().starts_with("probe")).expect(&listed);
    assert!(probe.contains("object-finalized"), "{probe}");
    let (code, help, _) = framepost(&["up", "--help"]);
    assert_eq!(code, Some(0));
    assert!(help.contains("--without <FUNCTION>") && help.contains(probe.trim()), "{help}");
}

#[test]
fn a_function_that_is_not_there_cannot_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let (code, out, error) = framepost(&["up", "--dir", data.to_str().unwrap(), "--without", "prob"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(error.contains("there is no function \"prob\"; there are catalog, infer, probe"), "{error}");
}

#[test]
fn two_functions_of_one_name_are_refused() {
    let probe = || Registered::new(framepost_probe::MANIFEST, framepost_probe::start).unwrap();
    let error = framepost_onebox::Functions::new(vec![probe(), probe()]).unwrap_err();
    assert_eq!(error.to_string(), "two functions are called probe");
}

#[test]
fn files_are_probed_as_if_they_were_in_a_bucket() {
    let here = env!("CARGO_MANIFEST_DIR");
    let clip = format!("{here}/assets/demo.mp4");
    let manifest = format!("{here}/Cargo.toml");
    let (code, records, said) = framepost(&["probe", &clip]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let record: serde_json::Value = serde_json::from_str(records.trim()).expect(&records);
    assert_eq!((&record["type"], &record["subject"]), (&"io.framepost.chunk.probed.v1".into(), &"demo.mp4".into()));
    assert_eq!(record["data"]["object"]["bucket"], "assets");
    assert_eq!(record["data"]["mediaLink"], format!("file://{clip}"));
    let (code, records, said) = framepost(&["probe", &manifest, "nothing.mp4", &clip]);
    assert_eq!(code, Some(1));
    assert_eq!(records.lines().count(), 2, "{records}");
    assert!(records.contains("io.framepost.object.rejected.v1") && records.contains("not-media"), "{records}");
    assert!(said.contains("cannot read nothing.mp4"), "{said}");
}
