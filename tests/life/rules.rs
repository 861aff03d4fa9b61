//! Rules: which action a request meets, and that the log says which rule it was.

use std::fmt::Write;

use crate::scene::{Site, UNPROBED, entries, fixed, group, listening};
use crate::support::{Client, Elbow, Message};

/// A listener whose rules answer with their own names, by fixed responses.
fn answering(rules: &[(u32, &str, &str)]) -> String {
    let mut text = listening(0, &fixed("default"));
    for (priority, conditions, name) in rules {
        let action = fixed(name);
        let action = &action[2..action.len() - 2];
        writeln!(
            text,
            "[[load_balancer.listener.rule]]\npriority = {priority}\n{conditions}\n{action}"
        )
        .unwrap();
    }
    text
}

async fn ask(client: &mut Client, request: &str) -> String {
    let response = client.ask(request).await;
    assert_eq!(response.status(), 200, "{request}: {}", response.head);
    response.text().to_owned()
}

fn request(line: &str, host: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n")
}

#[tokio::test]
async fn each_condition_decides_by_what_came_over_the_wire() {
    let elbow = Elbow::start(&answering(&[
        (10, "host = [\"*.Example.com\"]", "host"),
        (20, "path = [\"/img/*\", \"/a?c\"]", "path"),
        (30, "method = [\"PURGE\"]", "method"),
        (
            40,
            "header = [{ name = \"X-Kind\", values = [\"mo?ile*\"] }]",
            "header",
        ),
        (
            50,
            "query = [{ key = \"version\", values = [\"v1\", \"v2*\"] }]",
            "query",
        ),
        (
            60,
            "path = [\"/from-here\"]\nsource_ip = [\"127.0.0.0/8\"]",
            "source",
        ),
        (
            70,
            "path = [\"/from-afar\"]\nsource_ip = [\"192.0.2.0/24\"]",
            "afar",
        ),
    ]))
    .await;
    let mut client = Client::connect(elbow.address()).await;
    for (line, host, more, expected) in [
        ("GET /", "www.example.COM", "", "host"),
        ("GET /", "example.com", "", "default"),
        ("GET /", "www.example.com:8080", "", "host"),
        ("GET /img/logo.png", "x.test", "", "path"),
        ("GET /IMG/logo.png", "x.test", "", "default"),
        ("GET /abc", "x.test", "", "path"),
        ("GET /?/img/a", "x.test", "", "default"),
        ("PURGE /", "x.test", "", "method"),
        ("purge /", "x.test", "", "default"),
        ("GET /", "x.test", "x-kind: MOBILE phone\r\n", "header"),
        (
            "GET /",
            "x.test",
            "x-kind: desk\r\nX-Kind: mobile\r\n",
            "header",
        ),
        ("GET /", "x.test", "X-Kinds: mobile\r\n", "default"),
        ("GET /?a=b&VERSION=V2.5", "x.test", "", "query"),
        ("GET /?version=v3", "x.test", "", "default"),
        ("GET /from-here", "x.test", "", "source"),
        (
            "GET /from-afar",
            "x.test",
            "X-Forwarded-For: 192.0.2.1\r\n",
            "default",
        ),
    ] {
        let request = request(line, host, more);
        assert_eq!(ask(&mut client, &request).await, expected, "{request}");
    }
}

#[tokio::test]
async fn regular_expressions_decide_by_what_came_over_the_wire() {
    let elbow = Elbow::start(&answering(&[
        (10, "host_regex = ['^(www|shop)-[0-9]+[.]']", "host"),
        (20, "path_regex = ['^/v[0-9]+/[^/]+$']", "path"),
        (
            30,
            "header = [{ name = 'X-Kind', regex = ['^mobile$', '^tablet'] }]",
            "header",
        ),
    ]))
    .await;
    let mut client = Client::connect(elbow.address()).await;
    for (line, host, more, expected) in [
        ("GET /", "SHOP-12.example.com", "", "host"),
        ("GET /", "shop-x.example.com", "", "default"),
        ("GET /v1/users?/x", "x.test", "", "path"),
        ("GET /%761/users", "x.test", "", "path"),
        ("GET /v1/users/7", "x.test", "", "default"),
        ("GET /V1/users", "x.test", "", "default"),
        (
            "GET /",
            "x.test",
            "X-Kind: a\r\nX-Kind: Tablet 7\r\n",
            "header",
        ),
        ("GET /", "x.test", "X-Kind: mobiles\r\n", "default"),
    ] {
        let request = request(line, host, more);
        assert_eq!(ask(&mut client, &request).await, expected, "{request}");
    }
}

