//! Progress on standard error: one line that is redrawn on a terminal, an occasional line elsewhere.

use crate::gateway::{CameraCounters, Gateway};
use crate::terminal;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Shows a gateway's progress until it is finished or dropped.
pub struct Display {
    gateway: Weak<Gateway>,
    began: Instant,
    stop: CancellationToken,
    terminal: Terminal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Terminal {
    Yes,
    No,
}

/// The values shown at one moment.
struct Moment {
    frames: u64,
    frames_total: u64,
    chunks: u64,
    uploaded_bytes: u64,
    backlog: u64,
    backlog_bytes: u64,
}

impl Moment {
    fn of(gateway: &Gateway) -> Self {
        let cameras = gateway.cameras();
        let sum = |counter: fn(&CameraCounters) -> u64| cameras.iter().map(|camera| counter(camera)).sum();
        // Show a total only if every source knows its own.
        let totals: Vec<u64> = cameras.iter().map(|camera| camera.frames_total.load(Relaxed)).collect();
        let (backlog, backlog_bytes) = gateway.spool().pending();
        Self {
            frames: sum(|camera| camera.frames.load(Relaxed)),
            frames_total: if totals.contains(&0) { 0 } else { totals.iter().sum() },
            chunks: sum(|camera| camera.chunks.load(Relaxed)),
            uploaded_bytes: gateway.upload_stats().stored_bytes,
            backlog,
            backlog_bytes,
        }
    }

    fn line(&self) -> String {
        let of_all = match self.frames_total {
            0 => String::new(),
            total => format!("/{total} ({}%)", self.frames * 100 / total),
        };
        format!(
            "{}{of_all} frames, {} chunks, {} uploaded, backlog {} ({})",
            self.frames,
            self.chunks,
            megabytes(self.uploaded_bytes),
            self.backlog,
            megabytes(self.backlog_bytes)
        )
    }
}

impl Display {
    /// Prints a line of progress from now on: five times a second on a terminal, every 5 s elsewhere.
    pub fn start(gateway: &Arc<Gateway>) -> Self {
        let stop = CancellationToken::new();
        let terminal = if terminal::is_interactive() { Terminal::Yes } else { Terminal::No };
        let every = match terminal {
            Terminal::Yes => Duration::from_millis(200),
            Terminal::No => Duration::from_secs(5),
        };
        let weak = Arc::downgrade(gateway);
        let token = stop.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = token.cancelled() => return,
                    () = tokio::time::sleep(every) => {}
                }
                let Some(gateway) = weak.upgrade() else { return };
                let line = Moment::of(&gateway).line();
                match terminal {
                    Terminal::Yes => terminal::redraw(line),
                    Terminal::No => terminal::err(line),
                }
            }
        });
        Self { gateway: Arc::downgrade(gateway), began: Instant::now(), stop, terminal }
    }

    /// Stops the display and returns the summary.
    pub fn finish(&self) -> String {
        self.stop.cancel();
        if self.terminal == Terminal::Yes {
            terminal::redraw("");
        }
        let Some(gateway) = self.gateway.upgrade() else { return String::new() };
        let seconds = self.began.elapsed().as_secs_f64();
        let upload = gateway.upload_stats();
        let existed = match upload.already_there_objects {
            0 => String::new(),
            n => format!(", {n} objects were there before"),
        };
        let uncompared = match upload.uncompared_objects {
            0 => String::new(),
            n => format!(
                ", {n} objects were there already and could not be compared with the file's (the credential may only put)"
            ),
        };
        format!("{}{existed}{uncompared}, {seconds:.1} s", Moment::of(&gateway).line())
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
