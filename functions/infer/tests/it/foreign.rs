//! Files of other writers, by the way that they take: `probe` says what they are, ffmpeg decodes them. What they name besides
//! themselves is not opened.

use crate::damaged::probed;
use crate::support::house::House;
use crate::support::{Counting, Object, chunk, decoder, ffmpeg, footage};
use bytes::Bytes;
use framepost_events::record::{Container, Data, Record};
use framepost_infer::Seen;
use framepost_infer::pictures::{PicturesError, Wanted, pictures};
use nix::fcntl::OFlag;
use std::fs::OpenOptions;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A file and an address that notice whoever opens them.
///
/// The file is a named pipe: whoever opens it waits until it is opened for writing, too, and that is counted.
struct Canary {
    path: PathBuf,
    server: TcpListener,
    opened: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    watching: Option<JoinHandle<()>>,
}

impl Canary {
    fn new(dir: &Path) -> Self {
        let path = dir.join("canary");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        server.set_nonblocking(true).unwrap();
        let opened = Arc::new(AtomicUsize::new(0));
        let ends = Arc::new(AtomicBool::new(false));
        let watching = std::thread::spawn({
            let path = path.clone();
            let opened = opened.clone();
            let ends = ends.clone();
            move || {
                while !ends.load(Ordering::SeqCst) {
                    drop(OpenOptions::new().write(true).open(&path).unwrap());
                    opened.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { path, server, opened, ends, watching: Some(watching) }
    }

    fn url(&self) -> String {
        format!("http://{}/canary.ts", self.server.local_addr().unwrap())
    }

    /// Whether somebody has asked at the address since this was asked.
    fn is_connected(&self) -> bool {
        self.server.accept().is_ok()
    }

    /// How often the file was opened.
    fn ended(mut self) -> usize {
        self.ends.store(true, Ordering::SeqCst);
        // Lets go whoever waits for a reader.
        let _reader = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&self.path).unwrap();
        self.watching.take().unwrap().join().unwrap();
        self.opened.load(Ordering::SeqCst).saturating_sub(1)
    }
}

/// A box (ISO/IEC 14496-12 §4.2).
fn mp4_box(kind: &str, body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], kind.as_bytes(), body].concat()
}

/// The file with its track's samples in the file at `path`, by an alias of the Macintosh: what `dref` of a QuickTime file may
/// have ("QuickTime File Format", "Data References"). Its index has to be behind its samples, and to have one track.
fn with_alias(bytes: &[u8], path: &Path) -> Vec<u8> {
    let find = |kind: &[u8], before: usize| bytes[..before].windows(4).rposition(|window| window == kind).unwrap() - 4;
    let dref = find(b"dref", bytes.len());
    // Names of a volume and a file that are empty, no directory, and then the path: type 2. The end is type -1.
    let mut path = path.to_str().unwrap().as_bytes().to_vec();
    path.resize(path.len().next_multiple_of(2), 0);
    let length = u16::try_from(path.len()).unwrap().to_be_bytes();
    let alias = mp4_box("alis", &[&[0; 4 + 150][..], &[0, 2], &length, &path, &[0xff, 0xff, 0, 0]].concat());
    let ours = mp4_box("dref", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &alias].concat());
    let theirs = u32::from_be_bytes(bytes[dref..dref + 4].try_into().unwrap()) as usize;
    let mut file = [&bytes[..dref], &ours, &bytes[dref + theirs..]].concat();
    for kind in [b"dinf", b"minf", b"mdia", b"trak", b"moov"] {
        let at = find(kind, dref);
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize + ours.len() - theirs;
        file[at..at + 4].copy_from_slice(&u32::try_from(size).unwrap().to_be_bytes());
    }
    file
}

