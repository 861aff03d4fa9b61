//! Version 1: `PROXY TCP4 192.0.2.7 10.0.0.1 4711 443` and the line end.
//!
//! Exactly one space between the parts, numbers without leading zeros, at most 107 bytes: section
//! 2.1 leaves a sender no choice, so a receiver need not guess either.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Ends, Header, HeaderError, agrees};

const BEGINNING: &[u8] = b"PROXY ";
/// The longest line, with its end (section 2.1).
const LONGEST: usize = 107;

pub(super) fn find_end(bytes: &[u8]) -> Result<Option<usize>, HeaderError> {
    if !agrees(bytes, BEGINNING) {
        return Err(HeaderError::Missing);
    }
    let line = &bytes[..bytes.len().min(LONGEST)];
    match line.iter().position(|byte| b"\r\n".contains(byte)) {
        None if line.len() == LONGEST => Err(HeaderError::TooLong),
        None => Ok(None),
        Some(end) => match &line[end..] {
            [b'\r'] if line.len() == LONGEST => Err(HeaderError::TooLong),
            [b'\r'] => Ok(None),
            [b'\r', b'\n', ..] => Ok(Some(end + 2)),
            _ => Err(HeaderError::Malformed),
        },
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
    let line = bytes
        .strip_prefix(BEGINNING)
        .and_then(|rest| rest.strip_suffix(b"\r\n"))
        .and_then(|line| str::from_utf8(line).ok())
        .ok_or(HeaderError::Malformed)?;
    let (protocol, rest) = line.split_once(' ').unwrap_or((line, ""));
    let ends = match protocol {
        // Whatever follows has no meaning.
        "UNKNOWN" => None,
        "TCP4" => Some(ends::<std::net::Ipv4Addr>(rest)?),
        "TCP6" => Some(ends::<Ipv6Addr>(rest)?),
        _ => return Err(HeaderError::Undefined),
    };
    Ok(Header {
        ends,
        ..Header::default()
    })
}

/// `source destination source-port destination-port`.
fn ends<A: FromStr + Into<IpAddr>>(text: &str) -> Result<Ends, HeaderError> {
    let mut parts = text.split(' ');
    let mut next = || parts.next().ok_or(HeaderError::Malformed);
    let (source, destination) = (address::<A>(next()?)?, address::<A>(next()?)?);
    let (source_port, destination_port) = (port(next()?)?, port(next()?)?);
    match parts.next() {
        Some(_) => Err(HeaderError::Malformed),
        None => Ok(Ends {
            source: SocketAddr::new(source, source_port),
            destination: SocketAddr::new(destination, destination_port),
        }),
    }
}

fn address<A: FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, HeaderError> {
    let address: Result<A, _> = text.parse();
    address.map(Into::into).map_err(|_| HeaderError::Malformed)
}

fn port(text: &str) -> Result<u16, HeaderError> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    match text.parse() {
        Ok(port) if plain && !leading_zero => Ok(port),
        _ => Err(HeaderError::Malformed),
    }
}

pub(super) fn write(out: &mut Vec<u8>, ends: Option<&Ends>) {
    let Some(Ends {
        source,
        destination,
    }) = ends
    else {
        return out.extend_from_slice(b"PROXY UNKNOWN\r\n");
    };
    let (from, to) = (source.port(), destination.port());
    // Writing to a vector cannot fail.
    let _ = match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            write!(out, "PROXY TCP4 {source} {destination} {from} {to}\r\n")
        }
        (source, destination) => {
            let (source, destination) = (as_v6(source), as_v6(destination));
            write!(out, "PROXY TCP6 {source} {destination} {from} {to}\r\n")
        }
    };
}

/// One header has one family: of an unequal pair the IPv4 address is mapped.
pub(super) fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
