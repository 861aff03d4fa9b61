//! Rules: regular expressions, transforms, and what AWS has and Elbow has not.

use super::{RIGHT, check, told, told_with};

/// What is told when the rule of the right configuration, a redirect, is one that forwards with `more`.
fn told_of_rule(more: &str) -> Vec<String> {
    told_with(
        "path = [\"/old/*\"]\nredirect = { path = \"/new/#{path}\", status = 301 }",
        &format!("{more}\nforward = \"wordpress\""),
    )
}

#[test]
fn regular_expressions_are_told_with_their_place() {
    assert_eq!(
        told_of_rule("host_regex = ['^(?!www)']"),
        [
            "12:15 the regular expression `^(?!www)` uses lookahead, `(?!`: neither ALB nor Elbow offers that; \
             write the condition without it, or divide it among rules"
        ]
    );
    let places = |rule| -> Vec<String> {
        let told = told_of_rule(rule).into_iter();
        told.filter_map(|told| told.split(' ').next().map(str::to_owned))
            .collect()
    };
    assert_eq!(
        places("path_regex = ['^/ok', '(', 'a++']"),
        ["12:23", "12:28"]
    );
    assert_eq!(
        places("header = [{ name = 'A', regex = ['[b'] }]"),
        ["12:34"]
    );
    assert_eq!(
        places("header = [{ name = 'A', regex = ['^b$'] }]"),
        [""; 0]
    );
}

#[test]
fn a_query_string_has_a_key_with_values_or_pairs() {
    let pairs = "pairs = [{ key = 'a', value = 'b' }, { value = 'c' }]";
    assert_eq!(told_of_rule(&format!("query = [{{ {pairs} }}]")), [""; 0]);
    let both = told_of_rule(&format!("query = [{{ key = 'a', {pairs} }}]"));
    assert_eq!(
        both,
        ["12:31 `pairs` stand in the place of `key` and `values`"]
    );
    let none = told_of_rule("query = [{ key = 'a' }]");
    assert!(none[0].contains("at least one value"), "{none:?}");
}

#[test]
fn a_condition_has_values_or_regular_expressions() {
    assert_eq!(
        told_of_rule("path = ['/a']\npath_regex = ['b']"),
        ["13:14 `path` and `path_regex` are both there"]
    );
    assert_eq!(
        told_of_rule("host = ['a.com']\nhost_regex = ['b']"),
        ["13:14 `host` and `host_regex` are both there"]
    );
    assert_eq!(
        told_of_rule("header = [{ name = 'A', values = ['b'], regex = ['c'] }]"),
        ["12:49 `values` and `regex` are both there"]
    );
    assert_eq!(
        told_of_rule("header = [{ name = 'A' }]"),
        ["12:11 the http-header condition has no value"]
    );
}

#[test]
fn regular_expressions_count_as_values() {
    let four = told_of_rule("path_regex = ['a', 'b', 'c', 'd']");
    assert!(
        four[0].contains("path-pattern condition with 4 values"),
        "{four:?}"
    );
}

#[test]
fn transforms_are_told_with_their_place() {
    let transform = |more: &str| told_of_rule(&format!("path = ['/a']\n{more}"));
    assert_eq!(
        transform("url_rewrite = { regex = '^/a', replace = '/' }"),
        [""; 0]
    );
    assert_eq!(
        transform("url_rewrite = { regex = '^/a(', replace = '/' }"),
        ["13:25 the regular expression `^/a(` is wrong at character 4: unclosed group"]
    );
    assert_eq!(
        transform("host_header_rewrite = { regex = 'a', replace = '$1' }")[0],
        "13:48 the replacement `$1` names group 1, but the regular expression has 0: if a digit should follow a \
         group, write `${1}0`"
    );
    assert_eq!(
        told_with(
            "path = [\"/old/*\"]",
            "path = ['/a']\nurl_rewrite = { regex = 'a', replace = 'b' }"
        ),
        ["10:1 warning: the transforms of rule 10 have no effect"]
    );
    let of_default = told_with(
        "{ forward = \"wordpress\" }",
        "{ forward = \"wordpress\", url_rewrite = { regex = 'a', replace = 'b' } }",
    );
    assert_eq!(of_default, ["9:36 unknown key `url_rewrite`"]);
}

#[test]
fn what_runs_at_aws_only_is_refused_with_what_to_use_instead() {
    let help = |text: &str| {
        let problems = check(text).problems.problems;
        let problem = &problems[0];
        (
            problem.message.clone(),
            problem.help.clone().unwrap_or_default(),
        )
    };
    let listener = "port = 8080";
    for (key, instead) in [
        ("waf_acl = 'arn:aws:wafv2'", "Coraza"),
        ("authenticate_cognito = {}", "authenticate_oidc"),
        ("authenticate-cognito = {}", "authenticate_oidc"),
    ] {
        let (message, help) = help(&RIGHT.replace(listener, &format!("{listener}\n{key}")));
        assert!(message.contains("is not offered"), "{message}");
        assert!(help.contains(instead), "{help}");
    }
    let group = "name = \"wordpress\"";
    for key in ["target_type = 'lambda'", "lambda = 'arn'"] {
        let (message, help) = help(&RIGHT.replace(group, &format!("{group}\n{key}")));
        assert!(message.contains("is not offered"), "{message}");
        assert!(help.contains("Lambda"), "{help}");
    }
    assert_eq!(told(RIGHT), [""; 0]);
}
