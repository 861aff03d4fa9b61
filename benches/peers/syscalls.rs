//! Which system calls a contender makes for a request, counted by `strace`. Not timed: a traced
//! process runs many times slower.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::contender::{Contender, Running, Site};
use crate::measure::Loading;
use crate::process::find;

const REQUESTS: u64 = 5000;

/// Prints a table a contender, calls made less than once in a hundred requests left out.
pub(crate) fn print(contenders: &[Running], site: &Site) -> Result<()> {
    let strace = find("strace").context("strace is not installed (apt-get install strace)")?;
    for contender in contenders {
        for path in ["/1k", "/100k"] {
            let summary = site.folder.join("strace.out");
            let mut load =
                Loading::start(contender, &["closed", path, "64", &REQUESTS.to_string()])?;
            let mut command = Command::new(&strace);
            command.args(["-c", "-f", "-q", "-o"]).arg(&summary);
            for pid in contender.process.tree() {
                command.args(["-p", &pid.to_string()]);
            }
            let mut tracing = command.spawn()?;
            thread::sleep(Duration::from_millis(500));
            load.finish()?;
            let pid = tracing.id().to_string();
            Command::new("sh")
                .args(["-c", "kill -INT \"$0\""])
                .arg(pid)
                .status()?;
            tracing.wait()?;
            show(contender.who, path, &fs::read_to_string(&summary)?)?;
        }
    }
    Ok(())
}

fn show(who: Contender, path: &str, summary: &str) -> Result<()> {
    println!("\n{who}, system calls a request, {path}");
    let mut total = 0.0;
    for line in summary.lines() {
        // % time, seconds, usecs/call, calls, (errors,) syscall
        let words: Vec<_> = line.split_whitespace().collect();
        let (Some(Ok(calls)), Some(&name)) =
            (words.get(3).map(|word| word.parse::<u64>()), words.last())
        else {
            continue;
        };
        let each = calls as f64 / REQUESTS as f64;
        if name != "total" && each >= 0.01 {
            println!("  {name:16} {each:7.2}");
            total += each;
        }
    }
    if total == 0.0 {
        bail!("strace counted nothing: is this user allowed to trace?");
    }
    println!("  {:16} {total:7.2}", "all");
    Ok(())
}
