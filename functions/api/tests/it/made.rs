//! Chunks as a gateway writes them: small fragmented MP4s, signed and chained.

use framepost_events::attributes::Attributes;
use framepost_events::manifest::{Manifest, ManifestSigner};
use framepost_events::record::{Data, Record};
use framepost_events::{KeyKind, ObjectKey, Sha256};
use framepost_media::boxes::boxed;
use framepost_ports::catalog::CameraName;
use framepost_ports::contract::Footage;
use framepost_ports::memory::MemoryBucket;
use jiff::{SignedDuration, Timestamp};

pub(crate) const SECONDS: i64 = 3;
const TIMESCALE: u32 = 90_000;

fn numbers(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

/// `ftyp` and `moov`. Chunks with another `entry` have other sample entries.
fn init(entry: u8) -> Vec<u8> {
    let movie_header = boxed(*b"mvhd", &[&numbers(&[0, 0, 0, 1000, 0]), &[0; 80]]);
    let tkhd = boxed(*b"tkhd", &[&numbers(&[3, 0, 0, 1, 0, 0]), &[0; 60]]);
    let mdhd = boxed(*b"mdhd", &[&numbers(&[0, 0, 0, TIMESCALE, 0, 0])]);
    let hdlr = boxed(*b"hdlr", &[&[0; 8], b"vide", &[0; 13]]);
    let stsd = boxed(*b"stsd", &[&[entry; 40]]);
    let minf = boxed(*b"minf", &[&boxed(*b"stbl", &[&stsd])]);
    let trak = boxed(*b"trak", &[&tkhd, &boxed(*b"mdia", &[&mdhd, &hdlr, &minf])]);
    let mvex = boxed(*b"mvex", &[&boxed(*b"trex", &[&numbers(&[0, 1, 1, 0, 0, 0])])]);
    let moov = boxed(*b"moov", &[&movie_header, &trak, &mvex]);
    [boxed(*b"ftyp", &[b"iso6", &[0; 4], b"iso6"]), moov].concat()
}

/// Bytes of the second picture of each fragment, which does not decode by itself.
pub(crate) const SECOND_BYTES: usize = 1_000;
/// Bytes of a fragment before its first picture.
pub(crate) const MOOF_BYTES: usize = 112;

/// A fragment of one second with two pictures, the `n`th of its chunk.
fn fragment(n: u32, data: &[u8]) -> Vec<u8> {
    let mfhd = boxed(*b"mfhd", &[&numbers(&[0, n + 1])]);
    let tfhd = boxed(*b"tfhd", &[&numbers(&[0x02_0000, 1])]);
    let tfdt = boxed(*b"tfdt", &[&[1, 0, 0, 0], &u64::from(n * TIMESCALE).to_be_bytes()]);
    let [first, second] = [data.len() - SECOND_BYTES, SECOND_BYTES].map(|size| u32::try_from(size).unwrap());
    let offset = u32::try_from(MOOF_BYTES).unwrap();
    let half = TIMESCALE / 2;
    let trun = boxed(*b"trun", &[&numbers(&[0x0301, 2, offset, half, first, half, second])]);
    let moof = boxed(*b"moof", &[&mfhd, &boxed(*b"traf", &[&tfhd, &tfdt, &trun])]);
    assert_eq!(moof.len() + 8, MOOF_BYTES);
    [moof, boxed(*b"mdat", &[data])].concat()
}

/// The index of fragments that begin at these offsets, a second after each other, and something that only this camera has.
fn index(fragments: &[usize], camera: &CameraName) -> Vec<u8> {
    let mut tfra = numbers(&[0x0100_0000, 1, 0, u32::try_from(fragments.len()).unwrap()]);
    for (n, at) in (0..).zip(fragments) {
        tfra.extend((n * u64::from(TIMESCALE)).to_be_bytes());
        tfra.extend((*at as u64).to_be_bytes());
        tfra.extend([1, 1, 1]);
    }
    boxed(*b"mfra", &[&boxed(*b"tfra", &[&tfra]), &boxed(*b"free", &[&[seed_of(camera); 20]])])
}

/// Makes the chunks of a camera, one after the other.
pub(crate) struct Gateway {
    pub(crate) signer: ManifestSigner,
    footage: Footage,
}

impl Gateway {
    pub(crate) fn new() -> Self {
        Self { signer: ManifestSigner::from_secret(&[5; 32]), footage: Footage::new(7) }
    }

    pub(crate) fn start() -> Timestamp {
        Footage::new(7).start()
    }

    /// A span of chunks from `at_s` seconds on, written into `bucket`, with their records.
    pub(crate) fn span(
        &mut self,
        bucket: &MemoryBucket,
        camera: &CameraName,
        at_s: i64,
        chunks: u64,
        entry: u8,
    ) -> Vec<Record> {
        let mut previous = None;
        let mut records = Vec::new();
        for counter in 0..chunks {
            let ms = (at_s + SECONDS * i64::try_from(counter).unwrap()) * 1000;
            let mut record = self.footage.chunk(camera, ms, counter, "1").remove(0);
            let Data::ChunkProbed(chunk) = &mut record.data else { unreachable!("a chunk was made") };
            let from = Self::start() + SignedDuration::from_millis(ms);
            let to = from + SignedDuration::from_secs(SECONDS);
            let init = init(entry);
            let mut media = Vec::new();
            let mut fragments = Vec::new();
            for n in 0..3 {
                fragments.push(init.len() + media.len());
                let seed = u8::try_from((ms / 1000 + i64::from(n)) % 251).unwrap();
                media.extend(fragment(n, &vec![seed; 5_000 + usize::from(seed)]));
            }
            let bytes = [&init[..], &media, &index(&fragments, camera)].concat();
            let key = ObjectKey::new(camera.site.clone(), camera.camera.clone(), from, counter, KeyKind::Chunk);
            let key = key.to_string();
            let mut attributes = Attributes {
                from: Some(from),
                to: Some(to),
                sha256: Some(Sha256::of(&bytes)),
                previous,
                key_id: Some(self.signer.key_id().to_owned()),
                ..Attributes::default()
            };
            let manifest = Manifest::claimed(&key, bytes.len() as u64, &attributes).unwrap();
            attributes.signature = Some(self.signer.sign(&manifest));
            previous = Some(manifest.digest());
            chunk.size_bytes = bytes.len() as u64;
            chunk.init_bytes = Some(init.len() as u64);
            chunk.media_end = Some((init.len() + media.len()) as u64);
            chunk.sample_entry_digest = Some(Sha256::of(&[entry]));
            bucket.insert(&key, "video/mp4", attributes.to_metadata().unwrap(), bytes);
            records.push(record);
        }
        records
    }
}

fn seed_of(camera: &CameraName) -> u8 {
    camera.camera.as_str().bytes().fold(0, u8::wrapping_add)
}