/// A QuickTime movie that only says where another one is.
fn reference_movie(url: &str) -> Vec<u8> {
    let length = u32::try_from(url.len() + 1).unwrap().to_be_bytes();
    let reference = mp4_box("rdrf", &[&[0; 4][..], b"url ", &length, url.as_bytes(), &[0]].concat());
    let movie = mp4_box("moov", &mp4_box("rmra", &mp4_box("rmda", &reference)));
    [mp4_box("ftyp", b"qt  \0\0\0\0qt  "), movie].concat()
}

/// A file that names another one.
struct Naming {
    name: &'static str,
    bytes: Vec<u8>,
    /// What has ffmpeg open what it names; `None` if it never does, or does as another one of the same kind shows.
    control: Option<&'static [&'static str]>,
}

fn naming(whole: &[u8], canary: &Canary) -> Vec<Naming> {
    let playlist = |entry: &str| format!("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{entry}\n#EXT-X-ENDLIST\n");
    let list = |entry: &str| format!("ffconcat version 1.0\nfile '{entry}'\n");
    let file = canary.path.to_str().unwrap();
    let aliases: &[&str] = &["-enable_drefs", "1", "-use_absolute_path", "1", "-f", "mov"];
    let playlists: &[&str] = &["-protocol_whitelist", "file,http,tcp", "-allowed_extensions", "ALL", "-f", "hls"];
    let lists: &[&str] = &["-protocol_whitelist", "file,http,tcp", "-safe", "0", "-f", "concat"];
    [
        ("an alias", with_alias(whole, &canary.path), Some(aliases)),
        ("a movie elsewhere", reference_movie(&canary.url()), None),
        ("a movie in another file", reference_movie(&format!("file://{file}")), None),
        ("a playlist of a file", playlist(file).into_bytes(), None),
        ("a playlist of an address", playlist(&canary.url()).into_bytes(), Some(playlists)),
        ("a list of a file", list(file).into_bytes(), None),
        ("a list of an address", list(&canary.url()).into_bytes(), Some(lists)),
    ]
    .map(|(name, bytes, control)| Naming { name, bytes, control })
    .into()
}

#[tokio::test]
async fn a_file_that_names_another_one_has_nothing_opened_but_itself() {
    let (Some(ffmpeg), Some(decoder)) = (ffmpeg(), decoder()) else { return };
    let Some(whole) = footage("testsrc2=s=160x90:r=10:d=1", &["-c:v", "libx264", "-pix_fmt", "yuv420p"], "a.mp4")
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let canary = Canary::new(dir.path());
    for Naming { name, bytes, .. } in naming(&whole, &canary) {
        let object = Object::of(bytes.clone());
        for container in [Container::Mp4, Container::Fmp4, Container::Matroska] {
            let chunk = chunk(&bytes, container, 1.0);
            let looked = pictures(&object, &decoder, &chunk, Wanted::PerSecond(2.0)).await;
            assert!(matches!(looked, Ok(_) | Err(PicturesError::None(_))), "{name} as {container:?}: {looked:?}");
        }
    }
    assert!(!canary.is_connected());
    assert_eq!(canary.ended(), 0);

    // They name what they are said to name: an ffmpeg that is told other things opens it.
    let dir = tempfile::tempdir().unwrap();
    let canary = Canary::new(dir.path());
    let path = dir.path().join("file");
    for Naming { name, bytes, control } in naming(&whole, &canary) {
        let Some(arguments) = control else { continue };
        std::fs::write(&path, bytes).unwrap();
        let before = canary.opened.load(Ordering::SeqCst);
        let mut command = Command::new(&ffmpeg);
        command.args(["-nostdin", "-v", "quiet"]).args(arguments).arg("-i").arg(&path).args(["-f", "null", "-"]);
        let deadline = Instant::now() + Duration::from_mins(1);
        let is_noticed = || canary.opened.load(Ordering::SeqCst) > before || canary.is_connected();
        let mut noticed = false;
        while !noticed {
            let mut child = command.spawn().unwrap();
            while !noticed && child.try_wait().unwrap().is_none() {
                noticed = is_noticed();
                assert!(Instant::now() < deadline, "{name}: it opens nothing");
                std::thread::park_timeout(Duration::from_millis(5));
            }
            let _ = child.kill();
            child.wait().unwrap();
        }
    }
    canary.ended();
}

