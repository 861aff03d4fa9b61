//! The access log of a running daemon, read with the expression that AWS publishes for Athena.

use std::time::Duration;

use crate::support::{Client, Elbow, SOON, Target, eventually};

/// `input.regex` of the table for ALB logs in AWS's manual of Athena, unmodified.
const EXPRESSION: &str = concat!(
    r#"^([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*):([0-9]*) ([^ ]*)[:-]([0-9]*) ([-.0-9]*) ([-.0-9]*) "#,
    r#"([-.0-9]*) (|[-0-9]*) (-|[-0-9]*) ([-0-9]*) ([-0-9]*) "([^ ]*) (.*) (- |[^ ]*)" "#,
    r#""([^"]*)" ([A-Z0-9-_]+) ([A-Za-z0-9.-]*) ([^ ]*) "([^"]*)" "([^"]*)" "([^"]*)" "#,
    r#"([-.0-9]*) ([^ ]*) "([^"]*)" "([^"]*)" "([^ ]*)" "([^\s]+?)" "([^\s]+)" "([^ ]*)" "#,
    r#""([^ ]*)" ?([^ ]*)?( .*)?$"#,
);

/// The columns that are looked at, by their number in the expression.
const REQUEST_TIME: usize = 8;
const STATUS: usize = 11;
const PRIORITY: usize = 25;
const ACTIONS: usize = 27;
const CLASS: usize = 32;
const REASON: usize = 33;

#[tokio::test]
async fn the_expression_of_aws_parses_every_line() {
    let target = Target::saying("fine").await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("alb.log");
    let elbow = Elbow::start(&format!(
        "access_log = {{ path = {:?}, format = \"alb\" }}\n\
         [[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         default = {{ forward = \"group\" }}\n\
         rule = [{{ priority = 7, path = [\"/fixed\"], fixed_response = {{ status = 200 }} }}, \
                 {{ priority = 8, path = [\"/moved\"], redirect = {{ path = \"/\", status = 302 }} }}]\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ enabled = false }}\n\
         {}\n",
        path.display().to_string(),
        target.line(),
    ))
    .await;
    let get =
        |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    // The request, and its status, rule, actions, class and reason.
    let cases = [
        (get("/", ""), ["200", "0", "forward", "-", "-"]),
        (get("/fixed", ""), ["200", "7", "fixed-response", "-", "-"]),
        (get("/moved", ""), ["302", "8", "redirect", "-", "-"]),
        (
            get("/", "User-Agent: a \"b\" \\ c\r\n"),
            ["200", "0", "forward", "-", "-"],
        ),
        (
            get("/a b", ""),
            ["200", "0", "forward", "Acceptable", "SpaceInUri"],
        ),
        (get("/a\"b|'c\u{e9}", ""), ["200", "0", "forward", "-", "-"]),
        (
            get("/", "Content-Length: 2\r\n").replace("\r\n\r\n", "\r\n\r\nok"),
            [
                "200",
                "0",
                "forward",
                "Ambiguous",
                "UndefinedContentLengthSemantics",
            ],
        ),
        (
            get("/", "X: a\0b\r\n"),
            ["400", "-", "-", "Severe", "BadHeader"],
        ),
        (
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            ["400", "-", "-", "-", "-"],
        ),
        (
            "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            ["405", "-", "-", "-", "-"],
        ),
    ];
    let expression = regex_lite::Regex::new(EXPRESSION).unwrap();
    for (place, (request, expected)) in cases.iter().enumerate() {
        Client::connect(elbow.address()).await.ask(request).await;
        let mut text = String::new();
        let within = SOON.max(Duration::from_secs(1));
        eventually(within, "the line", || {
            text = std::fs::read_to_string(&path).unwrap_or_default();
            text.lines().count() > place && text.ends_with('\n')
        })
        .await;
        let line = text.lines().nth(place).unwrap();
        let found = expression.captures(line);
        let found = found.unwrap_or_else(|| panic!("Athena would not read {line:?}"));
        let column = |number: usize| found.get(number).map_or("", |field| field.as_str());
        let seen = [STATUS, PRIORITY, ACTIONS, CLASS, REASON].map(column);
        assert_eq!(seen, *expected, "{request:?}: {line}");
        let dispatched = expected[2] == "forward";
        assert_eq!(column(REQUEST_TIME) == "-1", !dispatched, "{line}");
    }
}
