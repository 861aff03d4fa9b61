//! Who waits while all targets are full: Classic's surge queue.
//!
//! A group whose targets take so many requests at a time (`max_concurrency`) lets others wait: first
//! come, first served, for each node on its own, up to so many and so long. The first of a queue
//! looks for a place whenever one may have opened; the others wait for their turn. One that gives up
//! (its client goes, its time is over) leaves no trace.
//!
//! # Choices
//!
//! AWS says how many wait (1,024) and what becomes of more (spillover: 503), not when a target is
//! full and not how long one waits.
//!
//! * A target is full by the setting alone; without it nobody ever waits.
//! * Where no target is healthy nobody waits either: the answer is 503 at once, and so for those
//!   who are waiting when the last one fails.
//! * A node's queue is for one target group: with several behind its listeners, each has its own.
//! * A request that has been sent once does not queue again to be repeated: it fails as it did. And a
//!   client whose own target is full goes to another one.
//! * Waiting looks at the group of today: a target that a reload adds serves those who wait already.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, timeout};

use super::eligible::Eligible;
use super::{Moment, PickError, Scope, Settings, TargetGroup};
use crate::target::{Lease, Target, Zone};

/// How many may wait, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SurgeQueueLimits {
    /// Requests or connections, for each node; 0 lets nobody wait.
    pub length: u32,
    /// For each of them.
    pub timeout: Duration,
}

impl SurgeQueueLimits {
    /// Nobody waits, as with ALB.
    pub const NONE: Self = Self {
        length: 0,
        timeout: Duration::from_secs(60),
    };
}

/// How a node's queue stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurgeQueueStanding {
    /// The node's zone.
    pub zone: Option<Zone>,
    /// How many wait (Classic: `SurgeQueueLength`).
    pub length: usize,
    /// The most that have waited within the last minute and the one that has begun.
    pub peak: usize,
    /// How many have been refused because the queue was full (Classic: `SpilloverCount`).
    pub spillovers: u64,
}

/// How often the first of a queue looks even if nothing has been said: time alone may make a target
/// eligible.
const TICK: Duration = Duration::from_secs(1);

const MINUTE: Duration = Duration::from_secs(60);

/// The queues of a group, by node.
#[derive(Debug, Default)]
pub(super) struct SurgeQueues {
    waiting: AtomicUsize,
    by_entry: Mutex<HashMap<Option<Zone>, Arc<SurgeQueue>>>,
    /// The group of the newest snapshot, as far as a pick needs it; none while its targets take any
    /// number of requests.
    today: Mutex<Option<Arc<Roster>>>,
}

/// What a pick needs of a group.
#[derive(Debug)]
struct Roster {
    settings: Settings,
    scope: Scope,
    targets: Vec<Arc<Target>>,
}

#[derive(Debug)]
struct SurgeQueue {
    /// Held by the first; tokio hands it on in the order in which it was asked for.
    turn: tokio::sync::Mutex<()>,
    length: AtomicUsize,
    spillovers: AtomicU64,
    peak: Mutex<Peak>,
}

/// A place in a queue; leaving it is dropping it.
struct Place<'q>(&'q SurgeQueues, &'q SurgeQueue);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.1.length.fetch_sub(1, Ordering::AcqRel);
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl SurgeQueues {
    /// Whether somebody waits at the node in the zone `entry`.
    pub(super) fn is_queued(&self, entry: Option<&Zone>) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
            && self
                .by_entry
                .lock()
                .get(&entry.cloned())
                .is_some_and(|queue| queue.length.load(Ordering::Acquire) > 0)
    }

    fn queue(&self, entry: Option<&Zone>) -> Arc<SurgeQueue> {
        let mut queues = self.by_entry.lock();
        let queue = queues.entry(entry.cloned());
        Arc::clone(queue.or_insert_with(|| Arc::new(SurgeQueue::new(Instant::now()))))
    }

    fn standings(&self, now: Instant) -> Vec<SurgeQueueStanding> {
        let queues = self.by_entry.lock();
        let standings = queues.iter().map(|(zone, queue)| SurgeQueueStanding {
            zone: zone.clone(),
            length: queue.length.load(Ordering::Acquire),
            peak: queue.peak.lock().seen(now),
            spillovers: queue.spillovers.load(Ordering::Relaxed),
        });
        let mut standings: Vec<_> = standings.collect();
        standings.sort_by(|a, b| a.zone.cmp(&b.zone));
        standings
    }
}

