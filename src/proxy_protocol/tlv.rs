//! What version 2 may add to the addresses: type, length, value (section 2.2.1 and following).
//! Types that are not known are passed over, as the specification wants.

use std::iter;

use super::HeaderError;
use super::checksum::crc32c;

const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const CRC32C: u8 = 0x03;
const UNIQUE_ID: u8 = 0x05;
const SSL: u8 = 0x20;

const SSL_VERSION: u8 = 0x21;
const SSL_COMMON_NAME: u8 = 0x22;
const SSL_CIPHER: u8 = 0x23;

/// The longest unique id (section 2.2.5).
const LONGEST_ID: usize = 128;

/// What a header of version 2 says beside the addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tlvs {
    /// The protocol that the client and the sender agreed on: `h2`, `http/1.1`.
    pub alpn: Option<Box<[u8]>>,
    /// The host that the client asked for (SNI).
    pub authority: Option<Box<str>>,
    /// Names the connection; at most 128 bytes.
    pub unique_id: Option<Box<[u8]>>,
    /// The client's TLS, which the sender ended.
    pub ssl: Option<Ssl>,
}

/// How the client's connection to the sender was secured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ssl {
    /// Whether it was at all (PP2_CLIENT_SSL).
    pub over_tls: bool,
    /// Whether the client showed a certificate, and it was found good.
    pub verified: bool,
    /// `TLSv1.3`.
    pub version: Option<Box<str>>,
    /// The common name of the client's certificate.
    pub common_name: Option<Box<str>>,
    /// The cipher suite.
    pub cipher: Option<Box<str>>,
}

impl Tlvs {
    /// Reads those of the header `whole`, which begin at `start`.
    pub(super) fn parse(whole: &[u8], start: usize) -> Result<Self, HeaderError> {
        let mut found = Self::default();
        let mut rest = &whole[start..];
        while let Some((kind, value)) = next(&mut rest)? {
            match kind {
                ALPN => once(&mut found.alpn, value.into())?,
                AUTHORITY => once(&mut found.authority, text(value)?)?,
                CRC32C => verify(whole, whole.len() - rest.len(), value)?,
                UNIQUE_ID if value.len() > LONGEST_ID => return Err(HeaderError::Malformed),
                UNIQUE_ID => once(&mut found.unique_id, value.into())?,
                SSL => once(&mut found.ssl, Ssl::parse(value)?)?,
                _ => {}
            }
        }
        Ok(found)
    }
}

impl Ssl {
    fn parse(value: &[u8]) -> Result<Self, HeaderError> {
        let ([client, verify @ ..], mut rest) = value
            .split_first_chunk::<5>()
            .ok_or(HeaderError::Malformed)?;
        let shown = client & 0x06 != 0;
        let mut found = Self {
            over_tls: client & 0x01 != 0,
            verified: shown && *verify == [0; 4],
            ..Self::default()
        };
        while let Some((kind, value)) = next(&mut rest)? {
            match kind {
                SSL_VERSION => once(&mut found.version, text(value)?)?,
                SSL_COMMON_NAME => once(&mut found.common_name, text(value)?)?,
                SSL_CIPHER => once(&mut found.cipher, text(value)?)?,
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Takes the next field off `rest`.
fn next<'a>(rest: &mut &'a [u8]) -> Result<Option<(u8, &'a [u8])>, HeaderError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let ([kind, length @ ..], after) = rest
        .split_first_chunk::<3>()
        .ok_or(HeaderError::Malformed)?;
    let length = u16::from_be_bytes(*length).into();
    let (value, after) = after
        .split_at_checked(length)
        .ok_or(HeaderError::Malformed)?;
    *rest = after;
    Ok(Some((*kind, value)))
}

/// Whoever says a thing twice leaves open which of the two is meant.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), HeaderError> {
    match place.replace(value) {
        Some(_) => Err(HeaderError::Malformed),
        None => Ok(()),
    }
}

fn text(value: &[u8]) -> Result<Box<str>, HeaderError> {
    let text = str::from_utf8(value).map_err(|_| HeaderError::Malformed)?;
    Ok(text.into())
}

/// The checksum is that of the whole header with the value itself, which ends at `end`, as zeros.
fn verify(whole: &[u8], end: usize, value: &[u8]) -> Result<(), HeaderError> {
    let claimed: [u8; 4] = value.try_into().map_err(|_| HeaderError::Malformed)?;
    let before = whole[..end - 4].iter().copied();
    let after = whole[end..].iter().copied();
    let computed = crc32c(before.chain(iter::repeat_n(0, 4)).chain(after));
    match computed == u32::from_be_bytes(claimed) {
        true => Ok(()),
        false => Err(HeaderError::Checksum),
    }
}
