//! The gateway's Debian package on a machine that boots: installed, run by its unit, upgraded, removed, purged.

use framepost_tests::binaries::Program;
use framepost_tests::bucket::Bucket;
use framepost_tests::gateway::eventually;
use framepost_tests::judge::recording::Recording;
use framepost_tests::machine::Machine;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const UNIT: &str = "edge-uploader.service";
const CONFIG: &str = "/etc/framepost/edge.toml";
const STATE: &str = "/var/lib/framepost";

/// A bucket that takes objects, and one that is away.
const NEAR: &str = "to = \"file:///var/lib/framepost/bucket\"";
const AWAY: &str = "to = \"s3://footage\", endpoint_url = \"http://127.0.0.1:9\", region = \"eu-central-1\"";

/// One camera, and where its chunks go.
fn edge(bucket: &str) -> String {
    format!(
        "site = \"plant-7\"\nspool = {{ dir = \"/var/lib/framepost/spool\", free_floor = \"10 MB\" }}\n\
         upload = {{ {bucket} }}\nsigning = {{ key_file = \"signing.key\" }}\n\
         [[camera]]\nname = \"gate\"\nurl = \"/srv/video/clip.mp4\"\nrepeat = \"forever\"\n"
    )
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// Packs the built program, without its debug information, as a version.
fn pack(program: &Path, version: &str, out: &Path) -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let mut build = Command::new(repository().join("infra/deploy/debian/build"));
    build.args([architecture, "--fast", "--version", version]).arg("--program").arg(program).arg("--out").arg(out);
    let output = build.output().expect("the package's script runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(said.lines().last().expect("it says where the package is"))
}

/// The names of the chunks that are finished and wait in the spool, or are in the bucket.
fn chunks(machine: &Machine, place: &str) -> BTreeSet<String> {
    let found = machine.sh(&format!("find {STATE}/{place} -name '*Z.*.mp4' -printf '%f\\n' 2>/dev/null || true"));
    found.lines().map(str::to_owned).collect()
}

fn property(machine: &Machine, name: &str) -> String {
    machine.sh(&format!("systemctl show --value -p {name} {UNIT}"))
}

/// Waits until there is a chunk that is not there now.
fn wait_for_another_chunk(machine: &Machine, place: &str) {
    let before = chunks(machine, place);
    eventually("another chunk is recorded", Duration::from_mins(2), || {
        chunks(machine, place).difference(&before).next().is_some()
    });
}

fn configure(machine: &Machine, bucket: &str) {
    machine.sh(&format!("umask 077; cat > {CONFIG} <<'TOML'\n{}TOML", edge(bucket)));
}

/// What the unit's head tells to add for the signing key.
fn documented_credential() -> String {
    let unit = std::fs::read_to_string(repository().join("infra/deploy/edge-uploader.service")).expect("the unit");
    let line = unit.lines().find(|line| line.contains("LoadCredential=signing.key:")).expect("it names the key");
    line.trim_start_matches(['#', ' ']).to_owned()
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
fn it_is_installed_upgraded_removed_and_purged() {
    let _compiles = crate::processors::to_compile();
    if Command::new("cargo-deb").arg("--version").output().is_err() {
        framepost_tests::skip("cargo-deb is missing: tests/run setup, or cargo install --locked cargo-deb");
        return;
    }
    let Some(machine) = Machine::boot() else { return };
    let packages = tempfile::tempdir().expect("a directory for packages");
    let program = packages.path().join("edge-uploader");
    let stripped = Command::new("strip").arg("-o").arg(&program).arg(Program::EdgeUploader.path()).status();
    assert!(stripped.expect("strip runs").success());
    for (version, name) in [("0.1.0-1", "/root/old.deb"), ("0.2.0-1", "/root/new.deb")] {
        machine.copy(&pack(&program, version, packages.path()), name);
    }
    let install = |package: &str| machine.sh(&format!("apt-get install --yes --allow-downgrades {package}"));

    // It is enabled, and waits for a configuration without failing.
    let said = install("/root/old.deb");
    assert!(said.contains("records nothing yet") && said.contains("edge-uploader check"), "{said}");
    assert_eq!(machine.sh(&format!("systemctl is-enabled {UNIT}")), "enabled");
    assert_eq!([property(&machine, "ActiveState"), property(&machine, "ConditionResult")], ["inactive", "no"]);
    assert_eq!(machine.sh("stat -c '%U %G %a' /etc/framepost"), "root root 700");
    let example = machine.sh("cat /usr/share/doc/edge-uploader/examples/edge.toml");
    assert!(example.contains("[[camera]]"), "{example}");

    // As the documentation says: a configuration, a key, a look at both.
    machine.copy(&repository().join("infra/onebox/assets/demo.mp4"), "/srv/video/clip.mp4");
    machine.sh("chmod -R a+rX /srv/video; edge-uploader keygen --out /etc/framepost/signing.key");
    configure(&machine, NEAR);
    machine.sh(&format!(
        "mkdir /etc/systemd/system/{UNIT}.d; systemctl daemon-reload
         printf '[Service]\\n%s\\n' '{}' > /etc/systemd/system/{UNIT}.d/override.conf",
        documented_credential()
    ));
    let checked = machine.sh(&format!("edge-uploader check --config {CONFIG}"));
    assert!(checked.contains("ok    camera gate") && checked.contains("ok    signing key"), "{checked}");
    configure(&machine, AWAY);
    machine.sh(
        "umask 077; printf 'AWS_ACCESS_KEY_ID=gateway\\nAWS_SECRET_ACCESS_KEY=secret\\n' > /etc/framepost/environment
         systemctl daemon-reload; systemctl start edge-uploader",
    );
    wait_for_another_chunk(&machine, "spool");

    // It is the service's user who records, without rights and with the filters on.
    let status = machine.sh(&format!("cat /proc/{}/status", property(&machine, "MainPID")));
    let user = machine.sh("id -u framepost");
    assert_ne!(user, "0");
    for line in [
        format!("Uid:\t{user}\t{user}\t{user}\t{user}"),
        "CapEff:\t0000000000000000".to_owned(),
        "CapBnd:\t0000000000000000".to_owned(),
        "NoNewPrivs:\t1".to_owned(),
        "Seccomp:\t2".to_owned(),
    ] {
        assert!(status.lines().any(|found| found == line), "{line}: {status}");
    }
    assert_eq!(machine.sh(&format!("stat -c '%U %a' {STATE}")), "framepost 700");
    // `check` made it as root.
    assert_eq!(machine.sh(&format!("stat -c %U {STATE}/spool")), "framepost");
    walls_stand(&machine);

    // An upgrade restarts it; it ends in order, and keeps what was not uploaded.
    wait_for_another_chunk(&machine, "spool");
    let before = chunks(&machine, "spool");
    let old = property(&machine, "MainPID");
    install("/root/new.deb");
    assert_eq!(machine.sh("dpkg-query -Wf '${Version}' edge-uploader"), "0.2.0-1");
    assert_eq!([property(&machine, "ActiveState"), property(&machine, "NRestarts")], ["active", "0"]);
    assert_ne!(property(&machine, "MainPID"), old);
    let journal = machine.sh(&format!("journalctl --no-pager -u {UNIT}"));
    assert!(journal.contains("Deactivated successfully") && !journal.contains("Failed with result"), "{journal}");
    assert!(!journal.contains("Timed out") && !journal.contains("no credentials"), "{journal}");
    let missing: Vec<String> = before.difference(&chunks(&machine, "spool")).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    wait_for_another_chunk(&machine, "spool");

    // Removed, it leaves its configuration and its spool.
    machine.sh("apt-get remove --yes edge-uploader");
    assert!(machine.try_sh(&format!("systemctl is-active {UNIT}")).is_err());
    assert!(machine.try_sh("command -v edge-uploader").is_err());
    machine.sh(&format!("test -s {CONFIG} && test -s /etc/framepost/signing.key"));
    let kept = chunks(&machine, "spool");
    assert!(kept.is_superset(&before) && kept.len() > before.len(), "{before:?} {kept:?}");

    // Installed again it goes on by itself, and all of it gets to the bucket, in one order and signed.
    configure(&machine, NEAR);
    install("/root/new.deb");
    assert_eq!(property(&machine, "ActiveState"), "active");
    wait_for_another_chunk(&machine, "bucket");
    machine.sh("systemctl disable --now edge-uploader");
    let bucket = Bucket::at(machine.path(&format!("{STATE}/bucket")));
    let recording = Recording::without_records(&bucket, "gate");
    let stored: BTreeSet<String> = recording
        .chunks
        .iter()
        .filter_map(|chunk| Some(chunk.object.path.file_name()?.to_string_lossy().into()))
        .collect();
    assert!(stored.is_superset(&kept), "{kept:?} {stored:?}");
    let spans = recording.judge(1.0 / 25.0).unwrap_or_else(|faults| panic!("{}", faults.join("\n")));
    assert!(spans.len() >= 3, "each start begins a span: {spans:?}");
    assert!(recording.chunks.iter().all(|chunk| chunk.attributes.signature.is_some()));

    // What an operator switched off stays off.
    install("/root/old.deb");
    assert!(machine.try_sh(&format!("systemctl is-enabled {UNIT}")).is_err());
    assert_eq!(property(&machine, "ActiveState"), "inactive");

    // Purged, it takes the configuration along, and no footage.
    let said = machine.sh("apt-get purge --yes edge-uploader");
    assert!(said.contains("stays in /var/lib/framepost"), "{said}");
    machine.sh("test ! -e /etc/framepost");
    assert_eq!(machine.sh(&format!("stat -c %U {STATE}/spool")), "framepost");
    assert_eq!(chunks(&machine, "bucket"), stored);
}

/// What the unit forbids does not work: asked by a unit that is the same but for its command.
fn walls_stand(machine: &Machine) {
    machine.sh(&format!(
        "cp /usr/lib/systemd/system/{UNIT} /run/systemd/system/walls.service
         cp -r /etc/systemd/system/{UNIT}.d /run/systemd/system/walls.service.d"
    ));
    let run = |command: &str| {
        machine.sh(&format!(
            "cat > /run/systemd/system/walls.service.d/command.conf <<'UNIT'
[Service]
Type=oneshot
Restart=no
ExecStart=
ExecStart=/bin/sh -c '{command}'
UNIT
             systemctl daemon-reload"
        ));
        machine.try_sh("systemctl start walls.service")
    };
    for allowed in [
        "test $$(id -un) = framepost",
        "touch /tmp/x",
        "touch /var/lib/framepost/x && rm /var/lib/framepost/x",
        "cat $${CREDENTIALS_DIRECTORY}/edge.toml $${CREDENTIALS_DIRECTORY}/signing.key",
        "test $$(ulimit -n) -gt 1024",
        "test $$(ulimit -c) = 0",
        "test $$(umask) = 0077",
        "test -z \"$$(ls /home /root)\"",
    ] {
        run(allowed)
            .unwrap_or_else(|error| panic!("{allowed}: {error}\n{}", machine.sh("journalctl --no-pager -u walls")));
    }
    for forbidden in [
        "touch /usr/x",
        "touch /var/lib/x",
        "touch /etc/x",
        "touch $${CREDENTIALS_DIRECTORY}/x",
        "cat /etc/framepost/edge.toml",
        "cat /etc/framepost/signing.key",
        "ls /root/old.deb",
        "ls /proc/1/environ",
        "ls /proc/sys",
        "unshare --user true",
        "mount -t tmpfs none /tmp",
        "mknod /tmp/null c 1 3",
        "setpriv --reuid 0 true",
        "hostname other",
        "cat /dev/kmsg",
    ] {
        assert!(run(forbidden).is_err(), "{forbidden}");
    }
    machine.sh("rm -r /run/systemd/system/walls.service /run/systemd/system/walls.service.d; systemctl daemon-reload");
}
