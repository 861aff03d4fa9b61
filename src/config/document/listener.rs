//! A listener: where it listens, its rules and their conditions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Action, AuthenticateOidc, FixedResponse, Forward, JwtValidation, ListenerCertificate,
    MutualAuthentication, ProxyProtocol, Redirect, RequestHeaderNames, ResponseHeaders, Rewrite,
};
use crate::config::value::Span;

/// A listener: protocol, port, rules.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// The port, on every node of the load balancer. 0 lets the system choose (tests).
    pub port: u16,
    /// The protocol: "HTTP", "HTTPS", or "TCP" and "TLS", which forward connections whole to groups
    /// of protocol TCP.
    #[serde(default)]
    pub protocol: ListenerProtocol,
    /// Whose connections begin with a PROXY protocol header. Default: nobody's.
    #[serde(default)]
    pub proxy_protocol: Option<ProxyProtocol>,
    /// NLB: tcp.idle_timeout.seconds, 60s-6000s; for TCP and TLS listeners. A connection on which
    /// nothing moves is reset. Default: 350s.
    #[serde(default)]
    pub idle_timeout: Option<Span>,
    /// TLS: "terminate", which decrypts and needs `certificates`, or "passthrough", which does not: rules
    /// with the condition `host` choose the group by the name that a client asks for (SNI).
    #[serde(default)]
    pub tls_mode: Option<TlsMode>,
    /// HTTPS and TLS: the certificates. The first is the default one; of the others each client is shown the
    /// best that it supports of those made out to the name that it asks for (SNI).
    #[serde(default)]
    pub certificates: Vec<ListenerCertificate>,
    /// ALB: SslPolicy. HTTPS and TLS: versions and ciphers, by AWS's name for the set, such as
    /// "ELBSecurityPolicy-TLS13-1-3-2021-06". Of a policy that is not safe throughout, the safe part is
    /// served, and what is missing is said. Default:
    /// "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", as ALB's console proposes.
    #[serde(default)]
    pub ssl_policy: Option<String>,
    /// Header fields of its responses.
    #[serde(default)]
    pub response_headers: ResponseHeaders,
    /// What the header fields are called that it adds to requests.
    #[serde(default)]
    pub request_header_names: RequestHeaderNames,
    /// HTTPS: HTTP/3 on the same port by UDP, told to clients by Alt-Svc. ALB has none.
    #[serde(default)]
    pub http3: bool,
    /// With `http3`: whether a client that comes back may send requests with its first packets (0-RTT, RFC
    /// 8470). GET, HEAD and OPTIONS go on at once, with the field `Early-Data: 1`, and a target that will
    /// not act on one answers 425; all others wait until the handshake is complete. Not with
    /// `mutual_authentication`. ALB has none.
    #[serde(default)]
    pub early_data: bool,
    /// HTTPS: what clients' certificates are asked for.
    #[serde(default)]
    pub mutual_authentication: MutualAuthentication,
    /// What happens to a request that no rule matches; to a connection of a TCP listener: forward.
    pub default: Action,
    /// The rules.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

/// A listener's protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ListenerProtocol {
    /// Plain HTTP/1.1.
    #[default]
    #[serde(rename = "HTTP")]
    Http,
    /// Whatever is spoken on TCP.
    #[serde(rename = "TCP")]
    Tcp,
    /// HTTP over TLS.
    #[serde(rename = "HTTPS")]
    Https,
    /// Whatever is spoken over TLS; Classic's SSL.
    #[serde(rename = "TLS")]
    Tls,
}

/// What a TLS listener does with the TLS of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// Ends it: targets get what is inside.
    #[default]
    Terminate,
    /// Passes it on as it is.
    Passthrough,
}

impl Listener {
    /// Whether it ends the TLS of its clients.
    pub(in crate::config) fn ends_tls(&self) -> bool {
        match self.protocol {
            ListenerProtocol::Https => true,
            ListenerProtocol::Tls => self.tls_mode.unwrap_or_default() == TlsMode::Terminate,
            ListenerProtocol::Http | ListenerProtocol::Tcp => false,
        }
    }
}

impl Listener {
    /// One on that port with all defaults, which does nothing yet.
    pub fn on(port: u16, protocol: ListenerProtocol) -> Self {
        Self {
            port,
            protocol,
            proxy_protocol: None,
            idle_timeout: None,
            tls_mode: None,
            certificates: Vec::new(),
            ssl_policy: None,
            response_headers: ResponseHeaders::default(),
            request_header_names: RequestHeaderNames::default(),
            http3: false,
            early_data: false,
            mutual_authentication: MutualAuthentication::default(),
            default: Action::default(),
            rule: Vec::new(),
        }
    }
}

