//! The container image: its contents, its configuration, and the program in it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use framepost_events::KeyKind;
use framepost_tests::aws::REGION;
use framepost_tests::aws::account::{Account, Identity};
use framepost_tests::aws::lambda::{Function, Invoked, Sandbox};
use framepost_tests::aws::moto::{self, Moto};
use framepost_tests::aws::queue::{Messages, Queue};
use framepost_tests::binaries::{Output, Program, Running};
use framepost_tests::bucket::{Bucket, files};
use framepost_tests::gateway::eventually;
use framepost_tests::google_emulators::GoogleEmulators;
use framepost_tests::http;
use framepost_tests::images::{Access, Images, Mount, Recipe};
use framepost_tests::judge::recording::Recording;
use framepost_tests::range_server::{RangeServer, Served};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const IMAGE: &str = "localhost/framepost-probe";

#[test]
fn what_is_built_is_the_service_and_nothing_else() {
    let _compiles = crate::processors::to_compile();
    let Some(images) = Images::new() else { return };
    images.build(Recipe::Function { name: "probe", clouds: "gcp", programs: "" }, IMAGE);

    assert_eq!(images.config(IMAGE)["User"], "65534:65534");
    let root = images.root(IMAGE);
    let roots = "etc/ssl/certs/ca-certificates.crt";
    let expected = ["etc", "etc/nsswitch.conf", "etc/passwd", "etc/ssl", "etc/ssl/certs", roots, "function"];
    assert_eq!(below(&root), expected, "no shell, no library");

    // Google's metadata server under a name that the image's own libc must resolve.
    let metadata = TcpListener::bind("127.0.0.1:0").expect("a port");
    std::fs::write(root.join("etc/hosts"), "127.0.0.1 metadata.test\n").expect("a name for it");
    let host = format!("metadata.test:{}", metadata.local_addr().expect("its address").port());
    let project = std::thread::spawn(move || {
        let (mut stream, _) = metadata.accept().expect("somebody asks for the project");
        let head = BufReader::new(&stream).lines().map(|line| line.expect("a line"));
        assert!(head.take_while(|line| !line.is_empty()).any(|line| line.contains("project-id")));
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 15\r\nconnection: close\r\n\r\nexample-project";
        stream.write_all(answer.as_bytes()).expect("it listens");
    });
    let environment = [
        ("PORT", "0"),
        ("FRAMEPOST_ADDRESS", "127.0.0.1"),
        ("K_SERVICE", "framepost-probe"),
        ("GCE_METADATA_HOST", &host),
        // No request is sent in this test. Without this endpoint the client would need credentials.
        ("FRAMEPOST_GCS_ENDPOINT", "http://127.0.0.1:9"),
    ];
    let mut service = images.start(IMAGE, &root, &environment);
    let url = service.wait_for(Output::Stdout, Duration::from_mins(1), |lines| {
        let address = lines.iter().find_map(|line| line_of(line)["address"].as_str().map(str::to_owned))?;
        Some(format!("http://{address}/"))
    });
    project.join().expect("the project was asked for");

    let health = http::request("GET", &format!("{url}health"), &[], b"").expect("an answer");
    assert_eq!(health.status, 200);
    let deleted = json!({ "message": { "messageId": "1", "publishTime": "2026-11-20T15:08:27Z",
        "attributes": { "eventType": "OBJECT_DELETE", "eventTime": "2026-11-20T15:08:26Z", "bucketId": "footage",
            "objectId": "a.mp4", "objectGeneration": "1" } } });
    let junk = json!({ "message": { "messageId": "2", "data": BASE64_STANDARD.encode("junk") } });
    let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    for (message, expected) in [(deleted, 204), (junk, 400)] {
        let answer = http::request("POST", &url, &[trace], message.to_string().as_bytes()).expect("an answer");
        assert_eq!(answer.status, expected, "{message}");
    }
    service.terminate();
    service.wait_for_exit_code(0, Duration::from_mins(1));

    let lines: Vec<Value> = service.lines(Output::Stdout).iter().map(|line| line_of(line)).collect();
    let ignored = lines.iter().find(|line| line["event"] == "ignored").expect("the deleted object is ignored");
    assert_eq!(ignored["reason"], "deleted");
    let trace = "projects/example-project/traces/4bf92f3577b34da6a3ce929d0e0e4736";
    assert_eq!(ignored["logging.googleapis.com/trace"], trace);
    let refused = lines.iter().find(|line| line["event"] == "handled").expect("the junk is logged");
    assert_eq!((&refused["reason"], &refused["severity"]), (&json!("not-an-event"), &json!("WARNING")));
}

