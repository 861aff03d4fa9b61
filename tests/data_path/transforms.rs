//! What rules rewrite, and which spelling of a path they see: the bytes of the target, and the log.

use crate::support::{Client, Elbow, Message, Target};

/// A daemon with one rule that forwards to the target; all else is answered 404.
async fn with_rule(target: &Target, attributes: &str, rule: &str) -> Elbow {
    Elbow::start(&format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         {attributes}\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         default = {{ fixed_response = {{ status = 404 }} }}\n\
         [[load_balancer.listener.rule]]\n\
         priority = 1\n\
         forward = \"group\"\n\
         {rule}\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ enabled = false }}\n\
         {}\n",
        target.line()
    ))
    .await
}

async fn ask(elbow: &Elbow, line: &str, host: &str) -> Message {
    let mut client = Client::connect(elbow.address()).await;
    let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    client.ask(request).await
}

#[tokio::test]
async fn a_url_rewrite_gives_the_target_another_path_and_query() {
    let target = Target::saying("hello").await;
    let rule = "path = ['/dp/*']\nurl_rewrite = { regex = '^/dp/([A-Z0-9]+)/?', replace = '/product.php?id=$1' }";
    let elbow = with_rule(&target, "", rule).await;
    assert_eq!(ask(&elbow, "GET /dp/B09/", "shop.test").await.status(), 200);
    assert_eq!(
        target.request().start_line(),
        "GET /product.php?id=B09 HTTP/1.1"
    );
    assert_eq!(
        target.request().value("Host").unwrap(),
        format!("shop.test:{}", elbow.address().port())
    );
    let line = elbow.log_line().await;
    assert_eq!(line.text("transformed_uri"), "/product.php?id=B09");
    assert_eq!(line.text("transformed_host"), "-");
    assert_eq!(line.text("request_transform_status"), "TransformSuccess");
    assert!(line.text("request_url").ends_with("/dp/B09/"), "{line:?}");
    assert_eq!(line.number("matched_rule_priority"), Some(1.0));
}

#[tokio::test]
async fn a_host_header_rewrite_gives_the_target_another_host() {
    let target = Target::saying("hello").await;
    let rule = "host = ['*.example.com']\n\
         host_header_rewrite = { regex = '^mywebsite-(.+).com$', replace = 'internal.dev.$1.myweb.com' }";
    let elbow = with_rule(&target, "", rule).await;
    ask(&elbow, "GET /a?b", "MyWebsite-x.example.com").await;
    let port = elbow.address().port();
    let host = target.request().value("Host").unwrap().to_owned();
    assert_eq!(host, format!("internal.dev.x.example.myweb.com:{port}"));
    assert_eq!(target.request().start_line(), "GET /a?b HTTP/1.1");
    let line = elbow.log_line().await;
    assert_eq!(
        line.text("transformed_host"),
        "internal.dev.x.example.myweb.com"
    );
    assert_eq!(line.text("transformed_uri"), "-");
}

#[tokio::test]
async fn a_rewritten_host_keeps_the_clients_port_when_hosts_are_preserved() {
    let target = Target::saying("hello").await;
    let rule = "path = ['*']\nhost_header_rewrite = { regex = '^[^.]*', replace = 'internal' }";
    let elbow = with_rule(&target, "preserve_host = true", rule).await;
    ask(&elbow, "GET /", "www.Example.com").await;
    ask(&elbow, "GET /", "www.example.com:8443").await;
    let hosts: Vec<_> = target.requests();
    let hosts: Vec<_> = hosts
        .iter()
        .map(|request| request.value("Host").unwrap())
        .collect();
    assert_eq!(hosts, ["internal.example.com", "internal.example.com:8443"]);
}

#[tokio::test]
async fn without_a_match_the_target_gets_the_original_request() {
    let target = Target::saying("hello").await;
    let rule = "path = ['*']\n\
         url_rewrite = { regex = '^/api/', replace = '/' }\n\
         host_header_rewrite = { regex = '^api[.]', replace = '' }";
    let elbow = with_rule(&target, "", rule).await;
    ask(&elbow, "GET /a/./%62?c", "www.test").await;
    assert_eq!(target.request().start_line(), "GET /a/./%62?c HTTP/1.1");
    let line = elbow.log_line().await;
    for field in [
        "transformed_host",
        "transformed_uri",
        "request_transform_status",
    ] {
        assert_eq!(line.text(field), "-", "{field}");
    }
}

