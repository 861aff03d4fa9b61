//! What it costs to make a snapshot: 1,000 target groups of 10 targets must take less than 100 ms.

use std::fmt::Write;

use divan::{Bencher, black_box};
use elbow::config::{self, ValidConfig};
use elbow::metrics::Metrics;
use elbow::snapshot::Snapshot;
use elbow::tls::Terminators;
use prometheus::Registry;
use tokio::time::Instant;

fn main() {
    divan::main();
}

/// Groups of ten targets in two zones, each forwarded to by a rule of its own.
fn configuration(groups: usize) -> String {
    let mut text = String::from(
        "[[load_balancer]]\nname = \"web\"\nnodes = [{ zone = \"a\", address = \"127.0.0.1\" }, \
         { zone = \"c\", address = \"127.0.0.2\" }]\n[[load_balancer.listener]]\nport = 80\n\
         default = { fixed_response = { status = 404 } }\n",
    );
    for group in 0..groups {
        let _ = writeln!(
            text,
            "[[load_balancer.listener.rule]]\npriority = {}\npath = [\"/{group}/*\"]\n\
             forward = \"group-{group}\"",
            group + 1,
        );
    }
    for group in 0..groups {
        let _ = writeln!(
            text,
            "[[target_group]]\nname = \"group-{group}\"\ntargets = ["
        );
        for target in 0..10 {
            let zone = ["a", "c"][target % 2];
            let (high, low) = (group / 256, group % 256);
            let _ = writeln!(
                text,
                "{{ id = \"t{target}\", address = \"10.{high}.{low}.{target}:80\", zone = \"{zone}\" }},"
            );
        }
        text.push_str("]\n");
    }
    text
}

fn valid(groups: usize) -> ValidConfig {
    match config::check_text(&configuration(groups), "bench").into_result() {
        Ok((valid, _)) => valid,
        Err(problems) => unreachable!("{problems}"),
    }
}

fn metrics() -> Metrics {
    match Metrics::new(&Registry::new()) {
        Ok(metrics) => metrics,
        Err(error) => unreachable!("{error}"),
    }
}

/// A start: nothing to adopt.
#[divan::bench(args = [10, 1_000])]
fn first(bencher: Bencher<'_, '_>, groups: usize) {
    let (valid, metrics) = (valid(groups), metrics());
    let last = Snapshot::default();
    bencher.bench(|| {
        Snapshot::compile(
            black_box(&valid),
            &Terminators::default(),
            &last,
            &metrics,
            Instant::now(),
        )
    });
}

/// A reload: the state of every target is adopted.
#[divan::bench(args = [10, 1_000])]
fn next(bencher: Bencher<'_, '_>, groups: usize) {
    let (valid, metrics) = (valid(groups), metrics());
    let last = Snapshot::compile(
        &valid,
        &Terminators::default(),
        &Snapshot::default(),
        &metrics,
        Instant::now(),
    );
    last.take_over(Instant::now());
    bencher.bench(|| {
        Snapshot::compile(
            black_box(&valid),
            &Terminators::default(),
            &last,
            &metrics,
            Instant::now(),
        )
    });
}

/// Text to checked configuration, which a reload does before it compiles.
#[divan::bench(args = [10, 1_000])]
fn check(bencher: Bencher<'_, '_>, groups: usize) {
    let text = configuration(groups);
    bencher.bench(|| config::check_text(black_box(&text), "bench"));
}
