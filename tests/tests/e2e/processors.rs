//! Who may use the processors at the same time.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static COMPILING: RwLock<()> = RwLock::new(());

/// Waits until no test of a camera needs the processors for itself. Tests that compile may run beside each other.
pub(crate) fn to_compile() -> RwLockReadGuard<'static, ()> {
    COMPILING.read().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until no test compiles, and keeps others from it. Compilers take all processors there are, and a camera whose encoder is held up
/// for seconds is one with a slow clock.
pub(crate) fn for_a_camera() -> RwLockWriteGuard<'static, ()> {
    COMPILING.write().unwrap_or_else(PoisonError::into_inner)
}
