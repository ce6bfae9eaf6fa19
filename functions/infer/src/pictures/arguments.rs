//! The arguments of ffmpeg for one chunk.
//!
//! They are passed as a list, without a shell. The demuxer is that of the container that `probe` found, so a playlist is not one.
//! Only decoders of video that cameras and recorders write are allowed, and only the protocol that the input comes by: `pipe` for
//! a chunk of ours, and `file` for any other, which has to be sought in and is opened as the number of the standard input. The one
//! reference to another file that these demuxers can follow is that of a QuickTime track (`dref`), and they are told not to.
//! Therefore ffmpeg opens no file and no address that an object names.

use super::{PICTURES_MAX, Wanted};
use framepost_events::record::{ChunkProbed, Container, Resolution};

/// The decoders that are allowed. Others have had less scrutiny.
const DECODERS: &str = "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,libaom-av1,mjpeg,mpeg4";
/// The most pixels of a coded picture. A decoder needs several times as many bytes for each reference picture.
const CODED_PIXELS_MAX: u32 = 8192 * 8192;
/// The largest ratio between width and height of a pixel, either way.
const PIXEL_ASPECT_MOST: u32 = 16;

/// Where ffmpeg reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// Its standard input is a pipe.
    Pipe,
    /// Its standard input is a file, which it opens again to seek in it.
    File,
}

/// The zero point of the times in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// The start of the chunk, because its first fragments may have been left out.
    OfChunk,
    /// The container's start, whatever time it has.
    FromStart,
}

pub(super) fn arguments(chunk: &ChunkProbed, wanted: Wanted, input: Input, times: Times, pixels: u64) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    let mut add = |arguments: &[&str]| list.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let (protocol, at) = match input {
        Input::Pipe => ("pipe", "pipe:0"),
        // Opened again by its number, a file that has no name can be sought in.
        Input::File => ("file", if cfg!(target_os = "linux") { "file:/proc/self/fd/0" } else { "file:/dev/fd/0" }),
    };
    let format = match chunk.container {
        Container::Mp4 | Container::Fmp4 => "mov",
        Container::Matroska | Container::Webm => "matroska",
    };
    add(&["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1", "-filter_threads", "1"]);
    add(&["-max_pixels", &CODED_PIXELS_MAX.to_string(), "-noautorotate"]);
    if wanted == Wanted::First || wanted == Wanted::RandomAccess {
        add(&["-skip_frame", "nokey"]);
    }
    add(&["-protocol_whitelist", protocol, "-codec_whitelist", DECODERS]);
    if times == Times::OfChunk {
        add(&["-copyts"]);
    }
    if format == "mov" {
        add(&["-enable_drefs", "0", "-use_absolute_path", "0"]);
    }
    add(&["-f", format, "-i", at]);
    add(&[
        "-map",
        "0:v:0",
        "-an",
        "-sn",
        "-dn",
        "-vf",
        &filters(&chunk.resolution, wanted, chunk.duration.seconds, pixels),
    ]);
    let most = if wanted == Wanted::First { 1 } else { PICTURES_MAX };
    add(&["-fps_mode", "passthrough", "-frames:v", &most.to_string()]);
    // PPM says of each picture how large it is.
    add(&["-f", "image2pipe", "-c:v", "ppm", "-threads", "1", "pipe:1"]);
    list
}

