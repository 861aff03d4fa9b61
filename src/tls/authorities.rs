//! Whose word is taken for a server's certificate: that of the authorities in a file, or of those that the
//! system knows.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Why nobody's word can be taken.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {reason}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no authority in it.
    #[error("there is no certificate of an authority in {path}", path = .0.display())]
    Missing(PathBuf),
    /// The system has none.
    #[error(
        "this system knows no certificate authorities (Debian: install ca-certificates), and `ca` \
         names none"
    )]
    NoSystem,
}

/// Reads the authorities in the file (PEM), or the system's if none is named. Blocks.
///
/// # Errors
///
/// There are none, or one of them cannot be read.
pub fn authorities(file: Option<&Path>) -> Result<RootCertStore, AuthoritiesError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = file else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return match roots.is_empty() {
            true => Err(AuthoritiesError::NoSystem),
            false => Ok(roots),
        };
    };
    let read = |reason: String| AuthoritiesError::Read {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read(path).map_err(|error| read(error.to_string()))?;
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| read(error.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|error| read(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(AuthoritiesError::Missing(path.to_owned())),
        false => Ok(roots),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn whom_to_trust_is_read_from_a_file_or_the_fault_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("roots.pem");
        let error = authorities(Some(&file)).unwrap_err().to_string();
        assert!(error.contains("roots.pem"), "{error}");
        fs::write(&file, "nothing").unwrap();
        let error = authorities(Some(&file)).unwrap_err().to_string();
        assert!(
            error.contains("no certificate of an authority in"),
            "{error}"
        );
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["ca.test".to_owned()]).unwrap();
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        assert_eq!(authorities(Some(&file)).unwrap().len(), 1);
    }
}
