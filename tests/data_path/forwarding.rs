//! What a target sees of a request, byte for byte.

use crate::support::{Client, Elbow, Target};

#[tokio::test]
async fn a_request_reaches_the_target_and_its_response_the_client() {
    let target = Target::saying("hello").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    let response = client.get("/a?b=c").await;
    assert_eq!((response.status(), response.text()), (200, "hello"));
    assert_eq!(target.request().start_line(), "GET /a?b=c HTTP/1.1");
    let line = elbow.log_line().await;
    assert_eq!(line.number("elb_status_code"), Some(200.0));
    elbow.expect_metric("elbow_requests_total", 1.0).await;
}
