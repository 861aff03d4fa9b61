//! Bytes that nobody planned for: whatever one connection says, the others go on.

use tokio::io::AsyncWriteExt;

use crate::support::{Client, Elbow, Target, Wire};

/// Changes a few bytes at random: others, none, twice, or such as mean something in HTTP.
fn mutated(bytes: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.usize(1..5) {
        let at = random.usize(0..bytes.len());
        match random.u8(0..4) {
            0 => bytes[at] = random.u8(..),
            1 => bytes[at] = *random.choice(b"\r\n\0 :;,/0f\t").unwrap(),
            2 => drop(bytes.drain(at..(at + random.usize(1..20)).min(bytes.len() - 1).max(at))),
            _ => bytes.insert(at, bytes[at]),
        }
    }
    bytes
}

const REQUESTS: &str = "POST http://a:80/b?c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
     Expect: 100-continue\r\nX-Forwarded-For: 1.2.3.4\r\nConnection: keep-alive, x\r\nX: y\r\n\r\n\
     5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n\
     PUT / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc\
     GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";

#[tokio::test]
async fn no_bytes_of_a_client_harm_another() {
    let target = Target::saying("fine").await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut bystander = Client::connect(elbow.address()).await;
    for seed in 0..150 {
        let bytes = mutated(REQUESTS.as_bytes(), &mut fastrand::Rng::with_seed(seed));
        let mut client = Client::connect(elbow.address()).await;
        let _ = client.wire.try_send(&bytes).await;
        let _ = client.wire.stream.shutdown().await;
        client.wire.rest().await;
        assert_eq!(bystander.get("/").await.text(), "fine", "seed {seed}");
    }
    elbow
        .expect_metric("elbow_connection_panics_total", 0.0)
        .await;
    elbow.expect_metric("elbow_active_connections", 1.0).await;
    assert!(target.requests().len() > 150);
}

const RESPONSES: &str = "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n\
     Transfer-Encoding: chunked\r\nConnection: x\r\nKeep-Alive: timeout=5, max=9\r\n\r\n\
     5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";

#[tokio::test]
async fn no_bytes_of_a_target_harm_another_request() {
    let seed = std::sync::atomic::AtomicU64::new(0);
    let target = Target::scripted(move |mut wire: Wire, request, _| {
        let noise = request.start_line().contains("/noise");
        let seed = seed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            if !noise {
                let fine = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";
                wire.try_send(fine).await.ok()?;
                return Some(wire);
            }
            let bytes = mutated(RESPONSES.as_bytes(), &mut fastrand::Rng::with_seed(seed));
            wire.try_send(bytes).await.ok()?;
            None
        }
    })
    .await;
    let elbow = Elbow::before(&[&target], "", "").await;
    let mut bystander = Client::connect(elbow.address()).await;
    for number in 0..150 {
        let mut client = Client::connect(elbow.address()).await;
        client
            .send("GET /noise HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await;
        let (answer, _) = client.wire.rest().await;
        assert!(answer.starts_with(b"HTTP/1.1 "), "{number}: {answer:?}");
        assert_eq!(bystander.get("/").await.text(), "fine", "{number}");
    }
    elbow
        .expect_metric("elbow_connection_panics_total", 0.0)
        .await;
    elbow.expect_metric("elbow_active_connections", 1.0).await;
}
