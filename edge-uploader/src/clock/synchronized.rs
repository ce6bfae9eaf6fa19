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
