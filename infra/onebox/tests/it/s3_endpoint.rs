//! The AWS adapter keeps the contract over HTTP against our endpoint, and players reach objects by plain links.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use framepost_aws::{Credentials, S3Bucket, S3Options};
use framepost_events::Sha256;
use framepost_local::{LocalBucket, LocalInbox};
use framepost_onebox::s3_endpoint;
use framepost_ports::contract::{Subject, sink_and_source};
use framepost_ports::{ErrorKind, Inbox as _, Keys, NewObject, ObjectSink as _, ObjectSource as _, Put, Topic, chain};
use framepost_tests::aws::account::{Account, Answer, Identity};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

struct Rig {
    dir: tempfile::TempDir,
    local: LocalBucket,
    inbox: LocalInbox,
    address: std::net::SocketAddr,
    credentials: Credentials,
}

async fn rig() -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let local = LocalBucket::open(dir.path().join("s3/footage")).await.unwrap();
    let inbox = local.inboxes().subscribe("listener", vec![Topic::ObjectFinalized(Keys::default())]).await.unwrap();
    let credentials = s3_endpoint::load_or_create_credentials(&dir.path().join("key.json")).unwrap();
    let again = s3_endpoint::load_or_create_credentials(&dir.path().join("key.json")).unwrap();
    assert_eq!(credentials.secret_access_key, again.secret_access_key);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bucket = local.clone();
    let key = credentials.clone();
    tokio::spawn(async move { s3_endpoint::serve(vec![bucket], listener, &key, CancellationToken::new()).await });
    Rig { dir, local, inbox, address, credentials }
}

impl Rig {
    async fn connect(&self, credentials: Credentials) -> S3Bucket {
        let options = S3Options {
            endpoint_url: Some(format!("http://{}", self.address).parse().unwrap()),
            region: Some("us-east-1".to_owned()),
            credentials: Some(credentials),
            ..S3Options::default()
        };
        S3Bucket::connect(&"s3://footage".parse().unwrap(), options).await.unwrap()
    }

