//! Requests over TLS: what targets see, what the access log says, and that no byte is lost.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Certificates, Client, Elbow, Target, Wire};
use crate::{TLS12, TLS13, configuration, https};

#[tokio::test]
async fn a_target_is_told_that_its_client_came_by_https() {
    let target = Target::saying("hello").await;
    let (elbow, certificates) = https(&target).await;
    let mut client = certificates
        .visitor()
        .visit(elbow.address(), "site.test")
        .await;
    assert_eq!(client.get("/a?b").await.text(), "hello");
    let seen = target.request();
    let port = elbow.address().port().to_string();
    assert_eq!(seen.value("X-Forwarded-Proto"), Some("https"));
    assert_eq!(seen.value("X-Forwarded-Port"), Some(&*port));
    assert_eq!(seen.value("X-Forwarded-For"), Some("127.0.0.1"));
}

#[tokio::test]
async fn targets_learn_version_and_cipher_suite_only_if_they_are_to_and_only_from_the_balancer() {
    let claimed = "X-Amzn-Tls-Version: TLSv9\r\nX-Amzn-Tls-Cipher-Suite: NULL\r\nX-My-Tls: x\r\n";
    let request = format!("GET / HTTP/1.1\r\nHost: site.test\r\n{claimed}\r\n");
    let attribute = "x_amzn_tls_version_and_cipher_suite = true";
    let renamed = "request_header_names = { x_amzn_tls_version = \"X-My-Tls\" }";
    for (attribute, listener, version, cipher, mine) in [
        ("", "", Some("TLSv9"), Some("NULL"), Some("x")),
        (
            attribute,
            "",
            Some("TLSv1.3"),
            Some("TLS_AES_128_GCM_SHA256"),
            Some("x"),
        ),
        (
            attribute,
            renamed,
            None,
            Some("TLS_AES_128_GCM_SHA256"),
            Some("TLSv1.3"),
        ),
    ] {
        let target = Target::saying("hello").await;
        let certificates = Certificates::new();
        let site = certificates.make("site", &["site.test"]);
        let text = configuration(&target, &[&site], listener);
        let text = text.replace("tls_handshake", &format!("{attribute}\ntls_handshake"));
        let elbow = Elbow::start(&text).await;
        let visitor = certificates.visitor_of(TLS13);
        let mut client = visitor.visit(elbow.address(), "site.test").await;
        assert_eq!(client.ask(&request).await.status(), 200);
        let seen = target.request();
        assert_eq!(
            seen.value("X-Amzn-Tls-Version"),
            version,
            "{attribute} {listener}"
        );
        assert_eq!(
            seen.value("X-Amzn-Tls-Cipher-Suite"),
            cipher,
            "{attribute} {listener}"
        );
        assert_eq!(seen.value("X-My-Tls"), mine, "{attribute} {listener}");
    }
}

