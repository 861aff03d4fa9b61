//! Targets that close their idle connections after 5 s, and a pool that would keep them for 60.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Client, Elbow, Target, Wire, targets};

/// How many targets there are, each with a client of its own.
const PAIRS: u32 = 90;

/// All together for half an hour.
const LASTS: Duration = Duration::from_secs(30 * 60 / PAIRS as u64);

/// The keep-alive of Node and of Apache, as it is by default.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Serves a connection until nothing has come for five seconds; says so, or not.
async fn serve(stream: TcpStream, says: &'static str) {
    let mut wire = Wire::new(stream);
    while let Ok(Some(_)) = timeout(KEEP_ALIVE, wire.request()).await {
        let answer = format!("HTTP/1.1 200 OK\r\n{says}Content-Length: 2\r\n\r\nok");
        if wire.try_send(answer).await.is_err() {
            return;
        }
    }
}

/// Requests with pauses of 4.9 to 5.1 seconds, where the target is about to close; every other one
/// may not be sent twice.
async fn visit(client: &mut Client, number: u32, end: Instant) -> u32 {
    let mut asked = 0;
    while Instant::now() < end {
        let method = if asked % 2 == 0 { "POST" } else { "GET" };
        let head = format!(
            "{method} /{number} HTTP/1.1\r\nHost: site{number}.test\r\nContent-Length: 0\r\n\r\n"
        );
        let response = client.ask(head).await;
        assert_eq!(response.status(), 200, "{method} {asked} of {number}");
        asked += 1;
        let near = u64::from((number * 7 + asked * 13) % 41) * 5;
        sleep(KEEP_ALIVE - Duration::from_millis(100) + Duration::from_millis(near)).await;
    }
    asked
}

#[tokio::test]
async fn a_target_with_5_s_of_keep_alive_at_a_low_rate_for_30_minutes_costs_no_502() {
    let mut sites = Vec::new();
    let mut text = String::from(
        "[[load_balancer]]\nname = \"lb\"\nnodes = [{ address = \"127.0.0.1\" }]\n\
         [[load_balancer.listener]]\nport = 0\ndefault = { fixed_response = { status = 404 } }\n",
    );
    let mut groups = String::new();
    for number in 0..PAIRS {
        // Half of the targets announce it.
        let says = ["", "Keep-Alive: timeout=5\r\n"][number as usize % 2];
        let target = Target::raw(move |stream, _| serve(stream, says)).await;
        text += &format!(
            "[[load_balancer.listener.rule]]\npriority = {}\nhost = [\"site{number}.test\"]\n\
             forward = \"group{number}\"\n",
            number + 1
        );
        groups += &format!(
            "[[target_group]]\nname = \"group{number}\"\nhealth_check = {{ enabled = false }}\n{}\n",
            targets(&[&target])
        );
        sites.push(target);
    }
    let elbow = Elbow::start(&(text + &groups)).await;
    let (address, end) = (elbow.address(), Instant::now() + LASTS);
    let visitors: Vec<_> = (0..PAIRS)
        .map(|number| {
            tokio::spawn(async move {
                let mut client = Client::connect(address).await;
                visit(&mut client, number, end).await
            })
        })
        .collect();
    let mut asked = 0;
    for visitor in visitors {
        asked += visitor.await.unwrap();
    }
    assert!(asked >= 3 * PAIRS, "{asked}");
    assert_eq!(
        elbow.metric("elbow_errors_total"),
        0.0,
        "{}",
        elbow.scrape()
    );
}
