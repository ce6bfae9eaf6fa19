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
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bootstrap = directory.path().join("bootstrap");
    let stripped = Command::new("strip").arg("-o").arg(&bootstrap).arg(program.path()).status();
    assert!(stripped.is_ok_and(|status| status.success()), "strip (of binutils) is needed to pack a function");
    pack_file(&bootstrap, zip);
}

/// Packs an executable as it is.
pub fn pack_file(executable: &Path, zip: &Path) {
    let mut bytes = Vec::new();
    File::open(executable).and_then(|mut file| file.read_to_end(&mut bytes)).expect("the executable can be read");
    let mut writer = ZipWriter::new(File::create(zip).expect("a place for the zip"));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(0o755);
    writer.start_file("bootstrap", options).expect("an entry of the zip");
    writer.write_all(&bytes).expect("the zip is written");
    writer.finish().expect("the zip is complete");
}
