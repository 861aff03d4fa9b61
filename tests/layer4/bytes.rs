//! What goes through: all of it, in order, both ways at once, with half-close and back-pressure.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::scene::{UNPROBED, a_while, echo, echoes, finish, forwarding, open};
use crate::support::{Client, Elbow, SOON, Target, Wire, targets};

async fn before(target: &Target) -> Elbow {
    Elbow::start(&forwarding(&targets(&[target]), "", UNPROBED)).await
}

#[tokio::test]
async fn what_either_side_says_reaches_the_other_and_is_counted() {
    let target = echo('a').await;
    let elbow = before(&target).await;
    let (mut client, _) = open(elbow.address()).await;
    elbow
        .expect_metric("elbow_target_connections{target_group=\"group\"}", 1.0)
        .await;
    echoes(&mut client).await;
    // While the connection goes on.
    let received = "elbow_processed_bytes_total{direction=\"received\"}";
    elbow.expect_metric(received, 4.0).await;
    finish(&mut client.wire).await;
    assert_eq!(client.wire.rest().await, (b".".to_vec(), true));

    let line = elbow.log_line().await;
    assert_eq!(line.text("type"), "tcp");
    assert_eq!(line.text("elb"), "lb");
    assert_eq!(line.text("listener_id"), elbow.address().to_string());
    let client_port = f64::from(client.address.port());
    assert_eq!(line.number("client_port"), Some(client_port));
    let target_port = f64::from(target.address.port());
    assert_eq!(line.number("target_port"), Some(target_port));
    assert_eq!(line.number("received_bytes"), Some(4.0));
    assert_eq!(line.number("sent_bytes"), Some(6.0));
    assert_eq!(line.text("target_group_arn"), "group");
    assert_eq!(line.text("error_reason"), "-");
    for (row, value) in [
        ("elbow_relayed_bytes_total{direction=\"received\"}", 4.0),
        ("elbow_relayed_bytes_total{direction=\"sent\"}", 6.0),
        ("elbow_processed_bytes_total{direction=\"sent\"}", 6.0),
        ("elbow_target_connections_opened_total", 1.0),
        ("elbow_relayed_connection_duration_seconds_count", 1.0),
        (
            "elbow_target_connections_closed_total{reason=\"finished\"}",
            1.0,
        ),
        ("elbow_relayed_connection_resets_total", 0.0),
        ("elbow_new_connections_total", 1.0),
    ] {
        elbow.expect_metric(row, value).await;
    }
    elbow.expect_metric("elbow_active_connections", 0.0).await;
    elbow.expect_metric("elbow_target_connections", 0.0).await;
}

#[tokio::test]
async fn a_target_that_has_finished_is_still_sent_to() {
    let (heard, hears) = tokio::sync::oneshot::channel();
    let heard = std::sync::Mutex::new(Some(heard));
    let target = Target::raw(move |stream, _| {
        let heard = heard.lock().unwrap().take().unwrap();
        async move {
            let mut wire = Wire::new(stream);
            wire.send("all I have").await;
            finish(&mut wire).await;
            heard.send(wire.rest().await).unwrap();
        }
    })
    .await;
    let elbow = before(&target).await;
    let mut client = Client::connect(elbow.address()).await;
    assert_eq!(client.wire.rest().await, (b"all I have".to_vec(), true));
    a_while().await;
    client.send("thank you").await;
    finish(&mut client.wire).await;
    assert_eq!(hears.await.unwrap(), (b"thank you".to_vec(), true));
    assert_eq!(elbow.log_line().await.text("error_reason"), "-");
}

#[tokio::test]
async fn much_goes_both_ways_at_once() {
    const MUCH: usize = 32 << 20;
    let target = echo('a').await;
    let elbow = before(&target).await;
    let (client, _) = open(elbow.address()).await;
    let (mut from, mut to) = client.wire.stream.into_split();
    let sending = tokio::spawn(async move {
        let piece: Vec<u8> = (0..1 << 16).map(|n: u32| (n % 251) as u8).collect();
        for _ in 0..MUCH >> 16 {
            to.write_all(&piece).await.unwrap();
        }
        to.shutdown().await.unwrap();
    });
    let mut back = Vec::with_capacity(MUCH + 1);
    from.read_to_end(&mut back).await.unwrap();
    sending.await.unwrap();
    assert_eq!(back.len(), MUCH + 1);
    let is_right = |(place, byte): (usize, &u8)| *byte == ((place % (1 << 16)) % 251) as u8;
    assert!(back[..MUCH].iter().enumerate().all(is_right));
    let line = elbow.log_line().await;
    assert_eq!(line.number("received_bytes"), Some(MUCH as f64));
    assert_eq!(line.number("sent_bytes"), Some(MUCH as f64 + 2.0));
}

#[tokio::test]
async fn a_side_that_takes_nothing_stops_the_other() {
    let target = Target::raw(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let elbow = before(&target).await;
    let mut client = Client::connect(elbow.address()).await;
    let piece = vec![0; 1 << 20];
    let mut taken = 0;
    let all = 256;
    while taken < all {
        let send = client.wire.try_send(&piece);
        match timeout(std::time::Duration::from_secs(1), send).await {
            Ok(sent) => sent.unwrap(),
            Err(_) => break,
        }
        taken += 1;
    }
    assert!(taken < all, "{taken} MiB went nowhere");
}

#[tokio::test]
async fn a_client_that_says_nothing_hears_the_target_first() {
    let target = echo('a').await;
    let elbow = before(&target).await;
    let (client, name) = timeout(SOON, open(elbow.address())).await.unwrap();
    assert_eq!(name, 'a');
    drop(client);
}
