//! The rules of a listener, and the one that a request meets.
//!
//! A [`RuleTable`] tries its rules from the lowest priority number to the highest and falls back to its default
//! action. It looks at them one after the other: a test takes some nanoseconds, so a thousand rules cost a request less
//! than passing it on does, and no index has to agree with the meaning of a wildcard.

use smallvec::SmallVec;

use super::{RequestView, Rule, RuleError};

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
            .find(|pair| pair[0].priority() == pair[1].priority())
        {
            return Err(RuleError::DuplicatePriority {
                priority: pair[0].priority(),
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
            rule.conditions()
                .iter()
                .all(|condition| condition.matches(&request))
        });
        match met {
            Some(rule) => Matched {
                action: rule.action(),
                priority: rule.priority(),
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

    /// The same rules with other actions.
    pub fn map<B>(self, mut change: impl FnMut(A) -> B) -> RuleTable<B> {
        let rules = self.rules.into_iter().map(|rule| rule.map(&mut change));
        RuleTable {
            rules: rules.collect(),
            default: change(self.default),
        }
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
    use crate::routing::{Condition, HostHeader, HttpHeader, PathPattern};

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
    fn other_actions_leave_the_rules_as_they_are() {
        let table = RuleTable::new(vec![rule(7, vec![path(["/a"])], "one")], "default").unwrap();
        let table = table.map(str::len);
        assert_eq!(*table.find(&get("/a").view()).action, 3);
        assert_eq!(table.find(&get("/a").view()).priority, 7);
        assert_eq!(*table.find(&get("/b").view()).action, 7);
    }

    #[test]
    fn two_rules_cannot_have_the_same_priority() {
        let twice = vec![
            rule(5, vec![path(["/a"])], "a"),
            rule(5, vec![path(["/b"])], "b"),
        ];
        assert_eq!(
            RuleTable::new(twice, "default"),
            Err(RuleError::DuplicatePriority { priority: 5 })
        );
    }
}
