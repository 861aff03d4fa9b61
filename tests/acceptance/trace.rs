//! `X-Amzn-Trace-Id`: the four cases of ALB's manual.

use crate::support::{Client, Elbow, LogLine, Target};

/// What the target gets when the client sends this, and what the access log says.
async fn traced(sent: &str) -> (String, LogLine) {
    let target = Target::saying("").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let head = format!("GET / HTTP/1.1\r\nHost: site.test\r\n{sent}\r\n");
    assert_eq!(client.ask(head).await.status(), 200);
    let request = target.request();
    let values = request.values("X-Amzn-Trace-Id");
    assert_eq!(values.len(), 1);
    (values[0].to_owned(), elbow.log_line().await)
}

/// `1-`, 8 digits of the time, `-`, 24 digits.
fn is_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let are_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    matches!(&parts[..], ["1", time, random]
        if time.len() == 8 && random.len() == 24 && are_hex(time) && are_hex(random))
}

#[tokio::test]
async fn without_the_field_a_root_is_added_and_logged() {
    let (value, line) = traced("").await;
    assert!(is_id(value.strip_prefix("Root=").unwrap()), "{value}");
    assert_eq!(line.text("trace_id"), value);
}

#[tokio::test]
async fn a_root_is_kept_with_its_custom_fields_and_a_self_stands_in_front() {
    let root = "Root=1-67891233-abcdef012345678912345678;CalledFrom=app";
    let (value, line) = traced(&format!("X-Amzn-Trace-Id: {root}\r\n")).await;
    let (own, rest) = value.split_once(';').unwrap();
    assert!(is_id(own.strip_prefix("Self=").unwrap()), "{value}");
    assert_eq!(rest, root);
    assert_eq!(line.text("trace_id"), value);
}

#[tokio::test]
async fn a_self_is_replaced() {
    let root = "Root=1-67891233-abcdef012345678912345678;CalledFrom=app";
    let sent = format!("X-Amzn-Trace-Id: Self=1-67891234-12456789abcdef012345678;{root}\r\n");
    let (value, _) = traced(&sent).await;
    let (own, rest) = value.split_once(';').unwrap();
    assert!(is_id(own.strip_prefix("Self=").unwrap()), "{value}");
    assert_eq!(rest, root);
}

#[tokio::test]
async fn a_field_of_more_than_7_kb_is_written_anew_with_a_root() {
    let long = format!("X-Amzn-Trace-Id: Root=1-2-3;A={}\r\n", "x".repeat(7 * 1024));
    let (value, _) = traced(&long).await;
    assert!(is_id(value.strip_prefix("Root=").unwrap()), "{value}");
}
