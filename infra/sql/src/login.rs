//! Who connects to a server, and how the server is known: the parameters of a database's URL.
//!
//! | parameter | meaning |
//! |---|---|
//! | `sslmode=disable`, `prefer`, `require` | as libpq: never encrypted, where the server can (the default), or always; whoever answers is taken for the server |
//! | `sslmode=verify-full` | always encrypted, and the server's certificate is of its name and of a known authority |
//! | `sslrootcert=FILE` | the authorities, as PEM; without it those of the operating system |
//! | `login=aws`, `login=gcp` | the password is made anew for each connection: a token of IAM for an RDS database, an access token for a Cloud SQL one |
//!
//! | `tables=awaited` | tables are not made or changed: another program has to do so, and until then nothing is answered |
//! | `reader=ROLE` | this role is granted what readers need; `public` is every user of the database |
//!
//! Every other parameter is the driver's own.

use crate::Passwords;
use crate::tls::{Authorities, connector};
use framepost_ports::{DatabaseUser, Error, ErrorKind, Result};
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

/// The port of a URL that names none.
const PORT: u16 = 5432;

/// How connections are made.
pub(crate) struct Login {
    /// Whether this program makes the tables.
    pub(crate) tables: Tables,
    /// Who is granted what readers need.
    pub(crate) reader: Option<String>,
    config: Config,
    tls: MakeRustlsConnect,
    vouched: Option<Vouched>,
}

/// Who makes the tables and brings them to a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tables {
    /// This program, when it connects.
    Made,
    /// Another one.
    Awaited,
}

/// A user whom a cloud vouches for.
struct Vouched {
    by: &'static str,
    user: DatabaseUser,
    passwords: Arc<dyn Passwords>,
}

impl Login {
    /// Reads the URL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if it is none; the error does not show it. [`ErrorKind::Io`] if the authorities cannot be read.
    pub(crate) fn of(url: &str, passwords: Arc<dyn Passwords>) -> Result<Self> {
        let mut url: Url = url.parse().map_err(|_| invalid("not a URL of a database"))?;
        let query = url.query().unwrap_or_default().to_owned();
        let mut authorities = Authorities::Any;
        let mut file = None;
        let mut by = None;
        let mut tables = Tables::Made;
        let mut reader = None;
        // As they were written: the driver does not take a plus for a space.
        let mut others = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match (name, value) {
                ("sslmode", "verify-full") => {
                    authorities = Authorities::System;
                    others.push("sslmode=require");
                }
                ("sslrootcert", _) => file = Some(PathBuf::from(&*percent_decode_str(value).decode_utf8_lossy())),
                ("login", "aws") => by = Some("aws"),
                ("login", "gcp") => by = Some("gcp"),
                ("login", _) => return Err(invalid("login is aws or gcp")),
                ("tables", "awaited") => tables = Tables::Awaited,
                ("tables", "made") => tables = Tables::Made,
                ("tables", _) => return Err(invalid("tables are made or awaited")),
                ("reader", _) => reader = Some(percent_decode_str(value).decode_utf8_lossy().into_owned()),
                _ => others.push(parameter),
            }
        }
        if reader.is_some() && tables == Tables::Awaited {
            return Err(invalid("reader needs the tables to be this user's"));
        }
        match (&authorities, file) {
            (Authorities::Any, Some(_)) => return Err(invalid("sslrootcert needs sslmode=verify-full")),
            (_, Some(file)) => authorities = Authorities::File(file),
            (_, None) => {}
        }
        url.set_query(Some(others.join("&").as_str()).filter(|query| !query.is_empty()));
        // The parser's error would show the URL.
        let config: Config = url.as_str().parse().map_err(|_| invalid("not a URL of a database"))?;
        let vouched = by.map(|by| Vouched::of(&config, by, passwords)).transpose()?;
        Ok(Self { tables, reader, tls: connector(&authorities)?, config, vouched })
    }

    /// What is the same for every connection.
    pub(crate) fn config(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Makes a connection; the second part is what moves its bytes.
    pub(crate) async fn connect(&self) -> Result<(Client, Connection)> {
        let failed = |error| crate::postgres_error::failed("connect", error);
        match &self.vouched {
            None => self.config.connect(self.tls.clone()).await.map_err(failed),
            Some(Vouched { by, user, passwords }) => {
                let password = passwords.password(by, user).await?;
                self.config.clone().password(password).connect(self.tls.clone()).await.map_err(failed)
            }
        }
    }
}

