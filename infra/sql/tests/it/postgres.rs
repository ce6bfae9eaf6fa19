//! The server.

use crate::server::{Server, VOUCHED};
use async_trait::async_trait;
use framepost_ports::catalog::{CameraName, Change, Hold, Interval, KnownCamera, SightingQuery};
use framepost_ports::contract::{self, Footage};
use framepost_ports::memory::MemoryCatalog;
use framepost_ports::{Catalog as _, DatabaseUser, ErrorKind};
use framepost_sql::{Passwords, PostgresCatalog};
use jiff::Timestamp;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// All in one test, because a server takes seconds to start.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_keeps_the_contract() {
    let Some(server) = Server::start() else { return };
    for seed in [1, 2] {
        let connect = async |name: &str| {
            let url = server.database(&format!("{name}_{seed}"));
            Arc::new(PostgresCatalog::connect(&url).await.unwrap())
        };
        contract::catalog_of(seed, 24, connect("one").await, connect("other").await).await;
    }
    let catalog = PostgresCatalog::connect(&server.database("packing")).await.unwrap();
    contract::packing(&catalog, 1).await;
    two_writers_lose_nothing(&server).await;
    a_reader_reads_everything_and_writes_holds_alone(&server).await;
    a_role_that_is_named_reads_and_nobody_else(&server).await;
    a_wrong_address_is_told_without_its_secret(&server).await;
    if let Some(certificate) = server.certificate() {
        a_server_is_known_by_its_certificate(&server, &certificate).await;
        a_password_is_made_for_each_connection(&server).await;
    }
}

async fn a_server_is_known_by_its_certificate(server: &Server, certificate: &Path) {
    let url = server.database("encrypted");
    let named = url.replace("127.0.0.1", "localhost");
    let known = format!("sslmode=verify-full&sslrootcert={}", certificate.display());
    for (url, parameters, is_taken) in [
        (&url, "sslmode=require", true),
        (&url, "sslmode=disable", true),
        (&named, known.as_str(), true),
        // The certificate is of another name.
        (&url, known.as_str(), false),
        // Nobody in the operating system knows it.
        (&named, "sslmode=verify-full", false),
    ] {
        let connected = PostgresCatalog::connect(&format!("{url}?{parameters}")).await;
        assert_eq!(connected.is_ok(), is_taken, "{parameters}: {:?}", connected.err());
    }
}

/// A cloud whose passwords are good until the next one.
#[derive(Default)]
struct Vouching {
    password: Mutex<String>,
    asked: AtomicUsize,
}

#[async_trait]
impl Passwords for Vouching {
    async fn password(&self, cloud: &'static str, user: &DatabaseUser) -> framepost_ports::Result<String> {
        assert_eq!((cloud, user.user.as_str()), ("aws", VOUCHED));
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.password.lock().unwrap().clone())
    }
}

async fn a_password_is_made_for_each_connection(server: &Server) {
    let url = server.database("vouched").replace("framepost@", &format!("{VOUCHED}@"));
    let url = format!("{url}?sslmode=require&login=aws&options=-c%20role%3Dframepost");
    let vouching = Arc::new(Vouching::default());
    server.vouch("first");
    "second".clone_into(&mut vouching.password.lock().unwrap());
    let refused = PostgresCatalog::connect_with(&url, vouching.clone()).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Denied, "{refused:?}");
    "first".clone_into(&mut vouching.password.lock().unwrap());
    let catalog = PostgresCatalog::connect_with(&url, vouching.clone()).await.unwrap();
    catalog.cameras().await.unwrap();
    assert_eq!(vouching.asked.load(Ordering::Relaxed), 2, "a connection that is kept needs no password");
    server.vouch("second");
    "second".clone_into(&mut vouching.password.lock().unwrap());
    let (one, other) = tokio::join!(catalog.cameras(), catalog.cameras());
    assert_eq!((one.unwrap().len(), other.unwrap().len()), (0, 0));
    assert_eq!(vouching.asked.load(Ordering::Relaxed), 3, "the second connection has the password of its time");
}

