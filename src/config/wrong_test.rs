//! Wrong configurations, and what is said about them, to the letter.

use super::{CheckReport, Severity, check_text};

/// A configuration that is right, for tests to spoil.
const RIGHT: &str = r#"[[load_balancer]]
name = "wp-elb"
nodes = [
  { zone = "a", address = "127.0.0.11" },
  { zone = "c", address = "127.0.0.12" },
]
[[load_balancer.listener]]
port = 8080
default = { forward = "wordpress" }
[[load_balancer.listener.rule]]
priority = 10
path = ["/old/*"]
redirect = { path = "/new/#{path}", status = 301 }

[[target_group]]
name = "wordpress"
health_check = { path = "/wp-login.php", interval = "30s", timeout = "5s" }
targets = [
  { id = "wp-a", address = "10.0.0.6:80", zone = "a" },
  { id = "wp-b", address = "10.0.2.9:80", zone = "c", weight = 2 },
]
"#;

fn check(text: &str) -> CheckReport {
    check_text(text, "elbow.toml")
}

/// Every problem as "line:column severity: message".
fn told(text: &str) -> Vec<String> {
    let problems = check(text).problems.problems;
    let told = problems.iter().map(|problem| {
        let location = problem.location.as_ref().unwrap();
        let severity = match problem.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        let (line, column) = (location.line, location.column);
        format!("{line}:{column} {severity}{}", problem.message)
    });
    told.collect()
}

/// What is told when one part of the right configuration is written otherwise.
fn told_with(part: &str, otherwise: &str) -> Vec<String> {
    assert_eq!(RIGHT.matches(part).count(), 1, "{part}");
    told(&RIGHT.replace(part, otherwise))
}

#[test]
fn the_right_one_is_right() {
    assert_eq!(told(RIGHT), [""; 0]);
}

#[test]
fn a_misspelt_key_suggests_the_near_one() {
    let text = RIGHT.replace("interval", "intervall");
    assert_eq!(
        check(&text).problems.to_string(),
        r#"error: unknown key `intervall`; did you mean `interval`?
  --> elbow.toml:17:42
   |
17 | health_check = { path = "/wp-login.php", intervall = "30s", timeout = "5s" }
   |                                          ^^^^^^^^^"#
    );
}

#[test]
fn a_wrong_kind_says_what_is_expected_and_what_was_found() {
    let text = RIGHT.replace("port = 8080", "port = \"8080\"");
    assert_eq!(
        check(&text).problems.to_string(),
        r#"error: expected a number from 0 to 65535, found the text "8080"
 --> elbow.toml:8:8
  |
8 | port = "8080"
  |        ^^^^^^
  = help: write it without quotes: 8080"#
    );
}

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
  = help: the target groups are `wordpress`

warning: no rule forwards to target group `wordpress`
  --> elbow.toml:16:8
   |
16 | name = "wordpress"
   |        ^^^^^^^^^^^
   = help: its targets are neither probed nor sent requests: they are `unused`"#
    );
}

