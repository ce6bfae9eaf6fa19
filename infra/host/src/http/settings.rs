//! The settings of an HTTP service in the environment.
//!
//! | variable | |
//! |---|---|
//! | `PORT` | the port, read together with the rest of the environment |
//! | `FRAMEPOST_ADDRESS` | the address to listen on; by default all addresses of the machine, as Cloud Run requires |
//! | `FRAMEPOST_PUSH_AUDIENCE`, `FRAMEPOST_PUSH_EMAIL` | accept only pushes with a token for this audience and service account |
//! | `FRAMEPOST_PUSH_KEYS` | a URL other than Google's for the public keys, as a JSON Web Key Set |

use crate::EnvironmentError;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tokio::net::TcpListener;
use url::Url;

const ADDRESS: &str = "FRAMEPOST_ADDRESS";
const AUDIENCE: &str = "FRAMEPOST_PUSH_AUDIENCE";
const EMAIL: &str = "FRAMEPOST_PUSH_EMAIL";
const KEYS: &str = "FRAMEPOST_PUSH_KEYS";

/// Where to listen, and which senders to accept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpSettings {
    /// The address to listen on; `None` stands for all addresses.
    pub address: Option<IpAddr>,
    /// `None` accepts every sender that reaches the service.
    pub push: Option<PushSettings>,
}

/// The sender whose pushes are accepted, as the token on them names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushSettings {
    /// The audience of the token; unless the subscription names another, its push endpoint.
    pub audience: String,
    /// The e-mail address of the service account that pushes.
    pub email: String,
    /// The public keys as a JSON Web Key Set; those of the cloud unless given.
    pub keys_url: Option<Url>,
}

impl HttpSettings {
    /// Reads the variables, which may be absent.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let invalid = |name, value, expected| EnvironmentError::Invalid { name, value, expected };
        let address = variable(ADDRESS)
            .map(|value| value.parse().map_err(|_| invalid(ADDRESS, value, "an IP address")))
            .transpose()?;
        let keys_url = variable(KEYS)
            .map(|value| value.parse().map_err(|_| invalid(KEYS, value, "the URL of a JSON Web Key Set")))
            .transpose()?;
        let push = match (variable(AUDIENCE), variable(EMAIL)) {
            (None, None) => None,
            (Some(audience), Some(email)) => Some(PushSettings { audience, email, keys_url }),
            (Some(_), None) => {
                let expected = "the push subscription's service account: anybody can get a token for any audience";
                return Err(EnvironmentError::Missing { name: EMAIL, expected });
            }
            (None, Some(_)) => {
                let expected = "the audience of the push subscription's token; its push endpoint, unless it names one";
                return Err(EnvironmentError::Missing { name: AUDIENCE, expected });
            }
        };
        Ok(Self { address, push })
    }

    /// Starts listening on `port`.
    pub async fn listen(&self, port: u16) -> io::Result<TcpListener> {
        match self.address {
            Some(address) => TcpListener::bind((address, port)).await,
            // On a dual-stack machine, this socket accepts both kinds of addresses.
            None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
                Ok(listener) => Ok(listener),
                Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<HttpSettings, EnvironmentError> {
        HttpSettings::from_variables(|name| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_token_is_checked_by_both_or_not_at_all() {
        assert_eq!(read(&[("FRAMEPOST_PUSH_EMAIL", "")]).unwrap(), HttpSettings::default());
        let audience = ("FRAMEPOST_PUSH_AUDIENCE", "https://probe.example.org/");
        let email = ("FRAMEPOST_PUSH_EMAIL", "pusher@example-project.iam.gserviceaccount.com");
        let both = read(&[audience, email, ("FRAMEPOST_ADDRESS", "::1")]).unwrap();
        assert_eq!(both.address, Some(std::net::Ipv6Addr::LOCALHOST.into()));
        assert_eq!(both.push.unwrap().audience, audience.1);
        assert!(matches!(read(&[audience]), Err(EnvironmentError::Missing { name: EMAIL, .. })));
        assert!(matches!(read(&[email]), Err(EnvironmentError::Missing { name: AUDIENCE, .. })));
        for (name, value) in [(ADDRESS, "localhost"), (KEYS, "certs")] {
            let found = read(&[audience, email, (name, value)]);
            assert!(matches!(found, Err(EnvironmentError::Invalid { name: of, .. }) if of == name), "{name}");
        }
    }
}
