//! One certificate with its chain and key: read from PEM, and what is to know of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::Oid;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{
    OID_HASH_SHA1, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_RSAENCRYPTION,
    OID_PKCS1_SHA1WITHRSA, OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384,
    OID_SIG_ECDSA_WITH_SHA512, OID_SIG_ED25519,
};
use x509_parser::public_key::PublicKey;

use super::error::{CertificateError, Part};
use super::names::Name;

/// The least RSA modulus, in bits (ALB: 2048, 3072 or 4096).
const LEAST_RSA_BITS: usize = 2048;

/// A certificate, its chain and its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<Name>,
    kind: KeyKind,
    bits: usize,
    digest: Digest,
    not_before: SystemTime,
    not_after: SystemTime,
    serial: String,
    issuer: String,
    in_order: bool,
}

/// What a key is for signing with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// RSA.
    Rsa,
    /// ECDSA, on P-256, P-384 or P-521.
    Ecdsa,
}

impl KeyKind {
    /// A word for lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Ecdsa => "ECDSA",
        }
    }
}

/// What the issuer signed with, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Digest {
    Md5,
    Sha1,
    Sha2,
}

impl Certificate {
    /// Reads a certificate with its chain, its key, which may stand in the same text, and an OCSP
    /// response for it (DER).
    ///
    /// # Errors
    ///
    /// What is wrong with one of them, or that they do not belong together. An expired certificate
    /// is none: it is shown, as ALB does.
    pub fn from_pem(
        certificate: &[u8],
        private_key: &[u8],
        ocsp: Option<Vec<u8>>,
    ) -> Result<Self, CertificateError> {
        let chain = chain(certificate)?;
        let private_key = key(private_key)?;
        Self::new(chain, private_key, ocsp)
    }

    /// The same from what has been read already.
    ///
    /// # Errors
    ///
    /// As [`Certificate::from_pem`].
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        private_key: PrivateKeyDer<'static>,
        ocsp: Option<Vec<u8>>,
    ) -> Result<Self, CertificateError> {
        let parsed: Vec<X509Certificate<'_>> = chain
            .iter()
            .enumerate()
            .map(|(index, der)| parse(der, index + 1))
            .collect::<Result<_, _>>()?;
        let leaf = parsed.first().ok_or(CertificateError::NoCertificate)?;
        let (kind, bits) = key_of(leaf)?;
        let signing = aws_lc_rs::sign::any_supported_type(&private_key);
        let signing = signing.map_err(|error| CertificateError::Key(error.to_string()))?;
        let own = signing.public_key().map(|key| key.as_ref().to_vec());
        let fits = |certificate: &X509Certificate<'_>| match &own {
            Some(own) => own.as_slice() == certificate.tbs_certificate.subject_pki.raw,
            None => true,
        };
        if !fits(leaf) {
            let belongs_to = parsed.iter().position(fits).map(|index| index + 1);
            return Err(CertificateError::Mismatch { belongs_to });
        }
        if ocsp.as_ref().is_some_and(|ocsp| !looks_like_ocsp(ocsp)) {
            return Err(CertificateError::Ocsp);
        }
        let names = names(leaf);
        if names.is_empty() {
            return Err(CertificateError::NoName);
        }
        let in_order = parsed
            .windows(2)
            .all(|pair| pair[0].issuer().as_raw() == pair[1].subject().as_raw());
        let validity = leaf.validity();
        Ok(Self {
            names,
            kind,
            bits,
            digest: digest_of(leaf),
            not_before: time(validity.not_before.timestamp()),
            not_after: time(validity.not_after.timestamp()),
            serial: leaf.raw_serial_as_string(),
            issuer: leaf.issuer().to_string(),
            in_order,
            key: Arc::new(CertifiedKey {
                ocsp,
                ..CertifiedKey::new(chain, signing)
            }),
        })
    }

    /// Whether it is the same, with the same chain, key and OCSP response. A key goes with its public
    /// half, which is in the certificate.
    pub fn is(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert && self.key.ocsp == other.key.ocsp
    }

    /// What rustls shows and signs with.
    pub fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    /// The hosts that it is made out to.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(Name::as_str)
    }

    pub(super) fn patterns(&self) -> &[Name] {
        &self.names
    }

    /// The kind of its key.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The size of its key, in bits.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> SystemTime {
        self.not_before
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// Its serial number, as `0a:1b:...`.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Who issued it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether each certificate of its chain is followed by its issuer's (RFC 5246 section 7.4.2).
    pub fn is_in_order(&self) -> bool {
        self.in_order
    }

    /// Whether it stands alone, though it is not its own issuer: most clients need what is between.
    pub fn lacks_chain(&self) -> bool {
        let alone = self.key.cert.len() == 1;
        let own = |der: &CertificateDer<'_>| {
            x509_parser::parse_x509_certificate(der)
                .is_ok_and(|(_, leaf)| leaf.issuer().as_raw() == leaf.subject().as_raw())
        };
        alone && !self.key.cert.first().is_some_and(own)
    }

    /// Whether it is valid at that time.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// What ALB prefers among certificates for one host, in that order: ECDSA to RSA, a better
    /// signature, a larger key, a longer validity.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let validity = self.not_after.duration_since(self.not_before);
        (
            self.kind,
            self.digest,
            self.bits,
            validity.unwrap_or_default(),
            self.not_after,
        )
    }
}

fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let part = Part::Certificate;
    not_empty(text, part)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(CertificateError::NoCertificate),
        Ok(chain) => Ok(chain),
        Err(error) => Err(CertificateError::Pem {
            part,
            reason: in_words(&error),
        }),
    }
}

fn key(text: &[u8]) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let part = Part::PrivateKey;
    not_empty(text, part)?;
    let says = |words: &[u8]| memchr::memmem::find(text, words).is_some();
    match PrivateKeyDer::from_pem_slice(text) {
        // The older form: a block of the usual name, whose content is encrypted.
        Ok(_) if says(b"Proc-Type: 4,ENCRYPTED") => Err(CertificateError::EncryptedKey),
        Ok(key) => Ok(key),
        Err(_) if says(b"ENCRYPTED") => Err(CertificateError::EncryptedKey),
        Err(pem::Error::NoItemsFound) => Err(CertificateError::NoKey),
        Err(error) => Err(CertificateError::Pem {
            part,
            reason: in_words(&error),
        }),
    }
}

fn not_empty(text: &[u8], part: Part) -> Result<(), CertificateError> {
    match text.trim_ascii().is_empty() {
        true => Err(CertificateError::Empty(part)),
        false => Ok(()),
    }
}

fn in_words(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a block has no end: the file is cut short".into(),
        pem::Error::IllegalSectionStart { .. } => "a line begins a block and is not right".into(),
        pem::Error::Base64Decode(reason) => format!("a block is not base64 ({reason})"),
        other => other.to_string(),
    }
}

fn parse<'a>(
    der: &'a CertificateDer<'_>,
    place: usize,
) -> Result<X509Certificate<'a>, CertificateError> {
    match x509_parser::parse_x509_certificate(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(error) => Err(CertificateError::Malformed {
            place,
            reason: error.to_string(),
        }),
    }
}

/// The kind and size of a certificate's key, if ALB has it.
fn key_of(leaf: &X509Certificate<'_>) -> Result<(KeyKind, usize), CertificateError> {
    let info = &leaf.tbs_certificate.subject_pki;
    let algorithm = &info.algorithm.algorithm;
    let is = |oid: &Oid<'_>| algorithm == oid;
    if is(&OID_SIG_ED25519) {
        return Err(CertificateError::Ed25519);
    }
    let key = info.parsed().map_err(|_| CertificateError::Algorithm)?;
    match key {
        PublicKey::RSA(key) if is(&OID_PKCS1_RSAENCRYPTION) => match key.key_size() {
            bits @ ..LEAST_RSA_BITS => Err(CertificateError::ShortKey(bits)),
            bits => Ok((KeyKind::Rsa, bits)),
        },
        PublicKey::EC(point) if is(&OID_KEY_TYPE_EC_PUBLIC_KEY) => {
            Ok((KeyKind::Ecdsa, point.key_size()))
        }
        _ => Err(CertificateError::Algorithm),
    }
}

fn digest_of(leaf: &X509Certificate<'_>) -> Digest {
    let algorithm = &leaf.signature_algorithm.algorithm;
    let sha2 = [
        OID_SIG_ECDSA_WITH_SHA256,
        OID_SIG_ECDSA_WITH_SHA384,
        OID_SIG_ECDSA_WITH_SHA512,
    ];
    if sha2.contains(algorithm) {
        Digest::Sha2
    } else if *algorithm == OID_PKCS1_MD5WITHRSAENC {
        Digest::Md5
    } else if [OID_PKCS1_SHA1WITHRSA, OID_HASH_SHA1].contains(algorithm) {
        Digest::Sha1
    } else {
        // RSA with SHA-2 in all its forms, and what may come.
        Digest::Sha2
    }
}

/// The DNS names, or for want of any the common name, which older certificates have alone.
fn names(leaf: &X509Certificate<'_>) -> Vec<Name> {
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let general = alternative
        .iter()
        .flat_map(|names| &names.value.general_names);
    let mut names: Vec<Name> = general
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Name::new(name),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        let common = leaf.subject().iter_common_name();
        names.extend(common.filter_map(|name| Name::new(name.as_str().ok()?)));
    }
    names
}

/// `OCSPResponse` is a sequence that begins with the enumerated status 0 (RFC 6960 section 4.2.1).
fn looks_like_ocsp(der: &[u8]) -> bool {
    let body = match der {
        [0x30, length, rest @ ..] if *length < 0x80 => rest,
        [0x30, form, rest @ ..] if *form > 0x80 => {
            rest.get(usize::from(form & 0x7f)..).unwrap_or(&[])
        }
        _ => return false,
    };
    body.starts_with(&[0x0a, 0x01, 0x00])
}

