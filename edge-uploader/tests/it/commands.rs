//! The program's commands, as a person calls them.

use framepost_events::ObjectKey;
use framepost_events::attributes::Attributes;
use framepost_events::manifest::{Manifest, ManifestSigner, PublicKey};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn edge(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edge-uploader"));
    command.args(arguments).env_remove("AWS_ENDPOINT_URL_S3").env_remove("FRAMEPOST_LOG_FORMAT").env_remove("RUST_LOG");
    command
}

fn run(arguments: &[&str]) -> Output {
    edge(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn clip(directory: &Path) -> PathBuf {
    let path = directory.join("clip.mp4");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=192x108:rate=25:duration=4"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"])
        .arg(&path)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success());
    path
}

/// Every file below a directory, with its bytes.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

fn config(directory: &Path, camera: &Path, to: &str) -> PathBuf {
    let path = directory.join("edge.toml");
    let spool = directory.join("spool");
    let text = format!(
        "site = \"s\"\n[spool]\ndir = \"{}\"\nquota = \"1 MB\"\nfree_floor = \"1 MB\"\n[upload]\nto = \"{to}\"\n\
         [[camera]]\nname = \"gate\"\nurl = \"{}\"\n",
        spool.display(),
        camera.display()
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// The lines of a check: mark and what.
fn verdicts(output: &Output) -> Vec<(String, String)> {
    let out = stdout(output);
    let lines = out.lines().filter(|line| ["ok  ", "warn", "FAIL"].iter().any(|mark| line.starts_with(mark)));
    lines.map(|line| (line[..4].trim().to_owned(), line[6..30].trim().to_owned())).collect()
}

#[test]
fn keygen_makes_a_pair_once_and_for_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("signing.key");
    let output = run(&["keygen", "--out", text(&key)]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    let mut secret = [0; 32];
    let secret_text = std::fs::read_to_string(&key).unwrap();
    hex::decode_to_slice(secret_text.trim(), &mut secret).unwrap();
    let printed = stdout(&output);
    assert!(!printed.contains(secret_text.trim()), "the secret is not shown");
    let line = printed.lines().find_map(|line| line.strip_prefix("public key")).unwrap();
    let public: PublicKey = line.parse().unwrap();
    assert_eq!(std::fs::read_to_string(directory.path().join("signing.key.pub")).unwrap().trim(), public.to_string());
    let object: ObjectKey = "s/2026-11-20/c/15/00-10Z.0.mp4".parse().unwrap();
    let time = Some(object.start);
    let attributes =
        Attributes { from: time, to: time, sha256: Some(framepost_events::Sha256::of(b"")), ..Attributes::default() };
    let name = object.to_string();
    let manifest = Manifest::claimed(&name, 0, &attributes).unwrap();
    assert!(public.verifies(&manifest, &ManifestSigner::from_secret(&secret).sign(&manifest)));

    let before = files(directory.path());
    for _ in 0..2 {
        let again = run(&["keygen", "--out", text(&key)]);
        assert_eq!(again.status.code(), Some(1));
        assert!(stderr(&again).contains("never overwritten"), "{}", stderr(&again));
        assert_eq!(files(directory.path()), before);
        // Nor when only one of the two is there; and no half of a pair is left.
        std::fs::rename(directory.path().join("signing.key.pub"), directory.path().join("aside")).unwrap();
        assert_eq!(run(&["keygen", "--out", text(&key)]).status.code(), Some(1));
        assert_eq!(std::fs::read_to_string(&key).unwrap(), secret_text);
        assert!(!directory.path().join("signing.key.pub").exists());
        std::fs::rename(directory.path().join("aside"), directory.path().join("signing.key.pub")).unwrap();
    }
    std::fs::remove_file(&key).unwrap();
    assert_eq!(run(&["keygen", "--out", text(&key)]).status.code(), Some(1));
    assert!(!key.exists(), "a secret without its public key");
}

#[test]
fn a_good_configuration_passes_the_check_and_leaves_no_object() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("bucket");
    std::fs::create_dir(&bucket).unwrap();
    let config = config(directory.path(), &clip(directory.path()), &format!("file://{}", bucket.display()));
    let output = run(&["check", "--config", text(&config)]);
    let verdicts = verdicts(&output);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let what: Vec<_> = verdicts.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(what, ["config", "clock", "disk", "bucket", "camera gate"]);
    assert!(verdicts.iter().all(|(mark, what)| mark == "ok" || (mark == "warn" && what == "clock")), "{verdicts:?}");
    for said in ["192x108", " 1 camera of site "] {
        assert!(stdout(&output).contains(said), "{}", stdout(&output));
    }
    let left: Vec<_> = files(&bucket).into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
    assert_eq!(left, [], "an object");
    assert_eq!(files(&directory.path().join("spool")), []);
}

#[test]
fn a_check_says_that_no_random_access_frame_comes() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("bucket");
    std::fs::create_dir(&bucket).unwrap();
    let clip = directory.path().join("clip.mp4");
    // All but the first picture of one group.
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=192x108:rate=25:duration=4"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "250"])
        .args(["-bsf:v", "noise=drop=lt(n\\,1)"])
        .arg(&clip)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success());
    let config = config(directory.path(), &clip, &format!("file://{}", bucket.display()));
    let output = run(&["check", "--config", text(&config), "--timeout", "2m"]);
    let said = stdout(&output);
    assert!(output.status.success(), "{said}{}", stderr(&output));
    assert!(verdicts(&output).contains(&("warn".to_owned(), "camera gate".to_owned())), "{said}");
    assert!(said.contains("no random access frame among its first"), "{said}");
}

