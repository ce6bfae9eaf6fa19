//! On one machine: `framepost up`, with tokens as in a cloud. Its own retention is the bucket's lifecycle.

use super::asked::{Asked, Token};
use super::{Cloud, follow};
use crate::inferred::has_ffmpeg;
use framepost_tests::binaries::{Output, Program, Running};
use framepost_tests::bucket::files;
use framepost_tests::edge::SITE;
use framepost_tests::media::Clip;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

struct Here {
    running: Running,
    data: PathBuf,
    video: PathBuf,
    address: SocketAddr,
    is_expiring: bool,
}

/// Starts it, waits until it has read the video, and returns the address of its API, too.
fn up(data: &Path, video: &Path, listen: SocketAddr, more: &[&str]) -> (Running, SocketAddr) {
    let mut command = Program::Framepost.command();
    command.args(["up", "--stay", "--site", SITE, "--window", "2s", "--detector", "motion:", "--auth", "tokens"]);
    command.args(["--listen", &listen.to_string()]).args(more).arg("--dir").arg(data).arg(video);
    let running = Running::start(&mut command);
    let address = running.wait_for(Output::Stderr, super::PATIENCE, |lines| {
        let line = lines.iter().find_map(|line| line.strip_prefix("api")?.split_once("http://"))?;
        line.1.split('/').next()?.parse().ok()
    });
    running.wait_for(Output::Stderr, super::PATIENCE, |lines| {
        lines.iter().any(|line| line.contains("all files are read")).then_some(())
    });
    (running, address)
}

impl Here {
    /// The directory that is its bucket.
    fn root(&self) -> PathBuf {
        self.data.join("s3/footage")
    }
}

impl Cloud for Here {
    fn keys(&self) -> Vec<String> {
        let root = self.root();
        let key = |path: PathBuf| Some(path.strip_prefix(&root).ok()?.to_str()?.to_owned());
        files(&root).into_iter().filter_map(key).collect()
    }

    fn bytes(&self, key: &str) -> Vec<u8> {
        std::fs::read(self.root().join(key)).unwrap_or_else(|error| panic!("{key}: {error}"))
    }

    /// No rule is for one object: nothing may be kept from now on.
    fn expire(&mut self, _: &str) {
        if self.is_expiring {
            return;
        }
        self.is_expiring = true;
        self.running.interrupt();
        self.running.wait_for_exit_code(0, super::PATIENCE);
        self.running = up(&self.data, &self.video, self.address, &["--keep-bytes", "1"]).0;
    }

    /// It does so by itself.
    fn deliver(&mut self) {
        std::thread::park_timeout(Duration::from_millis(20));
    }

    fn why(&self) -> String {
        self.running.log()
    }
}

#[test]
fn on_one_machine_a_clip_is_found_played_exported_and_gone_when_its_objects_are() {
    if !has_ffmpeg() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let token = Token::make(&data);
    let video = directory.path().join("gate.mp4");
    std::fs::copy(Clip::H264.path(), &video).expect("a copy");
    let (running, address) = up(&data, &video, ([127, 0, 0, 1], 0).into(), &[]);
    let asked = Asked::new(address, None, &token);
    let mut here = Here { running, data, video, address, is_expiring: false };
    follow(&mut here, &asked, Clip::H264, directory.path());
}
