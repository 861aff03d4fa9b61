//! A configuration that has been checked: every value is of the type that the running parts use.
//!
//! [`super::validate`] makes these and nobody else needs to: whoever holds one need not check again.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Service;
use super::document::{
    DesyncMitigation, ForwardedFor, LogFormat, NormalizePath, OriginField, Others, Ranges, Scheme,
};
use super::inventory::Joined;
use super::listener_headers::ListenerHeaders;
use super::provider::ValidProvider;
use crate::acme::Wanted;
use crate::auth::{JwtSettings, OidcSettings};
use crate::inbound::{NetworkAcl, SecurityGroup};
use crate::keyring;
use crate::net::AddressBlocks;
use crate::routing::{FixedResponse, Redirect, RuleTable};
use crate::target::Zone;
use crate::target_group::{HealthCheck, Registration, Settings};
use crate::tls::{ConnectorSettings, Files, Policy, TrustStoreFiles};

/// The whole configuration, checked.
#[derive(Debug)]
pub struct ValidConfig {
    /// Which numeric ranges were enforced.
    pub ranges: Ranges,
    /// Worker threads on the data path; none means one for each processor.
    pub workers: Option<usize>,
    /// How long requests in flight may take to finish after SIGTERM.
    pub shutdown_deadline: Duration,
    /// How a new process takes over.
    pub upgrade: ValidUpgrade,
    /// Where the keys of cookies come from.
    pub cookie_keys: keyring::Settings,
    /// Where the admin side listens.
    pub admin: SocketAddr,
    /// The access log.
    pub access_log: AccessLogSettings,
    /// The connection log.
    pub connection_log: AccessLogSettings,
    /// Who vouches for clients.
    pub trust_stores: Vec<ValidTrustStore>,
    /// Where the secrets of TLS sessions are written; none means nowhere.
    pub key_log: Option<PathBuf>,
    /// Where what must survive a restart is kept; there is one if certificates are ordered.
    pub state_directory: Option<PathBuf>,
    /// Who may connect; names are unique.
    pub security_groups: Vec<Arc<SecurityGroup>>,
    /// The load balancers, in the order of the document.
    pub load_balancers: Vec<ValidLoadBalancer>,
    /// The target groups, in the order of the document.
    pub target_groups: Vec<ValidTargetGroup>,
    /// Who contributes targets besides the document; names are unique.
    pub providers: Vec<ValidProvider>,
    /// Which part of it was made through the AWS API.
    pub joined: Joined,
}

/// How a new process takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidUpgrade {
    /// How long connections may take to finish in the process before.
    pub deadline: Duration,
    /// Where a process asks to take over that somebody else has started.
    pub socket: Option<PathBuf>,
}

/// Where a log goes and what it looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogSettings {
    /// The file, or `-` for standard output; none means no log.
    pub path: Option<PathBuf>,
    /// The form of a line.
    pub format: LogFormat,
}

/// A load balancer, checked.
#[derive(Clone, Debug)]
pub struct ValidLoadBalancer {
    /// Its name, unique among load balancers.
    pub name: Arc<str>,
    /// Whether its nodes have private addresses only.
    pub scheme: Scheme,
    /// The names of its security groups: all of them exist. Without one everybody may connect.
    pub security_groups: Vec<Arc<str>>,
    /// Its nodes; at least one.
    pub nodes: Vec<ValidNode>,
    /// What ALB calls its attributes.
    pub attributes: Attributes,
    /// Proxies that are believed about whom a request comes from.
    pub trusted_proxies: Option<ValidTrustedProxies>,
    /// What happens to `Forwarded`.
    pub forwarded: ValidForwarded,
    /// What it listens on; ports are unique, except 0.
    pub listeners: Vec<ValidListener>,
}

impl ValidConfig {
    /// The certificates that are ordered.
    pub fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        self.load_balancers
            .iter()
            .flat_map(ValidLoadBalancer::wanted)
    }
}

