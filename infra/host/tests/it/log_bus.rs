//! Records as lines of the log.

use framepost_events::record::Record;
use framepost_host::LogBus;
use framepost_ports::contract::{self, Listener};
use std::sync::{Arc, Mutex};

/// A bus that writes lines hears itself.
#[tokio::test]
async fn the_log_keeps_the_contract_of_a_bus() {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[async_trait::async_trait]
    impl Listener for Lines {
        async fn heard(&self) -> Vec<Record> {
            let written = self.0.lock().unwrap();
            let lines = written.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
        }
    }

    let lines = Lines::default();
    contract::bus(&LogBus::to(lines.clone()), &lines).await;
}
