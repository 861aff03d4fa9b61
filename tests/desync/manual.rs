//! What becomes of each class in each mode, over real sockets: bytes in, and what the target sees.

use crate::support::{Client, Elbow, Message, Target};

const MODES: [&str; 3] = ["monitor", "defensive", "strictest"];

async fn in_mode(mode: &str) -> (Target, Elbow) {
    let target = Target::scripted(|mut wire, request, _| async move {
        let body = if request.start_line().starts_with("HEAD ") {
            ""
        } else {
            "fine"
        };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{body}");
        wire.try_send(answer).await.ok().map(|()| wire)
    })
    .await;
    let attribute = format!("desync_mitigation = \"{mode}\"");
    let elbow = Elbow::before(&[&target], &attribute, "").await;
    (target, elbow)
}

/// What came of one request on a connection of its own.
struct Outcome {
    response: Message,
    /// What the target saw of it.
    seen: Option<Message>,
    class: String,
    reason: String,
    kept: Kept,
}

/// Which connections took another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    client: bool,
    target: bool,
}

const BOTH: Kept = Kept {
    client: true,
    target: true,
};
const NONE: Kept = Kept {
    client: false,
    target: false,
};

/// Sends a request after a harmless one on the same connection, and a harmless one after it.
async fn outcome(mode: &str, request: impl AsRef<[u8]>) -> Outcome {
    let (target, elbow) = in_mode(mode).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.get("/before").await.text(), "fine");
    client.send(request.as_ref()).await;
    let method = if request.as_ref().starts_with(b"HEAD ") {
        "HEAD"
    } else {
        "GET"
    };
    let response = client.response_to(method).await;
    let kept = goes_on(&mut client).await;
    if !kept {
        let mut other = Client::connect(elbow.address()).await;
        assert!(goes_on(&mut other).await);
    }
    let log = elbow.log(3).await;
    let requests = target.requests();
    let seen = requests.get(1).filter(|_| requests.len() == 3).cloned();
    for request in &requests {
        assert_one_reading(request);
    }
    Outcome {
        seen,
        class: log[1].text("classification").to_owned(),
        reason: log[1].text("classification_reason").to_owned(),
        kept: Kept {
            client: kept,
            target: target.connections() == 1,
        },
        response,
    }
}

/// Whether a connection takes another request.
async fn goes_on(client: &mut Client) -> bool {
    let request = "GET /after HTTP/1.1\r\nHost: a\r\n\r\n";
    let sent = client.wire.try_send(request).await;
    sent.is_ok()
        && client
            .wire
            .try_response("GET")
            .await
            .is_ok_and(|it| it.status() == 200)
}

/// That no reader can take a head for another than its neighbour does.
fn assert_one_reading(request: &Message) {
    let head = &request.head;
    assert!(
        !head.replace("\r\n", "").contains(['\r', '\n', '\0']),
        "{head:?}"
    );
    let line = request.start_line();
    assert_eq!(line.split(' ').count(), 3, "{line:?}");
    assert!(line.ends_with(" HTTP/1.1") && line.is_ascii(), "{line:?}");
    let lengths = request.values("Content-Length").len();
    let codings = request.values("Transfer-Encoding");
    assert!(lengths + codings.len() <= 1, "{head:?}");
    assert!(
        codings.iter().all(|coding| *coding == "chunked"),
        "{head:?}"
    );
    for line in request.lines() {
        let (name, _) = line
            .split_once(": ")
            .or_else(|| line.split_once(':'))
            .unwrap();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        assert!(!name.is_empty() && name.chars().all(is_token), "{line:?}");
        let letters: String = name.chars().filter(char::is_ascii_alphabetic).collect();
        let framing = ["contentlength", "transferencoding"];
        if framing.contains(&letters.to_ascii_lowercase().as_str()) {
            assert!(
                name == "Content-Length" || name == "Transfer-Encoding",
                "{line:?}"
            );
        }
    }
}

const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\n";

#[tokio::test]
async fn compliant_requests_are_allowed_in_all_modes() {
    for mode in MODES {
        for request in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            format!("{POST}Content-Length: 2\r\n\r\nok"),
            format!("{POST}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
            "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        ] {
            let outcome = outcome(mode, &request).await;
            assert_eq!(outcome.response.status(), 200, "{mode} {request:?}");
            assert_eq!(
                (outcome.class.as_str(), outcome.kept),
                ("-", BOTH),
                "{mode} {request:?}"
            );
        }
    }
}

