//! What one line of the connection log says: one connection, when it was established or failed to be
//! (AWS: "Connection logs for your Application Load Balancer").
//!
//! The fields are ALB's, in its order, and the node's address behind them.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::text::{self, Clock};
use super::{ConnTraceId, alb, json};

/// One connection. Empty strings and `None` are logged as `-`.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLogEntry<'a> {
    /// When it was established, or failed to be.
    pub time: SystemTime,
    /// The client.
    pub client: SocketAddr,
    /// The node's end: its address, and the listener's port.
    pub listener: SocketAddr,
    /// The TLS version.
    pub tls_protocol: Option<&'a str>,
    /// The TLS cipher, in OpenSSL's words.
    pub tls_cipher: Option<&'a str>,
    /// How long the handshake took, if it succeeded.
    pub tls_handshake_latency: Option<Duration>,
    /// Whose certificate the client showed (RFC 2253).
    pub leaf_client_cert_subject: Option<&'a str>,
    /// `NotBefore=...;NotAfter=...`
    pub leaf_client_cert_validity: Option<&'a str>,
    /// Hexadecimal.
    pub leaf_client_cert_serial_number: Option<&'a str>,
    /// What became of the handshake; none on a listener without TLS.
    pub tls_verify_status: Option<VerifyStatus>,
    /// Names the connection, in the access log, too.
    pub conn_trace_id: ConnTraceId,
    /// The group of the key exchange.
    pub tls_keyexchange: Option<&'a str>,
}

/// What became of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyStatus {
    /// `Success`
    Success,
    /// `Failed:` and ALB's code.
    Failed(&'static str),
}

impl VerifyStatus {
    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Success => out.extend_from_slice(b"Success"),
            Self::Failed(code) => {
                out.extend_from_slice(b"Failed:");
                out.extend_from_slice(code.as_bytes());
            }
        }
    }
}

/// Appends one line of fields separated by blanks.
pub(super) fn plain_line(out: &mut Vec<u8>, entry: &ConnectionLogEntry<'_>, clock: &mut Clock) {
    let word = |out: &mut Vec<u8>, word: Option<&str>| alb::plain(out, word.unwrap_or_default());
    clock.time(out, entry.time);
    out.push(b' ');
    text::ip(out, entry.client.ip());
    out.push(b' ');
    text::number(out, entry.client.port());
    out.push(b' ');
    text::number(out, entry.listener.port());
    out.push(b' ');
    word(out, entry.tls_protocol);
    word(out, entry.tls_cipher);
    match entry.tls_handshake_latency {
        Some(latency) => text::seconds(out, latency),
        None => out.push(b'-'),
    }
    out.push(b' ');
    alb::quoted_str(out, entry.leaf_client_cert_subject);
    word(out, entry.leaf_client_cert_validity);
    word(out, entry.leaf_client_cert_serial_number);
    match entry.tls_verify_status {
        Some(status) => status.write(out),
        None => out.push(b'-'),
    }
    out.push(b' ');
    out.extend_from_slice(&entry.conn_trace_id.text());
    out.push(b' ');
    word(out, entry.tls_keyexchange);
    text::ip(out, node(entry));
    out.push(b'\n');
}

/// Appends one JSON object with the same fields by name.
pub(super) fn json_line(out: &mut Vec<u8>, entry: &ConnectionLogEntry<'_>, clock: &mut Clock) {
    out.push(b'{');
    json::time(out, "time", entry.time, clock);
    json::address(out, ["client_ip", "client_port"], Some(entry.client));
    json::number(out, "listener_port", Some(entry.listener.port()));
    json::optional(out, "tls_protocol", entry.tls_protocol);
    json::optional(out, "tls_cipher", entry.tls_cipher);
    json::seconds(out, "tls_handshake_latency", entry.tls_handshake_latency);
    let subject = entry.leaf_client_cert_subject;
    json::optional(out, "leaf_client_cert_subject", subject);
    let validity = entry.leaf_client_cert_validity;
    json::optional(out, "leaf_client_cert_validity", validity);
    let serial = entry.leaf_client_cert_serial_number;
    json::optional(out, "leaf_client_cert_serial_number", serial);
    let mut status = Vec::new();
    if let Some(verified) = entry.tls_verify_status {
        verified.write(&mut status);
    }
    json::string(out, "tls_verify_status", &status);
    json::string(out, "conn_trace_id", &entry.conn_trace_id.text());
    json::optional(out, "tls_keyexchange", entry.tls_keyexchange);
    json::key(out, "node_ip");
    out.push(b'"');
    text::ip(out, node(entry));
    out.extend_from_slice(b"\"}\n");
}

