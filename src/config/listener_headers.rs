//! What a listener does to header fields, checked and put into the form in which it is done.

use crate::tls::ClientField;
use std::fmt::Write as _;

/// What a listener does to header fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerHeaders {
    /// What it changes in responses; none is nothing.
    pub response: Option<ResponseChanges>,
    /// What it calls the fields that it adds to requests.
    pub names: RequestHeaderNames,
}

/// What is changed in every response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseChanges {
    hides_server: bool,
    names: Vec<&'static str>,
    lines: String,
}

impl ResponseChanges {
    /// Changes of these fields, by name and value; `hides_server` takes Server away.
    pub(super) fn new<'v>(
        hides_server: bool,
        fields: impl Iterator<Item = (&'static str, &'v str)>,
    ) -> Option<Self> {
        let mut changes = Self {
            hides_server,
            ..Self::default()
        };
        for (name, value) in fields {
            changes.names.push(name);
            // Writing to a text cannot fail.
            let _ = write!(changes.lines, "{name}: {value}\r\n");
        }
        (hides_server || !changes.names.is_empty()).then_some(changes)
    }

    /// Whether a field of the target's with this name is left out.
    pub fn removes(&self, name: &[u8]) -> bool {
        let mut set = self.names.iter();
        self.hides_server && name.eq_ignore_ascii_case(b"server")
            || set.any(|set| name.eq_ignore_ascii_case(set.as_bytes()))
    }

    /// Whether responses have no Server field.
    pub fn hides_server(&self) -> bool {
        self.hides_server
    }

    /// The fields that every response has, with their line ends.
    pub fn lines(&self) -> &[u8] {
        self.lines.as_bytes()
    }
}

/// The names of the fields in which targets learn of a client's TLS and certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeaderNames {
    /// The version of TLS.
    pub tls_version: Box<str>,
    /// The cipher suite, by OpenSSL's name.
    pub tls_cipher_suite: Box<str>,
    /// The client's certificates, as it showed them.
    pub client_certificate: Box<str>,
    /// The client's certificate, verified.
    pub leaf: Box<str>,
    /// Its serial number.
    pub serial_number: Box<str>,
    /// Who issued it.
    pub issuer: Box<str>,
    /// Whose it is.
    pub subject: Box<str>,
    /// From when to when it is good.
    pub validity: Box<str>,
}

impl RequestHeaderNames {
    /// Whether a field tells of TLS: nobody but the balancer may write it then.
    pub fn is_of_tls(&self, name: &[u8]) -> bool {
        [&self.tls_version, &self.tls_cipher_suite]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
    }
}

impl RequestHeaderNames {
    /// The name of a field that tells of a client's certificate.
    pub fn of_certificate(&self, field: ClientField) -> &str {
        match field {
            ClientField::Chain => &self.client_certificate,
            ClientField::SerialNumber => &self.serial_number,
            ClientField::Issuer => &self.issuer,
            ClientField::Subject => &self.subject,
            ClientField::Validity => &self.validity,
            ClientField::Leaf => &self.leaf,
        }
    }

    /// Whether a field tells of a client's certificate, also to a target that takes `_` for `-`, as CGI
    /// does. Nobody but a balancer that asks for certificates may write it then.
    pub fn is_of_certificate(&self, name: &[u8]) -> bool {
        let plain = |byte: &u8| match byte {
            b'_' => b'-',
            byte => byte.to_ascii_lowercase(),
        };
        let own = [
            &self.client_certificate,
            &self.leaf,
            &self.serial_number,
            &self.issuer,
            &self.subject,
            &self.validity,
        ];
        own.iter().any(|own| {
            own.len() == name.len() && own.as_bytes().iter().map(plain).eq(name.iter().map(plain))
        })
    }
}

impl Default for RequestHeaderNames {
    fn default() -> Self {
        super::document::RequestHeaderNames::default().into()
    }
}

impl From<super::document::RequestHeaderNames> for RequestHeaderNames {
    fn from(names: super::document::RequestHeaderNames) -> Self {
        Self {
            tls_version: names.x_amzn_tls_version.into(),
            tls_cipher_suite: names.x_amzn_tls_cipher_suite.into(),
            client_certificate: names.x_amzn_mtls_clientcert.into(),
            leaf: names.x_amzn_mtls_clientcert_leaf.into(),
            serial_number: names.x_amzn_mtls_clientcert_serial_number.into(),
            issuer: names.x_amzn_mtls_clientcert_issuer.into(),
            subject: names.x_amzn_mtls_clientcert_subject.into(),
            validity: names.x_amzn_mtls_clientcert_validity.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    #[test]
    fn what_is_set_replaces_what_a_target_says_in_any_case() {
        let fields = [
            ("X-Frame-Options", "DENY"),
            ("Content-Security-Policy", "a"),
        ];
        let changes = ResponseChanges::new(false, fields.into_iter()).unwrap();
        assert_eq!(
            changes.lines(),
            b"X-Frame-Options: DENY\r\nContent-Security-Policy: a\r\n"
        );
        assert!(changes.removes(b"x-frame-options"));
        assert!(!changes.removes(b"Server") && !changes.removes(b"X-Frame"));
    }

    #[test]
    fn nothing_is_changed_unless_something_is_set() {
        assert_eq!(ResponseChanges::new(false, std::iter::empty()), None);
        let changes = ResponseChanges::new(true, std::iter::empty()).unwrap();
        assert!(changes.hides_server() && changes.removes(b"server"));
        assert_eq!(changes.lines(), b"");
    }
}
