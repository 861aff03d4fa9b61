//! Rules, their limits, and the table that finds the one a request meets.
//!
//! A [`RuleTable`] tries its rules from the lowest priority number to the highest and falls back to its default
//! action. It holds any number of rules and looks at them one after the other: the tests are cheap, and a thousand of
//! them stay well under the cost of one system call or two. [`RuleLimits`] are ALB's quotas for one rule, checked apart
//! so that an operator can lift them.

use smallvec::SmallVec;

use super::{Condition, ConditionKind, RequestView};

/// One rule: when all its conditions hold, its action is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule<A> {
    priority: u32,
    conditions: Conditions,
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
            action,
        })
    }

    /// Its place among the rules, 1 to 50,000; the lowest is tried first.
    pub fn priority(&self) -> u32 {
        self.priority
    }

    /// What must hold, all of it.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// What is done then.
    pub fn action(&self) -> &A {
        &self.action
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

/// The rules of a listener, in order of priority, and its default action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTable<A> {
    rules: Box<[Rule<A>]>,
    default: A,
}

/// What a request met.
#[derive(Debug, PartialEq, Eq)]
pub struct Matched<'a, A> {
    /// What is to be done.
    pub action: &'a A,
    /// The rule's priority, and 0 for the default rule: field `matched_rule_priority` of ALB's access log.
    pub priority: u32,
}

impl<A> RuleTable<A> {
    /// Sorts the rules by priority. Refuses two with the same one.
    pub fn new(mut rules: Vec<Rule<A>>, default: A) -> Result<Self, RuleError> {
        rules.sort_by_key(Rule::priority);
        if let Some(pair) = rules
            .windows(2)
            .find(|pair| pair[0].priority == pair[1].priority)
        {
            return Err(RuleError::DuplicatePriority {
                priority: pair[0].priority,
            });
        }
        Ok(Self {
            rules: rules.into(),
            default,
        })
    }

    /// The first rule whose conditions all hold, or else the default.
    pub fn find(&self, request: &RequestView<'_>) -> Matched<'_, A> {
        let mut lower = SmallVec::<[u8; 256]>::new();
        let request = RequestView {
            host: in_lower_case(request.host, &mut lower),
            ..*request
        };
        let met = self.rules.iter().find(|rule| {
            rule.conditions
                .iter()
                .all(|condition| condition.matches(&request))
        });
        match met {
            Some(rule) => Matched {
                action: &rule.action,
                priority: rule.priority,
            },
            None => Matched {
                action: &self.default,
                priority: 0,
            },
        }
    }

    /// The rules in the order in which they are tried, without the default.
    pub fn rules(&self) -> &[Rule<A>] {
        &self.rules
    }

    /// What is done with a request that meets no rule.
    pub fn default_action(&self) -> &A {
        &self.default
    }
}

/// `host` itself, as nearly always, or its lower-case form in `lower`.
fn in_lower_case<'a>(host: &'a str, lower: &'a mut SmallVec<[u8; 256]>) -> &'a str {
    if !host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return host;
    }
    lower.extend_from_slice(host.as_bytes());
    lower.make_ascii_lowercase();
    // Lower-casing ASCII letters leaves valid UTF-8 valid, so the fallback is never taken.
    std::str::from_utf8(lower).unwrap_or(host)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::{get, values};
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
    fn rules_are_tried_from_the_lowest_priority_number() {
        let table = RuleTable::new(
            vec![
                rule(20, vec![path(["/img/*"])], "images"),
                rule(10, vec![path(["/img/new/*"])], "new images"),
                rule(30, vec![path(["/*"])], "all"),
            ],
            "default",
        )
        .unwrap();
        let met = |target: &str| *table.find(&get(target).view()).action;
        assert_eq!(met("/img/new/a.png"), "new images");
        assert_eq!(met("/img/a.png"), "images");
        assert_eq!(met("/"), "all");
        assert_eq!(table.rules()[0].priority(), 10);
    }

    #[test]
    fn the_default_rule_is_last_and_has_priority_zero_in_the_log() {
        let table = RuleTable::new(vec![rule(7, vec![path(["/a"])], "a")], "default").unwrap();
        let met = |target: &str| table.find(&get(target).view()).priority;
        assert_eq!(met("/a"), 7);
        assert_eq!(met("/b"), 0);
        assert_eq!(*table.find(&get("/b").view()).action, "default");
    }

    #[test]
    fn all_conditions_of_a_rule_must_hold() {
        let both = rule(1, vec![host("www.example.com"), path(["/a", "/b"])], "both");
        let table = RuleTable::new(vec![both], "default").unwrap();
        assert_eq!(table.find(&get("/b").view()).priority, 1);
        assert_eq!(table.find(&get("/c").view()).priority, 0);
        let elsewhere = get("/b").host("example.com");
        assert_eq!(table.find(&elsewhere.view()).priority, 0);
    }

    #[test]
    fn two_conditions_on_one_header_must_both_hold() {
        let both = rule(1, vec![agent("*Chrome*"), agent("*Mobile*")], "both");
        let table = RuleTable::new(vec![both], "default").unwrap();
        let met = |value| {
            let request = get("/").field("User-Agent", value);
            table.find(&request.view()).priority
        };
        assert_eq!(met("Mobile Chrome"), 1);
        assert_eq!(met("Chrome"), 0);
    }

    #[test]
    fn the_clients_spelling_of_the_host_does_not_matter() {
        let table = RuleTable::new(vec![rule(1, vec![host("*.example.com")], "a")], "b").unwrap();
        let met = |host| table.find(&get("/").host(host).view()).priority;
        assert_eq!(met("WWW.Example.COM"), 1);
        assert_eq!(met("www.example.com"), 1);
        assert_eq!(met("WWW.Example.ORG"), 0);
    }

    #[test]
    fn priorities_are_1_to_50000_and_unique() {
        for (priority, accepted) in [(0, false), (1, true), (50_000, true), (50_001, false)] {
            let made = Rule::new(priority, vec![path(["/"])], ());
            assert_eq!(made.is_ok(), accepted, "{priority}");
        }
        let twice = vec![
            rule(5, vec![path(["/a"])], "a"),
            rule(5, vec![path(["/b"])], "b"),
        ];
        assert_eq!(
            RuleTable::new(twice, "default"),
            Err(RuleError::DuplicatePriority { priority: 5 })
        );
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