impl ValidLoadBalancer {
    /// The certificates of its listeners that are ordered.
    pub fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        let tls = self
            .listeners
            .iter()
            .filter_map(|listener| listener.tls.as_ref());
        let certificates = tls.flat_map(|tls| &tls.certificates);
        certificates.filter_map(|certificate| match &certificate.source {
            CertificateSource::Acme(wanted) => Some(wanted),
            CertificateSource::Files(_) => None,
        })
    }
}

/// The address in one zone on which a load balancer answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidNode {
    /// Its zone; none serves all zones alike.
    pub zone: Option<Zone>,
    /// The address; unspecified means all.
    pub address: IpAddr,
    /// The subnet that the address lies in.
    pub subnet: Option<Arc<str>>,
    /// What may come into that; none lets everything in.
    pub network_acl: Option<Arc<NetworkAcl>>,
}

/// Proxies that are believed about whom a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidTrustedProxies {
    /// Those proxies.
    pub from: AddressBlocks,
    /// The field that they write.
    pub field: OriginField,
    /// Whether source-ip conditions look at what they say.
    pub source_ip: bool,
}

/// What happens to `Forwarded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidForwarded {
    /// Whether something is appended, or the field removed.
    pub mode: ForwardedFor,
    /// What the load balancer calls itself in it.
    pub by: Option<By>,
}

/// What a load balancer calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The node's address and port.
    Address,
    /// A name that begins with `_`.
    Name(Arc<str>),
}

/// What ALB calls a load balancer's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// A connection on which nothing moves for so long is closed.
    pub idle_timeout: Duration,
    /// The longest life of a client connection.
    pub client_keep_alive: Duration,
    /// How long a client may take to send the head of a request, from its first byte.
    pub header_timeout: Duration,
    /// How long a TLS handshake may take.
    pub tls_handshake_timeout: Duration,
    /// What happens to `X-Forwarded-For`.
    pub forwarded_for: ForwardedFor,
    /// Whether the client's port is appended to its address there.
    pub client_port: bool,
    /// Whether `Host` is passed on untouched.
    pub preserve_host: bool,
    /// Whether header fields with odd names are removed instead of passed on.
    pub drop_invalid_header_fields: bool,
    /// Who sees a path in its normal form. The rule tables know their part of it already.
    pub normalize_path: NormalizePath,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// Whether it is a Classic load balancer.
    pub classic: bool,
    /// Whether targets are told of a client's TLS.
    pub tls_headers: bool,
    /// What happens to requests that depart from the grammar of HTTP.
    pub desync_mitigation: DesyncMitigation,
    /// Whether an operator may keep traffic away from a zone.
    pub zonal_shift: bool,
    /// The most client connections at a time; none is no limit.
    pub max_connections: Option<usize>,
    /// How large the parts of a message may be.
    pub limits: Limits,
}

/// How large the parts of a message may be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The request line.
    pub request_line: usize,
    /// One header field of a request.
    pub header: usize,
    /// All header fields of a request; not less than `header`.
    pub headers: usize,
    /// All header fields of a response.
    pub response_headers: usize,
}

/// A listener, checked.
#[derive(Clone, Debug)]
pub struct ValidListener {
    /// The port on every node; 0 lets the system choose.
    pub port: u16,
    /// Whose connections begin with a PROXY protocol header.
    pub proxy_protocol: Option<ValidProxyProtocol>,
    /// What becomes of its connections.
    pub service: Service,
    /// What it does to header fields.
    pub headers: Arc<ListenerHeaders>,
    /// The TLS that it speaks; none means plain HTTP.
    pub tls: Option<ValidTls>,
    /// Whether it speaks HTTP/3, too.
    pub http3: bool,
    /// The rules and the default action; those of a relay only forward.
    pub rules: RuleTable<ValidAction>,
}

/// Whom a listener believes about the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidProxyProtocol {
    /// Those whose connections begin with a PROXY protocol header.
    pub from: AddressBlocks,
    /// What becomes of everybody else.
    pub others: Others,
    /// How long the header may take.
    pub timeout: Duration,
}

