//! What can be wrong with a certificate and its key, and what to do about it.

use std::io;
use std::path::PathBuf;

/// Which of its files is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The certificate with its chain.
    Certificate,
    /// The private key.
    PrivateKey,
    /// The OCSP response.
    OcspResponse,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {source}", path = .path.display())]
    Read {
        /// Which one.
        part: Part,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is empty.
    #[error("the {} is empty", what(*.0))]
    Empty(Part),
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// What says it is PEM is none.
    #[error("the {} is not PEM: {reason}", what(*.part))]
    Pem {
        /// Which file.
        part: Part,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate in the file is not one.
    #[error("certificate {place} of the file cannot be read: {reason}")]
    Malformed {
        /// Which one of the file, from 1.
        place: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no key in it.
    #[error("there is no private key in it")]
    NoKey,
    /// The key is encrypted.
    #[error("the private key is encrypted")]
    EncryptedKey,
    /// The key cannot be used.
    #[error("the private key cannot be used: {0}")]
    Key(String),
    /// An algorithm that ALB does not have.
    #[error("the certificate has an Ed25519 key")]
    Ed25519,
    /// Another algorithm.
    #[error("the certificate's key is neither RSA nor ECDSA")]
    Algorithm,
    /// An RSA key that nobody should trust.
    #[error("the certificate's RSA key has {0} bits")]
    ShortKey(usize),
    /// The key is that of another certificate.
    #[error("the private key does not belong to the certificate")]
    Mismatch {
        /// The one in the file that it belongs to, from 1.
        belongs_to: Option<usize>,
    },
    /// The certificate names no host.
    #[error("the certificate names no host, neither as a DNS name nor as its common name")]
    NoName,
    /// What should be an OCSP response is none.
    #[error("the OCSP response is not one")]
    Ocsp,
}

impl CertificateError {
    /// The file that is at fault.
    pub fn part(&self) -> Part {
        match self {
            Self::Read { part, .. } | Self::Empty(part) | Self::Pem { part, .. } => *part,
            Self::NoKey | Self::EncryptedKey | Self::Key(_) | Self::Mismatch { .. } => {
                Part::PrivateKey
            }
            Self::Ocsp => Part::OcspResponse,
            _ => Part::Certificate,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "the daemon's user must be able to read it".to_owned()
            }
            Self::Read { .. } => "write the path of a PEM file".to_owned(),
            Self::Empty(_) => "a renewal may have failed: write the file again".to_owned(),
            Self::NoCertificate | Self::Pem { .. } | Self::Malformed { .. } => {
                "a PEM file holds -----BEGIN CERTIFICATE----- blocks: first the site's own, then its \
                 chain"
                    .to_owned()
            }
            Self::NoKey => "a PEM file with the key holds a block such as -----BEGIN PRIVATE \
                            KEY----- (PKCS#8, PKCS#1 or SEC1)"
                .to_owned(),
            Self::EncryptedKey => "nobody is there to give its password: `openssl pkey -in KEY -out \
                                   PLAIN` writes it without one"
                .to_owned(),
            Self::Key(_) => "`openssl pkey -in KEY -check -noout` says more of it".to_owned(),
            Self::Ed25519 | Self::Algorithm => {
                "as with ALB, keys are RSA (2048 bits or more) or ECDSA (P-256, P-384, P-521)"
                    .to_owned()
            }
            Self::ShortKey(_) => "2048 bits are the least".to_owned(),
            Self::Mismatch { belongs_to: None } => {
                "`openssl x509 -in CERTIFICATE -pubkey -noout` and `openssl pkey -in KEY -pubout` \
                 must print the same"
                    .to_owned()
            }
            Self::Mismatch {
                belongs_to: Some(place),
            } => format!(
                "it belongs to certificate {place} of the file: that one must come first, then its \
                 chain"
            ),
            Self::NoName => "it must name the site, for example as DNS:www.example.com among its \
                             subject alternative names"
                .to_owned(),
            Self::Ocsp => "it is what `openssl ocsp -respout FILE` writes: DER, not PEM".to_owned(),
        }
    }
}

fn what(part: Part) -> &'static str {
    match part {
        Part::Certificate => "certificate's file",
        Part::PrivateKey => "private key's file",
        Part::OcspResponse => "OCSP response's file",
    }
}
