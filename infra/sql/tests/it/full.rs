//! Stores whose disk is full at first.

use crate::processes::{changes, same_as_memory};
use crate::server::Server;
use framepost_ports::catalog::Catalog;
use framepost_sql::{PostgresCatalog, SqliteCatalog};
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The variable that names the directory where a file system of some megabytes is mounted.
const SMALL: &str = "FRAMEPOST_TEST_SMALL";
/// Set where a server keeps its tables there, and not a file.
const SERVER: &str = "FRAMEPOST_TEST_SMALL_SERVER";
/// What is left free of it at first.
const ROOM_BYTES: u64 = 512 << 10;

/// Fills the file system up to [`ROOM_BYTES`].
fn fill(ballast: &Path) {
    let mut file = File::create(ballast).unwrap();
    let block = vec![1; 64 << 10];
    loop {
        match file.write_all(&block) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => break,
            Err(error) => panic!("{error}"),
        }
    }
    file.set_len(file.metadata().unwrap().len() - ROOM_BYTES).unwrap();
}

/// Writes until the disk is full, makes room, and goes on.
async fn goes_on(catalog: &dyn Catalog, ballast: &Path) {
    fill(ballast);
    let mut refused = 0;
    for batch in changes().chunks(7) {
        if let Err(error) = catalog.apply(batch).await {
            refused += 1;
            let why = framepost_ports::chain(&error);
            assert!(["full", "No space left"].iter().any(|words| why.contains(words)), "{why}");
            assert_ne!(error.kind(), framepost_ports::ErrorKind::Invalid, "the changes are not at fault");
            // What is there can be asked, though nothing can be added.
            catalog.cameras().await.unwrap();
            let _ = std::fs::remove_file(ballast);
            catalog.apply(batch).await.unwrap();
        }
    }
    assert!(refused > 0, "the disk was never full");
    same_as_memory(catalog).await;
    println!("whole after {refused} refusals");
}

/// Writes on a file system that is full at first.
#[test]
#[ignore = "started by the tests of this file"]
fn on_a_small_file_system() {
    let Some(small) = std::env::var_os(SMALL).map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let ballast = small.join("ballast");
        if std::env::var_os(SERVER).is_none() {
            let catalog = SqliteCatalog::open(small.join("catalog.db")).await.unwrap();
            return goes_on(&catalog, &ballast).await;
        }
        let server = Server::start().expect("whoever starts this looked");
        let url = server.database_in(&small, "small");
        goes_on(&PostgresCatalog::connect(&url).await.unwrap(), &ballast).await;
    });
}

/// Runs that on a mount of its own, which goes with the process.
fn run(size: &str, is_server: bool) {
    // Another user, as which a server runs, can enter it there.
    let directory = tempfile::tempdir_in("/tmp").unwrap();
    let script = r#"mount -t tmpfs -o "size=$1,mode=0777" tmpfs "$2" && shift 2 && exec "$@""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", size]).arg(directory.path());
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "full::on_a_small_file_system", "--ignored", "--nocapture"]);
    if is_server {
        command.env(SERVER, "1");
    }
    let Ok(ran) = command.env(SMALL, directory.path()).stdin(Stdio::null()).output() else {
        println!("skipped: there is no unshare here");
        return;
    };
    let said = String::from_utf8_lossy(&ran.stdout);
    let errors = String::from_utf8_lossy(&ran.stderr);
    if errors.contains("unshare failed") || errors.contains("permission denied") {
        println!("skipped: nobody but root may mount");
        return;
    }
    assert!(ran.status.success() && said.contains("whole after"), "{said}\n{errors}");
}

#[test]
fn a_full_disk_stops_a_file_from_growing_and_breaks_nothing() {
    run("10m", false);
}

#[test]
fn a_full_disk_stops_a_server_s_tables_from_growing_and_breaks_nothing() {
    // It is said and counted where there is none.
    if Server::start().is_some() {
        run("40m", true);
    }
}