#[tokio::test]
async fn a_transform_that_fails_is_answered_with_500_and_no_target_is_asked() {
    let target = Target::saying("hello").await;
    let rule = "path = ['*']\nurl_rewrite = { regex = '^/strip(.*)$', replace = '$1' }\n\
         host_header_rewrite = { regex = '^gone$', replace = '' }";
    let elbow = with_rule(&target, "", rule).await;
    assert_eq!(ask(&elbow, "GET /strip", "www.test").await.status(), 500);
    assert_eq!(ask(&elbow, "GET /", "gone").await.status(), 500);
    assert_eq!(ask(&elbow, "GET /strip/a", "www.test").await.status(), 200);
    assert_eq!(target.request().start_line(), "GET /a HTTP/1.1");
    let log = elbow.log(3).await;
    assert_eq!(
        log[0].text("request_transform_status"),
        "TransformInvalidPath"
    );
    assert_eq!(log[0].text("error_reason"), "TransformInvalidPath");
    assert_eq!(log[0].number("elb_status_code"), Some(500.0));
    assert_eq!(
        log[1].text("request_transform_status"),
        "TransformInvalidHost"
    );
    assert_eq!(
        elbow.metric("elbow_balancer_responses_total{code=\"500\"}"),
        2.0
    );
}

#[tokio::test]
async fn a_rewritten_url_may_not_become_longer_than_a_clients() {
    let target = Target::saying("hello").await;
    let rule = "path = ['*']\nurl_rewrite = { regex = '^/([^/]*)$', replace = '/$1/$1/$1' }";
    let elbow = with_rule(&target, "limits = { request_line = \"1KiB\" }", rule).await;
    let long = format!("GET /{}", "a".repeat(400));
    assert_eq!(ask(&elbow, &long, "www.test").await.status(), 500);
    let line = elbow.log_line().await;
    assert_eq!(
        line.text("request_transform_status"),
        "TransformBufferTooSmall"
    );
}

#[tokio::test]
async fn the_rules_see_the_normal_form_of_a_path_and_the_target_what_the_client_sent() {
    let target = Target::saying("hello").await;
    let elbow = with_rule(&target, "", "path = ['/public/*']").await;
    for path in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/..%2fadmin",
        "/public/..\\admin",
    ] {
        let status = ask(&elbow, &format!("GET {path}"), "www.test")
            .await
            .status();
        assert_eq!(status, 404, "{path}");
    }
    assert_eq!(target.connections(), 0);
    ask(&elbow, "GET //%70ublic/./a?b=/../", "www.test").await;
    assert_eq!(
        target.request().start_line(),
        "GET //%70ublic/./a?b=/../ HTTP/1.1"
    );
}

#[tokio::test]
async fn targets_get_the_normal_form_if_they_are_to() {
    let target = Target::saying("hello").await;
    let attributes = "normalize_path = 'for_rules_and_targets'";
    let elbow = with_rule(&target, attributes, "path = ['/public/*']").await;
    ask(&elbow, "GET /x/../%70ublic//a?b=/../", "www.test").await;
    assert_eq!(
        target.request().start_line(),
        "GET /public/a?b=/../ HTTP/1.1"
    );
    assert_eq!(
        elbow.log_line().await.text("transformed_uri"),
        "/public/a?b=/../"
    );
}

#[tokio::test]
async fn rules_see_what_the_client_sent_if_they_are_to() {
    let target = Target::saying("hello").await;
    let elbow = with_rule(&target, "normalize_path = 'never'", "path = ['/public/*']").await;
    assert_eq!(
        ask(&elbow, "GET //public/a", "www.test").await.status(),
        404
    );
    assert_eq!(
        ask(&elbow, "GET /public/../a", "www.test").await.status(),
        200
    );
    assert_eq!(target.request().start_line(), "GET /public/../a HTTP/1.1");
}

#[tokio::test]
async fn an_absolute_target_without_a_path_means_the_root() {
    let target = Target::saying("hello").await;
    let elbow = with_rule(&target, "", "path = ['/']").await;
    assert_eq!(
        ask(&elbow, "GET http://www.test", "www.test")
            .await
            .status(),
        200
    );
    assert_eq!(target.request().start_line(), "GET / HTTP/1.1");
}
