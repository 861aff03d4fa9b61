//! What a Classic load balancer probes, in one word: `HTTP:80/index.html`, `TCP:80`, `SSL:443`.

use crate::target_group::ProbeProtocol;

/// A health target in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthTarget<'a> {
    /// What a probe speaks.
    pub protocol: ProbeProtocol,
    /// Where.
    pub port: u16,
    /// Empty for a protocol without paths.
    pub path: &'a str,
}

impl<'a> HealthTarget<'a> {
    /// Reads it as the 2012 API does (`HealthCheck.Target`): protocol, port, and for HTTP and HTTPS a
    /// path, which must be there.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a health target; write HTTP:80/index.html, HTTPS:443/, TCP:80 or \
                 SSL:443"
            )
        };
        let (protocol, rest) = text.split_once(':').ok_or_else(wrong)?;
        let protocol = match protocol.to_ascii_uppercase().as_str() {
            "HTTP" => ProbeProtocol::Http,
            "HTTPS" => ProbeProtocol::Https,
            "TCP" => ProbeProtocol::Tcp,
            "SSL" => ProbeProtocol::Ssl,
            _ => return Err(wrong()),
        };
        let (port, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0);
        let port = port.ok_or_else(wrong)?;
        let has_path = matches!(protocol, ProbeProtocol::Http | ProbeProtocol::Https);
        match (has_path, path.is_empty()) {
            (true, true) => Err(format!("`{text}` has no path; write {text}/")),
            (false, false) => Err(format!(
                "`{text}` has a path, and {} knows none",
                protocol.as_str()
            )),
            _ => Ok(Self {
                protocol,
                port,
                path,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_health_target_is_a_protocol_a_port_and_for_http_a_path() {
        for (text, protocol, port, path) in [
            ("HTTP:80/index.html", ProbeProtocol::Http, 80, "/index.html"),
            ("HTTPS:8443/a?b:c", ProbeProtocol::Https, 8443, "/a?b:c"),
            ("TCP:80", ProbeProtocol::Tcp, 80, ""),
            ("ssl:443", ProbeProtocol::Ssl, 443, ""),
        ] {
            let target = HealthTarget {
                protocol,
                port,
                path,
            };
            assert_eq!(HealthTarget::parse(text), Ok(target), "{text}");
        }
    }

    #[test]
    fn anything_else_is_told_what_would_be_right() {
        for text in [
            "",
            "HTTP",
            "HTTP:",
            "HTTP:/",
            "UDP:80",
            "TCP:0",
            "TCP:65536",
            "TCP:+80",
            "80/",
        ] {
            let error = HealthTarget::parse(text);
            assert!(
                error.is_err_and(|error| error.contains("HTTP:80/index.html")),
                "{text}"
            );
        }
        assert_eq!(
            HealthTarget::parse("HTTP:80"),
            Err("`HTTP:80` has no path; write HTTP:80/".to_owned())
        );
        assert_eq!(
            HealthTarget::parse("TCP:80/a"),
            Err("`TCP:80/a` has a path, and TCP knows none".to_owned())
        );
    }
}
