//! Exports of the function as a program, in S3 and with the rights of its role and no more, against moto.

#![cfg(feature = "aws")]

use crate::exports::range;
use crate::made::Gateway;
use framepost_api::export::verify;
use framepost_api::{Right, Scope, StoredToken};
use framepost_events::manifest::PublicKey;
use framepost_events::record::Record;
use framepost_ports::catalog::{Catalog as _, Change};
use framepost_ports::contract::Footage;
use framepost_ports::memory::MemoryBucket;
use framepost_sql::SqliteCatalog;
use framepost_tests::aws::account::{Account, Identity};
use framepost_tests::aws::moto::{self, Moto};
use framepost_tests::aws::{ACCOUNT, REGION};
use framepost_tests::binaries::Running;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_mins(1);

/// A bucket with chunks and versions, and the API in front of it as its role.
pub(crate) struct Installed {
    pub(crate) account: Account,
    public_key: PublicKey,
    token: String,
    pub(crate) address: SocketAddr,
    running: Running,
    directory: tempfile::TempDir,
    _moto: Moto,
}

/// Whether the api sends media itself, or the bucket after a redirect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Api,
    Bucket,
}

/// What `terraform/modules/aws/function` grants for `footage:read` of some sites and for `exports:write`.
fn grants() -> Value {
    json!({ "Version": "2012-10-17", "Statement": [
        { "Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws:s3:::footage/site-*" },
        { "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": "arn:aws:s3:::footage/exports/*" },
        { "Effect": "Allow", "Action": "s3:ListBucketVersions", "Resource": "arn:aws:s3:::footage",
            "Condition": { "StringLike": { "s3:prefix": "exports/*" } } },
    ] })
}

fn role(account: &Account) -> Identity {
    let trust = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": { "Service": "lambda.amazonaws.com" } }] });
    let trust = trust.to_string();
    let made = [("Action", "CreateRole"), ("RoleName", "api"), ("AssumeRolePolicyDocument", trust.as_str())];
    account.form("iam", "2010-05-08", &made).expect("a role");
    account.put_role_policy("api", "grants", &grants());
    account.assume_role(&format!("arn:aws:iam::{ACCOUNT}:role/api"), "api")
}

/// Puts chunks into S3, as a gateway does, and what is known of them into the catalogue.
async fn recorded(account: &Account, catalog: &Path, bucket: &MemoryBucket, records: Vec<Record>) {
    let place = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    account.s3("PUT", "/footage", &[], place.as_bytes()).expect("a bucket");
    let versions = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    account.s3("PUT", "/footage?versioning", &[], versions).expect("versions");
    for key in bucket.keys() {
        let head = bucket.head(&key).unwrap();
        let headers: Vec<(String, String)> =
            head.metadata.iter().map(|(name, value)| (format!("x-amz-meta-{name}"), value.clone())).collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        account.s3("PUT", &format!("/footage/{key}"), &headers, &bucket.bytes(&key).unwrap()).expect(&key);
    }
    let catalog = SqliteCatalog::open(catalog.to_owned()).await.unwrap();
    let changes: Vec<Change> = records.into_iter().map(|record| Change::Record(Box::new(record))).collect();
    catalog.apply(&changes).await.unwrap();
}

/// Sends a request on a connection of its own. Returns the status, the head and the body of the answer.
pub(crate) fn exchange(
    address: SocketAddr,
    request: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut sent = format!("{request} HTTP/1.0\r\nHost: {address}\r\n");
    for &(name, value) in headers {
        sent.extend([name, ": ", value, "\r\n"]);
    }
    sent.extend(["\r\n", body]);
    stream.write_all(sent.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head, bytes.split_off(end + 4))
}

impl Installed {
    /// Starts moto and the api, with 20 chunks of one camera in the bucket. `None`, which is said and counted, without moto.
    async fn new() -> Option<Self> {
        let bucket = MemoryBucket::new("footage");
        let mut gateway = Gateway::new();
        let records = gateway.span(&bucket, &Footage::camera(0), 0, 20, 1);
        Self::with(&bucket, records, gateway.signer.public_key(), Sender::Api).await
    }

