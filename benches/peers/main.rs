//! Elbow beside Debian's nginx and HAProxy and beside a forwarder that parses nothing: CPU a
//! request, latency, memory, all in one run, the proxies on one core and load and target on another.
//! `benches/README.md` says what each figure means and what was seen.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand, ValueEnum};

use crate::contender::{Contender, LOAD_CORE, Running, Site};
use crate::process::Pinned;
use crate::report::{Against, Goal};

mod contender;
mod forwarder;
mod load;
mod measure;
mod process;
mod rate;
mod report;
mod secure;
mod syscalls;
mod target;
mod wire;

/// Compare Elbow with its peers on one core.
#[derive(Parser)]
struct Arguments {
    /// Fewer and shorter rounds: under 40 seconds, good for a first look only.
    #[arg(long)]
    quick: bool,
    /// Exit with 1 when a goal is missed.
    #[arg(long)]
    check: bool,
    /// Measure only these parts (the default is all but syscalls).
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Take part (the default is everyone).
    #[arg(long, value_delimiter = ',')]
    with: Vec<Contender>,
    /// Print the value of every single round, too.
    #[arg(long)]
    samples: bool,
    /// Take the templates of the configurations from another folder.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers"))]
    templates: PathBuf,
    /// Leave the folder with configurations and logs, and say where it is.
    #[arg(long)]
    keep: bool,
    /// What `cargo bench` adds; without it and without a role nothing is measured, so that
    /// `cargo test --all-targets` stays quick.
    #[arg(long)]
    bench: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Memory,
    Cpu,
    /// CPU over TLS: handshakes, HTTP/1.1, HTTP/2.
    Tls,
    Latency,
    /// System calls a request, by strace.
    Syscalls,
}

