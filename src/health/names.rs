//! The names of targets that are not probed. A probe looks a name up before it connects; where health checks are off,
//! this does, at the times at which they would be due.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::checker::Identity;
use super::probe::Prober;
use super::report::Report;
use crate::target::{Target, TargetAddress, TargetHealth};
use crate::target_group::HealthCheck;

/// Looks names up. Dropping it ends that.
#[derive(Debug, Default)]
pub(super) struct Names {
    tasks: HashMap<Identity, Task>,
}

#[derive(Debug)]
struct Task {
    target: Arc<Target>,
    check: Arc<HealthCheck>,
    running: AbortOnDropHandle<()>,
}

impl Names {
    /// Looks up the names of these targets from now on, and no others.
    pub(super) fn assign(&mut self, prober: &Prober, reports: impl Iterator<Item = Report>) {
        let mut before = mem::take(&mut self.tasks);
        for report in reports {
            for target in report.group.targets() {
                if !needs_it(target) {
                    continue;
                }
                let identity = (Arc::clone(&report.name), target.key.clone());
                let check = &report.group.health_check;
                let goes_on = |task: &Task| task.is_for(target, check);
                let task = before.remove(&identity).filter(goes_on);
                let task = task.unwrap_or_else(|| start(prober, target, &report));
                self.tasks.insert(identity, task);
            }
        }
    }
}

/// Whether it takes requests, has a name and is not probed.
fn needs_it(target: &Target) -> bool {
    let is_named = matches!(target.address, TargetAddress::Name(..));
    is_named && target.state.health() == TargetHealth::Unavailable
}

impl Task {
    /// Whether it looks up what is to be looked up. A target that was registered anew has no address, and waits for no
    /// turn.
    fn is_for(&self, target: &Target, check: &HealthCheck) -> bool {
        !self.running.is_finished()
            && target.state.resolved().is_some()
            && Arc::ptr_eq(&self.target.state, &target.state)
            && self.target.address == target.address
            && *self.check == *check
    }
}

fn start(prober: &Prober, target: &Arc<Target>, report: &Report) -> Task {
    let check = Arc::clone(&report.group.health_check);
    let run = {
        let (prober, report) = (prober.clone(), report.clone());
        let (target, check) = (Arc::clone(target), Arc::clone(&check));
        async move {
            loop {
                let before = target.state.resolved();
                // One that is not found keeps the address that it had; there are no probes to tell of it.
                let _ = timeout(check.timeout, prober.locate(&target, &check)).await;
                if let Some(before) = before.filter(|_| before != target.state.resolved()) {
                    report.moved(&target, before);
                }
                sleep(check.interval).await;
            }
        }
    };
    Task {
        target: Arc::clone(target),
        check,
        running: AbortOnDropHandle::new(tokio::spawn(run)),
    }
}
