//! A function's zip, as `cargo lambda build --output-format zip` makes it: `bootstrap` at the top, mode 0755, deflated.

use crate::binaries::Program;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Packs `program`, without its debug information, into `zip`.
pub fn pack(program: Program, zip: &Path) {
    pack_stripped(program, zip, CompressionMethod::Deflated);
}

/// The same without compression, for a program that is never uploaded.
pub(super) fn store(program: Program, zip: &Path) {
    pack_stripped(program, zip, CompressionMethod::Stored);
}

fn pack_stripped(program: Program, zip: &Path, method: CompressionMethod) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bootstrap = directory.path().join("bootstrap");
    let stripped = Command::new("strip").arg("-o").arg(&bootstrap).arg(program.path()).status();
    assert!(stripped.is_ok_and(|status| status.success()), "strip (of binutils) is needed to pack a function");
    pack_by(&bootstrap, zip, method);
}

/// Packs an executable as it is, its permissions Lambda's.
pub fn pack_file(executable: &Path, zip: &Path) {
    pack_by(executable, zip, CompressionMethod::Deflated);
}

fn pack_by(executable: &Path, zip: &Path, method: CompressionMethod) {
    let mut bytes = Vec::new();
    File::open(executable).and_then(|mut file| file.read_to_end(&mut bytes)).expect("the executable can be read");
    let mut writer = ZipWriter::new(File::create(zip).expect("a place for the zip"));
    let options = SimpleFileOptions::default().compression_method(method).unix_permissions(0o755);
    writer.start_file("bootstrap", options).expect("an entry of the zip");
    writer.write_all(&bytes).expect("the zip is written");
    writer.finish().expect("the zip is complete");
}
