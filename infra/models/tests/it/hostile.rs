//! Models that lie, are damaged or attack: each is refused with a reason.

use crate::judge::{YOLOX_NANO, yolox_nano};
use crate::python::shared_data;
use async_trait::async_trait;
use bytes::Bytes;
use framepost_events::Sha256;
use framepost_models::{Buckets, ModelDirectory, OnnxDetector};
use framepost_ports::memory::MemoryBucket;
use framepost_ports::{
    Detector as _, Error, ErrorKind, Location, NewObject, ObjectSink as _, ObjectSource, Picture, Result, chain,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

async fn refused(dir: &Path) -> String {
    let error = OnnxDetector::load(ModelDirectory::local(dir)).await.map(|_| ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound | ErrorKind::Io), "{}", chain(&error));
    chain(&error)
}

/// Writes a directory whose `model.toml` has the digest of `model`.
fn lay(dir: &Path, model: &[u8]) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("yolox_nano.onnx"), model).unwrap();
    let digest = Sha256::of(model).to_string();
    let text = YOLOX_NANO.replace("d39bee73564e338080378b0ad567fbb40e818b55bbfaf971de82a0267ed16b8a", &digest);
    std::fs::write(dir.join("model.toml"), text.replace("\"coco80_labels.txt\"", "[\"person\"]")).unwrap();
}

#[tokio::test]
async fn a_directory_that_lacks_something_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert!(refused(&dir.join("none")).await.contains("model.toml"));
    lay(dir, b"not a model");
    assert!(refused(dir).await.contains("load the model in"));
    assert!(refused(&dir.join("yolox_nano.onnx")).await.contains("`framepost model add NAME"));
    // The digest is compared before anything reads the model.
    std::fs::write(dir.join("yolox_nano.onnx"), b"another").unwrap();
    let error = refused(dir).await;
    assert!(error.contains("has the SHA-256") && error.contains("model.toml says"), "{error}");
    std::fs::remove_file(dir.join("yolox_nano.onnx")).unwrap();
    assert!(refused(dir).await.contains("not found"));
    std::fs::write(dir.join("model.toml"), "x".repeat(300 * 1024)).unwrap();
    assert!(refused(dir).await.contains("more than 262144 bytes"));
    std::fs::remove_file(dir.join("model.toml")).unwrap();
    std::fs::create_dir(dir.join("model.toml")).unwrap();
    assert!(refused(dir).await.contains("it is not a file"));
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_file_does_not_stop_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("model.toml")).status().unwrap();
    assert!(made.success());
    let tried = tokio::time::timeout(Duration::from_secs(20), refused(dir.path())).await;
    assert!(tried.unwrap().contains("it is not a file"));
}

#[tokio::test]
async fn a_damaged_model_is_refused_or_runs_but_nothing_panics() {
    let Some(data) = shared_data() else { return };
    let whole = std::fs::read(data.join("models/yolox_nano.onnx")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let picture = Picture::new(8, 8, Bytes::from(vec![9; 8 * 8 * 3]), Duration::ZERO).unwrap();
    let mut random = fastrand::Rng::with_seed(13);
    let mut loaded = 0;
    for round in 0..60 {
        let mut model = whole.clone();
        match round % 3 {
            // The graph's structure is mostly in what is not weights, but nothing is spared.
            0 => {
                for _ in 0..8 {
                    let at = random.usize(..model.len());
                    model[at] ^= 1 << random.u8(..8);
                }
            }
            1 => model.truncate(random.usize(..model.len())),
            _ => {
                let at = random.usize(..4096);
                model[at] = random.u8(..);
            }
        }
        lay(dir.path(), &model);
        match OnnxDetector::load(ModelDirectory::local(dir.path())).await {
            Ok(detector) => {
                loaded += 1;
                // One label, so that the answer's shape does not fit: whatever the weights are, that is an error.
                let error = detector.detect(std::slice::from_ref(&picture)).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Invalid, "{}", chain(&error));
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{}", chain(&error)),
        }
    }
    assert!(loaded > 0, "no damage was small enough to be run");
}

#[tokio::test]
async fn a_model_of_another_shape_is_refused_when_it_is_loaded() {
    let Some(data) = shared_data() else { return };
    let dir = tempfile::tempdir().unwrap();
    yolox_nano(&data, dir.path());
    for (from, to, expected) in [
        ("width = 416", "width = 320", "its input has the shape"),
        ("nchw", "nhwc", "its input has the shape"),
        ("width = 416", "name = \"data\"\nwidth = 416", "it needs to have one input `data`; it has images"),
    ] {
        std::fs::write(dir.path().join("model.toml"), YOLOX_NANO.replacen(from, to, 1)).unwrap();
        let error = refused(dir.path()).await;
        assert!(error.contains(expected), "{error}");
    }
}

struct OneBucket(Arc<MemoryBucket>);

#[async_trait]
impl Buckets for OneBucket {
    async fn source(&self, _at: &Location) -> Result<Arc<dyn ObjectSource>> {
        Ok(self.0.clone())
    }
}

struct NoBuckets;

#[async_trait]
impl Buckets for NoBuckets {
    async fn source(&self, at: &Location) -> Result<Arc<dyn ObjectSource>> {
        Err(Error::new(ErrorKind::Denied, "connect", at.to_string()))
    }
}

#[tokio::test]
async fn a_model_comes_from_a_bucket_and_another_one_in_its_place_is_refused() {
    let Some(data) = shared_data() else { return };
    let bucket = Arc::new(MemoryBucket::new("b"));
    let put = async |key: &str, bytes: Vec<u8>| {
        bucket.put(&NewObject::of_bytes(key, "application/octet-stream", bytes)).await.unwrap();
    };
    let model = std::fs::read(data.join("models/yolox_nano.onnx")).unwrap();
    let labels = std::fs::read(data.join("models/coco80_labels.txt")).unwrap();
    for (prefix, model) in [("models/good", model.clone()), ("models/bad", b"something else".to_vec())] {
        put(&format!("{prefix}/model.toml"), YOLOX_NANO.as_bytes().to_vec()).await;
        put(&format!("{prefix}/yolox_nano.onnx"), model).await;
        put(&format!("{prefix}/coco80_labels.txt"), labels.clone()).await;
    }
    let buckets = OneBucket(bucket.clone());
    let cached = std::env::temp_dir().join("framepost-models");
    let _ = std::fs::remove_dir_all(&cached);
    // A model that was kept is not taken for the digest's unless it is.
    let bad = ModelDirectory::find("s3://b/models/bad", None, &buckets).await.unwrap();
    let error = OnnxDetector::load(bad).await.map(|_| ()).unwrap_err();
    assert!(chain(&error).contains("has the SHA-256"), "{}", chain(&error));
    let good = ModelDirectory::find("good", Some("s3://b/models/"), &buckets).await.unwrap();
    let detector = OnnxDetector::load(good.clone()).await.unwrap();
    assert_eq!(detector.model().name, "yolox-nano");
    let kept = cached.join("d39bee73564e338080378b0ad567fbb40e818b55bbfaf971de82a0267ed16b8a.onnx");
    assert_eq!(std::fs::read(&kept).unwrap(), model);
    std::fs::write(&kept, b"damaged").unwrap();
    OnnxDetector::load(good).await.unwrap();
    assert_eq!(std::fs::read(&kept).unwrap(), model, "it was read and kept again");
    let error = ModelDirectory::find("s3://b/x", None, &NoBuckets).await.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}
