//! The table as nftables reads it.

use std::fmt::{Display, Write};

use ipnet::IpNet;

use super::{Family, Guarded, MemberSet, Permit};
use crate::inbound::Source;

const HEAD: &str = "\
#!/usr/sbin/nft -f
# The ports of targets, open for whom their security groups let in and for nobody else. Made by `elbow nft`.
#
# Load it with `nft -f` on the targets' hosts, or on the router before them. Loading it again replaces it, and touches
# no other table; `nft delete table inet elbow` takes it away. Only what targets are registered with is guarded, their
# ports and those of their probes. Packets between two ports of one bridge do not come by here.
";

/// Writes all of it. What was there before goes in the same transaction.
pub(super) fn write(members: &[MemberSet], guarded: &[Guarded]) -> String {
    let mut page = Page(HEAD.to_owned());
    page.line(0, "");
    page.line(0, "add table inet elbow");
    page.line(0, "delete table inet elbow");
    page.line(0, "table inet elbow {");
    for set in members {
        page.members(set);
    }
    for targets in guarded {
        page.targets(targets);
    }
    page.inbound(members, guarded);
    page.hook("input", &["iif lo accept"]);
    page.hook("forward", &[]);
    page.line(0, "}");
    page.0
}

struct Page(String);

impl Page {
    fn line(&mut self, depth: usize, text: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{:width$}{text}", "", width = 4 * depth);
    }

    fn members(&mut self, set: &MemberSet) {
        self.line(
            1,
            format_args!("# security group {}: {}", set.group, list(&set.owners)),
        );
        for owner in &set.everywhere {
            self.line(
                1,
                format_args!(
                    "# load balancer {owner} listens on all addresses: list those that it connects from in `members`"
                ),
            );
        }
        self.unknown(&set.unknown);
        for family in Family::BOTH {
            let own = set.blocks.iter().filter(|block| family.has(block.addr()));
            let elements: Vec<String> = own.map(element).collect();
            let kind = format!("{}; flags interval; auto-merge", family.kind());
            self.set(&family.members(&set.group), &kind, &elements);
        }
    }

    fn targets(&mut self, targets: &Guarded) {
        let groups = targets.security_groups.join(", ");
        self.line(
            1,
            format_args!("# target group {}: security groups {groups}", targets.group),
        );
        self.unknown(&targets.unknown);
        for family in Family::BOTH {
            let own = targets.ports.iter().filter(|port| family.has(port.ip()));
            let elements: Vec<String> = own
                .map(|port| format!("{} . {}", port.ip(), port.port()))
                .collect();
            let kind = format!("{} . inet_service", family.kind());
            self.set(&family.targets(&targets.group), &kind, &elements);
        }
    }

    fn unknown(&mut self, names: &[String]) {
        if !names.is_empty() {
            let names = names.join(", ");
            self.line(
                1,
                format_args!(
                    "# not known by an address: {names} (a running daemon may know more: ask that)"
                ),
            );
        }
    }

    /// An empty set cannot be written, and need not be.
    fn set(&mut self, name: &str, kind: &str, elements: &[String]) {
        if elements.is_empty() {
            return;
        }
        self.line(1, format_args!("set {name} {{"));
        self.line(2, format_args!("type {kind}"));
        self.line(2, format_args!("elements = {{ {} }}", elements.join(", ")));
        self.line(1, "}");
    }

    /// First all that is let in, then the end: a target may be in several groups, and what one of them lets in is in.
    fn inbound(&mut self, members: &[MemberSet], guarded: &[Guarded]) {
        self.line(1, "chain inbound {");
        self.line(2, "ct state established,related accept");
        for targets in guarded {
            for permit in &targets.permits {
                for family in Family::BOTH {
                    if let Some(source) = source(permit, family, members)
                        && targets.ports.iter().any(|port| family.has(port.ip()))
                    {
                        let (to, ports) = (family.to(&targets.group), ports(permit));
                        self.line(2, format_args!("{to}{ports}{source} accept"));
                    }
                }
            }
        }
        for targets in guarded {
            for family in Family::BOTH {
                if targets.ports.iter().any(|port| family.has(port.ip())) {
                    let to = family.to(&targets.group);
                    self.line(2, format_args!("{to} counter reject with tcp reset"));
                }
            }
        }
        self.line(1, "}");
    }

    fn hook(&mut self, hook: &str, before: &[&str]) {
        self.line(1, format_args!("chain {hook} {{"));
        self.line(
            2,
            format_args!("type filter hook {hook} priority filter; policy accept;"),
        );
        for rule in before {
            self.line(2, rule);
        }
        self.line(2, "jump inbound");
        self.line(1, "}");
    }
}

/// From whom; none when nobody of the family is let in.
fn source(permit: &Permit, family: Family, members: &[MemberSet]) -> Option<String> {
    let word = family.word();
    match &permit.source {
        Source::Block(block) if !family.has(block.addr()) => None,
        // Everybody: then nothing need be asked.
        Source::Block(block) if block.prefix_len() == 0 => Some(String::new()),
        Source::Block(block) => Some(format!(" {word} saddr {block}")),
        Source::Group(name) => {
            let set = members.iter().find(|set| set.group == *name)?;
            let mut blocks = set.blocks.iter();
            let has_members = blocks.any(|block| family.has(block.addr()));
            has_members.then(|| format!(" {word} saddr @{}", family.members(name)))
        }
    }
}

fn ports(permit: &Permit) -> String {
    match (permit.from_port, permit.to_port) {
        (0, u16::MAX) => String::new(),
        (first, last) if first == last => format!(" tcp dport {first}"),
        (first, last) => format!(" tcp dport {first}-{last}"),
    }
}

fn element(block: &IpNet) -> String {
    match block.prefix_len() == block.max_prefix_len() {
        true => block.addr().to_string(),
        false => block.to_string(),
    }
}

fn list(owners: &[String]) -> String {
    match owners {
        [] => "addresses that it lists".to_owned(),
        owners => owners.join(", "),
    }
}

impl Family {
    fn word(self) -> &'static str {
        match self {
            Self::V4 => "ip",
            Self::V6 => "ip6",
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::V4 => "ipv4_addr",
            Self::V6 => "ipv6_addr",
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }

    fn members(self, group: &str) -> String {
        format!("members-{group}-{}", self.number())
    }

    fn targets(self, group: &str) -> String {
        format!("targets-{group}-{}", self.number())
    }

    /// To the targets of a group.
    fn to(self, group: &str) -> String {
        format!("{} daddr . tcp dport @{}", self.word(), self.targets(group))
    }
}
