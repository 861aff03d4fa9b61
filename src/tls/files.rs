//! The files that a certificate comes from.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use super::certificate::Certificate;
use super::error::{CertificateError, Part};

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Files {
    /// PEM: the site's own certificate, then its chain.
    pub certificate: PathBuf,
    /// PEM: its key; may be the same file.
    pub private_key: PathBuf,
    /// DER: an OCSP response to staple.
    pub ocsp_response: Option<PathBuf>,
}

/// What can be said of them without reading them: any writing or replacing changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look([Option<Seen>; 3]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    device: u64,
    inode: u64,
    size: u64,
    modified: Option<SystemTime>,
    /// When its status changed, in seconds and nanoseconds: permissions may have been mended.
    status: (i64, i64),
}

impl Files {
    /// Reads them. Blocks: they may lie on a network.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn load(&self) -> Result<Certificate, CertificateError> {
        let certificate = read(&self.certificate, Part::Certificate)?;
        let private_key = read(&self.private_key, Part::PrivateKey)?;
        let ocsp = self.ocsp_response.as_ref();
        let ocsp = ocsp
            .map(|path| read(path, Part::OcspResponse))
            .transpose()?;
        Certificate::from_pem(&certificate, &private_key, ocsp)
    }

    /// Looks at them, to find out whether they change. Blocks.
    pub fn look(&self) -> Look {
        Look([
            look(&self.certificate),
            look(&self.private_key),
            self.ocsp_response.as_deref().and_then(look),
        ])
    }
}

fn read(path: &Path, part: Part) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|source: io::Error| CertificateError::Read {
        part,
        path: path.to_owned(),
        source,
    })
}

pub(super) fn look(path: &Path) -> Option<Seen> {
    use std::os::unix::fs::MetadataExt;

    let metadata = fs::metadata(path).ok()?; // Follows symbolic links.
    Some(Seen {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified: metadata.modified().ok(),
        status: (metadata.ctime(), metadata.ctime_nsec()),
    })
}
