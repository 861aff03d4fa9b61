//! One rule: a priority, conditions, an action.
//!
//! What makes a rule wrong in itself is checked by [`Rule::new`]. How much one rule may compare, [`RuleLimits`], is
//! checked apart, so that an operator can lift it.

use smallvec::SmallVec;

use super::{Condition, ConditionKind, RequestView, Transforms};

/// One rule: when all its conditions hold, its action is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule<A> {
    priority: u32,
    conditions: Conditions,
    /// In a box, for few rules have any and all are scanned.
    transforms: Option<Box<Transforms>>,
    action: A,
}

/// Nearly every rule has one or two; kept in the rule, they cost the scan no jump through memory.
type Conditions = SmallVec<[Condition; 2]>;

impl<A> Rule<A> {
    /// The highest priority number; the lowest is 1.
    pub const LAST_PRIORITY: u32 = 50_000;

    /// Makes a rule. Refuses a priority out of 1 to 50,000, a rule without conditions (that is the default rule), and
    /// a second host-header, path-pattern, http-request-method or source-ip condition.
    pub fn new(priority: u32, conditions: Vec<Condition>, action: A) -> Result<Self, RuleError> {
        if !(1..=Self::LAST_PRIORITY).contains(&priority) {
            return Err(RuleError::Priority {
                priority,
                last: Self::LAST_PRIORITY,
            });
        }
        if conditions.is_empty() {
            return Err(RuleError::NoConditions { priority });
        }
        let kinds = || conditions.iter().map(Condition::kind);
        for (place, kind) in kinds().enumerate() {
            if !kind.is_repeatable() && kinds().take(place).any(|earlier| earlier == kind) {
                return Err(RuleError::RepeatedCondition { priority, kind });
            }
        }
        Ok(Self {
            priority,
            conditions: conditions.into(),
            transforms: None,
            action,
        })
    }

    /// The same rule with transforms.
    pub fn with_transforms(mut self, transforms: Transforms) -> Self {
        self.transforms = (!transforms.is_empty()).then(|| Box::new(transforms));
        self
    }

    /// Its place among the rules, 1 to 50,000; the lowest is tried first.
    pub fn priority(&self) -> u32 {
        self.priority
    }

    /// What must hold, all of it.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// What is changed of the request before a target gets it.
    pub fn transforms(&self) -> Option<&Transforms> {
        self.transforms.as_deref()
    }

    /// What is done then.
    pub fn action(&self) -> &A {
        &self.action
    }

    /// The same rule with another action.
    pub(super) fn map<B>(self, change: impl FnOnce(A) -> B) -> Rule<B> {
        Rule {
            priority: self.priority,
            conditions: self.conditions,
            transforms: self.transforms,
            action: change(self.action),
        }
    }

    /// Whether all conditions hold.
    pub(super) fn is_met(&self, request: &RequestView<'_>) -> bool {
        self.conditions
            .iter()
            .all(|condition| condition.fit(request).is_some())
    }

    /// Every limit that the rule exceeds; empty if it keeps them all.
    pub fn check_limits(&self, limits: &RuleLimits) -> Vec<RuleError> {
        let priority = self.priority;
        let mut exceeded = Vec::new();
        for condition in &self.conditions {
            let kind = condition.kind();
            let limit = limits.values_per_condition(kind);
            if condition.values() > limit {
                exceeded.push(RuleError::ValuesPerCondition {
                    priority,
                    kind,
                    values: condition.values(),
                    limit,
                });
            }
        }
        let values = self.conditions.iter().map(Condition::values).sum();
        if values > limits.values_per_rule {
            exceeded.push(RuleError::ValuesPerRule {
                priority,
                values,
                limit: limits.values_per_rule,
            });
        }
        let wildcards = self.conditions.iter().map(Condition::wildcards).sum();
        if wildcards > limits.wildcards_per_rule {
            exceeded.push(RuleError::WildcardsPerRule {
                priority,
                wildcards,
                limit: limits.wildcards_per_rule,
            });
        }
        exceeded
    }
}

/// How much one rule may compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleLimits {
    /// Values of one condition; a `source-ip` condition may use up the whole rule's number.
    pub values_per_condition: usize,
    /// Values of all conditions together.
    pub values_per_rule: usize,
    /// `*` and `?` in all values together.
    pub wildcards_per_rule: usize,
}

impl RuleLimits {
    /// ALB's. Its manual says five wildcards, its page of quotas six: six are accepted.
    pub const ALB: Self = Self {
        values_per_condition: 3,
        values_per_rule: 5,
        wildcards_per_rule: 6,
    };

    fn values_per_condition(&self, kind: ConditionKind) -> usize {
        match kind {
            ConditionKind::SourceIp => self.values_per_rule,
            _ => self.values_per_condition,
        }
    }
}

