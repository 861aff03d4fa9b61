//! Responses that are none, that break off, or that come too early; and what goes through in bulk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::support::{Client, Elbow, SOON, Target, Wire, eventually};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A target that reads one request of each connection, sends these bytes, and closes.
async fn once(response: impl AsRef<[u8]>) -> Target {
    let response: Arc<[u8]> = response.as_ref().into();
    Target::scripted(move |mut wire: Wire, _, _| {
        let response = Arc::clone(&response);
        async move {
            let _ = wire.try_send(response).await;
            None
        }
    })
    .await
}

#[tokio::test]
async fn a_malformed_response_is_502_and_nothing_of_it_reaches_the_client() {
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked";
    let with = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\nhello");
    let cases = [
        ("garbage", "evil evil evil\r\n\r\n".to_owned()),
        ("HTTP/2", "HTTP/2 200 OK\r\n\r\n".to_owned()),
        ("two digits", "HTTP/1.1 20 OK\r\n\r\n".to_owned()),
        ("status 099", "HTTP/1.1 099 OK\r\n\r\n".to_owned()),
        ("length and coding", with(both)),
        (
            "two lengths",
            with("Content-Length: 5\r\nContent-Length: 6"),
        ),
        ("odd length", with("Content-Length: five")),
        ("odd coding", with("Transfer-Encoding: evil")),
        ("folded field", with("X-A: evil\r\n evil")),
        ("NUL", with("X-A: evil\0")),
        ("space before the colon", with("X-A : evil")),
        (
            "bad first chunk",
            with("Transfer-Encoding: chunked\r\n\r\nevil"),
        ),
        (
            "line of white space among lone LFs",
            "HTTP/1.1 200 OK\nX-A: b\n\x0c\nX-B: evil\nContent-Length: 4\n\nevil".to_owned(),
        ),
        (
            "head over 32 KiB",
            with(&format!("X-A: {}", "evil".repeat(9000))),
        ),
        (
            "endless head",
            format!("HTTP/1.1 200 OK\r\nX-A: {}", "evil".repeat(20_000)),
        ),
        (
            "unasked upgrade",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n".to_owned(),
        ),
    ];
    for (name, response) in cases {
        eprintln!("{name}");
        let target = once(response).await;
        let elbow = Elbow::before(&[&target], "", "").await;
        let mut client = Client::connect(elbow.address()).await;
        let response = client.get("/").await;
        assert_eq!(response.status(), 502, "{name}");
        assert!(!response.text().contains("evil") && !response.head.contains("evil"));
        assert_eq!(target.requests().len(), 1, "{name}");
        let line = elbow.log_line().await;
        assert_eq!(line.number("elb_status_code"), Some(502.0), "{name}");
        assert_eq!(line.number("target_status_code"), None, "{name}");
        let reason = line.text("error_reason");
        let expected = [
            "ResponseHeadInvalid",
            "ResponseBodyInvalid",
            "UpgradeUnasked",
        ];
        assert!(expected.contains(&reason), "{name}: {reason}");
    }
}

