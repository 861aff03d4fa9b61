//! A certificate authority of one's own, in a folder: for labs, tests and inner networks.
//!
//! Look at [`Authority::open_or_create`] and [`Authority::issue`]. What it issues is an ordinary
//! X.509v3 server certificate (RFC 5280) that a client accepts once it trusts the authority's. It
//! keeps no list of what it has issued and revokes nothing; certificates that the public trusts
//! come from an authority that speaks ACME.

mod authority;
mod certificate;
mod key;
mod name;

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use thiserror::Error;

pub use authority::{Authority, Origin};
pub use certificate::{Issued, Order, names_in};
pub use key::KeyKind;
pub use name::Name;

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum LocalCaError {
    /// A name that no certificate can be for.
    #[error("{name:?} is no name for a certificate: {why}")]
    Name {
        /// As it was written.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file or folder cannot be read, made or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was tried: a verb.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do about it.
        why: String,
    },
    /// The authority's own certificate is not valid any more.
    #[error(
        "the authority in {} has expired on {}; move the folder away, and the next run makes \
         another one, which all clients must be told to trust",
        folder.display(),
        humantime::format_rfc3339_seconds(*at)
    )]
    Expired {
        /// Its folder.
        folder: PathBuf,
        /// When.
        at: SystemTime,
    },
    /// The cryptographic library refuses.
    #[error("cannot make the certificate")]
    Issue(#[from] rcgen::Error),
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
mod tests;