#[tokio::test]
async fn the_log_names_cipher_version_host_and_certificate() {
    let target = Target::saying("hello").await;
    let (elbow, certificates) = https(&target).await;
    for (version, cipher, name) in [
        (TLS13, "TLS_AES_128_GCM_SHA256", "TLSv1.3"),
        (TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2"),
    ] {
        let visitor = certificates.visitor_of(version);
        let mut client = visitor.visit(elbow.address(), "site.test").await;
        client.get("/").await;
        let count = if name == "TLSv1.3" { 1 } else { 2 };
        let line = elbow.log(count).await.pop().unwrap();
        assert_eq!(line.text("type"), "https");
        assert_eq!(line.text("ssl_cipher"), cipher);
        assert_eq!(line.text("ssl_protocol"), name);
        assert_eq!(line.text("domain_name"), "site.test");
        assert_eq!(line.text("chosen_cert_arn"), "site");
        assert_eq!(
            line.text("request_url"),
            "https://site.test:443/".replace("443", &port(&elbow))
        );
    }
}

fn port(elbow: &Elbow) -> String {
    elbow.address().port().to_string()
}

#[tokio::test]
async fn bodies_of_any_size_go_both_ways_unharmed() {
    let target = Target::scripted(|mut wire, request, _| async move {
        let length = request.body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        wire.try_send(head).await.ok()?;
        wire.try_send(&request.body).await.ok()?;
        Some(wire)
    })
    .await;
    let (elbow, certificates) = https(&target).await;
    let client = certificates
        .visitor()
        .visit(elbow.address(), "site.test")
        .await;
    let Client { wire, .. } = client;
    let (mut reader, mut writer) = tokio::io::split(wire.stream);
    for size in [0, 1, 16_383, 16_384, 16_385, 100_000, 5_000_000] {
        let body: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
        let head = format!("POST / HTTP/1.1\r\nHost: site.test\r\nContent-Length: {size}\r\n\r\n");
        let send = async {
            writer.write_all(head.as_bytes()).await.unwrap();
            writer.write_all(&body).await.unwrap();
            writer.flush().await.unwrap();
        };
        let receive = async {
            let mut received = Vec::new();
            loop {
                let end = received
                    .windows(4)
                    .position(|part: &[u8]| part == b"\r\n\r\n");
                if end.is_some_and(|end| received.len() == end + 4 + size) {
                    return received.split_off(end.unwrap() + 4);
                }
                assert!(
                    reader.read_buf(&mut received).await.unwrap() > 0,
                    "cut short"
                );
            }
        };
        let ((), received) = tokio::join!(send, receive);
        assert!(received == body, "{size} bytes came back otherwise");
    }
}

#[tokio::test]
async fn a_connection_that_ends_is_announced_and_one_that_breaks_is_not() {
    let target = Target::scripted(|mut wire, request, _| async move {
        let part = "HTTP/1.1 200 OK\r\n\r\npart";
        wire.try_send(part).await.ok()?;
        if request.start_line().contains("/broken") {
            let linger = Some(std::time::Duration::ZERO);
            socket2::SockRef::from(&wire.stream)
                .set_linger(linger)
                .unwrap();
        }
        None
    })
    .await;
    let (elbow, certificates) = https(&target).await;
    for (path, clean) in [("/whole", true), ("/broken", false)] {
        let mut client = certificates
            .visitor()
            .visit(elbow.address(), "site.test")
            .await;
        client
            .send(format!("GET {path} HTTP/1.0\r\nHost: site.test\r\n\r\n"))
            .await;
        let mut received = Vec::new();
        let end = client.wire.stream.read_to_end(&mut received).await;
        assert_eq!(end.is_ok(), clean, "{path}: {end:?}");
        if clean {
            assert!(received.ends_with(b"part"));
        }
    }
}

#[tokio::test]
async fn a_web_socket_over_tls_is_logged_as_wss() {
    let target = Target::scripted(|mut wire, _, _| async move {
        let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\
                      Upgrade: websocket\r\n\r\n";
        wire.try_send(switch).await.ok()?;
        let mut echo = [0; 4];
        while wire.stream.read_exact(&mut echo).await.is_ok() {
            wire.try_send(echo).await.ok()?;
        }
        None::<Wire>
    })
    .await;
    let (elbow, certificates) = https(&target).await;
    let mut client = certificates
        .visitor()
        .visit(elbow.address(), "site.test")
        .await;
    let upgrade = "GET /chat HTTP/1.1\r\nHost: site.test\r\nConnection: upgrade\r\n\
                   Upgrade: websocket\r\n\r\n";
    assert_eq!(client.ask(upgrade).await.status(), 101);
    for word in ["ping", "pong"] {
        client.send(word).await;
        assert_eq!(client.wire.take(4).await.unwrap(), word.as_bytes());
    }
    client.wire.stream.shutdown().await.unwrap();
    client.expect_closed().await;
    let line = elbow.log_line().await;
    assert_eq!(line.text("type"), "wss");
    let url = line.text("request_url");
    assert!(url.starts_with("wss://site.test:"), "{url}");
}

#[tokio::test]
async fn a_redirect_keeps_the_protocol_that_the_client_came_by() {
    let target = Target::saying("never asked").await;
    let certificates = crate::Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let rule = "[[load_balancer.listener.rule]]\n\
                priority = 1\n\
                path = [\"/old\"]\n\
                redirect = { path = \"/new\", status = 302 }";
    let elbow = Elbow::start(&configuration(&target, &[&site], rule)).await;
    let mut client = certificates
        .visitor()
        .visit(elbow.address(), "site.test")
        .await;
    let answer = client.get("/old").await;
    assert_eq!(answer.status(), 302);
    let location = format!("https://site.test:{}/new", port(&elbow));
    assert_eq!(answer.value("Location"), Some(&*location));
}

#[tokio::test]
async fn pipelined_requests_and_a_slow_reader_are_served_in_order() {
    let target = Target::scripted(|mut wire, request, _| async move {
        let path = request.start_line().split(' ').nth(1).unwrap().to_owned();
        let body = path.repeat(20_000);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.try_send(head + &body).await.ok()?;
        Some(wire)
    })
    .await;
    let (elbow, certificates) = https(&target).await;
    let mut client = certificates
        .visitor()
        .visit(elbow.address(), "site.test")
        .await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: site.test\r\n\r\n");
    client.send(get("/one") + &get("/two") + &get("/six")).await;
    for path in ["/one", "/two", "/six"] {
        assert_eq!(client.response().await.text(), path.repeat(20_000));
    }
}

#[tokio::test]
async fn over_https_chromium_gets_the_cookie_beside_the_applications_for_other_sites_too() {
    let answer = "HTTP/1.1 200 OK\r\nSet-Cookie: session=1; Path=/\r\nContent-Length: 2\r\n\r\nok";
    let target = Target::answering(answer).await;
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let text = configuration(&target, &[&site], "")
        + "stickiness = { enabled = true, type = \"app_cookie\", cookie_name = \"session\" }\n";
    let elbow = Elbow::start(&text).await;
    let visitor = certificates.visitor();
    let mut client = visitor.visit(elbow.address(), "site.test").await;
    for (agent, is_for_others) in [("Chrome/126.0.0.0", true), ("Firefox/133.0", false)] {
        let head = format!("GET / HTTP/1.1\r\nHost: site.test\r\nUser-Agent: {agent}\r\n\r\n");
        let response = client.ask(head).await;
        let cookies = response.values("Set-Cookie");
        assert!(cookies[1].starts_with("AWSALBAPP-0="), "{cookies:?}");
        let ends = cookies[1].ends_with("; SameSite=None; Secure");
        assert_eq!(ends, is_for_others, "{cookies:?}");
    }
}
