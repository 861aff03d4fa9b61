//! The action forward: one target group, or several by weight.

use std::sync::Arc;

use super::Group;

/// Where requests are forwarded.
#[derive(Debug)]
pub struct Forward {
    choices: Vec<Choice>,
    total: u32,
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
    /// Forwards to `choices` by weight; `None` when there is nothing to choose from.
    pub fn new(choices: Vec<Choice>) -> Option<Self> {
        let total = choices.iter().map(|choice| choice.weight).sum();
        (!choices.is_empty()).then_some(Self { choices, total })
    }

    /// The groups and their shares.
    pub fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// A group by weight, at random. With a single group: that one, and no random number is spent.
    pub fn choose(&self) -> &Arc<Group> {
        match &*self.choices {
            [only] => &only.group,
            _ => self.at(fastrand::u32(0..self.total.max(1))),
        }
    }

    /// The group whose share covers `point`, which lies below the sum of the weights. The weights
    /// may all be 0; then it is the first.
    fn at(&self, mut point: u32) -> &Arc<Group> {
        for choice in &self.choices {
            if point < choice.weight {
                return &choice.group;
            }
            point -= choice.weight;
        }
        &self.choices[0].group
    }
}
