//! What ffmpeg writes: pictures on its standard output, their times and its complaints on its standard error.

use bytes::Bytes;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _};

/// The longest header of a PPM, and the longest line of text, that is read.
const PPM_HEADER_MAX: usize = 40;
const LINE_MAX: usize = 512;
/// Bytes of complaints that are kept.
const COMPLAINTS_MAX: usize = 2048;

/// A picture before its time is known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rgb: Bytes,
}

/// Reads pictures in PPM (`P6`, 8 bits) until the output ends: at most `count`, of at most `pixels` each.
pub(super) async fn pictures(
    output: &mut (impl AsyncBufRead + Unpin),
    count: usize,
    pixels: u64,
) -> io::Result<Vec<Raw>> {
    let mut pictures = Vec::new();
    while let Some((width, height)) = header(output).await? {
        let size = u64::from(width) * u64::from(height);
        if pictures.len() == count || size == 0 || size > pixels {
            return Err(invalid("more, or larger, pictures than it was asked for"));
        }
        let len = size.checked_mul(3).and_then(|len| usize::try_from(len).ok());
        let len =
            len.filter(|len| isize::try_from(*len).is_ok()).ok_or_else(|| invalid("a picture too large for memory"))?;
        let mut rgb = vec![0; len];
        match output.read_exact(&mut rgb).await {
            Ok(_) => pictures.push(Raw { width, height, rgb: rgb.into() }),
            // It died while it wrote it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(pictures)
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads `P6`, the width and the height, `255` and one blank. `None` where the output ends.
async fn header(output: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<(u32, u32)>> {
    let mut text = Vec::new();
    let mut words = 0;
    while words < 4 {
        let byte = match output.read_u8().await {
            Ok(byte) => byte,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        words += usize::from(byte.is_ascii_whitespace());
        text.push(byte);
        if text.len() > PPM_HEADER_MAX {
            return Err(invalid("no PPM"));
        }
    }
    let text = std::str::from_utf8(&text).map_err(|_| invalid("no PPM"))?;
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match words[..] {
        ["P6", width, height, "255"] => match (width.parse(), height.parse()) {
            (Ok(width), Ok(height)) => Ok(Some((width, height))),
            _ => Err(invalid("no PPM")),
        },
        _ => Err(invalid("no PPM")),
    }
}

/// The text that ffmpeg wrote beside the pictures.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The times of the pictures, in their order.
    pub(super) times: Vec<Duration>,
    /// The first of its complaints.
    pub(super) complaints: String,
}

/// Reads the lines until they end. Keeps `count` times at most, and little of the rest, however much there is.
pub(super) async fn told(output: &mut (impl AsyncBufRead + Unpin), count: usize) -> io::Result<Told> {
    let mut told = Told::default();
    let mut line = Vec::new();
    loop {
        let available = output.fill_buf().await?;
        if available.is_empty() {
            take_line(&line, count, &mut told);
            return Ok(told);
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        line.extend_from_slice(&part[..part.len().min(LINE_MAX - line.len().min(LINE_MAX))]);
        let used = part.len() + usize::from(end.is_some());
        output.consume(used);
        if end.is_some() {
            take_line(&line, count, &mut told);
            line.clear();
        }
    }
}

/// `frame:0    pts:0       pts_time:0.1` is a picture's, `framepost=1` follows it; anything else is a complaint.
fn take_line(line: &[u8], count: usize, told: &mut Told) {
    let line = String::from_utf8_lossy(line);
    let line = line.trim();
    if line.starts_with("frame:") {
        let time = line.split_once("pts_time:").and_then(|(_, time)| time.trim().parse().ok());
        // A time before the chunk's start would be a frame that no player shows.
        let time =
            time.map_or(Duration::ZERO, |time: f64| Duration::try_from_secs_f64(time.max(0.0)).unwrap_or_default());
        if told.times.len() < count {
            told.times.push(time);
        }
    } else if line != "framepost=1" && !line.is_empty() && told.complaints.len() + line.len() + 2 < COMPLAINTS_MAX {
        let between = if told.complaints.is_empty() { "" } else { "; " };
        let shown: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        told.complaints.push_str(between);
        told.complaints.push_str(&shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pictures_are_read_up_to_the_limits() {
        let two = b"P6\n2 1\n255\nabcdefP6\n1 1\n255\nxyz";
        let read = pictures(&mut &two[..], 2, 2).await.unwrap();
        let sizes: Vec<_> = read.iter().map(|raw| (raw.width, raw.height, &raw.rgb[..])).collect();
        assert_eq!(sizes, [(2, 1, &b"abcdef"[..]), (1, 1, b"xyz")]);
        assert_eq!(pictures(&mut &two[..16], 2, 2).await.unwrap(), [], "cut short");
        assert!(pictures(&mut &two[..], 1, 2).await.is_err(), "one was asked for");
        assert!(pictures(&mut &two[..], 2, 1).await.is_err(), "too large");
        let large = b"P6\n4294967295 4294967295\n255\n";
        assert!(pictures(&mut &large[..], 2, u64::MAX).await.is_err(), "more than memory has");
        for junk in
            ["P5\n1 1\n255\nx", "P6\n-1 1\n255\n", "P6\n0 1\n255\n", "P6 1 1 256 ", &"x".repeat(1000), "\n\n\n\n"]
        {
            assert!(pictures(&mut junk.as_bytes(), 2, 9).await.is_err(), "{junk}");
        }
    }

    #[tokio::test]
    async fn times_and_complaints_are_told_apart_and_bounded() {
        let text = "frame:0    pts:0       pts_time:0\nframepost=1\n[h264 @ 0x1] error\x1b\nframe:1    pts:5       pts_time:1.25\nframepost=1\nlast";
        let read = told(&mut text.as_bytes(), 30).await.unwrap();
        assert_eq!(read.times, [Duration::ZERO, Duration::from_millis(1250)]);
        assert_eq!(read.complaints, "[h264 @ 0x1] error ; last");
        for odd in ["frame:0 pts_time:-3", "frame:0 pts_time:NaN", "frame:0", "frame:0 pts_time:1e99"] {
            assert_eq!(told(&mut odd.as_bytes(), 30).await.unwrap().times, [Duration::ZERO], "{odd}");
        }
        let flood = ["frame:0 pts_time:1\n".repeat(1000), "x".repeat(100_000), "y\n".repeat(100_000)].concat();
        let read = told(&mut flood.as_bytes(), 30).await.unwrap();
        assert!(read.times.len() == 30 && read.complaints.len() < COMPLAINTS_MAX);
    }
}
