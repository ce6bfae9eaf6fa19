use crate::{DeadLetter, DeadLetters, Error, ErrorKind, Result};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Keeps what was parked.
#[derive(Debug, Default)]
pub struct ParkedLetters {
    letters: Mutex<Vec<DeadLetter>>,
    failures: Mutex<VecDeque<ErrorKind>>,
}

impl ParkedLetters {
    /// Everything that was parked, in its order.
    pub fn letters(&self) -> Vec<DeadLetter> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next letter without a failure of its own fails like this, and is not kept.
    pub fn fail_next(&self, kind: ErrorKind) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push_back(kind);
    }
}

#[async_trait]
impl DeadLetters for ParkedLetters {
    async fn park(&self, letter: &DeadLetter) -> Result<()> {
        if let Some(kind) = self.failures.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            return Err(Error::new(kind, "park", &letter.reason.code));
        }
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).push(letter.clone());
        Ok(())
    }
}
