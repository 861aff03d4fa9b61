//! All that a request reads, immutable, published by one store.
//!
//! Look at [`Snapshot`], and at [`Shared`], which holds the current one. A snapshot is compiled
//! from a checked configuration and the last snapshot; what has happened (health, requests in
//! flight, connections, counters) is adopted from the last one by identity, so that a reload
//! forgets nothing. Compiling changes nothing that is live: it may still be thrown away. What
//! publishing means for the targets is [`Snapshot::take_over`]'s work.

mod admission;
mod authenticate;
mod bequest;
mod compile;
mod forward;
mod inbound;
mod node_health;
#[cfg(test)]
mod sample;
mod shared;
mod zonal_shift;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use tokio::time::Instant;

use crate::auth::Oidc;
use crate::config::{
    Attributes, ListenerHeaders, Scheme, Service, ValidForwarded, ValidProxyProtocol,
    ValidTrustedProxies,
};
use crate::inbound::NetworkAcl;
use crate::metrics::{GroupMetrics, NodeMetrics};
use crate::net::HandshakeError;
use crate::routing::{FixedResponse, Redirect, RuleTable};
use crate::target::{TargetAddress, Zone};
use crate::target_group::{HealthCheck, TargetGroup, TargetProtocol};
use crate::tls::{ClientAuthentication, Connector, Secure, Slot, Terminator, TrustStoreSlot};

pub use admission::{Admission, Admissions};
pub use authenticate::{Authenticated, Authenticator, Authenticators};
pub use bequest::LiveBequest;
pub use forward::{Choice, Forward};
pub use inbound::{Inbound, SecurityGroups};
pub use node_health::NodeHealth;
pub use shared::{Cache, Shared};
pub use zonal_shift::{Shift, ShiftError};

/// The configuration in force, compiled, with the live state of all targets.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Counts the published snapshots; 0 is the empty one before the first.
    pub generation: u64,
    /// In the order of the configuration.
    pub load_balancers: Vec<Arc<LoadBalancer>>,
    /// By name.
    pub groups: BTreeMap<Arc<str>, Arc<Group>>,
    /// Every listener on every node. Look up with [`Snapshot::entrance`].
    pub entrances: HashMap<EntranceKey, Arc<Entrance>>,
    /// Groups that the configuration does not name any more. Their targets drained when this
    /// snapshot was compiled, or began to when it took over.
    pub deleted: Vec<Arc<Group>>,
    /// Identity providers and issuers of tokens.
    pub authenticators: Authenticators,
    /// Who may connect to load balancers and targets.
    pub security_groups: SecurityGroups,
}

impl Snapshot {
    /// The entrance that a connection came through. When its load balancer was renamed, the one
    /// that has taken its address over: the connection then goes on with that one's rules. `None`
    /// when the listener is gone.
    pub fn entrance(&self, key: &EntranceKey) -> Option<&Arc<Entrance>> {
        self.entrances.get(key).or_else(|| {
            self.entrances
                .values()
                .find(|entrance| key.address.port() != 0 && entrance.key.address == key.address)
        })
    }

    /// The load balancer of that name.
    pub fn load_balancer(&self, name: &str) -> Option<&Arc<LoadBalancer>> {
        self.load_balancers
            .iter()
            .find(|found| &*found.name == name)
    }

    /// The certificates of all listeners; one that several show comes several times.
    pub fn certificates(&self) -> impl Iterator<Item = &Arc<Slot>> {
        let listeners = self.load_balancers.iter().flat_map(|lb| &lb.listeners);
        listeners.flat_map(|listener| listener.certificates())
    }

    /// The trust stores of all listeners that verify; one that several name comes several times.
    pub fn trust_stores(&self) -> impl Iterator<Item = &Arc<TrustStoreSlot>> {
        let listeners = self.load_balancers.iter().flat_map(|lb| &lb.listeners);
        let asked = listeners.filter_map(|listener| listener.tls.as_ref()?.client_authentication());
        asked.filter_map(|asked| match asked {
            ClientAuthentication::Verify(verify) => Some(&verify.trust_store),
            ClientAuthentication::Passthrough => None,
        })
    }

    /// The groups of the configuration, then those deleted whose targets still drain.
    pub fn all_groups(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values().chain(&self.deleted)
    }

    /// Tells the live state of every target what this snapshot says about it: registered, standing
    /// by, or draining from `now` on. Called once, right after publishing; calling it again
    /// changes nothing.
    pub fn take_over(&self, now: Instant) {
        for group in self.all_groups() {
            group.take_over(now);
        }
        self.take_over_shifts(now);
    }
}

/// What identifies an [`Entrance`] over reloads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntranceKey {
    /// The load balancer's name.
    pub load_balancer: Arc<str>,
    /// The node's address and the listener's port as configured; the port may be 0.
    pub address: SocketAddr,
}

/// Where a listener meets a node: what a connection knows from the socket it came through.
#[derive(Debug)]
pub struct Entrance {
    /// Its identity.
    pub key: EntranceKey,
    /// The node's zone: the entry zone of every request that comes in here.
    pub zone: Option<Zone>,
    /// The load balancer.
    pub load_balancer: Arc<LoadBalancer>,
    /// The listener, one for all nodes of the load balancer.
    pub listener: Arc<Listener>,
    /// The node's figures.
    pub metrics: Arc<NodeMetrics>,
    /// Who may connect; none lets everybody in.
    pub inbound: Option<Inbound>,
}

