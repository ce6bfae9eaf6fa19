//! Serializes the boxes of a chunk (ISO/IEC 14496-12, -14, -15).
//!
//! mp4-atom writes most boxes. This module writes two kinds itself: sample entries, because the
//! decoder configuration must be stored byte for byte as the camera sent it, and `trun`, because it
//! is written for every fragment.

use crate::media::{AudioParameters, DisplayMatrix, Reference, StreamParameters, VideoCodec, VideoParameters};
use jiff::Timestamp;
use mp4_atom::{
    BufMut as _, Dinf, Dref, DrefEntry, Encode, FourCC, FragmentInfo, Ftyp, Hdlr, Matrix, Mdhd, Mehd, Mfhd, Mfra, Mfro,
    Mvhd, Pasp, Prft, ReferenceTime, Smhd, Tfdt, Tfhd, Tfra, Tkhd, Trex, Url, Vmhd,
};

/// Track id of the video.
pub(super) const VIDEO_TRACK: u32 = 1;
/// Track id of the audio.
pub(super) const AUDIO_TRACK: u32 = 2;

/// Fails if a box would be larger than its 32-bit size field allows.
pub(super) type Result<T = ()> = std::result::Result<T, mp4_atom::Error>;

/// One sample of a fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
    pub(super) composition_offset: i32,
}

/// One track's part of a fragment.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) track: u32,
    /// Decoding time of the first sample, for `tfdt` (ISO/IEC 14496-12 §8.8.12).
    pub(super) base: u64,
    pub(super) entries: Vec<Entry>,
}

/// The flag `sample_is_non_sync_sample` (ISO/IEC 14496-12 §8.8.3.1).
const NOT_SYNC: u32 = 1 << 16;

/// Returns the sample flags (ISO/IEC 14496-12 §8.8.3.1) of a frame.
///
/// Players seek only to sync samples, so the first frame of a gradual refresh is marked as one, as other
/// writers do. It is not marked as independent of other samples.
pub(super) fn sample_flags(reference: Reference) -> u32 {
    const NEEDS_NO_OTHER: u32 = 2 << 24;
    const NEEDS_OTHERS: u32 = 1 << 24;
    const NOTHING_NEEDS_IT: u32 = 2 << 22;
    match reference {
        Reference::RandomAccess => NEEDS_NO_OTHER,
        Reference::Refresh => 0,
        Reference::Needed => NEEDS_OTHERS | NOT_SYNC,
        Reference::Disposable => NEEDS_OTHERS | NOTHING_NEEDS_IT | NOT_SYNC,
    }
}

/// Returns whether decoding can begin at a sample with these flags.
pub(super) fn is_sync(flags: u32) -> bool {
    flags & NOT_SYNC == 0
}

/// Returns `ftyp` and `moov` (ISO/IEC 14496-12 §4.3 and §8.2.1). Their length does not depend on `duration`, so that they
/// can be overwritten when the chunk closes.
pub(super) fn init(parameters: &StreamParameters, timescale: u32, duration: u64) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(1024);
    let brand = |name: &[u8; 4]| FourCC::new(name);
    Ftyp {
        major_brand: brand(b"iso6"),
        minor_version: 0,
        compatible_brands: vec![brand(b"iso6"), brand(b"iso5"), brand(b"isom"), brand(b"mp41")],
    }
    .encode(&mut out)?;
    out.encode_atom(FourCC::new(b"moov"), |out| {
        let rate = 1.into();
        let volume = 1.into();
        let next_track_id = if parameters.audio.is_some() { AUDIO_TRACK + 1 } else { AUDIO_TRACK };
        Mvhd { timescale, rate, volume, next_track_id, ..Mvhd::default() }.encode(out)?;
        video_track(&parameters.video, timescale, out)?;
        if let Some(audio) = &parameters.audio {
            audio_track(audio, timescale, out)?;
        }
        out.encode_atom(FourCC::new(b"mvex"), |out| {
            Mehd { fragment_duration: duration }.encode(out)?;
            trex(VIDEO_TRACK).encode(out)?;
            parameters.audio.is_some().then(|| trex(AUDIO_TRACK)).encode(out)
        })
    })?;
    Ok(out)
}

fn trex(track_id: u32) -> Trex {
    Trex { track_id, default_sample_description_index: 1, ..Trex::default() }
}

