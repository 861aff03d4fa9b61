//! Stickiness: which settings go together, and with what.

use super::{RIGHT, check, told};
use crate::config::ValidAction;
use crate::stickiness::Policy;

/// The configuration that is right, its group with these lines more.
fn with(lines: &str) -> String {
    let name = "name = \"wordpress\"\n";
    RIGHT.replace(name, &format!("{name}{lines}\n"))
}

/// What is told when the group's stickiness is on, with these settings more.
fn told_of(more: &str) -> Vec<String> {
    told(&with(&format!("stickiness = {{ enabled = true{more} }}")))
}

/// The only problem, without its place.
fn only(told: &[String]) -> &str {
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].split_once(' ').unwrap().1
}

fn policy(text: &str) -> Option<Policy> {
    let report = check(text);
    let problems = report.problems.to_string();
    let valid = report.config;
    assert!(valid.is_some(), "{problems}");
    valid.unwrap().target_groups[0].settings.stickiness.clone()
}

#[test]
fn stickiness_lasts_1_second_to_7_days_and_needs_cross_zone_load_balancing() {
    assert_eq!(told_of(""), [""; 0]);
    assert_eq!(told_of(", duration = \"7d\""), [""; 0]);
    let long = "691200s is out of range: write 1s to 604800s";
    assert_eq!(only(&told_of(", duration = \"8d\"")), long);
    let off = told(&with("cross_zone = false\nstickiness = { enabled = true }"));
    assert_eq!(only(&off), "stickiness needs cross-zone load balancing");
}

#[test]
fn an_application_cookie_is_named_and_not_after_one_of_the_balancers_own() {
    let app = |more: &str| told_of(&format!(", type = \"app_cookie\"{more}"));
    let named = |name: &str| app(&format!(", cookie_name = \"{name}\""));
    for right in ["session", "PHPSESSID", "wordpress.logged-in_", "awsalb"] {
        assert_eq!(named(right), [""; 0], "{right}");
    }
    for reserved in [
        "AWSALB",
        "AWSALBAPP",
        "AWSALBTG",
        "AWSALBCORS",
        "AWSALB-mine",
    ] {
        let message = "names of cookies that begin with `AWSALB` are reserved";
        assert_eq!(only(&named(reserved)), message);
    }
    let classic = "names of cookies that begin with `AWSELB` are reserved";
    assert_eq!(only(&named("AWSELBAuthSessionCookie")), classic);
    for wrong in ["", "a b", "a=b", "a;b", "\u{e9}"] {
        let message = format!("`{wrong}` is not the name of a cookie");
        assert_eq!(only(&named(wrong)), message);
    }
    assert_eq!(only(&app("")), "the type `app_cookie` needs `cookie_name`");
    assert_eq!(
        only(&told_of(", cookie_name = \"session\"")),
        "the type `lb_cookie` follows no cookie of the application"
    );
}

#[test]
fn each_kind_becomes_what_it_says() {
    let of = |more: &str| {
        let policy = policy(&with(&format!("stickiness = {{ {more} }}")));
        policy.map(|policy| policy.to_string())
    };
    assert_eq!(of("enabled = false"), None);
    assert_eq!(of("enabled = true").unwrap(), "AWSALB for 1day");
    let app = "enabled = true, type = \"app_cookie\", cookie_name = \"session\", duration = \"2h\"";
    assert_eq!(of(app).unwrap(), "session with AWSALBAPP for 2h");
}

#[test]
fn a_classic_load_balancer_has_stickiness_of_its_own() {
    let of = |more: &str| {
        format!(
            "[[load_balancer]]\nname = \"lb\"\ntype = \"classic\"\n\
             listener = [{{ port = 80, default = {{ forward = \"instances\" }} }}]\n\
             [[target_group]]\nname = \"instances\"\n\
             stickiness = {{ enabled = true{more} }}\n\
             targets = [{{ address = \"10.0.0.6:80\" }}]\n"
        )
    };
    let said = |more: &str| policy(&of(more)).unwrap().to_string();
    assert_eq!(said(""), "AWSELB until the browser ends");
    assert_eq!(said(", duration = \"1h\""), "AWSELB for 1h");
    let app = ", type = \"app_cookie\", cookie_name = \"session\"";
    assert_eq!(said(app), "session with AWSELB");
    assert_eq!(
        only(&told(&of(&format!("{app}, duration = \"1h\"")))),
        "the cookie of a classic load balancer lives as long as the one that it follows"
    );
}

/// The default action forwards to the group that is right and to another one.
fn weighted(forward: &str, stickiness: &str) -> String {
    with(stickiness).replace(
        "forward = \"wordpress\" }",
        &format!("forward = {forward} }}"),
    ) + "[[target_group]]\nname = \"green\"\n"
}

const BOTH: &str = "[{ group = \"wordpress\" }, { group = \"green\" }]";

#[test]
fn of_several_groups_a_sticky_one_needs_stickiness_of_groups() {
    let on = "stickiness = { enabled = true }";
    let told_of = told(&weighted(BOTH, on));
    let message =
        "target group `wordpress` is sticky: its clients have to stay with the group, too";
    assert_eq!(only(&told_of), message);
    let off = told(&weighted(&format!("{{ groups = {BOTH} }}"), on));
    assert_eq!(only(&off), message);
    let stays = format!("{{ groups = {BOTH}, stickiness = {{ enabled = true }} }}");
    assert_eq!(told(&weighted(&stays, on)), [""; 0]);
    assert_eq!(told(&weighted(&stays, "")), [""; 0]);
    let app = "stickiness = { enabled = true, type = \"app_cookie\", cookie_name = \"session\" }";
    let message = "target group `wordpress` follows a cookie of the application, alone";
    assert_eq!(only(&told(&weighted(&stays, app))), message);
}

#[test]
fn stickiness_of_groups_lasts_1_second_to_7_days() {
    let forward = |duration: &str| {
        format!(
            "{{ groups = {BOTH}, stickiness = {{ enabled = true, duration = \"{duration}\" }} }}"
        )
    };
    let report = check(&weighted(&forward("7d"), ""));
    let valid = report.config.unwrap();
    let action = valid.load_balancers[0].listeners[0].rules.default_action();
    let ValidAction::Forward(forwarded) = action else {
        unreachable!("it forwards");
    };
    assert_eq!(forwarded.stickiness.unwrap().as_secs(), 604_800);
    let message = "691200s is out of range: write 1s to 604800s";
    assert_eq!(only(&told(&weighted(&forward("8d"), ""))), message);
}

#[test]
fn connections_that_are_forwarded_whole_do_not_stick() {
    let text = "[[load_balancer]]\nname = \"lb\"\n[[load_balancer.listener]]\nport = 25\n\
        protocol = \"TCP\"\n\
        default = { forward = { groups = [{ group = \"mail\" }], stickiness = { enabled = true } } }\n\
        [[target_group]]\nname = \"mail\"\nprotocol = \"TCP\"\n\
        targets = [{ address = \"10.0.0.6:25\" }]\n";
    assert_eq!(
        only(&told(text)),
        "stickiness rests on cookies, which need HTTP"
    );
}
