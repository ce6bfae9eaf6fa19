//! The packets of a file as ffmpeg demuxes them, to compare a recording with its source.

use std::path::Path;
use std::process::Command;

/// Which stream of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The first video stream.
    Video,
    /// The first audio stream.
    Audio,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Packet {
    /// Presentation time in seconds, if the file has one.
    pub pts_seconds: Option<f64>,
    /// Size in bytes, as in the file.
    pub size: u64,
    /// MD5 of the bytes.
    pub md5: String,
}

/// The packets of one stream, in decoding order.
pub fn packets(file: &Path, stream: Stream) -> Result<Vec<Packet>, String> {
    let map = match stream {
        Stream::Video => "0:v:0",
        Stream::Audio => "0:a:0",
    };
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]);
    // Edit lists hide packets, for example an encoder's priming. All of them count here.
    let matroska = file.extension().is_some_and(|extension| extension == "mkv" || extension == "webm");
    if !matroska {
        command.args(["-ignore_editlist", "1"]);
    }
    command.arg("-i").arg(file);
    command.args(["-map", map, "-c", "copy", "-copyts", "-f", "framemd5", "-"]);
    let output = command.output().map_err(|error| format!("ffmpeg cannot be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || !said.is_empty() {
        return Err(format!("{}: ffmpeg: {said}", file.display()));
    }
    parse(&String::from_utf8_lossy(&output.stdout)).map_err(|error| format!("{}: {error}", file.display()))
}

/// Returns the MD5 of each decoded picture of the first video stream, in presentation order. Two recordings of
/// one stream with different parameter sets or packing still have the same pictures.
pub fn pictures(file: &Path) -> Result<Vec<Packet>, String> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-threads", "1", "-i"])
        .arg(file)
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"])
        .output()
        .map_err(|error| format!("ffmpeg cannot be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{}: ffmpeg: {said}", file.display()));
    }
    parse(&String::from_utf8_lossy(&output.stdout)).map_err(|error| format!("{}: {error}", file.display()))
}

fn parse(framemd5: &str) -> Result<Vec<Packet>, String> {
    let mut unit_seconds = None;
    let mut packets = Vec::new();
    for line in framemd5.lines() {
        if let Some(header) = line.strip_prefix('#') {
            if let Some(base) = header.strip_prefix("tb 0: ") {
                let (numerator, denominator) = base.split_once('/').ok_or("a time base is a fraction")?;
                let parts = (numerator.parse::<f64>(), denominator.parse::<f64>());
                let (Ok(numerator), Ok(denominator)) = parts else { return Err(format!("time base {base}")) };
                unit_seconds = Some(numerator / denominator);
            }
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [_, _, pts, _, size, md5, ..] = fields[..] else { return Err(format!("not a packet: {line}")) };
        let pts: i64 = pts.parse().map_err(|_| format!("not a time: {line}"))?;
        let pts_seconds = (pts != i64::MIN).then(|| pts as f64 * unit_seconds.unwrap_or(f64::NAN));
        let size = size.parse().map_err(|_| format!("not a size: {line}"))?;
        packets.push(Packet { pts_seconds, size, md5: md5.to_owned() });
    }
    Ok(packets)
}

/// Checks that `found` equals `expected`, packet for packet. The error names the first difference.
pub fn same_packets(expected: &[Packet], found: &[Packet]) -> Result<(), String> {
    for (n, (e, f)) in expected.iter().zip(found).enumerate() {
        if (e.size, &e.md5) == (f.size, &f.md5) {
            continue;
        }
        let seen_before = found[..n].iter().any(|other| other.md5 == f.md5);
        let comes_later = expected[n..].iter().position(|other| other.md5 == f.md5);
        let hint = match (comes_later, seen_before) {
            (Some(ahead), _) => format!("{ahead} packets of the source are missing before it"),
            (None, true) => "it was there before".to_owned(),
            (None, false) => "it is not the source's".to_owned(),
        };
        return Err(format!(
            "packet {n} of {} has {} bytes, {} in the source ({hint})",
            expected.len(),
            f.size,
            e.size
        ));
    }
    if expected.len() == found.len() {
        Ok(())
    } else {
        Err(format!("{} packets, {} in the source", found.len(), expected.len()))
    }
}

/// Checks that `found` is an unbroken run of the packets of `source`, as a span of a live recording must be.
/// Returns the position of its first packet in the source.
pub fn unbroken_run(source: &[Packet], found: &[Packet]) -> Result<usize, String> {
    let first = found.first().ok_or("no packets")?;
    // Still pictures repeat, so try every position whose packet equals the first.
    let mut best: Result<usize, String> = Err("its first packet is not the source's".to_owned());
    for (start, _) in source.iter().enumerate().filter(|(_, packet)| packet.md5 == first.md5) {
        let end = (start + found.len()).min(source.len());
        match same_packets(&source[start..end], found) {
            Ok(()) => return Ok(start),
            Err(error) => best = Err(error),
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(numbers: &[u64]) -> Vec<Packet> {
        numbers.iter().map(|n| Packet { pts_seconds: None, size: 100 + n, md5: n.to_string() }).collect()
    }

    #[test]
    fn what_ffmpeg_writes_is_read() {
        let text = "#format: frame checksums\n#tb 0: 1/12800\n#dimensions 0: 320x240\n#stream#, dts, pts, duration, size, hash\n\
                    0, -1024, 0, 512, 6173, 6aa3f4\n0, -512, -9223372036854775808, 512, 17, beef, S=1, 8, 2bd2b1\n";
        let packets = parse(text).unwrap();
        assert_eq!((packets[0].pts_seconds, packets[0].size, packets[0].md5.as_str()), (Some(0.0), 6173, "6aa3f4"));
        assert_eq!((packets[1].pts_seconds, packets[1].size), (None, 17));
        assert!(parse("0, 0, 0\n").is_err());
    }

    #[test]
    fn every_difference_is_found_and_named() {
        let source = numbered(&[1, 2, 3, 4]);
        assert_eq!(same_packets(&source, &numbered(&[1, 2, 3, 4])), Ok(()));
        for (found, hint) in [
            (&[1, 2, 4][..], "1 packets of the source are missing before it"),
            (&[1, 2, 3][..], "3 packets, 4 in the source"),
            (&[1, 2, 2, 3][..], "it was there before"),
            (&[1, 9, 3, 4][..], "it is not the source's"),
            (&[1, 2, 3, 4, 4][..], "5 packets, 4 in the source"),
            (&[2, 1, 3, 4][..], "missing before it"),
            (&[][..], "0 packets"),
        ] {
            let error = same_packets(&source, &numbered(found)).unwrap_err();
            assert!(error.contains(hint), "{found:?}: {error}");
        }
    }

    #[test]
    fn a_run_has_no_holes() {
        let source = numbered(&[1, 2, 1, 3, 4]);
        assert_eq!(unbroken_run(&source, &numbered(&[1, 3])), Ok(2));
        assert_eq!(unbroken_run(&source, &numbered(&[2, 1, 3, 4])), Ok(1));
        assert!(unbroken_run(&source, &numbered(&[1, 4])).is_err());
        assert!(unbroken_run(&source, &numbered(&[3, 4, 5])).is_err());
        assert!(unbroken_run(&source, &numbered(&[7])).is_err());
    }
}
