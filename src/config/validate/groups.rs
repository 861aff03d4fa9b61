//! Which target groups there are, and which load balancer uses which.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::report::Report;
use crate::config::document::{StickinessType, TargetGroup};
use crate::config::path::Path;
use crate::config::suggest::{listed, nearest};
use crate::config::validate::target_group::protocol;
use crate::config::value::Span;
use crate::target_group::TargetProtocol;

/// The target groups by name, with the load balancer that uses each.
pub(super) struct Groups<'a> {
    groups: BTreeMap<&'a str, Group>,
}

struct Group {
    name: Arc<str>,
    stickiness: Option<StickinessType>,
    protocol: TargetProtocol,
    users: Vec<User>,
}

/// A load balancer: its place in the document, and its name.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) place: usize,
    pub(super) name: Arc<str>,
    /// Whether it is a Classic one.
    pub(super) is_classic: bool,
    /// Its idle timeout: of a Classic one that is also what its connections have.
    pub(super) idle_timeout: Span,
    /// Whether the listener that names the group forwards connections, not requests.
    pub(super) relays: bool,
    /// Whether what it forwards is TLS, which is passed through.
    pub(super) passes_tls: bool,
}

impl<'a> Groups<'a> {
    pub(super) fn new(groups: &'a [TargetGroup]) -> Self {
        let named = |group: &'a TargetGroup| {
            let name = group.name.as_str();
            let group = Group {
                name: name.into(),
                stickiness: group.stickiness.enabled.then_some(group.stickiness.kind),
                protocol: protocol(group),
                users: Vec::new(),
            };
            (name, group)
        };
        Self {
            groups: groups.iter().map(named).collect(),
        }
    }

    /// The load balancer that uses a group, if one does.
    pub(super) fn user(&self, group: &str) -> Option<&User> {
        self.groups.get(group)?.users.first()
    }

    /// What clients stay with the targets of a group by, if they do.
    pub(super) fn stickiness(&self, group: &str) -> Option<StickinessType> {
        self.groups.get(group)?.stickiness
    }

    /// Notes that `user` forwards to `group`; reports a group that does not exist, or that belongs
    /// to another load balancer, or whose targets are not spoken to like that.
    pub(super) fn forward(
        &mut self,
        group: &str,
        user: &User,
        path: &Path<'_>,
        report: &mut Report<'_>,
    ) -> Option<Arc<str>> {
        let Some(found) = self.groups.get_mut(group) else {
            self.missing(group, path, report);
            return None;
        };
        if found.protocol.is_relayed() != user.relays {
            mismatch(group, found.protocol, path, report);
        } else if user.passes_tls && found.protocol == TargetProtocol::Tls {
            let message = format!(
                "target group `{group}` has the protocol TLS, and the listener passes TLS through: \
                 its targets would get TLS within TLS"
            );
            let help = "give the target group the protocol \"TCP\", or the listener tls_mode = \"terminate\"";
            report.refuse(path, message, help);
        }
        if found.users.iter().any(|known| known.place == user.place) {
            return Some(Arc::clone(&found.name));
        }
        if let Some(first) = found.users.first() {
            let message = format!(
                "target group `{group}` is already used by load balancer `{}`",
                first.name
            );
            let help = format!(
                "a target group belongs to one load balancer: give `{}` a group of its own with the same targets",
                user.name
            );
            report.refuse(path, message, help);
        }
        found.users.push(user.clone());
        Some(Arc::clone(&found.name))
    }

    /// The name of a group; reports one that does not exist.
    pub(super) fn named(
        &self,
        group: &str,
        path: &Path<'_>,
        report: &mut Report<'_>,
    ) -> Option<Arc<str>> {
        let found = self.groups.get(group);
        if found.is_none() {
            self.missing(group, path, report);
        }
        found.map(|group| Arc::clone(&group.name))
    }

    fn missing(&self, group: &str, path: &Path<'_>, report: &mut Report<'_>) {
        if !report.has_all_groups() {
            return;
        }
        let names = || self.groups.keys().copied();
        let message = match nearest(group, names()) {
            Some(near) => format!("there is no target group `{group}`; did you mean `{near}`?"),
            None => format!("there is no target group `{group}`"),
        };
        let help = match self.groups.is_empty() {
            true => format!("there is none at all: add [[target_group]] with name = \"{group}\""),
            false => format!("target groups here: {}", listed(group, names())),
        };
        report.refuse(path, message, help);
    }
}

fn mismatch(group: &str, protocol: TargetProtocol, path: &Path<'_>, report: &mut Report<'_>) {
    let (message, help) = match protocol.is_relayed() {
        true => (
            format!(
                "target group `{group}` has the protocol {}: it takes connections, and an HTTP \
                 listener forwards requests",
                protocol.as_str()
            ),
            "give the listener the protocol \"TCP\", or the target group \"HTTP\"",
        ),
        false => (
            format!(
                "target group `{group}` has the protocol {}: it takes requests, and a TCP \
                 listener forwards connections",
                protocol.as_str()
            ),
            "give the target group the protocol \"TCP\", or the listener \"HTTP\"",
        ),
    };
    report.refuse(path, message, help);
}