fn video_track(video: &VideoParameters, timescale: u32, out: &mut Vec<u8>) -> Result {
    out.encode_atom(FourCC::new(b"trak"), |out| {
        // §8.3.2.3: `tkhd` has the size at which the picture is shown; the sample entry has the one in pixels.
        let (across, down) = video.pixel_aspect.filter(|(a, d)| *a > 0 && *d > 0).unwrap_or((1, 1));
        let shown = u64::from(video.width) * u64::from(across) / u64::from(down);
        Tkhd {
            track_id: VIDEO_TRACK,
            enabled: true,
            in_movie: true,
            width: u16::try_from(shown).unwrap_or(u16::MAX).into(),
            height: video.height.into(),
            matrix: matrix(video.matrix),
            ..Tkhd::default()
        }
        .encode(out)?;
        media(*b"vide", "Video", timescale, out, |out| {
            Vmhd::default().encode(out)?;
            sample_table(out, |out| visual_entry(video, out))
        })
    })
}

#[expect(clippy::many_single_char_names, reason = "the specification's")]
fn matrix(matrix: DisplayMatrix) -> Matrix {
    let [a, b, u, c, d, v, x, y, w] = matrix.values();
    Matrix { a, b, u, c, d, v, x, y, w }
}

fn audio_track(audio: &AudioParameters, timescale: u32, out: &mut Vec<u8>) -> Result {
    out.encode_atom(FourCC::new(b"trak"), |out| {
        let volume = 1.into();
        Tkhd { track_id: AUDIO_TRACK, enabled: true, in_movie: true, volume, ..Tkhd::default() }.encode(out)?;
        media(*b"soun", "Sound", timescale, out, |out| {
            Smhd::default().encode(out)?;
            sample_table(out, |out| audio_entry(audio, out))
        })
    })
}

fn media(
    handler: [u8; 4],
    name: &str,
    timescale: u32,
    out: &mut Vec<u8>,
    information: impl FnOnce(&mut Vec<u8>) -> Result,
) -> Result {
    out.encode_atom(FourCC::new(b"mdia"), |out| {
        Mdhd { timescale, language: "und".to_owned(), ..Mdhd::default() }.encode(out)?;
        Hdlr { handler: handler.into(), name: name.to_owned() }.encode(out)?;
        out.encode_atom(FourCC::new(b"minf"), information)
    })
}

/// Writes `dinf`, and an `stbl` that describes the samples and lists none: a fragmented file lists them
/// in `moof` (ISO/IEC 14496-12 §8.8.1).
fn sample_table(out: &mut Vec<u8>, entry: impl FnOnce(&mut Vec<u8>) -> Result) -> Result {
    let here = DrefEntry::Url(Url { location: String::new() });
    Dinf { dref: Dref { entries: vec![here] } }.encode(out)?;
    out.encode_atom(FourCC::new(b"stbl"), |out| {
        out.encode_atom(FourCC::new(b"stsd"), |out| {
            [0_u32, 1].as_slice().encode(out)?;
            entry(out)
        })?;
        for (name, zeros) in [(b"stts", 8), (b"stsc", 8), (b"stsz", 12), (b"stco", 8)] {
            out.encode_atom(FourCC::new(name), |out| {
                out.resize(out.len() + zeros, 0);
                Ok(())
            })?;
        }
        Ok(())
    })
}

/// Writes a VisualSampleEntry (ISO/IEC 14496-12 §12.1.3) with the decoder configuration, and `pasp` (§12.1.4) where pixels are
/// not square.
fn visual_entry(video: &VideoParameters, out: &mut Vec<u8>) -> Result {
    let (entry, configuration) = match video.codec {
        VideoCodec::H264 => (b"avc1", b"avcC"),
        VideoCodec::H265 => (b"hvc1", b"hvcC"),
    };
    out.encode_atom(FourCC::new(entry), |out| {
        [0_u16, 0, 0, 1].as_slice().encode(out)?; // reserved, data reference
        [0_u16; 8].as_slice().encode(out)?;
        [video.width, video.height].as_slice().encode(out)?;
        [0x0048_0000_u32, 0x0048_0000, 0].as_slice().encode(out)?; // 72 dpi
        1_u16.encode(out)?; // frames a sample
        [0_u8; 32].encode(out)?; // compressor's name
        [0x0018_u16, 0xffff].as_slice().encode(out)?; // depth, pre-defined
        out.encode_atom(FourCC::new(configuration), |out| {
            out.extend_from_slice(&video.config);
            Ok(())
        })?;
        let aspect = video.pixel_aspect.filter(|(across, down)| across != down && *across > 0 && *down > 0);
        aspect.map(|(h_spacing, v_spacing)| Pasp { h_spacing, v_spacing }).encode(out)
    })
}

