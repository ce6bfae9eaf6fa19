//! The signals that ask a program to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// SIGTERM and SIGINT, from the moment this is made: one that comes during the start is not lost and breaks nothing off.
pub struct Signals {
    came: CancellationToken,
}

impl Signals {
    /// Takes the signals over. The second one ends the process at once.
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
                    tracing::warn!("stopped at once; what was not uploaded is in the spool");
                    std::process::exit(130);
                }
                token.cancel();
            }
        });
        Ok(Self { came })
    }

    /// Resolves when the first one has come.
    pub async fn interrupted(&self) {
        self.came.cancelled().await;
    }
}
