//! Hostile chunks, and programs that hang, flood or die in place of ffmpeg.

use crate::damaged::small_chunk;
use crate::support::pretender::Pretender;
use crate::support::{FRAGMENTED, Object, chunk, ffmpeg, footage};
use framepost_events::record::Container;
use framepost_infer::pictures::{Decoder, Limits, PicturesError, Wanted, pictures};
use std::time::{Duration, Instant};

/// How long the programs here would run that nobody ends.
const LEFT_ALONE: Duration = Duration::from_secs(1000);
/// Limits for programs that do not end.
const SHORT: Limits = with_decoding(Duration::from_secs(1));
/// Limits for programs that end, so that nobody ends them on a busy machine.
const LONG: Limits = with_decoding(Duration::from_secs(200));

const fn with_decoding(decoding: Duration) -> Limits {
    Limits { decoding, memory_bytes: 1 << 30, pixels: 4096 * 4096, read_bytes: 256 << 20 }
}

#[tokio::test]
async fn whatever_the_program_does_it_ends_in_time_and_nothing_of_it_remains() {
    let Some(bytes) = small_chunk() else { return };
    let chunk = chunk(&bytes, Container::Fmp4, 1.0);
    let picture = r"printf 'P6\n2 1\n255\nabcdef'";
    let time = "echo 'frame:0    pts:0       pts_time:0.5' >&2";
    for (name, script, expected) in [
        ("hangs", "cat > /dev/null; sleep 1000".to_owned(), "time"),
        ("hangs without reading", "sleep 1000".to_owned(), "time"),
        ("hangs with children", "sleep 1000 & sleep 1000 & wait".to_owned(), "time"),
        ("closes everything and hangs", "exec >&- 2>&-; exec sleep 1000".to_owned(), "machine"),
        ("counts for ever", "while :; do :; done".to_owned(), "time"),
        ("floods the output", "exec cat /dev/zero".to_owned(), "none"),
        ("floods the output with pictures", format!("while :; do {picture}; done"), "none"),
        ("floods the complaints", "exec cat /dev/zero >&2".to_owned(), "time"),
        ("dies", "exit 1".to_owned(), "none"),
        ("dies by a signal", "kill -SEGV $$".to_owned(), "none"),
        ("is killed", "kill -KILL $$".to_owned(), "machine"),
        ("says nothing", "cat > /dev/null".to_owned(), "none"),
        ("says less than a picture", r"printf 'P6\n20 10\n255\nabc'".to_owned(), "none"),
        ("says a huge picture", r"printf 'P6\n65535 65535\n255\nabc'".to_owned(), "none"),
        ("a picture without a time", picture.to_owned(), "none"),
        ("writes a file", "cat > /dev/null; echo x > \"$0.written\"; exit 1".to_owned(), "none"),
        ("a picture, and dies", format!("{picture}; {time}; exit 1"), "picture"),
        ("a picture", format!("cat > /dev/null; {picture}; {time}"), "picture"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let pretender = Pretender::new(dir.path(), &script);
        // Who does not end by itself meets the limit soon; a busy machine must not bring the others there.
        let limits = if expected == "time" { SHORT } else { LONG };
        let decoder = Decoder::new(&pretender.program, limits);
        let begun = Instant::now();
        let result = pictures(&Object::of(bytes.clone()), &decoder, &chunk, Wanted::First).await;
        let told = match &result {
            Ok(pictures) if pictures.len() == 1 => "picture",
            Ok(_) => "pictures",
            Err(PicturesError::Limit(_)) => "time",
            Err(PicturesError::None(_)) => "none",
            Err(PicturesError::Machine(_)) => "machine",
            Err(PicturesError::Read(_)) => "read",
        };
        assert_eq!(told, expected, "{name}: {result:?}");
        assert!(begun.elapsed() < LEFT_ALONE / 10, "{name}: {:?}", begun.elapsed());
        pretender.is_gone(name).await;
        assert_eq!(pretender.written(), 0, "{name}");
    }
    let missing = Decoder::new("/nowhere/ffmpeg", LONG);
    let result = pictures(&Object::of(bytes.clone()), &missing, &chunk, Wanted::First).await;
    assert!(matches!(result, Err(PicturesError::Machine(_))));
}

/// The clock is simulated: it stands while something is done, and goes on at once to the next limit when nothing is.
#[tokio::test(start_paused = true)]
async fn a_program_that_hangs_is_ended_at_its_limit_of_time() {
    let Some(bytes) = small_chunk() else { return };
    let chunk = chunk(&bytes, Container::Fmp4, 1.0);
    for script in ["cat > /dev/null; sleep 1000", "sleep 1000", "sleep 1000 & sleep 1000 & wait"] {
        let dir = tempfile::tempdir().unwrap();
        let pretender = Pretender::new(dir.path(), script);
        let begun = tokio::time::Instant::now();
        let decoder = Decoder::new(&pretender.program, SHORT);
        let result = pictures(&Object::of(bytes.clone()), &decoder, &chunk, Wanted::First).await;
        assert!(matches!(result, Err(PicturesError::Limit("time"))), "{script}: {result:?}");
        // By the clock three times the processor time, and then up to ten seconds until it is reaped.
        let least = SHORT.decoding * 3;
        let most = least + Duration::from_secs(10);
        assert!((least..=most).contains(&begun.elapsed()), "{script}: {:?}", begun.elapsed());
        pretender.is_gone(script).await;
    }
}

#[tokio::test]
async fn who_gives_up_leaves_no_process() {
    let Some(bytes) = small_chunk() else { return };
    let dir = tempfile::tempdir().unwrap();
    let started = dir.path().join("started");
    let pretender = Pretender::new(dir.path(), &format!("mkdir {}; sleep 1000 & sleep 1000", started.display()));
    let decoder = Decoder::new(&pretender.program, Limits::default());
    let chunk = chunk(&bytes, Container::Fmp4, 1.0);
    let object = Object::of(bytes);
    let given_up = async {
        while !started.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        result = pictures(&object, &decoder, &chunk, Wanted::First) => panic!("{result:?}"),
        () = given_up => {}
    }
    pretender.is_gone("given up").await;
}

#[tokio::test]
async fn a_picture_of_16_k_in_few_bytes_takes_bounded_memory() {
    let (Some(program), true) = (ffmpeg(), cfg!(target_os = "linux")) else { return };
    let arguments =
        [&["-c:v", "mjpeg", "-q:v", "31", "-pix_fmt", "yuvj420p", "-frames:v", "1"][..], &FRAGMENTED].concat();
    let Some(bytes) = footage("color=gray:s=16000x16000:r=1:d=1", &arguments, "a.mp4") else { return };
    let chunk = chunk(&bytes, Container::Fmp4, 1.0);
    let begun = Instant::now();
    let refused =
        pictures(&Object::of(bytes.clone()), &Decoder::new(&program, Limits::default()), &chunk, Wanted::First).await;
    assert!(matches!(refused, Err(PicturesError::None(_))), "{refused:?}");
    // A picture that may be decoded takes more memory than there is.
    let large = footage("color=gray:s=8000x8000:r=1:d=1", &arguments, "a.mp4").unwrap();
    let chunk = crate::support::chunk(&large, Container::Fmp4, 1.0);
    let little = Limits { memory_bytes: 300 << 20, ..Limits::default() };
    let refused = pictures(&Object::of(large.clone()), &Decoder::new(&program, little), &chunk, Wanted::First).await;
    assert!(refused.is_err(), "{refused:?}");
    let enough =
        pictures(&Object::of(large), &Decoder::new(&program, Limits::default()), &chunk, Wanted::First).await.unwrap();
    assert_eq!((enough[0].width(), enough[0].height()), (4096, 4096), "shrunk to the limit");
    println!("{} bytes of 16000 x 16000 pixels: {:?}", bytes.len(), begun.elapsed());
}

/// A picture of 15360 x 8640 pixels, for which libaom needs 2.1 GiB. It was made by
///
/// ```text
/// ffmpeg -f lavfi -i color=gray:s=15360x8640:r=1:d=1 -pix_fmt yuv420p -c:v libaom-av1 -usage realtime -cpu-used 7 -crf 63 -b:v 0
///        -aom-params sb-size=128:enable-cdef=0:enable-restoration=0 -frames:v 1 -fflags +bitexact -map_metadata -1 16k.mkv
/// ```
const BOMB: &[u8] = include_bytes!("data/16k.mkv");

#[tokio::test]
async fn a_picture_of_16_k_in_two_kilobytes_is_refused_before_it_takes_memory() {
    let (Some(ffmpeg), true) = (ffmpeg(), cfg!(target_os = "linux")) else { return };
    assert!(BOMB.len() <= 2048, "{}", BOMB.len());
    let dir = tempfile::tempdir().unwrap();
    // It becomes ffmpeg, so that its process is known.
    let pretender = Pretender::new(dir.path(), &format!("exec {} \"$@\"", ffmpeg.display()));
    let decoder = Decoder::new(&pretender.program, Limits { decoding: LONG.decoding, ..Limits::default() });
    let chunk = chunk(BOMB, Container::Matroska, 1.0);
    let object = Object::of(BOMB);
    let looked = pictures(&object, &decoder, &chunk, Wanted::First);
    let peak_kib = std::sync::atomic::AtomicU64::new(0);
    let watching = async {
        loop {
            let status = |id: &u32| std::fs::read_to_string(format!("/proc/{id}/status")).ok();
            let peak = |status: String| {
                let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().to_owned();
                line.strip_suffix(" kB")?.parse::<u64>().ok()
            };
            let now = pretender.started().iter().filter_map(status).filter_map(peak).max().unwrap_or(0);
            peak_kib.fetch_max(now, std::sync::atomic::Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let refused = tokio::select! {
        refused = looked => refused,
        () = watching => unreachable!("it goes on"),
    };
    let Err(PicturesError::None(why)) = refused else { panic!("{refused:?}") };
    let peak_mib = peak_kib.into_inner() / 1024;
    println!("{} bytes of 15360 x 8640 pixels: at most {peak_mib} MiB resident; {why}", BOMB.len());
    assert!((1..200).contains(&peak_mib), "{peak_mib} MiB: {why}");
    // It names the most pixels that a coded picture may have, so it is that limit which is met.
    assert!(why.contains(&(8192 * 8192).to_string()), "{why}");
}
