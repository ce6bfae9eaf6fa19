//! Detects from file names which files are chapters of one recording: cameras split long recordings into files.

/// The position of a file in a series of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chapter {
    /// Identifies the series; the same for all its files.
    pub(super) row: String,
    /// The number of the file in the series.
    pub(super) number: u32,
    /// Whether the series is one recording.
    pub(super) counts: Counts,
}

/// The meaning of the numbers in a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// They number the chapters of one recording.
    Chapters {
        /// Number of the first chapter.
        first: u32,
    },
    /// They number the files of a camera.
    Files,
}

/// Returns the position that a file name without extension gives, if it gives one.
pub(super) fn chapter(stem: &str) -> Option<Chapter> {
    gopro(stem).or_else(|| numbered(stem))
}

/// Parses GoPro names, which have the chapter in the middle: `GX010042`, `GX020042`; up to the HERO5
/// `GOPR0042`, `GP010042`, `GP020042`. The low-resolution copies (`GL010042`) are a series of their own.
fn gopro(stem: &str) -> Option<Chapter> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let upper = stem.to_ascii_uppercase();
    let (kind, rest) = upper.split_at_checked(2)?;
    if upper.len() != 8 {
        return None;
    }
    let number = upper.get(4..).filter(|number| digits(number))?;
    if upper.starts_with("GOPR") {
        return Some(Chapter { row: format!("GOPR {number}"), number: 0, counts: Counts::Chapters { first: 0 } });
    }
    let chapter = rest.get(..2).filter(|chapter| digits(chapter))?.parse().ok()?;
    match kind {
        "GP" => Some(Chapter { row: format!("GOPR {number}"), number: chapter, counts: Counts::Chapters { first: 0 } }),
        "GX" | "GH" | "GL" | "GS" => {
            Some(Chapter { row: format!("{kind} {number}"), number: chapter, counts: Counts::Chapters { first: 1 } })
        }
        _ => None,
    }
}

/// Parses names whose last number counts: `DJI_0001`, `name-002`, `2026_0301_100000_0003F` (F
/// and R are two cameras).
fn numbered(stem: &str) -> Option<Chapter> {
    let end = stem.rfind(|c: char| c.is_ascii_digit())? + 1;
    let begin = stem[..end].trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let before = &stem[..begin];
    let digits = &stem[begin..end];
    let after = &stem[end..];
    // The second copy of a download, not the second part.
    if before.ends_with('(') && after.starts_with(')') {
        return None;
    }
    Some(Chapter { row: format!("{before}#{after}"), number: digits.parse().ok()?, counts: Counts::Files })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_follows_what() {
        for (first, second) in [
            ("GX010042", "GX020042"),
            ("GH010042", "GH020042"),
            ("gx090042", "gx100042"),
            ("GL010042", "GL020042"),
            ("GOPR0042", "GP010042"),
            ("GP010042", "GP020042"),
            // Loop recording: the letters of the loop, then the number in it.
            ("GXAA0001", "GXAA0002"),
            ("DJI_0001", "DJI_0002"),
            ("DJI_0999", "DJI_1000"),
            ("DJI_20260301100000_0001_D", "DJI_20260301100000_0002_D"),
            ("name-001", "name-002"),
            ("part9", "part10"),
            ("00001", "00002"),
            ("MAH00009", "MAH00010"),
            ("2026_0301_100000_0001F", "2026_0301_100000_0002F"),
            ("Tür 1", "Tür 2"),
        ] {
            let first = chapter(first).unwrap();
            let second = chapter(second).unwrap();
            assert_eq!((&first.row, first.number + 1), (&second.row, second.number), "{first:?} {second:?}");
        }
        for (one, other) in [
            ("GX010042", "GX010043"),
            ("GX010042", "GH020042"),
            ("GX010042", "GL020042"),
            ("GX010042", "GX030042"),
            ("GOPR0042", "GP010043"),
            ("DJI_0001", "DJI_0003"),
            ("DJI_0001", "CAM_0002"),
            ("DJI_0002", "DJI_0001"),
            ("0001F", "0002R"),
            ("clip", "clip-2"),
            ("clip (1)", "clip (2)"),
            ("20260301_100000", "20260301_100300"),
            ("99999999999", "100000000000"),
        ] {
            let places = chapter(one).zip(chapter(other));
            let follows = places.is_some_and(|(one, other)| one.row == other.row && one.number + 1 == other.number);
            assert!(!follows, "{one} {other}");
        }
        assert_eq!(chapter("GX020042").unwrap().counts, Counts::Chapters { first: 1 });
        assert_eq!(chapter("GP010042").unwrap().counts, Counts::Chapters { first: 0 });
        assert_eq!(chapter("DJI_0002").unwrap().counts, Counts::Files);
        assert_eq!(chapter("garden"), None);
    }
}
