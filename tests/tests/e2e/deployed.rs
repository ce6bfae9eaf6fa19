//! Runs the gateway with exactly the rights that its systemd unit grants.
//!
//! systemd is not the first process where tests run. The test therefore applies the unit with `unshare`,
//! `mount` and `setpriv`. Every directive of `[Service]` must be applied or listed with the reason why it
//! cannot be. A directive that is neither fails the test.

use framepost_events::KeyKind;
use framepost_tests::binaries::{Program, Running};
use framepost_tests::bucket::Bucket;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A user that owns nothing. systemd takes dynamic users from 61184 to 65519.
const USER: u32 = 61_999;

/// Directives that are not applied here, and why.
const NOT_APPLIED: &[(&str, &str)] = &[
    ("Restart", "it runs once"),
    ("RestartSec", "it runs once"),
    ("TimeoutStopSec", "it ends by itself"),
    ("EnvironmentFile", "systemd reads it as root; the environment is the test's own"),
    ("MemoryMax", "takes a control group"),
    ("PrivateUsers", "a mapping of users; the program asks for none"),
    ("PrivateIPC", "the program uses no System V objects"),
    ("RemoveIPC", "the program uses no System V objects"),
    ("DevicePolicy", "takes a control group; there are no devices to open"),
    ("ProtectKernelTunables", "writing there takes rights that are dropped"),
    ("ProtectKernelModules", "takes rights that are dropped"),
    ("ProtectKernelLogs", "takes rights that are dropped"),
    ("ProtectControlGroups", "writing there takes rights that are dropped"),
    ("ProtectClock", "takes rights that are dropped"),
    ("ProtectHostname", "takes rights that are dropped"),
    ("RestrictSUIDSGID", "seccomp"),
    ("RestrictNamespaces", "seccomp"),
    ("RestrictRealtime", "seccomp"),
    ("LockPersonality", "seccomp"),
    ("MemoryDenyWriteExecute", "seccomp"),
    ("SystemCallArchitectures", "seccomp"),
    ("SystemCallFilter", "seccomp"),
    ("SystemCallErrorNumber", "seccomp"),
    ("RestrictAddressFamilies", "seccomp"),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// Parses `[Service]` of the unit: the values of each directive, in order.
fn service() -> BTreeMap<String, Vec<String>> {
    let path = repository().join("infra/deploy/edge-uploader.service");
    let text = std::fs::read_to_string(path).expect("the unit");
    let (_, section) = text.split_once("\n[Service]\n").expect("a service");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in section.lines().take_while(|line| !line.starts_with('[')) {
        if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            found.entry(key.to_owned()).or_default().push(value.to_owned());
        }
    }
    found
}

/// Returns the lines that the head of the unit tells users to add for a key.
fn documented_credential(name: &str) -> String {
    let path = repository().join("infra/deploy/edge-uploader.service");
    let text = std::fs::read_to_string(path).expect("the unit");
    let wanted = format!("LoadCredential={name}:");
    let line = text.lines().find_map(|line| line.trim_start_matches(['#', ' ']).strip_prefix("LoadCredential="));
    let line = line.filter(|_| text.contains(&wanted)).expect("the unit says how a key is added");
    assert!(line.starts_with(name), "{line}");
    line.to_owned()
}

fn as_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("its mode is set");
}

