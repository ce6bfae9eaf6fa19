//! Chunks with flipped bits, by the way that chunks take: probed, read, decoded.
//!
//! A thousand are probed and read. ffmpeg decodes each fourth of them, because loading its libraries takes six sevenths of the 90 ms
//! that a process of it takes here. `FRAMEPOST_DAMAGED=0..1000` has it decode all of a range.

use crate::support::{FRAGMENTED, Object, chunk, decoder, footage};
use bytes::Bytes;
use framepost_events::ObjectFinalized;
use framepost_events::finalized::Provider;
use framepost_events::record::{ChunkProbed, Container, Data};
use framepost_infer::pictures::{Decoder, Limits, PICTURES_MAX, PicturesError, Wanted, find_program, pictures};
use framepost_media::boxes::children;
use framepost_probe::{ProbeSettings, inspect};
use std::ops::Range;
use std::time::Instant;

/// The damaged chunks, by the seeds of their damage.
const DAMAGED: Range<u64> = 0..1000;
/// One of so many is decoded.
const DECODED: u64 = 4;
/// So many are worked on at a time.
const AT_ONCE: usize = 8;

/// What became of damaged chunks.
#[derive(Debug, Default)]
struct Counts {
    chunks: usize,
    /// How many `probe` accepts.
    probed: usize,
    /// How many of those that were decoded had pictures, had none, or met a limit.
    pictures: usize,
    none: usize,
    limit: usize,
}

/// Ten small pictures in two fragments.
pub(crate) fn small_chunk() -> Option<Bytes> {
    let arguments = [&["-c:v", "libx264", "-g", "5", "-pix_fmt", "yuv420p"][..], &FRAGMENTED].concat();
    footage("testsrc2=s=160x90:r=10:d=1", &arguments, "a.mp4")
}

/// Where everything is but the coded pictures.
fn structure(bytes: &Bytes) -> Vec<usize> {
    let mut is_picture = vec![false; bytes.len()];
    for (_, body) in children(bytes).filter(|(kind, _)| *kind == b"mdat") {
        let from = body.as_ptr() as usize - bytes.as_ptr() as usize;
        is_picture[from..from + body.len()].fill(true);
    }
    (0..bytes.len()).filter(|at| !is_picture[*at]).collect()
}

/// Flips up to twenty bits: of an odd seed anywhere, of an even one in the structure.
fn damaged(bytes: &Bytes, structure: &[usize], seed: u64) -> Bytes {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut damaged = bytes.to_vec();
    for _ in 0..random.usize(1..20) {
        let at = if seed % 2 == 1 { random.usize(..bytes.len()) } else { structure[random.usize(..structure.len())] };
        damaged[at] ^= 1 << random.u8(..8);
    }
    damaged.into()
}

/// What `probe` says of the chunk, if it accepts it.
pub(crate) async fn probed(object: &Object, whole: &ChunkProbed) -> Option<ChunkProbed> {
    let event = ObjectFinalized {
        provider: Provider::Local,
        bucket: whole.object.bucket.clone(),
        key: whole.object.key.clone(),
        version: whole.object.version.clone(),
        size: None,
        time: "2026-11-21T02:00:00Z".parse().unwrap(),
        media_link: None,
        region: None,
        read_version: None,
    };
    match inspect(object, &event, &ProbeSettings::default()).await.unwrap() {
        Data::ChunkProbed(chunk) => Some(*chunk),
        Data::ObjectRejected(_) => None,
        other => panic!("{other:?}"),
    }
}

/// The seeds that the operator of the test asks for.
fn asked() -> Option<Range<u64>> {
    let text = std::env::var("FRAMEPOST_DAMAGED").ok()?;
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    Some(range.unwrap_or_else(|| panic!("FRAMEPOST_DAMAGED={text:?}: expected 0..1000")))
}

#[tokio::test]
async fn of_a_thousand_damaged_chunks_none_does_harm() {
    let (Some(bytes), Some(decoder)) = (small_chunk(), decoder()) else { return };
    let whole = chunk(&bytes, Container::Fmp4, 1.0);
    let structure = structure(&bytes);
    // It reads nothing and says nothing: what a chunk costs without ffmpeg.
    let mute = Decoder::new(find_program("true", std::env::var_os("PATH")).unwrap(), Limits::default());
    let one = async |seed: u64, counts: &mut Counts, is_decoded: bool| {
        let bytes = damaged(&bytes, &structure, seed);
        // A gateway's chunk has the table of its fragments in its metadata, too, with the same damage.
        let object = if (seed / 8).is_multiple_of(2) { Object::of_gateway(bytes, &whole) } else { Object::of(bytes) };
        let probed = probed(&object, &whole).await;
        counts.chunks += 1;
        counts.probed += usize::from(probed.is_some());
        // What `probe` refuses does not come here. If it did, it would do no harm either.
        let chunk = probed.as_ref().unwrap_or(&whole);
        let read = pictures(&object, &mute, chunk, Wanted::RandomAccess).await;
        assert!(matches!(read, Err(PicturesError::None(_))), "seed {seed}: {read:?}");
        if !is_decoded {
            return;
        }
        match pictures(&object, &decoder, chunk, Wanted::RandomAccess).await {
            Ok(pictures) => {
                assert!(pictures.len() <= PICTURES_MAX, "seed {seed}: {}", pictures.len());
                counts.pictures += 1;
            }
            Err(PicturesError::None(_)) => counts.none += 1,
            Err(PicturesError::Limit(_)) => counts.limit += 1,
            Err(error) => panic!("seed {seed}: {error:?}"),
        }
    };
    let asked = asked();
    let seeds: Vec<u64> = asked.clone().unwrap_or(DAMAGED).collect();
    let begun = Instant::now();
    let mut all = Counts::default();
    for seeds in seeds.chunks(AT_ONCE * 4) {
        let lanes = seeds.chunks(seeds.len().div_ceil(AT_ONCE)).map(async |seeds| {
            let mut counts = Counts::default();
            for seed in seeds {
                // Not always those of one kind.
                let is_decoded = asked.is_some() || (seed + seed / DECODED).is_multiple_of(DECODED);
                one(*seed, &mut counts, is_decoded).await;
            }
            counts
        });
        for counts in futures::future::join_all(lanes).await {
            all.chunks += counts.chunks;
            all.probed += counts.probed;
            all.pictures += counts.pictures;
            all.none += counts.none;
            all.limit += counts.limit;
        }
    }
    println!("damaged: {all:?}, in {:?}", begun.elapsed());
    let decoded = all.pictures + all.none + all.limit;
    assert_eq!((all.chunks, decoded), (seeds.len(), if asked.is_some() { seeds.len() } else { 250 }));
    assert!(all.probed > 0 && all.probed < all.chunks && all.pictures > 0);
    assert!(all.limit * 25 < decoded.max(25), "{all:?}");
}
