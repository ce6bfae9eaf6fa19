//! RTSP over TLS (`rtsps://`): which certificates are accepted.

use framepost_events::Sha256;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Which certificate a camera may present. Only used for `rtsps://`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certificate {
    /// A certificate for the camera's name, issued by a root that the system trusts.
    #[default]
    System,
    /// The certificate with this SHA-256 of its DER encoding, whatever its contents,
    /// for cameras with self-signed certificates.
    Sha256(Fingerprint),
    /// Any certificate. This protects against eavesdropping, but not against an attacker who answers
    /// in place of the camera.
    Unchecked,
}

/// The SHA-256 of a certificate: 64 hexadecimal digits, with or without colons, as openssl prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Fingerprint(Sha256);

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits: String = text.chars().filter(|letter| *letter != ':').collect::<String>().to_ascii_lowercase();
        digits.parse().map(Self).map_err(|_| "expected a certificate's SHA-256: 64 hexadecimal digits".to_owned())
    }
}

/// Creates the TLS configuration for connections to a camera.
pub(super) fn client(certificate: Certificate) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match certificate {
        Certificate::System => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))?
        }
        Certificate::Sha256(Fingerprint(pin)) => Arc::new(Known { pin: Some(pin), provider: Arc::clone(&provider) }),
        Certificate::Unchecked => Arc::new(Known { pin: None, provider: Arc::clone(&provider) }),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Accepts one certificate, or any, and in each case only from a peer that has its key.
#[derive(Debug)]
struct Known {
    pin: Option<Sha256>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.pin {
            Some(pin) if pin != Sha256::of(end_entity) => {
                let found = Sha256::of(end_entity);
                Err(rustls::Error::General(format!("the camera's certificate does not match: its SHA-256 is {found}")))
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_named_as_openssl_prints_them() {
        #[derive(serde::Deserialize)]
        struct Camera {
            certificate: Certificate,
        }
        let read = |text: &str| toml::from_str::<Camera>(text).map(|camera| camera.certificate);
        let digits = Sha256::of(b"x").to_string();
        let pinned = Certificate::Sha256(Fingerprint(Sha256::of(b"x")));
        let colons =
            digits.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect::<Vec<_>>();
        for (text, expected) in [
            ("certificate = \"system\"".to_owned(), Some(Certificate::System)),
            ("certificate = \"unchecked\"".to_owned(), Some(Certificate::Unchecked)),
            (format!("certificate = {{ sha256 = \"{digits}\" }}"), Some(pinned)),
            (format!("certificate = {{ sha256 = \"{}\" }}", colons.join(":")), Some(pinned)),
            ("certificate = { sha256 = \"12\" }".to_owned(), None),
            ("certificate = \"none\"".to_owned(), None),
        ] {
            assert_eq!(read(&text).ok(), expected, "{text}");
        }
        for certificate in [Certificate::Unchecked, pinned] {
            assert!(client(certificate).is_ok());
        }
    }
}
