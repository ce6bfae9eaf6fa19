//! The API, as an application with a token asks it.

use crate::api::{digests, digests_of_url, send};
use crate::console;
use framepost_tests::binaries::Program;
use framepost_tests::edge::SITE;
use framepost_tests::judge::packets::Stream;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// The camera of the tests' gateway.
const CAMERA: &str = "gate";

/// The API of a cloud, and a token that may see and keep the footage of the site.
pub(super) struct Asked {
    address: SocketAddr,
    token: String,
    page: Option<Page>,
}

/// Where the page is served that a browser opens.
pub(super) struct Page {
    pub(super) address: SocketAddr,
    /// The origin of a bucket that sends the media itself.
    pub(super) media: Option<String>,
}

/// A camera's name and times.
pub(super) struct Known {
    from: String,
    to: String,
}

/// An export that is complete.
pub(super) struct Export {
    /// The path at which the API tells how far the export is.
    path: String,
    /// The path of its clip, and the bytes of it.
    clip: String,
    bytes: Vec<u8>,
    /// The length of its archive.
    archive_bytes: usize,
}

/// A token for the site, and what the API is told of it.
pub(super) struct Token {
    pub(super) text: String,
    /// The text of `tokens.json`, which `FRAMEPOST_API_TOKENS` passes to the API.
    pub(super) stored: String,
}

impl Token {
    /// Makes one as an operator does, with a data directory that has nothing else in it.
    pub(super) fn make(directory: &Path) -> Self {
        let mut command = Program::Framepost.command();
        command.args(["token", "new", "--site", SITE, "--read", "--keep", "--dir"]).arg(directory);
        let made = command.output().expect("framepost can be started");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let stored = std::fs::read_to_string(directory.join("tokens.json")).expect("it is stored");
        Self { text: String::from_utf8_lossy(&made.stdout).trim().to_owned(), stored }
    }
}

impl Asked {
    pub(super) fn new(address: SocketAddr, page: Option<Page>, token: &Token) -> Self {
        Self { address, token: token.text.clone(), page }
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, Vec<u8>) {
        send(self.address, method, path, &format!("Authorization: Bearer {}\r\n{headers}", self.token), body)
    }

    /// Returns the HTTP status of a `GET`, whatever it is.
    pub(super) fn status(&self, path: &str) -> u16 {
        self.send("GET", path, "", "").0
    }

    fn json(&self, path: &str) -> Value {
        let deadline = Instant::now() + super::PATIENCE;
        loop {
            let (status, _, body) = self.send("GET", path, "", "");
            // On a busy machine the database may be late for once, and whoever asks asks again.
            if status == 503 && Instant::now() < deadline {
                std::thread::park_timeout(Duration::from_millis(100));
                continue;
            }
            assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
            return serde_json::from_slice(&body).expect("JSON");
        }
    }

    fn list(&self, path: &str, of: &str) -> Vec<Value> {
        let page = self.json(path);
        assert!(page.get("next").is_none(), "all of it on one page: {page}");
        page[of].as_array().unwrap_or_else(|| panic!("no {of}: {page}")).clone()
    }

    pub(super) fn chunks(&self) -> Vec<Value> {
        self.list(&format!("/v1/chunks?site={SITE}&limit=1000"), "chunks")
    }

    /// How many chunks were looked at.
    pub(super) fn looked_at(&self) -> usize {
        let Some(Known { from, to }) = self.camera() else { return 0 };
        let path = format!("/v1/detections?site={SITE}&camera={CAMERA}&from={from}&to={to}");
        self.list(&path, "chunks").iter().filter(|chunk| chunk.get("skipped").is_none()).count()
    }

    /// The only camera, if there is one with footage.
    pub(super) fn camera(&self) -> Option<Known> {
        let cameras = self.list("/v1/cameras", "cameras");
        assert!(cameras.len() <= 1, "{cameras:?}");
        let camera = cameras.first()?;
        assert_eq!((camera["site"].as_str(), camera["camera"].as_str()), (Some(SITE), Some(CAMERA)), "{camera}");
        let time = |name: &str| camera[name].as_str().map(str::to_owned);
        Some(Known { from: time("first")?, to: time("last")? })
    }

    pub(super) fn sightings(&self, label: &str) -> Vec<Value> {
        self.list(&format!("/v1/sightings?site={SITE}&label={label}"), "sightings")
    }

    /// Finds what was seen. Returns the key of the chunk with the best picture of the first one.
    pub(super) fn sighting(&self, label: &str, known: &Known) -> String {
        let sightings = self.sightings(label);
        let time = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
        let within = time(&known.from)..=time(&known.to);
        for sighting in &sightings {
            assert_eq!((&sighting["camera"], &sighting["label"]), (&json!(CAMERA), &json!(label)), "{sighting}");
            let all =
                ["from", "to"].iter().all(|name| within.contains(&time(sighting[name].as_str().expect("a time"))));
            assert!(all, "within what was recorded: {sighting}");
        }
        let first = sightings.first().unwrap_or_else(|| panic!("nobody saw {label}"));
        first["best"]["key"].as_str().expect("a key").to_owned()
    }