/// Requests with their reason, and the request line or field line that the target sees.
const ACCEPTABLE: [(&str, &str, &str); 8] = [
    (
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "GetHeadZeroContentLength",
        "Content-Length: 0",
    ),
    (
        "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "GetHeadZeroContentLength",
        "HEAD / HTTP/1.1",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\u{1}c\r\n\r\n",
        "NonCompliantHeader",
        "X: b c",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nX y: b\r\nX: c\r\n\r\n",
        "NonCompliantHeader",
        "X: c",
    ),
    (
        "GET /a b?c d HTTP/1.1\r\nHost: a\r\n\r\n",
        "SpaceInUri",
        "GET /a%20b?c%20d HTTP/1.1",
    ),
    (
        "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        "NonCompliantVersion",
        "GET / HTTP/1.1",
    ),
    (
        "GET / HTTP/1.9\r\nHost: a\r\n\r\n",
        "NonCompliantVersion",
        "GET / HTTP/1.1",
    ),
    (
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "NonCompliantVersion",
        "GET / HTTP/1.1",
    ),
];

#[tokio::test]
async fn acceptable_requests_are_allowed_unless_the_mode_is_strictest() {
    for (request, reason, line) in ACCEPTABLE {
        for mode in MODES {
            let outcome = outcome(mode, request).await;
            let said = (outcome.class.as_str(), outcome.reason.as_str());
            assert_eq!(said, ("Acceptable", reason), "{mode} {request:?}");
            if mode == "strictest" {
                assert!(outcome.response.status() >= 400, "{request:?}");
                assert!(
                    outcome.seen.is_none() && !outcome.kept.client,
                    "{request:?}"
                );
                continue;
            }
            assert_eq!(outcome.response.status(), 200, "{mode} {request:?}");
            assert_eq!(outcome.kept, BOTH, "{mode} {request:?}");
            let seen = outcome.seen.unwrap();
            assert!(
                seen.head.contains(&format!("{line}\r\n")),
                "{:?}",
                seen.head
            );
        }
    }
}

