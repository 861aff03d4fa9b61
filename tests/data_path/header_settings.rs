//! Header modification, as ALB's manual has it: what a listener sets in responses.

use crate::support::{Client, Elbow, Target};

/// A load balancer whose listener has these response headers; `/fixed` is answered by itself.
async fn with(target: &Target, headers: &str) -> Elbow {
    let targets = target.line();
    Elbow::start(&format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         default = {{ forward = \"group\" }}\n\
         [load_balancer.listener.response_headers]\n\
         {headers}\n\
         [[load_balancer.listener.rule]]\n\
         priority = 1\n\
         path = [\"/fixed\"]\n\
         fixed_response = {{ status = 200, body = \"fixed\" }}\n\
         [[load_balancer.listener.rule]]\n\
         priority = 2\n\
         path = [\"/moved\"]\n\
         redirect = {{ path = \"/\", status = 302 }}\n\
         [[target_group]]\n\
         name = \"group\"\n\
         health_check = {{ enabled = false }}\n\
         {targets}\n"
    ))
    .await
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nServer: mine\r\nx-frame-options: ALLOWALL\r\n\
    X-Frame-Options: again\r\nAccess-Control-Allow-Origin: *\r\nX-Own: 1\r\n\
    Content-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_configured_value_replaces_the_targets_and_is_added_where_there_is_none() {
    let target = Target::answering(ANSWER).await;
    let headers = "strict_transport_security = \"max-age=31536000\"\nx_frame_options = \"DENY\"";
    let elbow = with(&target, headers).await;
    let mut client = Client::connect(elbow.address()).await;
    let response = client.get("/").await;
    assert_eq!(response.values("X-Frame-Options"), ["DENY"]);
    assert_eq!(
        response.value("Strict-Transport-Security"),
        Some("max-age=31536000")
    );
    // What is not configured is the target's.
    assert_eq!(response.value("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(response.value("X-Own"), Some("1"));
    assert_eq!(response.value("Server"), Some("mine"));
    assert_eq!(response.text(), "ok");
}

#[tokio::test]
async fn all_responses_have_it_the_balancers_own_as_well() {
    let target = Target::answering(ANSWER).await;
    let elbow = with(&target, "content_security_policy = \"default-src 'self'\"").await;
    for (path, status) in [("/fixed", 200), ("/moved", 302), ("/", 200)] {
        let response = Client::connect(elbow.address()).await.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(
            response.values("Content-Security-Policy"),
            ["default-src 'self'"],
            "{path}"
        );
    }
    let mut client = Client::connect(elbow.address()).await;
    let refused = client.ask("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").await;
    assert_eq!(refused.status(), 400);
    assert!(refused.value("Content-Security-Policy").is_some());
}

#[tokio::test]
async fn the_whole_cors_family_can_be_set() {
    let target = Target::answering(ANSWER).await;
    let family = [
        ("Access-Control-Allow-Origin", "https://a.example"),
        ("Access-Control-Allow-Methods", "GET, POST"),
        ("Access-Control-Allow-Headers", "X-Requested-With"),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", "X-Own"),
        ("Access-Control-Max-Age", "600"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    let headers: String = family
        .iter()
        .map(|(name, value)| {
            let key = name.to_ascii_lowercase().replace('-', "_");
            format!("{key} = \"{value}\"\n")
        })
        .collect();
    let elbow = with(&target, &headers).await;
    let response = Client::connect(elbow.address()).await.get("/").await;
    for (name, value) in family {
        assert_eq!(response.values(name), [value], "{name}");
    }
}

#[tokio::test]
async fn the_server_field_can_be_switched_off() {
    let target = Target::answering(ANSWER).await;
    let elbow = with(&target, "server = false").await;
    for path in ["/", "/fixed"] {
        let response = Client::connect(elbow.address()).await.get(path).await;
        assert_eq!(response.value("Server"), None, "{path}");
    }
    let elbow = with(&target, "").await;
    let fixed = Client::connect(elbow.address()).await.get("/fixed").await;
    assert_eq!(fixed.value("Server"), Some("elbow"));
}

#[tokio::test]
async fn interim_responses_are_left_as_they_are() {
    let target = Target::answering(
        "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    let elbow = with(&target, "x_frame_options = \"DENY\"").await;
    let mut client = Client::connect(elbow.address()).await;
    let interim = client.get("/").await;
    assert_eq!(
        (interim.status(), interim.value("X-Frame-Options")),
        (103, None)
    );
    assert_eq!(
        client.response().await.value("X-Frame-Options"),
        Some("DENY")
    );
}
