//! What was made through the AWS API: load balancers, listeners, rules, target groups, targets, tags.
//!
//! It is said in the document's own words, so that nothing is translated twice, and joins the file's document
//! before that is checked. Each part has an [`Id`], which stands in its ARN; what the file says has one, too,
//! derived from its name. Who may change an [`Inventory`] is the API's business, who publishes it the
//! reloader's.

mod id;
mod join;
mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Listener, LoadBalancer, Rule, Target, TargetGroup};

pub use id::Id;
pub use join::Joined;
pub use store::InventoryError;

/// Everything that was made through the API.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Inventory {
    /// Load balancers, without listeners.
    pub load_balancers: Vec<Made<LoadBalancer>>,
    /// Listeners, without rules and certificates, of these load balancers or of the file's.
    pub listeners: Vec<MadeListener>,
    /// Rules of these listeners or of the file's.
    pub rules: Vec<MadeRule>,
    /// Target groups, with their targets.
    pub target_groups: Vec<Made<TargetGroup>>,
    /// Targets in groups of the file.
    pub targets: Vec<MadeTarget>,
    /// The tags of anything that has an id.
    pub tags: BTreeMap<Id, BTreeMap<String, String>>,
}

impl Inventory {
    /// Forgets what is kept beside a thing that is deleted: its tags. Whoever deletes one calls it.
    pub fn forget(&mut self, id: &Id) {
        self.tags.remove(id);
    }
}

impl Inventory {
    /// Whether nothing was made that says anything in the document.
    fn is_empty(&self) -> bool {
        self.load_balancers.is_empty()
            && self.listeners.is_empty()
            && self.rules.is_empty()
            && self.target_groups.is_empty()
            && self.targets.is_empty()
    }
}

/// One of the things made.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Made<T> {
    /// What its ARN ends with.
    pub id: Id,
    /// What it says.
    #[serde(default)]
    pub notes: Notes,
    /// What it is.
    pub document: T,
}

/// What AWS's API knows of a thing and Elbow's document has no word for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Notes {
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// Attributes that are kept and shown and have no effect.
    pub attributes: BTreeMap<String, String>,
    /// Parameters that are kept and shown, such as `VpcId`.
    pub parameters: BTreeMap<String, String>,
}

/// A listener that was made.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MadeListener {
    /// Whose it is: a load balancer's name.
    pub load_balancer: String,
    /// The names of its certificates: of `[[certificate]]`, or of other listeners' certificates. The first is the
    /// default one.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// The listener.
    pub listener: Made<Listener>,
}

/// A rule that was made.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MadeRule {
    /// Whose it is.
    pub listener: Id,
    /// The rule.
    pub rule: Made<Rule>,
}

/// A target that was registered.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MadeTarget {
    /// The group's name.
    pub target_group: String,
    /// The target.
    pub target: Target,
}
