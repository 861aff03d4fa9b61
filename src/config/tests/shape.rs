//! Documents that do not have the shape of a configuration, and how all problems are told.

use super::{RIGHT, check, told, told_with};

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
fn a_key_in_the_wrong_table_is_told_where_it_belongs() {
    for (key, help) in [
        ("port = 80", "`port` belongs in `listener`"),
        ("zone = \"a\"", "`zone` belongs in `nodes`"),
        ("algorithm = \"round_robin\"", "known here: "),
    ] {
        let name = "name = \"wp-elb\"";
        let problems = check(&RIGHT.replace(name, &format!("{name}\n{key}"))).problems;
        let help_given = problems.problems[0].help.as_deref().unwrap_or_default();
        assert!(help_given.starts_with(help), "{problems}");
    }
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
        [
            "4:3 the node has no address",
            "20:28 `10.0.2.9` has no port"
        ]
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
        (
            "{ id = \"wp-a\", address = \"10.0.0.6:80\", zone = \"a\" }",
            "\"10.0.0.6:80\"",
            "write { address = \"10.0.0.6:80\" }",
        ),
        (
            "{ forward = \"wordpress\" }",
            "\"wordpress\"",
            "write { forward = \"wordpress\" }",
        ),
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
fn an_empty_file_is_no_wish_to_serve_nothing() {
    for text in ["", "\n \n"] {
        assert_eq!(told(text)[0], "1:1 the file is empty");
        assert!(check(text).into_result().is_err());
    }
    assert_eq!(
        told("workers = 1"),
        ["1:1 warning: there is no load balancer: nothing listens"]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_too() {
    let report = crate::config::check(std::path::Path::new("/nowhere/elbow.toml"));
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
