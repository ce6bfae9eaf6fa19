//! The whole pipeline in one process: its parts that tests use too.

pub mod s3_endpoint;
