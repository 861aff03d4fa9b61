//! What is measured, one function a measure. Every measure goes round the contenders in turn, the
//! order rotated each time, so that a slow minute of the machine is shared by all.

use std::collections::HashMap;
use std::io::BufRead;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::contender::{LOAD_CORE, Running};
use crate::process::{Pinned, wait_for};
use crate::report::Series;
use crate::secure::Secure;

/// Connections of the CPU and latency measures.
const CONNECTIONS: usize = 64;
/// Idle connections of the memory measure.
const IDLE_CONNECTIONS: usize = 2000;

/// CPU time a request in microseconds, all connections always busy; and how much of the core's
/// time the contender used meanwhile, in percent.
///
/// Each round is charged with all that the contender did since its round before, so that what it
/// puts off (its log, above all) is not lost.
pub(crate) fn cpu(
    contenders: &[Running],
    path: &str,
    rounds: usize,
    requests: u64,
) -> Result<[Series; 2]> {
    let load = [
        "closed",
        path,
        &CONNECTIONS.to_string(),
        &requests.to_string(),
    ];
    let loads = start_all(contenders, &load)?;
    let label = format!("CPU a request, {path}");
    charged(contenders, label, loads, rounds, requests)
}

/// The same over TLS, for a whole connection where the kind has one for each request.
pub(crate) fn secure(
    contenders: &[Running],
    measure: &Secure,
    rounds: usize,
) -> Result<[Series; 2]> {
    let load = [
        "secure",
        measure.kind.word(),
        measure.path,
        &CONNECTIONS.to_string(),
        &measure.requests.to_string(),
    ];
    let loads = contenders
        .iter()
        .map(|contender| Loading::start_at(contender, contender.secure, &load))
        .collect::<Result<Vec<_>>>()?;
    charged(
        contenders,
        measure.label.to_owned(),
        loads,
        rounds,
        measure.requests,
    )
}

fn charged(
    contenders: &[Running],
    label: String,
    mut loads: Vec<Loading>,
    rounds: usize,
    requests: u64,
) -> Result<[Series; 2]> {
    let mut cost = Series::new(label, "us", contenders);
    let mut busy = Series::new("  of its core", "%", contenders);
    settle();
    contenders.iter().for_each(Running::empty_log);
    let mut before: Vec<_> = contenders.iter().map(|one| one.process.cpu()).collect();
    for (index, contender) in in_turn(contenders, rounds) {
        let seen = loads[index].finish()?;
        settle();
        let after = contender.process.cpu();
        let used = after.saturating_sub(before[index]);
        before[index] = after;
        cost.add(index, used.as_secs_f64() * 1e6 / requests as f64);
        busy.add(
            index,
            used.as_nanos() as f64 * 100.0 / seen.value("wall_ns")?,
        );
    }
    for contender in contenders {
        contender.doubt_log(rounds as u64 * requests);
        contender.empty_log();
    }
    Ok([cost, busy])
}

/// Median and 99th percentile of the latency at `per_second` requests, in microseconds.
pub(crate) fn latency(
    contenders: &[Running],
    per_second: u64,
    rounds: usize,
    seconds: f64,
) -> Result<[Series; 2]> {
    let mut p50 = Series::new(format!("latency at {per_second}/s, p50"), "us", contenders);
    let mut p99 = Series::new(format!("latency at {per_second}/s, p99"), "us", contenders);
    let requests = (per_second as f64 * seconds) as u64;
    let numbers = [CONNECTIONS as u64, per_second, requests].map(|number| number.to_string());
    let load = ["rate", "/1k", &numbers[0], &numbers[1], &numbers[2]];
    let mut loads = start_all(contenders, &load)?;
    for (index, _) in in_turn(contenders, rounds) {
        let seen = loads[index].finish()?;
        p50.add(index, seen.value("p50_ns")? / 1e3);
        p99.add(index, seen.value("p99_ns")? / 1e3);
        settle();
    }
    contenders.iter().for_each(Running::empty_log);
    Ok([p50, p99])
}

