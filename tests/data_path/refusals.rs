//! Requests that no target may see, and the statuses that the balancer makes.

use crate::support::{Client, Elbow, Target};

/// A head with these field lines; what follows is what a careless reader would take for a request.
fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}").into_bytes()
}

const HIDDEN: &str = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// Requests that two readers could understand differently, or none.
fn malformed() -> Vec<(&'static str, Vec<u8>, u16)> {
    let chunked = |body: &str| post("Transfer-Encoding: chunked", body);
    let length = |value: &str| post(&format!("Content-Length: {value}"), HIDDEN);
    let coding = |value: &str| post(&format!("Transfer-Encoding: {value}"), HIDDEN);
    let get = |line: &str| format!("GET {line}\r\nHost: a\r\n\r\n").into_bytes();
    let field = |line: &str| post(line, "");
    let long = |count: usize| "x".repeat(count);
    let fields = "X-Field: 0123456789\r\n".repeat(4000);
    vec![
        (
            "CL.TE",
            post("Content-Length: 6\r\nTransfer-Encoding: chunked", HIDDEN),
            400,
        ),
        (
            "TE.CL",
            post("Transfer-Encoding: chunked\r\nContent-Length: 4", HIDDEN),
            400,
        ),
        (
            "identity and CL",
            post("Transfer-Encoding: identity\r\nContent-Length: 4", HIDDEN),
            400,
        ),
        (
            "two lengths",
            post("Content-Length: 0\r\nContent-Length: 9", HIDDEN),
            400,
        ),
        ("list of lengths", length("5, 5"), 400),
        (
            "a TLS handshake",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            400,
        ),
        ("signed length", length("+5"), 400),
        ("negative length", length("-1"), 400),
        ("hexadecimal length", length("0x5"), 400),
        ("two numbers", length("5 5"), 400),
        ("empty length", length(""), 400),
        ("huge length", length("99999999999999999999999"), 400),
        ("unknown coding", coding("gzip"), 501),
        ("coding before chunked", coding("gzip, chunked"), 501),
        ("misspelt chunked", coding("xchunked"), 501),
        ("quoted chunked", coding("\"chunked\""), 501),
        ("chunked with parameter", coding("chunked;q=1"), 501),
        ("empty coding", coding(""), 501),
        ("chunked twice", coding("chunked, chunked"), 400),
        (
            "chunked, then identity",
            coding("chunked\r\nTransfer-Encoding: identity"),
            400,
        ),
        ("vertical tab before chunked", coding("\x0bchunked"), 400),
        ("folded coding", coding("\r\n chunked"), 400),
        (
            "chunked in HTTP/1.0",
            b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
            400,
        ),
        ("space before the colon", field("Content-Length : 5"), 400),
        (
            "tab before the colon",
            field("Transfer-Encoding\t: chunked"),
            400,
        ),
        ("folded field", field("X-A: b\r\n c"), 400),
        (
            "folded first field",
            b"GET / HTTP/1.1\r\n Host: a\r\n\r\n".to_vec(),
            400,
        ),
        (
            "bare LF in the request line",
            b"GET / HTTP/1.1\nHost: a\r\n\r\n".to_vec(),
            400,
        ),
        ("bare LF after a field", field("X-A: b\nX-C: d"), 400),
        ("bare CR in a value", field("X-A: b\rX-C: d"), 400),
        ("NUL in a value", field("X-A: b\0c"), 400),
        ("NUL in a name", field("X\0A: b"), 400),
        ("no colon", field("X-A"), 400),
        ("no name", field(": b"), 400),
        ("space in a name", field("X A: b"), 400),
        ("0x chunk", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400),
        ("negative chunk", chunked("-5\r\nhello\r\n0\r\n\r\n"), 400),
        ("chunk without size", chunked("\r\nhello\r\n0\r\n\r\n"), 400),
        (
            "chunk longer than said",
            chunked("2\r\nhello\r\n0\r\n\r\n"),
            400,
        ),
        (
            "size that overflows",
            chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"),
            400,
        ),
        (
            "bare LF after a size",
            chunked("5\nhello\r\n0\r\n\r\n"),
            400,
        ),
        (
            "bare LF in an extension",
            chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"),
            400,
        ),
        (
            "bare LF after a chunk",
            chunked("5\r\nhello\n0\r\n\r\n"),
            400,
        ),
        ("bare LF after a trailer", chunked("0\r\nA: b\n\r\n"), 400),
        ("folded trailer", chunked("0\r\nA: b\r\n c\r\n\r\n"), 400),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec(), 400),
        (
            "what is not quite the preface of HTTP/2",
            b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(),
            505,
        ),
        ("HTTP/1.2", get("/ HTTP/1.2"), 505),
        ("HTTP/3.0", get("/ HTTP/3.0"), 505),
        ("HTTP in lower case", get("/ http/1.1"), 400),
        ("version without dot", get("/ HTTP/11"), 400),
        ("two spaces", get(" / HTTP/1.1"), 400),
        (
            "tab as separator",
            b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            400,
        ),
        ("space in the target", get("/a b HTTP/1.1"), 400),
        ("fragment", get("/a#b HTTP/1.1"), 400),
        (
            "control character in the target",
            get("/a\x01 HTTP/1.1"),
            400,
        ),
        ("relative target", get("a HTTP/1.1"), 400),
        ("target without host", get("http:///a HTTP/1.1"), 400),
        ("user in the target", get("http://u@a/ HTTP/1.1"), 400),
        ("other scheme", get("ftp://a/ HTTP/1.1"), 400),
        (
            "CONNECT",
            b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n".to_vec(),
            400,
        ),
        (
            "method that is no token",
            b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            400,
        ),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x0a\x0a".to_vec(),
            400,
        ),
        ("noise", b"\x00\xff\xfe\r\n\r\n".to_vec(), 400),
        (
            "long request line",
            get(&format!("/{} HTTP/1.1", long(16 * 1024))),
            414,
        ),
        ("endless request line", long(17 * 1024).into_bytes(), 414),
        (
            "long field",
            field(&format!("X-A: {}", long(16 * 1024))),
            400,
        ),
        (
            "endless field",
            format!("GET / HTTP/1.1\r\nX: {}", long(17 * 1024)).into_bytes(),
            400,
        ),
        ("large head", field(fields.trim_end()), 400),
        ("many fields", field("a:b\r\n".repeat(600).trim_end()), 400),
    ]
}

