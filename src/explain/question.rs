//! What is asked: a request that nobody has sent.

use std::net::IpAddr;

use thiserror::Error;

use crate::http1::Host;
use crate::routing::Scheme;

/// A request, where it comes from, and where it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The method.
    pub method: String,
    /// `http://host:port/path?query`; without `http://` that is meant, without a port 80 or 443.
    pub url: String,
    /// `Name: value` each. A Host replaces that of the URL.
    pub headers: Vec<String>,
    /// The client; an address for documentation if it does not matter.
    pub source: IpAddr,
    /// The address of the node that the request enters through.
    pub node: Option<IpAddr>,
    /// Its zone.
    pub zone: Option<String>,
}

/// A client that is nobody (RFC 5737).
fn somebody() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}

/// A question that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuestionError {
    /// The URL's scheme is another.
    #[error("`{url}` begins with `{scheme}:`; write http:// or https://")]
    Scheme {
        /// The URL.
        url: String,
        /// What it begins with.
        scheme: String,
    },
    /// The URL names no host.
    #[error("`{url}` names no host: write http://HOST/PATH")]
    Host {
        /// The URL.
        url: String,
    },
    /// The URL's port is none.
    #[error("the port of `{url}` is not one: write 1 to 65535")]
    Port {
        /// The URL.
        url: String,
    },
    /// A header without a colon.
    #[error("`{header}` is not a header field: write `Name: value`")]
    Header {
        /// What was given.
        header: String,
    },
}

/// A URL as far as it matters; the path is not touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    pub(super) scheme: Scheme,
    /// The host with the port as it was written.
    pub(super) authority: &'a str,
    pub(super) host: &'a str,
    /// The port as it was written, if it was.
    pub(super) port: Option<u16>,
    /// Path and query; begins with `/`, unless only a query was written.
    pub(super) target: &'a str,
}

impl<'a> Url<'a> {
    pub(super) fn parse(url: &'a str) -> Result<Self, QuestionError> {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?']) => (scheme, rest),
            _ => ("http", url),
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => Scheme::Http,
            "https" | "wss" => Scheme::Https,
            _ => {
                let (url, scheme) = (url.to_owned(), scheme.to_owned());
                return Err(QuestionError::Scheme { url, scheme });
            }
        };
        // Clients keep a fragment to themselves (RFC 9110 section 7.1).
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let Some(host) = Host::parse(authority) else {
            let url = url.to_owned();
            return Err(match authority.rsplit_once(':') {
                Some((name, _)) if Host::parse(name).is_some() => QuestionError::Port { url },
                _ => QuestionError::Host { url },
            });
        };
        let port = match host.port.map(str::parse) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => {
                return Err(QuestionError::Port {
                    url: url.to_owned(),
                });
            }
        };
        Ok(Self {
            scheme,
            authority,
            host: host.name,
            port,
            target,
        })
    }

    /// The port that a client asks.
    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        })
    }

    /// The address, if the host is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        bare.parse().ok()
    }
}

impl Question {
    /// What becomes of a GET of `url`, whoever asks, through whichever node.
    pub fn get(url: String) -> Self {
        Self {
            method: "GET".to_owned(),
            url,
            headers: Vec::new(),
            source: somebody(),
            node: None,
            zone: None,
        }
    }

    /// The head that a client would send.
    pub(super) fn head(&self, url: &Url<'_>) -> Result<Vec<u8>, QuestionError> {
        let slash = if url.target.starts_with('/') { "" } else { "/" };
        let mut head = format!("{} {slash}{} HTTP/1.1\r\n", self.method, url.target);
        let is_host = |header: &String| {
            let name = header.split(':').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case("host")
        };
        if !self.headers.iter().any(is_host) {
            head += &format!("Host: {}\r\n", url.authority);
        }
        for header in &self.headers {
            let Some((name, value)) = header.split_once(':') else {
                let header = header.clone();
                return Err(QuestionError::Header { header });
            };
            head += &format!("{name}: {}\r\n", value.trim());
        }
        head += "\r\n";
        Ok(head.into_bytes())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn question(url: &str, headers: &[&str]) -> Question {
        Question {
            headers: headers.iter().map(|header| (*header).to_owned()).collect(),
            ..Question::get(url.to_owned())
        }
    }

    #[test]
    fn a_url_is_taken_apart_and_its_path_not_touched() {
        let url = Url::parse("HTTPS://Shop.test:8443/%61/../b?c=http://d#e").unwrap();
        assert_eq!(url.scheme, Scheme::Https);
        assert_eq!((url.host, url.port()), ("Shop.test", 8443));
        assert_eq!(url.target, "/%61/../b?c=http://d");
        let bare = Url::parse("shop.test").unwrap();
        assert_eq!(
            (bare.scheme, bare.port(), bare.target),
            (Scheme::Http, 80, "")
        );
        let address = Url::parse("http://[::1]:80?a").unwrap();
        assert_eq!(address.address(), Some("::1".parse().unwrap()));
        assert_eq!(address.target, "?a");
    }

    #[test]
    fn a_url_that_is_none_is_refused_with_the_reason() {
        let refused = |url| Url::parse(url).unwrap_err().to_string();
        assert!(refused("ftp://a/").contains("`ftp:`"));
        assert!(refused("/path").contains("names no host"));
        assert!(refused("http://a:0/").contains("port"));
        assert!(refused("http://a:x/").contains("port"));
    }

    #[test]
    fn the_head_is_what_a_client_would_send() {
        let head = |question: &Question| {
            let head = question.head(&Url::parse(&question.url).unwrap());
            head.map(|head| String::from_utf8(head).unwrap())
        };
        assert_eq!(
            head(&question("a.test:81?b", &["X: y"])).unwrap(),
            "GET /?b HTTP/1.1\r\nHost: a.test:81\r\nX: y\r\n\r\n"
        );
        assert_eq!(
            head(&question("a.test/", &["host:b.test"])).unwrap(),
            "GET / HTTP/1.1\r\nhost: b.test\r\n\r\n"
        );
        assert!(head(&question("a.test/", &["nothing"])).is_err());
    }
}
