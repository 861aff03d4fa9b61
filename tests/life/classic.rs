//! The Classic profile: what AWS's load balancer of 2009 does otherwise than ALB.

use serde_json::Value;

use crate::scene::Site;
use crate::support::{Client, Elbow, SOON, eventually};

/// A Classic load balancer before these instances; probes often, and is strict about nothing else.
fn before(sites: &[&Site], more: &str) -> String {
    let targets: Vec<String> = sites.iter().map(|site| site.entry("")).collect();
    let port = sites.first().map_or(80, |site| site.address().port());
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         type = \"classic\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ target = \"HTTP:{port}/probe\", interval = \"200ms\", \
                           timeout = \"190ms\", healthy_threshold = 2 }}\n\
         targets = [{}]\n\
         {more}\n",
        targets.join(", ")
    )
}

/// What `DescribeInstanceHealth` says of the only instance: state, reason code, description.
async fn instance(elbow: &Elbow) -> (String, String, String) {
    let answer = Client::connect(elbow.admin())
        .await
        .get("/target-health")
        .await;
    let answer: Value = serde_json::from_str(answer.text()).unwrap();
    let health = &answer["target_groups"][0]["targets"][0]["instance_health"];
    let text = |key: &str| health[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason_code"), text("description"))
}

async fn until(elbow: &Elbow, state: &str) -> (String, String, String) {
    let limit = tokio::time::Instant::now() + SOON;
    loop {
        let told = instance(elbow).await;
        if told.0 == state {
            return told;
        }
        assert!(tokio::time::Instant::now() < limit, "not {state}: {told:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_instance_is_in_service_after_one_pass_and_when_none_is_the_answer_is_503() {
    let site = Site::start("a").await;
    let elbow = Elbow::start(&before(&[&site], "")).await;
    let in_service = until(&elbow, "InService").await;
    assert_eq!(
        (in_service.1.as_str(), in_service.2.as_str()),
        ("N/A", "N/A")
    );
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.get("/").await.status(), 200);
    site.judge([500]);
    let out = until(&elbow, "OutOfService").await;
    let why = "Instance has failed at least the UnhealthyThreshold number of health checks \
               consecutively.";
    assert_eq!((out.1.as_str(), out.2.as_str()), ("Instance", why));
    // ALB would send to it all the same.
    assert_eq!(client.get("/").await.status(), 503);
    site.judge([200]);
    until(&elbow, "InService").await;
    assert_eq!(client.get("/").await.status(), 200);
}

#[tokio::test]
async fn only_200_exactly_passes() {
    let site = Site::start("a").await;
    site.judge([204]);
    let elbow = Elbow::start(&before(&[&site], "")).await;
    until(&elbow, "OutOfService").await;
    eventually(SOON, "two probes", || site.asked("/probe") >= 2).await;
    assert_eq!(instance(&elbow).await.0, "OutOfService");
}

#[tokio::test]
async fn probes_call_themselves_what_they_did_then() {
    let site = Site::start("a").await;
    let elbow = Elbow::start(&before(&[&site], "")).await;
    until(&elbow, "InService").await;
    let probe = site.target.requests().remove(0);
    assert_eq!(probe.value("User-Agent"), Some("ELB-HealthChecker/1.0"));
}

#[tokio::test]
async fn a_method_of_more_than_127_characters_is_405() {
    let site = Site::start("a").await;
    let elbow = Elbow::start(&before(&[&site], "")).await;
    until(&elbow, "InService").await;
    for (length, status) in [(127, 200), (128, 405)] {
        let method = "M".repeat(length);
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = Client::connect(elbow.address()).await.ask(request).await;
        assert_eq!(response.status(), status, "{length}");
    }
}

#[tokio::test]
async fn requests_go_to_the_instance_with_the_fewest_outstanding() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    // Two instances on one machine have two ports: each is probed on its own.
    let target = format!("target = \"HTTP:{}/probe\"", a.address().port());
    let own = "protocol = \"HTTP\", path = \"/probe\"";
    let text = before(&[&a, &b], "").replace(&target, own);
    let elbow = Elbow::start(&text).await;
    let limit = tokio::time::Instant::now() + SOON;
    let mut admin = Client::connect(elbow.admin()).await;
    while admin
        .get("/target-health")
        .await
        .text()
        .matches("\"InService\"")
        .count()
        < 2
    {
        assert!(tokio::time::Instant::now() < limit, "not both in service");
    }
    let mut held = Client::connect(elbow.address()).await;
    held.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n").await;
    eventually(SOON, "one is busy", || {
        a.asked("/held") + b.asked("/held") == 1
    })
    .await;
    let busy = if a.asked("/held") == 1 { &a } else { &b };
    let mut client = Client::connect(elbow.address()).await;
    for _ in 0..6 {
        client.get("/free").await;
    }
    assert_eq!(busy.asked("/free"), 0);
    busy.open_gate();
    assert_eq!(held.response().await.status(), 200);
}

#[tokio::test]
async fn a_line_of_the_access_log_is_classics_and_counts_bodies_alone() {
    let site = Site::start("a").await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = format!("access_log = {{ path = {path:?}, format = \"alb\" }}\n");
    let elbow = Elbow::start(&(log + &before(&[&site], ""))).await;
    until(&elbow, "InService").await;
    let mut client = Client::connect(elbow.address()).await;
    let request = "POST /form?a=1 HTTP/1.1\r\nHost: www.example.com\r\n\
         User-Agent: curl/7.38.0\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(client.ask(request).await.text(), "a 5");
    site.judge([500]);
    until(&elbow, "OutOfService").await;
    let refused = client.get("/").await;
    assert_eq!(refused.status(), 503);
    let read = || std::fs::read_to_string(&path).unwrap_or_default();
    eventually(SOON, "two lines", || read().lines().count() == 2).await;
    let lines = read();
    let lines: Vec<Vec<&str>> = lines
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    let (client, instance) = (client.address.to_string(), site.address().to_string());
    let port = elbow.address().port();
    assert_eq!(lines[0][1..4], ["lb", &*client, &*instance]);
    let url = format!("http://www.example.com:{port}/form?a=1");
    let rest = [
        "200",
        "200",
        "5",
        "3",
        "\"POST",
        &*url,
        "HTTP/1.1\"",
        "\"curl/7.38.0\"",
        "-",
        "-",
    ];
    assert_eq!(lines[0][7..], rest);
    assert!(lines[0][4..7].iter().all(|time| time.starts_with("0.")));
    let body = refused.body.len().to_string();
    assert_eq!(
        lines[1][3..11],
        ["-", "-1", "-1", "-1", "503", "0", "0", &*body]
    );
}