/// Ambiguous requests that the strict form of which goes to the target: reason, body, and whether
/// readers before us may have seen it end elsewhere.
fn ambiguous() -> Vec<(String, &'static str, &'static str, bool)> {
    let post = |rest: &str| format!("{POST}{rest}");
    let get = |rest: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{rest}");
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    let sent = |head: &str| post(&format!("{head}\r\n\r\n{chunks}"));
    vec![
        (
            sent("Transfer-Encoding: chunked\r\nContent-Length: 3"),
            "BothTeClPresent",
            "hello",
            true,
        ),
        (
            sent("Content-Length: 300\r\nTransfer-Encoding: chunked"),
            "BothTeClPresent",
            "hello",
            true,
        ),
        (
            post("Content-Length: 2\r\nTransfer-Encoding: identity\r\n\r\nok"),
            "BothTeClPresent",
            "ok",
            true,
        ),
        (
            post("Content-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
            "DuplicateContentLength",
            "ok",
            false,
        ),
        (
            get("Content-Length: 2\r\n\r\nok"),
            "UndefinedContentLengthSemantics",
            "ok",
            false,
        ),
        (
            get(&format!("Transfer-Encoding: chunked\r\n\r\n{chunks}")),
            "UndefinedTransferEncodingSemantics",
            "hello",
            false,
        ),
        (
            format!("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"),
            "UndefinedTransferEncodingSemantics",
            "hello",
            true,
        ),
        (
            post("Content_Length: 9\r\nContent-Length: 2\r\n\r\nok")
                .replace("_Length: 9", "_Length: 2"),
            "SuspiciousHeader",
            "ok",
            false,
        ),
        (
            post("transfer_encoding: chunked\r\nContent-Length: 2\r\n\r\nok"),
            "SuspiciousHeader",
            "ok",
            false,
        ),
        (get(": empty\r\n\r\n"), "EmptyHeader", "", true),
        (get("X: y\r\n \t\r\n\r\n"), "MultilineHeader", "", true),
        (get("X: y\r\nZ\r\n\r\n"), "MissingHeaderColon", "", true),
        (
            "GET /a\u{1}b\tc HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            "AmbiguousUri",
            "",
            true,
        ),
    ]
}

#[tokio::test]
async fn ambiguous_requests_are_allowed_and_defensive_closes_both_connections() {
    for (request, reason, body, ends_unclear) in ambiguous() {
        for mode in MODES {
            let outcome = outcome(mode, &request).await;
            let said = (outcome.class.as_str(), outcome.reason.as_str());
            assert_eq!(said, ("Ambiguous", reason), "{mode} {request:?}");
            if mode == "strictest" {
                assert_eq!(outcome.response.status(), 400, "{request:?}");
                assert!(
                    outcome.seen.is_none() && !outcome.kept.client,
                    "{request:?}"
                );
                continue;
            }
            assert_eq!(outcome.response.status(), 200, "{mode} {request:?}");
            assert_eq!(outcome.seen.unwrap().text(), body, "{mode} {request:?}");
            let client = mode == "monitor" && !ends_unclear;
            let kept = Kept { client, ..NONE };
            assert_eq!(outcome.kept, kept, "{mode} {request:?}");
        }
    }
}

#[tokio::test]
async fn severe_requests_are_answered_with_400_and_the_connection_is_closed() {
    let post = |rest: &str| format!("{POST}{rest}\r\n\r\n");
    for (request, reason) in [
        (
            post("Content-Length: 5\r\nContent-Length: 6"),
            "MultipleContentLength",
        ),
        (post("Content-Length: 5, 5"), "BadContentLength"),
        (post("Content-Length: +5"), "BadContentLength"),
        (
            post("Transfer-Encoding: chunked, chunked"),
            "MultipleTransferEncodingChunked",
        ),
        (post("X: a\0b"), "BadHeader"),
        (post("X: a\rb"), "BadHeader"),
        ("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "BadUri"),
        ("GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "BadUri"),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "BadMethod"),
        (
            "GET / HTTP/1.1x\r\nHost: a\r\n\r\n".to_owned(),
            "BadVersion",
        ),
    ] {
        // In monitor mode ALB lets them through; no form of them has one reading only.
        for mode in MODES {
            let outcome = outcome(mode, &request).await;
            let said = (outcome.class.as_str(), outcome.reason.as_str());
            assert_eq!(said, ("Severe", reason), "{mode} {request:?}");
            assert_eq!(outcome.response.status(), 400, "{mode} {request:?}");
            assert!(
                outcome.seen.is_none() && !outcome.kept.client,
                "{mode} {request:?}"
            );
        }
    }
}

#[tokio::test]
async fn monitor_serves_a_severe_request_whose_ambiguity_can_be_taken_out() {
    let request = format!("{POST}Content_Length: 9\r\nContent-Length: 2\r\n\r\nok");
    let monitor = outcome("monitor", &request).await;
    assert_eq!(monitor.reason, "MultipleContentLength");
    assert_eq!(monitor.seen.unwrap().text(), "ok");
    assert!(!monitor.kept.target);
    assert_eq!(outcome("defensive", &request).await.response.status(), 400);
}

#[tokio::test]
async fn lines_may_end_in_lf_alone_and_the_connection_is_closed() {
    for request in [
        "GET / HTTP/1.1\nHost: a\nX: b\n\n",
        "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\n",
    ] {
        for mode in ["monitor", "defensive"] {
            let outcome = outcome(mode, request).await;
            assert_eq!(outcome.reason, "NonCrLfLineTermination", "{request:?}");
            assert_eq!(outcome.seen.unwrap().value("X"), Some("b"), "{request:?}");
            // Stricter than ALB: another reader may have seen no line end there.
            let kept = Kept {
                client: false,
                target: true,
            };
            assert_eq!(outcome.kept, kept, "{request:?}");
        }
        let outcome = outcome("strictest", request).await;
        assert_eq!(
            (outcome.response.status(), outcome.kept.client),
            (400, false)
        );
    }
}

#[tokio::test]
async fn multi_line_headers_are_not_supported_and_a_colon_is_appended() {
    let folded = |more: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n{more}\r\n\r\n");
    let served = outcome("defensive", folded("\tcontinued")).await;
    assert_eq!(
        (served.class.as_str(), served.reason.as_str()),
        ("Ambiguous", "MultilineHeader")
    );
    let seen = served.seen.unwrap();
    assert_eq!(
        (seen.value("X"), seen.value("continued")),
        (Some("b"), Some(""))
    );
    assert_eq!(served.kept, NONE);
    // Stricter than ALB: with a colon behind them, these could be read in several ways.
    for more in [
        " c d",
        " Content-Length: 5",
        " Transfer-Encoding: chunked",
        " c: d",
    ] {
        let refused = outcome("defensive", folded(more)).await;
        assert_eq!(refused.response.status(), 400, "{more:?}");
        assert!(refused.seen.is_none() && !refused.kept.client, "{more:?}");
    }
}

#[tokio::test]
async fn a_multi_line_content_type_is_compliant_and_joined() {
    let request = format!(
        "{POST}Content-Type: multipart/related;\r\n type=\"text/xml\";\r\n\tboundary=b\r\n\
         Content-Length: 2\r\n\r\nok"
    );
    for mode in MODES {
        let outcome = outcome(mode, &request).await;
        let seen = outcome.seen.unwrap();
        let joined = "multipart/related; type=\"text/xml\"; boundary=b";
        assert_eq!(seen.value("Content-Type"), Some(joined), "{mode}");
        assert_eq!(
            (outcome.class.as_str(), outcome.kept),
            ("-", BOTH),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn http_0_9_is_served_and_its_connection_closed() {
    for request in [
        "GET /old\r\n",
        "GET /old HTTP/0.9\r\n\r\n",
        "GET /old\r\nX: y\r\n\r\n",
    ] {
        let outcome = outcome("defensive", request).await;
        assert_eq!(outcome.reason, "NonCompliantVersion", "{request:?}");
        let seen = outcome.seen.unwrap();
        assert_eq!(seen.start_line(), "GET /old HTTP/1.1", "{request:?}");
        // ALB inserts a host name where a client gives none. HTTP/0.9 has no fields.
        assert!(
            seen.value("Host").is_some() && seen.value("X").is_none(),
            "{request:?}"
        );
        // The answer has a head: a body alone could be made to look like one.
        assert_eq!(
            outcome.response.start_line(),
            "HTTP/1.1 200 OK",
            "{request:?}"
        );
        assert!(!outcome.kept.client, "{request:?}");
    }
    let refused = outcome("strictest", "GET /old\r\n").await;
    assert_eq!(refused.response.status(), 400);
}

#[tokio::test]
async fn white_space_in_the_name_of_a_framing_field_is_refused_in_all_modes() {
    // ALB forwards it and closes; RFC 9112 section 5.1 wants 400.
    for name in [
        "Content-Length ",
        "Transfer-Encoding\t",
        "\u{1}Content-Length",
        "Content Length",
    ] {
        for mode in MODES {
            let outcome = outcome(mode, format!("{POST}{name}: 5\r\n\r\nhello")).await;
            assert_eq!(outcome.response.status(), 400, "{mode} {name:?}");
            assert!(
                outcome.seen.is_none() && !outcome.kept.client,
                "{mode} {name:?}"
            );
        }
    }
}

#[tokio::test]
async fn non_compliant_requests_are_counted_by_class_and_reason() {
    let (_target, elbow) = in_mode("defensive").await;
    for request in [
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        Client::connect(elbow.address()).await.ask(request).await;
    }
    let row = "elbow_non_compliant_requests_total";
    for (class, reason, count) in [
        ("Acceptable", "SpaceInUri", 2.0),
        ("Ambiguous", "UndefinedContentLengthSemantics", 1.0),
        ("Severe", "BadHeader", 1.0),
    ] {
        let labels = format!("{row}{{class=\"{class}\",reason=\"{reason}\"}}");
        elbow.expect_metric(&labels, count).await;
    }
    elbow.expect_metric(row, 4.0).await;
}

#[tokio::test]
async fn a_reload_changes_the_mode_for_open_connections_too() {
    let target = Target::saying("fine").await;
    let text = |mode: &str| {
        format!(
            "[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
             listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
             desync_mitigation = \"{mode}\"\n\
             [[target_group]]\nname = \"group\"\nhealth_check = {{ enabled = false }}\n{}\n",
            target.line()
        )
    };
    let elbow = Elbow::start_from_file(&text("monitor")).await;
    let mut client = Client::connect(elbow.address()).await;
    let odd = "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(client.ask(odd).await.status(), 200);
    elbow.apply(&text("strictest")).await.unwrap();
    assert_eq!(client.ask(odd).await.status(), 400);
    client.expect_closed().await;
}

/// The cases that AWS publishes, in all three modes.
#[tokio::test]
async fn the_cases_that_aws_publishes_fare_as_its_table_of_modes_says() {
    for mode in MODES {
        let (target, elbow) = in_mode(mode).await;
        for case in crate::cases::all() {
            let head = String::from_utf8_lossy(&case.head);
            let class = elbow::http1::classify(&case.head).class().as_str();
            let allowed = match mode {
                "monitor" => true,
                "defensive" => class != "Severe",
                _ => class == "Compliant",
            };
            let before = target.requests().len();
            let mut client = Client::connect(elbow.address()).await;
            let request = with_host_and_body(&case.head);
            // It may be refused before all of its body is there.
            let _ = client.wire.try_send(&request).await;
            let response = client.response_to(head.split(' ').next().unwrap()).await;
            let seen = target.requests().split_off(before);
            seen.iter().for_each(assert_one_reading);
            if !allowed {
                assert!(
                    response.status() >= 400 && seen.is_empty(),
                    "{mode}, {}",
                    case.name
                );
                client.expect_closed().await;
                continue;
            }
            let must_close = class == "Ambiguous" && mode == "defensive" || class == "Severe";
            if response.status() != 200 {
                assert!(seen.is_empty(), "{mode}, {}", case.name);
                let severe = class == "Severe" && mode == "monitor";
                let stricter = severe || is_refused_in_all_modes(&head, response.status());
                assert!(
                    stricter,
                    "{mode}, {}, {}: {head:?}",
                    case.name,
                    response.status()
                );
            } else if must_close {
                client.expect_closed().await;
            }
        }
    }
}

/// Where we refuse what ALB's table lets through: the manual knows no other codings than chunked
/// and identity, and the rest has no form that every reader takes alike.
fn is_refused_in_all_modes(head: &str, status: u16) -> bool {
    let (line, fields) = head.split_once("\r\n").unwrap();
    let fields: Vec<&str> = fields.split_terminator("\r\n").collect();
    let letters = |name: &str| -> String {
        let name = name
            .replace('\u{131}', "i")
            .replace('\u{17f}', "s")
            .to_lowercase();
        name.chars().filter(char::is_ascii_alphabetic).collect()
    };
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let disguised = fields.iter().any(|field| {
        let (name, _) = field.split_once(':').unwrap_or_default();
        let spelt = letters(name);
        !name.chars().all(is_token) && ["transferencoding", "contentlength"].contains(&&*spelt)
    });
    let folded = fields
        .iter()
        .any(|field| field.starts_with([' ', '\t']) && field.contains(':'));
    let without_colon = fields
        .iter()
        .flat_map(|field| field.split('\n'))
        .any(|field| !field.contains(':') && !field.chars().all(is_token));
    match status {
        501 => head.contains("identity") || head.contains("gzip") || head.contains("chunked;"),
        505 => line.starts_with("POST ") && line.ends_with("HTTP/0.9"),
        _ if line.starts_with("POST ") && !line.contains("HTTP/") => true,
        _ if line.contains('#') || line.split(' ').any(str::is_empty) => true,
        _ => disguised || folded || without_colon,
    }
}

/// The cases are heads only, and name no host.
fn with_host_and_body(head: &[u8]) -> Vec<u8> {
    let line_end = head.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
    let text = String::from_utf8_lossy(head);
    let digits = |line: &str| -> String { line.chars().filter(char::is_ascii_digit).collect() };
    let lengths = text
        .lines()
        .filter(|line| line.to_lowercase().contains("content"));
    let longest = lengths
        .filter_map(|line| digits(line).parse::<usize>().ok())
        .max();
    let mut body = b"0\r\n\r\n".to_vec();
    body.resize(longest.unwrap_or(0).clamp(5, 5_000_000), b'x');
    [&head[..line_end], b"Host: a\r\n", &head[line_end..], &body].concat()
}
