//! Durations of days or less on the command line.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// A time such as `30d` or `1d 6h`, whose days have 24 hours.
pub(crate) fn parse(text: &str) -> Result<SignedDuration, String> {
    let span: Span = text.parse().map_err(|_| "not a duration; write it like \"30d\" or \"12h\"".to_owned())?;
    let lasts = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok().filter(SignedDuration::is_positive);
    lasts.ok_or_else(|| {
        "it must be longer than nothing, in days, hours or shorter units; write it like \"30d\" or \"12h\"".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_days_hours_or_less() {
        for (text, hours) in [("30d", 720), ("12h", 12), ("1d 6h", 30)] {
            assert_eq!(parse(text), Ok(SignedDuration::from_hours(hours)), "{text}");
        }
        for bad in ["", "30", "-1d", "0s", "1 month", "1y", "forever", "9999999999999d"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
