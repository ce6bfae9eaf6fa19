//! Container images, built with buildah from the documented Containerfile, and run.
//!
//! No registry is used: the build stage runs on a stand-in for the Rust image, an empty root with this
//! machine's own toolchain mounted into it. Everything is stored in a directory of its own. The build runs as
//! root with the `vfs` driver and `chroot` isolation, so that no daemon, user namespace or overlay is needed.

use crate::binaries::Running;
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

const STAND_IN: &str = "localhost/framepost-rust";

/// The directory with images.
#[derive(Debug)]
pub struct Images {
    directory: tempfile::TempDir,
}

/// Which container file is used, with what arguments.
#[derive(Debug, Clone, Copy)]
pub enum Recipe<'a> {
    /// A function's image, by `infra/deploy/Containerfile`.
    Function {
        /// The directory below `functions/`.
        name: &'a str,
        /// The clouds whose clients are included: `gcp`, `aws`, or both with a comma.
        clouds: &'a str,
        /// The programs that it starts, separated by spaces.
        programs: &'a str,
    },
    /// The gateway's image, by `infra/deploy/gateway.Containerfile`; `file://` is its only destination.
    Gateway,
}

/// A place outside a container that it sees under a path.
#[derive(Debug, Clone, Copy)]
pub struct Mount<'a> {
    pub from: &'a Path,
    pub at: &'a str,
    pub access: Access,
}

/// What a container may do with a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

impl Images {
    /// Creates a directory for images. Returns `None` and logs a skip if images cannot be built here.
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

    /// Builds an image as its Containerfile describes, without optimisation unless `FRAMEPOST_IMAGE_PROFILE` names another profile of
    /// cargo, such as `release`.
    pub fn build(&self, recipe: Recipe<'_>, name: &str) {
        // What is compiled already is shared by all images, and is forgotten by nobody while another compiles.
        static TARGET: Mutex<()> = Mutex::new(());
        let _target = TARGET.lock().unwrap_or_else(PoisonError::into_inner);
        let root = workspace();
        forget_our_own(&target());
        let mut command = self.buildah(&["build", "--isolation", "chroot", "--layers=false"]);
        for path in [PathBuf::from("/usr"), sysroot(), cargo_home(), target()] {
            let read_only = if path.starts_with("/usr") { ":ro" } else { "" };
            command.arg("-v").arg(format!("{0}:{0}{read_only}", path.display()));
        }
        let file = match recipe {
            Recipe::Function { name, clouds, programs } => {
                for (argument, value) in [("FUNCTION", name), ("CLOUDS", clouds), ("PROGRAMS", programs)] {
                    command.arg(format!("--build-arg={argument}={value}"));
                }
                "infra/deploy/Containerfile"
            }
            Recipe::Gateway => {
                command.arg("--build-arg=CLOUDS=");
                "infra/deploy/gateway.Containerfile"
            }
        };
        let profile = std::env::var("FRAMEPOST_IMAGE_PROFILE").unwrap_or_else(|_| "dev".to_owned());
        command.arg(format!("--build-arg=BUILDER={STAND_IN}")).arg(format!("--build-arg=PROFILE={profile}"));
        run(command.arg("-f").arg(root.join(file)).args(["-t", name]).arg(root));
    }

    /// Builds an image with a model of the directory of models in it, on top of `image`, by `infra/deploy/model.Containerfile`.
    pub fn build_with_model(&self, image: &str, models: &Path, model: &str, name: &str) {
        let mut command = self.buildah(&["build", "--isolation", "chroot", "--layers=false"]);
        command.args([format!("--build-arg=IMAGE={image}"), format!("--build-arg=MODEL={model}")]);
        run(command.arg("-f").arg(workspace().join("infra/deploy/model.Containerfile")).args(["-t", name]).arg(models));
    }

    /// Returns an image's configuration in the form of the OCI image specification.
    pub fn config(&self, name: &str) -> Value {
        let said = run(&mut self.buildah(&["inspect", "--type", "image", name]));
        let said: Value = serde_json::from_str(&said).expect("what is said of the image is JSON");
        said["OCIv1"]["config"].clone()
    }

    /// Creates a root file system from an image.
    pub fn root(&self, name: &str) -> PathBuf {
        let container = run(&mut self.buildah(&["from", "--pull-never", name]));
        PathBuf::from(run(&mut self.buildah(&["mount", &container])))
    }

    /// Starts an image's program in its root file system with the image's user and environment, like a
    /// container runtime, but on this machine's network.
    pub fn start(&self, name: &str, root: &Path, environment: &[(&str, &str)]) -> Running {
        Running::start(self.command(name, root).envs(environment.iter().copied()))
    }

