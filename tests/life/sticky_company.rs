//! Stickiness beside all else that decides about a request: retries, slow start, zones, HTTP/2, other
//! nodes.

use http::Request;

use crate::scene::{
    Group, Site, UNPROBED, entries, group, listening, one_group, order, shares, who,
};
use crate::sticky::{ask, ask_for, kept, set_cookies, three};
use crate::support::{Client, Elbow, Http2Client, Message};

const STICKY: &str = "stickiness = { enabled = true }";

const FOLLOWING: &str =
    "stickiness = { enabled = true, type = \"app_cookie\", cookie_name = \"session\" }";

fn site<'s>(sites: &'s mut [Site], response: &Message) -> &'s mut Site {
    let name = who(response);
    sites.iter_mut().find(|site| site.name == name).unwrap()
}

#[tokio::test]
async fn a_client_whose_target_refuses_is_answered_by_another_at_once_and_stays_there() {
    for stickiness in [STICKY, FOLLOWING] {
        let mut sites = three().await;
        let [a, b, c] = &sites;
        let elbow =
            Elbow::start(&one_group(&[a, b, c], &format!("{UNPROBED}\n{stickiness}"))).await;
        let mut client = Client::connect(elbow.address()).await;
        let first = client.get("/login").await;
        let gone = site(&mut sites, &first);
        gone.target.stop().await;
        let name = gone.name;
        let moved = ask(&mut client, &kept(&first)).await;
        assert_eq!(moved.status(), 200);
        assert_ne!(who(&moved), name);
        site(&mut sites, &first).target.start_again().await;
        let cookies = format!("session=1; {}", kept(&moved));
        for _ in 0..4 {
            assert_eq!(who(&ask(&mut client, &cookies).await), who(&moved));
        }
    }
}

#[tokio::test]
async fn a_target_in_slow_start_gets_all_requests_of_the_clients_it_has() {
    let (a, b) = (Site::start("a").await, Site::start("b").await);
    let settings = format!(
        "{STICKY}\nslow_start = \"1h\"\nhealth_check = {{ path = \"/probe\", interval = \"200ms\", \
         timeout = \"190ms\", healthy_threshold = 2 }}"
    );
    let elbow = Elbow::start(&one_group(&[&a, &b], &settings)).await;
    let targets = Group(&elbow, "group");
    targets.expect_healthy(&[&a, &b]).await;
    let mut client = Client::connect(elbow.address()).await;
    let mut first = client.get("/").await;
    if who(&first) == "a" {
        first = client.get("/").await;
    }
    targets.break_down(&b).await;
    targets.mend(&b).await;
    assert!(targets.state("b").unwrap().slow_since().is_some());
    for _ in 0..20 {
        assert_eq!(who(&ask(&mut client, &kept(&first)).await), "b");
    }
    let new = shares(&order(elbow.address(), 40).await, &["b"])[0];
    assert!(new <= 2, "{new} of 40 new clients");
}

/// A node and a target in the zones `a` and `c` each.
fn two_zones(sites: &[Site; 2], more: &str, settings: &str) -> String {
    let nodes =
        "{ address = \"127.0.0.11\", zone = \"a\" }, { address = \"127.0.0.12\", zone = \"c\" }";
    let mut text = listening(0, "{ forward = \"group\" }");
    text = text.replace("{ address = \"127.0.0.1\" }", nodes);
    text = text.replace("name = \"lb\"", &format!("name = \"lb\"\n{more}"));
    let entries = [
        sites[0].entry(", zone = \"a\""),
        sites[1].entry(", zone = \"c\""),
    ];
    group(
        &mut text,
        "group",
        &format!("{UNPROBED}\n{settings}"),
        &entries,
    );
    text
}

