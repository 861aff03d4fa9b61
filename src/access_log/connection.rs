//! What one line says of a connection that was forwarded whole.
//!
//! The fields are those of NLB's access logs of TLS listeners, version 2.0, in their order, and two
//! more behind them, as NLB announces that fields may come: the target group, and why the
//! connection ended if not by itself. The first field tells these lines from those of requests.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::text::{self, Clock};
use super::{FirstBytes, alb, json};

/// The version of the format.
const VERSION: &str = "2.0";

/// NLB's `type`; NLB itself logs TLS listeners alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionKind {
    /// A TCP listener's.
    Tcp,
    /// A TLS listener's.
    Tls,
}

impl ConnectionKind {
    /// The word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// One connection and what became of it. Empty strings and `None` are logged as `-`.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionEntry<'a> {
    /// What the listener speaks.
    pub kind: ConnectionKind,
    /// When the connection ended.
    pub time: SystemTime,
    /// The load balancer.
    pub elb: &'a str,
    /// The node's end of the client's connection, which names the listener.
    pub listener: SocketAddr,
    /// The client.
    pub client: SocketAddr,
    /// The target that was connected to, or tried last.
    pub target: Option<SocketAddr>,
    /// From accept to end.
    pub connection_time: Duration,
    /// From the first byte of the TLS handshake to its end.
    pub tls_handshake_time: Option<Duration>,
    /// Bytes from the client, after decryption.
    pub received_bytes: u64,
    /// Bytes to the client, before encryption.
    pub sent_bytes: u64,
    /// The certificate that the client was shown.
    pub chosen_certificate: Option<&'a str>,
    /// The TLS cipher, in OpenSSL's words.
    pub tls_cipher: Option<&'a str>,
    /// The TLS version.
    pub tls_protocol: Option<&'a str>,
    /// The name that the client gave in the TLS handshake.
    pub domain_name: Option<&'a str>,
    /// The application protocol agreed upon with the client (ALPN).
    pub alpn: Option<&'a str>,
    /// The application protocols that the client offered, separated by commas.
    pub alpn_offered: Option<&'a str>,
    /// When the connection was accepted.
    pub creation_time: SystemTime,
    /// The target group.
    pub target_group: Option<&'a str>,
    /// Why the connection was not forwarded, or did not end in order; one word.
    pub error_reason: Option<&'a str>,
    /// When something first went through, for a connection of a Classic load balancer, whose line is
    /// another one.
    pub classic: Option<FirstBytes>,
}

/// Appends one line of fields separated by blanks.
pub(super) fn plain_line(out: &mut Vec<u8>, entry: &ConnectionEntry<'_>, clock: &mut Clock) {
    let word = |out: &mut Vec<u8>, word: Option<&str>| alb::plain(out, word.unwrap_or_default());
    // What a client sends may hold blanks.
    let client_word = |out: &mut Vec<u8>, word: Option<&str>| {
        match word {
            Some(word) if !word.is_empty() => text::escaped_word(out, word.as_bytes()),
            _ => out.push(b'-'),
        }
        out.push(b' ');
    };
    alb::plain(out, entry.kind.as_str());
    alb::plain(out, VERSION);
    clock.time(out, entry.time);
    out.push(b' ');
    alb::plain(out, entry.elb);
    alb::address(out, Some(entry.listener));
    alb::address(out, Some(entry.client));
    alb::address(out, entry.target);
    milliseconds(out, Some(entry.connection_time));
    milliseconds(out, entry.tls_handshake_time);
    text::number(out, entry.received_bytes);
    out.push(b' ');
    text::number(out, entry.sent_bytes);
    out.push(b' ');
    word(out, None); // incoming_tls_alert
    word(out, entry.chosen_certificate);
    word(out, None); // chosen_cert_serial: reserved by NLB
    word(out, entry.tls_cipher);
    word(out, entry.tls_protocol);
    word(out, None); // tls_named_group: reserved by NLB
    client_word(out, entry.domain_name);
    word(out, entry.alpn);
    word(out, entry.alpn); // towards the target it is the same
    client_word(out, entry.alpn_offered);
    clock.time(out, entry.creation_time);
    out.push(b' ');
    word(out, entry.target_group);
    word(out, entry.error_reason);
    if let Some(last) = out.last_mut() {
        *last = b'\n';
    }
}

fn milliseconds(out: &mut Vec<u8>, time: Option<Duration>) {
    match time {
        Some(time) => text::number(out, time.as_millis()),
        None => out.push(b'-'),
    }
    out.push(b' ');
}