impl ValidListener {
    /// The application protocols that its TLS clients are offered (ALPN), the preferred one first;
    /// `attributes` are those of its load balancer.
    pub fn application_protocols(&self, attributes: &Attributes) -> Vec<Vec<u8>> {
        // Only the target knows what it speaks, and none is asked: NLB's ALPN policy None.
        if let Service::Relay(_) = self.service {
            return Vec::new();
        }
        let offered: &[&[u8]] = match attributes.http2 {
            true => &[b"h2", b"http/1.1"],
            false => &[b"http/1.1"],
        };
        offered.iter().map(|protocol| protocol.to_vec()).collect()
    }
}

/// The TLS of a listener, checked; its certificates are not read yet.
#[derive(Clone, Debug)]
pub struct ValidTls {
    /// The default one first; at least one.
    pub certificates: Vec<ValidCertificate>,
    /// Versions and ciphers.
    pub policy: Policy,
    /// What is asked of clients' certificates; none means nothing.
    pub client_authentication: Option<ValidClientAuthentication>,
    /// Whether early data of HTTP/3 clients is taken.
    pub early_data: bool,
}

/// What is asked of clients' certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidClientAuthentication {
    /// They are handed on.
    Passthrough,
    /// They are verified.
    Verify {
        /// The name of a trust store.
        trust_store: Arc<str>,
        /// Whether those that have expired are let in.
        ignore_expiry: bool,
        /// Whether clients are told the names of the authorities.
        advertise_names: bool,
    },
}

/// A trust store, its files not yet read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidTrustStore {
    /// Its name, unique among trust stores.
    pub name: Arc<str>,
    /// Where it comes from.
    pub files: TrustStoreFiles,
    /// Where in the document it stands.
    pub path: String,
}

/// Where a certificate comes from.
#[derive(Clone, Debug)]
pub enum CertificateSource {
    /// From files.
    Files(Files),
    /// It is ordered.
    Acme(Wanted),
}

/// A certificate of a listener.
#[derive(Clone, Debug)]
pub struct ValidCertificate {
    /// What logs and metrics call it.
    pub name: Arc<str>,
    /// Where it comes from.
    pub source: CertificateSource,
    /// Where in the document it is named.
    pub path: String,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidAction {
    /// It goes to a target group.
    Forward(ValidForward),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// It is answered without a target.
    FixedResponse(FixedResponse),
    /// Only some requests come to the action.
    Authenticate(Box<ValidAuthenticated>),
}

/// Where requests are forwarded, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidForward {
    /// The groups, each with its weight. All of them exist, and not all weights are 0.
    pub groups: Vec<(Arc<str>, u32)>,
    /// How long after the last response a client stays with its group; none is not at all.
    pub stickiness: Option<Duration>,
}

/// An action that only some requests come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidAuthenticated {
    /// Who lets them through.
    pub by: ValidAuthenticator,
    /// What happens to them then; no such thing again.
    pub then: ValidAction,
}

/// Who lets requests through, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValidAuthenticator {
    /// An identity provider.
    Oidc(Box<OidcSettings>),
    /// An issuer of tokens.
    Jwt(Box<JwtSettings>),
}

/// A target group, checked.
#[derive(Clone, Debug)]
pub struct ValidTargetGroup {
    /// Its settings, with its name, which is unique among target groups.
    pub settings: Settings,
    /// How its targets are probed.
    pub health_check: HealthCheck,
    /// How its targets are believed over TLS; none means they speak none.
    pub tls: Option<ConnectorSettings>,
    /// Its targets; their keys are unique.
    pub registrations: Vec<Registration>,
    /// The names of its targets' security groups: all of them exist.
    pub security_groups: Vec<Arc<str>>,
    /// The load balancer that uses it; none means that no rule names it.
    pub load_balancer: Option<Arc<str>>,
}