    fn local_path(&self, key: &str) -> std::path::PathBuf {
        self.dir.path().join("s3/footage").join(key)
    }

    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![];
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn object(key: &str, bytes: &'static str) -> NewObject {
    NewObject {
        key: key.to_owned(),
        content_type: "video/mp4".to_owned(),
        metadata: vec![("Version".to_owned(), "1.0".to_owned())],
        sha256: Sha256::of(bytes.as_bytes()),
        crc32c: None,
        content: Arc::new(Bytes::from_static(bytes.as_bytes())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_adapter_keeps_the_contract() {
    let rig = rig().await;
    let bucket = rig.connect(rig.credentials.clone()).await;
    let source = Arc::new(bucket.source());
    sink_and_source(&Subject { sink: Arc::new(bucket), source, bucket: "footage".to_owned() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_over_http_raises_an_event_and_plays_by_its_link() {
    let rig = rig().await;
    let bucket = rig.connect(rig.credentials.clone()).await;
    assert_eq!(bucket.put(&object("a b/c.mp4", "0123456789")).await.unwrap(), Put::Created);
    let received = rig.inbox.receive(1).await.unwrap();
    let body = String::from_utf8_lossy(&received[0].message.body);
    assert!(body.contains("\"a b/c.mp4\""), "{body}");
    let link = bucket.source().media_link("footage", "a b/c.mp4", None);
    assert_eq!(link, format!("http://{}/footage/a%20b/c.mp4", rig.address));

    let head = format!("Host: {}\r\nConnection: close\r\n", rig.address);
    let answer = rig.raw(&format!("GET /footage/a%20b/c.mp4 HTTP/1.1\r\n{head}Range: bytes=2-4\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 206"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n234"), "{answer}");
    let lower = answer.to_lowercase();
    for header in
        ["content-range: bytes 2-4/10", "content-type: video/mp4", "x-amz-meta-version: 1.0", "last-modified:"]
    {
        assert!(lower.contains(header), "{header}: {answer}");
    }
    let answer = rig.raw(&format!("GET /footage/a%20b/c.mp4 HTTP/1.1\r\n{head}Range: bytes=10-\r\n\r\n")).await;
    assert!(
        answer.starts_with("HTTP/1.1 416") && answer.to_lowercase().contains("content-range: bytes */10"),
        "{answer}"
    );
}

const BATCH: &str = "<Delete><Object><Key>d</Key></Object><Object><Key>e</Key></Object><Object><Key>nothing</Key></Object>\
    <Object><Key>../x</Key></Object><Object><Key>f</Key><VersionId>0000</VersionId></Object></Delete>";

/// A signed request, without an SDK's opinion of what a bucket can do.
async fn signed(
    rig: &Rig,
    method: &'static str,
    path: &str,
    headers: Vec<(&'static str, String)>,
    body: &'static str,
) -> Answer {
    let identity = Identity {
        access_key_id: rig.credentials.access_key_id.clone(),
        secret_access_key: rig.credentials.secret_access_key.clone(),
        session_token: None,
    };
    let account = Account::at(format!("http://{}", rig.address), identity);
    let path = path.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        account.s3(method, &path, &headers, body.as_bytes())
    });
    asked.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_key_deletes_and_the_functions_hear_of_it() {
    let rig = rig().await;
    let bucket = rig.connect(rig.credentials.clone()).await;
    let removed = rig.local.inboxes().subscribe("sweeper", vec![Topic::ObjectRemoved(Keys::default())]).await.unwrap();
    for key in ["a b/c.mp4", "d", "e", "f"] {
        bucket.put(&object(key, "0123456789")).await.unwrap();
    }
    let request = format!("DELETE /footage/d HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", rig.address);
    assert!(rig.raw(&request).await.starts_with("HTTP/1.1 403"));
    assert!(removed.is_empty());
    for _ in 0..2 {
        let answer = signed(&rig, "DELETE", "/footage/a%20b/c.mp4", vec![], "").await;
        assert_eq!((answer.status, answer.text().as_str()), (204, ""), "it need not be there");
    }
    let other_version = signed(&rig, "DELETE", "/footage/d?versionId=0000", vec![], "").await;
    assert_eq!((other_version.status, other_version.elements("Code")), (404, vec!["NoSuchVersion".to_owned()]));
    let conditional = signed(&rig, "DELETE", "/footage/d", vec![("if-match", "\"x\"".to_owned())], "").await;
    assert_eq!(conditional.status, 501, "{}", conditional.text());
    let digest = BASE64_STANDARD.encode(Sha256::of(BATCH.as_bytes()).0);
    let headers = vec![("x-amz-checksum-sha256", digest), ("content-type", "application/xml".to_owned())];
    let answer = signed(&rig, "POST", "/footage?delete=", headers, BATCH).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((answer.elements("Deleted").len(), answer.elements("Code").len()), (3, 2), "{}", answer.text());
    for (key, is_there) in [("a b/c.mp4", false), ("d", false), ("e", false), ("f", true)] {
        assert_eq!(rig.local.stat(key).await.is_ok(), is_there, "{key}");
    }
    let mut told = Vec::new();
    for delivery in removed.receive(10).await.unwrap() {
        let body: serde_json::Value = serde_json::from_slice(&delivery.message.body).unwrap();
        assert_eq!(body["type"], "io.framepost.object.removed.v1");
        told.push(body["subject"].as_str().unwrap().to_owned());
    }
    assert_eq!(told, ["a b/c.mp4", "d", "e"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_reading_goes_without_a_signature() {
    let rig = rig().await;
    let head = format!("Host: {}\r\nConnection: close\r\n", rig.address);
    for request in [
        format!("PUT /footage/k HTTP/1.1\r\n{head}Content-Length: 1\r\n\r\nx"),
        format!("GET /footage?list-type=2 HTTP/1.1\r\n{head}\r\n"),
        format!("DELETE /footage/k HTTP/1.1\r\n{head}\r\n"),
    ] {
        let answer = rig.raw(&request).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{request}: {answer}");
    }
    let wrong = Credentials { secret_access_key: "wrong".to_owned(), ..rig.credentials.clone() };
    let error = rig.connect(wrong).await.put(&object("k", "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", chain(&error));
    assert!(chain(&error).contains("SignatureDoesNotMatch"), "{}", chain(&error));
    assert!(rig.inbox.is_empty());
}

/// What rclone and s3cmd ask and boto3 does not: before a write, for a listing with what they compare by, and in links.
#[tokio::test(flavor = "multi_thread")]
async fn the_requests_of_rclone_and_s3cmd_are_answered() {
    let rig = rig().await;
    let bucket = rig.connect(rig.credentials.clone()).await;
    bucket.put(&object("a/b.mp4", "0123456789")).await.unwrap();
    let by_hand = rig.local_path("a/by-hand.mp4");
    std::fs::write(&by_hand, "by hand").unwrap();
    let created = signed(&rig, "PUT", "/footage", vec![], "").await;
    assert_eq!(created.status, 200, "{}", created.text());
    let other = signed(&rig, "PUT", "/other", vec![], "").await;
    assert_eq!((other.status, other.elements("Code")), (403, vec!["AccessDenied".to_owned()]));
    let versioning = signed(&rig, "GET", "/footage?versioning=", vec![], "").await;
    assert_eq!((versioning.status, versioning.elements("Status")), (200, vec![]), "{}", versioning.text());
    let buckets = signed(&rig, "GET", "/", vec![], "").await;
    let created = buckets.elements("CreationDate");
    assert!(created.len() == 1 && created[0].parse::<jiff::Timestamp>().is_ok(), "{}", buckets.text());
    // What s3cmd asks of a bucket besides, and takes for "none".
    for (about, code) in [("policy", 501), ("cors", 501), ("acl", 501), ("lifecycle", 501), ("requestPayment", 501)] {
        let path = format!("/footage?{about}=");
        assert_eq!(signed(&rig, "GET", &path, vec![], "").await.status, code, "{about}");
    }
    // By the old listing and by the new one, flat and by directories, each object has the ETag that it has by itself.
    for query in ["", "?list-type=2", "?delimiter=/&prefix=a/", "?list-type=2&delimiter=/&prefix=a/"] {
        let path = format!("/footage{}", query.replace("=a/", "=a%2F").replace("=/", "=%2F"));
        let listed = signed(&rig, "GET", &path, vec![], "").await;
        assert_eq!(listed.elements("Key"), ["a/b.mp4", "a/by-hand.mp4"], "{}", listed.text());
        let tags = listed.elements("ETag");
        assert_eq!(tags.len(), 2, "{}", listed.text());
        for (key, tag) in ["a/b.mp4", "a/by-hand.mp4"].into_iter().zip(tags) {
            let path = format!("/footage/{key}");
            let head = signed(&rig, "HEAD", &path, vec![], "").await;
            let own = head.headers.iter().find(|(name, _)| name == "etag").map(|(_, value)| value.clone());
            assert_eq!(own.as_ref(), Some(&tag), "{key}");
            // It is not taken for an MD5.
            assert!(tag.trim_matches('"').ends_with("-1"), "{tag}");
        }
    }
}

/// The clients that people have besides our own: boto3, with the suite's Python, and rclone and s3cmd where they are installed.
#[tokio::test(flavor = "multi_thread")]
async fn other_clients_work_on_it() {
    let rig = rig().await;
    let endpoint = format!("http://{}", rig.address);
    let key = rig.credentials.clone();
    let asked = tokio::task::spawn_blocking(move || {
        match framepost_tests::aws::moto::python() {
            Some(python) => {
                let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/boto.py");
                let mut boto = std::process::Command::new(python);
                let ran = boto.args([script, &endpoint, &key.access_key_id, &key.secret_access_key]).output().unwrap();
                assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            }
            None => println!("skipped: boto3 is not there (tests/run installs it)"),
        }
        let remote = format!(
            ":s3,provider=Other,endpoint='{endpoint}',access_key_id={},secret_access_key={}:",
            key.access_key_id, key.secret_access_key
        );
        let rclone = |arguments: &[&str], path: &str| {
            let mut rclone = std::process::Command::new("rclone");
            // With a bundle of its own, this client refuses to start.
            rclone
                .env_remove("AWS_CA_BUNDLE")
                .args(["--config", "/dev/null"])
                .args(arguments)
                .arg(format!("{remote}{path}"))
                .output()
        };
        match rclone(&["lsd"], "") {
            Ok(buckets) => {
                assert!(String::from_utf8_lossy(&buckets.stdout).contains("footage"), "{buckets:?}");
                let file = std::env::temp_dir().join(format!("rclone-{}", std::process::id()));
                std::fs::write(&file, "from rclone").unwrap();
                let put =
                    rclone(&["copyto", "--s3-no-check-bucket", file.to_str().unwrap()], "footage/r/x.mp4").unwrap();
                assert!(put.status.success(), "{put:?}");
                let listed = rclone(&["lsf", "-R"], "footage").unwrap();
                assert!(String::from_utf8_lossy(&listed.stdout).contains("r/x.mp4"), "{listed:?}");
                let read = rclone(&["cat"], "footage/r/x.mp4").unwrap();
                assert_eq!(String::from_utf8_lossy(&read.stdout), "from rclone", "{read:?}");
                std::fs::remove_file(&file).unwrap();
            }
            Err(_) => println!("skipped: rclone is not there"),
        }
        let host = endpoint.strip_prefix("http://").unwrap();
        let s3cmd = |arguments: &[&str]| {
            let mut s3cmd = std::process::Command::new("s3cmd");
            s3cmd.args(["--config", "/dev/null", "--no-ssl", "--host", host, "--host-bucket", host]);
            s3cmd.args(["--access_key", &key.access_key_id, "--secret_key", &key.secret_access_key]);
            s3cmd.args(arguments).output()
        };
        match s3cmd(&["ls"]) {
            Ok(buckets) => {
                let text = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(text(&buckets).contains("s3://footage"), "{buckets:?}");
                let directory = tempfile::tempdir().unwrap();
                let path = |name: &str| directory.path().join(name).into_os_string().into_string().unwrap();
                std::fs::write(path("put"), "from s3cmd").unwrap();
                for arguments in [
                    ["put", &path("put"), "s3://footage/s/x.mp4"].as_slice(),
                    &["get", "s3://footage/s/x.mp4", &path("got")],
                    &["info", "s3://footage/s/x.mp4"],
                    &["ls", "-r", "s3://footage"],
                    &["du", "s3://footage"],
                    &["sync", "s3://footage/s/", &path("")],
                ] {
                    let ran = s3cmd(arguments).unwrap();
                    assert!(ran.status.success(), "{arguments:?}: {ran:?}");
                }
                for name in ["got", "x.mp4"] {
                    assert_eq!(std::fs::read_to_string(path(name)).unwrap(), "from s3cmd", "{name}");
                }
                let listed = s3cmd(&["ls", "-r", "s3://footage"]).unwrap();
                assert!(text(&listed).contains("s3://footage/s/x.mp4"), "{listed:?}");
            }
            Err(_) => println!("skipped: s3cmd is not there"),
        }
    });
    asked.await.unwrap();
}

#[tokio::test]
async fn nobody_there_is_a_transport_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let options = S3Options {
        endpoint_url: Some(format!("http://{}", listener.local_addr().unwrap()).parse().unwrap()),
        region: None,
        credentials: Some(Credentials { access_key_id: "a".to_owned(), secret_access_key: "b".to_owned() }),
        ..S3Options::default()
    };
    drop(listener);
    let bucket = S3Bucket::connect(&"s3://footage".parse().unwrap(), options).await.unwrap();
    let error = bucket.put(&object("k", "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{}", chain(&error));
}

/// A page whose name an attacker lets point to this machine is of that name for the browser.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_another_host_is_refused() {
    let rig = rig().await;
    rig.connect(rig.credentials.clone()).await.put(&object("k", "footage")).await.unwrap();
    let port = rig.address.port();
    let ask = async |target: &str, hosts: &[&str]| {
        let hosts: Vec<String> = hosts.iter().map(|host| format!("Host: {host}\r\n")).collect();
        let hosts = hosts.concat();
        rig.raw(&format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n")).await
    };
    for host in [format!("127.0.0.1:{port}"), format!("localhost:{port}"), "127.0.0.1:1".to_owned()] {
        let answer = ask("/footage/k", &[&host]).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("footage"), "{host}: {answer}");
    }
    let ours = format!("127.0.0.1:{port}");
    let other = format!("rebound.example:{port}");
    for (target, hosts) in [
        ("/footage/k".to_owned(), vec![other.as_str()]),
        ("/footage/k".to_owned(), vec![]),
        ("/footage/k".to_owned(), vec!["rebound.example"]),
        ("/footage/k".to_owned(), vec![&ours, &other]),
        (format!("http://{other}/footage/k"), vec![&ours]),
    ] {
        let answer = ask(&target, &hosts).await;
        assert!(answer.starts_with("HTTP/1.1 4") && !answer.contains("footage"), "{target} {hosts:?}: {answer}");
    }
}
