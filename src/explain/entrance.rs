//! Where a request enters: the listener by protocol and port, the node by its address or its zone.

use std::sync::Arc;

use thiserror::Error;

use super::answer::Entered;
use super::question::{Question, Url};
use crate::snapshot::{Entrance, EntranceKey, Snapshot};

/// Why a request enters nowhere, or could enter in too many places.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoEntrance {
    /// There is no listener at all.
    #[error("there is no listener")]
    Nothing,
    /// No listener has the protocol and the port.
    #[error("no listener is {wanted}: there are {listeners}")]
    Listener {
        /// What the URL asks for.
        wanted: String,
        /// What there is.
        listeners: String,
    },
    /// No node has the address or the zone.
    #[error("no node of the listener {listener} is {wanted}: there are {nodes}")]
    Node {
        /// The listener.
        listener: String,
        /// What was asked for.
        wanted: String,
        /// What there is.
        nodes: String,
    },
    /// Several load balancers have such a listener, on different nodes.
    #[error(
        "several load balancers have a listener {listener}: say which node is asked, of {nodes}"
    )]
    Ambiguous {
        /// The listener.
        listener: String,
        /// The nodes of all.
        nodes: String,
    },
}

/// A listener on a node, in the order of the configuration.
struct Way<'s> {
    entrance: &'s Arc<Entrance>,
    listener: String,
    node: String,
}

/// The entrance that the question asks for: the first node, if it does not say which.
pub(super) fn find<'s>(
    snapshot: &'s Snapshot,
    question: &Question,
    url: &Url<'_>,
) -> Result<(&'s Arc<Entrance>, Entered), NoEntrance> {
    let ways = ways(snapshot);
    if ways.is_empty() {
        return Err(NoEntrance::Nothing);
    }
    let listening = of_listener(&ways, url)?;
    let listener = || listening[0].listener.clone();
    let named = url.address().filter(|address| {
        let mut ways = listening.iter();
        ways.any(|way| way.entrance.key.address.ip() == *address)
    });
    let node = question.node.or(named);
    let is_asked = |way: &&&Way<'_>| {
        let zone = way.entrance.zone.as_ref().map(|zone| zone.as_str());
        node.is_none_or(|node| way.entrance.key.address.ip() == node)
            && question
                .zone
                .as_deref()
                .is_none_or(|asked| zone == Some(asked))
    };
    let asked: Vec<&&Way<'_>> = listening.iter().filter(is_asked).collect();
    let Some(first) = asked.first() else {
        let node = node.map(|node| node.to_string());
        let zone = question.zone.as_ref().map(|zone| format!("in zone {zone}"));
        let wanted: Vec<String> = node.into_iter().chain(zone).collect();
        return Err(NoEntrance::Node {
            listener: listener(),
            wanted: wanted.join(" "),
            nodes: listed(listening.iter().map(|way| &way.node)),
        });
    };
    let balancer = &first.entrance.load_balancer.name;
    if asked
        .iter()
        .any(|way| way.entrance.load_balancer.name != *balancer)
    {
        return Err(NoEntrance::Ambiguous {
            listener: listener(),
            nodes: listed(asked.iter().map(|way| &way.node)),
        });
    }
    let others = listening.iter().filter(|way| {
        let of_same = way.entrance.load_balancer.name == *balancer;
        of_same && !Arc::ptr_eq(way.entrance, first.entrance)
    });
    let entered = Entered {
        load_balancer: balancer.to_string(),
        protocol: first.entrance.listener.protocol().to_owned(),
        port: port(first.entrance, url),
        node: first.entrance.key.address.ip().to_string(),
        zone: first.entrance.zone.as_ref().map(ToString::to_string),
        other_nodes: others.map(|way| way.node.clone()).collect(),
        security_groups: first
            .entrance
            .load_balancer
            .security_groups
            .iter()
            .map(ToString::to_string)
            .collect(),
    };
    Ok((first.entrance, entered))
}

fn ways(snapshot: &Snapshot) -> Vec<Way<'_>> {
    let mut ways = Vec::new();
    for balancer in &snapshot.load_balancers {
        for listener in &balancer.listeners {
            for node in &balancer.nodes {
                let key = EntranceKey {
                    load_balancer: Arc::clone(&balancer.name),
                    address: (node.address, listener.port).into(),
                };
                let zone = node.zone.as_ref();
                ways.extend(snapshot.entrance(&key).map(|entrance| Way {
                    entrance,
                    listener: format!("{}:{}", listener.protocol(), listener.port),
                    node: match zone {
                        Some(zone) => format!("{} in {zone}", node.address),
                        None => node.address.to_string(),
                    },
                }));
            }
        }
    }
    ways
}

/// Those with the protocol and the port of the URL. A URL without a port means the only listener, too: outside of its
/// machine, it may have another port than here.
fn of_listener<'w, 's>(ways: &'w [Way<'s>], url: &Url<'_>) -> Result<Vec<&'w Way<'s>>, NoEntrance> {
    let protocol = url.scheme.as_str().to_ascii_uppercase();
    let speaks = |way: &&Way<'_>| way.entrance.listener.protocol() == protocol;
    let speaking: Vec<_> = ways.iter().filter(speaks).collect();
    let has_port = |way: &&Way<'_>| way.entrance.listener.port == url.port();
    let found: Vec<_> = speaking.iter().copied().filter(has_port).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if let Some(first) = speaking.first() {
        let is_only = speaking.iter().all(|way| way.listener == first.listener);
        if is_only && (url.port.is_none() || first.entrance.listener.port == 0) {
            return Ok(speaking);
        }
    }
    Err(NoEntrance::Listener {
        wanted: format!("{protocol}:{}", url.port()),
        listeners: listed(ways.iter().map(|way| &way.listener)),
    })
}

/// The listener's port; of one that the system chose, the one that was asked.
fn port(entrance: &Entrance, url: &Url<'_>) -> u16 {
    match entrance.listener.port {
        0 => url.port(),
        port => port,
    }
}

/// Each of them once.
fn listed<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    let mut all: Vec<&str> = texts.map(String::as_str).collect();
    let mut known = std::collections::BTreeSet::new();
    all.retain(|text| known.insert(*text));
    all.join(", ")
}
