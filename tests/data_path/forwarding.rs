//! What a target sees of a request, byte for byte.

use crate::support::{Client, Elbow, Message, Target};

/// What the target sees of one request, and the port that the client asked.
async fn seen(attributes: &str, request: &str) -> (Message, u16) {
    let target = Target::saying("hello").await;
    let elbow = Elbow::before(&[&target], attributes, "").await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.ask(request).await.status(), 200);
    (target.request(), elbow.address().port())
}

/// The same for a GET with these field lines.
async fn seen_of(attributes: &str, fields: &str) -> (Message, u16) {
    let request = format!("GET / HTTP/1.1\r\nHost: site.test\r\n{fields}\r\n");
    seen(attributes, &request).await
}

#[tokio::test]
async fn a_request_reaches_the_target_and_its_response_the_client() {
    let target = Target::saying("hello").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let response = client.get("/a?b=c").await;
    assert_eq!((response.status(), response.text()), (200, "hello"));
    assert_eq!(target.request().start_line(), "GET /a?b=c HTTP/1.1");
    let line = elbow.log_line().await;
    assert_eq!(line.text("type"), "http");
    assert_eq!(line.number("elb_status_code"), Some(200.0));
    assert_eq!(line.number("target_status_code"), Some(200.0));
    assert_eq!(line.text("error_reason"), "-");
    assert_eq!(line.number("matched_rule_priority"), Some(0.0));
    assert_eq!(line.text("actions_executed"), "forward");
    elbow.expect_metric("elbow_requests_total", 1.0).await;
    let responses = "elbow_target_responses_total{class=\"2xx\"}";
    elbow.expect_metric(responses, 1.0).await;
}

#[tokio::test]
async fn path_field_order_and_field_case_are_the_clients() {
    let (request, port) = seen(
        "",
        "GET /a/../%2e%2E//b;c=%2F?x=%20&y&&z=[1] HTTP/1.1\r\n\
         aCCept: */*\r\nHost: Site.test\r\nX-Two: 2\r\nx-one:1\r\nX-Two:  again \r\nEmpty:\r\n\r\n",
    )
    .await;
    let (head, trace_id) = request.head.split_once("X-Amzn-Trace-Id: ").unwrap();
    assert_eq!(
        head,
        format!(
            "GET /a/../%2e%2E//b;c=%2F?x=%20&y&&z=[1] HTTP/1.1\r\n\
             Host: site.test:{port}\r\n\
             aCCept: */*\r\nX-Two: 2\r\nx-one:1\r\nX-Two:  again \r\nEmpty:\r\n\
             X-Forwarded-For: 127.0.0.1\r\n\
             X-Forwarded-Proto: http\r\n\
             X-Forwarded-Port: {port}\r\n"
        )
    );
    assert_eq!(
        trace_id.len(),
        "Root=1-01234567-0123456789abcdef01234567\r\n\r\n".len()
    );
    assert!(trace_id.starts_with("Root=1-"), "{trace_id}");
}

#[tokio::test]
async fn host_is_rewritten_unless_it_is_to_be_preserved() {
    let (request, port) = seen("", "GET / HTTP/1.1\r\nHost: Site.test\r\n\r\n").await;
    assert_eq!(request.value("Host"), Some(&*format!("site.test:{port}")));
    let (request, _) = seen("", "GET / HTTP/1.1\r\nHost: Site.test:81\r\n\r\n").await;
    assert_eq!(request.value("Host"), Some("site.test:81"));
    let preserve = "preserve_host = true";
    let (request, _) = seen(preserve, "GET / HTTP/1.1\r\nHost: Site.test\r\n\r\n").await;
    assert_eq!(request.value("Host"), Some("Site.test"));
    let several = "GET / HTTP/1.1\r\nHost: A.test\r\nHost: b.test\r\n\r\n";
    let (request, _) = seen(preserve, several).await;
    assert_eq!(request.values("Host"), ["A.test", "b.test"]);
}

#[tokio::test]
async fn an_absolute_target_names_the_host_and_goes_on_in_origin_form() {
    for (sent, line) in [
        ("http://Other.test/p?q", "GET /p?q HTTP/1.1"),
        ("http://Other.test?q", "GET /?q HTTP/1.1"),
        ("HTTP://Other.test", "GET / HTTP/1.1"),
    ] {
        let request = format!("GET {sent} HTTP/1.1\r\nHost: site.test\r\n\r\n");
        let (request, port) = seen("", &request).await;
        assert_eq!(request.start_line(), line);
        assert_eq!(request.value("Host"), Some(&*format!("other.test:{port}")));
    }
}

