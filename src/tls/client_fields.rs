//! What targets are told about a client's certificate (AWS: "HTTP headers and mutual TLS"), written
//! once a connection. What the header fields are called is the listener's choice.

use rustls::pki_types::CertificateDer;

use super::client_authentication::ClientAuthentication;
use super::client_certificate::{ClientCertificate, encoded_pem};

/// One of the header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientField {
    /// All that the client showed, as it showed it.
    Chain,
    /// The serial number, hexadecimal.
    SerialNumber,
    /// Who issued the certificate (RFC 2253).
    Issuer,
    /// Whose it is (RFC 2253).
    Subject,
    /// From when to when it is good.
    Validity,
    /// The certificate itself.
    Leaf,
}

/// The header fields with their values; none if the client showed no certificate. Every value is
/// printable ASCII, whatever the certificate says.
pub type ClientFields = Box<[(ClientField, String)]>;

pub(super) fn client_fields(
    authentication: &ClientAuthentication,
    chain: &[CertificateDer<'_>],
) -> ClientFields {
    let mut fields = Vec::new();
    match (authentication, chain) {
        (_, []) => {}
        (ClientAuthentication::Passthrough, chain) => {
            fields.push((ClientField::Chain, encoded_pem(chain)));
        }
        (ClientAuthentication::Verify(_), [leaf, ..]) => {
            if let Some(words) = ClientCertificate::of(leaf) {
                fields.push((ClientField::SerialNumber, words.serial_number));
                fields.push((ClientField::Issuer, words.issuer));
                fields.push((ClientField::Subject, words.subject));
                fields.push((ClientField::Validity, words.validity));
            }
            let leaf = encoded_pem(std::slice::from_ref(leaf));
            fields.push((ClientField::Leaf, leaf));
        }
    }
    fields.into()
}
