//! The server.

use crate::server::{Server, VOUCHED};
use async_trait::async_trait;
use framepost_ports::catalog::Change;
use framepost_ports::contract::{self, Footage};
use framepost_ports::memory::MemoryCatalog;
use framepost_ports::{Catalog as _, DatabaseUser, ErrorKind};
use framepost_sql::{Passwords, PostgresCatalog};
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
    two_writers_lose_nothing(&server).await;
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
    let all = framepost_ports::catalog::SightingQuery {
        cameras: None,
        labels: vec![],
        within: framepost_ports::catalog::Interval::ALWAYS,
        score_min: 0.0,
        after: None,
        limit: 10_000,
    };
    assert_eq!(first.sightings(&all).await.unwrap(), judge.sightings(&all).await.unwrap());
    assert_eq!(first.cameras().await.unwrap(), judge.cameras().await.unwrap());
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
