//! The stickiness of a Classic load balancer: `AWSELB`.

use crate::scene::{Group, Site, author, who};
use crate::sticky::{ask, ask_for, kept, set_cookies, three};
use crate::support::{Client, Elbow};

async fn before(sites: [&Site; 3], stickiness: &str) -> (Elbow, Client) {
    let targets: Vec<String> = sites.iter().map(|site| site.entry("")).collect();
    let text = format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         type = \"classic\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"group\" }} }}]\n\
         [[target_group]]\n\
         name = \"group\"\n\
         stickiness = {{ enabled = true{stickiness} }}\n\
         health_check = {{ protocol = \"HTTP\", path = \"/probe\", interval = \"200ms\", \
                           timeout = \"190ms\", healthy_threshold = 2 }}\n\
         targets = [{}]\n",
        targets.join(", ")
    );
    let elbow = Elbow::start(&text).await;
    Group(&elbow, "group").expect_healthy(&sites).await;
    let client = Client::connect(elbow.address()).await;
    (elbow, client)
}

const APP: &str = ", type = \"app_cookie\", cookie_name = \"session\"";

#[tokio::test]
async fn by_duration_the_cookie_is_set_once_and_not_renewed() {
    let [a, b, c] = three().await;
    let (_elbow, mut client) = before([&a, &b, &c], ", duration = \"1h\"").await;
    let first = client.get("/").await;
    let cookies = set_cookies(&first);
    assert!(cookies[0].starts_with("AWSELB="), "{cookies:?}");
    assert!(
        cookies[0].ends_with("; Path=/; Max-Age=3600"),
        "{cookies:?}"
    );
    assert!(cookies[1].starts_with("AWSELBCORS="), "{cookies:?}");
    assert!(
        cookies[1].ends_with("; Max-Age=3600; SameSite=None; Secure"),
        "{cookies:?}"
    );
    for cookie in kept(&first).split("; ") {
        for _ in 0..4 {
            let again = ask(&mut client, cookie).await;
            assert_eq!(who(&again), who(&first));
            assert_eq!(set_cookies(&again), [""; 0]);
        }
    }
}

#[tokio::test]
async fn without_a_duration_the_cookie_ends_with_the_browser() {
    let [a, b, c] = three().await;
    let (_elbow, mut client) = before([&a, &b, &c], "").await;
    let cookies = set_cookies(&client.get("/").await);
    assert!(cookies[0].ends_with("; Path=/"), "{cookies:?}");
}

#[tokio::test]
async fn a_client_whose_instance_is_gone_is_as_if_it_had_no_cookie() {
    let [a, b, c] = three().await;
    let (elbow, mut client) = before([&a, &b, &c], "").await;
    let first = client.get("/").await;
    let site = author(&[&a, &b, &c], &first);
    let name = site.name;
    Group(&elbow, "group").break_down(site).await;
    let moved = ask(&mut client, &kept(&first)).await;
    assert_ne!(who(&moved), name);
    assert_eq!(set_cookies(&moved).len(), 2, "as for a new client");
    assert_eq!(who(&ask(&mut client, &kept(&moved)).await), who(&moved));
}

#[tokio::test]
async fn a_tampered_cookie_is_a_new_choice_and_never_an_error() {
    let [a, b, c] = three().await;
    let (_elbow, mut client) = before([&a, &b, &c], "").await;
    let good = kept(&client.get("/").await);
    let long = format!("AWSELB={}", "A".repeat(8000));
    for bad in ["AWSELB=x", "AWSELB=", &good.replace("ELB", "ALB"), &long] {
        let response = ask(&mut client, bad).await;
        assert_eq!(response.status(), 200);
        assert_eq!(set_cookies(&response).len(), 2, "{bad}");
    }
}

#[tokio::test]
async fn a_cookie_that_follows_the_applications_lives_as_long_as_that_one() {
    let [a, b, c] = three().await;
    let (_elbow, mut client) = before([&a, &b, &c], APP).await;
    assert_eq!(set_cookies(&client.get("/").await), [""; 0]);
    let first = client.get("/login").await;
    let cookies = set_cookies(&first);
    assert_eq!(cookies[0], "session=1; Path=/; HttpOnly");
    assert!(cookies[1].starts_with("AWSELB="), "{cookies:?}");
    assert!(cookies[1].ends_with("; Path=/; HttpOnly"), "{cookies:?}");
    assert_eq!(cookies.len(), 2);
    for _ in 0..4 {
        let again = ask(&mut client, &kept(&first)).await;
        assert_eq!(who(&again), who(&first));
        assert_eq!(set_cookies(&again), [""; 0], "not renewed");
    }
    // The application issues another one, and the balancer follows it.
    let renewed = ask_for(&mut client, "/login", &kept(&first)).await;
    assert_eq!(
        (who(&renewed), set_cookies(&renewed).len()),
        (who(&first), 2)
    );
    // Without the application's cookie the session is over.
    let alone = kept(&first).split("; ").nth(1).unwrap().to_owned();
    let mut answers = std::collections::BTreeSet::new();
    for _ in 0..12 {
        answers.insert(who(&ask(&mut client, &alone).await));
    }
    assert!(answers.len() > 1, "{answers:?}");
}

#[tokio::test]
async fn a_session_whose_instance_fails_moves_and_stays() {
    let [a, b, c] = three().await;
    let (elbow, mut client) = before([&a, &b, &c], APP).await;
    let targets = Group(&elbow, "group");
    let first = client.get("/login").await;
    let site = author(&[&a, &b, &c], &first);
    let name = site.name;
    targets.break_down(site).await;
    let moved = ask(&mut client, &kept(&first)).await;
    assert_ne!(who(&moved), name);
    let both = format!("session=1; {}", kept(&moved));
    targets.mend(site).await;
    for _ in 0..4 {
        assert_eq!(who(&ask(&mut client, &both).await), who(&moved));
    }
}
