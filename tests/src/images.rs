//! Container images, built by the documented file with buildah, and run.
//!
//! No registry is asked for anything: the stage that compiles runs on a stand-in for the Rust image, an empty root with this
//! machine's own toolchain mounted into it. Everything is kept below a directory of its own; as root, with the `vfs` driver
//! and `chroot` isolation, so that no daemon, no user namespace and no overlay is needed.

use crate::binaries::Running;
use serde_json::Value;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const STAND_IN: &str = "localhost/framepost-rust";

/// Where images are kept.
#[derive(Debug)]
pub struct Images {
    directory: tempfile::TempDir,
}

/// What is built into an image.
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    /// The directory below `functions/`.
    pub function: &'a str,
    /// The clouds that it knows: `gcp`, `aws`, or both with a comma.
    pub clouds: &'a str,
}

impl Images {
    /// A place for images; `None`, and said so, where none can be built.
    pub fn new() -> Option<Self> {
        if std::fs::metadata("/proc/self").map_or(u32::MAX, |own| own.uid()) != 0 {
            crate::skip("building a container image this way takes root");
            return None;
        }
        if Command::new("buildah").arg("--version").output().is_err() {
            crate::skip("buildah is missing: apt-get install buildah");
            return None;
        }
        let images = Self { directory: tempfile::tempdir().expect("a directory for images") };
        images.make_stand_in();
        Some(images)
    }

    /// Builds the image of a function, unoptimised, as `infra/deploy/Containerfile` says, and names it.
    pub fn build(&self, recipe: Recipe<'_>, name: &str) {
        let root = workspace();
        let mut command = self.buildah(&["build", "--isolation", "chroot", "--layers=false"]);
        for path in [PathBuf::from("/usr"), sysroot(), cargo_home(), target()] {
            let read_only = if path.starts_with("/usr") { ":ro" } else { "" };
            command.arg("-v").arg(format!("{0}:{0}{read_only}", path.display()));
        }
        for (argument, value) in
            [("BUILDER", STAND_IN), ("FUNCTION", recipe.function), ("CLOUDS", recipe.clouds), ("PROFILE", "dev")]
        {
            command.arg("--build-arg").arg(format!("{argument}={value}"));
        }
        run(command.arg("-f").arg(root.join("infra/deploy/Containerfile")).args(["-t", name]).arg(root));
    }

    /// An image's configuration, as OCI's image specification has it.
    pub fn config(&self, name: &str) -> Value {
        let said = run(&mut self.buildah(&["inspect", "--type", "image", name]));
        let said: Value = serde_json::from_str(&said).expect("what is said of the image is JSON");
        said["OCIv1"]["config"].clone()
    }

    /// A new root file system from an image.
    pub fn root(&self, name: &str) -> PathBuf {
        let container = run(&mut self.buildah(&["from", "--pull-never", name]));
        PathBuf::from(run(&mut self.buildah(&["mount", &container])))
    }

    /// Starts an image's program in a root file system of its own, as its user and with its environment, as a container's
    /// runtime does; on this machine's network.
    pub fn start(&self, name: &str, root: &Path, environment: &[(&str, &str)]) -> Running {
        let config = self.config(name);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let mut command = Command::new("chroot");
        command.arg(format!("--userspec={}", text(&config["User"]))).arg(root).arg(text(&config["Entrypoint"][0]));
        command.env_clear();
        for variable in config["Env"].as_array().into_iter().flatten() {
            let (variable, value) = variable.as_str().and_then(|text| text.split_once('=')).expect("NAME=value");
            command.env(variable, value);
        }
        Running::start(command.envs(environment.iter().copied()))
    }

    /// An empty root with the few files of this machine that a compiler needs besides those that are mounted.
    fn make_stand_in(&self) {
        let container = run(&mut self.buildah(&["from", "scratch"]));
        let root = PathBuf::from(run(&mut self.buildah(&["mount", &container])));
        for directory in ["etc", "tmp", "root"] {
            std::fs::create_dir(root.join(directory)).expect("a directory of the stand-in");
        }
        for link in ["bin", "sbin", "lib", "lib64"] {
            if let Ok(target) = std::fs::read_link(Path::new("/").join(link)) {
                std::os::unix::fs::symlink(target, root.join(link)).expect("a link of the stand-in");
            }
        }
        let files = ["/etc/ssl", "/etc/alternatives", "/etc/ld.so.cache", "/etc/passwd"];
        run(Command::new("cp")
            .arg("-a")
            .args(files.iter().filter(|file| Path::new(file).exists()))
            .arg(root.join("etc")));
        run(&mut self.buildah(&["umount", &container]));
        let path = format!("PATH={}:/usr/local/bin:/usr/bin:/bin", sysroot().join("bin").display());
        let home = format!("CARGO_HOME={}", cargo_home().display());
        let target = format!("CARGO_TARGET_DIR={}", target().display());
        let config = ["config", "--env", &path, "--env", &home, "--env", &target, "--env", "CARGO_NET_OFFLINE=true"];
        run(self.buildah(&config).arg(&container));
        run(&mut self.buildah(&["commit", &container, STAND_IN]));
    }

    fn buildah(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("buildah");
        command.arg("--root").arg(self.directory.path().join("storage"));
        command.arg("--runroot").arg(self.directory.path().join("run"));
        command.args(["--storage-driver", "vfs"]).args(arguments);
        command
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        // Whatever is mounted still is unmounted by it, before the directory goes.
        let _ = self.buildah(&["rm", "--all"]).output();
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root").to_owned()
}

fn sysroot() -> PathBuf {
    PathBuf::from(run(Command::new("rustc").args(["--print", "sysroot"])))
}

fn cargo_home() -> PathBuf {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    set.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cargo"))
}

/// Where a static program is built, so that a second run has only to compile what has changed.
fn target() -> PathBuf {
    let profile = std::env::current_exe().expect("the test's own path");
    let target = profile.ancestors().find(|path| path.join("CACHEDIR.TAG").exists());
    let directory = target.expect("the target directory").join("images");
    std::fs::create_dir_all(&directory).expect("a target directory for images");
    directory
}

/// What a command says on standard output; panics with what it says on standard error when it fails.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{command:?}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}
