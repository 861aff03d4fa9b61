//! Classic's surge queue over real sockets: requests that wait while every instance is full.

use crate::scene::{Group, Site, asking};
use crate::support::{Client, Elbow, SOON, eventually};

/// A Classic load balancer before these instances, each of which takes one request at a time.
fn before(sites: &[&Site], queue: &str) -> String {
    let targets: Vec<String> = sites.iter().map(|site| site.entry("")).collect();
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         type = \"classic\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
         [[target_group]]\n\
         name = \"group\"\n\
         max_concurrency = 1\n\
         {queue}\n\
         health_check = {{ protocol = \"HTTP\", path = \"/probe\", interval = \"200ms\", \
                           timeout = \"190ms\", healthy_threshold = 2, unhealthy_threshold = 3 }}\n\
         targets = [{}]\n",
        targets.join(", ")
    )
}

async fn in_service(site: &Site, queue: &str) -> Elbow {
    let elbow = Elbow::start(&before(&[site], queue)).await;
    Group(&elbow, "group").expect_healthy(&[site]).await;
    elbow
}

/// How many wait, and how many have spilled over, as the admin address says.
async fn metric(elbow: &Elbow, name: &str) -> usize {
    let text = Client::connect(elbow.admin()).await.get("/metrics").await;
    let start = format!("elbow_{name}{{");
    let row = text.text().lines().find(|line| line.starts_with(&start));
    let value = row.and_then(|row| row.rsplit(' ').next());
    value.expect(name).parse().expect("a number")
}

async fn until(elbow: &Elbow, name: &str, count: usize) {
    let limit = tokio::time::Instant::now() + SOON;
    while metric(elbow, name).await != count {
        assert!(tokio::time::Instant::now() < limit, "{name} is not {count}");
    }
}

#[tokio::test]
async fn requests_wait_while_the_instance_is_full_and_are_served_in_the_order_of_their_coming() {
    let site = Site::start("a").await;
    let elbow = in_service(&site, "").await;
    let mut held = asking(elbow.address(), "/held").await;
    eventually(SOON, "it is busy", || site.asked("/held") == 1).await;
    let mut first = asking(elbow.address(), "/first").await;
    until(&elbow, "surge_queue_length", 1).await;
    let mut second = asking(elbow.address(), "/second").await;
    until(&elbow, "surge_queue_length", 2).await;
    assert_eq!(site.asked("/first") + site.asked("/second"), 0);
    site.open_gate();
    for client in [&mut held, &mut first, &mut second] {
        assert_eq!(client.response().await.status(), 200);
    }
    let asked: Vec<_> = site.target.requests();
    let asked = asked
        .iter()
        .filter(|it| !it.start_line().contains("/probe"));
    let asked: Vec<_> = asked.map(|it| it.start_line().to_owned()).collect();
    let expected = ["/held", "/first", "/second"].map(|path| format!("GET {path} HTTP/1.1"));
    assert_eq!(asked, expected);
    assert_eq!(metric(&elbow, "surge_queue_length").await, 0);
    assert_eq!(metric(&elbow, "surge_queue_peak").await, 2);
    assert_eq!(metric(&elbow, "spillovers_total").await, 0);
}

#[tokio::test]
async fn what_the_full_queue_cannot_take_spills_over_with_503() {
    let site = Site::start("a").await;
    let elbow = in_service(&site, "surge_queue = { length = 1 }").await;
    let mut held = asking(elbow.address(), "/held").await;
    eventually(SOON, "it is busy", || site.asked("/held") == 1).await;
    let mut waiting = asking(elbow.address(), "/").await;
    until(&elbow, "surge_queue_length", 1).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.get("/").await.status(), 503);
    assert_eq!(client.get("/").await.status(), 503);
    assert_eq!(metric(&elbow, "spillovers_total").await, 2);
    let told = Client::connect(elbow.admin())
        .await
        .get("/target-health")
        .await;
    let told: serde_json::Value = serde_json::from_str(told.text()).unwrap();
    let queue = &told["target_groups"][0]["surge_queue"][0];
    assert_eq!(
        (&queue["length"], &queue["spillovers"]),
        (&1.into(), &2.into())
    );
    site.open_gate();
    assert_eq!(held.response().await.status(), 200);
    assert_eq!(waiting.response().await.status(), 200);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_the_queue() {
    let site = Site::start("a").await;
    let elbow = in_service(&site, "").await;
    let mut held = asking(elbow.address(), "/held").await;
    eventually(SOON, "it is busy", || site.asked("/held") == 1).await;
    let gone = asking(elbow.address(), "/gone").await;
    until(&elbow, "surge_queue_length", 1).await;
    drop(gone);
    until(&elbow, "surge_queue_length", 0).await;
    site.open_gate();
    assert_eq!(held.response().await.status(), 200);
    assert_eq!(site.asked("/gone"), 0);
    let lines = elbow.log(2).await;
    let line = lines
        .iter()
        .find(|line| line.number("elb_status_code") == Some(460.0));
    let line = line.expect("a line for the one that went away");
    assert_eq!(line.number("request_processing_time"), None);
}

#[tokio::test]
async fn one_that_waits_too_long_is_answered_with_504() {
    let site = Site::start("a").await;
    let elbow = in_service(&site, "surge_queue = { timeout = \"300ms\" }").await;
    let _held = asking(elbow.address(), "/held").await;
    eventually(SOON, "it is busy", || site.asked("/held") == 1).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.get("/").await.status(), 504);
    assert_eq!(
        elbow.metric("elbow_errors_total{reason=\"SurgeQueueTimeout\"}"),
        1.0
    );
}

#[tokio::test]
async fn without_a_healthy_instance_nobody_waits() {
    let site = Site::start("a").await;
    let elbow = in_service(&site, "").await;
    let mut held = asking(elbow.address(), "/held").await;
    eventually(SOON, "it is busy", || site.asked("/held") == 1).await;
    let mut waiting = asking(elbow.address(), "/").await;
    until(&elbow, "surge_queue_length", 1).await;
    site.judge([500]);
    assert_eq!(waiting.response().await.status(), 503);
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.get("/").await.status(), 503);
    site.open_gate();
    assert_eq!(held.response().await.status(), 200);
    assert_eq!(metric(&elbow, "spillovers_total").await, 0);
}