#[tokio::test]
async fn what_could_be_misread_is_refused_and_no_target_sees_any_of_it() {
    let target = Target::saying("fine").await;
    let strictest = "desync_mitigation = \"strictest\"";
    let elbow = Elbow::before(&[&target], strictest, "").await;
    let mut bystander = Client::connect(elbow.address()).await;
    let cases = malformed();
    for (name, request, status) in &cases {
        eprintln!("{name}");
        let mut client = Client::connect(elbow.address()).await;
        client.send(request).await;
        let response = client.response().await;
        assert_eq!(response.status(), *status, "{name}");
        assert_eq!(response.value("Connection"), Some("close"), "{name}");
        assert_eq!(response.value("Content-Type"), Some("text/html"), "{name}");
        client.expect_closed().await;
        assert_eq!(target.connections(), 0, "{name}");
    }
    assert_eq!(bystander.get("/").await.text(), "fine");
    let log = elbow.log(cases.len() + 1).await;
    for ((name, _, status), line) in cases.iter().zip(log) {
        assert_eq!(
            line.number("elb_status_code"),
            Some(f64::from(*status)),
            "{name}"
        );
        assert_eq!(line.number("target_status_code"), None, "{name}");
        assert_eq!(line.text("target_ip"), "-", "{name}");
        let reason = line.text("error_reason");
        assert!(
            reason.starts_with("Request") && reason.ends_with("Invalid"),
            "{name}: {reason}"
        );
    }
    let error = "elbow_errors_total{reason=\"RequestHeadInvalid\"}";
    let body = "elbow_errors_total{reason=\"RequestBodyInvalid\"}";
    let connect = "elbow_errors_total{reason=\"ConnectRefused\"}";
    let errors: f64 = [error, body, connect]
        .map(|row| elbow.metric(row))
        .iter()
        .sum();
    assert_eq!(errors, cases.len() as f64);
}