/// A rule: priority, conditions (all must match; of a condition's values one), one action.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// 1-50000, unique in its listener; the lowest is tried first.
    #[schemars(range(min = 1, max = 50000))]
    pub priority: u32,
    /// host-header: names, with the wildcards * and ?, in any case.
    #[serde(default)]
    pub host: Vec<String>,
    /// host-header by regular expressions, instead of `host`: found anywhere in the name, in any case;
    /// at most 128 characters each.
    #[serde(default)]
    pub host_regex: Vec<String>,
    /// path-pattern: paths, with the wildcards * and ?, case-sensitive; never the query.
    #[serde(default)]
    pub path: Vec<String>,
    /// path-pattern by regular expressions, instead of `path`: found anywhere in the path,
    /// case-sensitive; at most 128 characters each.
    #[serde(default)]
    pub path_regex: Vec<String>,
    /// http-request-method: exact, case-sensitive.
    #[serde(default)]
    pub method: Vec<String>,
    /// source-ip: CIDR blocks; the peer of the TCP connection, never X-Forwarded-For.
    #[serde(default)]
    pub source_ip: Vec<String>,
    /// http-header: each entry is a condition of its own; all of them must match.
    #[serde(default)]
    pub header: Vec<HeaderCondition>,
    /// query-string: each entry is a condition of its own; all of them must match.
    #[serde(default)]
    pub query: Vec<QueryCondition>,
    /// Transform: host-header-rewrite, another name for the target to be called by.
    #[serde(default)]
    pub host_header_rewrite: Option<Rewrite>,
    /// Transform: url-rewrite, another path and query for the target to be asked for.
    #[serde(default)]
    pub url_rewrite: Option<Rewrite>,
    /// Before the action: authenticate-oidc, people log in.
    #[serde(default)]
    pub authenticate_oidc: Option<AuthenticateOidc>,
    /// Before the action: jwt-validation, requests bring a token.
    #[serde(default)]
    pub jwt_validation: Option<JwtValidation>,
    /// Action: forward to one target group, or to several by weight.
    #[serde(default)]
    pub forward: Option<Forward>,
    /// Action: redirect the client.
    #[serde(default)]
    pub redirect: Option<Redirect>,
    /// Action: fixed-response, an answer without a target.
    #[serde(default)]
    pub fixed_response: Option<FixedResponse>,
}

impl Rule {
    /// One of that priority, without conditions, which does nothing yet.
    pub fn of_priority(priority: u32) -> Self {
        Self {
            priority,
            host: Vec::new(),
            host_regex: Vec::new(),
            path: Vec::new(),
            path_regex: Vec::new(),
            method: Vec::new(),
            source_ip: Vec::new(),
            header: Vec::new(),
            query: Vec::new(),
            host_header_rewrite: None,
            url_rewrite: None,
            authenticate_oidc: None,
            jwt_validation: None,
            forward: None,
            redirect: None,
            fixed_response: None,
        }
    }
}

/// An http-header condition.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderCondition {
    /// The field's name; not Host.
    pub name: String,
    /// Values, with the wildcards * and ?, in any case; one of them must match.
    #[serde(default)]
    pub values: Vec<String>,
    /// Regular expressions instead of `values`: found anywhere in the value, in any case; at most 128
    /// characters each.
    #[serde(default)]
    pub regex: Vec<String>,
}

/// A query-string condition: a key with one of the values must be in the query.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryCondition {
    /// The key, with wildcards, in any case. Default: any key.
    #[serde(default)]
    pub key: Option<String>,
    /// Values, with the wildcards * and ?, in any case; one of them must match.
    #[serde(default)]
    pub values: Vec<String>,
    /// Pairs of different keys instead of `key` and `values`; one of them must match.
    #[serde(default)]
    pub pairs: Vec<QueryPair>,
}

/// A key and a value.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryPair {
    /// The key, with wildcards, in any case. Default: any key.
    #[serde(default)]
    pub key: Option<String>,
    /// The value, with the wildcards * and ?, in any case.
    pub value: String,
}

impl QueryCondition {
    /// All pairs of a key and a value.
    pub fn all(&self) -> impl Iterator<Item = (Option<&String>, &String)> {
        let values = self.values.iter().map(|value| (self.key.as_ref(), value));
        let pairs = self.pairs.iter();
        values.chain(pairs.map(|pair| (pair.key.as_ref(), &pair.value)))
    }
}