#[test]
fn all_problems_of_a_file_are_told_at_once_in_its_order() {
    let text = r#"
workers = 0
shutdown_deadline = 30
[[load_balancer]]
name = "-x_"
idle_timeout = "5000s"
[[load_balancer.listener]]
port = 70000
default = { forward = "web", fixed_response = { status = 302 } }
[[load_balancer.listener.rule]]
priority = 10
host = ["localhost", "good.example.com", "a.b1"]
forward = "wbe"
[[load_balancer.listener.rule]]
priority = 10
forward = "web"
[[load_balancer]]
[[target_group]]
name = "web"
retries = -1
heath_check = {}
targets = [
  { address = "10.0.0.6" },
  { adress = "10.0.0.7:80", weight = 1000 },
]
"#;
    assert_eq!(
        told(text),
        [
            "2:11 expected a number from 1 to 1024, found the number 0",
            "3:21 expected a duration such as \"30s\", \"500ms\" or \"5m\", found the number 30",
            "5:8 the name holds '_'",
            "5:8 a name neither begins nor ends with a hyphen",
            "6:16 5000s is out of range: write 1s to 4000s",
            "8:8 expected a number from 0 to 65535, found the number 70000",
            "9:11 there are 2 actions: forward and fixed_response",
            "9:58 a fixed response has a status of 2xx, 4xx or 5xx, not 302; for 301 and 302 use a redirect",
            "12:9 `localhost` has no dot: host-header takes names like `www.example.com` or `*.example.com`; \
             to meet every host, leave the condition out",
            "12:42 `a.b1` must end in letters, as in `.com`: after the last dot host-header takes only A-Z and a-z, \
             no wildcard, no port",
            "13:11 there is no target group `wbe`; did you mean `web`?",
            "14:1 rule 10 has no condition: what all other requests get is the listener's default action",
            "15:12 rule[0] has priority 10, too",
            "17:1 missing key `name`",
            "20:11 expected a number from 0 to 10, found the number -1",
            "21:1 unknown key `heath_check`; did you mean `health_check`?",
            "23:15 `10.0.0.6` has no port",
            "24:3 missing key `address`",
            "24:5 unknown key `adress`; did you mean `address`?",
            "24:38 expected a number from 0 to 999, found the number 1000",
        ]
    );
}

#[test]
fn nobody_is_blamed_for_what_was_only_misspelt_elsewhere() {
    // The group is there, but its name is not: the forward is not dangling.
    assert_eq!(
        told_with("name = \"wordpress\"", "nam = \"wordpress\""),
        [
            "15:1 missing key `name`",
            "16:1 unknown key `nam`; did you mean `name`?"
        ]
    );
    assert_eq!(
        told_with("[[target_group]]", "[[target_grup]]"),
        ["15:3 unknown key `target_grup`; did you mean `target_group`?"]
    );
    // Nor can the ranges be known, nor which groups there are beside an unknown table.
    let relaxed = RIGHT
        .replace("\"30s\"", "\"1s\"")
        .replace("\"5s\"", "\"500ms\"");
    assert_eq!(
        told(&format!("ranges = \"relaxd\"\n{relaxed}")),
        ["1:10 expected \"alb\" or \"relaxed\", found the text \"relaxd\""]
    );
    // The action is there, but misspelt.
    assert_eq!(
        told_with("{ forward =", "{ foward ="),
        ["9:13 unknown key `foward`; did you mean `forward`?"]
    );
    // A wrong interval is not compared with the timeout.
    assert_eq!(
        told_with("timeout = \"5s\"", "timeout = 40"),
        ["17:70 expected a duration such as \"30s\", \"500ms\" or \"5m\", found the number 40"]
    );
}

#[test]
fn places_are_right_after_elements_that_were_left_out() {
    let text = RIGHT.replace(
        "{ zone = \"a\", address = \"127.0.0.11\" }",
        "{ zone = \"a\" }",
    );
    let text = text.replace("10.0.2.9:80", "10.0.2.9");
    assert_eq!(
        told(&text),
        ["4:3 missing key `address`", "20:28 `10.0.2.9` has no port"]
    );
    let text = RIGHT.replace(
        "{ id = \"wp-a\", address = \"10.0.0.6:80\", zone = \"a\" }",
        "7",
    );
    let text = text.replace("10.0.2.9:80", "10.0.2.9");
    assert_eq!(
        told(&text),
        [
            "19:3 expected a table, found the number 7",
            "20:28 `10.0.2.9` has no port"
        ]
    );
}

#[test]
fn what_is_not_toml_is_told_where() {
    assert_eq!(
        told("[[load_balancer]]\nname = wp\n"),
        ["2:8 this is not TOML: string values must be quoted, expected literal string"]
    );
    assert_eq!(
        told("workers = 1\nworkers = 2\n"),
        ["2:1 `workers` is there twice"]
    );
    assert_eq!(
        told("[load_balancer]\n")[0],
        "1:1 expected a list of tables, found a table"
    );
    assert_eq!(told("[[admin]]\n")[0], "1:1 expected a table, found a list");
}

