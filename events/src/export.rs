//! Where exports lie in a bucket: under `exports/`, beside the footage.

/// What the keys of all exports begin with.
pub const PREFIX: &str = "exports/";

/// Whether an object belongs to an export.
///
/// A site may have the same name; its keys go on with a date or with `reports`, and those of an export with neither.
pub fn is_of_export(key: &str) -> bool {
    let next = key.strip_prefix(PREFIX).and_then(|rest| rest.split('/').next());
    next.is_some_and(|next| !crate::name::looks_like_date(next) && next != "reports")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_of_the_same_name_keeps_its_footage() {
        for (key, is) in [
            ("exports/requests/f6a1.json", true),
            ("exports/f6a10b2c/001-gate.mp4", true),
            ("exports/f6a10b2c/state/0.json", true),
            ("exports/2026-11-20/gate/15/08-23.547000Z.0.mp4", false),
            ("exports/reports/2026-11-20/15-08-23.547000Z.report.json", false),
            ("plant-7/2026-11-20/exports/15/08-23.547000Z.0.mp4", false),
            ("exportsx/a", false),
            ("exports", false),
            ("", false),
        ] {
            assert_eq!(is_of_export(key), is, "{key}");
        }
    }
}