/// Resident memory: at rest, for each idle connection, and by how much it grows while a large body
/// goes through it whose receiver stops reading now and then. Wants contenders that have done
/// nothing yet.
pub(crate) fn memory(contenders: &[Running], bytes: u64) -> Result<Vec<Series>> {
    let mut rest = Series::new("memory at rest", "MiB", contenders);
    let mut idle = Series::new("memory an idle connection", "KiB", contenders);
    let mut down = Series::new("growth under a large download", "MiB", contenders);
    let mut up = Series::new("growth under a large upload", "MiB", contenders);
    for (index, contender) in contenders.iter().enumerate() {
        let at_rest = contender.process.resident() as f64;
        rest.add(index, at_rest / MIB);

        let mut load = Loading::start(contender, &["hold", &IDLE_CONNECTIONS.to_string()])?;
        // What a proxy releases while idle, it may release after a while only.
        thread::sleep(Duration::from_secs(1));
        let held = contender.process.resident() as f64;
        idle.add(index, (held - at_rest) / 1024.0 / IDLE_CONNECTIONS as f64);
        load.finish()?;

        down.add(index, growth(contender, "download", bytes)?);
        up.add(index, growth(contender, "upload", bytes)?);
        contender.empty_log();
    }
    Ok(vec![rest, idle, down, up])
}

const MIB: f64 = 1024.0 * 1024.0;

fn growth(contender: &Running, direction: &str, bytes: u64) -> Result<f64> {
    let mut load = Loading::start(contender, &[direction, &bytes.to_string()])?;
    let before = contender.process.resident();
    load.process.go()?;
    let mut most = before;
    while load.process.ended()?.is_none() {
        most = most.max(contender.process.resident());
        thread::sleep(Duration::from_millis(5));
    }
    load.result()?;
    Ok((most - before) as f64 / MIB)
}

/// Every contender once a round, each round beginning with another.
fn in_turn(contenders: &[Running], rounds: usize) -> impl Iterator<Item = (usize, &Running)> {
    (0..rounds).flat_map(move |round| {
        (0..contenders.len()).map(move |i| {
            let index = (i + round) % contenders.len();
            (index, &contenders[index])
        })
    })
}

/// A moment for what a contender does right behind its last answer.
fn settle() {
    thread::sleep(Duration::from_millis(10));
}

fn start_all(contenders: &[Running], load: &[&str]) -> Result<Vec<Loading>> {
    contenders
        .iter()
        .map(|contender| Loading::start(contender, load))
        .collect()
}

/// A load generator, connected and warm, that waits for the word.
pub(crate) struct Loading {
    pub(crate) process: Pinned,
    lines: Box<dyn BufRead>,
}

impl Loading {
    /// Starts one against `contender`: the name of the load, then its numbers.
    pub(crate) fn start(contender: &Running, load: &[&str]) -> Result<Self> {
        Self::start_at(contender, contender.address, load)
    }

    /// The same against one of its addresses.
    fn start_at(contender: &Running, address: SocketAddr, load: &[&str]) -> Result<Self> {
        let mut arguments = vec!["load".into(), load[0].into(), address.to_string()];
        arguments.extend(load[1..].iter().map(|&word| word.to_owned()));
        let mut process = Pinned::start_self(LOAD_CORE, &arguments)?;
        let mut lines = process.lines().context("no output")?;
        wait_for("ready", &mut lines)
            .with_context(|| format!("{load:?} through {}", contender.who))?;
        Ok(Self {
            process,
            lines: Box::new(lines),
        })
    }

    /// Lets it do its work and waits for what it saw.
    pub(crate) fn finish(&mut self) -> Result<Seen> {
        self.process.go()?;
        self.result()
    }

    fn result(&mut self) -> Result<Seen> {
        let mut line = String::new();
        // A load that is repeated says again that it is ready.
        while self.lines.read_line(&mut line)? > 0 && line.trim() == "ready" {
            line.clear();
        }
        let pairs = line
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        let values: HashMap<_, _> = pairs
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect();
        if values.is_empty() {
            anyhow::bail!("the load failed");
        }
        Ok(Seen(values))
    }
}

/// What a load generator saw, by name.
pub(crate) struct Seen(HashMap<String, f64>);

impl Seen {
    fn value(&self, name: &str) -> Result<f64> {
        self.0
            .get(name)
            .copied()
            .with_context(|| format!("the load did not say {name}"))
    }
}