/// A function that starts another program finds it in its image, with all that the program needs.
#[test]
fn infer_brings_the_program_that_decodes() {
    let _compiles = crate::processors::to_compile();
    let Some(images) = Images::new() else { return };
    let image = "localhost/framepost-infer";
    images.build(Recipe::Function { name: "infer", clouds: "gcp,aws", programs: "ffmpeg" }, image);
    let config = images.config(image);
    assert_eq!((&config["User"], &config["Entrypoint"]), (&json!("65534:65534"), &json!(["/function"])));
    let root = images.root(image);
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/onebox/assets/demo.mp4");
    std::fs::copy(clip, root.join("clip.mp4")).expect("a clip");
    let decode = ["-v", "error", "-i", "/clip.mp4", "-frames:v", "1", "-f", "rawvideo", "pipe:1"];
    let mut ffmpeg = Command::new("chroot");
    let decoded = ffmpeg.arg("--userspec=65534:65534").arg(&root).arg("ffmpeg").args(decode).output().expect("chroot");
    let said = String::from_utf8_lossy(&decoded.stderr);
    assert!(decoded.status.success() && !decoded.stdout.is_empty() && said.is_empty(), "{said}");

    infer_is_a_service(&images, image, &root);
    infer_is_a_lambda(&images, image, &root, "motion:");
    infer_is_a_worker(&images, image, &root);
    infer_has_a_model_in_its_image(&images, image);
}

/// A model that `framepost` has added is laid into an image on top of the function's, and the function looks with it.
fn infer_has_a_model_in_its_image(images: &Images, image: &str) {
    let Some(shared) = framepost_tests::media::shared_data() else { return };
    let place = tempfile::tempdir().expect("a directory");
    let models = place.path().join("models");
    let mut add = Program::Framepost.command();
    add.args(["model", "add", "nano", "--decoder", "yolox", "--size", "416x416", "--onnx"]);
    add.arg(shared.join("models/yolox_nano.onnx")).arg("--labels").arg(shared.join("models/coco80_labels.txt"));
    let added = add.env("FRAMEPOST_MODELS", &models).output().expect("framepost starts");
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let with_model = "localhost/framepost-infer-nano";
    images.build_with_model(image, &models, "nano", with_model);
    let root = images.root(with_model);
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/onebox/assets/demo.mp4");
    std::fs::copy(clip, root.join("clip.mp4")).expect("a clip");
    infer_is_a_lambda(images, with_model, &root, "onnx:/models/nano");
}

/// What `probe` says of the clip in the image's root, as the bus delivers it into a queue: its key, and the message.
fn probed(root: &Path, version: &str) -> (String, String) {
    let sample = include_str!("../../../events/samples/records/chunk-probed.json");
    let mut record: Value = serde_json::from_str(sample).expect("the sample is JSON");
    let key = record["subject"].as_str().expect("a key").to_owned();
    let data = record["data"].as_object_mut().expect("its data");
    for absent in ["activity", "initBytes", "mediaEnd", "timescale"] {
        data.remove(absent);
    }
    data.insert("container".to_owned(), json!("mp4"));
    data.insert("sizeBytes".to_owned(), json!(root.join("clip.mp4").metadata().expect("the clip").len()));
    data["duration"] = json!({ "from": "2026-11-20T15:08:23Z", "to": "2026-11-20T15:08:33Z", "seconds": 10.0 });
    data["object"] = json!({ "provider": "s3", "bucket": "footage", "key": key, "version": version });
    let message = json!({ "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "source": "framepost.probe",
        "detail-type": record["type"], "account": "123456789012", "time": "2026-11-20T15:08:34Z",
        "region": "eu-central-1", "resources": [], "detail": record });
    (key, message.to_string())
}

