//! Headers, right and wrong, whole and in pieces, and what no bytes at all can do.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::{IpAddr, SocketAddr};

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::checksum::crc32c;
use super::*;

fn ends(source: &str, destination: &str) -> Ends {
    Ends {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
    }
}

fn v4() -> Ends {
    ends("192.0.2.7:4711", "10.0.0.1:443")
}

fn v6() -> Ends {
    ends("[2001:db8::7]:4711", "[fd00::1]:443")
}

fn written(version: Version, ends: Option<&Ends>) -> Vec<u8> {
    let mut out = Vec::new();
    version.write(&mut out, ends);
    out
}

/// A header of version 2 with this command, family and transport, and content.
fn v2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let fixed = [
        b"\r\n\r\n\0\r\nQUIT\n".as_slice(),
        &[command, family],
        &length,
    ];
    [&fixed.concat(), content].concat()
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], length.as_slice(), value].concat()
}

/// A header of version 2 for [`v4`] with these fields.
fn with_tlvs(tlvs: &[Vec<u8>]) -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb];
    v2(0x21, 0x11, &[&addresses, &*tlvs.concat()].concat())
}

/// The same with a checksum at the end.
fn with_checksum(tlvs: &[Vec<u8>]) -> Vec<u8> {
    let mut header = with_tlvs(&[tlvs, &[tlv(0x03, &[0; 4])]].concat());
    let checksum = crc32c(header.iter().copied()).to_be_bytes();
    let at = header.len() - 4;
    header[at..].copy_from_slice(&checksum);
    header
}

/// Reads `bytes` as a receiver does.
fn read(bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
    match find_end(bytes)? {
        Some(end) => parse(&bytes[..end]).map(Some),
        None => Ok(None),
    }
}

fn ends_of(bytes: &[u8]) -> Option<Ends> {
    read(bytes).unwrap().unwrap().ends
}

#[test]
fn a_line_of_version_1_names_both_ends() {
    let line = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n";
    assert_eq!(ends_of(line), Some(v4()));
    assert_eq!(written(Version::V1, Some(&v4())), line);
    let line = b"PROXY TCP6 2001:db8::7 fd00::1 4711 443\r\n";
    assert_eq!(ends_of(line), Some(v6()));
    assert_eq!(written(Version::V1, Some(&v6())), line);
    let longest = b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n";
    assert_eq!(longest.len(), 107);
    assert_eq!(ends_of(longest), None);
}

#[test]
fn a_header_of_version_2_names_both_ends() {
    assert_eq!(ends_of(&with_tlvs(&[])), Some(v4()));
    assert_eq!(written(Version::V2, Some(&v4())), with_tlvs(&[]));
    assert_eq!(ends_of(&written(Version::V2, Some(&v6()))), Some(v6()));
}

#[test]
fn a_connection_of_the_peers_own_keeps_its_ends() {
    for header in [
        written(Version::V1, None),
        written(Version::V2, None),
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN whatever follows\r\n".to_vec(),
        // LOCAL, whatever else it says; and a family that is not told.
        v2(0x20, 0xff, b"not to be looked at"),
        v2(0x21, 0x00, b"not to be understood"),
        // UNIX sockets, and datagrams.
        v2(0x21, 0x31, &[b'/'; 216]),
        v2(0x21, 0x12, &[1; 12]),
    ] {
        assert_eq!(read(&header).unwrap().unwrap(), Header::default());
    }
}

#[test]
fn a_pair_of_unequal_families_is_written_as_ipv6() {
    let mixed = ends("[2001:db8::7]:4711", "10.0.0.1:443");
    let line = b"PROXY TCP6 2001:db8::7 ::ffff:10.0.0.1 4711 443\r\n";
    assert_eq!(written(Version::V1, Some(&mixed)), line);
    let read = ends_of(&written(Version::V2, Some(&mixed))).unwrap();
    assert_eq!(read.destination.ip().to_canonical(), mixed.destination.ip());
    // A socket for both families shows IPv4 peers as mapped ones.
    let mapped = ends("[::ffff:192.0.2.7]:4711", "[::ffff:10.0.0.1]:443");
    for version in [Version::V1, Version::V2] {
        assert_eq!(ends_of(&written(version, Some(&mapped))), Some(v4()));
    }
}

