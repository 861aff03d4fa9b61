//! How connections end that do not end by themselves: idle, reset, cut.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::scene::{
    PROBED, UNPROBED, a_while, echo, echoes, expect_reset, finish, forwarding, healthy, open,
};
use crate::support::{Client, Elbow, Target, Wire, targets};

/// A target that reports how each of its connections ends.
async fn reporting() -> (Target, mpsc::UnboundedReceiver<(Vec<u8>, bool)>) {
    let (report, reports) = mpsc::unbounded_channel();
    let target = Target::raw(move |stream, _| {
        let report = report.clone();
        async move {
            let mut wire = Wire::new(stream);
            wire.send("a").await;
            let _ = report.send(wire.rest().await);
        }
    });
    (target.await, reports)
}

#[tokio::test]
async fn a_connection_on_which_nothing_moves_is_reset_on_both_sides() {
    let (target, mut reports) = reporting().await;
    let listener = "idle_timeout = \"500ms\"";
    let elbow = Elbow::start(&forwarding(&targets(&[&target]), listener, UNPROBED)).await;
    let (mut client, _) = open(elbow.address()).await;
    for _ in 0..4 {
        sleep(Duration::from_millis(250)).await;
        client.send("x").await;
    }
    let silent = Instant::now();
    expect_reset(&mut client).await;
    let waited = silent.elapsed();
    assert!(waited >= Duration::from_millis(499), "{waited:?}");
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    assert_eq!(reports.recv().await.unwrap(), (b"xxxx".to_vec(), false));
    assert_eq!(elbow.log_line().await.text("error_reason"), "IdleTimeout");
    for row in [
        "elbow_relayed_connection_resets_total{side=\"balancer\"}",
        "elbow_target_connections_closed_total{reason=\"idle_timeout\"}",
        "elbow_errors_total{reason=\"IdleTimeout\"}",
    ] {
        elbow.expect_metric(row, 1.0).await;
    }
}

#[tokio::test]
async fn a_slow_reader_is_not_idle() {
    let target = Target::raw(|stream, _| async move {
        let mut wire = Wire::new(stream);
        let _ = wire.try_send(vec![7; 64 << 20]).await;
    })
    .await;
    let listener = "idle_timeout = \"1500ms\"";
    let elbow = Elbow::start(&forwarding(&targets(&[&target]), listener, UNPROBED)).await;
    let mut client = Client::connect(elbow.address()).await;
    // What the kernel holds for the client at the end is read in less than the timeout.
    let mut left: usize = 64 << 20;
    while left > 0 {
        let piece = left.min(2 << 20);
        client.wire.take(piece).await.unwrap();
        left -= piece;
        sleep(Duration::from_millis(100)).await;
    }
    finish(&mut client.wire).await;
    assert_eq!(elbow.log_line().await.text("error_reason"), "-");
}

#[tokio::test]
async fn a_reset_by_the_client_is_a_reset_to_the_target() {
    let (target, mut reports) = reporting().await;
    let elbow = Elbow::start(&forwarding(&targets(&[&target]), "", UNPROBED)).await;
    let (mut client, _) = open(elbow.address()).await;
    client.send("half a").await;
    elbow
        .expect_metric("elbow_relayed_bytes_total{direction=\"received\"}", 6.0)
        .await;
    let socket = socket2::SockRef::from(&client.wire.stream);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    assert_eq!(reports.recv().await.unwrap(), (b"half a".to_vec(), false));
    assert_eq!(elbow.log_line().await.text("error_reason"), "ClientReset");
    elbow
        .expect_metric(
            "elbow_relayed_connection_resets_total{side=\"client\"}",
            1.0,
        )
        .await;
}