#[test]
fn each_thing_that_is_wrong_fails_the_check_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let clip = clip(directory.path());
    let file = directory.path().join("no-directory");
    std::fs::write(&file, b"a file").unwrap();
    let config = config(directory.path(), &directory.path().join("missing.mp4"), &format!("file://{}", file.display()));
    let output = run(&["check", "--config", text(&config), "--timeout", "5s"]);
    assert_eq!(output.status.code(), Some(1));
    let failed: Vec<_> =
        verdicts(&output).into_iter().filter(|(mark, _)| mark == "FAIL").map(|(_, what)| what).collect();
    assert_eq!(failed, ["bucket", "camera gate"], "{}", stdout(&output));

    // A typing error: the line and the field.
    let good = std::fs::read_to_string(&config).unwrap().replace("missing.mp4", text(&clip));
    let line = good.lines().count() + 1;
    std::fs::write(&config, format!("{good}windwo = \"3s\"\n")).unwrap();
    for command in ["check", "run"] {
        let output = run(&[command, "--config", text(&config)]);
        assert_eq!(output.status.code(), Some(1));
        let said = stdout(&output) + &stderr(&output);
        assert!(said.contains("windwo") && said.contains(&format!("line {line}")), "{said}");
    }
    let output = run(&["check", "--config", text(&directory.path().join("nowhere.toml"))]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("nowhere.toml"), "{}", stdout(&output));
}

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    for (arguments, expected) in [
        (&["run"][..], "--config"),
        (&["run", "--site", "s"], "--camera"),
        (&["run", "--config", "edge.toml", "--site", "s"], "cannot be used with"),
        (&["run", "--config", "edge.toml", "--keep", "keyframes"], "cannot be used with"),
        (&["run", "--config", "edge.toml", "--window", "1s"], "cannot be used with"),
        (&["backfill", "--site", "s", "--camera", "c", "--to", "file:///x"], "FILE"),
        (&["backfill", "x.mp4", "--camera", "c", "--to", "file:///x"], "--site"),
        (&["backfill", "x.mp4", "--site", "a/b", "--camera", "c", "--to", "file:///x"], "--site"),
        (&["backfill", "x.mp4", "--site", "s", "--camera", "c", "--to", "file:///x", "--start", "now"], "--start"),
        (&["backfill", "x.mp4", "--site", "s", "--camera", "c", "--to", "file:///x", "--window", "0s"], "duration"),
        (&["backfill", "x.mp4", "--site", "s", "--camera", "c", "--to", "file:///x", "--keep", "every=0"], "every=N"),
        (&["check"], "--config"),
        (&["quarantine"], "--spool"),
        (&["quarantine", "--spool", "/nonexistent", "--verify"], "--to"),
        (&["quarantine", "--spool", "/nonexistent"], "no spool"),
        (&["records"], "records"),
    ] {
        let output = run(arguments);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {:?}", output.status);
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
}

fn backfill<'a>(clip: &'a str, to: &'a str, spool: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["backfill", clip, "--site", "s", "--camera", "c", "--start", "2026-11-20T15:00:00Z"];
    arguments.extend(["--window", "1s", "--to", to, "--spool", spool]);
    arguments
}

/// A picture every 90 seconds, and a group of pictures of 360: no jump of a clock.
#[test]
fn a_time_lapse_is_one_recording() {
    let directory = tempfile::tempdir().unwrap();
    let clip = directory.path().join("clip.mp4");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=192x108:rate=1/90:duration=900"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "4", "-bf", "2"])
        .arg(&clip)
        .status();
    assert!(status.unwrap().success());
    let to = format!("file://{}", directory.path().join("bucket").display());
    let spool = directory.path().join("spool");
    let output = run(&backfill(text(&clip), &to, text(&spool)));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(!stderr(&output).contains("WARN"), "{}", stderr(&output));
    let keys: Vec<_> = files(&directory.path().join("bucket")).into_iter().map(|(path, _)| path).collect();
    let of =
        |extension: &str| keys.iter().filter(|key| key.extension().is_some_and(|found| found == extension)).count();
    assert_eq!((of("mp4"), of("mp4_end"), of("mp4_gap")), (3, 1, 0), "{keys:?}");
}

