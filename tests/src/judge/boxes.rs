//! An independent parser for a chunk's boxes (ISO/IEC 14496-12). It shares no code with the code under test,
//! and is stricter than ffmpeg.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopLevel {
    pub kind: String,
    /// Offset of its first byte in the file.
    pub start: usize,
    /// Offset after its last byte.
    pub end: usize,
}

/// Returns the top-level boxes of a file, or a description of the error.
pub fn top_level(file: &[u8]) -> Result<Vec<TopLevel>, String> {
    walk(file, 0, file.len())
}

fn walk(file: &[u8], from: usize, to: usize) -> Result<Vec<TopLevel>, String> {
    let mut boxes = Vec::new();
    let mut start = from;
    while start < to {
        let header = file.get(start..start + 8).ok_or_else(|| format!("half a box header at byte {start}"))?;
        let kind = String::from_utf8_lossy(&header[4..8]).into_owned();
        let mut size = u64::from(u32_at(header, 0));
        if size == 1 {
            let large = file.get(start + 8..start + 16).ok_or_else(|| format!("half a box header at byte {start}"))?;
            size = u64::from(u32_at(large, 0)) << 32 | u64::from(u32_at(large, 4));
        }
        let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size)).filter(|end| *end <= to);
        let end = end.ok_or_else(|| format!("{kind} at byte {start} says {size} bytes, {} are left", to - start))?;
        if end < start + 8 {
            return Err(format!("{kind} at byte {start} says {size} bytes"));
        }
        boxes.push(TopLevel { kind, start, end });
        start = end;
    }
    Ok(boxes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Returns whether no later picture in output order refers to a picture before the first one: true for
/// IDR in H.264 and for IDR, CRA and BLA in H.265. False for a recovery point in H.264, after which a
/// decoder may miss earlier pictures.
pub fn begins_a_sequence(file: &[u8], boxes: &[TopLevel]) -> bool {
    let Some(mdat) = boxes.iter().find(|found| found.kind == "mdat") else { return false };
    let h264 = file.windows(4).any(|kind| kind == b"avcC");
    let mut at = mdat.start + 8;
    while at + 5 <= mdat.end {
        let kind = if h264 { file[at + 4] & 0x1f } else { (file[at + 4] >> 1) & 0x3f };
        match (h264, kind) {
            (true, 1..=4) | (false, 0..=15) => return false,
            (true, 5) | (false, 16..=21) => return true,
            _ => at = at.saturating_add(4).saturating_add(u32_at(file, at) as usize),
        }
    }
    false
}

/// Checks that the order of boxes is that of a closed chunk: `ftyp moov (prft moof mdat)+ mfra`.
pub fn check_order(boxes: &[TopLevel]) -> Result<(), String> {
    let kinds: Vec<&str> = boxes.iter().map(|found| found.kind.as_str()).collect();
    let wrong = || Err(format!("boxes are {}; expected ftyp moov (prft moof mdat)+ mfra", kinds.join(" ")));
    let Some(rest) = kinds.strip_prefix(&["ftyp", "moov"]) else { return wrong() };
    let Some(fragments) = rest.strip_suffix(&["mfra"]) else { return wrong() };
    let whole = fragments.chunks(3).all(|fragment| fragment == ["prft", "moof", "mdat"]);
    if fragments.is_empty() || !whole { wrong() } else { Ok(()) }
}

/// Returns the decode time at which each track's first fragment starts, from the `tfdt`
/// boxes of the first `moof`.
pub fn first_decode_times(file: &[u8], boxes: &[TopLevel]) -> Result<Vec<u64>, String> {
    let moof = boxes.iter().find(|found| found.kind == "moof").ok_or("there is no moof")?;
    let mut times = Vec::new();
    for traf in walk(file, moof.start + 8, moof.end)?.iter().filter(|found| found.kind == "traf") {
        for tfdt in walk(file, traf.start + 8, traf.end)?.iter().filter(|found| found.kind == "tfdt") {
            let body = &file[tfdt.start + 8..tfdt.end];
            times.push(match (body.first(), body.len()) {
                (Some(0), 8) => u64::from(u32_at(body, 4)),
                (Some(1), 12) => u64::from(u32_at(body, 4)) << 32 | u64::from(u32_at(body, 8)),
                _ => return Err(format!("tfdt at byte {} cannot be read", tfdt.start)),
            });
        }
    }
    if times.is_empty() { Err("there is no tfdt".to_owned()) } else { Ok(times) }
}

/// Returns the bytes of a box inside `moov`, searched by a path such as `["mvex", "mehd"]`.
pub fn in_moov<'a>(file: &'a [u8], boxes: &[TopLevel], path: &[&str]) -> Option<&'a [u8]> {
    let mut inside = boxes.iter().find(|found| found.kind == "moov")?.clone();
    for kind in path {
        inside = walk(file, inside.start + 8, inside.end).ok()?.into_iter().find(|found| found.kind == *kind)?;
    }
    file.get(inside.start..inside.end)
}

/// Returns the length of the part of `file` that is usable after a power cut: up to the end of its last
/// complete `moof` + `mdat`. Returns `None` if there is none.
pub fn whole_fragments_end(file: &[u8]) -> Option<usize> {
    let mut end = None;
    let mut start = 0;
    let mut after_moof = false;
    while let Some(header) = file.get(start..start + 8) {
        let size = match u32_at(header, 0) {
            1 => {
                let Some(large) = file.get(start + 8..start + 16) else { break };
                u64::from(u32_at(large, 0)) << 32 | u64::from(u32_at(large, 4))
            }
            size => u64::from(size),
        };
        let Some(next) = usize::try_from(size).ok().filter(|size| *size >= 8).and_then(|size| start.checked_add(size))
        else {
            break;
        };
        if next > file.len() {
            break;
        }
        if &header[4..8] == b"mdat" && after_moof {
            end = Some(next);
        }
        after_moof = &header[4..8] == b"moof";
        start = next;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(kinds: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for kind in kinds {
            bytes.extend(12_u32.to_be_bytes());
            bytes.extend(kind.as_bytes());
            bytes.extend([0; 4]);
        }
        bytes
    }

    #[test]
    fn only_the_one_order_is_good() {
        for (kinds, good) in [
            ("ftyp moov prft moof mdat mfra", true),
            ("ftyp moov prft moof mdat prft moof mdat mfra", true),
            ("ftyp moov moof mdat mfra", false),
            ("ftyp moov prft moof mdat", false),
            ("ftyp moov mfra", false),
            ("moov ftyp prft moof mdat mfra", false),
            ("ftyp moov prft moof mdat mfra free", false),
            ("ftyp moov prft moof mdat moof prft mdat mfra", false),
            ("ftyp moov prft moof mdat prft mfra", false),
        ] {
            let file = file(&kinds.split(' ').collect::<Vec<_>>());
            assert_eq!(check_order(&top_level(&file).unwrap()).is_ok(), good, "{kinds}");
        }
    }

    #[test]
    fn a_cut_file_is_noticed_and_measured() {
        let mut bytes = file(&["ftyp", "moov", "prft", "moof", "mdat", "prft", "moof", "mdat"]);
        assert_eq!(whole_fragments_end(&bytes), Some(96));
        bytes.truncate(95);
        assert!(top_level(&bytes).is_err());
        assert_eq!(whole_fragments_end(&bytes), Some(60));
        assert_eq!(whole_fragments_end(&bytes[..59]), None);
        assert_eq!(whole_fragments_end(&[]), None);
    }
}
