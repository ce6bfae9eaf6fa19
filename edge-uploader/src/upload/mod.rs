//! Chunks into the bucket.
