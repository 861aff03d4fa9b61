//! The last part of an ARN.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// 16 hexadecimal digits, as in AWS's ARNs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// One that nothing has.
    pub fn random() -> Self {
        Self(format!("{:016x}", fastrand::u64(..)))
    }

    /// As it was written.
    pub fn given(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// That of a load balancer of the file.
    pub fn of_load_balancer(name: &str) -> Self {
        Self::of(&["load balancer", name])
    }

    /// That of a listener of the file.
    pub fn of_listener(load_balancer: &str, port: u16) -> Self {
        Self::of(&["listener", load_balancer, &port.to_string()])
    }

    /// That of a listener's default rule.
    pub fn of_default_rule(listener: &Id) -> Self {
        Self::of(&["default rule", &listener.0])
    }

    /// That of a rule of the file.
    pub fn of_rule(listener: &Id, priority: u32) -> Self {
        Self::of(&["rule", &listener.0, &priority.to_string()])
    }

    /// That of a target group of the file.
    pub fn of_target_group(name: &str) -> Self {
        Self::of(&["target group", name])
    }

    /// That of a trust store of the file.
    pub fn of_trust_store(name: &str) -> Self {
        Self::of(&["trust store", name])
    }

    fn of(parts: &[&str]) -> Self {
        let digest = digest(&SHA256, parts.join("\0").as_bytes());
        let digits = digest.as_ref().iter().take(8);
        Self(digits.map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_names_has_the_same_id_in_every_process() {
        let listener = Id::of_listener("web", 80);
        assert_eq!(listener, Id::of_listener("web", 80));
        let others = [
            Id::of_listener("web", 8),
            Id::of_listener("web8", 0),
            Id::of_load_balancer("web"),
            Id::of_target_group("web"),
            Id::of_default_rule(&listener),
            Id::of_rule(&listener, 1),
            Id::random(),
        ];
        for other in others {
            assert_ne!(listener, other);
            assert_eq!(other.to_string().len(), 16);
        }
    }
}
