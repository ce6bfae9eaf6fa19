//! Programs that a function runs beside itself.

/// A function cannot start because a program is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{program} is not installed: {install}; or name it with {variable}")]
pub struct MissingProgram {
    /// The program's name or path, as it was looked for.
    pub program: String,
    /// The variable that names it.
    pub variable: &'static str,
    /// How it is installed.
    pub install: &'static str,
}
