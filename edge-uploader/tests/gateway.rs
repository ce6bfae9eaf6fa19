//! The gateway as a whole, with cameras that follow a script and a bucket in memory.
#![expect(clippy::unwrap_used, reason = "a test's own tools")]

#[path = "gateway/scene.rs"]
mod scene;
#[path = "gateway/scripted.rs"]
mod scripted;

#[path = "gateway/breaks.rs"]
mod breaks;
#[path = "gateway/clocks.rs"]
mod clocks;
#[path = "gateway/numbers.rs"]
mod numbers;
#[path = "gateway/random_access.rs"]
mod random_access;
#[path = "gateway/restarts.rs"]
mod restarts;
#[path = "gateway/trouble.rs"]
mod trouble;
