//! What one line says.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::{Bodies, ConnTraceId};

/// ALB's `type`: how the client spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// HTTP
    Http,
    /// HTTP over TLS
    Https,
    /// HTTP/2 over TLS
    H2,
    /// HTTP/3, which ALB does not have
    H3,
    /// gRPC over TLS
    Grpcs,
    /// WebSocket
    Ws,
    /// WebSocket over TLS
    Wss,
}

impl RequestKind {
    /// ALB's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2 => "h2",
            Self::H3 => "h3",
            Self::Grpcs => "grpcs",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }
}

/// The request line as ALB logs it: `METHOD scheme://host:port/uri version`. What could not be read
/// of a malformed request is left empty.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    /// For example `GET`.
    pub method: &'a [u8],
    /// `http`, `https`, `ws` or `wss`.
    pub scheme: &'a str,
    /// The host that the client named, without its port; else the load balancer's name.
    pub host: &'a [u8],
    /// The port that the client named; else the listener's.
    pub port: u16,
    /// Path and query, byte for byte.
    pub uri: &'a [u8],
    /// For example `HTTP/1.1`.
    pub version: &'a str,
}

/// One request and what became of it: fields 1-33 of ALB's access log, in that order. Empty strings
/// and `None` are logged as `-` (times as `-1`).
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// How the client spoke.
    pub kind: RequestKind,
    /// When the response was generated; for WebSocket, when the connection was closed.
    pub time: SystemTime,
    /// The load balancer.
    pub elb: &'a str,
    /// The client.
    pub client: SocketAddr,
    /// The target that the request was sent to last.
    pub target: Option<SocketAddr>,
    /// From the request received to the request sent to a target.
    pub request_processing_time: Option<Duration>,
    /// From the request sent to the target to the first byte of its response.
    pub target_processing_time: Option<Duration>,
    /// From the first byte of the target's response to the response sent to the client.
    pub response_processing_time: Option<Duration>,
    /// The status that the client got (or would have got).
    pub elb_status_code: u16,
    /// The status that the target answered with.
    pub target_status_code: Option<u16>,
    /// Bytes from the client, head included.
    pub received_bytes: u64,
    /// Bytes to the client, head included.
    pub sent_bytes: u64,
    /// The request line.
    pub request: RequestLine<'a>,
    /// The client's `User-Agent`; cut at 8 KiB.
    pub user_agent: &'a [u8],
    /// The TLS cipher, in OpenSSL's words.
    pub ssl_cipher: Option<&'a str>,
    /// The TLS version.
    pub ssl_protocol: Option<&'a str>,
    /// The target group.
    pub target_group: Option<&'a str>,
    /// `X-Amzn-Trace-Id`
    pub trace_id: &'a [u8],
    /// The name that the client gave in the TLS handshake.
    pub domain_name: Option<&'a str>,
    /// The certificate that the client was shown.
    pub chosen_certificate: Option<&'a str>,
    /// 1-50000, 0 for the default rule, -1 if the rules could not be evaluated; none if no rule
    /// was looked for.
    pub matched_rule_priority: Option<i32>,
    /// When the request was received.
    pub request_creation_time: SystemTime,
    /// The actions, separated by commas: `forward`, `redirect`, `fixed-response`.
    pub actions_executed: &'a str,
    /// Where a redirect action sent the client.
    pub redirect_url: Option<&'a [u8]>,
    /// Why the balancer answered with an error, one word.
    pub error_reason: Option<&'a str>,
    /// Every target that the request was sent to, in order.
    pub targets: &'a [SocketAddr],
    /// What each of them answered.
    pub target_status_codes: &'a [Option<u16>],
    /// The desync class: `Acceptable`, `Ambiguous`, `Severe`.
    pub classification: Option<&'a str>,
    /// The desync reason, for example `BothTeClPresent`.
    pub classification_reason: Option<&'a str>,
    /// The connection that the request came over, as the connection log names it, too.
    pub conn_trace_id: Option<ConnTraceId>,
    /// The host that a host-header-rewrite gave to the target.
    pub transformed_host: Option<&'a str>,
    /// The path and query that a url-rewrite gave to the target.
    pub transformed_uri: Option<&'a str>,
    /// How the transforms went: `TransformSuccess`, `TransformInvalidHost`, ...; none if nothing was
    /// to be transformed.
    pub request_transform_status: Option<&'a str>,
    /// What bodies there were, for a request of a Classic load balancer, whose line is another one.
    pub classic: Option<Bodies>,
}

/// A user agent is cut at this many bytes.
pub(super) const USER_AGENT_LIMIT: usize = 8 * 1024;

impl Entry<'_> {
    /// The user agent as far as it is logged.
    pub(super) fn user_agent(&self) -> &[u8] {
        &self.user_agent[..self.user_agent.len().min(USER_AGENT_LIMIT)]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
pub(super) mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const TARGET: SocketAddr = SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
        80,
    );

    /// The first example of ALB's manual.
    pub(in super::super) fn example() -> Entry<'static> {
        Entry {
            kind: RequestKind::Http,
            time: UNIX_EPOCH + Duration::from_micros(1_530_570_180_186_641),
            elb: "app/my-loadbalancer/50dc6c495c0c9188",
            client: "192.168.131.39:2817".parse().unwrap(),
            target: Some(TARGET),
            request_processing_time: Some(Duration::ZERO),
            target_processing_time: Some(Duration::from_millis(1)),
            response_processing_time: Some(Duration::from_micros(999)),
            elb_status_code: 200,
            target_status_code: Some(200),
            received_bytes: 34,
            sent_bytes: 366,
            request: RequestLine {
                method: b"GET",
                scheme: "http",
                host: b"www.example.com",
                port: 80,
                uri: b"/",
                version: "HTTP/1.1",
            },
            user_agent: b"curl/7.46.0",
            ssl_cipher: None,
            ssl_protocol: None,
            target_group: Some(
                "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067",
            ),
            trace_id: b"Root=1-58337262-36d228ad5d99923122bbe354",
            domain_name: None,
            chosen_certificate: None,
            matched_rule_priority: Some(0),
            request_creation_time: UNIX_EPOCH + Duration::from_micros(1_530_570_168_364_000),
            actions_executed: "forward",
            redirect_url: None,
            error_reason: None,
            targets: &[TARGET],
            target_status_codes: &[Some(200)],
            classification: None,
            classification_reason: None,
            conn_trace_id: None,
            transformed_host: None,
            transformed_uri: None,
            request_transform_status: None,
            classic: None,
        }
    }
}
