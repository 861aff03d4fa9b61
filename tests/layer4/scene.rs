//! What the tests of forwarded connections share: targets that greet and echo, and a TCP listener in
//! front of them.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::{Client, Elbow, SOON, Target, Wire, eventually};

/// Not probed: takes connections from the start.
pub(crate) const UNPROBED: &str = "health_check = { enabled = false }";

/// Probed often by connections; out after two refusals, back after two.
pub(crate) const PROBED: &str = "health_check = { interval = \"100ms\", timeout = \"90ms\", \
     unhealthy_threshold = 2, healthy_threshold = 2 }";

/// A target that says its name (one letter), sends back what it gets, and says `.` when the client has
/// finished.
pub(crate) async fn echo(name: char) -> Target {
    Target::raw(move |mut stream, _| async move {
        let (mut from, mut to) = stream.split();
        let _ = to.write_all(name.to_string().as_bytes()).await;
        let _ = tokio::io::copy(&mut from, &mut to).await;
        let _ = to.write_all(b".").await;
    })
    .await
}

/// The configuration of one TCP listener of `lb` that forwards to one group `group`.
pub(crate) fn forwarding(targets: &str, listener: &str, group: &str) -> String {
    format!(
        "[[load_balancer]]\n\
         name = \"lb\"\n\
         nodes = [{{ address = \"127.0.0.1\" }}]\n\
         [[load_balancer.listener]]\n\
         port = 0\n\
         protocol = \"TCP\"\n\
         default = {{ forward = \"group\" }}\n\
         {listener}\n\
         [[target_group]]\n\
         name = \"group\"\n\
         protocol = \"TCP\"\n\
         {targets}\n\
         {group}\n"
    )
}

/// A connection, and the name of the target that took it.
pub(crate) async fn open(address: SocketAddr) -> (Client, char) {
    let mut client = Client::connect(address).await;
    let name = client.wire.take(1).await.expect("a greeting")[0];
    (client, char::from(name))
}

/// The targets that so many connections reach, one after the other.
pub(crate) async fn order(address: SocketAddr, count: usize) -> String {
    let mut names = String::new();
    for _ in 0..count {
        names.push(open(address).await.1);
    }
    names
}

/// Says something and hears it again.
pub(crate) async fn echoes(client: &mut Client) {
    client.send("ping").await;
    assert_eq!(client.wire.take(4).await.unwrap(), b"ping");
}

/// Ends the client's half.
pub(crate) async fn finish(wire: &mut Wire) {
    wire.stream.shutdown().await.unwrap();
}

/// Waits until the connection is reset, hearing nothing more.
pub(crate) async fn expect_reset(client: &mut Client) {
    assert_eq!(client.wire.rest().await, (Vec::new(), false), "a reset");
}

/// Expects that a new connection is reset, which may be so early that it looks like never made.
pub(crate) async fn expect_turned_away(address: SocketAddr) {
    match TcpStream::connect(address).await {
        Ok(stream) => {
            let mut wire = Wire::new(stream);
            assert_eq!(wire.rest().await, (Vec::new(), false), "a reset");
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// Waits for the health of so many targets of `group`.
pub(crate) async fn healthy(elbow: &Elbow, count: usize) {
    let group = || elbow.running().shared.load().groups["group"].healthy_count(None);
    eventually(SOON, &format!("{count} healthy"), || group() == count).await;
}

/// For showing that nothing happens meanwhile.
pub(crate) async fn a_while() {
    sleep(Duration::from_millis(300)).await;
}