#[test]
fn what_breaks_the_rules_is_refused() {
    use HeaderError::{Malformed, Missing, TooLong, Undefined};
    let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 92], b"\r\n"].concat();
    for (bytes, error) in [
        (b"GET / HTTP/1.1\r\n".to_vec(), Missing),
        (b"PUT / HTTP/1.1\r\n".to_vec(), Missing),
        (b"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), Missing),
        (b"\x16\x03\x01".to_vec(), Missing),
        (b"\r\n\r\nGET".to_vec(), Missing),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n".to_vec(), Malformed),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n".to_vec(), Malformed),
        (b"PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), Undefined),
        (b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), Undefined),
        (b"PROXY UNKNOWNS\r\n".to_vec(), Undefined),
        (b"PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n".to_vec(), Malformed),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n".to_vec(), Malformed),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n".to_vec(), Malformed),
        (b"PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n".to_vec(), Malformed),
        (b"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n".to_vec(), Malformed),
        (b"PROXY TCP4 ::1 ::2 1 2\r\n".to_vec(), Malformed),
        (b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n".to_vec(), Malformed),
        (b"PROXY TCP6 fe80::1%eth0 ::2 1 2\r\n".to_vec(), Malformed),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n".to_vec(), Malformed),
        (b"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n".to_vec(), Malformed),
        (
            b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n".to_vec(),
            Malformed,
        ),
        (long, TooLong),
        (v2(0x11, 0x11, &[0; 12]), Undefined),
        (v2(0x22, 0x11, &[0; 12]), Undefined),
        (v2(0x21, 0x41, &[0; 12]), Undefined),
        (v2(0x21, 0x13, &[0; 12]), Undefined),
        (v2(0x21, 0x11, &[0; 11]), Malformed),
        (v2(0x21, 0x21, &[0; 35]), Malformed),
        (v2(0x21, 0x31, &[0; 215]), Malformed),
        (v2(0x21, 0x11, &[0; 8 * 1024]), TooLong),
        (with_tlvs(&[b"\x01\x00".to_vec()]), Malformed),
        (with_tlvs(&[b"\x01\x00\x02a".to_vec()]), Malformed),
        (with_tlvs(&[tlv(0x02, b"\xff")]), Malformed),
        (with_tlvs(&[tlv(0x05, &[0; 129])]), Malformed),
        (with_tlvs(&[tlv(0x20, &[1, 0, 0, 0])]), Malformed),
        (with_tlvs(&[tlv(0x02, b"a"), tlv(0x02, b"b")]), Malformed),
        (with_tlvs(&[tlv(0x03, &[0; 3])]), Malformed),
        (with_tlvs(&[tlv(0x03, &[0; 4])]), HeaderError::Checksum),
    ] {
        let shown = bytes.escape_ascii().to_string();
        assert_eq!(read(&bytes), Err(error), "{shown}");
    }
}

#[test]
fn what_is_wrong_is_told_before_the_header_has_ended() {
    for (bytes, error) in [
        (b"PO".as_slice(), HeaderError::Missing),
        (b"\r\n\r\n\0\r\nQUIT\n\x31", HeaderError::Undefined),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
            HeaderError::TooLong,
        ),
    ] {
        assert_eq!(find_end(bytes), Err(error), "{}", bytes.escape_ascii());
    }
}

#[test]
fn fields_of_version_2_are_read_and_unknown_ones_passed_over() {
    let ssl = [
        vec![0x07, 0, 0, 0, 0],
        tlv(0x21, b"TLSv1.3"),
        tlv(0x22, b"client"),
        tlv(0x23, b"TLS_AES_128_GCM_SHA256"),
        tlv(0x25, b"RSA2048"),
    ];
    let header = with_checksum(&[
        tlv(0x04, b"padding"),
        tlv(0x01, b"h2"),
        tlv(0xea, b"\x01vpce-1"),
        tlv(0x02, b"shop.example.com"),
        tlv(0x05, b"id-1"),
        tlv(0x20, &ssl.concat()),
    ]);
    let header = read(&header).unwrap().unwrap();
    assert_eq!(header.ends, Some(v4()));
    let expected = Tlvs {
        alpn: Some(b"h2".as_slice().into()),
        authority: Some("shop.example.com".into()),
        unique_id: Some(b"id-1".as_slice().into()),
        ssl: Some(Ssl {
            over_tls: true,
            verified: true,
            version: Some("TLSv1.3".into()),
            common_name: Some("client".into()),
            cipher: Some("TLS_AES_128_GCM_SHA256".into()),
        }),
    };
    assert_eq!(header.tlvs, expected);
}

