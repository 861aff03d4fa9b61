//! The authority: its certificate and its key, in one folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::{AGREED_CLOCKS, serial_number};
use super::{KeyKind, LocalCaError};
use crate::disk::{self, Readers};

/// Nobody likes to tell all clients again.
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// A certificate authority in a folder.
#[derive(Debug)]
pub struct Authority {
    /// The folder that holds it.
    pub folder: PathBuf,
    /// What its certificate calls it.
    pub name: String,
    /// When its certificate expires, and with it all that it has issued.
    pub not_after: SystemTime,
    pub(super) issuer: Issuer<'static, KeyPair>,
}

/// Where an authority comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was in the folder.
    Found,
    /// It was made; nobody trusts it yet.
    Made,
}

impl Authority {
    /// The authority in `folder`, or a new one there.
    ///
    /// # Errors
    ///
    /// A file cannot be read or written, or what is there is not a certificate with its key. Nothing
    /// is replaced then.
    pub fn open_or_create(folder: &Path, now: SystemTime) -> Result<(Self, Origin), LocalCaError> {
        match fs::read_to_string(certificate_in(folder)) {
            Ok(pem) => Ok((Self::open(folder, &pem, now)?, Origin::Found)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let pem = create(folder, now)?;
                Ok((Self::open(folder, &pem, now)?, Origin::Made))
            }
            Err(source) => Err(LocalCaError::File {
                what: "read",
                path: certificate_in(folder),
                source,
            }),
        }
    }

    /// The file that clients must trust.
    pub fn certificate(&self) -> PathBuf {
        certificate_in(&self.folder)
    }

    /// The file that must stay a secret.
    pub fn key(&self) -> PathBuf {
        key_in(&self.folder)
    }

    fn open(folder: &Path, pem: &str, now: SystemTime) -> Result<Self, LocalCaError> {
        let path = key_in(folder);
        let key = fs::read_to_string(&path).map_err(|source| LocalCaError::File {
            what: "read",
            path: path.clone(),
            source,
        })?;
        let key = KeyPair::from_pem(&key)
            .map_err(|error| damaged(&path, format!("there is no private key in it ({error})")))?;
        let path = certificate_in(folder);
        let unreadable = || damaged(&path, "there is no certificate in it");
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| unreadable())?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| unreadable())?;
        if !certificate.is_ca() {
            let why = "this is not the certificate of an authority (CA:TRUE is missing)";
            return Err(damaged(&path, why));
        }
        if certificate.public_key().raw != key.subject_public_key_info() {
            let why = format!("the key in {} is not its own", key_in(folder).display());
            return Err(damaged(&path, why));
        }
        let not_after = moment(certificate.validity().not_after.timestamp());
        if not_after <= now {
            return Err(LocalCaError::Expired {
                folder: folder.to_owned(),
                at: not_after,
            });
        }
        let name = certificate.subject().iter_common_name().next();
        let name = name.and_then(|name| name.as_str().ok());
        Ok(Self {
            folder: folder.to_owned(),
            name: name.unwrap_or("the local authority").to_owned(),
            not_after,
            issuer: Issuer::from_ca_cert_der(&der, key)?,
        })
    }
}

/// Makes an authority. Returns its certificate.
fn create(folder: &Path, now: SystemTime) -> Result<String, LocalCaError> {
    let key = KeyKind::default().generate()?;
    let serial = serial_number()?;
    let mut name = DistinguishedName::new();
    // Two authorities in one trust store must be told apart, by people as well.
    let number: String = serial.as_ref()[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    name.push(DnType::CommonName, format!("Elbow local CA {number}"));
    let mut params = CertificateParams::default();
    params.distinguished_name = name;
    params.serial_number = Some(serial);
    params.not_before = (now - AGREED_CLOCKS).into();
    params.not_after = (now + LIFE).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key)?.pem();

    let file = |what, path: &Path| {
        let path = path.to_owned();
        move |source| LocalCaError::File { what, path, source }
    };
    disk::private_folder(folder).map_err(file("make the folder", folder))?;
    // The key first: a certificate says that an authority is there. And neither in another's place:
    // somebody else may be making one, or have lost the certificate of one.
    for (path, contents, readers) in [
        (key_in(folder), key.serialize_pem(), Readers::Owner),
        (certificate_in(folder), certificate.clone(), Readers::All),
    ] {
        disk::create(&path, contents.as_bytes(), readers).map_err(file("make", &path))?;
    }
    Ok(certificate)
}

fn certificate_in(folder: &Path) -> PathBuf {
    folder.join("ca.pem")
}

fn key_in(folder: &Path) -> PathBuf {
    folder.join("ca.key")
}

fn damaged(path: &Path, why: impl Into<String>) -> LocalCaError {
    LocalCaError::Damaged {
        path: path.to_owned(),
        why: why.into(),
    }
}

/// A certificate's moments are seconds since 1970, and may lie before.
pub(super) fn moment(timestamp: i64) -> SystemTime {
    let seconds = Duration::from_secs(timestamp.unsigned_abs());
    match timestamp < 0 {
        true => SystemTime::UNIX_EPOCH - seconds,
        false => SystemTime::UNIX_EPOCH + seconds,
    }
}
