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

/// Asks the operating system. Takes milliseconds; call it off the async threads, about once a minute.
///
/// `timedatectl` reports the kernel's own flag, whichever service sets it (systemd-timesyncd, chrony, ntpd, PTP). Where it is
/// missing, systemd-timesyncd's marker file and chrony's word are asked.
pub fn gateway_synchronized() -> Synchronized {
    let says =
        |program: &str, arguments: &[&str], expected: &str| {
            Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().is_ok_and(
                |output| output.status.success() && String::from_utf8_lossy(&output.stdout).contains(expected),
            )
        };
    if says("timedatectl", &["show", "--property=NTPSynchronized", "--value"], "yes")
        || Path::new("/run/systemd/timesync/synchronized").exists()
        || says("chronyc", &["-c", "tracking"], ",Normal")
    {
        Synchronized::Yes
    } else {
        Synchronized::No
    }
}
