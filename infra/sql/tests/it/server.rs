//! A PostgreSQL server of the test's own, on a free port of loopback, as an unprivileged user.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The user `nobody`: the server refuses to run as root.
const NOBODY: u32 = 65_534;

/// A running server, which is stopped when it is dropped.
pub(crate) struct Server {
    child: Child,
    port: u16,
    bin: PathBuf,
    directory: TempDir,
}

/// Where Debian puts the programs of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/initdb").is_file().then(|| (version, path.join("bin")))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin)
}

/// A user who logs in with a password, over TLS alone.
pub(crate) const VOUCHED: &str = "vouched";

/// Makes a certificate of `localhost`, which is its own authority. Returns whether it could: it takes openssl's program.
fn certify(certificate: &Path, key: &Path) -> bool {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(key)
        .arg("-out")
        .arg(certificate)
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: TLS, because there is no openssl here");
        return false;
    }
    std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    if is_root() {
        std::os::unix::fs::chown(key, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    true
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn program(bin: &Path, name: &str) -> Command {
    let mut command = Command::new(bin.join(name));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

impl Server {
    /// Starts a server; `None`, and a line that says so, where there are no programs for it.
    pub(crate) fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            println!("skipped: there is no PostgreSQL here (Debian: apt-get install postgresql)");
            return None;
        };
        // Below `/tmp`, which the other user can enter.
        let directory = tempfile::tempdir_in("/tmp").unwrap();
        if is_root() {
            std::os::unix::fs::chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = directory.path().join("data");
        let made = program(&bin, "initdb")
            .args(["--username=framepost", "--auth=trust", "--no-sync", "--encoding=UTF8", "--pgdata"])
            .arg(&data)
            .status()
            .unwrap();
        assert!(made.success(), "initdb: {made}");
        // The first line that fits counts.
        let rules = data.join("pg_hba.conf");
        let trusting = std::fs::read_to_string(&rules).unwrap();
        std::fs::write(&rules, format!("hostssl all {VOUCHED} all scram-sha-256\n{trusting}")).unwrap();
        let certificate = directory.path().join("server.pem");
        let key = directory.path().join("server.key");
        let encrypts = certify(&certificate, &key);
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let child = program(&bin, "postgres")
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "fsync=off", "-c", "logging_collector=off", "-c", "log_min_messages=panic"])
            .args(["-c", if encrypts { "ssl=on" } else { "ssl=off" }])
            .args(["-c", &format!("ssl_cert_file={}", certificate.display())])
            .args(["-c", &format!("ssl_key_file={}", key.display())])
            .spawn()
            .unwrap();
        let server = Self { child, port, bin, directory };
        let deadline = Instant::now() + Duration::from_mins(1);
        while !server.psql("postgres", "SELECT 1") {
            assert!(Instant::now() < deadline, "the server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    /// The certificate of the server's name, `localhost`; `None` where it does not encrypt.
    pub(crate) fn certificate(&self) -> Option<PathBuf> {
        Some(self.directory.path().join("server.pem")).filter(|certificate| certificate.is_file())
    }

    /// Makes the user [`VOUCHED`], or changes its password.
    pub(crate) fn vouch(&self, password: &str) {
        self.psql("postgres", &format!("CREATE ROLE {VOUCHED} LOGIN"));
        assert!(self.psql("postgres", &format!("ALTER ROLE {VOUCHED} PASSWORD '{password}' SUPERUSER")));
    }

    /// Makes a user without a password, who may do what everybody may.
    pub(crate) fn make_user(&self, name: &str) {
        let name = name.replace('"', "\"\"");
        assert!(self.psql("postgres", &format!("CREATE ROLE \"{name}\" LOGIN")), "{name}");
    }

    /// The tables of a database, and whom they belong to.
    pub(crate) fn tables(&self, database: &str) -> Vec<(String, String)> {
        let text = self.answer(database, "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public'");
        let tables: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once('|'))
            .map(|(table, owner)| (table.to_owned(), owner.to_owned()))
            .collect();
        assert!(tables.len() > 10, "{text}");
        tables
    }

    fn psql(&self, database: &str, statement: &str) -> bool {
        self.psql_as("framepost", database, statement)
    }

    /// Whether a user can run this statement.
    pub(crate) fn psql_as(&self, user: &str, database: &str, statement: &str) -> bool {
        let mut command = program(&self.bin, "psql");
        let port = self.port.to_string();
        command.args(["-h", "127.0.0.1", "-U", user, "-q", "-p", &port, "-d", database, "-c", statement]);
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// What a statement answers: a line for each row, with `|` between its values.
    fn answer(&self, database: &str, statement: &str) -> String {
        let mut command = program(&self.bin, "psql");
        let port = self.port.to_string();
        command.args(["-h", "127.0.0.1", "-U", "framepost", "-qtA", "-p", &port, "-d", database, "-c", statement]);
        let answered = command.stdout(Stdio::piped()).output().unwrap();
        String::from_utf8_lossy(&answered.stdout).trim().to_owned()
    }

    /// The bytes that a database takes on the disk.
    pub(crate) fn bytes(&self, database: &str) -> u64 {
        self.answer(database, &format!("SELECT pg_database_size('{database}')")).parse().unwrap()
    }

    /// Makes an empty database and returns its URL.
    pub(crate) fn database(&self, name: &str) -> String {
        assert!(self.psql("postgres", &format!("CREATE DATABASE {name}")), "{name}");
        format!("postgres://framepost@127.0.0.1:{}/{name}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ends connections and stops.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
