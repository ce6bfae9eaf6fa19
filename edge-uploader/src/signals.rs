//! The signals that ask the program to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Handles SIGTERM and SIGINT from its creation on. A signal during start-up is neither lost nor interrupts it.
pub struct Signals {
    came: CancellationToken,
}

impl Signals {
    /// Installs the handlers. The second signal ends the process immediately.
    pub fn install() -> std::io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let came = CancellationToken::new();
        let token = came.clone();
        tokio::spawn(async move {
            for _ in 0..2 {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if token.is_cancelled() {
                    tracing::warn!("stopped immediately; what was not uploaded stays in the spool");
                    std::process::exit(130);
                }
                token.cancel();
            }
        });
        Ok(Self { came })
    }

    /// Completes after the first signal.
    pub async fn interrupted(&self) {
        self.came.cancelled().await;
    }
}
