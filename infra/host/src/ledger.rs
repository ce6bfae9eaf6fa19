//! The ledger that the environment names, for functions whose work costs: their `main` asks for it, others pay for none.

use crate::LedgerAt;
use framepost_local::LocalLedger;
use framepost_ports::{Ledger, LedgerStore, SystemClock};
use std::sync::Arc;

/// The claims of `FRAMEPOST_LEDGER`.
pub async fn ledger() -> anyhow::Result<Ledger> {
    let store: Arc<dyn LedgerStore> = match LedgerAt::from_variables(|name| std::env::var(name).ok())? {
        #[cfg(feature = "aws")]
        LedgerAt::DynamoDb(table) => {
            let session = framepost_aws::Session::new(framepost_aws::S3Options::default()).await?;
            Arc::new(framepost_aws::DynamoLedger::new(&session, table))
        }
        #[cfg(not(feature = "aws"))]
        LedgerAt::DynamoDb(_) => return crate::clouds::not_built("aws", "dynamodb:"),
        #[cfg(feature = "gcp")]
        LedgerAt::Gcs { bucket, prefix } => {
            let options = crate::clouds::google(crate::clouds::GCS_ENDPOINT)?;
            Arc::new(framepost_gcp::GcsLedger::connect(&bucket, &prefix, &options).await?)
        }
        #[cfg(not(feature = "gcp"))]
        LedgerAt::Gcs { .. } => return crate::clouds::not_built("gcp", "gs://"),
        LedgerAt::Directory(dir) => Arc::new(LocalLedger::open(dir).await?),
    };
    Ok(Ledger::new(store, Arc::new(SystemClock)))
}