/// Two programs that write at the same time, each a part of the footage.
async fn two_writers_lose_nothing(server: &Server) {
    let url = server.database("shared");
    let (first, second) = tokio::join!(PostgresCatalog::connect(&url), PostgresCatalog::connect(&url));
    let first = Arc::new(first.unwrap());
    let second = Arc::new(second.unwrap());
    let changes = Footage::new(5).changes(24);
    let judge = MemoryCatalog::default();
    judge.apply(&changes).await.unwrap();
    let halves: [Vec<Change>; 2] = [0, 1].map(|half| changes.iter().skip(half).step_by(2).cloned().collect());
    let tasks = [first.clone(), second].into_iter().zip(halves).map(|(catalog, changes)| {
        tokio::spawn(async move {
            for batch in changes.chunks(5) {
                catalog.apply(batch).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let all = everything();
    assert_eq!(first.sightings(&all).await.unwrap(), judge.sightings(&all).await.unwrap());
    assert_eq!(first.cameras().await.unwrap(), judge.cameras().await.unwrap());
}

fn everything() -> SightingQuery {
    let within = Interval::ALWAYS;
    SightingQuery { cameras: None, labels: vec![], within, score_min: 0.0, after: None, limit: 10_000 }
}

/// What `api` asks of the catalogue is answered to a user that owns nothing, and what `catalog` does is denied to it.
async fn a_reader_reads_everything_and_writes_holds_alone(server: &Server) {
    server.make_user("reader");
    let url = server.database("granted");
    let read = url.replace("framepost@", "reader@") + "?tables=awaited";
    let reader = PostgresCatalog::connect(&read).await.unwrap();
    let early = reader.cameras().await.unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Busy, "before there are tables: {early:?}");
    let denied = PostgresCatalog::connect(&url.replace("framepost@", "reader@")).await.err().unwrap();
    assert_eq!(denied.kind(), ErrorKind::Denied, "it makes none itself: {denied:?}");

    let writer = PostgresCatalog::connect(&format!("{url}?reader=public")).await.unwrap();
    let changes = Footage::new(5).changes(24);
    writer.apply(&changes).await.unwrap();
    let cameras = reader.cameras().await.unwrap();
    assert_eq!(cameras, writer.cameras().await.unwrap());
    assert_eq!(reader.sightings(&everything()).await.unwrap(), writer.sightings(&everything()).await.unwrap());
    for KnownCamera { name, .. } in &cameras {
        let all = Interval::ALWAYS;
        let of = CameraOf { catalog: &writer, name };
        let same = CameraOf { catalog: &reader, name };
        assert_eq!(of.all(all).await, same.all(all).await);
    }
    assert_eq!(reader.reports().await.unwrap(), writer.reports().await.unwrap());
    assert_eq!(reader.last_happening().await.unwrap(), writer.last_happening().await.unwrap());
    assert_eq!(reader.happenings(0, 1_000).await.unwrap(), writer.happenings(0, 1_000).await.unwrap());

    let camera = cameras[0].name.clone();
    let hold = Hold {
        id: "one".to_owned(),
        camera,
        within: Interval { from: Timestamp::UNIX_EPOCH, to: Footage::new(5).start() },
        reason: "theft".to_owned(),
        created: Footage::new(5).start(),
        created_by: None,
    };
    reader.hold(&hold).await.unwrap();
    reader.hold(&hold).await.unwrap();
    assert_eq!(writer.held("one").await.unwrap(), Some(hold));
    reader.release("one").await.unwrap();
    assert_eq!(reader.held("one").await.unwrap(), None);

    let removed = changes.iter().find(|change| matches!(change, Change::Removed(_))).unwrap();
    for change in [&changes[0], removed] {
        let denied = reader.apply(std::slice::from_ref(change)).await.unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::Denied, "{change:?}: {denied:?}");
    }
    assert_eq!(reader.set_mark("m", "x").await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(reader.forget_removals(Timestamp::MAX).await.unwrap_err().kind(), ErrorKind::Denied);
    for (table, owner) in server.tables("granted") {
        assert_eq!(owner, "framepost", "{table}");
        let may = |right: &str| server.psql_as("reader", "granted", &right.replace("{}", &table));
        assert!(may("SELECT COUNT(*) FROM {}"), "{table} can be read");
        assert_eq!(may("DELETE FROM {}"), table == "hold", "{table}");
        assert!(!may("TRUNCATE {}") && !may("DROP TABLE {}") && !may("ALTER TABLE {} ADD x INT"), "{table}");
    }
    assert!(!server.psql_as("reader", "granted", "CREATE TABLE mine (x INT)"), "it makes no tables");
    // What is granted stays, and is not granted again.
    PostgresCatalog::connect(&format!("{url}?reader=public")).await.unwrap();
    assert_eq!(reader.cameras().await.unwrap(), cameras);
}

/// What a camera has, as two users see it.
struct CameraOf<'a> {
    catalog: &'a PostgresCatalog,
    name: &'a CameraName,
}

impl CameraOf<'_> {
    async fn all(&self, within: Interval) -> String {
        let Self { catalog, name } = self;
        let chunks = catalog.briefs(name, within, 1_000).await.unwrap();
        let rows =
            (catalog.outlines(name, within, 1_000).await.unwrap(), catalog.gaps(name, within, 1_000).await.unwrap());
        let looks =
            (catalog.looks(name, within, 1_000).await.unwrap(), catalog.looked(name, within, 1_000).await.unwrap());
        let ends = catalog.span_ends(name, within, 1_000).await.unwrap();
        let sums = catalog.recorded(name, &[within]).await.unwrap();
        format!("{chunks:?} {rows:?} {looks:?} {ends:?} {sums:?}")
    }
}

async fn a_role_that_is_named_reads_and_nobody_else(server: &Server) {
    let name = "api@p\".iam";
    server.make_user(name);
    let url = server.database("named");
    let encoded = "api%40p%22.iam";
    PostgresCatalog::connect(&format!("{url}?reader={encoded}")).await.unwrap();
    let read = |user: &str| url.replace("framepost@", &format!("{user}@")) + "?tables=awaited";
    let reader = PostgresCatalog::connect(&read(encoded)).await.unwrap();
    assert_eq!(reader.cameras().await.unwrap(), []);
    let other = PostgresCatalog::connect(&read("reader")).await.unwrap();
    let error = other.cameras().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    let nobody = PostgresCatalog::connect(&format!("{url}?reader=nobody")).await.err().unwrap();
    assert_eq!(nobody.kind(), ErrorKind::Invalid, "{nobody:?}");
}

async fn a_wrong_address_is_told_without_its_secret(server: &Server) {
    let url = server.database("there").replace("framepost@", "framepost:secret@");
    for (url, kind) in [
        (url.replace("/there", "/elsewhere"), ErrorKind::NotFound),
        ("postgres://u:secret@127.0.0.1:1/d".to_owned(), ErrorKind::Transport),
        ("postgres://u:secret@h:x/d".to_owned(), ErrorKind::Invalid),
    ] {
        let error = PostgresCatalog::connect(&url).await.err().unwrap();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}
