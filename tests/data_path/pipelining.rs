//! Several requests on one connection, however their bytes come in.

use crate::support::{Client, Elbow, Message, Target, Wire};

/// Answers each request with its own request line and body.
async fn echo() -> Target {
    Target::scripted(|mut wire: Wire, request: Message, _| async move {
        let said = format!("{} {}", request.start_line(), request.text());
        let length = said.len();
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{said}");
        wire.try_send(response).await.ok().map(|()| wire)
    })
    .await
}

const SEVERAL: &str = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\
     POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\
     \r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n\
     POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
     4\r\nbody\r\nA;ext=\"1\"\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n\
     PUT /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n\
     GET /6 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const ANSWERS: [&str; 6] = [
    "GET /1 HTTP/1.1 ",
    "POST /2 HTTP/1.1 hello",
    "GET /3 HTTP/1.1 ",
    "POST /4 HTTP/1.1 body0123456789",
    "PUT /5 HTTP/1.1 ",
    "GET /6 HTTP/1.1 ",
];

async fn expect_answers(client: &mut Client) {
    for answer in ANSWERS {
        assert_eq!(client.response().await.text(), answer);
    }
    client.expect_closed().await;
}

#[tokio::test]
async fn requests_in_one_write_are_answered_in_order() {
    let target = echo().await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut client = Client::connect(elbow.address()).await;
    client.send(SEVERAL).await;
    expect_answers(&mut client).await;
    assert_eq!(elbow.log(6).await.len(), 6);
}

#[tokio::test]
async fn requests_mean_the_same_however_their_bytes_are_cut() {
    let target = echo().await;
    let elbow = Elbow::before(&[&target], "", "").await;
    for seed in 0..24 {
        let mut random = fastrand::Rng::with_seed(seed);
        let most = [1, 7, 40, 400][seed as usize % 4];
        let mut client = Client::connect(elbow.address()).await;
        let mut rest = SEVERAL.as_bytes();
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(random.usize(1..=most).min(rest.len()));
            client.send(piece).await;
            rest = left;
            if random.bool() {
                tokio::task::yield_now().await;
            }
        }
        eprintln!("seed {seed}");
        expect_answers(&mut client).await;
    }
    assert_eq!(target.requests().len(), 24 * ANSWERS.len());
}

#[tokio::test]
async fn a_request_behind_one_that_is_answered_with_an_error_is_served() {
    let target = echo().await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let good = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
    let addresses = vec!["10.0.0.1"; 31].join(",");
    for (bad, status) in [
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {addresses}\r\n\r\n"),
            463,
        ),
    ] {
        let mut client = Client::connect(elbow.address()).await;
        client.send(format!("{bad}{good}{bad}{good}")).await;
        for _ in 0..2 {
            assert_eq!(client.response().await.status(), status);
            assert_eq!(client.response().await.text(), "GET /good HTTP/1.1 ");
        }
    }
}

#[tokio::test]
async fn a_request_behind_one_that_its_target_failed_is_served() {
    let target = Target::scripted(|mut wire: Wire, request: Message, _| async move {
        if request.start_line().contains("/bad") {
            return None;
        }
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
        Some(wire)
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let (bad, good) = (
        "GET /bad HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let mut client = Client::connect(elbow.address()).await;
    client.send(format!("{bad}{good}{bad}{good}")).await;
    for _ in 0..2 {
        assert_eq!(client.response().await.status(), 502);
        assert_eq!(client.response().await.status(), 200);
    }
}

#[tokio::test]
async fn a_request_behind_an_answer_of_the_balancers_own_is_served() {
    let elbow = Elbow::start(
        "[[load_balancer]]\nname = \"lb\"\nnodes = [{ address = \"127.0.0.1\" }]\n\
         [[load_balancer.listener]]\nport = 0\n\
         default = { fixed_response = { status = 200, content_type = \"text/plain\", body = \"mine\" } }\n\
         [[load_balancer.listener.rule]]\npriority = 1\npath = [\"/old\"]\n\
         redirect = { path = \"/new\", status = 301 }\n",
    )
    .await;
    let mut client = Client::connect(elbow.address()).await;
    let requests = "GET /old HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(requests.repeat(2)).await;
    let port = elbow.address().port();
    for _ in 0..2 {
        let response = client.response().await;
        assert_eq!(response.status(), 301);
        assert_eq!(
            response.value("Location"),
            Some(&*format!("http://a:{port}/new"))
        );
        assert_eq!(client.response().await.text(), "mine");
    }
}

/// A target that sends these bytes for each request, cut at random.
async fn cutting(response: &'static str) -> Target {
    let seed = std::sync::atomic::AtomicU64::new(0);
    Target::scripted(move |mut wire: Wire, _, _| {
        let seed = seed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut rest = response.as_bytes();
            while !rest.is_empty() {
                let (piece, left) = rest.split_at(random.usize(1..=20).min(rest.len()));
                wire.try_send(piece).await.ok()?;
                rest = left;
                tokio::task::yield_now().await;
            }
            Some(wire)
        }
    })
    .await
}

#[tokio::test]
async fn a_response_means_the_same_however_its_bytes_are_cut() {
    for (response, interim, trailers) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: y\r\n\r\nhello, world",
            false,
            "",
        ),
        (
            "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
             HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n\
             1\r\nh\r\n5;e=\"f\"\r\nello,\r\n006\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
            true,
            "X-Sum: 1\r\n",
        ),
    ] {
        let target = cutting(response).await;
        let elbow = Elbow::before(&[&target], "", "").await;
        let mut client = Client::connect(elbow.address()).await;
        for _ in 0..24 {
            if interim {
                assert_eq!(client.get("/").await.status(), 103);
            } else {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
            }
            let response = client.response().await;
            assert_eq!((response.status(), response.value("X")), (200, Some("y")));
            assert_eq!(
                (response.text(), &*response.trailers),
                ("hello, world", trailers)
            );
        }
        assert_eq!(target.connections(), 1);
    }
}
