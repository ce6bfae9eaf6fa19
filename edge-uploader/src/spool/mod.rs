//! Chunks on disk.
