//! A clean Debian system that boots with systemd as its first process, in namespaces of its own.
//!
//! Packages are installed and units run there as on a gateway, with the user, credentials, mounts and system call filters
//! that they ask for. The only network is a loopback interface. mmdebstrap makes the root file system once, from Debian's
//! mirror; it is kept in `~/.cache/framepost`.

use crate::gateway::eventually;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What a gateway has besides Debian's smallest system.
const PACKAGES: &str = "systemd,systemd-sysv,mount,adduser,init-system-helpers,ca-certificates";

/// Takes the root file system, and a group of processes in `/sys/fs/cgroup` or below it, which becomes the machine's whole tree.
const BOOT: &str = r#"
set -eu
root=$1 group=$2
echo $$ > "$group/cgroup.procs"
exec unshare --pid --mount --uts --ipc --cgroup --net --fork --kill-child --propagation private bash -euc '
    mount --bind "$1" "$1"
    cd "$1"
    ip link set lo up 2>/dev/null || true
    mount -t proc proc proc
    mount --bind proc/sys proc/sys
    mount -o remount,bind,ro proc/sys
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 none sys/fs/cgroup
    mount -t tmpfs -o mode=755 none dev
    for device in null zero full random urandom tty; do touch dev/$device; mount --bind /dev/$device dev/$device; done
    mkdir dev/shm dev/pts
    mount -t tmpfs -o mode=1777 none dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666 none dev/pts
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    mount -t tmpfs -o mode=755 none run
    mount -t tmpfs -o mode=1777 none tmp
    mkdir run/outside
    pivot_root . run/outside
    umount -l /run/outside
    rmdir /run/outside
    # As on a booted kernel: systemd mounts credentials in one namespace for another.
    mount --make-rshared /
    exec env -i container=framepost PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --log-target=journal --show-status=no multi-user.target' bash "$root"
"#;

/// A machine that has booted. Dropped, it is switched off and gone.
#[derive(Debug)]
pub struct Machine {
    place: tempfile::TempDir,
    unshare: Child,
    init: u32,
    group: PathBuf,
}

impl Machine {
    /// Boots a clean machine; `None`, and said so, where that cannot be done.
    pub fn boot() -> Option<Self> {
        if std::fs::metadata("/proc/self").map_or(u32::MAX, |own| own.uid()) != 0 {
            crate::skip("booting a machine takes root");
            return None;
        }
        if Command::new("mmdebstrap").arg("--version").output().is_err() {
            crate::skip("mmdebstrap is missing: apt-get install mmdebstrap");
            return None;
        }
        let place = tempfile::tempdir().expect("a directory for the machine");
        let root = place.path().join("root");
        std::fs::create_dir(&root).expect("a directory for its root");
        let unpacked = Command::new("tar").arg("-xpf").arg(base()).arg("-C").arg(&root).status();
        assert!(unpacked.expect("tar runs").success(), "its root file system is unpacked");
        let group = own_group().join(format!("framepost-{}", std::process::id()));
        if let Err(error) = std::fs::create_dir(&group) {
            crate::skip(&format!("a machine needs a control group of its own: {}: {error}", group.display()));
            return None;
        }
        let log = std::fs::File::create(place.path().join("console")).expect("its console");
        let mut boot = Command::new("bash");
        boot.args(["-c", BOOT, "boot"]).arg(&root).arg(&group).stdin(Stdio::null());
        boot.stdout(log.try_clone().expect("the console, twice")).stderr(log);
        let unshare = boot.spawn().expect("bash starts");
        let mut machine = Self { place, unshare, init: 0, group };
        machine.wait_until_booted();
        Some(machine)
    }

    fn wait_until_booted(&mut self) {
        let children = format!("/proc/{0}/task/{0}/children", self.unshare.id());
        let console = self.place.path().join("console");
        eventually("the machine boots", Duration::from_mins(2), || {
            let ended = self.unshare.try_wait().expect("its first process can be asked");
            assert!(ended.is_none(), "{ended:?}: {}", std::fs::read_to_string(&console).unwrap_or_default());
            self.init = std::fs::read_to_string(&children).ok().and_then(|pids| pids.trim().parse().ok()).unwrap_or(0);
            self.init != 0 && self.try_sh("systemctl is-system-running").is_ok_and(|state| state == "running")
        });
    }

    /// What lies at a path of the machine, as this machine sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.place.path().join("root").join(path.trim_start_matches('/'))
    }

    /// Copies a file to a path of the machine.
    pub fn copy(&self, from: &Path, to: &str) {
        let to = self.path(to);
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("its directory");
        std::fs::copy(from, &to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    }

    /// Runs a shell command as root, without a terminal and without input, and returns what it said on both outputs; the same
    /// as an error if it failed.
    pub fn try_sh(&self, command: &str) -> Result<String, String> {
        let mut entered = Command::new("nsenter");
        entered.args(["--target", &self.init.to_string(), "--all", "env", "-i", "--chdir=/"]);
        entered.args(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]);
        let output = entered.args(["sh", "-c", &format!("exec 2>&1\n{command}")]).stdin(Stdio::null()).output();
        let output = output.expect("nsenter runs");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() {
            Ok(said)
        } else {
            Err(format!("{}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr)))
        }
    }

    /// The same, and panics if it failed.
    pub fn sh(&self, command: &str) -> String {
        self.try_sh(command).unwrap_or_else(|error| panic!("{command}\n{error}"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let journal = self.try_sh("journalctl --no-pager --lines 100");
            eprintln!("the machine's journal: {}", journal.unwrap_or_else(|error| error));
        }
        // Its first process goes with the one that started it, and all others with the first.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        let removed = || {
            for group in directories(&self.group).iter().rev() {
                let _ = std::fs::remove_dir(group);
            }
            !self.group.exists()
        };
        for _ in 0..250 {
            if removed() {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// A directory and all below it, each before what is in it.
fn directories(root: &Path) -> Vec<PathBuf> {
    let mut found = vec![root.to_owned()];
    let mut next = 0;
    while let Some(directory) = found.get(next).cloned() {
        next += 1;
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.push(entry.path());
            }
        }
    }
    found
}

/// This process's own group in the hierarchy of version 2.
fn own_group() -> PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("what is mounted");
    let mount = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let path = words.next()?;
        (words.next()? == "cgroup2").then(|| PathBuf::from(path))
    });
    let groups = std::fs::read_to_string("/proc/self/cgroup").expect("this process's groups");
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default().to_owned();
    mount.unwrap_or_else(|| PathBuf::from("/sys/fs/cgroup")).join(own)
}

/// The packed root file system, made unless it is there: of this machine's own release, where this is Debian, because its
/// programs are built for that libc; of the newest otherwise.
fn base() -> PathBuf {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value = |key: &str| release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let own = value("VERSION_CODENAME").filter(|_| value("ID") == Some("debian"));
    let suite = own.unwrap_or("trixie");
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home).expect("HOME is set");
    let cache = caches.join("framepost");
    std::fs::create_dir_all(&cache).expect("a cache");
    let base = cache.join(format!("debian-{suite}-1.tar"));
    if !base.exists() {
        // A name of its own, so that half of one is never taken for one.
        let partly = cache.join(format!("debian-{suite}-{}.tar", std::process::id()));
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap.args(["--quiet", "--variant=minbase", &format!("--include={PACKAGES}"), suite]).arg(&partly);
        let made = mmdebstrap.stdin(Stdio::null()).output().expect("mmdebstrap runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::rename(&partly, &base).expect("the root file system gets its name");
    }
    base
}
