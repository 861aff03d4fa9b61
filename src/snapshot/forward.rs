//! The action forward: one target group, or several by weight.

use std::sync::Arc;
use std::time::Duration;

use super::Group;

/// Where requests are forwarded.
#[derive(Debug)]
pub struct Forward {
    choices: Vec<Choice>,
    total: u32,
    /// For how long clients stick to their group.
    stickiness: Option<Duration>,
    /// What cookies call the groups, in the same order; none unless clients stick.
    tags: Vec<u64>,
}

/// One group of a [`Forward`], and its share.
#[derive(Debug)]
pub struct Choice {
    /// 0-999, relative to the others.
    pub weight: u32,
    /// The group.
    pub group: Arc<Group>,
}

impl Forward {
    /// Forwards to `choices` by weight. With `stickiness`, a client stays with its group for so long
    /// after the last response.
    pub fn new(choices: Vec<Choice>, stickiness: Option<Duration>) -> Self {
        let tags = choices.iter().map(|choice| choice.group.tag());
        Self {
            total: choices.iter().map(|choice| choice.weight).sum(),
            tags: stickiness.map_or_else(Vec::new, |_| tags.collect()),
            choices,
            stickiness,
        }
    }

    /// How long after the last response a client stays with its group; none is not at all.
    pub fn stickiness(&self) -> Option<Duration> {
        self.stickiness
    }

    /// What cookies call the groups among which a client's is; none unless clients stick.
    pub fn tags(&self) -> &[u64] {
        &self.tags
    }

    /// The group that cookies call so. One of weight 0 keeps the clients that it has.
    pub fn by_tag(&self, tag: u64) -> Option<&Arc<Group>> {
        let place = self.tags.iter().position(|known| *known == tag)?;
        self.choices.get(place).map(|choice| &choice.group)
    }

    /// The groups and their shares.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// A group by weight, at random: ALB lets no other group stand in for one that cannot answer.
    /// `None` when no group has a weight, which a checked configuration does not contain.
    pub fn choose(&self) -> Option<&Arc<Group>> {
        match &*self.choices {
            [only] => Some(&only.group),
            _ if self.total == 0 => None,
            _ => self.at(fastrand::u32(0..self.total)),
        }
    }

    /// The group whose share covers `point`, which lies below the sum of the weights.
    fn at(&self, mut point: u32) -> Option<&Arc<Group>> {
        let covering = self.choices.iter().find(|choice| {
            let covers = point < choice.weight;
            point = point.saturating_sub(choice.weight);
            covers
        });
        covering.map(|choice| &choice.group)
    }
}

#[cfg(test)]
mod tests {
    use crate::snapshot::sample::compile;
    use crate::snapshot::{Action, Snapshot};

    const WEIGHTED: &str = r#"
        [[load_balancer]]
        name = "web"
        [[load_balancer.listener]]
        port = 80
        default = { forward = [{ group = "a", weight = 3 }, { group = "none", weight = 0 }, { group = "b", weight = 1 }] }
        [[target_group]]
        name = "a"
        [[target_group]]
        name = "b"
        [[target_group]]
        name = "none"
    "#;

    #[test]
    fn each_group_covers_its_share_and_a_weight_of_zero_covers_nothing() {
        let snapshot = compile(WEIGHTED, &Snapshot::default());
        let rules = &snapshot.load_balancers[0].listeners[0].rules;
        let Action::Forward(forward) = rules.default_action() else {
            unreachable!("the default action forwards");
        };
        let covering = |point| forward.at(point).map(|group| &*group.settings().name);
        let names: Vec<_> = (0..5).map(covering).collect();
        assert_eq!(names, [Some("a"), Some("a"), Some("a"), Some("b"), None]);
        for _ in 0..100 {
            let chosen = forward.choose().map(|group| &*group.settings().name);
            assert!(matches!(chosen, Some("a" | "b")), "{chosen:?}");
        }
    }
}
