//! Classic's format: 15 fields, of requests and of connections alike.
//!
//! AWS: "Access logs for your Classic Load Balancer". The time is when the request came, durations
//! have six decimals, and the bytes of requests are those of their bodies. What a Classic load balancer
//! logs as JSON has the names of the other lines there.

use std::time::Duration;

use super::alb::{address, plain, quoted, request, status};
use super::text::{self, Clock};
use super::{ConnectionEntry, Entry};

/// Bytes of a request and its response, without their heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bodies {
    /// From the client.
    pub received: u64,
    /// To the client.
    pub sent: u64,
}

/// When something first went through a connection that is forwarded whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstBytes {
    /// From accept to the first byte sent to the target.
    pub request: Option<Duration>,
    /// From then to the first byte that came from the target.
    pub target: Option<Duration>,
    /// From then to the first byte sent to the client.
    pub response: Option<Duration>,
}

/// Appends one line about a request.
pub(super) fn line(out: &mut Vec<u8>, entry: &Entry<'_>, bodies: Bodies, clock: &mut Clock) {
    clock.time(out, entry.request_creation_time);
    out.push(b' ');
    plain(out, entry.elb);
    address(out, Some(entry.client));
    address(out, entry.target);
    seconds(out, entry.request_processing_time);
    seconds(out, entry.target_processing_time);
    seconds(out, entry.response_processing_time);
    status(out, Some(entry.elb_status_code));
    // AWS writes 0 where no instance has answered.
    text::number(out, entry.target_status_code.unwrap_or_default());
    out.push(b' ');
    bytes(out, bodies.received, bodies.sent);
    request(out, &entry.request);
    quoted(out, entry.user_agent());
    tls(out, entry.ssl_cipher, entry.ssl_protocol);
}

/// Appends one line about a connection.
pub(super) fn connection_line(
    out: &mut Vec<u8>,
    entry: &ConnectionEntry<'_>,
    first: FirstBytes,
    clock: &mut Clock,
) {
    clock.time(out, entry.creation_time);
    out.push(b' ');
    plain(out, entry.elb);
    address(out, Some(entry.client));
    address(out, entry.target);
    seconds(out, first.request);
    seconds(out, first.target);
    seconds(out, first.response);
    out.extend_from_slice(b"- - ");
    bytes(out, entry.received_bytes, entry.sent_bytes);
    out.extend_from_slice(b"\"- - - \" \"-\" ");
    tls(out, entry.tls_cipher, entry.tls_protocol);
}

fn bytes(out: &mut Vec<u8>, received: u64, sent: u64) {
    text::number(out, received);
    out.push(b' ');
    text::number(out, sent);
    out.push(b' ');
}

fn tls(out: &mut Vec<u8>, cipher: Option<&str>, protocol: Option<&str>) {
    plain(out, cipher.unwrap_or_default());
    plain(out, protocol.unwrap_or_default());
    if let Some(last) = out.last_mut() {
        *last = b'\n';
    }
}

