//! Whether the gateway's own clock is synchronised.

use std::path::Path;
use std::process::{Command, Stdio};

/// What the operating system says of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronized {
    /// An NTP, PTP or GPS service keeps it.
    Yes,
    /// None does, or nobody can tell: chunks then say so.
    No,
}

/// There when systemd-timesyncd has set the clock since the system came up.
const TIMESYNCD: &str = "/run/systemd/timesync/synchronized";

/// There where systemd runs the system (sd_booted(3)): elsewhere `timedatectl` has nobody to ask.
const SYSTEMD: &str = "/run/systemd/system";

/// Where chronyd keeps its sockets.
const CHRONYD: &str = "/run/chrony";

/// Asks the operating system. May take milliseconds; call it off the async threads, about once a minute.
///
/// The cheapest answer first: systemd-timesyncd's marker is a file. Programs are started only where what they speak for is
/// there: `chronyc`, and `timedatectl`, which reports the kernel's own flag, whichever service sets it (ntpd, PTP).
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