#[test]
fn wrong_kinds_come_with_advice() {
    for (part, otherwise, help) in [
        ("interval = \"30s\"", "interval = 30", "\"30s\""),
        ("interval = \"30s\"", "interval = \"30\"", "\"30s\""),
        ("path = [\"/old/*\"]", "path = \"/old/*\"", "[\"/old/*\"]"),
        (
            "port = 8080",
            "port = 8080\nprotocol = \"http\"",
            "\"HTTP\"",
        ),
        ("id = \"wp-a\"", "id = 1", "\"1\""),
        ("[[target_group]]", "[target_group]", "[[target_group]]"),
        ("[[target_group]]", "[[admin]]\n[[target_group]]", "[admin]"),
        (
            "name = \"wp-elb\"",
            "name = \"wp-elb\"\npreserve_host = \"yes\"",
            "without quotes",
        ),
        (
            "name = \"wp-elb\"",
            "name = \"wp-elb\"\nlimits = { header = 4 }",
            "\"4KiB\"",
        ),
    ] {
        let problems = check(&RIGHT.replace(part, otherwise)).problems;
        let help_given = problems.problems[0].help.as_deref().unwrap_or_default();
        assert!(help_given.contains(help), "{otherwise}: {problems}");
    }
}

#[test]
fn load_balancers_and_their_nodes_are_distinct() {
    assert_eq!(
        told_with("\"wp-elb\"", "\"internal-wp\""),
        ["2:8 the name of a load balancer does not begin with `internal-`"]
    );
    assert_eq!(
        told_with("\"wp-elb\"", "\"this-name-is-longer-than-32-characters\""),
        ["2:8 the name has 38 characters"]
    );
    assert_eq!(
        told_with("127.0.0.12", "127.0.0.11"),
        ["5:27 nodes[0] has the address 127.0.0.11, too"]
    );
    assert_eq!(
        told_with("127.0.0.12", "0.0.0.0"),
        ["5:27 nodes[0] has the address 127.0.0.11: one of the two means all addresses"]
    );
    assert_eq!(
        told_with(
            "zone = \"c\", address = \"127",
            "zone = \"a\", address = \"127"
        ),
        [
            "5:12 zone `a` has a node already, nodes[0]",
            "20:50 warning: load balancer `wp-elb` has no node in zone `c`: the target will be `unused`"
        ]
    );
    let second = "[[load_balancer]]\nname = \"wp-elb\"\n[[load_balancer.listener]]\nport = 8080\ndefault = { forward = \"wordpress\" }\n";
    assert_eq!(
        told(&format!("{RIGHT}{second}")),
        [
            "23:8 load_balancer[0] is named `wp-elb`, too",
            "25:8 port 8080 is already taken by load balancer `wp-elb`",
            "26:23 target group `wordpress` is already used by load balancer `wp-elb`"
        ]
    );
}