/// The same image as a service of Cloud Run: a record of `probe` that Pub/Sub pushes is answered, and the log has what it sees.
fn infer_is_a_service(images: &Images, image: &str, root: &Path) {
    let google = GoogleEmulators::start();
    let storage = google.as_ref().map_or("http://127.0.0.1:9", |google| &google.storage);
    let mut command = images.command_with_proc(image, root);
    command.env("PORT", "0").env("FRAMEPOST_ADDRESS", "127.0.0.1").env("FRAMEPOST_GCS_ENDPOINT", storage);
    // It looks for what it starts before it listens.
    let mut service = Running::start(command.env("FRAMEPOST_RECORDS", "log:"));
    let url = service.wait_for(Output::Stdout, Duration::from_mins(1), |lines| {
        let address = lines.iter().find_map(|line| line_of(line)["address"].as_str().map(str::to_owned))?;
        Some(format!("http://{address}/"))
    });
    assert_eq!(http::request("GET", &format!("{url}health"), &[], b"").expect("an answer").status, 200);
    if let Some(google) = &google {
        let bucket = google.bucket();
        let (key, _) = probed(root, "1");
        let clip = std::fs::read(root.join("clip.mp4")).expect("the clip");
        google.overwrite(&bucket, &key, "video/mp4", &clip);
        let generation = google.object(&bucket, &key)["generation"].as_str().expect("a generation").to_owned();
        let (_, envelope) = probed(root, &generation);
        let envelope: Value = serde_json::from_str(&envelope).expect("it is JSON");
        let mut record = envelope["detail"].clone();
        record["data"]["object"]["provider"] = json!("gcs");
        record["data"]["object"]["bucket"] = json!(bucket);
        let message = json!({ "messageId": "1", "publishTime": "2026-11-20T15:08:34Z", "attributes": {},
            "data": BASE64_STANDARD.encode(record.to_string()) });
        let push = json!({ "message": message, "subscription": "projects/p/subscriptions/s" });
        let answer = http::request("POST", &url, &[], push.to_string().as_bytes()).expect("an answer");
        assert_eq!(answer.status, 204, "{}", service.log());
        let inferred = service.wait_for(Output::Stdout, Duration::from_mins(1), |log| inferred_in(log, &key));
        assert_looked_at(&inferred, "motion");
    }
    service.terminate();
    service.wait_for_exit_code(0, Duration::from_mins(1));
}

/// Its record of the object, in its log.
fn inferred_in(log: &[String], key: &str) -> Option<Value> {
    let mut lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["type"] == "io.framepost.chunk.inferred.v1" && line["subject"] == *key)
}

/// The detector is the first part of its URL.
fn assert_looked_at(inferred: &Value, detector: &str) {
    let data = &inferred["data"];
    assert_eq!((&data["skipped"], &data["model"]["detector"]), (&Value::Null, &json!(detector)), "{inferred}");
    assert!(data["frames"].as_array().is_some_and(|frames| frames.len() > 1), "{inferred}");
}