#[test]
fn the_unit_gives_few_rights() {
    let unit = repository().join("infra/deploy/edge-uploader.service");
    let asked =
        Command::new("systemd-analyze").args(["security", "--offline=yes", "--threshold=25"]).arg(&unit).output();
    let Ok(output) = asked else {
        framepost_tests::skip("systemd-analyze is missing: apt-get install systemd");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let overall = said.lines().last().unwrap_or_default();
    assert!(overall.contains("Overall exposure level"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "more than 2.5: {overall}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "one gateway is asked everything, because it takes a while to set up")]
fn it_records_with_the_rights_of_its_unit() {
    if !as_root() {
        framepost_tests::skip("running as systemd does takes root");
        return;
    }
    let tools = Command::new("unshare").args(["--mount", "setpriv", "--help"]).output();
    if !tools.is_ok_and(|output| output.status.success()) {
        framepost_tests::skip("unshare --mount or setpriv cannot be had here");
        return;
    }
    let mut unit = service();
    let mut one = |key: &str| {
        let values = unit.remove(key).unwrap_or_else(|| panic!("the unit has no {key}="));
        assert_eq!(values.len(), 1, "{key}");
        values.into_iter().next().unwrap_or_default()
    };
    let exec = one("ExecStart");
    let state_name = one("StateDirectory");
    let state_mode = one("StateDirectoryMode");
    let umask = one("UMask");
    let descriptors = one("LimitNOFILE");
    let core = one("LimitCORE");
    for (key, expected) in [
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("ProtectProc", "invisible"),
        ("ProcSubset", "pid"),
    ] {
        assert_eq!(one(key), expected, "{key}: the test does another thing");
    }
    let mut credentials = unit.remove("LoadCredential").expect("LoadCredential=");
    credentials.push(documented_credential("signing.key"));
    for (key, reason) in NOT_APPLIED {
        assert!(unit.remove(*key).is_some(), "{key} ({reason}) is not in the unit any more");
    }
    assert!(unit.is_empty(), "neither applied nor explained: {unit:?}");

    // Install the files as documented: owned by root and readable only by root.
    let place = tempfile::tempdir().expect("a directory");
    set_mode(place.path(), 0o755);
    let at = |name: &str| place.path().join(name);
    for dir in ["etc", "credentials", "state", "media"] {
        std::fs::create_dir(at(dir)).expect("a directory");
    }
    let config = "site = \"plant-7\"\nspool = { dir = \"/var/lib/framepost/spool\" }\n\
                  upload = { to = \"file:///var/lib/framepost/bucket\" }\nsigning = { key_file = \"signing.key\" }\n\
                  metrics = { listen = \"127.0.0.1:0\" }\n\
                  [[camera]]\nname = \"gate\"\nurl = \"/run/media/clip.mp4\"\npace = \"fast\"\n";
    std::fs::write(at("etc/edge.toml"), config).expect("a configuration");
    let keygen = Program::EdgeUploader.command().arg("keygen").arg("--out").arg(at("etc/signing.key")).output();
    assert!(keygen.expect("keygen runs").status.success());
    set_mode(&at("etc"), 0o700);
    std::fs::copy(repository().join("infra/onebox/assets/demo.mp4"), at("media/clip.mp4")).expect("a clip");
    set_mode(&at("media/clip.mp4"), 0o644);
    // Do what systemd does for LoadCredential= and StateDirectory=.
    for credential in &credentials {
        let (id, path) = credential.split_once(':').expect("ID:PATH");
        let source = path.strip_prefix("/etc/framepost/").expect("root's files are in /etc/framepost");
        std::fs::copy(at("etc").join(source), at("credentials").join(id)).expect("a credential");
        set_mode(&at("credentials").join(id), 0o400);
        chown(at("credentials").join(id), Some(USER), Some(USER)).expect("it is the service's");
    }
    set_mode(&at("credentials"), 0o500);
    set_mode(&at("state"), u32::from_str_radix(&state_mode, 8).expect("an octal number"));
    for dir in ["credentials", "state"] {
        chown(at(dir), Some(USER), Some(USER)).expect("it is the service's");
    }

    let run = |command: &str| {
        let script = format!(
            "set -eu; binary=$1; place=$2; command=$3
             mount -t tmpfs -o mode=755 none /run
             mkdir -p /run/credentials/service /run/media /run/bin /run/state
             touch /run/bin/edge-uploader
             mount --bind \"$binary\" /run/bin/edge-uploader
             mount --bind \"$place/credentials\" /run/credentials/service
             mount -o remount,bind,ro /run/credentials/service
             mount --bind \"$place/media\" /run/media
             mount --bind \"$place/etc\" /run/state
             mount -t tmpfs -o mode=755 none /var/lib
             mkdir -p /var/lib/{state_name}
             mount --bind \"$place/state\" /var/lib/{state_name}
             for home in /home /root; do [ ! -d $home ] || mount -t tmpfs -o mode=000 none $home; done
             for tmp in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 none $tmp; done
             mount -t proc -o nosuid,noexec,nodev,hidepid=invisible,subset=pid proc /proc
             mkdir -p /tmp/dev; for device in null zero full random urandom; do
                 touch /tmp/dev/$device; mount --bind /dev/$device /tmp/dev/$device; done
             mount --rbind /tmp/dev /dev
             mount -o remount,bind,ro /run; mount -o remount,bind,ro /var/lib; mount -o remount,bind,ro /
             cd /; umask {umask}
             ulimit -n {descriptors} 2>/dev/null || ulimit -n $(ulimit -Hn); ulimit -c {core}
             exec env -i PATH=/usr/bin:/bin CREDENTIALS_DIRECTORY=/run/credentials/service STATE_DIRECTORY=/var/lib/{state_name} \\
                 setpriv --reuid {USER} --regid {USER} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \\
                 --ambient-caps=-all sh -c \"$command\""
        );
        let mut sandbox = Command::new("unshare");
        sandbox.args(["--mount", "--ipc", "--propagation", "private", "bash", "-c", &script, "bash"]);
        sandbox.arg(Program::EdgeUploader.path()).arg(place.path()).arg(command);
        let mut running = Running::start(&mut sandbox);
        (running.wait(Duration::from_mins(2)), running.log())
    };
    let exec = exec.replace("/usr/local/bin/", "/run/bin/").replace("%d", "/run/credentials/service");

    // Check that what the unit forbids really fails here.
    for forbidden in [
        "touch /usr/x",
        "touch /run/x",
        "touch /run/credentials/service/x",
        "cat /run/state/edge.toml",
        "ls /root",
        "cat /proc/1/environ",
        "/run/bin/edge-uploader run --config /run/state/edge.toml",
    ] {
        let (status, log) = run(forbidden);
        assert!(!status.success(), "{forbidden}: {log}");
    }
    let (status, log) = run("test $(grep CapBnd /proc/self/status | cut -f2) = 0000000000000000 && touch /tmp/x");
    assert!(status.success(), "{log}");

    let (status, log) = run(&exec);
    assert!(status.success(), "{log}");
    let bucket = Bucket::at(at("state/bucket"));
    let chunks = bucket.of("gate", KeyKind::Chunk);
    assert!(chunks.len() >= 2, "{log}");
    for chunk in chunks {
        let attributes = chunk.attributes().expect("its metadata");
        assert!(attributes.signature.is_some(), "the key was read: {log}");
    }
    assert_eq!((mode(&at("state")), mode(&at("state/spool"))), (0o700, 0o700));
    assert_eq!(std::fs::metadata(at("state/spool")).expect("the spool").uid(), USER);
}