    /// A chunk's bytes are served whole, and in part.
    pub(super) fn media_is(&self, key: &str, bytes: &[u8]) {
        let path = format!("/v1/media/{key}");
        let (status, head, body) = self.send("GET", &path, "", "");
        assert!((status, &body[..]) == (200, bytes), "{head}");
        let (status, head, body) = self.send("GET", &path, "Range: bytes=1000-1999\r\n", "");
        assert!((status, &body[..]) == (206, &bytes[1000..2000]), "{head}");
    }

    /// A player that cannot send a token plays every packet of the source.
    pub(super) fn plays(&self, Known { from, to }: &Known, source: &Path, streams: &[Stream]) {
        let playlist = format!("/v1/playlists/{SITE}/{CAMERA}.m3u8?from={from}&to={to}");
        let escaped = playlist.replace('?', "%3F").replace('&', "%26");
        let signed = self.json(&format!("/v1/sign?path={escaped}"));
        let path = signed["path"].as_str().expect("a path");
        assert_eq!(send(self.address, "GET", &playlist, "", "").0, 401, "it needs a token or a signature");
        for stream in streams {
            let map = if *stream == Stream::Video { "0:v:0" } else { "0:a:0" };
            let played = digests_of_url(&format!("http://{}{path}", self.address), map);
            assert_eq!(played, digests(source, *stream), "{stream:?}");
        }
    }

    /// Has everything exported, and checks the export with `framepost verify`.
    pub(super) fn export(&self, Known { from, to }: &Known, source: &Path, directory: &Path) -> Export {
        let range = json!({"site": SITE, "camera": CAMERA, "from": from, "to": to});
        let body = json!({"name": "all of it", "ranges": [range]}).to_string();
        let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let (status, head, answer) = self.send("POST", "/v1/exports", &headers, &body);
        assert_eq!(status, 202, "{}", String::from_utf8_lossy(&answer));
        let location = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("location").then(|| value.to_owned())
        };
        let path = head.lines().find_map(location).expect("a location");
        // Each request writes a part of it.
        let deadline = Instant::now() + super::PATIENCE;
        let made = loop {
            let made = self.json(&path);
            if made["state"] != "running" {
                break made;
            }
            assert!(Instant::now() < deadline, "{made}");
            std::thread::park_timeout(Duration::from_millis(20));
        };
        assert_eq!(made["state"], "complete", "{made}");
        let clip = made["files"][0]["url"].as_str().expect("a path").to_owned();
        let (status, _, bytes) = self.send("GET", &clip, "", "");
        assert_eq!(status, 200);
        let file = directory.join("exported.mp4");
        std::fs::write(&file, &bytes).expect("a file");
        assert_eq!(digests(&file, Stream::Video), digests(source, Stream::Video));

        let (status, _, archive) = self.send("GET", made["archive"].as_str().expect("a path"), "", "");
        assert_eq!(status, 200);
        let file = directory.join("export.zip");
        std::fs::write(&file, &archive).expect("a file");
        let verified =
            Program::Framepost.command().arg("verify").arg(&file).output().expect("framepost can be started");
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success() && said.contains("each byte for byte as it lay in the bucket"), "{said}");
        Export { path, clip, bytes, archive_bytes: archive.len() }
    }

    /// Opens the page in a browser and uses it, where there is one.
    pub(super) fn shows(&self, export: &Export, directory: &Path) {
        let Some(page) = &self.page else { return };
        let (Some(mut node), Some(chromium)) = (console::node(), console::chromium()) else { return };
        let base = format!("http://{}/", page.address);
        node.arg(console::harness().join("cloud.mjs")).args([&base, SITE, CAMERA]);
        node.arg(console::pictures(directory)).arg(export.archive_bytes.to_string()).args(&page.media);
        console::succeed(node.env("CHROMIUM", chromium).env("FRAMEPOST_TOKEN", &self.token));
    }

    /// Of what was there, nothing is found, played or served any more.
    pub(super) fn has_nothing(&self, Known { from, to }: &Known, key: &str) {
        assert!(self.camera().is_none(), "no camera has footage");
        assert_eq!(self.sightings("motion"), [""; 0], "no sighting");
        let gone = [
            format!("/v1/media/{key}"),
            format!("/v1/playlists/{SITE}/{CAMERA}.m3u8?from={from}&to={to}"),
            format!("/v1/clips/{SITE}/{CAMERA}.mp4?from={from}&to={to}"),
        ];
        for path in gone {
            assert_eq!(self.status(&path), 404, "{path}");
        }
    }

    /// The export has all of its clip, and is the only one.
    pub(super) fn still_has(&self, export: &Export) {
        let (status, _, bytes) = self.send("GET", &export.clip, "", "");
        assert!((status, &bytes) == (200, &export.bytes), "{} bytes", bytes.len());
        assert_eq!(self.json(&export.path)["state"], "complete");
        assert_eq!(self.list("/v1/exports", "exports").len(), 1);
    }
}