#[test]
fn ports_are_distinct_unless_the_system_chooses() {
    let second = "[[load_balancer.listener]]\nport = 8080\ndefault = { forward = \"wordpress\" }\n[[target_group]]";
    assert_eq!(
        told_with("[[target_group]]", second),
        ["16:8 listener[0] has port 8080, too"]
    );
    let text = RIGHT.replace("[[target_group]]", second);
    assert_eq!(told(&text.replace("8080", "0")), [""; 0]);
    let admin = "[admin]\naddress = \"0.0.0.0:8080\"\n";
    assert_eq!(
        told(&format!("{RIGHT}{admin}")),
        ["8:8 port 8080 is already taken by the admin address 0.0.0.0:8080"]
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
fn an_action_is_exactly_one() {
    assert_eq!(
        told_with("{ forward = \"wordpress\" }", "{}"),
        [
            "9:11 there is no action",
            "16:8 warning: no rule forwards to target group `wordpress`"
        ]
    );
    assert_eq!(
        told_with("priority = 10", "priority = 10\nforward = \"wordpress\""),
        ["10:1 there are 2 actions: forward and redirect"]
    );
}

#[test]
fn the_shares_of_a_forward_make_sense() {
    let forward = |shares: &str| {
        told_with("forward = \"wordpress\"", &format!("forward = {shares}"))
            .into_iter()
            .filter(|told| !told.contains("warning"))
            .collect::<Vec<_>>()
    };
    assert_eq!(forward("[]"), ["9:23 no target group is named"]);
    assert_eq!(
        forward("[{ group = \"wordpress\", weight = 0 }]"),
        ["9:23 every group has the weight 0"]
    );
    assert_eq!(
        forward("[{ group = \"wordpress\" }, { group = \"wordpress\" }]"),
        ["9:59 target group `wordpress` is there twice"]
    );
    let six = ["{ group = \"wordpress\" }"; 6].join(", ");
    assert_eq!(
        forward(&format!("[{six}]"))[0],
        "9:23 6 target groups are named; at most 5 may be"
    );
}

#[test]
fn rules_have_conditions_that_alb_accepts() {
    assert_eq!(
        told_with("path = [\"/old/*\"]\n", "")[0],
        "10:1 rule 10 has no condition: what all other requests get is the listener's default action"
    );
    assert_eq!(
        told_with(
            "path = [\"/old/*\"]",
            "path = [\"/ok\", \"old\"]\nsource_ip = [\"10.0.0.0/99\", \"10.0.0.1/8\"]\nheader = [{ name = \"Host\", values = [\"x\"] }]\nquery = [{ key = \"k\", values = [] }]"
        )
        .iter()
        .map(|told| told.split(' ').next().unwrap_or_default())
        .collect::<Vec<_>>(),
        ["12:16", "13:14", "14:20", "15:32"]
    );
    let many = told_with("[\"/old/*\"]", "[\"/1\", \"/2\", \"/3\", \"/4\"]");
    assert!(
        many[0].contains("path-pattern condition with 4 values"),
        "{many:?}"
    );
    let relaxed = RIGHT.replace("[\"/old/*\"]", "[\"/1\", \"/2\", \"/3\", \"/4\"]");
    assert_eq!(told(&format!("ranges = \"relaxed\"\n{relaxed}")), [""; 0]);
}

#[test]
fn every_wrong_part_of_a_redirect_is_told() {
    let told = told_with(
        "redirect = { path = \"/new/#{path}\", status = 301 }",
        "redirect = { protocol = \"ftp\", port = \"x\", path = \"new\", query = \"?a\", status = 303 }",
    );
    let places: Vec<&str> = told
        .iter()
        .filter_map(|told| told.split(' ').next())
        .collect();
    assert_eq!(
        places,
        ["13:25", "13:39", "13:51", "13:66", "13:81"],
        "{told:#?}"
    );
    let told = told_with("path = \"/new/#{path}\", ", "");
    assert!(
        told[0].starts_with("13:12 this redirect leads back"),
        "{told:?}"
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

#[test]
fn an_empty_file_is_a_configuration_that_does_nothing() {
    assert_eq!(
        told(""),
        ["1:1 warning: there is no load balancer: nothing listens"]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_too() {
    let report = super::check(std::path::Path::new("/nowhere/elbow.toml"));
    let told = report.problems.to_string();
    assert!(
        told.starts_with("error: the configuration cannot be read: "),
        "{told}"
    );
    assert!(told.ends_with("\n --> /nowhere/elbow.toml"), "{told}");
    assert!(report.into_result().is_err());
}

#[test]
fn programs_get_problems_as_data() {
    let problems = check(&RIGHT.replace("port = 8080", "port = 80800")).problems;
    assert_eq!(
        serde_json::to_value(&problems).unwrap(),
        serde_json::json!({
            "source": "elbow.toml",
            "problems": [{
                "severity": "error",
                "path": "load_balancer[0].listener[0].port",
                "message": "expected a number from 0 to 65535, found the number 80800",
                "help": null,
                "location": { "line": 8, "column": 8, "length": 5, "source_line": "port = 80800" },
            }],
        })
    );
}