fn seconds(out: &mut Vec<u8>, time: Option<Duration>) {
    match time {
        Some(time) => text::microseconds(out, time),
        None => out.extend_from_slice(b"-1"),
    }
    out.push(b' ');
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::entry::tests::example;
    use super::*;
    use crate::access_log::{ConnectionKind, RequestLine};

    /// The expression that AWS publishes for Athena's table of Classic's logs (`input.regex`).
    const ATHENA: &str = concat!(
        r#"^([^ ]*) ([^ ]*) ([^ ]*):([0-9]*) ([^ ]*)[:-]([0-9]*) ([-.0-9]*) ([-.0-9]*) "#,
        r#"([-.0-9]*) (|[-0-9]*) (-|[-0-9]*) ([-0-9]*) ([-0-9]*) "([^ ]*) ([^ ]*) (- |[^ ]*)" "#,
        r#"("[^"]*") ([A-Z0-9-]+) ([A-Za-z0-9.-]*)$"#,
    );

    const MICRO: Duration = Duration::from_micros(1);

    /// The request of the manual's examples.
    fn entry() -> Entry<'static> {
        Entry {
            elb: "my-loadbalancer",
            request_creation_time: UNIX_EPOCH + Duration::from_micros(1_431_560_383_945_958),
            request_processing_time: Some(73 * MICRO),
            target_processing_time: Some(1048 * MICRO),
            response_processing_time: Some(57 * MICRO),
            user_agent: b"curl/7.38.0",
            ..example()
        }
    }

    fn connection() -> ConnectionEntry<'static> {
        ConnectionEntry {
            kind: ConnectionKind::Tcp,
            time: UNIX_EPOCH,
            elb: "my-loadbalancer",
            listener: "10.0.0.9:80".parse().unwrap(),
            client: "192.168.131.39:2817".parse().unwrap(),
            target: Some("10.0.0.1:80".parse().unwrap()),
            connection_time: Duration::from_secs(1),
            tls_handshake_time: None,
            received_bytes: 82,
            sent_bytes: 305,
            chosen_certificate: None,
            tls_cipher: None,
            tls_protocol: None,
            domain_name: None,
            alpn: None,
            alpn_offered: None,
            creation_time: UNIX_EPOCH + Duration::from_micros(1_431_560_383_945_958),
            target_group: Some("instances"),
            error_reason: None,
            classic: None,
        }
    }

    fn text(entry: &Entry<'_>, received: u64, sent: u64) -> String {
        let mut out = Vec::new();
        let bodies = Bodies { received, sent };
        line(&mut out, entry, bodies, &mut Clock::default());
        String::from_utf8(out).unwrap()
    }

    fn connection_text(entry: &ConnectionEntry<'_>, times: [u64; 3]) -> String {
        let mut out = Vec::new();
        let [request, target, response] =
            times.map(|micros| (micros > 0).then(|| Duration::from_micros(micros)));
        let first = FirstBytes {
            request,
            target,
            response,
        };
        connection_line(&mut out, entry, first, &mut Clock::default());
        String::from_utf8(out).unwrap()
    }

    fn athena(line: &str) -> Vec<String> {
        let expression = regex_lite::Regex::new(ATHENA).unwrap();
        let found = expression.captures(line.trim_end()).unwrap();
        let field = |index| found.get(index).map_or("", |field| field.as_str());
        (0..found.len())
            .map(|index| field(index).to_owned())
            .collect()
    }

    #[test]
    fn the_examples_of_the_manual_are_reproduced_to_the_byte() {
        let start = "2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80";
        assert_eq!(
            text(&entry(), 0, 29),
            format!(
                "{start} 0.000073 0.001048 0.000057 200 200 0 29 \
                 \"GET http://www.example.com:80/ HTTP/1.1\" \"curl/7.38.0\" - -\n"
            )
        );
        let https = Entry {
            request_processing_time: Some(86 * MICRO),
            response_processing_time: Some(1337 * MICRO),
            request: RequestLine {
                scheme: "https",
                port: 443,
                ..entry().request
            },
            ssl_cipher: Some("DHE-RSA-AES128-SHA"),
            ssl_protocol: Some("TLSv1.2"),
            ..entry()
        };
        assert_eq!(
            text(&https, 0, 57),
            format!(
                "{start} 0.000086 0.001048 0.001337 200 200 0 57 \
                 \"GET https://www.example.com:443/ HTTP/1.1\" \"curl/7.38.0\" \
                 DHE-RSA-AES128-SHA TLSv1.2\n"
            )
        );
        assert_eq!(
            connection_text(&connection(), [1069, 28, 41]),
            format!("{start} 0.001069 0.000028 0.000041 - - 82 305 \"- - - \" \"-\" - -\n")
        );
        let ssl = ConnectionEntry {
            kind: ConnectionKind::Tls,
            received_bytes: 57,
            sent_bytes: 502,
            tls_cipher: Some("ECDHE-ECDSA-AES128-GCM-SHA256"),
            tls_protocol: Some("TLSv1.2"),
            ..connection()
        };
        assert_eq!(
            connection_text(&ssl, [1065, 15, 23]),
            format!(
                "{start} 0.001065 0.000015 0.000023 - - 57 502 \"- - - \" \"-\" \
                 ECDHE-ECDSA-AES128-GCM-SHA256 TLSv1.2\n"
            )
        );
    }

    #[test]
    fn one_that_no_instance_took_has_minus_one_as_times_and_a_dash_for_the_instance() {
        let refused = Entry {
            target: None,
            request_processing_time: None,
            target_processing_time: None,
            response_processing_time: None,
            elb_status_code: 503,
            target_status_code: None,
            ..entry()
        };
        let line = text(&refused, 0, 0);
        assert!(line.contains(" - -1 -1 -1 503 0 0 0 \"GET "), "{line}");
        let nobody = ConnectionEntry {
            target: None,
            ..connection()
        };
        let line = connection_text(&nobody, [0; 3]);
        assert!(line.contains(" - -1 -1 -1 - - 82 305 "), "{line}");
    }

    #[test]
    fn athena_reads_every_line_and_no_client_can_end_a_field() {
        let evil = Entry {
            user_agent: b"evil\" \"agent\n",
            ..entry()
        };
        let fields = athena(&text(&evil, 1, 2));
        assert_eq!(
            fields[2..7],
            [
                "my-loadbalancer",
                "192.168.131.39",
                "2817",
                "10.0.0.1",
                "80"
            ]
        );
        assert_eq!(
            fields[14..17],
            ["GET", "http://www.example.com:80/", "HTTP/1.1"]
        );
        assert_eq!(fields[17], r#""evil\x22 \x22agent\x0A""#);
        let fields = athena(&connection_text(&connection(), [1, 2, 3]));
        assert_eq!(fields[14..17], ["-", "-", "- "]);
    }
}