/// A load balancer.
#[derive(Debug)]
pub struct LoadBalancer {
    /// Its name.
    pub name: Arc<str>,
    /// Whether its nodes have private addresses only.
    pub scheme: Scheme,
    /// The names of its security groups.
    pub security_groups: Vec<Arc<str>>,
    /// One for each enabled zone.
    pub nodes: Vec<Node>,
    /// What ALB calls its attributes.
    pub attributes: Attributes,
    /// Proxies that are believed about whom a request comes from.
    pub trusted_proxies: Option<ValidTrustedProxies>,
    /// What happens to `Forwarded`.
    pub forwarded: ValidForwarded,
    /// In the order of the configuration.
    pub listeners: Vec<Arc<Listener>>,
    /// A zone that an operator keeps traffic away from; kept over reloads.
    pub shift: Arc<Shift>,
    /// The client connections that are open, counted over reloads.
    pub admissions: Arc<Admissions>,
}

impl LoadBalancer {
    /// Counts one more client connection until the answer is dropped; `None` when there are as
    /// many as the attribute `max_connections` allows.
    pub fn admit(&self) -> Option<Admission> {
        Admissions::admit(&self.admissions, self.attributes.max_connections)
    }
}

/// The address in one zone on which a load balancer answers.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its zone; none serves all zones alike.
    pub zone: Option<Zone>,
    /// The address it listens on.
    pub address: IpAddr,
    /// The subnet that it stands in.
    pub subnet: Option<Arc<str>>,
    /// What may come into that.
    pub network_acl: Option<Arc<NetworkAcl>>,
}

/// A listener: a port and its rules.
#[derive(Debug)]
pub struct Listener {
    /// The port as configured; may be 0.
    pub port: u16,
    /// Whose connections begin with a PROXY protocol header.
    pub proxy_protocol: Option<ValidProxyProtocol>,
    /// What becomes of its connections.
    pub service: Service,
    /// What it does to header fields.
    pub headers: Arc<ListenerHeaders>,
    /// Whether its clients speak TLS.
    pub is_secure: bool,
    /// Answers them then; none also where a snapshot is compiled without certificates, to be looked
    /// at and not to serve.
    pub tls: Option<Arc<Terminator>>,
    /// Whether it speaks HTTP/3, too.
    pub http3: bool,
    /// Whether it answers what ACME authorities ask over HTTP, before its rules: it speaks plain HTTP,
    /// and its load balancer has a certificate that is ordered.
    pub answers_challenges: bool,
    /// The rules, the default one last; those of a relay only forward.
    pub rules: RuleTable<Action>,
    /// The identity providers that its actions name.
    pub providers: Vec<Arc<Oidc>>,
}

impl Listener {
    /// The places of its certificates, the default one first; none if it speaks no TLS.
    pub fn certificates(&self) -> &[Arc<Slot>] {
        let tls = self.tls.as_ref();
        tls.map_or(&[], |tls| tls.certificates().slots())
    }

    /// Its protocol in the configuration's words.
    pub fn protocol(&self) -> &'static str {
        match (self.service, self.is_secure) {
            (Service::Http, false) => "HTTP",
            (Service::Http, true) => "HTTPS",
            (Service::Relay(settings), false) if settings.passthrough => "TLS",
            (Service::Relay(_), false) => "TCP",
            (Service::Relay(_), true) => "TLS",
        }
    }
}

/// What a rule does.
#[derive(Debug)]
pub enum Action {
    /// Sends the request to a target.
    Forward(Forward),
    /// Sends the client elsewhere.
    Redirect(Redirect),
    /// Answers without a target.
    FixedResponse(FixedResponse),
    /// Lets some requests come to another action.
    Authenticate(Box<Authenticated>),
}

/// A target group with what belongs to it outside of choosing a target.
#[derive(Debug)]
pub struct Group {
    /// Its targets and how one is picked.
    pub target_group: TargetGroup,
    /// Connects to its targets over TLS; none unless they speak that.
    pub connector: Option<Arc<Connector>>,
    /// How its targets are probed.
    pub health_check: Arc<HealthCheck>,
    /// The names of its targets' security groups.
    pub security_groups: Vec<Arc<str>>,
    /// The load balancer that forwards to it; none when no rule does.
    pub load_balancer: Option<Arc<str>>,
    /// Its figures, by zone.
    pub metrics: GroupMetrics,
}

impl Group {
    /// The TLS that its target at this address is spoken to in, if it is.
    ///
    /// # Errors
    ///
    /// It has no name that could be asked for.
    pub fn secure(&self, address: &TargetAddress) -> Result<Option<Secure>, HandshakeError> {
        match self.settings().protocol {
            TargetProtocol::Http | TargetProtocol::Tcp => return Ok(None),
            TargetProtocol::Https | TargetProtocol::Tls => {}
        }
        let secure = self.connector.as_ref().and_then(|connector| {
            let name = connector.name(&address.host())?;
            let connector = Arc::clone(connector);
            Some(Secure { connector, name })
        });
        let nameless = || rustls::Error::General("the target has no name to ask for".to_owned());
        secure
            .map(Some)
            .ok_or_else(|| HandshakeError::Tls(nameless()))
    }
}

impl Deref for Group {
    type Target = TargetGroup;

    fn deref(&self) -> &TargetGroup {
        &self.target_group
    }
}
