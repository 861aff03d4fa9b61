//! A trust store: whose certificates clients may show, and which of them have been revoked.
//!
//! Any certificate authority may be an anchor, an intermediate one as well: what it has issued is
//! trusted, its own issuer need not be known.

use std::io;

use rustls::DistinguishedName;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// Certificate authorities and their revocation lists.
#[derive(Debug)]
pub struct TrustStore {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    pub(super) names: Vec<DistinguishedName>,
    pub(super) revocation_lists: Vec<CertRevocationList<'static>>,
    revoked: usize,
}

/// Why something cannot be part of a trust store.
#[derive(Debug, thiserror::Error)]
pub enum TrustStoreError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Read(io::Error),
    /// ALB's quota of authorities.
    #[error("there are more than {0} certificates in it, which ALB does not take")]
    TooManyAuthorities(usize),
    /// ALB's quota of revoked certificates.
    #[error("there are more than {0} entries in the lists, which ALB does not take")]
    TooManyEntries(usize),
    /// The file is no PEM.
    #[error("it cannot be read as PEM: {0}")]
    Pem(pem::Error),
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    Empty,
    /// A certificate cannot be read.
    #[error("certificate {number} in it cannot be read")]
    Certificate {
        /// Which one, from 1.
        number: usize,
    },
    /// A certificate is not an authority's.
    #[error("certificate {number} in it, {subject}, is not a certificate authority's")]
    NoAuthority {
        /// Which one, from 1.
        number: usize,
        /// Whose it is.
        subject: String,
    },
    /// There is no revocation list in it.
    #[error("there is no revocation list in it")]
    NoList,
    /// A revocation list cannot be read, or is of a kind that is not supported.
    #[error("it is no revocation list that can be used: {0}")]
    RevocationList(webpki::Error),
}

impl TrustStore {
    /// Reads a bundle of authorities (PEM).
    ///
    /// # Errors
    ///
    /// There is none in it, or something else.
    pub fn from_pem(bundle: &[u8]) -> Result<Self, TrustStoreError> {
        let mut store = Self {
            anchors: Vec::new(),
            names: Vec::new(),
            revocation_lists: Vec::new(),
            revoked: 0,
        };
        for (index, certificate) in CertificateDer::pem_slice_iter(bundle).enumerate() {
            let certificate = certificate.map_err(TrustStoreError::Pem)?;
            store.add(&certificate, index + 1)?;
        }
        match store.anchors.is_empty() {
            true => Err(TrustStoreError::Empty),
            false => Ok(store),
        }
    }

    fn add(
        &mut self,
        certificate: &CertificateDer<'_>,
        number: usize,
    ) -> Result<(), TrustStoreError> {
        let unreadable = || TrustStoreError::Certificate { number };
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| unreadable())?;
        // A root of version 1 has no extension that could say so.
        let is_authority = parsed.is_ca() || parsed.extensions().is_empty();
        if !is_authority {
            let subject = super::distinguished_name::rfc2253(parsed.subject());
            return Err(TrustStoreError::NoAuthority { number, subject });
        }
        let anchor = webpki::anchor_from_trusted_cert(certificate).map_err(|_| unreadable())?;
        self.names
            .push(DistinguishedName::in_sequence(&anchor.subject));
        self.anchors.push(anchor.to_owned());
        Ok(())
    }

    /// Adds a revocation list, PEM (perhaps several) or DER.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is a delta or indirect list.
    pub fn revoke(&mut self, list: &[u8]) -> Result<(), TrustStoreError> {
        let is_pem = list.trim_ascii_start().starts_with(b"-----BEGIN")
            || memchr::memmem::find(list, b"-----BEGIN X509 CRL-----").is_some();
        if !is_pem {
            return self.add_list(list);
        }
        let before = self.revocation_lists.len();
        for list in CertificateRevocationListDer::pem_slice_iter(list) {
            self.add_list(&list.map_err(TrustStoreError::Pem)?)?;
        }
        match self.revocation_lists.len() == before {
            true => Err(TrustStoreError::NoList),
            false => Ok(()),
        }
    }

    fn add_list(&mut self, list: &[u8]) -> Result<(), TrustStoreError> {
        let owned = OwnedCertRevocationList::from_der(list);
        let owned = owned.map_err(TrustStoreError::RevocationList)?;
        if let Ok((_, parsed)) = CertificateRevocationList::from_der(list) {
            self.revoked += parsed.iter_revoked_certificates().count();
        }
        self.revocation_lists.push(owned.into());
        Ok(())
    }

    /// Whether an authority has this name (DER, without its outermost tag and length).
    pub(super) fn knows(&self, name: &[u8]) -> bool {
        self.anchors.iter().any(|anchor| *anchor.subject == *name)
    }

    /// How many authorities there are.
    pub fn authorities(&self) -> usize {
        self.anchors.len()
    }

    /// How many revocation lists there are, and how many certificates they revoke.
    pub fn revocations(&self) -> (usize, usize) {
        (self.revocation_lists.len(), self.revoked)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::tls::mutual_sample::{Authority, CLIENT};

    fn refused(bundle: &str) -> String {
        TrustStore::from_pem(bundle.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_bundle_is_made_of_authorities() {
        let root = Authority::root("root");
        let both = root.pem() + &root.intermediate("between").pem();
        let store = TrustStore::from_pem(both.as_bytes()).unwrap();
        assert_eq!((store.authorities(), store.revocations()), (2, (0, 0)));
        assert_eq!(refused("no PEM at all"), "there is no certificate in it");
        let leaf = pem(&root.issue(&CLIENT));
        assert_eq!(
            refused(&(root.pem() + &leaf)),
            "certificate 2 in it, CN=client,O=Shop\\, Inc.,C=US, is not a certificate authority's"
        );
        let garbage = pem(b"garbage");
        assert_eq!(refused(&garbage), "certificate 1 in it cannot be read");
    }

    #[test]
    fn lists_are_counted_with_what_they_revoke_in_either_form() {
        let root = Authority::root("root");
        let mut store = TrustStore::from_pem(root.pem().as_bytes()).unwrap();
        let list = root.revoke(&[1, 2, 3]);
        store
            .revoke((list.clone() + &root.revoke(&[])).as_bytes())
            .unwrap();
        assert_eq!(store.revocations(), (2, 3));
        let der = CertificateRevocationListDer::from_pem_slice(list.as_bytes()).unwrap();
        store.revoke(&der).unwrap();
        assert_eq!(store.revocations(), (3, 6));
        assert!(store.revoke(b"no list").is_err());
        assert!(store.revoke(root.pem().as_bytes()).is_err());
    }

    fn pem(der: &[u8]) -> String {
        let text = crate::tls::client_certificate::encoded_pem(&[der.to_vec().into()]);
        text.replace("%20", " ").replace("%0A", "\n")
    }
}