#[test]
fn a_client_without_a_good_certificate_is_not_verified() {
    for (client, verify) in [(0x01, 0), (0x07, 1), (0x00, 0)] {
        let header = with_tlvs(&[tlv(0x20, &[client, 0, 0, 0, verify])]);
        let ssl = read(&header).unwrap().unwrap().tlvs.ssl.unwrap();
        assert_eq!((ssl.over_tls, ssl.verified), (client & 1 == 1, false));
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = TcpStream::connect(listener.local_addr().unwrap());
    let (near, far) = tokio::join!(connect, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

#[tokio::test]
async fn what_follows_a_header_stays_in_the_socket() {
    let long = with_checksum(&[tlv(0xe0, &[7; 3000])]);
    for header in [written(Version::V1, Some(&v4())), long] {
        let (mut near, mut far) = pair().await;
        near.write_all(&[&header, b"\x16\x03\x01 rest".as_slice()].concat())
            .await
            .unwrap();
        drop(near);
        assert_eq!(receive(&far).await.unwrap().ends, Some(v4()));
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"\x16\x03\x01 rest");
    }
}

#[tokio::test]
async fn a_header_may_come_byte_by_byte() {
    for header in [
        written(Version::V1, Some(&v4())),
        with_checksum(&[tlv(0x02, b"a")]),
    ] {
        let (mut near, mut far) = pair().await;
        near.set_nodelay(true).unwrap();
        let send = async {
            for byte in [&header, b"rest".as_slice()].concat() {
                near.write_all(&[byte]).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let (received, ()) = tokio::join!(receive(&far), send);
        assert_eq!(received.unwrap().ends, Some(v4()));
        let mut rest = [0; 4];
        far.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"rest");
    }
}

#[tokio::test]
async fn a_peer_that_leaves_within_its_header_is_told_from_one_that_sends_none() {
    for (sent, reason) in [
        (b"".as_slice(), "closed"),
        (b"PROXY T", "closed"),
        (b"GET", "missing"),
    ] {
        let (mut near, far) = pair().await;
        near.write_all(sent).await.unwrap();
        drop(near);
        assert_eq!(receive(&far).await.unwrap_err().reason(), reason);
    }
}

fn any_ends() -> impl Strategy<Value = Ends> {
    let v4 = (any::<[u8; 4]>(), any::<[u8; 4]>()).prop_map(|(a, b)| (a.into(), b.into()));
    let v6 = (any::<[u16; 8]>(), any::<[u16; 8]>()).prop_map(|(a, b)| (a.into(), b.into()));
    let addresses = prop_oneof![v4, v6];
    (addresses, any::<u16>(), any::<u16>()).prop_map(
        |((source, destination), from, to): ((IpAddr, IpAddr), _, _)| Ends {
            source: SocketAddr::new(source, from),
            destination: SocketAddr::new(destination, to),
        },
    )
}

fn any_tlvs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec((0x30..=0xff_u8, vec(any::<u8>(), 0..40)), 0..6)
        .prop_map(|tlvs| tlvs.iter().map(|(kind, value)| tlv(*kind, value)).collect())
}

/// A right header, and what follows it.
fn any_header() -> impl Strategy<Value = Vec<u8>> {
    let version = prop_oneof![Just(Version::V1), Just(Version::V2)];
    let plain = (version, proptest::option::of(any_ends()))
        .prop_map(|(version, ends)| written(version, ends.as_ref()));
    prop_oneof![plain, any_tlvs().prop_map(|tlvs| with_checksum(&tlvs))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_reads_back(ends in any_ends()) {
        for version in [Version::V1, Version::V2] {
            let read = ends_of(&written(version, Some(&ends))).unwrap();
            let canonical = |end: SocketAddr| (end.ip().to_canonical(), end.port());
            prop_assert_eq!(canonical(read.source), canonical(ends.source));
            prop_assert_eq!(canonical(read.destination), canonical(ends.destination));
        }
    }

    #[test]
    fn a_header_ends_where_it_ends_however_much_is_there(
        header in any_header(),
        rest in vec(any::<u8>(), 0..80),
    ) {
        for length in 0..header.len() {
            prop_assert_eq!(find_end(&header[..length]), Ok(None));
        }
        let more = [header.as_slice(), &rest].concat();
        prop_assert_eq!(find_end(&more), Ok(Some(header.len())));
        prop_assert!(parse(&header).is_ok());
    }

    #[test]
    fn no_bytes_make_a_receiver_panic_or_read_on(
        header in any_header(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        tail in vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = [header, tail].concat();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        match find_end(&bytes) {
            Ok(Some(end)) => {
                prop_assert!(end <= bytes.len());
                prop_assert_eq!(find_end(&bytes[..end]), Ok(Some(end)));
                let _ = parse(&bytes[..end]);
            }
            // As much as can belong to a header at all: more is never waited for.
            Ok(None) => prop_assert!(bytes.len() < 8 * 1024),
            Err(_) => {}
        }
        let _ = parse(&bytes);
    }

    #[test]
    fn a_changed_bit_does_not_pass_the_checksum(
        tlvs in any_tlvs(),
        place in 16..28_usize,
        bit in 0..8_u8,
    ) {
        let mut header = with_checksum(&tlvs);
        header[place] ^= 1 << bit;
        prop_assert_eq!(read(&header), Err(HeaderError::Checksum));
    }
}
