//! The server.

use crate::server::Server;
use framepost_ports::catalog::Change;
use framepost_ports::contract::{self, Footage};
use framepost_ports::memory::MemoryCatalog;
use framepost_ports::{Catalog as _, ErrorKind};
use framepost_sql::PostgresCatalog;
use std::sync::Arc;

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