fn time(timestamp: i64) -> SystemTime {
    match u64::try_from(timestamp) {
        Ok(seconds) => UNIX_EPOCH + Duration::from_secs(seconds),
        Err(_) => UNIX_EPOCH,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::tls::sample::{self, Made};

    fn read(made: &Made) -> Result<Certificate, CertificateError> {
        Certificate::from_pem(made.certificate.as_bytes(), made.key.as_bytes(), None)
    }

    #[test]
    fn names_key_and_validity_are_read() {
        let certificate = read(&sample::ecdsa(&["www.example.com", "*.example.net"])).unwrap();
        let names: Vec<&str> = certificate.names().collect();
        assert_eq!(names, ["www.example.com", "*.example.net"]);
        assert_eq!(
            (certificate.kind(), certificate.bits()),
            (KeyKind::Ecdsa, 256)
        );
        assert!(certificate.is_valid_at(SystemTime::now()));
        let rsa = read(&sample::rsa(&["www.example.com"])).unwrap();
        assert_eq!((rsa.kind(), rsa.bits()), (KeyKind::Rsa, 2048));
    }

    #[test]
    fn keys_may_be_written_in_all_three_forms() {
        for (certificate, key) in [
            (sample::RSA_CERTIFICATE, sample::RSA_PKCS1_KEY),
            (sample::RSA_CERTIFICATE, sample::RSA_PKCS8_KEY),
            (sample::ECDSA_CERTIFICATE, sample::ECDSA_SEC1_KEY),
        ] {
            Certificate::from_pem(certificate.as_bytes(), key.as_bytes(), None).unwrap();
        }
    }

    #[test]
    fn certificate_and_key_may_stand_in_one_file() {
        let made = sample::ecdsa(&["a.example"]);
        let both = made.key + &made.certificate;
        Certificate::from_pem(both.as_bytes(), both.as_bytes(), None).unwrap();
    }

    #[test]
    fn a_key_of_another_certificate_is_refused_and_its_own_is_found_in_the_chain() {
        let (one, other) = (sample::ecdsa(&["a.example"]), sample::ecdsa(&["b.example"]));
        let mixed = Made {
            key: other.key.clone(),
            ..one.clone()
        };
        let error = read(&mixed).unwrap_err();
        assert!(matches!(
            error,
            CertificateError::Mismatch { belongs_to: None }
        ));
        let reversed = Made {
            certificate: one.certificate + &other.certificate,
            key: other.key,
        };
        let error = read(&reversed).unwrap_err();
        assert!(
            error.remedy().contains("certificate 2"),
            "{}",
            error.remedy()
        );
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_remedy() {
        let good = sample::ecdsa(&["a.example"]);
        let with = |certificate: &str, key: &str| {
            read(&Made {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            })
            .unwrap_err()
        };
        let cut = &good.certificate[..good.certificate.len() / 2];
        let garbled = good.certificate.replace("\nM", "\n!");
        for (error, part, words) in [
            (with("", &good.key), Part::Certificate, "is empty"),
            (with(&good.certificate, " \n"), Part::PrivateKey, "is empty"),
            (
                with(&good.key, &good.key),
                Part::Certificate,
                "no certificate",
            ),
            (
                with(&good.certificate, &good.certificate),
                Part::PrivateKey,
                "no private key",
            ),
            (with(cut, &good.key), Part::Certificate, "cut short"),
            (with(&garbled, &good.key), Part::Certificate, "base64"),
            (
                with(&good.certificate, sample::ENCRYPTED_KEY),
                Part::PrivateKey,
                "encrypted",
            ),
            (
                with(&good.certificate, sample::OLD_ENCRYPTED_KEY),
                Part::PrivateKey,
                "encrypted",
            ),
            (
                with(sample::ED25519_CERTIFICATE, &good.key),
                Part::Certificate,
                "Ed25519",
            ),
            (
                with(sample::SHORT_RSA_CERTIFICATE, &good.key),
                Part::Certificate,
                "1024 bits",
            ),
        ] {
            assert_eq!(error.part(), part, "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.remedy().is_empty());
        }
    }

    #[test]
    fn an_ocsp_response_is_taken_and_anything_else_is_not() {
        let made = sample::ecdsa(&["a.example"]);
        let with = |ocsp: &[u8]| {
            Certificate::from_pem(
                made.certificate.as_bytes(),
                made.key.as_bytes(),
                Some(ocsp.to_vec()),
            )
        };
        let response = [0x30, 0x82, 0x01, 0x00, 0x0a, 0x01, 0x00, 0xa0];
        assert_eq!(
            with(&response).unwrap().key().ocsp.as_deref(),
            Some(&response[..])
        );
        for wrong in [
            &b""[..],
            b"-----BEGIN OCSP RESPONSE-----",
            &[0x30, 3, 0x0a, 1, 6],
        ] {
            assert!(matches!(with(wrong), Err(CertificateError::Ocsp)));
        }
    }
}