/// A rule, or a set of rules, that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A priority out of range.
    #[error("priority {priority} is out of range: write 1 (tried first) to {last}")]
    Priority {
        /// The priority.
        priority: u32,
        /// The highest one.
        last: u32,
    },
    /// Two rules of a table have the same priority.
    #[error(
        "two rules have priority {priority}: each needs one of its own, the lowest is tried first"
    )]
    DuplicatePriority {
        /// The priority.
        priority: u32,
    },
    /// A rule that every request would meet.
    #[error(
        "rule {priority} has no condition: what all other requests get is the listener's default action"
    )]
    NoConditions {
        /// The rule.
        priority: u32,
    },
    /// Two conditions of a kind of which a rule takes one.
    #[error(
        "rule {priority} has two {kind} conditions: put their values into one, or make two rules"
    )]
    RepeatedCondition {
        /// The rule.
        priority: u32,
        /// The kind.
        kind: ConditionKind,
    },
    /// A condition with too many values.
    #[error(
        "rule {priority} has a {kind} condition with {values} values: at most {limit} are allowed; \
             divide them among rules with the same action"
    )]
    ValuesPerCondition {
        /// The rule.
        priority: u32,
        /// The kind of the condition.
        kind: ConditionKind,
        /// How many values it has.
        values: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Too many values in all.
    #[error(
        "rule {priority} has {values} values in its conditions: at most {limit} are allowed; \
             divide them among rules with the same action"
    )]
    ValuesPerRule {
        /// The rule.
        priority: u32,
        /// How many values it has.
        values: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Too many wildcards in all.
    #[error(
        "rule {priority} has {wildcards} wildcards (`*` and `?`) in its values: at most {limit} are allowed"
    )]
    WildcardsPerRule {
        /// The rule.
        priority: u32,
        /// How many wildcards it has.
        wildcards: usize,
        /// How many are allowed.
        limit: usize,
    },
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::values;
    use crate::routing::{HostHeader, HttpHeader, HttpRequestMethod, PathPattern, SourceIp};

    fn path<const N: usize>(patterns: [&str; N]) -> Condition {
        Condition::PathPattern(PathPattern::new(&values(patterns)).unwrap())
    }

    fn host(name: &str) -> Condition {
        Condition::HostHeader(HostHeader::new(&values([name])).unwrap())
    }

    fn agent(value: &str) -> Condition {
        Condition::HttpHeader(HttpHeader::new("User-Agent", &values([value])).unwrap())
    }

    fn rule(priority: u32, conditions: Vec<Condition>, action: &'static str) -> Rule<&'static str> {
        Rule::new(priority, conditions, action).unwrap()
    }

    #[test]
    fn a_priority_is_1_to_50000() {
        for (priority, accepted) in [(0, false), (1, true), (50_000, true), (50_001, false)] {
            let made = Rule::new(priority, vec![path(["/"])], ());
            assert_eq!(made.is_ok(), accepted, "{priority}");
        }
    }

    #[test]
    fn a_rule_needs_a_condition() {
        assert_eq!(
            Rule::new(5, vec![], ()),
            Err(RuleError::NoConditions { priority: 5 })
        );
    }

    #[test]
    fn only_headers_and_query_strings_may_be_asked_for_twice() {
        assert!(Rule::new(1, vec![agent("a"), agent("b")], ()).is_ok());
        assert_eq!(
            Rule::new(1, vec![path(["/a"]), agent("a"), path(["/b"])], ()),
            Err(RuleError::RepeatedCondition {
                priority: 1,
                kind: ConditionKind::PathPattern
            })
        );
    }

    #[test]
    fn a_condition_has_at_most_three_values_and_a_rule_five() {
        let exceeded = |conditions| rule(1, conditions, "a").check_limits(&RuleLimits::ALB);
        let three = || path(["/a", "/b", "/c"]);
        let methods = |number: usize| {
            let methods = &values(["GET", "PUT", "HEAD"])[..number];
            Condition::HttpRequestMethod(HttpRequestMethod::new(methods).unwrap())
        };
        assert_eq!(exceeded(vec![three(), methods(2)]), []);
        assert!(matches!(
            exceeded(vec![three(), methods(3)])[..],
            [RuleError::ValuesPerRule {
                values: 6,
                limit: 5,
                ..
            }]
        ));
        assert!(matches!(
            exceeded(vec![path(["/a", "/b", "/c", "/d"])])[..],
            [RuleError::ValuesPerCondition {
                values: 4,
                limit: 3,
                ..
            }]
        ));
    }

    #[test]
    fn a_source_ip_condition_may_have_five_blocks() {
        let blocks = values(["10.0.0.0/24"; 5]);
        let condition = Condition::SourceIp(SourceIp::new(&blocks).unwrap());
        assert_eq!(
            rule(1, vec![condition], "a").check_limits(&RuleLimits::ALB),
            []
        );
    }

    #[test]
    fn a_rule_has_at_most_six_wildcards() {
        let exceeded = |pattern| {
            rule(1, vec![host("*.a.com"), path([pattern])], "a").check_limits(&RuleLimits::ALB)
        };
        assert_eq!(exceeded("/*/*/*/??"), []);
        assert!(matches!(
            exceeded("/*/*/*/???")[..],
            [RuleError::WildcardsPerRule {
                wildcards: 7,
                limit: 6,
                ..
            }]
        ));
    }
}
