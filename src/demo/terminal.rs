//! The demo's commands, typed on the terminal.

use std::future;
use std::io::{self, BufRead, Write};
use std::thread;

use tokio::sync::mpsc;

use super::fleet::Fleet;

const HELP: &str = "stop TARGET, start TARGET, list, quit";

/// Obeys line after line, until `quit`. When there are no more lines it waits for ever: a demo in
/// the background has no terminal and is ended by a signal.
pub(super) async fn obey(fleet: &Fleet) {
    let mut lines = lines();
    while let Some(line) = lines.recv().await {
        match answer(fleet, &line) {
            // Where nobody reads, the demo goes on: `println!` would panic.
            Some(text) => drop(writeln!(io::stdout(), "{text}")),
            None => return,
        }
    }
    future::pending().await
}

/// What to say to a line; `None` to `quit`.
fn answer(fleet: &Fleet, line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let said = match *words {
        [] => HELP.to_owned(),
        ["quit" | "exit"] => return None,
        ["list"] => list(fleet),
        ["stop", id] => match fleet.stop_one(id) {
            Ok(()) => format!("{id} is stopped"),
            Err(error) => error.to_string(),
        },
        ["start", id] => match fleet.start_one(id) {
            Ok(()) => format!("{id} runs"),
            Err(error) => error.to_string(),
        },
        _ => format!("{:?} is not understood: {HELP}", line.trim()),
    };
    Some(said)
}

fn list(fleet: &Fleet) -> String {
    let lines = fleet.targets().iter().map(|target| {
        let state = match target.is_running() {
            true => "runs",
            false => "stopped",
        };
        format!(
            "{}  {}  {}  {state}",
            target.id, target.zone, target.address
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Standard input, read by a thread of its own: it cannot be read without blocking. The thread ends
/// with the process.
fn lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    // Without the thread there are no lines, and the demo runs all the same.
    let _ = thread::Builder::new()
        .name("terminal".to_owned())
        .spawn(move || {
            for line in io::stdin().lock().lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    lines
}
