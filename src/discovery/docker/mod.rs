//! Containers as targets, by their labels: found by asking the engine once, and kept by its events.
//!
//! Look at [`targets`] for what becomes of a container, at [`labels`] for what it may ask for. What
//! the engine says is believed at once; nothing waits for probes that would find out the same later.
//!
//! **Stopping without a failed request.** The engine tells of a stop when it has sent the signal,
//! not before: from then on the target gets no new request, but what the container does meanwhile is
//! its own affair. So let an image stop gracefully (`STOPSIGNAL SIGWINCH` for Apache, `SIGQUIT` for
//! nginx and PHP-FPM): then requests in flight end well, and a connection that is refused is made
//! again at another target. For an application that ends at once on its signal, take the target out
//! first: `POST /target-groups/GROUP/targets/ID/drain` on the admin address, then stop it; Compose's
//! `pre_stop` hooks can do it. `deregister_on = "stop"` is for containers that never come back under
//! their name: they drain, and leave the list, instead of standing there as `unused`.
//!
//! **No gap.** Events are asked for before the list is, and the list again a moment later: what
//! happens in between is seen twice, never missed. A list once a minute makes sure that the events
//! still come. When the engine is gone, the targets stay as they are, and probes go on.

mod container;
mod engine;
mod labels;
#[cfg(test)]
mod sample;
mod signal;
mod targets;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::info;

use super::Remark;
use super::backoff::Backoff;
use super::board::Reporter;
use crate::config::DockerSource;
use container::Container;
use engine::{Engine, Event, Happened};
use targets::{Findings, LastKnown, Seen};

/// From the first list to the second: by then the engine has heard that events are wanted.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// From one list to the next, though events have said all.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Events that come so close together are one: Compose does many things at once.
const TOGETHER: Duration = Duration::from_millis(20);
/// A container that has got its stop signal and still runs after so long (or its own stop timeout)
/// is not about to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// Follows an engine for ever.
pub(super) async fn run(source: DockerSource, reporter: Reporter) {
    let mut follower = Follower {
        source,
        reporter,
        containers: HashMap::new(),
        stopping: HashMap::new(),
        unread: HashMap::new(),
        known: LastKnown::default(),
    };
    let mut backoff = Backoff::default();
    loop {
        let error = follower.follow(&mut backoff).await;
        follower.reporter.failed(&error);
        backoff.pause().await;
    }
}

/// What is known of an engine's containers.
struct Follower {
    source: DockerSource,
    reporter: Reporter,
    /// Those with our labels, by the engine's id.
    containers: HashMap<String, Container>,
    /// Those that were told to stop, and until when that is believed.
    stopping: HashMap<String, Instant>,
    /// Those of which the engine's word could not be understood, and why.
    unread: HashMap<String, String>,
    known: LastKnown,
}

impl Follower {
    /// Follows the engine until something goes wrong; returns what.
    async fn follow(&mut self, backoff: &mut Backoff) -> String {
        match self.try_follow(backoff).await {
            Ok(()) => "the engine has ended the stream of events".to_owned(),
            Err(error) => error,
        }
    }

    async fn try_follow(&mut self, backoff: &mut Backoff) -> Result<(), String> {
        let engine = Engine::find(&self.source.host).await?;
        let mut events = engine.events();
        self.look(&engine).await?;
        backoff.reset();
        let mut next_look = Instant::now() + SECOND_LOOK;
        loop {
            let due = self.next_doubt().map_or(next_look, |at| at.min(next_look));
            let mut happened = Vec::new();
            tokio::select! {
                () = sleep_until(due) => {}
                event = events.next() => match event {
                    Some(event) => happened.push(event?),
                    None => return Ok(()),
                },
            }
            if !happened.is_empty() {
                let end = Instant::now() + TOGETHER;
                while let Ok(Some(event)) = timeout_at(end, events.next()).await {
                    happened.push(event?);
                }
                self.take_in(&engine, happened).await?;
            } else if Instant::now() >= next_look {
                self.look(&engine).await?;
                next_look = Instant::now() + LOOK_EVERY;
            } else {
                self.report();
            }
        }
    }

    /// Asks for all containers.
    async fn look(&mut self, engine: &Engine) -> Result<(), String> {
        let ids = engine.list(&self.group_label()).await?;
        self.containers.retain(|id, _| ids.contains(id));
        self.unread.retain(|id, _| ids.contains(id));
        for id in ids {
            self.ask(engine, &id).await?;
        }
        self.report();
        Ok(())
    }

    /// Asks for the containers to which something has happened.
    async fn take_in(&mut self, engine: &Engine, events: Vec<Event>) -> Result<(), String> {
        let mut ids = Vec::new();
        for Event { id, what } in events {
            match what {
                Happened::Signal(signal) => self.note_signal(&id, signal),
                Happened::Started => {
                    self.stopping.remove(&id);
                }
                Happened::Changed => {}
            }
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        // What a signal means need not wait for the engine's answer.
        self.report();
        for id in ids {
            self.ask(engine, &id).await?;
        }
        self.report();
        Ok(())
    }

    fn note_signal(&mut self, id: &str, signal: i32) {
        let Some(container) = self.containers.get(id) else {
            return;
        };
        if signal::stops(signal, container.stop_signal) {
            let within = STOPS_WITHIN.max(container.stop_timeout + TOGETHER);
            let name = &container.name;
            info!(container = name, signal, "container was told to stop");
            self.stopping.insert(id.to_owned(), Instant::now() + within);
        }
    }

    /// Asks for one container. A word of the engine's that cannot be understood concerns that
    /// container only; that it does not answer at all concerns all.
    async fn ask(&mut self, engine: &Engine, id: &str) -> Result<(), String> {
        match engine.inspect(id).await {
            Ok(Some(container)) if self.is_ours(&container) => {
                self.unread.remove(id);
                self.containers.insert(id.to_owned(), container);
            }
            Ok(_) => {
                self.unread.remove(id);
                self.containers.remove(id);
            }
            Err(error) if error.starts_with("Failed to deserialize JSON") => {
                self.unread.insert(id.to_owned(), error);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn group_label(&self) -> String {
        format!("{}.target_group", self.source.label_prefix)
    }

    fn is_ours(&self, container: &Container) -> bool {
        container.labels.contains_key(&self.group_label())
    }

    /// When the next container is believed to run on although it was told to stop.
    fn next_doubt(&self) -> Option<Instant> {
        self.stopping.values().min().copied()
    }

    fn report(&mut self) {
        let now = Instant::now();
        let containers = &self.containers;
        self.stopping
            .retain(|id, until| now < *until && containers.contains_key(id));
        let mut ordered: Vec<_> = containers.iter().collect();
        ordered.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        let seen = ordered.into_iter().map(|(id, container)| Seen {
            container,
            stopping: self.stopping.contains_key(id),
        });
        let mut findings = Findings::of(seen, &self.source, &mut self.known);
        let unread = self.unread.iter().map(|(id, error)| Remark {
            about: format!("container {}", id.get(..12).unwrap_or(id)),
            message: format!("what the engine says of it cannot be read: {error}"),
        });
        findings.remarks.extend(unread);
        self.reporter.found(findings.targets, findings.remarks);
    }
}
