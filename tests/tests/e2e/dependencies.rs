//! The rule of dependencies: handlers and the gateway's library name no cloud, and neither does what they stand on.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that are a cloud's, or that know one.
const CLOUDS: [&str; 9] = [
    "framepost-aws",
    "framepost-gcp",
    "framepost-host",
    "aws-config",
    "aws-sdk-",
    "aws-smithy-",
    "google-cloud-",
    "lambda_",
    "aws_lambda_events",
];
/// Their names in source text.
const NAMES: [&str; 6] = ["framepost_aws", "framepost_gcp", "framepost_host", "aws_sdk_", "google_cloud_", "lambda_"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a package's library is built of, when none of its features is asked for.
fn tree(package: &str) -> String {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let arguments = ["tree", "--locked", "--offline", "--no-default-features", "--edges", "normal", "--prefix", "none"];
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--package", package])
        .current_dir(repository())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "{package}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes text")
}

/// The crates of a tree that are a cloud's.
fn clouds(tree: &str) -> Vec<&str> {
    let crates = tree.lines().filter_map(|line| line.split(' ').next());
    let mut clouds: Vec<&str> = crates.filter(|name| CLOUDS.iter().any(|cloud| name.starts_with(cloud))).collect();
    clouds.sort_unstable();
    clouds.dedup();
    clouds
}

/// The source files below a directory.
fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The lines of `directory`'s sources, but for those in `except`, that name a cloud outside a comment.
fn lines_with_clouds(directory: &Path, except: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    sources(directory, &mut files);
    assert!(files.len() > 1, "{}: no sources", directory.display());
    files.retain(|file| !except.iter().any(|name| file.ends_with(name)));
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file of text");
        let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
        let named = code.filter(|(_, line)| NAMES.iter().any(|name| line.contains(name)));
        found.extend(named.map(|(number, line)| format!("{}:{}: {line}", file.display(), number + 1)));
    }
    found
}

fn functions() -> Vec<String> {
    let entries = std::fs::read_dir(repository().join("functions")).expect("the functions");
    let directories = entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let mut names: Vec<String> = directories.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    assert!(names.contains(&"probe".to_owned()), "{names:?}");
    names
}

#[test]
fn handlers_are_built_without_any_cloud() {
    for name in functions() {
        let tree = tree(&format!("framepost-{name}"));
        assert!(tree.contains("framepost-ports"), "{name}: not a function's tree: {tree}");
        assert_eq!(clouds(&tree), <[&str; 0]>::default(), "{name}");
        let source = repository().join("functions").join(&name).join("src");
        // What is made of a host's clouds is the program's part: the library has it with the feature `host` alone.
        assert_eq!(lines_with_clouds(&source, &["main.rs", "start.rs"]), <[String; 0]>::default(), "{name}");
    }
}

#[test]
fn the_gateway_is_built_without_any_cloud() {
    assert_eq!(clouds(&tree("edge-uploader")), <[&str; 0]>::default());
    // The one place where a URL becomes an adapter, each behind its feature.
    let source = repository().join("edge-uploader/src");
    assert_eq!(lines_with_clouds(&source, &["main.rs", "destination.rs"]), <[String; 0]>::default());
}

#[test]
fn what_handlers_stand_on_names_no_cloud() {
    for package in ["framepost-events", "framepost-ports"] {
        assert_eq!(clouds(&tree(package)), <[&str; 0]>::default(), "{package}");
    }
}

/// `framepost` itself is such a program.
#[test]
fn model_servers_are_asked_over_rest_without_what_grpc_needs() {
    let _compiles = crate::processors::to_compile();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&cargo);
        command.args(arguments).args(["--locked", "--offline", "--no-default-features", "--features", "oip"]);
        let output = command.args(["--package", "framepost-models"]).current_dir(repository()).output();
        let output = output.expect("cargo can be started");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && !said.contains("warning"), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).expect("cargo writes text")
    };
    let tree = run(&["tree", "--edges", "normal", "--prefix", "none"]);
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains(&"reqwest"), "{tree}");
    assert!(["tonic", "prost", "rten"].iter().all(|name| !names.contains(name)), "{tree}");
    run(&["check", "--lib"]);
}

/// The judge finds what it looks for.
#[test]
fn adapters_are_told_from_the_rest() {
    assert!(clouds(&tree("framepost-aws")).contains(&"aws-sdk-s3"));
    let adapter = repository().join("infra/host/src");
    assert!(!lines_with_clouds(&adapter, &[]).is_empty());
}
