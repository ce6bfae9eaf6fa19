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
