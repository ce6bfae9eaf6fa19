//! Models as clouds of the host: `onnx:`, `oip+http(s):` and `oip+grpc(s):`.

use crate::store::{Buckets, ModelDirectory};
use async_trait::async_trait;
use framepost_ports::location::Place;
use framepost_ports::{Cloud, Detector, Location, Result, not_one};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The variable that names the directory of models: a path, or a location such as `s3://bucket/models`.
pub const MODELS: &str = "FRAMEPOST_MODELS";
/// The variable that says how much memory a model that is run here may take, in MiB of address space.
#[cfg(feature = "onnx")]
const MEMORY: &str = "FRAMEPOST_MODEL_MEMORY_MIB";
#[cfg(feature = "onnx")]
const MEMORY_MIB: u64 = 2048;

/// Reads a variable of the environment.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Makes a detector for each model, once.
pub struct ModelCloud {
    buckets: Arc<dyn Buckets>,
    variables: Variables,
    made: Mutex<BTreeMap<String, Arc<dyn Detector>>>,
}

impl ModelCloud {
    /// Models as `variables` say, in what `buckets` finds.
    pub fn new(buckets: Arc<dyn Buckets>, variables: Variables) -> Self {
        Self { buckets, variables, made: Mutex::default() }
    }

    fn models(&self) -> Option<String> {
        (self.variables)(MODELS).filter(|models| !models.is_empty())
    }

    #[cfg(feature = "onnx")]
    async fn find(&self, text: &str) -> Result<ModelDirectory> {
        ModelDirectory::find(text, self.models().as_deref(), self.buckets.as_ref()).await
    }

    #[cfg(feature = "onnx")]
    fn memory_bytes(&self, at: &Location) -> Result<u64> {
        use framepost_ports::{Error, ErrorKind};
        let set = (self.variables)(MEMORY).filter(|set| !set.is_empty());
        let mib =
            set.map_or(Ok(MEMORY_MIB), |set| set.parse::<u64>().map_err(|error| format!("{MEMORY}={set}: {error}")));
        let mib = mib.map_err(|why| Error::new(ErrorKind::Invalid, "connect", at.to_string()).because(why))?;
        Ok(mib.saturating_mul(1024 * 1024))
    }

    async fn make(&self, at: &Location) -> Result<Arc<dyn Detector>> {
        match at.place() {
            #[cfg(feature = "onnx")]
            Place::Name(name) => {
                let confinement = crate::Confinement::of_this_program(self.memory_bytes(at)?, crate::onnx::TIMEOUT);
                Ok(Arc::new(crate::OnnxDetector::load_into(self.find(name).await?, confinement).await?))
            }
            #[cfg(feature = "oip")]
            Place::Url(url) => {
                use framepost_ports::{Error, ErrorKind};
                let invalid = |why: String| Error::new(ErrorKind::Invalid, "connect", at.to_string()).because(why);
                let name = crate::OipDetector::model_name(url)
                    .ok_or_else(|| invalid("expected …/v2/models/NAME or …/endpoints/NAME:rawPredict".to_owned()))?;
                let models = self.models().ok_or_else(|| {
                    invalid(format!(
                        "{MODELS} is not set: the directory with {name}/model.toml, which describes the model"
                    ))
                })?;
                let directory = ModelDirectory::find(name, Some(&models), self.buckets.as_ref()).await?;
                let token = crate::oip::Token::from_variables(self.variables.as_ref());
                Ok(Arc::new(crate::OipDetector::new(url.clone(), directory, token).await?))
            }
            _ => Err(not_one(at, "a detector")),
        }
    }
}

#[async_trait]
impl Cloud for ModelCloud {
    async fn detector(&self, at: &Location) -> Result<Arc<dyn Detector>> {
        // As it was written: what is shown of a location may be less than what it is.
        let key = format!("{at:?}");
        let mut made = self.made.lock().await;
        if let Some(detector) = made.get(&key) {
            return Ok(detector.clone());
        }
        let detector = self.make(at).await?;
        made.insert(key, detector.clone());
        Ok(detector)
    }
}