/// Appends one JSON object with the column names of Athena's table for NLB's logs.
pub(super) fn json_line(out: &mut Vec<u8>, entry: &ConnectionEntry<'_>, clock: &mut Clock) {
    let millis = |time: Duration| time.as_millis();
    out.push(b'{');
    json::string(out, "type", entry.kind.as_str().as_bytes());
    json::string(out, "version", VERSION.as_bytes());
    json::time(out, "time", entry.time, clock);
    json::string(out, "elb", entry.elb.as_bytes());
    json::key(out, "listener_id");
    out.push(b'"');
    text::socket_address(out, entry.listener);
    out.extend_from_slice(b"\",");
    json::address(out, ["client_ip", "client_port"], Some(entry.client));
    json::address(out, ["target_ip", "target_port"], entry.target);
    let connection_time = Some(millis(entry.connection_time));
    json::number(out, "tcp_connection_time_ms", connection_time);
    let handshake_time = entry.tls_handshake_time.map(millis);
    json::number(out, "tls_handshake_time_ms", handshake_time);
    json::number(out, "received_bytes", Some(entry.received_bytes));
    json::number(out, "sent_bytes", Some(entry.sent_bytes));
    json::number(out, "incoming_tls_alert", None::<u16>);
    json::optional(out, "cert_arn", entry.chosen_certificate);
    json::optional(out, "certificate_serial", None);
    json::optional(out, "tls_cipher_suite", entry.tls_cipher);
    json::optional(out, "tls_protocol_version", entry.tls_protocol);
    json::optional(out, "tls_named_group", None);
    json::optional(out, "domain_name", entry.domain_name);
    json::optional(out, "alpn_fe_protocol", entry.alpn);
    json::optional(out, "alpn_be_protocol", entry.alpn);
    json::optional(out, "alpn_client_preference_list", entry.alpn_offered);
    let created = entry.creation_time;
    json::time(out, "tls_connection_creation_time", created, clock);
    json::optional(out, "target_group_arn", entry.target_group);
    json::optional(out, "error_reason", entry.error_reason);
    out.pop();
    out.extend_from_slice(b"}\n");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::{Value, json};

    use super::*;

    /// The example of NLB's manual, as far as the format here can say it.
    fn example() -> ConnectionEntry<'static> {
        ConnectionEntry {
            kind: ConnectionKind::Tls,
            time: UNIX_EPOCH + Duration::from_secs(1_545_274_780),
            elb: "net/my-network-loadbalancer/c6e77e28c25b2234",
            listener: "10.0.0.1:443".parse().unwrap(),
            client: "72.21.218.154:51341".parse().unwrap(),
            target: Some("172.100.100.185:443".parse().unwrap()),
            connection_time: Duration::from_millis(5),
            tls_handshake_time: Some(Duration::from_millis(2)),
            received_bytes: 98,
            sent_bytes: 246,
            chosen_certificate: Some("arn:aws:acm:us-east-2:671290407336:certificate/2a108f19"),
            tls_cipher: Some("ECDHE-RSA-AES128-SHA"),
            tls_protocol: Some("tlsv12"),
            domain_name: Some("my-network-loadbalancer.elb.us-east-2.amazonaws.com"),
            alpn: Some("h2"),
            alpn_offered: Some("h2,http/1.1"),
            creation_time: UNIX_EPOCH + Duration::from_secs(1_545_274_770),
            target_group: Some("web"),
            error_reason: None,
            classic: None,
        }
    }

    fn plain(entry: &ConnectionEntry<'_>) -> String {
        let mut out = Vec::new();
        plain_line(&mut out, entry, &mut Clock::default());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_has_the_fields_of_nlb_in_their_order_and_two_more() {
        let expected = concat!(
            "tls 2.0 2018-12-20T02:59:40.000000Z net/my-network-loadbalancer/c6e77e28c25b2234 ",
            "10.0.0.1:443 72.21.218.154:51341 172.100.100.185:443 5 2 98 246 - ",
            "arn:aws:acm:us-east-2:671290407336:certificate/2a108f19 - ",
            "ECDHE-RSA-AES128-SHA tlsv12 - ",
            "my-network-loadbalancer.elb.us-east-2.amazonaws.com h2 h2 h2,http/1.1 ",
            "2018-12-20T02:59:30.000000Z web -\n",
        );
        assert_eq!(plain(&example()), expected);
    }

    #[test]
    fn a_name_with_blanks_stays_one_field_of_one_line() {
        let entry = ConnectionEntry {
            kind: ConnectionKind::Tcp,
            target: None,
            tls_handshake_time: None,
            domain_name: Some("a b\n\u{e9}"),
            error_reason: Some("NoHealthyTarget"),
            ..example()
        };
        let line = plain(&entry);
        let fields: Vec<&str> = line.trim_end().split(' ').collect();
        assert_eq!(fields.len(), 24, "{line}");
        assert_eq!(fields[6..9], ["-", "5", "-"]);
        assert_eq!(fields[17], "a\\x20b\\x0A\\xC3\\xA9");
        assert_eq!(fields[23], "NoHealthyTarget");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn json_has_the_same_by_the_names_of_athenas_table() {
        let mut out = Vec::new();
        json_line(&mut out, &example(), &mut Clock::default());
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["type"], "tls");
        assert_eq!(value["listener_id"], "10.0.0.1:443");
        assert_eq!(value["client_port"], json!(51341));
        assert_eq!(value["tcp_connection_time_ms"], json!(5));
        assert_eq!(value["tls_protocol_version"], "tlsv12");
        assert_eq!(value["incoming_tls_alert"], Value::Null);
        assert_eq!(value["alpn_client_preference_list"], "h2,http/1.1");
        assert_eq!(value["target_group_arn"], "web");
        assert_eq!(value.as_object().unwrap().len(), 26);
    }
}