/// The same image beside a queue of moto's: it takes what waits there, says what it sees, and ends when it is asked to.
fn infer_is_a_worker(images: &Images, image: &str, root: &Path) {
    let Some(python) = moto::python() else {
        framepost_tests::skip("there is no moto; `tests/run setup` installs it");
        return;
    };
    let moto = Moto::start(&python);
    let account = Account::of(&moto);
    let location = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    account.s3("PUT", "/footage", &[], location.as_bytes()).expect("a bucket");
    // Of a bucket without versions: an ETag.
    let (key, message) = probed(root, &"0".repeat(32));
    account.put_new("footage", &key, &std::fs::read(root.join("clip.mp4")).expect("the clip"));
    let made = account.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": "work" }));
    let url = made["QueueUrl"].as_str().expect("a queue has a URL");
    let queue = Queue::at(&account, url);
    queue.send(&message);
    let mut command = images.command_with_proc(image, root);
    account.identity().give_to(&mut command);
    command.env("AWS_ENDPOINT_URL", moto.url()).env("AWS_REGION", REGION);
    command.env("FRAMEPOST_EVENTS", format!("sqs:{url}")).env("FRAMEPOST_RECORDS", "log:");
    let mut worker = Running::start(&mut command);
    let inferred = worker.wait_for(Output::Stdout, Duration::from_mins(2), |log| inferred_in(log, &key));
    assert_looked_at(&inferred, "motion");
    let rest = || queue.count(Messages::Visible) + queue.count(Messages::InFlight);
    eventually("the message is deleted", Duration::from_mins(1), || rest() == 0);
    worker.terminate();
    worker.wait_for_exit_code(0, Duration::from_mins(1));
}

/// The same image under Lambda's Runtime API: its entry point answers a batch of SQS with a record of `probe` in it, and says what
/// it sees. Prints its cold start and what was resident at most.
fn infer_is_a_lambda(images: &Images, image: &str, root: &Path, detector: &str) {
    let (key, body) = probed(root, "1.1");
    let clip = root.join("clip.mp4");
    let served = Served { path: clip, headers: vec![] };
    let bucket = RangeServer::start(HashMap::from([(format!("footage/{key}"), served)]));
    let message = json!({ "messageId": "message-1", "receiptHandle": "receipt", "body": body,
        "attributes": {}, "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:q", "awsRegion": "eu-central-1" });
    let identity = Identity {
        access_key_id: "AKIAEXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
    };
    let endpoint = bucket.url("").trim_end_matches('/').to_owned();
    let variables = [("FRAMEPOST_RECORDS", "log:"), ("FRAMEPOST_DETECTOR", detector)];
    let function = Function::undeployed(vec![], &variables, identity, &endpoint);
    let function = function.with_timeout(Duration::from_mins(2));
    let mut sandbox = Sandbox::of_image(&function, images.command_with_proc(image, root));
    let asked_for_work = sandbox.age();
    let invoked = sandbox.invoke(&json!({ "Records": [message] }));
    let answered = sandbox.age();
    let Invoked::Answered(answer) = &invoked else { panic!("{invoked:?}\n{}", sandbox.log().join("\n")) };
    assert!(answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty), "{answer}\n{}", sandbox.log().join("\n"));
    // The answer and the log come by different ways.
    eventually("the record is in the log", Duration::from_mins(1), || inferred_in(&sandbox.log(), &key).is_some());
    let kind = detector.split(':').next().unwrap_or_default();
    assert_looked_at(&inferred_in(&sandbox.log(), &key).expect("it is there"), kind);
    let status = std::fs::read_to_string(format!("/proc/{}/status", sandbox.id())).expect("it runs");
    let resident = status.lines().find(|line| line.starts_with("VmHWM:")).expect("what was resident");
    println!(
        "infer's image with {detector} asks for work after {asked_for_work:?} and has answered after {answered:?}; {resident}"
    );
}