/// Writes an AudioSampleEntry (ISO/IEC 14496-12 §12.2.3) with an `esds` (ISO/IEC 14496-14 §5.6).
fn audio_entry(audio: &AudioParameters, out: &mut Vec<u8>) -> Result {
    out.encode_atom(FourCC::new(b"mp4a"), |out| {
        [0_u16, 0, 0, 1].as_slice().encode(out)?; // reserved, data reference
        [0_u16, 0, 0, 0].as_slice().encode(out)?;
        [audio.channels, 16, 0, 0].as_slice().encode(out)?;
        // A 16.16 number. A rate above 65535 Hz does not fit and is only in the decoder configuration.
        [u16::try_from(audio.sample_rate).unwrap_or(0), 0].as_slice().encode(out)?;
        out.encode_atom(FourCC::new(b"esds"), |out| {
            0_u32.encode(out)?;
            elementary_stream(&audio.config, out);
            Ok(())
        })
    })
}

/// Writes the ES_Descriptor (ISO/IEC 14496-1 §7.2.6.5) of an AAC stream.
fn elementary_stream(config: &[u8], out: &mut Vec<u8>) {
    // Write lengths in their longest form, four groups of seven bits, so that the sums below are constant.
    let header = |tag: u8, length: usize| {
        let group = |shift: usize| u8::try_from(length >> shift & 0x7f).unwrap_or(0);
        [tag, group(21) | 0x80, group(14) | 0x80, group(7) | 0x80, group(0)]
    };
    out.extend(header(3, 3 + 5 + 13 + 5 + config.len() + 5 + 1));
    out.extend([0, 0, 0]); // id, flags
    out.extend(header(4, 13 + 5 + config.len()));
    out.extend([0x40, 0x15, 0, 0, 0]); // MPEG-4 audio, audio stream, buffer size
    out.extend([0; 8]); // bit rates, unknown
    out.extend(header(5, config.len()));
    out.extend_from_slice(config);
    out.extend(header(6, 1));
    out.push(2);
}

/// The start of a fragment: `prft`, `moof`, and the header of the `mdat` that holds the samples
/// of all runs in order.
pub(super) struct FragmentHead {
    /// All bytes before the payload of `mdat`.
    pub(super) bytes: Vec<u8>,
    /// Offset of `moof` in `bytes`.
    pub(super) moof_offset: u64,
}

/// Returns the start of fragment number `sequence`. Its `prft` (ISO/IEC 14496-12 §8.16.5) says that the sample
/// presented at `media_time` was captured at `wall`.
pub(super) fn fragment(sequence: u32, wall: Timestamp, media_time: u64, runs: &[Run]) -> Result<FragmentHead> {
    let samples: usize = runs.iter().map(|run| run.entries.len()).sum();
    let payload: u64 = runs.iter().flat_map(|run| &run.entries).map(|entry| u64::from(entry.size)).sum();
    let too_large = |_| mp4_atom::Error::TooLarge(FourCC::new(b"mdat"));
    let mdat_size = u32::try_from(payload + 8).map_err(too_large)?;
    let mut out = Vec::with_capacity(256 + samples * 16);
    let utc_time_semantics = ReferenceTime::Input;
    let reference_track_id = VIDEO_TRACK;
    Prft { reference_track_id, ntp_timestamp: ntp(wall), media_time, utc_time_semantics }.encode(&mut out)?;
    let moof_offset = out.len();
    let mut data_offsets = Vec::with_capacity(runs.len());
    out.encode_atom(FourCC::new(b"moof"), |out| {
        Mfhd { sequence_number: sequence }.encode(out)?;
        for run in runs {
            out.encode_atom(FourCC::new(b"traf"), |out| {
                // §8.8.7.1: data offsets count from the `moof`, so that a fragment can be copied to another place.
                Tfhd { track_id: run.track, default_base_is_moof: true, ..Tfhd::default() }.encode(out)?;
                Tfdt { base_media_decode_time: run.base }.encode(out)?;
                data_offsets.push(trun(run, out)?);
                Ok(())
            })?;
        }
        Ok(())
    })?;
    let mut offset = out.len() - moof_offset + 8;
    for (position, run) in data_offsets.into_iter().zip(runs) {
        let value = i32::try_from(offset).map_err(too_large)?;
        out.set_slice(position, &value.to_be_bytes());
        offset += run.entries.iter().map(|entry| entry.size as usize).sum::<usize>();
    }
    mdat_size.encode(&mut out)?;
    out.extend_from_slice(b"mdat");
    Ok(FragmentHead { bytes: out, moof_offset: moof_offset as u64 })
}