fn node(entry: &ConnectionLogEntry<'_>) -> IpAddr {
    entry.listener.ip()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The example of ALB's manual.
    pub(in crate::access_log) fn example() -> ConnectionLogEntry<'static> {
        ConnectionLogEntry {
            // 2023-10-04T17:05:15.514108Z
            time: SystemTime::UNIX_EPOCH + Duration::from_micros(1_696_439_115_514_108),
            client: "203.0.113.1:36280".parse().unwrap(),
            listener: "10.0.0.1:443".parse().unwrap(),
            tls_protocol: Some("TLSv1.2"),
            tls_cipher: Some("ECDHE-RSA-AES128-GCM-SHA256"),
            tls_handshake_latency: Some(Duration::from_millis(4036)),
            leaf_client_cert_subject: Some(
                "CN=amazondomains.com,O=endEntity,L=Seattle,ST=Washington,C=US",
            ),
            leaf_client_cert_validity: Some(
                "NotBefore=2023-09-21T22:43:21Z;NotAfter=2026-06-17T22:43:21Z",
            ),
            leaf_client_cert_serial_number: Some("FEF257372D5C14D4"),
            tls_verify_status: Some(VerifyStatus::Success),
            conn_trace_id: ConnTraceId::from(0x3180_a730_13c8_ca4b_ac2f_7311_59d4_b0fe),
            tls_keyexchange: None,
        }
    }

    fn line(entry: &ConnectionLogEntry<'_>) -> String {
        let mut out = Vec::new();
        plain_line(&mut out, entry, &mut Clock::default());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_examples_of_the_manual_are_reproduced_with_the_fields_that_came_later() {
        assert_eq!(
            line(&example()),
            "2023-10-04T17:05:15.514108Z 203.0.113.1 36280 443 TLSv1.2 \
             ECDHE-RSA-AES128-GCM-SHA256 4.036 \
             \"CN=amazondomains.com,O=endEntity,L=Seattle,ST=Washington,C=US\" \
             NotBefore=2023-09-21T22:43:21Z;NotAfter=2026-06-17T22:43:21Z FEF257372D5C14D4 \
             Success TID_3180a73013c8ca4bac2f731159d4b0fe - 10.0.0.1\n"
        );
        let failed = ConnectionLogEntry {
            tls_handshake_latency: None,
            tls_verify_status: Some(VerifyStatus::Failed("ClientCertUntrusted")),
            ..example()
        };
        let failed = line(&failed);
        assert!(
            failed.contains("GCM-SHA256 - \"CN=amazondomains.com,"),
            "{failed}"
        );
        assert!(
            failed.contains(" Failed:ClientCertUntrusted TID_"),
            "{failed}"
        );
    }

    #[test]
    fn a_connection_without_tls_has_dashes() {
        let plain = ConnectionLogEntry {
            tls_protocol: None,
            tls_cipher: None,
            tls_handshake_latency: None,
            leaf_client_cert_subject: None,
            leaf_client_cert_validity: None,
            leaf_client_cert_serial_number: None,
            tls_verify_status: None,
            conn_trace_id: ConnTraceId::from(1),
            ..example()
        };
        assert_eq!(
            line(&plain),
            "2023-10-04T17:05:15.514108Z 203.0.113.1 36280 443 - - - \"-\" - - - \
             TID_00000000000000000000000000000001 - 10.0.0.1\n"
        );
    }

    #[test]
    fn a_line_of_json_has_the_same_fields_by_name() {
        let mut out = Vec::new();
        json_line(&mut out, &example(), &mut Clock::default());
        let line: Value = serde_json::from_slice(&out).unwrap();
        let expected = json!({
            "time": "2023-10-04T17:05:15.514108Z",
            "client_ip": "203.0.113.1",
            "client_port": 36280,
            "listener_port": 443,
            "tls_protocol": "TLSv1.2",
            "tls_cipher": "ECDHE-RSA-AES128-GCM-SHA256",
            "tls_handshake_latency": 4.036,
            "leaf_client_cert_subject":
                "CN=amazondomains.com,O=endEntity,L=Seattle,ST=Washington,C=US",
            "leaf_client_cert_validity":
                "NotBefore=2023-09-21T22:43:21Z;NotAfter=2026-06-17T22:43:21Z",
            "leaf_client_cert_serial_number": "FEF257372D5C14D4",
            "tls_verify_status": "Success",
            "conn_trace_id": "TID_3180a73013c8ca4bac2f731159d4b0fe",
            "tls_keyexchange": null,
            "node_ip": "10.0.0.1",
        });
        assert_eq!(line, expected);
        assert!(out.ends_with(b"}\n"));
    }
}
