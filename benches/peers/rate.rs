//! Load at a fixed rate. One thread sends each request at the instant it is due, whether or not
//! earlier ones are answered; another reads the answers. A latency counts from the due instant, so
//! a proxy that stalls is charged for all that had to wait (no coordinated omission).

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::load::{connect, read_answer, wait_for_go};
use crate::{single, wire};

/// One connection as both threads see it.
struct Lane {
    /// The same socket again, for the sending thread.
    sending: std::net::TcpStream,
    /// When the request under way was due, in nanoseconds after the start.
    due: AtomicU64,
}

/// Sends `requests` requests at `per_second` and prints the quantiles of their latency.
pub(crate) fn run(
    address: SocketAddr,
    path: &str,
    connections: usize,
    per_second: u64,
    requests: u64,
) -> Result<()> {
    // A sleep ends within a few microseconds of its time instead of the usual fifty. Not all
    // kernels allow it: then all contenders are measured with the same delay.
    let _ = std::fs::write("/proc/self/timerslack_ns", "1");

    let request = wire::request("GET", path, 0);
    let start = Instant::now();
    let (idle, idle_lanes) = channel();
    let (seen, latencies) = channel();
    let (opened, lanes) = channel();
    thread::spawn(move || {
        if let Err(error) = single(read(address, connections, start, opened, idle, seen)) {
            eprintln!("{error:#}");
        }
    });
    let lanes = lanes.recv().context("the reading thread ended")?;

    let sender = Pace {
        request,
        per_second,
        start,
        lanes: &lanes,
        idle_lanes: &idle_lanes,
    };
    sender.send(requests)?;
    collect(&latencies, requests)?;
    loop {
        wait_for_go()?;
        sender.send(requests)?;
        let mut latencies = collect(&latencies, requests)?;
        latencies.sort_unstable();
        let quantile = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize];
        println!("p50_ns={} p99_ns={}", quantile(0.5), quantile(0.99));
    }
}

struct Pace<'a> {
    request: Vec<u8>,
    per_second: u64,
    start: Instant,
    lanes: &'a [Lane],
    idle_lanes: &'a Receiver<usize>,
}

impl Pace<'_> {
    fn send(&self, requests: u64) -> Result<()> {
        let begun = self.start.elapsed() + Duration::from_millis(1);
        for i in 0..requests {
            let due = begun + Duration::from_nanos(i * 1_000_000_000 / self.per_second);
            if let Some(early) = due.checked_sub(self.start.elapsed()) {
                thread::sleep(early);
            }
            let lane = &self.lanes[self.idle_lanes.recv().context("the reading thread ended")?];
            lane.due.store(due.as_nanos() as u64, Ordering::Release);
            (&lane.sending).write_all(&self.request)?;
        }
        Ok(())
    }
}

async fn read(
    address: SocketAddr,
    connections: usize,
    start: Instant,
    opened: Sender<Arc<[Lane]>>,
    idle: Sender<usize>,
    seen: Sender<u64>,
) -> Result<()> {
    let mut reading = Vec::new();
    let mut lanes = Vec::new();
    for stream in connect(address, connections).await? {
        let stream = stream.into_std()?;
        lanes.push(Lane {
            sending: stream.try_clone()?,
            due: AtomicU64::new(0),
        });
        reading.push(TcpStream::from_std(stream)?);
    }
    let lanes: Arc<[Lane]> = lanes.into();
    let mut tasks = JoinSet::<Result<()>>::new();
    for (index, mut stream) in reading.into_iter().enumerate() {
        let (lanes, idle, seen) = (Arc::clone(&lanes), idle.clone(), seen.clone());
        idle.send(index)?;
        tasks.spawn(async move {
            let mut buffer = vec![0; 4096];
            loop {
                read_answer(&mut stream, &mut buffer, Duration::ZERO).await?;
                let due = lanes[index].due.load(Ordering::Acquire);
                seen.send((start.elapsed().as_nanos() as u64).saturating_sub(due))?;
                idle.send(index)?;
            }
        });
    }
    drop((idle, seen));
    opened.send(lanes)?;
    // A lane ends only when something is wrong: the first to end says what.
    tasks.join_next().await.context("no connections")??
}

fn collect(latencies: &Receiver<u64>, count: u64) -> Result<Vec<u64>> {
    (0..count)
        .map(|_| {
            latencies
                .recv_timeout(Duration::from_secs(10))
                .context("an answer did not come within ten seconds")
        })
        .collect()
}