/// The processes that a run starts of this program.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Target { addresses: Vec<SocketAddr> },
    #[command(hide = true)]
    Forward {
        listen: SocketAddr,
        targets: Vec<SocketAddr>,
    },
    #[command(hide = true)]
    Load {
        #[command(subcommand)]
        load: load::Load,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.role {
        Some(Role::Target { addresses }) => single(target::serve(addresses)).map(|()| true),
        Some(Role::Forward { listen, targets }) => {
            single(forwarder::serve(listen, targets)).map(|()| true)
        }
        Some(Role::Load { load }) => load::run(load).map(|()| true),
        None if arguments.bench => compare(&arguments),
        None => {
            println!("nothing measured: run `cargo bench --bench peers`");
            Ok(true)
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) if arguments.check => ExitCode::FAILURE,
        Ok(false) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs `work` to its end on a runtime of one thread.
fn single<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// How long a run takes.
struct Extent {
    cpu_rounds: usize,
    tls_rounds: usize,
    small_requests: u64,
    large_requests: u64,
    latency_rounds: usize,
    latency_seconds: f64,
    rates: &'static [u64],
    body: u64,
}

/// Many short rounds rather than few long ones: what disturbs the machine for a second or two then
/// falls on all contenders alike.
const FULL: Extent = Extent {
    cpu_rounds: 60,
    tls_rounds: 25,
    small_requests: 5_000,
    large_requests: 1_000,
    latency_rounds: 21,
    latency_seconds: 0.5,
    rates: &[4_000, 12_000],
    body: 1 << 30,
};

const QUICK: Extent = Extent {
    cpu_rounds: 15,
    tls_rounds: 7,
    small_requests: 5_000,
    large_requests: 1_000,
    latency_rounds: 5,
    latency_seconds: 0.5,
    rates: &[4_000],
    body: 256 << 20,
};

fn compare(arguments: &Arguments) -> Result<bool> {
    if std::thread::available_parallelism()?.get() < 2 {
        bail!("two cores are needed: one for the proxies, one for load and target");
    }
    let begun = Instant::now();
    let extent = if arguments.quick { QUICK } else { FULL };
    let mut folder = tempfile::Builder::new().prefix("elbow-peers").tempdir()?;
    folder.disable_cleanup(arguments.keep);
    let site = Site {
        templates: arguments.templates.clone(),
        folder: folder.path().to_owned(),
        targets: [contender::free_address()?, contender::free_address()?],
    };
    secure::certify(&site.folder)?;
    let roles = [
        "target".to_owned(),
        site.targets[0].to_string(),
        site.targets[1].to_string(),
    ];
    let _target = Pinned::start_self(LOAD_CORE, &roles)?;
    let contenders = start_all(arguments, &site);
    if contenders.is_empty() {
        bail!("nobody to measure");
    }

    let reached = measure(arguments, &extent, &contenders, &site)?;
    println!(
        "\n{:.0} seconds, {}",
        begun.elapsed().as_secs_f64(),
        machine()
    );
    if arguments.check && !contenders.iter().any(|one| one.who == Contender::Elbow) {
        bail!("nothing checked: Elbow did not take part");
    }
    if arguments.keep {
        println!("configurations and logs: {}", site.folder.display());
    }
    Ok(reached)
}

fn start_all(arguments: &Arguments, site: &Site) -> Vec<Running> {
    let mut contenders = Vec::new();
    for who in Contender::ALL {
        if !arguments.with.is_empty() && !arguments.with.contains(&who) {
            continue;
        }
        match contender::start(who, site) {
            Ok(running) => contenders.push(running),
            Err(error) => println!("{who} is left out: {error:#}"),
        }
    }
    contenders
}

fn measure(
    arguments: &Arguments,
    extent: &Extent,
    contenders: &[Running],
    site: &Site,
) -> Result<bool> {
    let wanted = |part| match arguments.only.as_slice() {
        [] => part != Part::Syscalls,
        only => only.contains(&part),
    };
    // Memory first: what a busy hour leaves in an allocator would hide what a connection needs.
    let mut measures = Vec::new();
    let mut goals = Vec::new();
    let mut goal = |series: usize, against, at_most| goals.push((series, against, at_most));
    if wanted(Part::Memory) {
        goal(0, Against::Itself, 16.0);
        goal(1, Against::Itself, 12.0);
        goal(2, Against::Itself, BOUNDED_GROWTH);
        goal(3, Against::Itself, BOUNDED_GROWTH);
        measures.extend(measure::memory(contenders, extent.body)?);
    }
    if wanted(Part::Cpu) {
        let (rounds, at) = (extent.cpu_rounds, measures.len());
        goal(at, Against::BetterPeer, 1.0);
        goal(at, Against::Floor, 1.35);
        goal(at + 2, Against::BetterPeer, 0.8);
        measures.extend(measure::cpu(
            contenders,
            "/1k",
            rounds,
            extent.small_requests,
        )?);
        measures.extend(measure::cpu(
            contenders,
            "/100k",
            rounds,
            extent.large_requests,
        )?);
    }
    if wanted(Part::Tls) {
        // The forwarder, which is the last, speaks no TLS.
        let speaks = |one: &&Running| one.who != Contender::Forwarder;
        let able = &contenders[..contenders.iter().take_while(speaks).count()];
        for measure in &secure::MEASURES {
            goal(measures.len(), Against::BetterPeer, 1.0);
            measures.extend(measure::secure(able, measure, extent.tls_rounds)?);
        }
    }
    if wanted(Part::Latency) {
        for &rate in extent.rates {
            goal(measures.len() + 1, Against::BetterPeer, 1.0 + LATENCY_NOISE);
            measures.extend(measure::latency(
                contenders,
                rate,
                extent.latency_rounds,
                extent.latency_seconds,
            )?);
        }
    }
    if arguments.samples {
        report::samples(&measures);
    }
    report::table(&measures);
    let goals: Vec<_> = goals
        .into_iter()
        .map(|(series, against, at_most): (usize, _, _)| Goal {
            series: &measures[series],
            against,
            at_most,
        })
        .collect();
    let reached = report::goals(&goals);
    if wanted(Part::Syscalls) {
        syscalls::print(contenders, site)?;
    }
    Ok(reached)
}

/// "Constant memory" in MiB: a few buffers, whatever the size of the body.
const BOUNDED_GROWTH: f64 = 2.0;
/// By how much the ratio of two equal proxies' p99 differs from 1 from run to run.
const LATENCY_NOISE: f64 = 0.10;

/// What the figures were seen on, and how much of it the hypervisor kept for others.
fn machine() -> String {
    let read = |file: &str| std::fs::read_to_string(file).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{}, Linux {}, load average {load}",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim()
    )
}
