//! Answers of the balancer's own: TRACE, unsupported transfer codings, heads that are too large.

use crate::support::{Client, Elbow, Target};

async fn before() -> (Target, Elbow) {
    let target = Target::saying("fine").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    (target, elbow)
}

#[tokio::test]
async fn trace_is_answered_405() {
    let (target, elbow) = before().await;
    let mut client = Client::connect(elbow.address()).await;
    let answer = client
        .ask("TRACE / HTTP/1.1\r\nHost: site.test\r\n\r\n")
        .await;
    assert_eq!(answer.status(), 405);
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn an_unsupported_transfer_encoding_is_answered_501() {
    let (target, elbow) = before().await;
    for coding in ["gzip", "compress", "deflate", "br"] {
        let mut client = Client::connect(elbow.address()).await;
        let head =
            format!("POST / HTTP/1.1\r\nHost: site.test\r\nTransfer-Encoding: {coding}\r\n\r\n");
        assert_eq!(client.ask(head).await.status(), 501, "{coding}");
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn headers_of_65_k_are_answered_400_and_of_63_k_served() {
    let (target, elbow) = before().await;
    for (kib, status) in [(63, 200), (65, 400)] {
        // In fields of 1 KiB each: name, colon, space, value and the end of the line.
        let field = format!("X-Field: {}\r\n", "x".repeat(1024 - 11));
        assert_eq!(field.len(), 1024);
        let head = format!(
            "GET / HTTP/1.1\r\nHost: site.test\r\n{}\r\n",
            field.repeat(kib)
        );
        let mut client = Client::connect(elbow.address()).await;
        assert_eq!(client.ask(head).await.status(), status, "{kib} KiB");
    }
    assert_eq!(target.requests().len(), 1);
}
