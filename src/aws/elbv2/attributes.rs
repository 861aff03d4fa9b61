//! Attributes: pairs of a key and a value, which load balancers, listeners and target groups have.

use serde::{Deserialize, Serialize};

/// AWS: LoadBalancerAttribute, ListenerAttribute, TargetGroupAttribute.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attribute {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// All that something has: what is answered to whoever describes or modifies them.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attributes {
    pub(super) attributes: Vec<Attribute>,
}