impl SurgeQueue {
    fn new(now: Instant) -> Self {
        Self {
            turn: tokio::sync::Mutex::default(),
            length: AtomicUsize::new(0),
            spillovers: AtomicU64::new(0),
            peak: Mutex::new(Peak::new(now)),
        }
    }

    /// A place at the end; none if `most` wait already.
    fn enter<'q>(&'q self, all: &'q SurgeQueues, most: u32, now: Instant) -> Option<Place<'q>> {
        let one_more = |length| (length < most as usize).then_some(length + 1);
        let entered = self
            .length
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        let Ok(before) = entered else {
            self.spillovers.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        all.waiting.fetch_add(1, Ordering::AcqRel);
        self.peak.lock().note(before + 1, now);
        Some(Place(all, self))
    }
}

impl TargetGroup {
    /// Takes a place at the target that is next, and waits for one while all are full.
    ///
    /// # Errors
    ///
    /// No target takes a request, the queue is full, or its time is over. Meant to be dropped when
    /// the client goes away.
    pub async fn pick_in_turn(&self, entry: Option<&Zone>) -> Result<Lease, PickError> {
        let queues = &self.state.queues;
        let queue = queues.queue(entry);
        let limits = self.settings.surge_queue;
        let Some(_place) = queue.enter(queues, limits.length, Instant::now()) else {
            return Err(PickError::Saturated);
        };
        let waiting = async {
            let _turn = queue.turn.lock().await;
            loop {
                let opening = self.state.epoch.opening();
                tokio::pin!(opening);
                opening.as_mut().enable();
                match self.pick_today(entry) {
                    Err(PickError::Saturated) => {
                        let _ = timeout(TICK, opening).await;
                    }
                    picked => return picked,
                }
            }
        };
        timeout(limits.timeout, waiting)
            .await
            .unwrap_or(Err(PickError::QueueTimeout))
    }

    /// Picks among the targets of the newest snapshot, without regard to who waits.
    fn pick_today(&self, entry: Option<&Zone>) -> Result<Lease, PickError> {
        let moment = Moment {
            now: Instant::now(),
            chance: fastrand::u64(..),
        };
        let today = self.state.queues.today.lock().clone();
        let Some(today) = today else {
            return self.pick_now(entry, &[], moment);
        };
        let in_turn = super::switch::in_turn(&today.settings, &today.targets, &self.state);
        let eligible = Eligible::build(
            &today.settings,
            &today.scope,
            &in_turn,
            &self.state,
            moment.now,
        );
        eligible.pick(entry, &[], moment)
    }

    /// Lets those who wait see the targets of this group.
    pub(super) fn take_queues_over(&self) {
        let limited = self.settings.max_concurrency.is_some();
        let mut today = self.state.queues.today.lock();
        let waited = today.is_some();
        *today = (limited || waited).then(|| {
            Arc::new(Roster {
                settings: self.settings.clone(),
                scope: self.scope.clone(),
                targets: self.targets.clone(),
            })
        });
        drop(today);
        if limited || waited {
            // They look again, and a new target counts what it opens.
            self.state.epoch.advance();
        }
    }

    /// How the queues of the nodes stand; empty where nobody has ever waited.
    pub fn surge_queues(&self, now: Instant) -> Vec<SurgeQueueStanding> {
        self.state.queues.standings(now)
    }
}

/// The longest that a queue has been, by minutes.
#[derive(Debug)]
struct Peak {
    since: Instant,
    minute: u128,
    this: usize,
    last: usize,
}

impl Peak {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            minute: 0,
            this: 0,
            last: 0,
        }
    }

    fn turn_to(&mut self, now: Instant) {
        let minute = now.saturating_duration_since(self.since).as_nanos() / MINUTE.as_nanos();
        self.last = match minute - self.minute {
            0 => self.last,
            1 => self.this,
            _ => 0,
        };
        if minute != self.minute {
            self.this = 0;
        }
        self.minute = minute;
    }

    fn note(&mut self, length: usize, now: Instant) {
        self.turn_to(now);
        self.this = self.this.max(length);
    }

    fn seen(&mut self, now: Instant) -> usize {
        self.turn_to(now);
        self.this.max(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_that_of_this_minute_and_the_last() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut peak = Peak::new(start);
        peak.note(7, at(10));
        peak.note(3, at(50));
        assert_eq!(peak.seen(at(59)), 7);
        peak.note(4, at(61));
        assert_eq!(peak.seen(at(119)), 7);
        assert_eq!(peak.seen(at(121)), 4);
        assert_eq!(peak.seen(at(300)), 0);
    }
}