/// A gateway that forgets nothing when it is killed, in the image as it is documented: nobody's user, nothing but the volume to
/// write to.
#[test]
fn the_gateway_writes_to_its_volume_alone() {
    let _compiles = crate::processors::to_compile();
    if Command::new("crun").arg("--version").output().is_err() {
        framepost_tests::skip("crun is missing: apt-get install crun");
        return;
    }
    let Some(images) = Images::new() else { return };
    let image = "localhost/framepost-gateway";
    images.build(Recipe::Gateway, image);
    let config = images.config(image);
    assert_eq!(config["User"], "65534:65534");
    assert_eq!(config["Volumes"], json!({ "/var/lib/framepost": {} }));
    assert_eq!(config["Entrypoint"], json!(["/edge-uploader"]));
    let root = images.root(image);
    let volume = std::fs::metadata(root.join("var/lib/framepost")).expect("a place for the volume");
    assert_eq!((volume.uid(), volume.permissions().mode() & 0o777), (65534, 0o700), "a new volume takes these over");
    let roots = "etc/ssl/certs/ca-certificates.crt";
    let mut expected = vec!["edge-uploader", "etc", "etc/framepost", "etc/nsswitch.conf", "etc/passwd", "etc/ssl"];
    expected.extend(["etc/ssl/certs", roots, "var", "var/lib", "var/lib/framepost"]);
    assert_eq!(below(&root), expected, "no shell, no library");

    let place = tempfile::tempdir().expect("a directory");
    let etc = place.path().join("etc");
    let spool = place.path().join("volume");
    for directory in [&etc, &spool] {
        std::fs::create_dir(directory).expect("a directory");
    }
    chown(&spool, Some(65534), Some(65534)).expect("the volume is the user's");
    std::fs::set_permissions(&etc, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    let toml = "site = \"plant-7\"\nspool = { dir = \"/var/lib/framepost/spool\", free_floor = \"10 MB\" }\n\
                upload = { to = \"file:///var/lib/framepost/bucket\" }\n\
                [[camera]]\nname = \"gate\"\nurl = \"/etc/framepost/clip.mp4\"\nrepeat = \"forever\"\n";
    std::fs::write(etc.join("edge.toml"), toml).expect("a configuration");
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/onebox/assets/demo.mp4");
    std::fs::copy(clip, etc.join("clip.mp4")).expect("a clip");
    let mounts = [
        Mount { from: &etc, at: "/etc/framepost", access: Access::Read },
        Mount { from: &spool, at: "/var/lib/framepost", access: Access::Write },
    ];
    let pid_file = place.path().join("pid");
    let bucket = Bucket::at(spool.join("bucket"));
    let record = |more: usize| -> (Running, Pid) {
        let already = bucket.of("gate", KeyKind::Chunk).len();
        let mut running = images.contain(image, &root, &mounts, &pid_file);
        eventually("chunks are recorded", Duration::from_mins(2), || {
            assert!(running.exited().is_none(), "{}", running.log());
            bucket.of("gate", KeyKind::Chunk).len() >= already + more
        });
        let pid = std::fs::read_to_string(&pid_file).expect("its process").trim().parse().expect("a number");
        (running, Pid::from_raw(pid))
    };

    let (mut killed, pid) = record(2);
    kill(pid, Signal::SIGKILL).expect("it is there");
    killed.wait(Duration::from_secs(30));
    let (mut ended, pid) = record(2);
    kill(pid, Signal::SIGTERM).expect("it is there");
    ended.wait_for_exit_code(0, Duration::from_mins(1));

    let recording = Recording::without_records(&bucket, "gate");
    let spans = recording.judge(1.0 / 25.0).unwrap_or_else(|faults| panic!("{}", faults.join("\n")));
    assert!(spans.len() >= 2, "{spans:?}");
    let waiting = files(&spool.join("spool"));
    let media = |path: &Path| path.extension().is_some_and(|extension| extension == "mp4" || extension == "part");
    assert!(!waiting.iter().any(|path| media(path)), "all of it got to the bucket: {waiting:?}");
}

/// Every line of the log is JSON.
fn line_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The paths of everything below a directory, in order.
fn below(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            found.push(path.strip_prefix(root).expect("it is below").to_string_lossy().into_owned());
            // Do not follow links to directories.
            if path.symlink_metadata().expect("its kind").is_dir() {
                open.push(path);
            }
        }
    }
    found.sort_unstable();
    found
}
