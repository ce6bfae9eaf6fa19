//! Passwords for users of RDS databases whom IAM vouches for.
//!
//! A password is a signed URL without its scheme, good for 15 minutes. It is made here, and no request is sent. See "IAM database
//! authentication" in the user guide of Amazon RDS: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html>.

use crate::Session;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use framepost_ports::{DatabaseUser, Error, ErrorKind, Result};
use std::time::{Duration, SystemTime};
use url::Url;

/// How long a password may be used to connect. RDS takes no longer ones.
const GOOD_FOR: Duration = Duration::from_mins(15);

impl Session {
    /// Makes a password for the user. Whether the credential may log in as it, the server decides (`rds-db:connect`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`] if there is no credential, [`ErrorKind::Invalid`] if the names are none.
    pub async fn database_password(&self, user: &DatabaseUser) -> Result<String> {
        let region = self.region().ok_or_else(|| failed(user, ErrorKind::Invalid, "no region is given"))?;
        let provider = self.credentials().ok_or_else(|| failed(user, ErrorKind::Denied, "there is no credential"))?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| failed(user, ErrorKind::Denied, error))?;
        password(user, region, credentials, SystemTime::now())
    }
}

fn password(user: &DatabaseUser, region: &str, credentials: Credentials, now: SystemTime) -> Result<String> {
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(GOOD_FOR);
    settings.signature_location = SignatureLocation::QueryParams;
    let identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds-db")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|error| failed(user, ErrorKind::Invalid, error))?;
    let url = format!("https://{}:{}/", user.host, user.port);
    let mut url = Url::parse(&url).map_err(|error| failed(user, ErrorKind::Invalid, error))?;
    url.query_pairs_mut().append_pair("Action", "connect").append_pair("DBUser", &user.user);
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]));
    let request = request.map_err(|error| failed(user, ErrorKind::Invalid, error))?;
    let signed = sign(request, &parameters.into()).map_err(|error| failed(user, ErrorKind::Invalid, error))?;
    url.query_pairs_mut().extend_pairs(signed.output().params());
    Ok(url.as_str().trim_start_matches("https://").to_owned())
}

fn failed(user: &DatabaseUser, kind: ErrorKind, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(kind, "log in", user.user.as_str()).because(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What boto3's `generate_db_auth_token` makes of the same at the same time.
    const OF_BOTO3: &str = "c.cluster-1.eu-central-1.rds.amazonaws.com:5432/?Action=connect&DBUser=framepost\
        &X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20261120%2Feu-central-1%2Frds-db%2Faws4_request\
        &X-Amz-Date=20261120T150823Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
        &X-Amz-Security-Token=to%2Fken%2Bwith%3D%3Dsigns\
        &X-Amz-Signature=dd4c671918978b9a5cde3573e0603759f14126bd13d57a85bcd76dbb53af82d6";

    #[test]
    fn a_password_is_the_one_of_other_sdks() {
        let user = DatabaseUser {
            host: "c.cluster-1.eu-central-1.rds.amazonaws.com".to_owned(),
            port: 5432,
            user: "framepost".to_owned(),
        };
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIDEXAMPLE", secret, Some("to/ken+with==signs".to_owned()), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_187_303);
        let made = password(&user, "eu-central-1", credentials, now).unwrap();
        // The order of parameters is free.
        let sorted = |text: &str| {
            let (place, parameters) = text.split_once('?').unwrap();
            let mut parameters: Vec<String> = parameters.split('&').map(str::to_owned).collect();
            parameters.sort();
            (place.to_owned(), parameters)
        };
        assert_eq!(sorted(&made), sorted(OF_BOTO3));
    }
}
