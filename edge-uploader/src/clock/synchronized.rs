//! Detects whether the gateway's own clock is synchronised.

use std::path::Path;
use std::process::{Command, Stdio};

/// The operating system's answer about its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronized {
    /// An NTP, PTP or GPS service keeps the clock synchronised.
    Yes,
    /// No service does, or it cannot be determined. Chunks then say so.
    No,
}

/// Exists if systemd-timesyncd has set the clock since boot.
const TIMESYNCD: &str = "/run/systemd/timesync/synchronized";

/// Exists if systemd is the init system (sd_booted(3)). Without it, `timedatectl` does not work.
const SYSTEMD: &str = "/run/systemd/system";

/// Directory of chronyd's sockets.
const CHRONYD: &str = "/run/chrony";

/// Asks the operating system. May block for milliseconds, so call it outside async
/// threads, about once a minute.
///
/// The cheapest check comes first: systemd-timesyncd's marker is a file. Programs are started only if
/// their service is present: `chronyc`, and `timedatectl`, which reports the kernel's own flag, whichever
/// service sets it (ntpd, PTP).
pub fn gateway_synchronized() -> Synchronized {
    let is_there = |path: &str| Path::new(path).exists();
    let says =
        |program: &str, arguments: &[&str], expected: &str| {
            Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().is_ok_and(
                |output| output.status.success() && String::from_utf8_lossy(&output.stdout).contains(expected),
            )
        };
    if is_there(TIMESYNCD)
        || is_there(CHRONYD) && says("chronyc", &["-c", "tracking"], ",Normal")
        || is_there(SYSTEMD) && says("timedatectl", &["show", "--property=NTPSynchronized", "--value"], "yes")
    {
        Synchronized::Yes
    } else {
        Synchronized::No
    }
}

/// How far the gateway's clock is from its time servers, in µs, as the time service estimates: chrony or systemd-timesyncd.
/// Asks as [`gateway_synchronized`] does; `None` where neither is there or says.
pub fn gateway_offset_us() -> Option<u64> {
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    if Path::new(CHRONYD).exists() {
        return chrony_offset_us(&output("chronyc", &["-c", "tracking"])?);
    }
    if Path::new(TIMESYNCD).exists() {
        return timesyncd_offset_us(&output("timedatectl", &["timesync-status"])?);
    }
    None
}

/// chronyc(1): of `tracking`, the fifth field is the system time's distance from NTP time, in seconds.
fn chrony_offset_us(tracking: &str) -> Option<u64> {
    let seconds: f64 = tracking.trim().split(',').nth(4)?.parse().ok()?;
    micros(seconds)
}

/// timedatectl(1): a line such as `Offset: -1.234ms`.
fn timesyncd_offset_us(status: &str) -> Option<u64> {
    let text = status.lines().find_map(|line| line.trim().strip_prefix("Offset:"))?.trim();
    let text = text.trim_start_matches(['+', '-']);
    let unit_at = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let number: f64 = text[..unit_at].parse().ok()?;
    match &text[unit_at..] {
        "us" => micros(number / 1e6),
        "ms" => micros(number / 1e3),
        "s" => micros(number),
        _ => None,
    }
}

fn micros(seconds: f64) -> Option<u64> {
    let micros = (seconds.abs() * 1e6).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "finite, and not negative")]
    micros.is_finite().then_some(micros as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_services_say_how_far_the_clock_is_off() {
        let tracking = "A29FC801,162.159.200.1,4,1763651303.8,-0.000123456,0.000004,0.00003,-12.1,0.01,0.05,0.01,0.002,64.5,Normal\n";
        assert_eq!(chrony_offset_us(tracking), Some(123));
        assert_eq!(chrony_offset_us("nonsense"), None);
        let status = |offset: &str| {
            format!("       Server: 162.159.200.1 (time.example)\n       Offset: {offset}\n        Delay: 8.1ms\n")
        };
        for (offset, expected) in
            [("-1.234ms", Some(1_234)), ("+52us", Some(52)), ("2.5s", Some(2_500_000)), ("1min 2s", None), ("", None)]
        {
            assert_eq!(timesyncd_offset_us(&status(offset)), expected, "{offset}");
        }
    }
}
