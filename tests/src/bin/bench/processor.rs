//! Whether this processor has SHA instructions, and how a program is run as if it had none.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether the processor has instructions for SHA-256.
pub(crate) fn has_sha() -> bool {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    processor.split_whitespace().any(|flag| matches!(flag, "sha_ni" | "sha2"))
}

/// The means to hide a processor's SHA instructions from a program.
pub(crate) struct Hiding {
    library: PathBuf,
}

impl Hiding {
    /// `None` with the reason where it cannot be done: on another architecture, without a C compiler, or where CPUID does not
    /// fault.
    pub(crate) fn prepare(directory: &Path) -> Result<Self, String> {
        let source = directory.join("hide_sha.c");
        let library = directory.join("hide_sha.so");
        std::fs::write(&source, include_str!("hide_sha.c")).map_err(|error| error.to_string())?;
        let compiled = Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output();
        let compiled = compiled.map_err(|error| format!("no C compiler: {error}"))?;
        if !compiled.status.success() {
            return Err(String::from_utf8_lossy(&compiled.stderr).into_owned());
        }
        let hiding = Self { library };
        let mut tried = Command::new("true");
        hiding.from(&mut tried);
        match tried.status() {
            Ok(status) if status.success() => Ok(hiding),
            _ => Err("CPUID does not fault on this machine".to_owned()),
        }
    }

    /// Hides them from `command`, OpenSSL included.
    pub(crate) fn from(&self, command: &mut Command) {
        // OpenSSL asks the processor before any library that is loaded with it can answer. Bit 29 of the second word is SHA's.
        command.env("LD_PRELOAD", &self.library).env("OPENSSL_ia32cap", ":~0x20000000");
    }
}
