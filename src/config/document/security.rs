//! Who may connect: security groups, subnets, network ACLs, and the scheme of a load balancer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A security group: who may connect to the load balancers that have it; and to the targets of the target groups that
/// have it, for which `elbow nft` makes the rules of a firewall. What no rule lets in is refused. Rules are for new
/// connections: those that are open go on. What goes out is always let out.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecurityGroup {
    /// Its name: at most 32 letters, digits and hyphens, no hyphen at either end.
    #[schemars(length(min = 1, max = 32))]
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Whom it lets in. Default: nobody.
    #[serde(default)]
    pub inbound: Vec<InboundRule>,
    /// Addresses that belong to the group, as CIDR blocks, besides those of the nodes and targets that have it: what
    /// another group's rule means that names this one as its source.
    #[serde(default)]
    pub members: Vec<String>,
}

/// A rule of a security group.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InboundRule {
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// "tcp", "udp" (HTTP/3) or "all".
    #[serde(default)]
    pub protocol: RuleProtocol,
    /// The port. Default: all.
    #[serde(default)]
    pub port: Option<u16>,
    /// Several ports: from this one.
    #[serde(default)]
    pub from_port: Option<u16>,
    /// Several ports: to this one.
    #[serde(default)]
    pub to_port: Option<u16>,
    /// Whom it lets in, one or a list: CIDR blocks, or names of security groups.
    pub source: Sources,
}

/// The protocol that a rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleProtocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP, which HTTP/3 uses.
    Udp,
    /// All of them, on all ports.
    All,
}

/// One source, or several.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Sources {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Sources {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(source) => std::slice::from_ref(source),
            Self::Several(sources) => sources,
        }
    }
}

/// A subnet: a zone, and the addresses of its nodes.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Its name: at most 32 letters, digits and hyphens, no hyphen at either end.
    #[schemars(length(min = 1, max = 32))]
    pub name: String,
    /// Its availability zone. A node whose address lies in the subnet stands in it.
    pub zone: String,
    /// Its addresses, as CIDR blocks. Subnets do not overlap.
    pub cidr_blocks: Vec<String>,
    /// Where nodes that name the subnet and no address of their own get theirs, one after the other. Default: the first
    /// block, from its fifth address on, for AWS keeps the first four.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// The name of its network ACL. Default: none, everything may come in.
    #[serde(default)]
    pub network_acl: Option<String>,
}

/// A network ACL: what may come into the subnets that have it. It is asked before the security groups, and only when a
/// connection begins.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkAcl {
    /// Its name: at most 32 letters, digits and hyphens, no hyphen at either end.
    #[schemars(length(min = 1, max = 32))]
    pub name: String,
    /// Its rules: the one with the lowest number that an address meets decides; one that meets none is denied.
    #[serde(default)]
    pub inbound: Vec<AclRule>,
}

/// A rule of a network ACL.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AclRule {
    /// Its number, 1-32766, unique in its ACL.
    #[schemars(range(min = 1, max = 32766))]
    pub rule_number: u16,
    /// "allow" or "deny".
    pub action: AclAction,
    /// "tcp", "udp" (HTTP/3) or "all".
    #[serde(default)]
    pub protocol: RuleProtocol,
    /// The port. Default: all.
    #[serde(default)]
    pub port: Option<u16>,
    /// Several ports: from this one.
    #[serde(default)]
    pub from_port: Option<u16>,
    /// Several ports: to this one.
    #[serde(default)]
    pub to_port: Option<u16>,
    /// Whom it is about, one or a list: CIDR blocks.
    pub source: Sources,
}

/// What becomes of those that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AclAction {
    /// They may come in.
    Allow,
    /// They may not.
    Deny,
}

/// Whether a load balancer's nodes have public addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// They may.
    #[default]
    InternetFacing,
    /// They have private ones only.
    Internal,
}

impl Scheme {
    /// AWS's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InternetFacing => "internet-facing",
            Self::Internal => "internal",
        }
    }
}