#[tokio::test]
async fn options_for_the_whole_server_and_unknown_methods_pass() {
    let (request, _) = seen("", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(request.start_line(), "OPTIONS * HTTP/1.1");
    let (request, _) = seen("", "pROPfind / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(request.start_line(), "pROPfind / HTTP/1.1");
}

#[tokio::test]
async fn an_http_1_0_request_goes_on_as_1_1_with_a_host() {
    let (request, port) = seen("", "GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(request.start_line(), "GET / HTTP/1.1");
    assert_eq!(request.value("Host"), Some(&*format!("127.0.0.1:{port}")));
}

#[tokio::test]
async fn x_forwarded_for_has_three_modes_and_an_optional_port() {
    let sent = "X-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\n";
    let of = async |attributes: &str| {
        let (request, _) = seen_of(attributes, sent).await;
        request.values("X-Forwarded-For").join(" | ")
    };
    assert_eq!(of("").await, "10.0.0.1, 10.0.0.2, 127.0.0.1");
    assert_eq!(
        of("x_forwarded_for = \"preserve\"").await,
        "10.0.0.1 | 10.0.0.2"
    );
    assert_eq!(of("x_forwarded_for = \"remove\"").await, "");

    let target = Target::saying("").await;
    let elbow = Elbow::before(&[&target], "x_forwarded_for_client_port = true", "").await;
    let mut client = Client::connect(elbow.address()).await;
    client.get("/").await;
    let expected = client.address.to_string();
    assert_eq!(target.request().value("X-Forwarded-For"), Some(&*expected));
}

#[tokio::test]
async fn what_a_client_claims_about_scheme_and_port_is_replaced() {
    let (request, port) = seen_of("", "X-Forwarded-Proto: https\r\nx-forwarded-port: 1\r\n").await;
    assert_eq!(request.value("X-Forwarded-Proto"), Some("http"));
    assert_eq!(request.value("X-Forwarded-Port"), Some(&*port.to_string()));
}

#[tokio::test]
async fn a_trace_id_is_continued() {
    let root = "Root=1-67891233-abcdef012345678912345678;CalledFrom=app";
    let (request, _) = seen_of("", &format!("x-amzn-trace-id: Self=1-1-2;{root}\r\n")).await;
    let value = request.value("X-Amzn-Trace-Id").unwrap();
    let (own, rest) = value.split_once(';').unwrap();
    assert!(own.starts_with("Self=1-") && own != "Self=1-1-2", "{own}");
    assert_eq!(rest, root);
}

#[tokio::test]
async fn fields_of_one_connection_go_no_further() {
    let (request, _) = seen_of(
        "",
        "Connection: keep-alive, X-Mine\r\nConnection: x-other\r\nX-Mine: 1\r\nX-Other: 2\r\n\
         Keep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\
         Upgrade: websocket\r\nX-Stays: 3\r\n",
    )
    .await;
    for name in [
        "Connection",
        "X-Mine",
        "X-Other",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Upgrade",
    ] {
        assert_eq!(request.value(name), None, "{name}");
    }
    assert_eq!(request.value("X-Stays"), Some("3"));
}

#[tokio::test]
async fn connection_removes_nothing_that_the_balancer_sets_or_that_frames() {
    let (request, _) = seen(
        "",
        "POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: 3\r\nForwarded: for=a\r\n\
         X-Forwarded-For: 10.0.0.1\r\nX-Amzn-Trace-Id: Root=1-2-3\r\n\
         Connection: X-Forwarded-For, x-forwarded-proto, X-Forwarded-Port, Host, Forwarded, \
         X-Amzn-Trace-Id, Content-Length\r\n\r\nabc",
    )
    .await;
    assert_eq!(
        request.value("X-Forwarded-For"),
        Some("10.0.0.1, 127.0.0.1")
    );
    assert_eq!(request.text(), "abc");
    for name in [
        "Host",
        "Forwarded",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "X-Amzn-Trace-Id",
        "Content-Length",
    ] {
        assert!(request.value(name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn invalid_field_names_pass_and_are_counted_or_are_dropped_and_counted() {
    let fields = "X_Under: 1\r\nX.Dot: 2\r\nX-Fine: 3\r\n";
    for (attributes, action, passed) in [
        ("", "forwarded", true),
        ("drop_invalid_header_fields = true", "dropped", false),
    ] {
        let target = Target::saying("").await;
        let elbow = Elbow::before(&[&target], attributes, "").await;
        let mut client = Client::connect(elbow.address()).await;
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        client.ask(request).await;
        let request = target.request();
        assert_eq!(request.value("X_Under").is_some(), passed, "{action}");
        assert_eq!(request.value("X.Dot").is_some(), passed, "{action}");
        assert_eq!(request.value("X-Fine"), Some("3"));
        let row = format!("elbow_invalid_header_requests_total{{action=\"{action}\"}}");
        elbow.expect_metric(&row, 1.0).await;
    }
}

#[tokio::test]
async fn a_field_that_only_looks_like_framing_never_passes() {
    let fields = "Content_Length: 5\r\ntransfer_encoding: chunked\r\n";
    let (request, _) = seen_of("", fields).await;
    assert_eq!(request.value("Content_Length"), None);
    assert_eq!(request.value("transfer_encoding"), None);
}

#[tokio::test]
async fn what_a_target_says_of_its_connection_goes_no_further() {
    let target = Target::answering(
        "HTTP/1.1 299 Odd But Mine\r\nX-A: 1\r\nConnection: keep-alive, x-b\r\nX-B: 2\r\n\
         Keep-Alive: timeout=5\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nUpgrade: foo\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let response = Client::connect(elbow.address()).await.get("/").await;
    assert_eq!(
        response.head,
        "HTTP/1.1 299 Odd But Mine\r\nX-A: 1\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n"
    );
}
