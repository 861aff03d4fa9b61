//! Certificates for servers: ordered, issued, read again for their renewal.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SerialNumber,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Authority, KeyKind, LocalCaError, Name};

/// A certificate is valid from a little before it was made: the clocks of clients differ.
pub(super) const AGREED_CLOCKS: Duration = Duration::from_secs(5 * 60);

/// What a certificate should be like.
#[derive(Clone, Debug)]
pub struct Order {
    /// What it is for; the first one is its subject. At least one.
    pub names: Vec<Name>,
    /// How long it is valid; never longer than the authority's own certificate.
    pub life: Duration,
}

/// A certificate.
#[derive(Debug)]
pub struct Issued {
    /// The certificate, as PEM.
    pub certificate: String,
    /// Its key, as PEM (PKCS#8). A secret.
    pub key: String,
    /// When it expires.
    pub not_after: SystemTime,
}

impl Authority {
    /// Issues a certificate for a new key.
    ///
    /// # Errors
    ///
    /// What the cryptographic library says.
    pub fn issue(
        &self,
        order: &Order,
        kind: KeyKind,
        now: SystemTime,
    ) -> Result<Issued, LocalCaError> {
        self.certify(order, &kind.generate()?, now)
    }

    /// Issues another certificate for a key that has one, given as PEM from the file `path`.
    ///
    /// # Errors
    ///
    /// There is no key in it; what the cryptographic library says.
    pub fn issue_again(
        &self,
        order: &Order,
        (path, pem): (&Path, &str),
        now: SystemTime,
    ) -> Result<Issued, LocalCaError> {
        let key = KeyPair::from_pem(pem).map_err(|error| LocalCaError::Damaged {
            path: path.to_owned(),
            why: format!("there is no private key in it ({error})"),
        })?;
        self.certify(order, &key, now)
    }

    fn certify(
        &self,
        order: &Order,
        key: &KeyPair,
        now: SystemTime,
    ) -> Result<Issued, LocalCaError> {
        let names: Vec<String> = order.names.iter().map(Name::to_string).collect();
        let mut subject = DistinguishedName::new();
        // A common name has at most 64 characters; clients read the alternative names only.
        if let Some(first) = names.first().filter(|name| name.len() <= 64) {
            subject.push(DnType::CommonName, first.clone());
        }
        let not_after = (now + order.life).min(self.not_after);
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = subject;
        params.serial_number = Some(serial_number()?);
        params.not_before = (now - AGREED_CLOCKS).into();
        params.not_after = not_after.into();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if *key.algorithm() == rcgen::PKCS_RSA_SHA256 {
            // TLS 1.2's key exchange without ECDHE, for whoever still speaks it.
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        Ok(Issued {
            certificate: params.signed_by(key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
            not_after,
        })
    }
}

/// The names that a certificate, given as PEM from the file `path`, is for.
///
/// # Errors
///
/// There is no certificate in it, or one without DNS names and IP addresses.
pub fn names_in(path: &Path, pem: &str) -> Result<Vec<Name>, LocalCaError> {
    let damaged = |why: &str| LocalCaError::Damaged {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let none = |_| damaged("there is no certificate in it");
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| none(()))?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| none(()))?;
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let names: Vec<Name> = alternatives
        .iter()
        .flat_map(|alternatives| &alternatives.value.general_names)
        .filter_map(name_of)
        .collect();
    match names.is_empty() {
        true => Err(damaged(
            "the certificate is for no DNS name and no IP address",
        )),
        false => Ok(names),
    }
}

fn name_of(name: &GeneralName<'_>) -> Option<Name> {
    match name {
        GeneralName::DNSName(name) => name.parse().ok(),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from));
            address.ok()?.to_string().parse().ok()
        }
        _ => None,
    }
}

/// Sixteen random bytes that read as a positive number. Renewals keep their key, so a number made
/// of the key would come again, and browsers refuse that.
pub(super) fn serial_number() -> Result<SerialNumber, LocalCaError> {
    let mut bytes = [0; 16];
    let random = aws_lc_rs::default_provider().secure_random;
    random
        .fill(&mut bytes)
        .map_err(|_| rcgen::Error::RingUnspecified)?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
