//! The table: what was measured, against what, and whether a budget holds.

use framepost_tests::measure::Cost;

pub(crate) const MIB: f64 = 1024.0 * 1024.0;

/// What a figure may be at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Budget {
    /// The figure is printed and not judged.
    None,
    /// The ratio to the other's.
    Ratio(f64),
    /// The figure itself, in the row's unit.
    Value(f64),
}

pub(crate) fn heading() {
    println!("{:<58} {:>12} {:>12} {:>8}   budget", "", "framepost", "other", "ratio");
}

pub(crate) fn row(what: &str, unit: &str, ours: f64, other: Option<f64>, budget: Budget) {
    let ratio = other.map(|other| ours / other);
    let other_text = other.map(|other| format!("{other:.3}")).unwrap_or_default();
    let ratio_text = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
    let what = format!("{what}, {unit}");
    println!("{what:<58} {ours:>12.3} {other_text:>12} {ratio_text:>8}   {}", verdict(budget, ours, ratio));
}

fn verdict(budget: Budget, ours: f64, ratio: Option<f64>) -> String {
    let (most, found, of) = match (budget, ratio) {
        (Budget::None, _) => return String::new(),
        (Budget::Value(most), _) => (most, ours, ""),
        (Budget::Ratio(most), Some(ratio)) => (most, ratio, " of the other"),
        (Budget::Ratio(most), None) => return format!("{most} of the other: NOT MEASURED"),
    };
    let verdict = if found <= most { "holds" } else { "MISSED" };
    format!("{most}{of}: {verdict}")
}

pub(crate) fn rows(what: &str, ours: Cost, other: Cost, cpu_budget: Budget, memory_budget: Budget) {
    row(what, "cpu s", ours.cpu_seconds, Some(other.cpu_seconds), cpu_budget);
    row(what, "peak MiB", ours.peak_bytes / MIB, Some(other.peak_bytes / MIB), memory_budget);
    row(what, "wall s", ours.wall_seconds, Some(other.wall_seconds), Budget::None);
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_holds_or_does_not() {
        for (budget, ours, ratio, expected) in [
            (Budget::None, 1.0, Some(2.0), ""),
            (Budget::Ratio(0.4), 1.0, Some(0.4), "0.4 of the other: holds"),
            (Budget::Ratio(0.4), 1.0, Some(0.41), "0.4 of the other: MISSED"),
            (Budget::Ratio(0.4), 1.0, None, "0.4 of the other: NOT MEASURED"),
            (Budget::Value(8.0), 8.1, None, "8: MISSED"),
            (Budget::Value(0.0), 0.0, None, "0: holds"),
        ] {
            assert_eq!(verdict(budget, ours, ratio), expected);
        }
    }
}