#[tokio::test]
async fn the_lowest_priority_that_matches_decides_and_the_log_says_which() {
    let elbow = Elbow::start(&answering(&[
        (300, "path = [\"/a*\"]", "three hundred"),
        (7, "path = [\"/a/b\"]", "seven"),
        (50000, "path = [\"*\"]\nmethod = [\"GET\"]", "last"),
    ]))
    .await;
    let mut client = Client::connect(elbow.address()).await;
    let cases = [
        ("GET /a/b", "seven", 7.0),
        ("GET /a/c", "three hundred", 300.0),
        ("GET /x", "last", 50000.0),
        ("HEAD /x", "", 0.0),
    ];
    for (line, body, _) in cases {
        client.send(request(line, "x.test", "")).await;
        let response = client.response_to(line.split(' ').next().unwrap()).await;
        assert_eq!(response.text(), body, "{line}");
    }
    let log = elbow.log(cases.len()).await;
    for (line, (_, _, priority)) in log.iter().zip(cases) {
        assert_eq!(line.number("matched_rule_priority"), Some(priority));
        assert_eq!(line.text("actions_executed"), "fixed-response");
    }
    // 1 + 2 + 3 + 3: the default rule is not counted.
    assert_eq!(elbow.metric("elbow_rule_evaluations_total"), 9.0);
    assert_eq!(elbow.metric("elbow_fixed_responses_total"), 4.0);
}

#[tokio::test]
async fn conditions_of_a_rule_must_all_match_and_of_their_values_one() {
    let rule = "path = [\"/a\", \"/b\"]\nheader = [{ name = \"X-One\", values = [\"1\"] }, \
         { name = \"X-Two\", values = [\"2\", \"two\"] }]";
    let elbow = Elbow::start(&answering(&[(1, rule, "all")])).await;
    let mut client = Client::connect(elbow.address()).await;
    for (path, more, expected) in [
        ("/a", "X-One: 1\r\nX-Two: two\r\n", "all"),
        ("/b", "X-One: 1\r\nX-Two: 2\r\n", "all"),
        ("/b", "X-One: 1\r\n", "default"),
        ("/c", "X-One: 1\r\nX-Two: 2\r\n", "default"),
    ] {
        let request = request(&format!("GET {path}"), "x.test", more);
        assert_eq!(ask(&mut client, &request).await, expected, "{request}");
    }
}

#[tokio::test]
async fn a_redirect_says_where_and_the_log_repeats_it() {
    let mut text = listening(
        0,
        "{ redirect = { host = \"www.#{host}\", port = \"443\", protocol = \"HTTPS\", \
             status = 301 } }",
    );
    text += "[[load_balancer.listener.rule]]\npriority = 1\npath = [\"/old/*\"]\n\
         redirect = { path = \"/new/#{path}\", query = \"from=old&#{query}\", status = 302 }\n";
    let elbow = Elbow::start(&text).await;
    let port = elbow.address().port();
    let mut client = Client::connect(elbow.address()).await;
    let mut redirected = async |line: &str| -> Message {
        let host = format!("example.com:{port}");
        client.ask(request(line, &host, "")).await
    };
    let found = redirected("GET /old/page?a=1").await;
    assert_eq!(found.status(), 302);
    let location = found.value("Location").unwrap().to_owned();
    assert_eq!(
        location,
        format!("http://example.com:{port}/new/old/page?from=old&a=1")
    );
    let moved = redirected("GET /x?y=z").await;
    assert_eq!(moved.status(), 301);
    let secure = moved.value("Location").unwrap();
    assert_eq!(secure, "https://www.example.com:443/x?y=z");
    let log = elbow.log(2).await;
    assert_eq!(log[0].text("redirect_url"), location);
    assert_eq!(log[0].text("actions_executed"), "redirect");
    assert_eq!(log[0].number("matched_rule_priority"), Some(1.0));
    assert_eq!(log[0].number("target_status_code"), None);
    assert_eq!(log[1].number("matched_rule_priority"), Some(0.0));
    assert_eq!(elbow.metric("elbow_redirects_total"), 2.0);
}

#[tokio::test]
async fn a_fixed_response_has_its_status_type_and_body() {
    let text = listening(
        0,
        "{ fixed_response = { status = 503, content_type = \"application/json\", \
             body = '{\"closed\": true}' } }",
    );
    let elbow = Elbow::start(&text).await;
    let mut client = Client::connect(elbow.address()).await;
    let response = client.get("/").await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.value("Content-Type"), Some("application/json"));
    assert_eq!(response.text(), "{\"closed\": true}");
}

#[tokio::test]
async fn a_rule_forwards_and_the_log_names_rule_group_and_target() {
    let (api, web) = (Site::start("api").await, Site::start("web").await);
    let mut text = listening(0, "{ forward = \"web\" }");
    text += "[[load_balancer.listener.rule]]\npriority = 5\npath = [\"/api\", \"/api/*\"]\n\
         forward = \"api\"\n";
    group(&mut text, "api", UNPROBED, &entries(&[&api]));
    group(&mut text, "web", UNPROBED, &entries(&[&web]));
    let elbow = Elbow::start(&text).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.get("/api/users").await.text(), "api 0");
    assert_eq!(client.get("/").await.text(), "web 0");
    let log = elbow.log(2).await;
    for (line, (site, priority)) in log.iter().zip([(&api, 5.0), (&web, 0.0)]) {
        assert_eq!(line.number("matched_rule_priority"), Some(priority));
        assert_eq!(line.text("actions_executed"), "forward");
        assert!(line.text("target_group_arn").contains(site.name));
        assert!(
            line.field("target_port_list")
                .to_string()
                .contains(&site.address().to_string())
        );
    }
}