/// Writes a `trun` (ISO/IEC 14496-12 §8.8.8) with duration, size and flags of each sample, and composition
/// offsets if any is not 0. Returns the position of its data offset.
fn trun(run: &Run, out: &mut Vec<u8>) -> Result<usize> {
    const VERSION_1: u32 = 1 << 24; // signed composition offsets
    const DATA_OFFSET: u32 = 0x001;
    const DURATION: u32 = 0x100;
    const SIZE: u32 = 0x200;
    const FLAGS: u32 = 0x400;
    const COMPOSITION_OFFSET: u32 = 0x800;
    let mut position = 0;
    out.encode_atom(FourCC::new(b"trun"), |out| {
        let reordered = run.entries.iter().any(|entry| entry.composition_offset != 0);
        let offsets = if reordered { COMPOSITION_OFFSET } else { 0 };
        let count = u32::try_from(run.entries.len()).map_err(|_| mp4_atom::Error::TooLarge(FourCC::new(b"trun")))?;
        (VERSION_1 | DATA_OFFSET | DURATION | SIZE | FLAGS | offsets).encode(out)?;
        count.encode(out)?;
        position = out.len();
        0_u32.encode(out)?;
        for entry in &run.entries {
            [entry.duration, entry.size, entry.flags].as_slice().encode(out)?;
            if reordered {
                entry.composition_offset.encode(out)?;
            }
        }
        Ok(())
    })?;
    Ok(position)
}

/// Returns `mfra` (ISO/IEC 14496-12 §8.8.9) with these random access samples.
///
/// A track without any is left out, because a table without entries means that every sample
/// is a sync sample (§8.8.10.3).
pub(super) fn mfra(tables: &[(u32, Vec<FragmentInfo>)]) -> Result<Vec<u8>> {
    let tables = tables.iter().filter(|(_, entries)| !entries.is_empty());
    let tfra: Vec<Tfra> =
        tables.map(|(track_id, entries)| Tfra { track_id: *track_id, entries: entries.clone() }).collect();
    let mut out = Vec::new();
    Mfra { tfra: tfra.clone(), mfro: Mfro::default() }.encode(&mut out)?;
    // The last four bytes, in `mfro`, hold the length of the whole `mfra` (ISO/IEC 14496-12 §8.8.11).
    let size = u32::try_from(out.len()).map_err(|_| mp4_atom::Error::TooLarge(FourCC::new(b"mfra")))?;
    let at = out.len() - 4;
    out.set_slice(at, &size.to_be_bytes());
    Ok(out)
}

/// Converts to NTP's 64-bit format (RFC 5905 §6): seconds since 1900, and a fraction in units of 2⁻³² s.
pub(super) fn ntp(wall: Timestamp) -> u64 {
    let nanos = wall.as_nanosecond() + NTP_TO_UNIX_SECONDS * 1_000_000_000;
    let seconds = nanos.div_euclid(1_000_000_000);
    let nanos = nanos.rem_euclid(1_000_000_000);
    // Round up: the conversion back rounds down and then gives the same nanosecond. The era is lost.
    let fraction = ((nanos << 32) + 999_999_999) / 1_000_000_000;
    u64::try_from(((seconds << 32) + fraction) & i128::from(u64::MAX)).unwrap_or(0)
}

/// Converts an NTP time in the era from 1968 to 2104.
pub(super) fn wall_of_ntp(ntp: u64) -> Option<Timestamp> {
    let seconds = i128::from(ntp >> 32);
    let era = if seconds < 1 << 31 { 1_i128 << 32 } else { 0 };
    let nanos = (i128::from(ntp & 0xffff_ffff) * 1_000_000_000) >> 32;
    Timestamp::from_nanosecond((seconds + era - NTP_TO_UNIX_SECONDS) * 1_000_000_000 + nanos).ok()
}

/// Seconds from 1900 to 1970.
const NTP_TO_UNIX_SECONDS: i128 = 2_208_988_800;