    pub(crate) async fn with(
        bucket: &MemoryBucket,
        records: Vec<Record>,
        public_key: PublicKey,
        sender: Sender,
    ) -> Option<Self> {
        let Some(python) = moto::python() else {
            framepost_tests::skip("there is no moto; `tests/run setup` installs it");
            return None;
        };
        let moto = Moto::start(&python);
        let account = Account::of(&moto);
        let directory = tempfile::tempdir().unwrap();
        let catalog = directory.path().join("catalog.db");
        recorded(&account, &catalog, bucket, records).await;
        let (token, stored) = StoredToken::make(vec![Scope::try_from("*".to_owned()).unwrap()], None).unwrap();
        let tokens = json!([stored.with(vec![Right::Keep])]).to_string();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["AWS_", "GOOGLE_", "FRAMEPOST_"].iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        role(&account).give_to(&mut command);
        command
            .env("AWS_ENDPOINT_URL", moto.url())
            .env("AWS_REGION", REGION)
            .env("PORT", port.to_string())
            .env("FRAMEPOST_ADDRESS", "127.0.0.1")
            // Objects are read where records go.
            .env("FRAMEPOST_RECORDS", "eventbridge:framepost-records")
            .env("FRAMEPOST_CATALOG", format!("sqlite:{}", catalog.display()))
            .env("FRAMEPOST_API_TOKENS", tokens)
            .env("FRAMEPOST_API_KEY", "0f".repeat(32))
            .env("FRAMEPOST_API_EXPORTS", "s3://footage")
            .env("FRAMEPOST_PUBLIC_KEYS", public_key.to_string());
        if sender == Sender::Bucket {
            command.env("FRAMEPOST_API_MEDIA_ORIGINS", moto.url());
        }
        let running = Running::start(&mut command);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut this = Self { account, public_key, token, address, running, directory, _moto: moto };
        let deadline = Instant::now() + SOON;
        while TcpStream::connect(address).is_err() {
            assert!(this.running.exited().is_none() && Instant::now() < deadline, "{}", this.running.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(this)
    }

    fn send(&self, method: &str, path: &str, body: &str) -> (u16, String, Vec<u8>) {
        let length = body.len().to_string();
        let headers = [("Content-Type", "application/json"), ("Content-Length", &length)];
        self.asked(method, path, &headers, body)
    }

    /// Asks the API with the token.
    pub(crate) fn asked(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String, Vec<u8>) {
        let bearer = format!("Bearer {}", self.token);
        let headers = [headers, &[("Authorization", &bearer)]].concat();
        exchange(self.address, &format!("{method} {path}"), &headers, body)
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, _, body) = self.send("GET", path, "");
        let text = String::from_utf8_lossy(&body).into_owned();
        assert_eq!(status, 200, "{path}: {text}\n{}", self.running.log());
        serde_json::from_slice(&body).unwrap()
    }

    fn keys(&self) -> Vec<String> {
        self.account.s3("GET", "/footage?list-type=2&prefix=exports%2F", &[], b"").expect("a list").elements("Key")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_in_s3_is_whole_and_goes_again() {
    let Some(installed) = Installed::new().await else { return };
    let asked = json!({"name": "gate", "ranges": [range(0, 1_500, 20_000), range(0, 30_000, 200_000)]});
    let (status, head, body) = installed.send("POST", "/v1/exports", &asked.to_string());
    let text = String::from_utf8_lossy(&body).into_owned();
    assert_eq!(status, 202, "{text}\n{}", installed.running.log());
    let path = head.lines().find_map(|line| line.strip_prefix("location: ")).expect("a location").to_owned();
    // Each request does a file: two clips, and what stands behind them.
    let answers: Vec<Value> = (0..3).map(|_| installed.json(&path)).collect();
    let said: Vec<&str> = answers.iter().filter_map(|answer| answer["state"].as_str()).collect();
    assert_eq!(said, ["running", "running", "complete"], "{}", installed.running.log());

    let (status, _, archive) = installed.send("GET", answers[2]["archive"].as_str().expect("an archive"), "");
    assert_eq!(status, 200);
    let file = installed.directory.path().join("export.zip");
    std::fs::write(&file, archive).unwrap();
    let report = verify(&file, std::slice::from_ref(&installed.public_key)).unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);

    assert_eq!(installed.keys().len(), 1 + 2 * 3 + 3, "{:?}", installed.keys());
    assert_eq!(installed.send("DELETE", &path, "").0, 204, "{}", installed.running.log());
    assert_eq!(installed.keys(), [""; 0]);
    assert_eq!(installed.send("GET", &path, "").0, 404);
    assert_eq!(installed.json("/v1/exports")["exports"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_role_may_do_no_more() {
    let Some(installed) = Installed::new().await else { return };
    let role = installed.account.with(installed.account.assume_role(&format!("arn:aws:iam::{ACCOUNT}:role/api"), "t"));
    let footage = installed.account.s3("GET", "/footage?list-type=2&max-keys=1", &[], b"").expect("a list");
    let chunk = format!("/footage/{}", footage.elements("Key")[0]);
    assert_eq!(role.s3("GET", &chunk, &[], b"").status, 200, "it reads footage");
    for (method, path) in [
        ("PUT", chunk.as_str()),
        ("DELETE", &chunk),
        ("PUT", "/footage/a.mp4"),
        ("PUT", "/footage/exportsx/a.mp4"),
        ("DELETE", "/footage/site-0/exports/a.mp4"),
        ("GET", "/footage?list-type=2"),
        ("GET", "/footage?versions"),
        ("GET", "/footage?versions&prefix=site-0%2F"),
        ("DELETE", "/footage"),
    ] {
        assert_eq!(role.s3(method, path, &[], b"").status, 403, "{method} {path}");
    }
    assert_eq!(role.s3("GET", "/footage?versions&prefix=exports%2Frequests%2F", &[], b"").status, 200);
    assert_eq!(role.s3("PUT", "/footage/exports/a.mp4", &[], b"x").status, 200);
    assert_eq!(role.s3("DELETE", "/footage/exports/a.mp4", &[], b"").status, 204);
}
