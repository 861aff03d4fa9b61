//! Addresses of targets: `10.0.0.6:80`, `[fd00::6]:80`, `name:80`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::target::TargetAddress;

/// What is wrong with an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) help: String,
}

fn refusal<T>(message: String, help: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        message,
        help: help.into(),
    })
}

/// Reads an address.
pub(super) fn parse(text: &str) -> Result<TargetAddress, Refusal> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return check_ip(text, address);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        let with_port = SocketAddr::new(address, 80);
        return refusal(
            format!("`{text}` has no port"),
            format!("write \"{with_port}\", say"),
        );
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = rest.trim_end_matches('/');
        let help = format!("write \"{rest}\" with its port; the group's `protocol` says the rest");
        return refusal(
            format!("an address has no scheme, but `{text}` begins with `{scheme}:`"),
            help,
        );
    }
    if let Some((address, path)) = text.split_once('/') {
        let help = format!("write \"{address}\"; targets get the path that the client asked for");
        return refusal(
            format!("an address has no path, but `{text}` ends in `/{path}`"),
            help,
        );
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        let problem = host_problem(text);
        let message = problem.unwrap_or_else(|| format!("`{text}` has no port"));
        return refusal(message, format!("write \"{}:80\", say", example(text)));
    };
    if host.contains(':') {
        return ipv6_problem(text, host, port);
    }
    match (host_problem(host), port.parse::<u16>()) {
        (Some(problem), _) => refusal(
            problem,
            "write \"10.0.0.6:80\", \"[fd00::6]:80\" or \"name:80\"",
        ),
        (None, Ok(number)) if number > 0 && !port.starts_with('+') => {
            Ok(TargetAddress::Name(host.into(), number))
        }
        (None, _) => refusal(
            format!("`{port}` is not a port"),
            format!("write \"{host}:80\", say: a port is 1 to 65535"),
        ),
    }
}

/// Some addresses can be written and never reached.
fn check_ip(text: &str, address: SocketAddr) -> Result<TargetAddress, Refusal> {
    let ip = address.ip();
    if address.port() == 0 {
        return refusal(
            format!("`{text}` has port 0"),
            "a target's port is 1 to 65535",
        );
    }
    if ip.is_unspecified() || ip.is_multicast() {
        let help = "write the address of the machine, such as \"10.0.0.6:80\" or \"127.0.0.1:80\"";
        return refusal(format!("`{ip}` is not the address of one machine"), help);
    }
    Ok(TargetAddress::Ip(address))
}

fn ipv6_problem(text: &str, host: &str, port: &str) -> Result<TargetAddress, Refusal> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.parse::<Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok_and(|port| port > 0) {
        let help = format!("an IPv6 address stands in brackets: write \"[{host}]:{port}\"");
        return refusal(format!("`{text}` is not an address and a port"), help);
    }
    refusal(
        format!("`{text}` is not an address and a port"),
        "write \"10.0.0.6:80\", \"[fd00::6]:80\" or \"name:80\"",
    )
}

/// What is wrong with a host name, if anything is.
fn host_problem(host: &str) -> Option<String> {
    let is_label = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(known)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
        // Resolvers read such names as addresses, each in its own way.
        return Some(format!(
            "`{host}` is not an IP address, and no name ends in a number"
        ));
    }
    let is_name = name.len() <= 253 && name.split('.').all(is_label);
    (!is_name).then(|| format!("`{host}` is neither an IP address nor the name of a host"))
}

fn example(text: &str) -> &str {
    match host_problem(text) {
        None => text,
        Some(_) => "10.0.0.6",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_by_address_or_by_name() {
        for text in [
            "10.0.0.6:80",
            "[fd00::6]:8080",
            "wp-a:80",
            "wp_a.lab.internal:65535",
            "a.:1",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert!(matches!(
            parse("127.0.0.1:80").unwrap(),
            TargetAddress::Ip(_)
        ));
        assert!(matches!(
            parse("localhost:80").unwrap(),
            TargetAddress::Name(..)
        ));
    }

    #[test]
    fn what_is_no_address_is_told_how_to_be_one() {
        for (text, message, help) in [
            ("10.0.0.6", "has no port", "\"10.0.0.6:80\""),
            ("fd00::6", "has no port", "\"[fd00::6]:80\""),
            ("wp-a", "has no port", "\"wp-a:80\""),
            (
                "fd00:0:0:0:0:0:0:6:80",
                "not an address",
                "\"[fd00:0:0:0:0:0:0:6]:80\"",
            ),
            ("http://wp-a:80/", "no scheme", "\"wp-a:80\""),
            ("wp-a:80/blog", "no path", "\"wp-a:80\""),
            ("wp-a:http", "`http` is not a port", "1 to 65535"),
            ("wp-a:0", "`0` is not a port", "1 to 65535"),
            ("10.0.0.6:0", "port 0", "1 to 65535"),
            (
                "0.0.0.0:80",
                "not the address of one machine",
                "10.0.0.6:80",
            ),
            ("10.0.0.300:80", "not an IP address", "10.0.0.6:80"),
            ("w p:80", "neither an IP address nor", "name:80"),
            ("", "neither an IP address nor", "10.0.0.6:80"),
            (":80", "neither an IP address nor", "name:80"),
        ] {
            let refusal = parse(text).unwrap_err();
            assert!(refusal.message.contains(message), "{text:?}: {refusal:?}");
            assert!(refusal.help.contains(help), "{text:?}: {refusal:?}");
        }
    }
}
