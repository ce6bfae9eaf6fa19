//! Files as a person backs them up: chapters, files that overlap, files that are not finished. The real program, a directory as
//! the bucket, files by ffmpeg.

use framepost_events::{KeyKind, ObjectKey};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// A directory with files, buckets and spools.
struct Scene {
    directory: tempfile::TempDir,
}

const CREATED: &str = "-metadata creation_time=2026-03-01T10:00:00Z";
const FRAGMENTED: &str = "-movflags +frag_keyframe+empty_moov+default_base_moof";

impl Scene {
    /// With `whole.mp4`: ten seconds, a group of pictures a second.
    fn new() -> Self {
        let scene = Self { directory: tempfile::tempdir().unwrap() };
        scene.ffmpeg(
            &format!(
                "-f lavfi -i testsrc2=size=192x108:rate=25:duration=10 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25 \
                 -bf 0 {CREATED}"
            ),
            "whole.mp4",
        );
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn ffmpeg(&self, arguments: &str, output: &str) {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y"]).args(arguments.split_whitespace()).arg(output);
        assert!(
            command.current_dir(self.directory.path()).status().expect("ffmpeg is installed").success(),
            "{arguments}"
        );
    }

    /// `backfill` of files here, into `<bucket>` by way of `<bucket>.spool`.
    fn command(&self, files: &[&str], bucket: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_edge-uploader"));
        command.env_remove("RUST_LOG").current_dir(self.directory.path()).arg("backfill").args(files);
        command.args(["--site", "s", "--camera", "c", "--window", "2s", "--to", bucket]);
        command.args(["--spool", &format!("{bucket}.spool")]).args(more);
        command
    }

    fn backfill(&self, files: &[&str], bucket: &str, more: &[&str]) -> Output {
        self.command(files, bucket, more).output().unwrap()
    }

    /// Reads all files below a bucket's directory: their bytes, by key.
    fn objects(&self, bucket: &str) -> BTreeMap<String, Vec<u8>> {
        let mut objects = BTreeMap::new();
        collect(&self.path(bucket), "", &mut objects);
        objects
    }

    /// When each object of a kind begins, in order.
    fn starts(&self, bucket: &str, kind: KeyKind, counter: Option<u64>) -> Vec<String> {
        let keys = self.objects(bucket).into_keys().map(|key| key.parse::<ObjectKey>().unwrap());
        let wanted = |key: &ObjectKey| key.kind == kind && counter.is_none_or(|counter| key.counter == counter);
        let mut starts: Vec<_> = keys.filter(wanted).map(|key| key.start).collect();
        starts.sort();
        starts.into_iter().map(|start| start.to_string()).collect()
    }

    /// What a bucket holds after an undisturbed backfill of one file.
    fn undisturbed(&self, file: &str) -> BTreeMap<String, Vec<u8>> {
        let output = self.backfill(&[file], "undisturbed", &[]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let objects = self.objects("undisturbed");
        for directory in ["undisturbed", "undisturbed.spool"] {
            std::fs::remove_dir_all(self.path(directory)).unwrap();
        }
        objects
    }
}

/// Objects have keys; the directory keeps what it knows of them beside them.
fn collect(directory: &Path, prefix: &str, objects: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), objects);
        } else if name.parse::<ObjectKey>().is_ok() {
            objects.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn chapters_are_one_recording_in_whatever_order_they_are_named() {
    let scene = Scene::new();
    for (n, (from, length)) in [("0", "4"), ("4", "3"), ("7", "3")].into_iter().enumerate() {
        let cut = format!("-ss {from} -t {length} -i whole.mp4 -c copy -avoid_negative_ts make_zero {CREATED}");
        scene.ffmpeg(&cut, &format!("GX0{}0042.MP4", n + 1));
    }
    let output = scene.backfill(&["GX030042.MP4", "GX010042.MP4", "GX020042.MP4"], "bucket", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let expected = ["2026-03-01T10:00:00Z", "2026-03-01T10:00:04Z", "2026-03-01T10:00:07Z"];
    assert_eq!(scene.starts("bucket", KeyKind::Chunk, Some(0)), expected);
    assert_eq!(
        scene.starts("bucket", KeyKind::SpanEnd, None),
        ["2026-03-01T10:00:04Z", "2026-03-01T10:00:07Z", "2026-03-01T10:00:10Z"]
    );
    let before = scene.objects("bucket");
    let again = scene.backfill(&["GX010042.MP4", "GX020042.MP4", "GX030042.MP4"], "bucket", &[]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert_eq!(scene.objects("bucket"), before);
}

#[test]
fn files_that_overlap_are_refused_before_anything_is_uploaded() {
    let scene = Scene::new();
    scene.ffmpeg(&format!("-i whole.mp4 -t 5 -c copy {CREATED}"), "part.mp4");
    scene.ffmpeg(&format!("-i whole.mp4 -vf scale=96:54 -c:v libx264 -preset ultrafast {CREATED} -f mp4"), "whole.lrv");
    scene.ffmpeg("-i whole.mp4 -c copy -metadata creation_time=2026-03-01T10:00:08Z", "later.mp4");
    std::fs::copy(scene.path("whole.mp4"), scene.path("copy.mp4")).unwrap();
    std::os::unix::fs::symlink("whole.mp4", scene.path("link.mp4")).unwrap();
    std::fs::hard_link(scene.path("whole.mp4"), scene.path("hard.mp4")).unwrap();
    for (other, words) in [
        ("part.mp4", "--start"),
        ("whole.lrv", "proxy"),
        ("later.mp4", "--camera"),
        ("./whole.mp4", "the same file"),
        ("link.mp4", "the same file"),
        ("hard.mp4", "the same file"),
        ("copy.mp4", "the same content"),
    ] {
        for files in [["whole.mp4", other], [other, "whole.mp4"]] {
            let output = scene.backfill(&files, "bucket", &[]);
            let said = said(&output);
            assert_eq!(output.status.code(), Some(1), "{other}: {said}");
            assert!(said.contains(words) && said.contains("whole.mp4") && said.contains(other), "{other}: {said}");
            assert!(!scene.path("bucket").exists() && !scene.path("bucket.spool").exists(), "{other}");
        }
    }
    // Told when it was, it is not asked.
    let output = scene.backfill(&["part.mp4", "whole.mp4"], "bucket", &["--start", "2026-03-01T09:00:00Z"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(scene.starts("bucket", KeyKind::Chunk, Some(0)), ["2026-03-01T09:00:00Z", "2026-03-01T09:00:05Z"]);
}

/// Cut anywhere, in every container: what is whole is stored, the rest comes with the rest, under the same keys.
#[test]
fn what_was_cut_short_is_completed_by_the_same_command() {
    let scene = Scene::new();
    scene.ffmpeg(&format!("-i whole.mp4 -c copy {FRAGMENTED} {CREATED}"), "fragmented.mp4");
    scene.ffmpeg(&format!("-i whole.mp4 -c copy -movflags +faststart {CREATED}"), "front.mp4");
    scene.ffmpeg(&format!("-i whole.mp4 -c copy {CREATED}"), "file.mkv");
    for name in ["fragmented.mp4", "front.mp4", "file.mkv"] {
        let whole = std::fs::read(scene.path(name)).unwrap();
        let expected = scene.undisturbed(name);
        for part in [30, 55, 80] {
            let bucket = format!("{name}-{part}");
            std::fs::write(scene.path(name), &whole[..whole.len() * part / 100]).unwrap();
            // A copy that keeps the time of the last write tells nothing of when it was made.
            let file = std::fs::File::options().append(true).open(scene.path(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(24)).unwrap();
            for _ in 0..2 {
                let output = scene.backfill(&[name], &bucket, &[]);
                assert_eq!(output.status.code(), Some(3), "{bucket}: {}", said(&output));
                assert!(said(&output).contains("unfinished"), "{bucket}: {}", said(&output));
            }
            let first = scene.objects(&bucket);
            assert!(first.iter().all(|(key, bytes)| expected.get(key) == Some(bytes)), "{bucket}: {:?}", first.keys());
            assert!(part < 50 || !first.is_empty(), "{bucket}");
            std::fs::write(scene.path(name), &whole).unwrap();
            let output = scene.backfill(&[name], &bucket, &[]);
            assert_eq!(output.status.code(), Some(0), "{bucket}: {}", said(&output));
            assert!(scene.objects(&bucket) == expected, "{bucket}");
        }
        // Nothing more will come.
        std::fs::write(scene.path(name), &whole[..whole.len() * 55 / 100]).unwrap();
        let left = scene.backfill(&[name], "left", &[]);
        let closed = scene.backfill(&[name], "left", &["--final"]);
        assert_eq!((left.status.code(), closed.status.code()), (Some(3), Some(1)), "{name}: {}", said(&closed));
        assert!(said(&closed).contains("cut short") && !said(&closed).contains("refused"), "{}", said(&closed));
        assert_eq!(scene.starts("left", KeyKind::SpanEnd, None).len(), 1, "{name}");
        std::fs::remove_dir_all(scene.path("left")).unwrap();
        std::fs::remove_dir_all(scene.path("left.spool")).unwrap();
    }
}

#[test]
fn a_file_that_grows_while_it_is_read_is_completed_by_the_same_command() {
    let scene = Scene::new();
    scene.ffmpeg(&format!("-i whole.mp4 -c copy {FRAGMENTED} {CREATED}"), "whole-fragments.mp4");
    let whole = std::fs::read(scene.path("whole-fragments.mp4")).unwrap();
    let moofs = whole.windows(4).enumerate().filter(|(_, kind)| kind == b"moof").map(|(at, _)| at - 4);
    // Between two fragments there is nothing that tells that another comes.
    let half = moofs.clone().nth(moofs.count() / 2).unwrap();
    std::fs::write(scene.path("growing.mp4"), &whole).unwrap();
    let expected = scene.undisturbed("growing.mp4");
    std::fs::write(scene.path("growing.mp4"), &whole[..half]).unwrap();
    let mut running = scene.command(&["growing.mp4"], "bucket", &[]).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while scene.objects("bucket").len() < 2 {
        assert!(
            began.elapsed() < Duration::from_secs(30) && running.try_wait().unwrap().is_none(),
            "it reads the file"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    std::fs::File::options().append(true).open(scene.path("growing.mp4")).unwrap().write_all(&whole[half..]).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let output = scene.backfill(&["growing.mp4"], "bucket", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(scene.objects("bucket") == expected);
}

/// No creation time, or one that cannot be true; and no length in the head: the frames say when it began.
#[test]
fn the_time_of_the_last_write_is_the_end() {
    let scene = Scene::new();
    let written = "2026-03-01T10:00:10Z".parse::<jiff::Timestamp>().unwrap();
    for (name, arguments) in [
        ("plain.mp4", "-map_metadata -1 -fflags +bitexact".to_owned()),
        ("fragments.mp4", format!("-map_metadata -1 -fflags +bitexact {FRAGMENTED}")),
        ("unset.mp4", format!("-metadata creation_time=2000-01-01T00:00:07Z {FRAGMENTED}")),
        ("ahead.mkv", "-metadata creation_time=2050-01-01T00:00:07Z".to_owned()),
    ] {
        scene.ffmpeg(&format!("-i whole.mp4 -c copy {arguments}"), name);
        let file = std::fs::File::options().append(true).open(scene.path(name)).unwrap();
        file.set_modified(written.into()).unwrap();
        let output = scene.backfill(&[name], name.split('.').next().unwrap(), &[]);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
        let starts = scene.starts(name.split('.').next().unwrap(), KeyKind::Chunk, Some(0));
        assert_eq!(starts, ["2026-03-01T10:00:00Z"], "{name}");
        // Nor can that be true.
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        let output = scene.backfill(&[name], "nowhere", &[]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(said(&output).contains("--start") && !scene.path("nowhere").exists(), "{name}: {}", said(&output));
    }
}
