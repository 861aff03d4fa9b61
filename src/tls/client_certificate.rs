//! What a client's certificate says, in the forms in which ALB hands it on (AWS: "HTTP headers and
//! mutual TLS") and logs it (AWS: "Connection logs").

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use super::distinguished_name::rfc2253;

/// A client's certificate in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Whose it is, by RFC 2253.
    pub subject: String,
    /// Who issued it, by RFC 2253.
    pub issuer: String,
    /// The serial number, hexadecimal.
    pub serial_number: String,
    /// `NotBefore=2023-09-21T01:50:17Z;NotAfter=2024-09-20T01:50:17Z`
    pub validity: String,
}

impl ClientCertificate {
    /// Reads one. None if it cannot be read.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let validity = certificate.validity();
        let (from, to) = (
            iso8601(&validity.not_before)?,
            iso8601(&validity.not_after)?,
        );
        Some(Self {
            subject: rfc2253(certificate.subject()),
            issuer: rfc2253(certificate.issuer()),
            serial_number: hexadecimal(certificate.raw_serial()),
            validity: format!("NotBefore={from};NotAfter={to}"),
        })
    }
}

/// In whole seconds, UTC.
fn iso8601(time: &ASN1Time) -> Option<String> {
    let time = time.to_datetime();
    let (date, clock) = (time.date(), time.time());
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let (hour, minute, second) = clock.as_hms();
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
    ))
}

/// Without the zeros that DER puts before a number so that it is not taken for a negative one.
fn hexadecimal(serial: &[u8]) -> String {
    let zeros = serial.iter().take_while(|byte| **byte == 0).count();
    let digits = &serial[zeros.min(serial.len().saturating_sub(1))..];
    let mut out = String::with_capacity(2 * digits.len());
    for byte in digits {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02X}");
    }
    out
}

/// A chain as PEM, percent-encoded but for `+`, `=` and `/`, which base64 is made of.
pub(super) fn encoded_pem(chain: &[CertificateDer<'_>]) -> String {
    let mut out = String::new();
    for certificate in chain {
        out.push_str("-----BEGIN%20CERTIFICATE-----%0A");
        let text = STANDARD.encode(certificate);
        for line in text.as_bytes().chunks(64) {
            out.extend(line.iter().map(|byte| char::from(*byte)));
            out.push_str("%0A");
        }
        out.push_str("-----END%20CERTIFICATE-----%0A");
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use proptest::prelude::*;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    /// Written by OpenSSL, with all that is hard to write in a name.
    const NAMES: &str = include_str!("testdata/names.crt");

    #[test]
    fn a_certificate_reads_as_openssl_writes_it() {
        let certificate = CertificateDer::from_pem_slice(NAMES.as_bytes()).unwrap();
        let words = ClientCertificate::of(&certificate).unwrap();
        // `openssl x509 -nameopt RFC2253 -subject`
        let name = r#"serialNumber=42,2.3.4.5=#0C036F6464,CN=client_.com+OU=two,emailAddress=a@b.test,L=Z\C3\BCrich,O=\# first and last,O=Shop\, Inc. \+ \"Sons\" \<x\>\; \\ back,ST=Washington,C=US"#;
        assert_eq!(words.subject, name);
        assert_eq!(words.issuer, name);
        assert_eq!(words.serial_number, "03A5B1");
        assert_eq!(
            words.validity,
            "NotBefore=2026-11-25T17:30:51Z;NotAfter=2126-11-01T17:30:51Z"
        );
    }

    #[test]
    fn a_serial_number_is_written_without_what_der_puts_before_it() {
        for (der, written) in [
            (&[0x00, 0xfe, 0xf2][..], "FEF2"),
            (&[0x03, 0xa5, 0xb1], "03A5B1"),
            (&[0x00], "00"),
            (&[], ""),
        ] {
            assert_eq!(hexadecimal(der), written);
        }
    }

    #[test]
    fn a_chain_is_pem_with_everything_but_base64_encoded() {
        let certificate = CertificateDer::from_pem_slice(NAMES.as_bytes()).unwrap();
        let encoded = encoded_pem(&[certificate.clone(), certificate]);
        let decoded = encoded.replace("%20", " ").replace("%0A", "\n");
        assert_eq!(decoded, NAMES.repeat(2));
        assert!(encoded.starts_with("-----BEGIN%20CERTIFICATE-----%0AMII"));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-+/=%".contains(&byte);
        assert!(encoded.bytes().all(plain));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            at in any::<prop::sample::Index>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..8),
        ) {
            let certificate = CertificateDer::from_pem_slice(NAMES.as_bytes()).unwrap();
            let mut der = certificate.to_vec();
            let start = at.index(der.len());
            let end = (start + bytes.len()).min(der.len());
            der.splice(start..end, bytes);
            if let Some(words) = ClientCertificate::of(&der.into()) {
                let plain = |byte: u8| (b' '..=b'~').contains(&byte);
                prop_assert!(words.subject.bytes().chain(words.issuer.bytes()).all(plain));
            }
        }
    }
}
