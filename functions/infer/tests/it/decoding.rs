//! Pictures of every codec and container, upright, square, in the right colours, at the right times.

use crate::support::{FRAGMENTED, Object, chunk, decoder, footage};
use bytes::Bytes;
use framepost_events::record::{ChunkProbed, Container};
use framepost_infer::pictures::{Decoder, Limits, PicturesError, Wanted, pictures};
use framepost_ports::Picture;

async fn decode(bytes: &Bytes, chunk: &ChunkProbed, wanted: Wanted) -> Result<Vec<Picture>, PicturesError> {
    let decoder = decoder().unwrap();
    pictures(&Object::of(bytes.clone()), &decoder, chunk, wanted).await
}

fn offsets(pictures: &[Picture]) -> Vec<u128> {
    pictures.iter().map(|picture| picture.offset().as_millis()).collect()
}

/// The mean of each colour in the middle of a part of the picture.
fn colour(picture: &Picture, x: f64, y: f64) -> [u8; 3] {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the picture")]
    let at = |fraction: f64, side: u32| (fraction * f64::from(side)) as usize;
    let row = picture.row(u32::try_from(at(y, picture.height())).unwrap());
    row[at(x, picture.width()) * 3..][..3].try_into().unwrap()
}

#[tokio::test]
async fn every_codec_and_container_gives_pictures() {
    if decoder().is_none() {
        return;
    }
    let h264 = ["-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p"];
    let h265 = ["-c:v", "libx265", "-x265-params", "keyint=10:min-keyint=10:log-level=none", "-tag:v", "hvc1"];
    let vp9 = ["-c:v", "libvpx-vp9", "-g", "10", "-deadline", "realtime", "-cpu-used", "8"];
    let av1 = ["-c:v", "libsvtav1", "-g", "10", "-preset", "12"];
    let mjpeg = ["-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"];
    let fragmented = |codec: &[&'static str]| [codec, &FRAGMENTED].concat();
    for (name, arguments, file, container) in [
        ("H.264, fragmented", fragmented(&h264), "a.mp4", Container::Fmp4),
        ("H.264, index at the end", h264.to_vec(), "a.mp4", Container::Mp4),
        ("H.264 in Matroska", h264.to_vec(), "a.mkv", Container::Matroska),
        ("H.265", fragmented(&h265), "a.mp4", Container::Fmp4),
        ("VP9", vp9.to_vec(), "a.webm", Container::Webm),
        ("AV1", fragmented(&av1), "a.mp4", Container::Fmp4),
        ("MJPEG", fragmented(&mjpeg), "a.mp4", Container::Fmp4),
        ("MJPEG in Matroska", mjpeg.to_vec(), "a.mkv", Container::Matroska),
    ] {
        let source = "testsrc2=s=320x180:r=10:d=3";
        let Some(bytes) = footage(source, &arguments, file) else { continue };
        let chunk = chunk(&bytes, container, 3.0);
        for (wanted, expected) in [(Wanted::PerSecond(2.0), 6), (Wanted::First, 1)] {
            let decoded = decode(&bytes, &chunk, wanted).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(decoded.len(), expected, "{name}, {wanted}: {:?}", offsets(&decoded));
            assert!(decoded.iter().all(|picture| (picture.width(), picture.height()) == (320, 180)), "{name}");
        }
        let keys = decode(&bytes, &chunk, Wanted::RandomAccess).await.unwrap();
        assert!((3..=6).contains(&keys.len()), "{name}: {:?}", offsets(&keys));
        assert_eq!(keys[0].offset().as_millis(), 0, "{name}");
    }
}

#[tokio::test]
async fn a_chunk_of_ours_takes_two_requests_and_only_the_wanted_fragments() {
    let Some(decoder) = decoder() else { return };
    let arguments = [
        &["-c:v", "libx264", "-bf", "0", "-g", "10", "-sc_threshold", "0", "-b:v", "8M", "-pix_fmt", "yuv420p"][..],
        &FRAGMENTED,
    ]
    .concat();
    let noise = "testsrc2=s=640x360:r=10:d=6,noise=alls=60:allf=t";
    let bytes = footage(noise, &arguments, "a.mp4").unwrap();
    let chunk = chunk(&bytes, Container::Fmp4, 6.0);
    let read = async |wanted| {
        let object = Object::of_gateway(bytes.clone(), &chunk);
        let decoded = pictures(&object, &decoder, &chunk, wanted).await.unwrap();
        let requests = object.requests();
        assert!(requests.len() <= 2, "{wanted}: {requests:?}");
        (offsets(&decoded), requests.iter().map(|range| range.len).sum::<u64>())
    };
    let (first, few) = read(Wanted::First).await;
    assert_eq!(first, [0]);
    assert!(few < chunk.size_bytes / 2, "{few} of {}", chunk.size_bytes);
    assert_eq!(read(Wanted::RandomAccess).await.0, [0, 1000, 2000, 3000, 4000, 5000]);
    let (times, all) = read(Wanted::PerSecond(2.0)).await;
    assert_eq!(times, (0..12).map(|n| n * 500).collect::<Vec<_>>());
    assert_eq!(all, chunk.media_end.unwrap());
}

#[tokio::test]
async fn pictures_are_upright_with_square_pixels() {
    if decoder().is_none() {
        return;
    }
    // The left half is red, the right half blue.
    let source = "color=red:s=160x120:r=5:d=1[a];color=blue:s=160x120:r=5:d=1[b];[a][b]hstack,setsar=2/1";
    let arguments = [&["-c:v", "libx264", "-pix_fmt", "yuv420p"][..], &FRAGMENTED].concat();
    let bytes = footage(source, &arguments, "a.mp4").unwrap();
    let is_red = |[red, _, blue]: [u8; 3]| red > blue;
    for (rotation, mirrored, size, left_or_top_is_red, along) in [
        (None, None, (640, 120), true, "x"),
        (Some(180), None, (640, 120), false, "x"),
        (None, Some(true), (640, 120), false, "x"),
        (Some(90), None, (120, 640), true, "y"),
        (Some(270), None, (120, 640), false, "y"),
        (Some(90), Some(true), (120, 640), false, "y"),
    ] {
        let mut chunk = chunk(&bytes, Container::Fmp4, 1.0);
        chunk.resolution.rotation = rotation;
        chunk.resolution.mirrored = mirrored;
        let decoded = decode(&bytes, &chunk, Wanted::First).await.unwrap();
        let picture = &decoded[0];
        assert_eq!((picture.width(), picture.height()), size, "{rotation:?} {mirrored:?}");
        let (first, last) = if along == "x" { ((0.1, 0.5), (0.9, 0.5)) } else { ((0.5, 0.1), (0.5, 0.9)) };
        let found = (is_red(colour(picture, first.0, first.1)), is_red(colour(picture, last.0, last.1)));
        assert_eq!(found, (left_or_top_is_red, !left_or_top_is_red), "{rotation:?} {mirrored:?}");
    }
    let mut odd = chunk(&bytes, Container::Fmp4, 1.0);
    odd.resolution.rotation = Some(45);
    assert_eq!(decode(&bytes, &odd, Wanted::First).await.unwrap().len(), 1);
}

/// Red, green and blue of a pixel by Rec. ITU-R BT.601-7 §3.5 and BT.709-6 §3, from their weights of red and blue.
fn reference([y, cb, cr]: [f64; 3], (red, blue): (f64, f64), full: bool) -> [f64; 3] {
    let (black, luma, chroma) = if full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
    let [y, cb, cr] = [(y - black) / luma, (cb - 128.0) / chroma, (cr - 128.0) / chroma];
    let r = y + 2.0 * (1.0 - red) * cr;
    let b = y + 2.0 * (1.0 - blue) * cb;
    [r, (y - red * r - blue * b) / (1.0 - red - blue), b].map(|value| (value * 255.0).clamp(0.0, 255.0))
}

#[tokio::test]
async fn range_and_matrix_are_those_of_the_stream() {
    if decoder().is_none() {
        return;
    }
    let bt601 = (0.299, 0.114);
    let bt709 = (0.2126, 0.0722);
    for (matrix, range, weights, full) in [
        ("bt709", "tv", bt709, false),
        ("bt709", "pc", bt709, true),
        ("smpte170m", "tv", bt601, false),
        ("smpte170m", "pc", bt601, true),
    ] {
        for ycc in [[90.0, 110.0, 170.0], [180.0, 90.0, 120.0], [40.0, 150.0, 120.0], [200.0, 128.0, 128.0]] {
            let [y, cb, cr] = ycc;
            let source = format!("color=gray:s=64x64:r=5:d=1,format=yuv420p,geq=lum={y}:cb={cb}:cr={cr}");
            let arguments = ["-c:v", "libx264", "-qp", "1", "-colorspace", matrix, "-color_range", range];
            let bytes = footage(&source, &[&arguments[..], &FRAGMENTED].concat(), "a.mp4").unwrap();
            let decoded = decode(&bytes, &chunk(&bytes, Container::Fmp4, 1.0), Wanted::First).await.unwrap();
            let found = colour(&decoded[0], 0.5, 0.5).map(f64::from);
            let expected = reference(ycc, weights, full);
            let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst <= 3.0, "{matrix} {range} {ycc:?}: {found:?}, expected {expected:?}");
        }
    }
}