#[tokio::test]
async fn in_no_mode_does_a_target_see_a_request_that_hides_in_another() {
    for mode in ["monitor", "defensive"] {
        let target = Target::saying("fine").await;
        let attribute = format!("desync_mitigation = \"{mode}\"");
        let elbow = Elbow::before(&[&target], &attribute, "").await;
        let mut served = 0;
        for (name, request, _) in malformed() {
            let mut client = Client::connect(elbow.address()).await;
            client.send(&request).await;
            let response = client.response().await;
            served += usize::from(response.status() == 200);
            assert!(
                response.status() == 200 || response.status() >= 400,
                "{mode} {name}"
            );
            // What follows on that connection is not served, unless it was clear where it begins.
            let hides = String::from_utf8_lossy(&request).contains("/hidden");
            if hides {
                client.expect_closed().await;
            }
        }
        assert!(served > 5, "{mode}: {served}");
        let lines: Vec<String> = target
            .requests()
            .iter()
            .map(|request| request.start_line().to_owned())
            .collect();
        assert_eq!(lines.len(), served, "{mode}: {lines:?}");
        assert!(
            !lines.iter().any(|line| line.contains("hidden")),
            "{mode}: {lines:?}"
        );
    }
}

#[tokio::test]
async fn a_request_that_is_clear_but_not_permitted_is_refused_with_the_connection_in_step() {
    let target = Target::saying("fine").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let addresses = vec!["10.0.0.1"; 31].join(", ");
    let forwarded = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {addresses}\r\n\r\n");
    let cases = [
        (
            "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
            405,
            "MethodNotAllowed",
        ),
        (
            "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n",
            400,
            "ConnectRefused",
        ),
        ("GET / HTTP/1.1\r\n\r\n", 400, "HostInvalid"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            400,
            "HostInvalid",
        ),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "HostInvalid"),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "HostInvalid"),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, "HostInvalid"),
        (&forwarded, 463, "ForwardedForTooLong"),
    ];
    let mut client = Client::connect(elbow.address()).await;
    for (request, status, _) in cases {
        let response = client.ask(request).await;
        assert_eq!(response.status(), status, "{request}");
        assert_eq!(response.value("Connection"), None, "{request}");
    }
    assert_eq!(target.connections(), 0);
    assert_eq!(client.get("/").await.text(), "fine");
    for ((request, status, reason), line) in cases.iter().zip(elbow.log(9).await) {
        assert_eq!(
            line.number("elb_status_code"),
            Some(f64::from(*status)),
            "{request}"
        );
        assert_eq!(line.text("error_reason"), *reason);
        assert_eq!(line.number("target_processing_time"), None);
    }
    elbow
        .expect_metric("elbow_errors_total{reason=\"HostInvalid\"}", 5.0)
        .await;
    elbow
        .expect_metric("elbow_balancer_responses_total{code=\"405\"}", 1.0)
        .await;
    elbow
        .expect_metric("elbow_balancer_responses_total{code=\"463\"}", 1.0)
        .await;
}

#[tokio::test]
async fn a_body_that_turns_out_malformed_ends_the_request_and_both_connections() {
    let target = Target::saying("fine").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    client
        .send(post("Transfer-Encoding: chunked", "5\r\nhello\r\n"))
        .await;
    elbow.expect_metric("elbow_target_connections", 1.0).await;
    let response = client.ask("zz\r\n").await;
    assert_eq!(response.status(), 400);
    client.expect_closed().await;
    elbow.expect_metric("elbow_target_connections", 0.0).await;
    // The target never saw the end of it, so it acted on nothing.
    assert_eq!(target.requests().len(), 0);
    assert_eq!(
        elbow.log_line().await.text("error_reason"),
        "RequestBodyInvalid"
    );
}

#[tokio::test]
async fn a_group_without_targets_is_503() {
    let elbow = Elbow::before(&[], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..2 {
        let response = client.get("/").await;
        assert_eq!(response.status(), 503);
        assert!(response.text().contains("<h1>503 Service Unavailable</h1>"));
    }
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let response = client.response_to("HEAD").await;
    assert_ne!(response.value("Content-Length"), Some("0"));
    let log = elbow.log(3).await;
    assert_eq!(log[0].number("elb_status_code"), Some(503.0));
    assert_eq!(log[0].text("target_group_arn"), "group");
    assert_eq!(log[0].text("target_ip"), "-");
    elbow
        .expect_metric("elbow_balancer_responses_total{code=\"503\"}", 3.0)
        .await;
}

#[tokio::test]
async fn a_refused_client_that_is_still_sending_sees_the_refusal() {
    let elbow = Elbow::before(&[], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n")
        .await;
    client.send(vec![b'x'; 500_000]).await;
    assert_eq!(client.response().await.status(), 503);
    client.expect_closed().await;
}
