//! What is answered: a document for people and programs, made from what the data path uses.

use serde::{Deserialize, Serialize};

/// What would become of a request, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The request as rules see it.
    pub request: Seen,
    /// Where it enters.
    pub entrance: Entered,
    /// The rules that are looked at, in order; the last may be the one that is met. None if the
    /// request is refused before.
    pub rules: Vec<TriedRule>,
    /// The priority of the rule that is met, or `default`; none if the request is refused before.
    pub matched_rule: Option<String>,
    /// What stands before the action: `authenticate-oidc` or `jwt-validation`. The rest holds for a
    /// request that it lets through.
    pub authentication: Option<String>,
    /// What the rule rewrites.
    pub transforms: Option<Rewritten>,
    /// What comes of it.
    pub outcome: Outcome,
}

/// The request as rules see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The URL as it was asked about.
    pub url: String,
    /// The host, without its port, in lower case.
    pub host: String,
    /// The path in its normal form, unless the load balancer says otherwise.
    pub path: String,
    /// Whether the client wrote that path in another way.
    pub path_was_normalized: bool,
    /// The query.
    pub query: Option<String>,
    /// The client.
    pub source: String,
}

/// Where a request enters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entered {
    /// The load balancer.
    pub load_balancer: String,
    /// The listener's protocol.
    pub protocol: String,
    /// The listener's port.
    pub port: u16,
    /// The node's address.
    pub node: String,
    /// The node's zone.
    pub zone: Option<String>,
    /// The other nodes through which it could have come.
    pub other_nodes: Vec<String>,
    /// The load balancer's security groups; without any, everybody may connect.
    #[serde(default)]
    pub security_groups: Vec<String>,
}

/// A rule that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TriedRule {
    /// Its priority.
    pub priority: u32,
    /// Whether all its conditions hold.
    pub is_met: bool,
    /// Its conditions.
    pub conditions: Vec<CheckedCondition>,
}

/// A condition, and what it saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckedCondition {
    /// ALB's name for its kind, such as `path-pattern`.
    pub field: String,
    /// Of an http-header condition the header's name.
    pub http_header_name: Option<String>,
    /// Its values.
    pub values: Vec<String>,
    /// Whether they are regular expressions.
    pub is_regex: bool,
    /// What it looked at; nothing if the request does not have it.
    pub saw: Vec<String>,
    /// Whether it holds.
    pub holds: bool,
    /// The value that fits.
    pub fits: Option<String>,
}

/// What a rule rewrites; what it leaves as it is is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rewritten {
    /// The new host.
    pub host: Option<String>,
    /// The new path and query.
    pub uri: Option<String>,
    /// What the access log says of it, such as `TransformSuccess`; none if nothing was found to be
    /// rewritten.
    pub status: Option<String>,
}

/// What comes of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is answered with an error before any rule, or by a transform that fails.
    Refused {
        /// The status.
        status: u16,
        /// The access log's word for the reason.
        reason: String,
        /// The same in words.
        description: String,
    },
    /// The connection is refused before a byte is read.
    NotLetIn {
        /// `security_group` or `network_acl`.
        by: String,
        /// The same in words.
        description: String,
    },
    /// It goes to a target.
    Forward {
        /// The groups, each with its share; of several, its share of new clients where they stay.
        target_groups: Vec<GroupShare>,
        /// By which cookie clients stay with their group, and for how long.
        stickiness: Option<String>,
    },
    /// The client is sent elsewhere.
    Redirect {
        /// 301 or 302.
        status: u16,
        /// Where; none if the URL would be too long, which is answered with 507.
        location: Option<String>,
        /// What happens there, if it is this listener again.
        leads_to: Option<LeadsTo>,
    },
    /// It is answered from the configuration.
    FixedResponse {
        /// The status.
        status: u16,
        /// The content type.
        content_type: String,
        /// The body.
        body: String,
    },
}

/// Where a redirect to the same listener leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeadsTo {
    /// The rule that the redirected request meets.
    pub matched_rule: String,
    /// Whether it is the same one: the client would go round in circles.
    pub is_loop: bool,
}

/// One group of a forward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupShare {
    /// Its name.
    pub target_group: String,
    /// Its weight.
    pub weight: u32,
    /// Its share of the rule's requests, 0 to 1.
    pub share: f64,
    /// The algorithm that chooses among the targets.
    pub algorithm: String,
    /// By which cookie clients stay with their target, and for how long.
    pub stickiness: Option<String>,
    /// Whether no target is healthy, so that the unhealthy ones take requests.
    pub fail_open: bool,
    /// Why no target takes any: requests are answered with 503.
    pub refused: Option<String>,
    /// Its registered targets.
    pub targets: Vec<TargetShare>,
}

/// One target of a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetShare {
    /// Its id.
    pub id: String,
    /// Its address.
    pub address: String,
    /// Its zone.
    pub zone: Option<String>,
    /// Its health.
    pub state: String,
    /// Why it is not healthy.
    pub reason: Option<String>,
    /// Its share of the rule's requests, 0 to 1; over all groups they add up to 1, unless a group
    /// refuses.
    pub share: f64,
}