#[test]
fn what_the_bucket_refuses_is_listed_and_can_be_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("bucket");
    let spool = directory.path().join("spool");
    let clip = clip(directory.path());
    let arguments = backfill(text(&clip), text(&bucket), text(&spool));
    let list = ["quarantine", "--spool", text(&spool)];
    assert_eq!(run(&list).status.code(), Some(1), "there is no spool yet");

    // Something else is where the third chunk goes.
    let key = "s/2026-11-20/c/15/00-02Z.2.mp4";
    assert!(run(&arguments).status.success());
    let taken = bucket.join(key);
    assert!(taken.exists(), "{:?}", files(&bucket));
    let other = directory.path().join("other");
    let mut differently = backfill(text(&clip), text(&bucket), text(&other));
    differently.extend(["--keep", "keyframes"]);
    let output = run(&differently);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let list = ["quarantine", "--spool", text(&other)];
    let output = run(&list);
    assert!(output.status.success());
    let listed = stdout(&output);
    assert!(listed.lines().any(|line| line.starts_with(&format!("{key}\t"))), "{listed}");
    // A service that is asked to stop and does so has not failed, whatever the bucket thinks of some objects.
    let config = directory.path().join("live.toml");
    let camera = format!("[[camera]]\nname = \"d\"\nurl = {clip:?}\nrepeat = \"forever\"\n");
    let rest =
        format!("site = \"s\"\nspool = {{ dir = {other:?} }}\nupload = {{ to = \"file://{}\" }}\n", text(&bucket));
    std::fs::write(&config, rest + &camera).unwrap();
    let mut running = Running::start(&["run", "--config", text(&config)]);
    until("a chunk is open", || files(&other).iter().any(|(path, _)| path.extension().is_some_and(|e| e == "part")));
    running.signal("-TERM");
    assert_eq!(running.ended(), Some(0));
    assert_eq!(stdout(&run(&list)), listed);
    let count = listed.lines().count();
    // Compared with the bucket, what is there stays for being something else; what is not there can be given back.
    let url = format!("file://{}", text(&bucket));
    let verify = ["quarantine", "--spool", text(&other), "--verify", "--to", &url];
    let compared = run(&verify);
    assert!(compared.status.success(), "{}", stderr(&compared));
    assert_eq!(stdout(&compared).matches("the bucket has a different object, kept").count(), count);
    std::fs::remove_file(&taken).unwrap();
    let compared = stdout(&run(&verify));
    assert_eq!(compared.matches("the bucket has a different object, kept").count(), count - 1, "{compared}");
    assert!(compared.contains(&format!("{key}\t")) && compared.contains("--release gives it back"), "{compared}");
    let released = run(&["quarantine", "--spool", text(&other), "--release"]);
    assert!(stderr(&released).contains(&format!("{count} objects are given back")), "{}", stderr(&released));
    assert_eq!(stdout(&run(&list)), "");
    assert_eq!(files(&other).iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "mp4")).count(), count);
}

/// Ends with the test.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str]) -> Self {
        Self(edge(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
    }

    /// Its exit code, once it has ended.
    fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        until("the program ends", || {
            code = self.0.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|code| code.code())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_backfill_whose_bucket_is_out_of_order_can_be_broken_off_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("bucket");
    let spool = directory.path().join("spool");
    let clip = clip(directory.path());
    let arguments = backfill(text(&clip), text(&bucket), text(&spool));
    // No directory can be made where the site's objects go.
    std::fs::create_dir(&bucket).unwrap();
    std::fs::write(bucket.join("s"), b"in the way").unwrap();
    let mut running = Running::start(&arguments);
    let closed = || files(&spool).iter().any(|(path, _)| path.extension().is_some_and(|e| e == "mp4_end"));
    until("all of the file is in the spool", closed);
    running.signal("-INT");
    assert_eq!(running.ended(), Some(1));
    std::fs::remove_file(bucket.join("s")).unwrap();
    let output = run(&arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    let objects = files(&bucket.join("s"));
    assert!(objects.iter().any(|(path, _)| path.ends_with("00-00Z.0.mp4")), "{objects:?}");
}

#[test]
fn a_gateway_that_is_asked_to_stop_closes_what_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let bucket = directory.path().join("bucket");
    let spool = directory.path().join("spool");
    let config = config(directory.path(), &clip(directory.path()), &format!("file://{}", bucket.display()));
    let with = std::fs::read_to_string(&config).unwrap() + "repeat = \"forever\"\n";
    std::fs::write(&config, with).unwrap();
    let mut running = Running::start(&["run", "--config", text(&config)]);
    let has = |dir: &Path, what: &str| files(dir).iter().any(|(path, _)| text(path).ends_with(what));
    until("a chunk is open", || has(&spool, ".part"));
    running.signal("-TERM");
    assert_eq!(running.ended(), Some(0));
    assert!(!has(&spool, ".part") && has(&bucket, ".mp4_end"), "{:?}", files(&bucket));
}
