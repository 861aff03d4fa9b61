//! Target groups that make no sense: who uses them, health checks, zones, targets.

use super::{RIGHT, check, told, told_with};

#[test]
fn a_dangling_name_lists_those_that_exist() {
    let text = RIGHT.replace("forward = \"wordpress\"", "forward = \"wordpres\"");
    let problems = check(&text).problems;
    assert_eq!(
        problems.to_string(),
        r#"error: there is no target group `wordpres`; did you mean `wordpress`?
 --> elbow.toml:9:23
  |
9 | default = { forward = "wordpres" }
  |                       ^^^^^^^^^^
  = help: target groups here: `wordpress`

warning: no rule forwards to target group `wordpress`
  --> elbow.toml:16:8
   |
16 | name = "wordpress"
   |        ^^^^^^^^^^^
   = help: its targets are neither probed nor sent requests: they are `unused`"#
    );
}

#[test]
fn a_target_group_belongs_to_one_load_balancer() {
    let second = "[[load_balancer]]\nname = \"other\"\n[[load_balancer.listener]]\nport = 9090\ndefault = { forward = \"wordpress\" }\n";
    let problems = check(&format!("{RIGHT}{second}")).problems;
    assert_eq!(problems.problems.len(), 1, "{problems}");
    let problem = &problems.problems[0];
    assert_eq!(problem.path, "load_balancer[1].listener[0].default.forward");
    assert!(
        problem
            .help
            .as_ref()
            .unwrap()
            .contains("give `other` a group of its own")
    );
}

#[test]
fn ranges_are_albs_unless_they_are_relaxed() {
    let text = RIGHT
        .replace("\"30s\"", "\"1s\"")
        .replace("\"5s\"", "\"500ms\"");
    let problems = check(&text).problems;
    assert_eq!(
        problems.problems[0].message,
        "1s is out of range: write 5s to 300s"
    );
    assert_eq!(
        problems.problems[0].help.as_deref(),
        Some(
            "for labs and tests, `ranges = \"relaxed\"` at the top of the file allows 100ms to 3600s"
        )
    );
    assert_eq!(
        problems.problems[1].message,
        "500ms is out of range: write 2s to 120s"
    );
    assert_eq!(told(&format!("ranges = \"relaxed\"\n{text}")), [""; 0]);
}

#[test]
fn health_checks_make_sense() {
    let with = |otherwise: &str| told_with("interval = \"30s\", timeout = \"5s\"", otherwise);
    assert_eq!(
        with("interval = \"10s\", timeout = \"10s\""),
        ["17:70 the timeout, 10s, must be shorter than the interval, 10s"]
    );
    assert_eq!(
        with("healthy_threshold = 1, unhealthy_threshold = 11"),
        [
            "17:62 1 is out of range: write 2 to 10",
            "17:87 11 is out of range: write 2 to 10"
        ]
    );
    assert_eq!(
        with("matcher = \"20x\", host = \"a b\", headers = { Host = \"x\", \"A B\" = \"1\" }")
            .iter()
            .map(|told| told.split(' ').next().unwrap_or_default())
            .collect::<Vec<_>>(),
        ["17:52", "17:66", "17:92", "17:105"]
    );
    assert_eq!(
        told_with("\"/wp-login.php\"", "\"wp-login.php\""),
        ["17:25 `wp-login.php` is not a path"]
    );
}

#[test]
fn zone_settings_exclude_one_another() {
    let with = |settings: &str| {
        told_with(
            "name = \"wordpress\"\n",
            &format!("name = \"wordpress\"\n{settings}\n"),
        )
    };
    assert_eq!(
        with("cross_zone = false\nprefer_local = true"),
        ["18:16 cross_zone = false and prefer_local = true exclude one another"]
    );
    assert_eq!(
        with("cross_zone = false\nzone_weights = { a = 1 }"),
        ["18:16 cross_zone = false and zone_weights exclude one another"]
    );
    for right in [
        "cross_zone = false",
        "prefer_local = true",
        "zone_weights = { a = 80, c = 20 }",
        "zone_weights = { a = { a = 80, c = 20 }, c = { c = 1 } }",
    ] {
        assert_eq!(with(right), [""; 0], "{right}");
    }
}

#[test]
fn zone_weights_name_zones_that_exist() {
    let with = |weights: &str| {
        told_with(
            "name = \"wordpress\"\n",
            &format!("name = \"wordpress\"\nzone_weights = {weights}\n"),
        )
    };
    assert_eq!(
        with("{ a = 1, b = 1 }"),
        ["17:29 no target and no node stands in zone `b`"]
    );
    assert_eq!(
        with("{ b = { a = 1 } }"),
        ["17:22 no node stands in zone `b`"]
    );
    assert_eq!(
        with("{ a = 1, c = { a = 1 } }"),
        ["17:16 zones and entry zones are mixed"]
    );
    assert!(with("{ a = 0, c = 0 }")[0].starts_with("17:16 every zone has the weight 0"));
    assert!(with("{ a = { a = 0 } }")[0].starts_with("17:22 every zone has the weight 0"));
}

#[test]
fn targets_are_distinct_by_id_and_port() {
    assert_eq!(
        told_with("id = \"wp-b\"", "id = \"wp-a\""),
        ["20:10 targets[0] is wp-a:80, too"]
    );
    let text = RIGHT.replace("id = \"wp-b\"", "id = \"wp-a\"");
    assert_eq!(told(&text.replace("10.0.2.9:80", "10.0.2.9:81")), [""; 0]);
}

#[test]
fn a_target_in_a_zone_without_a_node_is_a_warning() {
    let text = RIGHT.replace(
        "\"10.0.2.9:80\", zone = \"c\"",
        "\"10.0.2.9:80\", zone = \"d\"",
    );
    let report = check(&text);
    assert!(report.config.is_some());
    assert_eq!(
        (report.problems.errors(), report.problems.warnings()),
        (0, 1)
    );
    assert!(
        report
            .problems
            .to_string()
            .contains("= help: its nodes stand in `a`, `c`")
    );
}