#[tokio::test]
async fn a_client_whose_target_is_in_a_zone_that_is_shifted_away_from_moves_and_stays() {
    let sites = [Site::start("a").await, Site::start("c").await];
    let elbow = Elbow::start(&two_zones(&sites, "zonal_shift = true", STICKY)).await;
    let mut client = Client::connect(elbow.addresses("lb")[0]).await;
    let mut first = client.get("/").await;
    if who(&first) == "a" {
        first = client.get("/").await;
    }
    assert_eq!(who(&first), "c");
    let mut admin = Client::connect(elbow.admin()).await;
    let path = "/load-balancers/lb/zonal-shift";
    let answer = admin
        .post(&format!("{path}?away_from=c&expires_in=2h"))
        .await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let moved = ask(&mut client, &kept(&first)).await;
    assert_eq!(who(&moved), "a");
    let cancel = format!("DELETE {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(admin.ask(cancel).await.status(), 200);
    assert_eq!(who(&ask(&mut client, &kept(&moved)).await), "a");
}

#[tokio::test]
async fn a_classic_load_balancer_sticks_within_the_zone_of_the_node() {
    let sites = [Site::start("a").await, Site::start("c").await];
    let elbow = Elbow::start(&two_zones(&sites, "type = \"classic\"", STICKY)).await;
    let nodes = elbow.addresses("lb");
    let mut here = Client::connect(nodes[0]).await;
    let mut there = Client::connect(nodes[1]).await;
    let first = here.get("/").await;
    assert_eq!(who(&first), "a");
    let other = ask(&mut there, &kept(&first)).await;
    assert_eq!(who(&other), "c", "cross-zone is off");
    assert_eq!(set_cookies(&other).len(), 2);
    assert_eq!(who(&ask(&mut there, &kept(&other)).await), "c");
}

#[tokio::test]
async fn cookies_in_http_2_may_come_in_fields_of_their_own() {
    let [a, b, c] = three().await;
    let elbow = Elbow::start(&one_group(
        &[&a, &b, &c],
        &format!("{UNPROBED}\n{FOLLOWING}"),
    ))
    .await;
    let mut client = Http2Client::connect(elbow.address()).await;
    let first = client.get("/login").await;
    let cookies = first.head.headers.get_all("set-cookie").into_iter();
    let cookies: Vec<String> = cookies
        .map(|cookie| {
            cookie
                .to_str()
                .unwrap()
                .split(';')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(cookies.len(), 2);
    for _ in 0..6 {
        let mut request = Request::get("http://site.test/");
        for cookie in &cookies {
            request = request.header("cookie", cookie);
        }
        let again = client.ask(request).await;
        assert_eq!(again.text(), first.text());
    }
}

#[tokio::test]
async fn nodes_with_the_same_secret_understand_every_kind_of_cookie() {
    let sites = [
        Site::start("a").await,
        Site::start("b").await,
        Site::start("c").await,
        Site::start("d").await,
    ];
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    let keys = format!(
        "cookie_keys.secret_file = {:?}\n",
        secret.display().to_string()
    );
    let [a, b, c, d] = &sites;
    let groups = "{ forward = { groups = [{ group = \"blue\" }, { group = \"green\" }], \
                   stickiness = { enabled = true } } }";
    let mut text = keys + &listening(0, groups);
    text += "[[load_balancer.listener.rule]]\npriority = 1\npath = [\"/login\", \"/app\"]\n\
             forward = \"app\"\n";
    let sticky = format!("{UNPROBED}\n{STICKY}");
    group(&mut text, "blue", &sticky, &entries(&[a, b]));
    group(&mut text, "green", &sticky, &entries(&[c, d]));
    group(
        &mut text,
        "app",
        &format!("{UNPROBED}\n{FOLLOWING}"),
        &entries(&[a, b, c]),
    );
    let (one, other) = (Elbow::start(&text).await, Elbow::start(&text).await);
    let mut here = Client::connect(one.address()).await;
    let mut there = Client::connect(other.address()).await;
    for _ in 0..8 {
        for path in ["/", "/login"] {
            let first = ask_for(&mut here, path, "").await;
            let path = if path == "/" { "/" } else { "/app" };
            for client in [&mut there, &mut here] {
                let again = ask_for(client, path, &kept(&first)).await;
                assert_eq!(who(&again), who(&first), "{path}");
            }
        }
    }
    assert_eq!(other.metric("elbow_non_sticky_requests_total"), 0.0);
    assert_eq!(other.metric("elbow_errors_total"), 0.0);
}
