//! Bodies both ways, whatever delimits them, and responses that have none.

use crate::support::{Client, Elbow, Target};

const LENGTH: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_body_with_a_length_keeps_it_and_a_chunked_one_stays_chunked() {
    let target = Target::answering(LENGTH).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let post = "POST / HTTP/1.1\r\nHost: a\r\n";
    for framed in [
        "Content-Length: 5\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        "transfer-encoding: CHUNKED\r\n\r\n5\r\nhello\r\n000\r\nX-Sum: 9\r\nHost: b\r\n\r\n",
        "Content-Length: 0\r\n\r\n",
        "\r\n",
    ] {
        assert_eq!(client.ask(format!("{post}{framed}")).await.text(), "ok");
    }
    let seen: Vec<_> = target
        .requests()
        .iter()
        .map(|request| {
            let length = request.value("Content-Length").unwrap_or("-").to_owned();
            let encoding = request.value("Transfer-Encoding").unwrap_or("-").to_owned();
            let body = request.text().to_owned();
            (length, encoding, body, request.trailers.clone())
        })
        .collect();
    let expected = [
        ("5", "-", "hello", ""),
        ("-", "chunked", "hello", ""),
        ("-", "chunked", "hello", "X-Sum: 9\r\n"),
        ("0", "-", "", ""),
        ("-", "-", "", ""),
    ];
    let expected =
        expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c.to_owned(), d.to_owned()));
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn trailers_of_a_response_pass_but_those_that_frame() {
    let target = Target::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
         3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n",
    )
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..2 {
        let response = client.get("/").await;
        assert_eq!(response.text(), "abcde");
        assert_eq!(response.value("Trailer"), Some("X-Sum"));
        assert_eq!(response.trailers, "X-Sum: 1\r\n");
    }
    assert_eq!(target.connections(), 1);
}

#[tokio::test]
async fn an_empty_chunked_response_is_complete() {
    let empty = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let target = Target::answering(empty).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..2 {
        let response = client.get("/").await;
        assert_eq!((response.status(), response.text()), (200, ""));
    }
}

#[tokio::test]
async fn responses_without_a_body_leave_the_connection_in_step() {
    for (method, said, length) in [
        ("HEAD", "200 OK\r\nContent-Length: 500", Some("500")),
        ("HEAD", "200 OK\r\nTransfer-Encoding: chunked", None),
        (
            "GET",
            "304 Not Modified\r\nContent-Length: 500",
            Some("500"),
        ),
        ("GET", "204 No Content\r\nContent-Length: 500", None),
    ] {
        let target = Target::answering(format!("HTTP/1.1 {said}\r\n\r\n")).await;
        let elbow = Elbow::before(&[&target], "", "").await;
        let mut client = Client::connect(elbow.address()).await;
        for _ in 0..2 {
            client
                .send(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"))
                .await;
            let response = client.response_to(method).await;
            assert!(said.starts_with(&response.status().to_string()));
            assert_eq!(response.value("Content-Length"), length, "{said}");
            assert_eq!(response.value("Connection"), None);
        }
        assert_eq!(target.connections(), 1, "{said}");
        // Nothing of a body may have come: what comes next is the next answer.
        assert_eq!(client.wire.unread, b"");
    }
}

#[tokio::test]
async fn early_hints_pass_and_100_does_not() {
    let target = Target::answering(format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\
         Connection: x\r\n\r\n{LENGTH}"
    ))
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let hints = client.get("/").await;
    assert_eq!(
        hints.head,
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    );
    assert_eq!(client.response().await.text(), "ok");

    let mut old = Client::connect(elbow.address()).await;
    let response = old.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!((response.status(), response.text()), (200, "ok"));
    let log = elbow.log(2).await;
    assert_eq!(log[0].number("target_status_code"), Some(200.0));
}

#[tokio::test]
async fn a_client_that_expects_100_gets_it_at_once_and_the_target_hears_nothing_of_it() {
    let target = Target::answering(LENGTH).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let interim = client.ask(post).await;
    assert_eq!(interim.head, "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.ask("hello").await.text(), "ok");
    let request = target.request();
    assert_eq!((request.value("Expect"), request.text()), (None, "hello"));

    // With the body there already, nobody waits for anything.
    assert_eq!(client.ask(format!("{post}hello")).await.text(), "ok");
    // HTTP/1.0 knows no 100 (RFC 9110 section 10.1.1).
    let mut old = Client::connect(elbow.address()).await;
    let post = post.replace("HTTP/1.1", "HTTP/1.0");
    old.send(post).await;
    assert_eq!(old.ask("hello").await.text(), "ok");
}

#[tokio::test]
async fn a_response_up_to_the_close_is_chunked_for_1_1_and_closes_for_1_0() {
    let target = Target::raw(|stream, _| async move {
        let mut wire = crate::support::Wire::new(stream);
        wire.request().await;
        wire.send("HTTP/1.1 200 OK\r\n\r\nall").await;
        wire.send(" of it").await;
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..2 {
        let response = client.get("/").await;
        assert_eq!(response.value("Transfer-Encoding"), Some("chunked"));
        assert_eq!(response.text(), "all of it");
    }
    let mut old = Client::connect(elbow.address()).await;
    let response = old
        .ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        .await;
    assert!(response.until_close);
    assert_eq!(response.value("Transfer-Encoding"), None);
    assert_eq!(response.text(), "all of it");
}

#[tokio::test]
async fn a_chunked_response_reaches_an_http_1_0_client_without_its_chunks() {
    let target = Target::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\nA: b\r\n\r\n",
    )
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut old = Client::connect(elbow.address()).await;
    let response = old.ask("GET / HTTP/1.0\r\n\r\n").await;
    assert!(response.until_close);
    assert_eq!(response.text(), "abcd");
}

#[tokio::test]
async fn an_http_1_0_client_stays_connected_only_if_it_asks() {
    let target = Target::answering(LENGTH).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..2 {
        let response = client
            .ask("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            .await;
        assert_eq!(response.value("Connection"), Some("keep-alive"));
    }
    assert_eq!(client.ask("GET / HTTP/1.0\r\n\r\n").await.text(), "ok");
    client.expect_closed().await;
}

#[tokio::test]
async fn connection_close_is_honoured_and_announced() {
    let target = Target::answering(LENGTH).await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let response = client
        .ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n")
        .await;
    assert_eq!(response.value("Connection"), Some("close"));
    client.expect_closed().await;
    // The client's wish concerns its own connection only.
    Client::connect(elbow.address()).await.get("/").await;
    assert_eq!(target.connections(), 1);
}

#[tokio::test]
async fn a_http_1_0_target_is_understood() {
    let target = Target::raw(|stream, _| async move {
        let mut wire = crate::support::Wire::new(stream);
        wire.request().await;
        wire.send("HTTP/1.0 200 OK\nContent-Length: 2\n\nok").await;
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..3 {
        let response = client.get("/").await;
        assert_eq!(response.start_line(), "HTTP/1.1 200 OK");
        assert_eq!(response.text(), "ok");
    }
    assert_eq!(target.connections(), 3);
}
