//! When `framepost up` ends by itself: where its standard output is a terminal, or with `--stay`, it goes on after its files are
//! read. The terminal is that of `script` (util-linux).

use framepost_tests::binaries::{Output, Running};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(2);
const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.mp4");
const FRAMEPOST: &str = env!("CARGO_BIN_EXE_framepost");
const CTRL_C: &[u8] = b"\x03";

fn arguments(directory: &Path) -> Vec<String> {
    let directory = directory.to_str().unwrap();
    ["up", "--without", "infer", "--listen", "127.0.0.1:0", "--dir", directory, CLIP].map(str::to_owned).to_vec()
}

/// Waits until all files are read, and then has the API answer.
fn goes_on(up: &Running, output: Output) {
    let has = |lines: &[String], text: &str| {
        lines.iter().find_map(|line| line.split_once(text).map(|(_, rest)| rest.trim().to_owned()))
    };
    up.wait_for(output, PATIENCE, |lines| has(lines, "all files are read; Ctrl-C ends"));
    let address = has(&up.lines(output), "api       http://").unwrap();
    let address = address.split('/').next().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /v1/cameras HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"camera\":\"demo\""), "{answer}");
}

#[test]
fn on_a_terminal_it_goes_on_until_ctrl_c() {
    let directory = tempfile::tempdir().unwrap();
    let mut script = Command::new("script");
    let command = [vec!["exec".to_owned(), FRAMEPOST.to_owned()], arguments(directory.path())].concat().join(" ");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]).env("SHELL", "/bin/sh");
    let mut up = Running::start(&mut script);
    // The terminal has both outputs.
    goes_on(&up, Output::Stdout);
    assert_eq!(up.exited(), None);
    up.type_in(CTRL_C);
    up.wait_for_exit_code(0, PATIENCE);
    let said = up.lines(Output::Stdout).join("\n");
    assert!(said.contains("done: "), "it was not killed: {said}");
}

#[test]
fn without_a_terminal_it_goes_on_with_stay_alone() {
    let directory = tempfile::tempdir().unwrap();
    let start = |name: &str, more: &[&str]| {
        Running::start(Command::new(FRAMEPOST).args(arguments(&directory.path().join(name))).args(more))
    };
    let mut stays = start("stays", &["--stay"]);
    let mut ends = start("ends", &[]);
    goes_on(&stays, Output::Stderr);
    ends.wait_for_exit_code(0, PATIENCE);
    assert!(!ends.log().contains("Ctrl-C"), "{}", ends.log());
    assert_eq!(stays.exited(), None);
    stays.interrupt();
    stays.wait_for_exit_code(0, PATIENCE);
}
