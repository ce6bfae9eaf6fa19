//! "Add a function in ten steps" of `functions/README.md`, done word for word in a copy of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// The target directory that holds this test, so that what others built of the dependencies is used again.
fn target_directory() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this test's own executable");
    // target/debug/deps/e2e-…
    own.ancestors().nth(3).expect("a target directory").to_owned()
}

/// The shell commands of the guide, in its order.
fn commands(readme: &str) -> Vec<String> {
    let (_, rest) = readme.split_once("\n## Add a function in ten steps\n").expect("the guide");
    let guide = rest.split_once("\n## ").map_or(rest, |(guide, _)| guide);
    let blocks = guide.split("```sh\n").skip(1);
    blocks.map(|block| block.split_once("\n```").expect("a block that ends").0.to_owned()).collect()
}

/// What git would commit, relative to the repository.
fn files(repository: &Path) -> Vec<PathBuf> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(repository).output().expect("git can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).expect("names of text");
    names.split_terminator('\0').map(PathBuf::from).filter(|name| repository.join(name).is_file()).collect()
}

/// Makes `copy` equal to the repository. A file that is equal already keeps its time, so that cargo builds only what
/// changed since the last run.
fn copy_to(copy: &Path, repository: &Path) {
    let wanted = files(repository);
    assert!(wanted.len() > 100, "only {} files in {}", wanted.len(), repository.display());
    if copy.is_dir() {
        for old in walk(copy) {
            let relative = old.strip_prefix(copy).expect("a path below the copy");
            if !wanted.iter().any(|name| name == relative) {
                fs::remove_file(&old).expect("an old file can be removed");
            }
        }
    }
    for name in wanted {
        let content = fs::read(repository.join(&name)).expect("a file of the repository");
        let to = copy.join(&name);
        if fs::read(&to).is_ok_and(|old| old == content) {
            continue;
        }
        fs::create_dir_all(to.parent().expect("a directory")).expect("a directory can be made");
        fs::copy(repository.join(&name), &to).expect("a file can be copied");
    }
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn the_ten_steps_make_a_function_that_runs() {
    let _compiles = crate::processors::to_compile();
    let repository = repository();
    let commands = commands(&fs::read_to_string(repository.join("functions/README.md")).expect("the README"));
    assert!(commands.len() >= 9, "the guide has {} blocks of commands", commands.len());
    let target = target_directory();
    let copy = target.join("guide");
    copy_to(&copy, &repository);

    let mut printed = String::new();
    for command in &commands {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", command])
            .current_dir(&copy)
            // What it compiles lies beside the rest, and the programs do not: the other tests run those with all features.
            .env("CARGO_BUILD_BUILD_DIR", &target)
            .env("CARGO_TARGET_DIR", target.join("guide-built"))
            .output()
            .expect("bash can be started");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}\n{errors}");
        printed.push_str(&String::from_utf8_lossy(&output.stdout));
        printed.push_str(&errors);
    }
    assert!(printed.contains("a_chunk_is_done_whatever_its_rate ... ok"), "its test did not run:\n{printed}");
    let complaints = printed.lines().filter(|line| line.contains("too few frames a second")).count();
    let chunks = printed.lines().filter(|line| line.contains("io.framepost.chunk.probed.v1")).count();
    assert!(chunks > 0 && complaints == chunks, "{complaints} errors for {chunks} chunks:\n{printed}");
}
