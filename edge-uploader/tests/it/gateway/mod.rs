//! The gateway as a whole, with cameras that follow a script and a bucket in memory.

mod scene;
mod scripted;

mod breaks;
mod clocks;
mod numbers;
mod objects;
mod random_access;
mod restarts;
mod trouble;