fn filters(shown: &Resolution, wanted: Wanted, seconds: Option<f64>, pixels: u64) -> String {
    let mut filters = Vec::new();
    match wanted {
        Wanted::First => {}
        Wanted::RandomAccess => {
            // The times of frames are rounded.
            let gap = wanted.gap(seconds).as_secs_f64() - 0.01;
            filters.push(format!("select='isnan(prev_selected_t)+gte(t-prev_selected_t,{gap})'"));
        }
        Wanted::PerSecond(_) => {
            // The first frame of each gap, counted from the start.
            let gap = wanted.gap(seconds).as_secs_f64();
            let slot = |time: &str| format!("floor({time}/{gap}+0.001)");
            let this = slot("t");
            let last = slot("prev_selected_t");
            filters.push(format!("select='isnan(prev_selected_t)+gt({this},{last})'"));
        }
    }
    if shown.mirrored == Some(true) {
        filters.push("hflip".to_owned());
    }
    match shown.rotation.unwrap_or(0) {
        0 => {}
        90 => filters.push("transpose=clock".to_owned()),
        180 => filters.push("hflip,vflip".to_owned()),
        270 => filters.push("transpose=cclock".to_owned()),
        degrees => {
            let angle = format!("{degrees}*PI/180");
            filters.push(format!("rotate=a={angle}:ow='rotw({angle})':oh='roth({angle})'"));
        }
    }
    // Pixels become square by enlarging the shorter side, then all of it shrinks to the limit.
    let sar = format!("clip(sar,1/{PIXEL_ASPECT_MOST},{PIXEL_ASPECT_MOST})");
    let shrink = format!("min(1,sqrt({pixels}/(iw*ih*max({sar},1/{sar}))))");
    let width = format!("max(1,floor(iw*max({sar},1)*{shrink}+0.001))");
    let height = format!("max(1,floor(ih*max(1/{sar},1)*{shrink}+0.001))");
    filters.push(format!("scale=w='{width}':h='{height}':flags=bicubic+accurate_rnd+full_chroma_int"));
    filters.push("format=rgb24".to_owned());
    // A line for each picture that goes out, with its time; a picture without metadata would have none.
    filters.push("metadata=mode=add:key=framepost:value=1".to_owned());
    filters.push("metadata=mode=print:key=framepost:file='pipe\\:2'".to_owned());
    filters.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_input_is_opened_by_one_thread_and_by_the_demuxer_and_the_decoders_that_were_chosen() {
        let sample = include_str!("../../../../events/samples/records/chunk-probed.json");
        let record: framepost_events::record::Record = serde_json::from_str(sample).unwrap();
        let framepost_events::record::Data::ChunkProbed(mut chunk) = record.data else { panic!("a chunk") };
        for (container, format) in [
            (Container::Mp4, "mov"),
            (Container::Fmp4, "mov"),
            (Container::Matroska, "matroska"),
            (Container::Webm, "matroska"),
        ] {
            chunk.container = container;
            for (input, protocol) in [(Input::Pipe, "pipe"), (Input::File, "file")] {
                for wanted in [Wanted::First, Wanted::RandomAccess, Wanted::PerSecond(3.0)] {
                    let list = arguments(&chunk, wanted, input, Times::FromStart, 1000);
                    let inputs: Vec<usize> = (0..list.len()).filter(|at| list[*at] == "-i").collect();
                    let [at] = inputs[..] else { panic!("{list:?}") };
                    let (before, behind) = list.split_at(at);
                    let has = |part: &[String], pair: [&str; 2]| part.windows(2).any(|found| found == pair);
                    for pair in [
                        ["-protocol_whitelist", protocol],
                        ["-codec_whitelist", DECODERS],
                        ["-threads", "1"],
                        ["-filter_threads", "1"],
                        ["-f", format],
                    ] {
                        assert!(has(before, pair), "{pair:?} before the input: {list:?}");
                    }
                    assert_eq!(has(before, ["-enable_drefs", "0"]), format == "mov", "{list:?}");
                    assert!(
                        has(behind, ["-threads", "1"]) && behind.last().is_some_and(|last| last == "pipe:1"),
                        "{list:?}"
                    );
                    assert!(behind[1].starts_with(protocol), "{list:?}");
                    // Nothing of the object is an argument, and no file is written.
                    assert!(
                        !list.iter().any(|argument| argument.contains(&chunk.object.key) || argument == "-y"),
                        "{list:?}"
                    );
                }
            }
        }
    }
}
