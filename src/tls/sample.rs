//! Certificates for tests.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, RsaKeySize, SignatureAlgorithm};

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

// What rcgen does not write, written by OpenSSL.
pub(super) const RSA_CERTIFICATE: &str = include_str!("testdata/rsa.crt");
pub(super) const RSA_PKCS1_KEY: &str = include_str!("testdata/rsa.pkcs1.key");
pub(super) const RSA_PKCS8_KEY: &str = include_str!("testdata/rsa.pkcs8.key");
pub(super) const ECDSA_CERTIFICATE: &str = include_str!("testdata/ec.crt");
pub(super) const ECDSA_SEC1_KEY: &str = include_str!("testdata/ec.sec1.key");
pub(crate) const ENCRYPTED_KEY: &str = include_str!("testdata/encrypted.pkcs8.key");
pub(super) const OLD_ENCRYPTED_KEY: &str = include_str!("testdata/encrypted.sec1.key");
pub(crate) const ED25519_CERTIFICATE: &str = include_str!("testdata/ed25519.crt");
pub(super) const SHORT_RSA_CERTIFICATE: &str = include_str!("testdata/rsa1024.crt");

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// P-256, valid for a year.
pub(crate) fn ecdsa(names: &[&str]) -> Made {
    with_key(names, &rcgen::PKCS_ECDSA_P256_SHA256)
}

/// P-384.
pub(super) fn ecdsa_384(names: &[&str]) -> Made {
    with_key(names, &rcgen::PKCS_ECDSA_P384_SHA384)
}

/// RSA with 2048 bits.
pub(super) fn rsa(names: &[&str]) -> Made {
    let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    made(names, &key, 0, 365)
}

/// P-256, expired yesterday, after ten years.
pub(crate) fn expired(names: &[&str]) -> Made {
    let key = KeyPair::generate().unwrap();
    made(names, &key, 3650, -1)
}

/// P-256, valid for so many days.
pub(crate) fn valid_for(names: &[&str], days: i32) -> Made {
    let key = KeyPair::generate().unwrap();
    made(names, &key, 0, days)
}

fn with_key(names: &[&str], algorithm: &'static SignatureAlgorithm) -> Made {
    let key = KeyPair::generate_for(algorithm).unwrap();
    made(names, &key, 0, 365)
}

fn made(names: &[&str], key: &KeyPair, since: u32, days: i32) -> Made {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    let now = SystemTime::now();
    params.not_before = (now - DAY / 24 - DAY * since).into();
    params.not_after = match u32::try_from(days) {
        Ok(days) => (now + DAY * days).into(),
        Err(_) => (now - DAY * days.unsigned_abs()).into(),
    };
    Made {
        certificate: params.self_signed(key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}