#[tokio::test]
async fn a_reset_by_the_target_is_a_reset_to_the_client_after_what_it_had_said() {
    let target = Target::raw(|stream, _| async move {
        let mut wire = Wire::new(stream);
        wire.send("half an answer").await;
        let request = wire.take(4).await.unwrap();
        assert_eq!(request, b"more");
        let socket = socket2::SockRef::from(&wire.stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    let elbow = Elbow::start(&forwarding(&targets(&[&target]), "", UNPROBED)).await;
    let mut client = Client::connect(elbow.address()).await;
    let heard = client.wire.take(14).await.unwrap();
    assert_eq!(heard, b"half an answer");
    client.send("more").await;
    expect_reset(&mut client).await;
    assert_eq!(elbow.log_line().await.text("error_reason"), "TargetReset");
    elbow
        .expect_metric(
            "elbow_relayed_connection_resets_total{side=\"target\"}",
            1.0,
        )
        .await;
}

#[tokio::test]
async fn a_removed_target_keeps_its_connections_until_the_deregistration_delay_elapses() {
    let (a, b) = (echo('a').await, echo('b').await);
    let settings = format!("{UNPROBED}\nderegistration_delay = \"900ms\"");
    let both = forwarding(&targets(&[&a, &b]), "", &settings);
    let elbow = Elbow::start_from_file(&both).await;
    let (mut first, _) = open(elbow.address()).await;
    let (mut second, name) = open(elbow.address()).await;
    assert_eq!(name, 'b');
    let only_a = forwarding(&targets(&[&a]), "", &settings);
    let begun = Instant::now();
    elbow.apply(&only_a).await.unwrap();
    echoes(&mut second).await;
    for _ in 0..2 {
        assert_eq!(open(elbow.address()).await.1, 'a');
    }
    expect_reset(&mut second).await;
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(900), "{waited:?}");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
    echoes(&mut first).await;
    let lines = elbow.log(3).await;
    let reason = "DeregistrationDelayElapsed";
    assert!(lines.iter().any(|line| line.text("error_reason") == reason));
}

#[tokio::test]
async fn a_target_that_comes_back_in_time_keeps_its_connections() {
    let (a, b) = (echo('a').await, echo('b').await);
    let settings = format!("{UNPROBED}\nderegistration_delay = \"700ms\"");
    let both = forwarding(&targets(&[&a, &b]), "", &settings);
    let elbow = Elbow::start_from_file(&both).await;
    let (_first, _) = open(elbow.address()).await;
    let (mut second, name) = open(elbow.address()).await;
    assert_eq!(name, 'b');
    let only_a = forwarding(&targets(&[&a]), "", &settings);
    elbow.apply(&only_a).await.unwrap();
    elbow.apply(&both).await.unwrap();
    sleep(Duration::from_millis(1000)).await;
    echoes(&mut second).await;
}

#[tokio::test]
async fn a_target_that_turns_unhealthy_loses_its_connections_unless_they_are_kept() {
    for (on_unhealthy, is_kept) in [("", false), ("on_unhealthy = \"keep\"", true)] {
        // Probed on a port of its own, so that connections do not end with it.
        let (target, mut probed) = (echo('a').await, echo('p').await);
        let settings = format!(
            "{}\n{on_unhealthy}",
            PROBED.replace(
                "{ interval",
                &format!("{{ port = {}, interval", probed.address.port())
            )
        );
        let elbow = Elbow::start(&forwarding(&targets(&[&target]), "", &settings)).await;
        healthy(&elbow, 1).await;
        let (mut client, _) = open(elbow.address()).await;
        probed.stop().await;
        healthy(&elbow, 0).await;
        if is_kept {
            a_while().await;
            echoes(&mut client).await;
            continue;
        }
        expect_reset(&mut client).await;
        let line = elbow.log_line().await;
        assert_eq!(line.text("error_reason"), "TargetTurnedUnhealthy");
        // ALB and NLB fail open: better an unhealthy target than none.
        let (mut client, _) = open(elbow.address()).await;
        a_while().await;
        echoes(&mut client).await;
        elbow
            .expect_metric("elbow_unhealthy_routing_requests_total", 1.0)
            .await;
    }
}

#[tokio::test]
async fn a_listener_that_is_removed_leaves_its_connections_the_deregistration_delay() {
    let target = echo('a').await;
    let settings = format!("{UNPROBED}\nderegistration_delay = \"800ms\"");
    let both = forwarding(&targets(&[&target]), "", &settings);
    let elbow = Elbow::start_from_file(&both).await;
    let (mut client, _) = open(elbow.address()).await;
    let begun = Instant::now();
    let other = "[[load_balancer]]\nname = \"lb\"\nlistener = [{ port = 0, default = { fixed_response = { status = 200 } } }]\n";
    elbow.apply(other).await.unwrap();
    echoes(&mut client).await;
    expect_reset(&mut client).await;
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(790), "{waited:?}");
    assert!(waited < Duration::from_secs(4), "{waited:?}");
}

#[tokio::test]
async fn a_reload_that_does_not_concern_a_connection_is_not_noticed() {
    let (a, b) = (echo('a').await, echo('b').await);
    let elbow = Elbow::start_from_file(&forwarding(&targets(&[&a]), "", UNPROBED)).await;
    let (mut client, _) = open(elbow.address()).await;
    elbow
        .apply(&forwarding(&targets(&[&a, &b]), "", UNPROBED))
        .await
        .unwrap();
    echoes(&mut client).await;
    let mut names = [open(elbow.address()).await.1, open(elbow.address()).await.1];
    names.sort_unstable();
    assert_eq!(names, ['a', 'b']);
    echoes(&mut client).await;
}

#[tokio::test]
async fn a_shutdown_lets_connections_finish_until_its_deadline_and_cuts_the_rest() {
    let target = echo('a').await;
    let text = format!(
        "shutdown_deadline = \"1s\"\n{}",
        forwarding(&targets(&[&target]), "", UNPROBED)
    );
    let elbow = Elbow::start(&text).await;
    let (mut quick, _) = open(elbow.address()).await;
    let (mut slow, _) = open(elbow.address()).await;
    let log = elbow.log_path();
    let shutdown = tokio::spawn(elbow.shutdown());
    a_while().await;
    echoes(&mut quick).await;
    finish(&mut quick.wire).await;
    assert_eq!(quick.wire.rest().await, (b".".to_vec(), true));
    echoes(&mut slow).await;
    let (ended, _directory) = shutdown.await.unwrap();
    assert_eq!(ended.cut, 1);
    slow.wire.rest().await;
    let log = std::fs::read_to_string(log).unwrap();
    let reasons: Vec<bool> = log
        .lines()
        .map(|line| line.contains("\"error_reason\":\"ShutDown\""))
        .collect();
    assert_eq!(reasons, [false, true], "{log}");
}
