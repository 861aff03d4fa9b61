//! The names that a certificate can be for: DNS names, wildcards, IP addresses.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::ServerName;

use super::LocalCaError;

/// A DNS name (a wildcard's first label is `*`), in lower case, or an IP address (RFC 5280,
/// section 4.2.1.6; RFC 6125, section 6.4.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// As it stands in the certificate.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for files: without what a shell or a file system could take amiss.
    pub fn file_stem(&self) -> String {
        self.0.replace('*', "_wildcard").replace(':', "_")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = LocalCaError;

    fn from_str(text: &str) -> Result<Self, LocalCaError> {
        let wrong = |why| LocalCaError::Name {
            name: text.to_owned(),
            why,
        };
        if !text.is_ascii() {
            return Err(wrong(
                "write an international name in its ASCII form (xn--...)",
            ));
        }
        let host = text.strip_prefix("*.").unwrap_or(text);
        if host.contains('*') {
            return Err(wrong(
                "a wildcard stands for the whole first label: *.example.com",
            ));
        }
        let parsed = ServerName::try_from(host)
            .map_err(|_| wrong("write a DNS name (shop.example.com) or an IP address"))?;
        match parsed {
            ServerName::DnsName(_) if host.ends_with('.') => Err(wrong("leave the last dot out")),
            ServerName::DnsName(_) if host.len() < text.len() && !host.contains('.') => Err(wrong(
                "browsers accept no wildcard right below a top-level name",
            )),
            ServerName::DnsName(_) => Ok(Self(text.to_ascii_lowercase())),
            ServerName::IpAddress(_) if host.len() < text.len() => {
                Err(wrong("an IP address has no wildcard"))
            }
            // Written as Rust does, so that one address is one name.
            ServerName::IpAddress(address) => Ok(Self(std::net::IpAddr::from(address).to_string())),
            _ => Err(wrong("write a DNS name or an IP address")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn dns_names_wildcards_and_addresses_are_names() {
        for (text, name, stem) in [
            ("Shop.Example.com", "shop.example.com", "shop.example.com"),
            ("*.example.com", "*.example.com", "_wildcard.example.com"),
            ("localhost", "localhost", "localhost"),
            ("10.0.0.6", "10.0.0.6", "10.0.0.6"),
            ("2001:DB8::1", "2001:db8::1", "2001_db8__1"),
        ] {
            let parsed: Name = text.parse().unwrap();
            assert_eq!(parsed.as_str(), name);
            assert_eq!(parsed.file_stem(), stem);
        }
    }

    #[test]
    fn what_no_client_would_accept_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "DNS name"),
            ("-x.example.com", "DNS name"),
            ("a b", "DNS name"),
            ("example.com.", "last dot"),
            ("https://example.com", "DNS name"),
            ("a.*.example.com", "first label"),
            ("a*.example.com", "first label"),
            ("*.com", "top-level"),
            ("*.10.0.0.6", "no wildcard"),
            ("bücher.example", "xn--"),
        ] {
            let error = text.parse::<Name>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
