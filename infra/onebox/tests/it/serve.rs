//! `framepost serve`: what was recorded, without recording, and beside a program that records.

use framepost_host::Registered;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ARGUMENTS: &str = "FRAMEPOST_SERVE_ARGUMENTS";

/// The program under test: this test's own executable.
#[test]
#[ignore = "started by the tests of this file"]
fn program() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let functions = vec![
        Registered::new(framepost_probe::MANIFEST, framepost_probe::start).unwrap(),
        Registered::new(framepost_catalog::MANIFEST, framepost_catalog::start).unwrap(),
    ];
    let arguments = ["framepost"].into_iter().chain(arguments.split('\n')).map(Into::into);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(framepost_onebox::main(functions, arguments));
}

fn start(log: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "serve::program", "--ignored", "--nocapture"]).env(ARGUMENTS, arguments.join("\n"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log).unwrap()).spawn().unwrap()
}

/// Waits for the line with the API's address.
fn address(log: &Path, program: &mut Child) -> String {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let text = fs::read_to_string(log).unwrap();
        if let Some((_, rest)) = text.split_once("api       http://") {
            return rest.split('/').next().unwrap().to_owned();
        }
        assert!(program.try_wait().unwrap().is_none() && Instant::now() < deadline, "{text}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn interrupt(program: &mut Child) -> bool {
    let pid = program.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    program.wait().unwrap().success()
}

#[test]
fn what_was_recorded_is_served_without_recording() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let log = directory.path().join("log");
    let data = data.to_str().unwrap();
    // A directory that is misspelt is told of, and not made.
    let mut refused = start(&log, &["serve", "--dir", data]);
    refused.wait().unwrap();
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("there is no footage in") && !Path::new(data).exists(), "{said}");

    // `up` goes on after its files are read, where it is asked to.
    let clip = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/demo.mp4");
    let mut up = start(&log, &["up", "--dir", data, "--stay", "--listen", "127.0.0.1:0", clip]);
    let of_up = address(&log, &mut up);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !fs::read_to_string(&log).unwrap().contains("all files are read") {
        assert!(Instant::now() < deadline && up.try_wait().unwrap().is_none());
        std::thread::park_timeout(Duration::from_millis(10));
    }
    let cameras = get(&of_up, "/v1/cameras");
    assert!(cameras.contains("\"camera\":\"demo\""), "{cameras}");

    // Beside it.
    let second_log = directory.path().join("second");
    let serve = ["serve", "--dir", data, "--listen", "127.0.0.1:0"];
    let mut second = start(&second_log, &serve);
    let of_second = address(&second_log, &mut second);
    assert!(get(&of_second, "/v1/cameras").contains("\"camera\":\"demo\""));
    assert!(interrupt(&mut up), "{}", fs::read_to_string(&log).unwrap());

    // Alone, with the footage itself and the console.
    let chunks = get(&of_second, "/v1/chunks?limit=1");
    let media = chunks.split("\"media\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(get(&of_second, media).contains("ftyp"), "{chunks}");
    assert!(get(&of_second, "/").contains("<!doctype html>"));
    assert!(interrupt(&mut second), "{}", fs::read_to_string(&second_log).unwrap());
}