#[tokio::test]
async fn many_or_large_pictures_are_shrunk_to_the_limit() {
    let Some(program) = crate::support::ffmpeg() else { return };
    let arguments = [&["-c:v", "libx264", "-g", "5", "-pix_fmt", "yuv420p"][..], &FRAGMENTED].concat();
    let bytes = footage("testsrc2=s=640x360:r=10:d=3", &arguments, "a.mp4").unwrap();
    let limits = Limits { pixels: 100_000, ..Limits::default() };
    let decoder = Decoder::new(program, limits);
    let chunk = chunk(&bytes, Container::Fmp4, 3.0);
    for wanted in [Wanted::First, Wanted::RandomAccess, Wanted::PerSecond(10.0), Wanted::PerSecond(30.0)] {
        let decoded = pictures(&Object::of(bytes.clone()), &decoder, &chunk, wanted).await.unwrap();
        let pixels: u64 = decoded.iter().map(|p| u64::from(p.width()) * u64::from(p.height())).sum();
        assert!(pixels <= limits.pixels && pixels > limits.pixels / 4, "{wanted}: {pixels} in {}", decoded.len());
        let ratio = f64::from(decoded[0].width()) / f64::from(decoded[0].height());
        assert!((ratio - 16.0 / 9.0).abs() < 0.1, "{wanted}: {ratio}");
    }
}
