//! The file.

use framepost_ports::Catalog as _;
use framepost_ports::contract::{self, Footage};
use framepost_sql::SqliteCatalog;
use std::sync::Arc;

#[tokio::test]
async fn a_file_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    for seed in 1..6 {
        let open =
            async |name: &str| Arc::new(SqliteCatalog::open(dir.path().join(format!("{name}-{seed}"))).await.unwrap());
        contract::catalog_of(seed, 24, open("one").await, open("other").await).await;
    }
}

/// Readers do not wait for the writer, and what was taken survives a power cut.
#[tokio::test]
async fn a_file_is_written_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&file).await.unwrap();
    catalog.apply(&Footage::new(1).changes(2)).await.unwrap();
    let other = rusqlite::Connection::open(&file).unwrap();
    let mode: String = other.query_row("PRAGMA journal_mode", (), |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    // Somebody else writes.
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM chunk").unwrap();
    assert_ne!(catalog.cameras().await.unwrap(), []);
    other.execute_batch("ROLLBACK").unwrap();
}

#[tokio::test]
async fn no_answer_of_a_file_depends_on_packing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(dir.path().join("catalog.db")).await.unwrap();
    contract::packing(&catalog, 2).await;
}

#[tokio::test]
async fn who_waits_is_told_that_something_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = SqliteCatalog::open(dir.path().join("catalog.db")).await.unwrap();
    let mut written = catalog.written().unwrap();
    written.borrow_and_update();
    catalog.set_mark("a", "b").await.unwrap();
    assert!(!written.has_changed().unwrap(), "a mark is no record");
    catalog.clone().apply(&Footage::new(1).changes(2)).await.unwrap();
    assert!(written.has_changed().unwrap());
}

#[tokio::test]
async fn what_is_no_catalogue_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("note.txt");
    std::fs::write(
        &file,
        "a note that is long enough to be looked at as the head of a database, but is none. ".repeat(20),
    )
    .unwrap();
    let error = SqliteCatalog::open(&file).await.err().unwrap();
    assert_eq!(error.kind(), framepost_ports::ErrorKind::Invalid, "{error:?}");
}