#[tokio::test]
async fn a_response_that_breaks_off_is_shown_to_be_cut() {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    for (said, more, version) in [
        ("Content-Length: 10\r\n\r\nhello", "", "1.1"),
        (chunked, "", "1.1"),
        (chunked, "zz\r\n", "1.1"),
        ("Content-Length: 10\r\n\r\nhello", "", "1.0"),
        (chunked, "", "1.0"),
    ] {
        let target = Target::scripted(move |mut wire: Wire, _, _| async move {
            wire.send(format!("HTTP/1.1 200 OK\r\n{said}")).await;
            // When that has gone through, there is no way back.
            sleep(Duration::from_millis(50)).await;
            wire.send(more).await;
            None
        })
        .await;
        let elbow = Elbow::before(&[&target], "", "").await;
        let mut client = Client::connect(elbow.address()).await;
        client
            .send(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"))
            .await;
        let head = client.wire.head().await.unwrap();
        assert_eq!(head.status(), 200);
        let (body, clean) = client.wire.rest().await;
        assert!(!body.ends_with(b"0\r\n\r\n"), "{said}");
        if head.value("Content-Length").is_none() && version == "1.0" {
            // Without a length or chunks, only a reset tells the end from a cut.
            assert!(!clean, "the client cannot tell that {said:?} is cut");
        }
        let line = elbow.log_line().await;
        assert_eq!(line.number("elb_status_code"), Some(200.0));
        assert_eq!(line.text("error_reason"), "ResponseBodyInvalid");
        elbow.expect_metric("elbow_target_connections", 0.0).await;
    }
}

#[tokio::test]
async fn a_response_may_come_before_the_request_is_complete() {
    let target = Target::raw(|stream, _| async move {
        let mut wire = Wire::new(stream);
        wire.head().await.unwrap();
        wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
            .await;
        let _ = wire.rest().await;
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let response = client
        .ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nstart")
        .await;
    assert_eq!((response.status(), response.text()), (413, "no!"));
    // The rest of the body is not waited for, and the client is told so.
    assert_eq!(response.value("Connection"), Some("close"));
    client.expect_closed().await;
    assert_eq!(
        elbow.log_line().await.number("elb_status_code"),
        Some(413.0)
    );
}

#[tokio::test]
async fn a_target_may_answer_while_it_reads() {
    // Sends each piece of the body back as it comes.
    let target = Target::raw(|stream, _| async move {
        let mut wire = Wire::new(stream);
        wire.head().await.unwrap();
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
            .await;
        for _ in 0..2 {
            let piece = wire.take(4).await.unwrap();
            wire.send(piece).await;
        }
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n")
        .await;
    let head = client.wire.head().await.unwrap();
    assert_eq!(head.status(), 200);
    for piece in ["abcd", "efgh"] {
        client.send(piece).await;
        assert_eq!(client.wire.take(4).await.unwrap(), piece.as_bytes());
    }
}

const BULK: usize = 200 << 20;
const PIECE: usize = 1 << 18;

/// What socket buffers on the way and the daemon may hold together; Linux gives a socket at most
/// 6 MiB to receive and 4 MiB to send unless it is told otherwise.
const HELD: usize = 48 << 20;

/// Waits until a counter has not moved for a while.
async fn stands_still(counter: &AtomicUsize) -> usize {
    let (mut last, mut since) = (0, Instant::now());
    eventually(SOON, "the sender is held back", || {
        let now = counter.load(Ordering::Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        last > 0 && since.elapsed() > Duration::from_millis(300)
    })
    .await;
    last
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_target_back() {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let target = Target::raw(move |stream, _| {
        let counter = Arc::clone(&counter);
        async move {
            let mut wire = Wire::new(stream);
            wire.request().await;
            wire.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {BULK}\r\n\r\n"))
                .await;
            let piece = vec![7; PIECE];
            for _ in 0..BULK / PIECE {
                wire.send(&piece).await;
                counter.fetch_add(PIECE, Ordering::Relaxed);
            }
        }
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    client.send(GET).await;
    let held = stands_still(&written).await;
    assert!(held < HELD, "{held} bytes were taken from the target");
    client.wire.head().await.unwrap();
    let mut count = client.wire.unread.len();
    let mut scrap = vec![0; PIECE];
    while count < BULK {
        let read = client.wire.stream.read(&mut scrap).await.unwrap();
        assert!(read > 0 && scrap[..read].iter().all(|byte| *byte == 7));
        count += read;
    }
    assert_eq!(count, BULK);
    let line = elbow.log_line().await;
    assert!(line.number("sent_bytes").unwrap() > BULK as f64);
}

#[tokio::test]
async fn a_target_that_does_not_read_holds_the_client_back() {
    let (go, gone) = tokio::sync::watch::channel(false);
    let target = Target::raw(move |stream, _| {
        let mut gone = gone.clone();
        async move {
            let mut wire = Wire::new(stream);
            wire.head().await.unwrap();
            gone.wait_for(|go| *go).await.unwrap();
            let mut count = wire.unread.len();
            let mut scrap = vec![0; PIECE];
            while count < BULK {
                count += wire.stream.read(&mut scrap).await.unwrap();
            }
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
            sleep(SOON).await;
        }
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BULK}\r\n\r\n"
        ))
        .await;
    let Client { wire, .. } = client;
    let (mut reader, mut writer) = wire.stream.into_split();
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let upload = tokio::spawn(async move {
        let piece = vec![7; PIECE];
        for _ in 0..BULK / PIECE {
            writer.write_all(&piece).await.unwrap();
            counter.fetch_add(PIECE, Ordering::Relaxed);
        }
        writer
    });
    let held = stands_still(&written).await;
    assert!(held < HELD, "{held} bytes were taken from the client");
    go.send(true).unwrap();
    let _writer = upload.await.unwrap();
    let mut start = [0; 15];
    reader.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    let line = elbow.log_line().await;
    assert!(line.number("received_bytes").unwrap() > BULK as f64);
}
