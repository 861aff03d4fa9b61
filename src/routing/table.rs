//! The rules of a listener, and the one that a request meets.
//!
//! A [`RuleTable`] tries its rules from the lowest priority number to the highest and falls back to its default
//! action. It looks at them one after the other: a test takes some nanoseconds, so a thousand rules cost a request less
//! than passing it on does, and no index has to agree with the meaning of a wildcard.
//!
//! [`RuleTable::trials`] tells what [`RuleTable::find`] does, with the same conditions, for people who wonder.

use smallvec::SmallVec;

use super::{Condition, PathReading, RequestView, Rule, RuleError, Transforms};

/// The rules of a listener, in order of priority, and its default action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTable<A> {
    rules: Box<[Rule<A>]>,
    default: A,
    paths: PathReading,
}

/// What a request met.
#[derive(Debug, PartialEq, Eq)]
pub struct Matched<'a, A> {
    /// What is to be done.
    pub action: &'a A,
    /// The rule's priority, and 0 for the default rule: field `matched_rule_priority` of ALB's access log.
    pub priority: u32,
    /// What the rule changes of the request before a target gets it.
    pub transforms: Option<&'a Transforms>,
}

/// A rule that was tried, and why it was met or not.
#[derive(Debug, PartialEq, Eq)]
pub struct Trial<'a, A> {
    /// The rule.
    pub rule: &'a Rule<A>,
    /// Its conditions, in order; all are looked at, also behind the first that does not hold.
    pub checks: Vec<Check<'a>>,
}

/// A condition and what it made of a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Check<'a> {
    /// The condition.
    pub condition: &'a Condition,
    /// What it looked at: one text, or as many as the field has values and the query parts.
    pub seen: Vec<String>,
    /// The place among its values of the one that fits; none if the condition does not hold.
    pub fit: Option<usize>,
}

impl<A> Trial<'_, A> {
    /// Whether the rule was met.
    pub fn is_met(&self) -> bool {
        self.checks.iter().all(|check| check.fit.is_some())
    }
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
            paths: PathReading::default(),
        })
    }

    /// The same rules looking at another form of the path; else they look at the normal one.
    pub fn reading(mut self, paths: PathReading) -> Self {
        self.paths = paths;
        self
    }

    /// The first rule whose conditions all hold, or else the default.
    pub fn find(&self, request: &RequestView<'_>) -> Matched<'_, A> {
        let met = self.read(request, |request| {
            self.rules.iter().find(|rule| rule.is_met(request))
        });
        match met {
            Some(rule) => Matched {
                action: rule.action(),
                priority: rule.priority(),
                transforms: rule.transforms(),
            },
            None => Matched {
                action: &self.default,
                priority: 0,
                transforms: None,
            },
        }
    }

    /// Every rule that is looked at, up to the first whose conditions all hold; if none is met, the default is.
    pub fn trials(&self, request: &RequestView<'_>) -> Vec<Trial<'_, A>> {
        self.read(request, |request| {
            let mut trials = Vec::new();
            for rule in &self.rules {
                let conditions = rule.conditions().iter();
                let checks = conditions.map(|condition| Check {
                    condition,
                    seen: condition.seen(request),
                    fit: condition.fit(request),
                });
                let checks = checks.collect();
                trials.push(Trial { rule, checks });
                if rule.is_met(request) {
                    break;
                }
            }
            trials
        })
    }

    /// Reads a request as conditions and transforms do: the host in lower case, the path in its normal form.
    pub fn read<T>(
        &self,
        request: &RequestView<'_>,
        look: impl FnOnce(&RequestView<'_>) -> T,
    ) -> T {
        if self.rules.is_empty() {
            return look(request);
        }
        let mut lower = SmallVec::<[u8; 256]>::new();
        let path = self.paths.of(request.path);
        look(&RequestView {
            host: in_lower_case(request.host, &mut lower),
            path: &path,
            ..*request
        })
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
            paths: self.paths,
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
    use crate::routing::{HostHeader, HttpHeader, PathPattern, UrlRewrite};

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
    fn rules_see_through_the_spelling_of_a_path() {
        let rules = || vec![rule(1, vec![path(["/admin*"])], "forbidden")];
        let table = RuleTable::new(rules(), "default").unwrap();
        let met = |target: &str| *table.find(&get(target).view()).action;
        for target in ["/admin", "/%61dmin/x", "//admin", "/x/../admin?a=/b"] {
            assert_eq!(met(target), "forbidden", "{target}");
        }
        assert_eq!(met("/admin/../public"), "default");
        let as_sent = RuleTable::new(rules(), "default").unwrap();
        let as_sent = as_sent.reading(PathReading::AsSent);
        assert_eq!(as_sent.find(&get("/%61dmin").view()).priority, 0);
        assert_eq!(as_sent.find(&get("/admin/../x").view()).priority, 1);
    }

    #[test]
    fn a_rule_brings_its_transforms() {
        let transforms = Transforms {
            url: Some(UrlRewrite::new("^/api/", "/").unwrap()),
            ..Transforms::default()
        };
        let plain = rule(2, vec![path(["/*"])], "plain").with_transforms(Transforms::default());
        let api = rule(1, vec![path(["/api/*"])], "api").with_transforms(transforms.clone());
        let table = RuleTable::new(vec![plain, api], "default").unwrap();
        let table = table.map(str::len);
        assert_eq!(
            table.find(&get("/api/a").view()).transforms,
            Some(&transforms)
        );
        assert_eq!(table.find(&get("/a").view()).transforms, None);
    }

    #[test]
    fn trials_tell_what_each_condition_saw() {
        let rules = vec![
            rule(1, vec![host("a.com"), path(["/b", "/c"])], "one"),
            rule(2, vec![agent("x"), path(["/c"])], "two"),
            rule(3, vec![path(["/*"])], "three"),
            rule(4, vec![path(["/*"])], "four"),
        ];
        let table = RuleTable::new(rules, "default").unwrap();
        let request = get("//%63").host("WWW.com").field("User-Agent", "curl");
        let trials = table.trials(&request.view());
        let told: Vec<Vec<_>> = trials
            .iter()
            .map(|trial| {
                trial
                    .checks
                    .iter()
                    .map(|check| (check.seen.join(","), check.fit))
                    .collect()
            })
            .collect();
        let seen = |text: &str, fit| (text.to_owned(), fit);
        assert_eq!(
            told,
            [
                vec![seen("www.com", None), seen("/c", Some(1))],
                vec![seen("curl", None), seen("/c", Some(0))],
                vec![seen("/c", Some(0))],
            ]
        );
        assert_eq!(
            trials.iter().map(Trial::is_met).collect::<Vec<_>>(),
            [false, false, true]
        );
        assert_eq!(table.find(&request.view()).priority, 3);
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
