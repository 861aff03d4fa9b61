//! Version 2: twelve fixed bytes, version and command, family and transport, a length, the
//! addresses, and then whatever type-length-value fields the sender adds (section 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::v1::as_v6;
use super::{Ends, Header, HeaderError, Tlvs, agrees};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;
/// The longest header that is taken: nginx's limit is half of it, but a field may hold a client's
/// certificate.
const LONGEST: usize = 8 * 1024;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
/// Two addresses and two ports.
const IPV4_LENGTH: usize = 12;
const IPV6_LENGTH: usize = 36;
/// Two paths of 108 bytes.
const UNIX_LENGTH: usize = 216;

pub(super) fn find_end(bytes: &[u8]) -> Result<Option<usize>, HeaderError> {
    if !agrees(bytes, SIGNATURE) {
        return Err(HeaderError::Missing);
    }
    match bytes.get(SIGNATURE.len()).copied() {
        Some(LOCAL | PROXY) | None => {}
        Some(_) => return Err(HeaderError::Undefined),
    }
    let Some(length) = bytes.get(FIXED - 2..FIXED) else {
        return Ok(None);
    };
    let end = FIXED + usize::from(u16::from_be_bytes([length[0], length[1]]));
    if end > LONGEST {
        return Err(HeaderError::TooLong);
    }
    Ok((bytes.len() >= end).then_some(end))
}

pub(super) fn parse(bytes: &[u8]) -> Result<Header, HeaderError> {
    if find_end(bytes)? != Some(bytes.len()) {
        return Err(HeaderError::Malformed);
    }
    // The sender's own connection: the rest is to be discarded, whatever it says.
    if bytes[SIGNATURE.len()] == LOCAL {
        return Ok(Header::default());
    }
    let (fixed, rest) = bytes.split_at(FIXED);
    let family_and_transport = fixed[SIGNATURE.len() + 1];
    let length = match (family_and_transport >> 4, family_and_transport & 0xf) {
        // Unspecified: the receiver does not know what follows.
        (0, 0..=2) => return Ok(Header::default()),
        (1, 0..=2) => IPV4_LENGTH,
        (2, 0..=2) => IPV6_LENGTH,
        (3, 0..=2) => UNIX_LENGTH,
        _ => return Err(HeaderError::Undefined),
    };
    let (addresses, tlvs) = rest
        .split_at_checked(length)
        .ok_or(HeaderError::Malformed)?;
    Ok(Header {
        ends: match family_and_transport {
            TCP_OVER_IPV4 => ends::<4, Ipv4Addr>(addresses),
            TCP_OVER_IPV6 => ends::<16, Ipv6Addr>(addresses),
            // A UNIX socket, or datagrams: no ends that a TCP connection can have.
            _ => None,
        },
        tlvs: Tlvs::parse(bytes, bytes.len() - tlvs.len())?,
    })
}

/// Source, destination, source port, destination port.
fn ends<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(bytes: &[u8]) -> Option<Ends> {
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let destination_port = rest.first_chunk::<2>()?;
    let end = |address: [u8; N], port: [u8; 2]| {
        SocketAddr::new(A::from(address).into(), u16::from_be_bytes(port))
    };
    Some(Ends {
        source: end(*source, *source_port),
        destination: end(*destination, *destination_port),
    })
}

pub(super) fn write(out: &mut Vec<u8>, ends: Option<&Ends>) {
    out.extend_from_slice(SIGNATURE);
    let Some(Ends {
        source,
        destination,
    }) = ends
    else {
        return out.extend_from_slice(&[LOCAL, 0, 0, 0]);
    };
    out.push(PROXY);
    match (source.ip().to_canonical(), destination.ip().to_canonical()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            out.extend_from_slice(&[TCP_OVER_IPV4, 0, IPV4_LENGTH as u8]);
            out.extend_from_slice(&source.octets());
            out.extend_from_slice(&destination.octets());
        }
        (source, destination) => {
            out.extend_from_slice(&[TCP_OVER_IPV6, 0, IPV6_LENGTH as u8]);
            out.extend_from_slice(&as_v6(source).octets());
            out.extend_from_slice(&as_v6(destination).octets());
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
}