pub(crate) type Connection =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream>;

impl Vouched {
    fn of(config: &Config, by: &'static str, passwords: Arc<dyn Passwords>) -> Result<Self> {
        if config.get_password().is_some() {
            return Err(invalid("a user whom a cloud vouches for has no password"));
        }
        let (Some(user), [host]) = (config.get_user(), config.get_hosts()) else {
            return Err(invalid("login needs a user and one host"));
        };
        let host = match host {
            // A password must not be read on its way. A socket leads to a program of this machine, which sees to that.
            Host::Tcp(_) if config.get_ssl_mode() != SslMode::Require => {
                return Err(invalid("login needs sslmode=require or sslmode=verify-full"));
            }
            Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.to_string_lossy().into_owned(),
        };
        let port = config.get_ports().first().copied().unwrap_or(PORT);
        Ok(Self { by, user: DatabaseUser { host, port, user: user.to_owned() }, passwords })
    }
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::Invalid, "connect", "the catalogue").because(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;

    struct Never;

    #[async_trait]
    impl Passwords for Never {
        async fn password(&self, _: &'static str, _: &DatabaseUser) -> Result<String> {
            Err(invalid("never asked"))
        }
    }

    fn read(url: &str) -> Result<Login> {
        Login::of(url, Arc::new(Never))
    }

    #[test]
    fn what_a_url_says_of_a_login() {
        let login = read("postgres://framepost@db.example:6432/framepost?sslmode=require&login=aws").unwrap();
        let vouched = login.vouched.unwrap();
        let user = DatabaseUser { host: "db.example".to_owned(), port: 6432, user: "framepost".to_owned() };
        assert_eq!((vouched.by, vouched.user), ("aws", user));
        let url = "postgres:///framepost?host=/cloudsql/p:r:i&user=api%40p.iam&login=gcp&sslmode=disable\
            &options=-c%20role%3Dcloudsqlsuperuser";
        let login = read(url).unwrap();
        assert_eq!(login.config.get_options(), Some("-c role=cloudsqlsuperuser"));
        assert_eq!(login.config.get_dbname(), Some("framepost"));
        let vouched = login.vouched.unwrap();
        let user = DatabaseUser { host: "/cloudsql/p:r:i".to_owned(), port: PORT, user: "api@p.iam".to_owned() };
        assert_eq!((vouched.by, vouched.user), ("gcp", user));
        assert!(read("postgres://u:p@h/d?connect_timeout=3").unwrap().vouched.is_none());
        let login = read("postgres://h/d?reader=api%40p.iam").unwrap();
        assert_eq!((login.tables, login.reader.as_deref()), (Tables::Made, Some("api@p.iam")));
        let login = read("postgres://h/d?tables=awaited").unwrap();
        assert_eq!((login.tables, login.reader), (Tables::Awaited, None));
        assert_eq!(read("postgres://h/d?sslmode=verify-full").unwrap().config.get_ssl_mode(), SslMode::Require);
        assert_eq!(read("postgres://h/d").unwrap().config.get_ssl_mode(), SslMode::Prefer);
    }

    #[test]
    fn a_url_that_says_it_wrongly_is_refused_and_not_shown() {
        for (url, why) in [
            ("postgres://u@h/d?login=aws", "login needs sslmode"),
            ("postgres://u@h/d?login=aws&sslmode=prefer", "login needs sslmode"),
            ("postgres://h/d?login=aws&sslmode=require", "needs a user"),
            ("postgres://u:secret@h/d?login=aws&sslmode=require", "has no password"),
            ("postgres://u@h/d?login=azure&sslmode=require", "aws or gcp"),
            ("postgres://u:secret@h/d?sslmode=require&sslrootcert=/ca.pem", "verify-full"),
            ("postgres://u:secret@h/d?sslmode=sometimes", "not a URL"),
            ("postgres://u:secret@h/d?tables=there", "made or awaited"),
            ("postgres://u:secret@h/d?tables=awaited&reader=public", "reader needs"),
            ("postgres://u:secret@h/d?sslmode=verify-full&sslrootcert=/not/there", "/not/there"),
            ("secret", "not a URL"),
        ] {
            let error = read(url).err().unwrap();
            let words = framepost_ports::chain(&error);
            assert!(words.contains(why) && !words.contains("secret"), "{url}: {words}");
        }
    }
}
