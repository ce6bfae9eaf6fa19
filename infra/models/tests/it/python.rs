//! The Python environment of `tests/models/requirements.txt`, and what runs in it.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter, if it is there and has what it needs. Otherwise says loudly that the test is skipped.
pub(crate) fn python() -> Option<PathBuf> {
    venv("venv-models", "onnxruntime, onnx, cv2, numpy")
}

/// The interpreter of an environment that has these modules.
pub(crate) fn venv(name: &str, modules: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
    let python = cache.join("framepost").join(name).join("bin/python");
    let tried = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    if tried.is_ok_and(|tried| tried.status.success()) {
        return Some(python);
    }
    skip(&format!("there is no {modules} in ~/.cache/framepost/{name}; `tests/run setup` installs it"));
    None
}

/// Says that a test, or a part of it, is skipped. `tests/run` counts these lines.
pub(crate) fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

/// The directory of shared test data, if there is one.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let directory = std::env::var_os("FRAMEPOST_TEST_DATA").map(PathBuf::from);
    if directory.is_none() {
        skip("FRAMEPOST_TEST_DATA is not set, and this test needs its clips and its model");
    }
    directory
}

/// A file of `tests/models`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/models").join(name)
}

/// Runs the judge and returns what it printed, a JSON document a line.
pub(crate) fn judge<S: AsRef<std::ffi::OsStr>>(python: &Path, arguments: impl IntoIterator<Item = S>) -> Vec<Value> {
    let output = Command::new(python).arg("-B").arg(script("judge.py")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