    /// Returns the command that [`start`](Self::start) starts, with the image's environment alone.
    pub fn command(&self, name: &str, root: &Path) -> Command {
        let config = self.config(name);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let mut command = Command::new("chroot");
        command.arg(format!("--userspec={}", text(&config["User"]))).arg(root).arg(text(&config["Entrypoint"][0]));
        command.env_clear();
        for variable in config["Env"].as_array().into_iter().flatten() {
            let (variable, value) = variable.as_str().and_then(|text| text.split_once('=')).expect("NAME=value");
            command.env(variable, value);
        }
        command
    }

    /// The same as [`command`](Self::command), with this machine's `/proc` and `/dev/null` in its root, where every container runtime
    /// has them.
    pub fn command_with_proc(&self, name: &str, root: &Path) -> Command {
        for place in ["proc", "dev"] {
            std::fs::create_dir_all(root.join(place)).expect("a place for what a runtime brings");
        }
        std::fs::write(root.join("dev/null"), "").expect("a place for /dev/null");
        let plain = self.command(name, root);
        let script = "mount --bind /proc \"$0/proc\" && mount --bind /dev/null \"$0/dev/null\" && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(root);
        command.arg(plain.get_program()).args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// Starts an image as `crun` does for podman and docker: with its own user and command, a read-only root, no rights,
    /// and `mounts`; on this machine's network. Its process, as this machine sees it, is in `pid_file`.
    pub fn contain(&self, name: &str, root: &Path, mounts: &[Mount<'_>], pid_file: &Path) -> Running {
        let config = self.config(name);
        let (uid, gid) = config["User"].as_str().and_then(|user| user.split_once(':')).expect("UID:GID");
        let number = |text: &str| text.parse::<u32>().expect("a number");
        let words = |key: &str| config[key].as_array().cloned().unwrap_or_default();
        let arguments = [words("Entrypoint"), words("Cmd")].concat();
        let bound = mounts.iter().map(|mount| {
            let access = if mount.access == Access::Write { "rw" } else { "ro" };
            json!({ "destination": mount.at, "type": "bind", "source": mount.from, "options": ["rbind", access] })
        });
        let system = [
            json!({ "destination": "/proc", "type": "proc", "source": "proc" }),
            json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "ro"] }),
        ];
        let specification = json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": { "uid": number(uid), "gid": number(gid), "umask": 0o22 },
                "args": arguments,
                "env": words("Env"),
                "cwd": "/",
                "capabilities": {},
                "noNewPrivileges": true,
            },
            "root": { "path": root, "readonly": true },
            "mounts": system.into_iter().chain(bound).collect::<Vec<_>>(),
            "linux": { "namespaces": [{ "type": "pid" }, { "type": "mount" }, { "type": "ipc" }, { "type": "uts" }] },
        });
        let bundle = self.directory.path().join("bundle");
        std::fs::create_dir_all(&bundle).expect("a directory for the container");
        std::fs::write(bundle.join("config.json"), specification.to_string()).expect("its specification");
        // crun does not work where control groups of both versions are mounted, and needs none here.
        let script = "mount -t cgroup2 none /sys/fs/cgroup; crun --root \"$1/state\" delete --force gateway 2>/dev/null
            exec crun --root \"$1/state\" --cgroup-manager=disabled run --bundle \"$1\" --pid-file \"$2\" gateway";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "bash", "-c", script, "bash"]).arg(&bundle).arg(pid_file);
        Running::start(&mut command)
    }

    /// Creates an empty root with the files of this machine that a compiler needs in
    /// addition to the mounted ones.
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
        // Unmounts everything before the directory is removed.
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

/// The target directory of the static build. It is kept, so that a second run compiles only changes.
fn target() -> PathBuf {
    let profile = std::env::current_exe().expect("the test's own path");
    let target = profile.ancestors().find(|path| path.join("CACHEDIR.TAG").exists());
    let directory = target.expect("the target directory").join("images");
    std::fs::create_dir_all(&directory).expect("a target directory for images");
    directory
}

/// Forces cargo to recompile our own crates. Cargo compares modification times, and the copied sources keep
/// theirs, which may be older than the last build.
fn forget_our_own(target: &Path) {
    for directory in entries(target) {
        for known in entries(&directory.join("debug/.fingerprint")) {
            let name = known.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("framepost-") || name.starts_with("edge-uploader-") {
                std::fs::remove_dir_all(&known).expect("cargo's fingerprint of a crate");
            }
        }
    }
}

/// Lists a directory; empty if it does not exist.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let read = std::fs::read_dir(directory).into_iter().flatten();
    read.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// Runs a command and returns its standard output. Panics with its standard error if it fails.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{command:?}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}