/// The first picture as ffmpeg itself shows it, upright.
fn shown(bytes: &Bytes, name: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let mut command = Command::new(ffmpeg().unwrap());
    command.args(["-nostdin", "-v", "error", "-i"]).arg(&path);
    command.args(["-frames:v", "1", "-sws_flags", "bicubic+accurate_rnd+full_chroma_int"]);
    let output = command.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The file with the matrix of its track's header (ISO/IEC 14496-12 §8.3.2, version 0) for a picture that is to be turned.
fn turned(bytes: &Bytes, matrix: [i32; 9]) -> Bytes {
    let at = bytes.windows(4).position(|window| window == b"tkhd").unwrap() - 4 + 48;
    let mut file = bytes.to_vec();
    for (value, place) in matrix.into_iter().zip(file[at..].chunks_exact_mut(4)) {
        place.copy_from_slice(&value.to_be_bytes());
    }
    file.into()
}

#[tokio::test]
async fn a_turned_file_and_a_matroska_file_are_looked_at_as_probe_describes_them() {
    const ONE: i32 = 1 << 16;
    if ffmpeg().is_none() {
        return;
    }
    let h264 = ["-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p"];
    let source = "testsrc2=s=320x180:r=10:d=3";
    let (Some(upright), Some(matroska)) = (footage(source, &h264, "a.mp4"), footage(source, &h264, "a.mkv")) else {
        return;
    };
    // Clockwise, upside down, counterclockwise: the last row is where the origin goes.
    let clockwise = [0, ONE, 0, -ONE, 0, 0, 180 * ONE, 0, 1 << 30];
    let half = [-ONE, 0, 0, 0, -ONE, 0, 320 * ONE, 180 * ONE, 1 << 30];
    let counterclockwise = [0, -ONE, 0, ONE, 0, 0, 0, 320 * ONE, 1 << 30];
    for (name, bytes, file, size) in [
        ("upright", upright.clone(), "a.mp4", (320, 180)),
        ("clockwise", turned(&upright, clockwise), "a.mp4", (180, 320)),
        ("upside down", turned(&upright, half), "a.mp4", (320, 180)),
        ("counterclockwise", turned(&upright, counterclockwise), "a.mp4", (180, 320)),
        ("Matroska", matroska, "a.mkv", (320, 180)),
    ] {
        let object = Object::of(bytes.clone());
        let made_up = chunk(&bytes, Container::Mp4, 3.0);
        let chunk = probed(&object, &made_up).await.unwrap_or_else(|| panic!("{name}: probe refuses it"));
        assert_eq!(chunk.container == Container::Matroska, file == "a.mkv", "{name}");
        let house = House::of(bytes.clone(), Counting::free()).unwrap();
        let event = Record::about(&chunk.object.clone(), "2026-11-21T02:00:00Z".parse().unwrap(), chunk);
        let Seen { record, pictures } = house.infer().see(&event).await.unwrap();
        let Data::ChunkInferred(inferred) = record.data else { panic!("{name}") };
        let offsets: Vec<f64> = inferred.frames.iter().map(|frame| frame.offset).collect();
        assert_eq!(offsets, [0.0, 1.0, 2.0], "{name}");
        let found: Vec<_> = pictures.iter().map(|picture| (picture.width(), picture.height())).collect();
        assert_eq!(found, [size; 3], "{name}");
        let expected = shown(&bytes, file);
        assert_eq!(pictures[0].rgb().len(), expected.len(), "{name}");
        let differing = pictures[0].rgb().iter().zip(&expected).filter(|(a, b)| a.abs_diff(**b) > 8).count();
        assert!(differing * 100 < expected.len(), "{name}: {differing} of {} values", expected.len());
    }
}
