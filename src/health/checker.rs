//! Which targets are probed: one task for each that is in use.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::Resolver;
use super::probe::Prober;
use super::report::Report;
use super::schedule::Schedule;
use super::task::{self, Assignment};
use crate::snapshot::Snapshot;
use crate::target::{Target, TargetKey};

/// Probes the targets of the current snapshot. Dropping it ends all probes; one that is cut off
/// midway counts neither as a pass nor as a failure.
#[derive(Debug)]
pub struct HealthChecker {
    prober: Prober,
    origin: Instant,
    tasks: HashMap<Identity, Task>,
}

/// The group's name and the target's identity in it.
type Identity = (Arc<str>, TargetKey);

impl HealthChecker {
    /// One that probes nothing yet, and will resolve targets' names with `resolver`.
    pub fn new(resolver: Resolver) -> Self {
        Self {
            prober: Prober::new(resolver),
            origin: Instant::now(),
            tasks: HashMap::new(),
        }
    }

    /// Checks what `snapshot` says from now on: call it after the snapshot has taken over, within a
    /// tokio runtime. A target new to it is probed at once; one that it has no longer, not any more;
    /// all others go on at their times, with the new settings. A target whose address was changed
    /// keeps its health and its times, and is probed at once, too.
    pub fn reconcile(&mut self, snapshot: &Snapshot) {
        let assignments = snapshot.groups.iter().flat_map(|(name, group)| {
            let report = Report {
                group: Arc::clone(name),
                metrics: Arc::clone(group.metrics.probes()),
            };
            group.probed().map(move |target| Assignment {
                target: Arc::clone(target),
                check: Arc::clone(&group.health_check),
                report: report.clone(),
            })
        });
        self.assign(assignments);
    }

    fn assign(&mut self, assignments: impl Iterator<Item = Assignment>) {
        let mut before = mem::take(&mut self.tasks);
        for assignment in assignments {
            let group = Arc::clone(&assignment.report.group);
            let identity = (group, assignment.target.key.clone());
            let task = match before.remove(&identity) {
                Some(task) if task.watches(&assignment.target) => {
                    task.reassign(assignment);
                    task
                }
                _ => self.start(&identity, assignment),
            };
            self.tasks.insert(identity, task);
        }
    }

    fn start(&self, identity: &Identity, assignment: Assignment) -> Task {
        let prober = self.prober.clone();
        let schedule = Schedule::new(self.origin, identity);
        let (assignments, receiver) = watch::channel(assignment);
        let run = task::run(receiver, schedule, move |assignment: Assignment| {
            let prober = prober.clone();
            async move { prober.probe(&assignment.target, &assignment.check).await }
        });
        Task {
            assignments,
            running: AbortOnDropHandle::new(tokio::spawn(run)),
        }
    }
}

/// A running task. Dropping it ends it.
#[derive(Debug)]
struct Task {
    assignments: watch::Sender<Assignment>,
    running: AbortOnDropHandle<()>,
}

impl Task {
    /// Whether what it probes is this very target, where it is now.
    fn watches(&self, target: &Target) -> bool {
        let assigned = &self.assignments.borrow().target;
        !self.running.is_finished()
            && Arc::ptr_eq(&assigned.state, &target.state)
            && assigned.address == target.address
    }

    /// Goes on with the new assignment. Wakes the task only if the settings differ.
    fn reassign(&self, assignment: Assignment) {
        self.assignments.send_if_modified(|current| {
            let differs = current.check != assignment.check;
            *current = assignment;
            differs
        });
    }
}
