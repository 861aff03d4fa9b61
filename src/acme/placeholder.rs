//! What clients are shown until the first certificate comes.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use super::Wanted;
use super::error::AcmeError;
use crate::local_ca::Name;
use crate::tls::Certificate;

/// Nobody trusts it, so how long it is valid is for whoever looks at it.
const LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A self-signed certificate for the names: it lets a listener start whatever the authority does.
pub(super) fn placeholder(wanted: &Wanted, now: SystemTime) -> Result<Certificate, AcmeError> {
    let key = KeyPair::generate()?;
    let names: Vec<String> = wanted.names.iter().map(Name::to_string).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    let subject = "Elbow placeholder until the first certificate comes";
    params.distinguished_name.push(DnType::CommonName, subject);
    params.not_before = now.into();
    params.not_after = (now + LIFE).into();
    let certificate = params.self_signed(&key)?;
    let chain = vec![certificate.der().clone()];
    Ok(Certificate::new(chain, PrivateKeyDer::from(key), None)?)
}
