use crate::{DeadLetter, DeadLetters, Error, ErrorKind, Result};
use async_trait::async_trait;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Dead letters in memory.
#[derive(Debug, Default)]
pub struct ParkedLetters {
    letters: Mutex<Vec<DeadLetter>>,
    failures: Mutex<VecDeque<ErrorKind>>,
}

impl ParkedLetters {
    /// Returns all parked letters in order.
    pub fn letters(&self) -> Vec<DeadLetter> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes the next park that has no failure assigned yet fail with `kind`. The letter is not kept.
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
