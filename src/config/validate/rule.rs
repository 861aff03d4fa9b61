//! Rules: their conditions through the constructors of `routing`, each value at its own place.

use std::collections::BTreeMap;

use super::action::{self, Actions};
use super::groups::{Groups, User};
use super::range::QUOTA;
use super::report::Report;
use super::transform;
use crate::config::document::{HeaderCondition, Listener, QueryCondition, Rule};
use crate::config::path::Path;
use crate::config::valid::ValidAction;
use crate::routing::{
    Condition, ConditionError, HostHeader, HttpHeader, HttpRequestMethod, PathPattern, QueryString,
    RuleError, RuleLimits, SourceIp,
};

type ValidRule = crate::routing::Rule<ValidAction>;

/// Checks the rules of a listener: those that are right, each with its index.
pub(super) fn validate(
    listener: &Listener,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Vec<(usize, ValidRule)> {
    let mut priorities = BTreeMap::new();
    let mut rules = Vec::with_capacity(listener.rule.len());
    for (index, document) in listener.rule.iter().enumerate() {
        let path = path.index(index);
        if let Some(first) = priorities.insert(document.priority, index) {
            let message = format!("rule[{first}] has priority {}, too", document.priority);
            let help = "each rule has a priority of its own; the lowest is tried first";
            report.refuse(path.key("priority"), message, help);
        }
        let rule = one(document, listener, user, &path, groups, report);
        rules.extend(rule.map(|rule| (index, rule)));
    }
    rules
}

fn one(
    rule: &Rule,
    listener: &Listener,
    user: &User,
    path: &Path<'_>,
    groups: &mut Groups<'_>,
    report: &mut Report<'_>,
) -> Option<ValidRule> {
    let conditions = conditions(rule, path, report);
    let transforms = transform::validate(rule, path, report);
    let action = action::validate(
        &Actions::of_rule(rule),
        listener,
        user,
        path,
        groups,
        report,
    );
    let made = ValidRule::new(rule.priority, conditions?, action?);
    let made = made.map_err(|error| refuse(&error, path, report)).ok()?;
    let rule = made.with_transforms(transforms?);
    if report.is_strict() {
        for error in rule.check_limits(&RuleLimits::ALB) {
            report.refuse(path, error.to_string(), QUOTA);
        }
    }
    Some(rule)
}

fn refuse(error: &RuleError, path: &Path<'_>, report: &mut Report<'_>) {
    match error {
        RuleError::Priority { .. } => report.error(path.key("priority"), error.to_string()),
        RuleError::NoConditions { .. } => report.refuse(
            path,
            error.to_string(),
            "conditions are host, path, method, source_ip, header, query, host_regex and path_regex",
        ),
        // Both forms of one condition, which has been reported.
        RuleError::RepeatedCondition { .. } => {}
        _ => report.error(path, error.to_string()),
    }
}

/// All conditions, or none if one is wrong.
fn conditions(rule: &Rule, path: &Path<'_>, report: &mut Report<'_>) -> Option<Vec<Condition>> {
    let mut all = Conditions {
        made: Vec::new(),
        refused: false,
    };
    either(&rule.host, &rule.host_regex, "host", path, report);
    either(&rule.path, &rule.path_regex, "path", path, report);
    let (method, source) = (path.key("method"), path.key("source_ip"));
    let single = [
        listed(&rule.host, &path.key("host"), report, |values| {
            HostHeader::new(values).map(Condition::HostHeader)
        }),
        listed(
            &rule.host_regex,
            &path.key("host_regex"),
            report,
            |values| HostHeader::regex(values).map(Condition::HostHeader),
        ),
        listed(&rule.path, &path.key("path"), report, |values| {
            PathPattern::new(values).map(Condition::PathPattern)
        }),
        listed(
            &rule.path_regex,
            &path.key("path_regex"),
            report,
            |values| PathPattern::regex(values).map(Condition::PathPattern),
        ),
        listed(&rule.method, &method, report, |values| {
            HttpRequestMethod::new(values).map(Condition::HttpRequestMethod)
        }),
        listed(&rule.source_ip, &source, report, |values| {
            SourceIp::new(values).map(Condition::SourceIp)
        }),
    ];
    single.into_iter().flatten().for_each(|made| all.add(made));
    for (index, condition) in rule.header.iter().enumerate() {
        all.add(header(condition, &path.key("header").index(index), report));
    }
    for (index, condition) in rule.query.iter().enumerate() {
        all.add(query(condition, &path.key("query").index(index), report));
    }
    (!all.refused).then_some(all.made)
}

/// A condition has values or regular expressions. (Two conditions of that kind no rule can have.)
fn either(
    values: &[String],
    expressions: &[String],
    key: &'static str,
    path: &Path<'_>,
    report: &mut Report<'_>,
) {
    if !values.is_empty() && !expressions.is_empty() {
        let message = format!("`{key}` and `{key}_regex` are both there");
        let help =
            "write either values or regular expressions; every value can be said in an expression";
        report.refuse(path.key(&format!("{key}_regex")), message, help);
    }
}

struct Conditions {
    made: Vec<Condition>,
    refused: bool,
}

impl Conditions {
    fn add(&mut self, condition: Option<Condition>) {
        self.refused |= condition.is_none();
        self.made.extend(condition);
    }
}

/// A condition that is a list of values. The outer option is empty if the rule does not have it,
/// the inner one if a value is wrong.
fn listed(
    values: &[String],
    path: &Path<'_>,
    report: &mut Report<'_>,
    make: impl Fn(&[String]) -> Result<Condition, ConditionError>,
) -> Option<Option<Condition>> {
    (!values.is_empty()).then(|| each_value(values, path, report, make))
}

/// Tries each value alone, so that every wrong one is found and has its place, then all of them.
fn each_value<V, T>(
    values: &[V],
    path: &Path<'_>,
    report: &mut Report<'_>,
    make: impl Fn(&[V]) -> Result<T, ConditionError>,
) -> Option<T> {
    let mut refused = false;
    for (index, value) in values.iter().enumerate() {
        if let Err(error) = make(std::slice::from_ref(value)) {
            report.error(path.index(index), error.to_string());
            refused = true;
        }
    }
    match refused {
        true => None,
        false => report.accept(path, make(values)),
    }
}

fn header(
    condition: &HeaderCondition,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Condition> {
    let any = ["*".to_owned()];
    if let Err(error) = HttpHeader::new(&condition.name, &any) {
        report.error(path.key("name"), error.to_string());
        return None;
    }
    match (&condition.values[..], &condition.regex[..]) {
        ([], []) => {
            let help = "write `values` or `regex`";
            report.refuse(path, "the http-header condition has no value", help);
            None
        }
        (values, []) => each_value(values, &path.key("values"), report, |values| {
            HttpHeader::new(&condition.name, values).map(Condition::HttpHeader)
        }),
        ([], regex) => each_value(regex, &path.key("regex"), report, |values| {
            HttpHeader::regex(&condition.name, values).map(Condition::HttpHeader)
        }),
        _ => {
            let help = "write either values or regular expressions, or two conditions";
            report.refuse(
                path.key("regex"),
                "`values` and `regex` are both there",
                help,
            );
            None
        }
    }
}

fn query(
    condition: &QueryCondition,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Condition> {
    let pair = |value: &String| (condition.key.clone(), value.clone());
    let any = [pair(&"*".to_owned())];
    if let Err(error) = QueryString::new(&any) {
        report.error(path.key("key"), error.to_string());
        return None;
    }
    match (&condition.values[..], &condition.pairs[..]) {
        (values, []) => each_value(values, &path.key("values"), report, |values| {
            let pairs: Vec<_> = values.iter().map(pair).collect();
            QueryString::new(&pairs).map(Condition::QueryString)
        }),
        ([], pairs) if condition.key.is_none() => {
            let path = path.key("pairs");
            each_value(pairs, &path, report, |pairs| {
                let pairs = pairs.iter().map(|it| (it.key.clone(), it.value.clone()));
                QueryString::new(&pairs.collect::<Vec<_>>()).map(Condition::QueryString)
            })
        }
        _ => {
            let help = "write either a key with values or pairs, or two conditions";
            let message = "`pairs` stand in the place of `key` and `values`";
            report.refuse(path.key("pairs"), message, help);
            None
        }
    }
}
