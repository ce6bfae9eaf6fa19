//! A PostgreSQL server of the test's own, on a free port of loopback, as an unprivileged user.
//!
//! It is the newest one of Debian's on this machine. Nothing that it writes outlives the value.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The user `nobody`: the server refuses to run as root.
const NOBODY: u32 = 65_534;

/// Ports that are tried: another program may take one between its choice and the server's start.
const PORTS: usize = 5;

/// How long it may take on a busy machine until it answers.
const START: Duration = Duration::from_mins(2);

/// A running server, which is stopped when it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
    bin: PathBuf,
    directory: TempDir,
}

/// The directory that `FRAMEPOST_POSTGRES_BIN` names, with the programs of another version; otherwise where Debian puts those of the
/// newest one.
fn programs() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("FRAMEPOST_POSTGRES_BIN") {
        return Some(named.into());
    }
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
pub const VOUCHED: &str = "vouched";

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
        crate::skip("TLS, because there is no openssl here");
        return false;
    }
    std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("permissions");
    if is_root() {
        std::os::unix::fs::chown(key, Some(NOBODY), Some(NOBODY)).expect("it can be given away");
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

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
    listener.local_addr().expect("a bound listener has an address").port()
}

fn launch(bin: &Path, directory: &Path, port: u16, encrypts: bool) -> Child {
    let file = |name: &str| directory.join(name).display().to_string();
    program(bin, "postgres")
        .args(["-D", &file("data"), "-p", &port.to_string()])
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
        .args(["-c", "fsync=off", "-c", "logging_collector=off", "-c", "log_min_messages=panic"])
        // Servers of version 13 have MD5 unless told.
        .args(["-c", "password_encryption=scram-sha-256"])
        .args(["-c", if encrypts { "ssl=on" } else { "ssl=off" }])
        .args(["-c", &format!("ssl_cert_file={}", file("server.pem"))])
        .args(["-c", &format!("ssl_key_file={}", file("server.key"))])
        .spawn()
        .expect("postgres can be started")
}

impl Server {
    /// Starts a server; `None`, and a line that says so, where there are no programs for it.
    pub fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            crate::skip("there is no PostgreSQL here (Debian: apt-get install postgresql)");
            return None;
        };
        // Below `/tmp`, which the other user can enter.
        let directory = tempfile::tempdir_in("/tmp").expect("a temporary directory");
        if is_root() {
            std::os::unix::fs::chown(directory.path(), Some(NOBODY), Some(NOBODY)).expect("it can be given away");
        }
        let data = directory.path().join("data");
        let made = program(&bin, "initdb")
            .args(["--username=framepost", "--auth=trust", "--no-sync", "--encoding=UTF8", "--pgdata"])
            .arg(&data)
            .status()
            .expect("initdb can be started");
        assert!(made.success(), "initdb: {made}");
        // The first line that fits counts.
        let rules = data.join("pg_hba.conf");
        let trusting = std::fs::read_to_string(&rules).expect("initdb writes rules");
        std::fs::write(&rules, format!("hostssl all {VOUCHED} all scram-sha-256\n{trusting}")).expect("rules");
        let place = directory.path().to_owned();
        let encrypts = certify(&place.join("server.pem"), &place.join("server.key"));
        let port = free_port();
        let mut server = Self { child: launch(&bin, &place, port, encrypts), port, bin, directory };
        for _ in 1..PORTS {
            if server.answers() {
                return Some(server);
            }
            server.port = free_port();
            server.child = launch(&server.bin, &place, server.port, encrypts);
        }
        panic!("no port of {PORTS} stayed free until a server listened there");
    }

    /// Waits until it answers. Returns whether it does: it ends where its port is taken.
    fn answers(&mut self) -> bool {
        let deadline = Instant::now() + START;
        let data = self.directory.path().join("data").display().to_string();
        // Another server may have the port.
        while !(self.psql("postgres", "SELECT 1") && self.answer("postgres", "SHOW data_directory") == data) {
            if self.child.try_wait().expect("the state of a child").is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "the server does not answer");
            std::thread::park_timeout(Duration::from_millis(50));
        }
        true
    }

    /// The certificate of the server's name, `localhost`; `None` where it does not encrypt.
    pub fn certificate(&self) -> Option<PathBuf> {
        Some(self.directory.path().join("server.pem")).filter(|certificate| certificate.is_file())
    }

    /// Makes the user [`VOUCHED`], or changes its password.
    pub fn vouch(&self, password: &str) {
        self.psql("postgres", &format!("CREATE ROLE {VOUCHED} LOGIN"));
        assert!(self.psql("postgres", &format!("ALTER ROLE {VOUCHED} PASSWORD '{password}' SUPERUSER")));
    }

    /// Makes a user without a password, who may do what everybody may.
    pub fn make_user(&self, name: &str) {
        let name = name.replace('"', "\"\"");
        assert!(self.psql("postgres", &format!("CREATE ROLE \"{name}\" LOGIN")), "{name}");
    }

    /// The tables of a database, and whom they belong to.
    pub fn tables(&self, database: &str) -> Vec<(String, String)> {
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
    pub fn psql_as(&self, user: &str, database: &str, statement: &str) -> bool {
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
        let answered = command.stdout(Stdio::piped()).output().expect("psql can be started");
        String::from_utf8_lossy(&answered.stdout).trim().to_owned()
    }

    /// The bytes that a database takes on the disk.
    pub fn bytes(&self, database: &str) -> u64 {
        self.answer(database, &format!("SELECT pg_database_size('{database}')")).parse().expect("a number")
    }

    /// Makes an empty database and returns its URL.
    pub fn database(&self, name: &str) -> String {
        assert!(self.psql("postgres", &format!("CREATE DATABASE {name}")), "{name}");
        // Before version 15 everybody may create tables there, and the README says to take that right away.
        assert!(self.psql(name, "REVOKE CREATE ON SCHEMA public FROM PUBLIC"), "{name}");
        self.url(name)
    }

    /// The same, with its tables in a new directory in this one, which anybody may write to.
    pub fn database_in(&self, directory: &Path, name: &str) -> String {
        let tables = directory.join(name);
        std::fs::create_dir(&tables).expect("a directory");
        if is_root() {
            std::os::unix::fs::chown(&tables, Some(NOBODY), Some(NOBODY)).expect("it can be given away");
        }
        let made = format!("CREATE TABLESPACE {name} LOCATION '{}'", tables.display());
        assert!(self.psql("postgres", &made), "{made}");
        assert!(self.psql("postgres", &format!("CREATE DATABASE {name} TABLESPACE {name}")), "{name}");
        self.url(name)
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://framepost@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ends connections and stops.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}
