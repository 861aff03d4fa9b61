//! Evaluates, every few seconds, how targets have treated requests: passive health checks.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use crate::snapshot::{Group, Shared};
use crate::target_group::ANOMALY_PERIOD;

/// Evaluates all target groups every [`ANOMALY_PERIOD`], for as long as the daemon lives, and logs
/// which targets have become anomalous and which are normal again.
pub async fn watch_anomalies(shared: Arc<Shared>) {
    let mut ticks = interval(ANOMALY_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for group in shared.load().groups.values() {
            evaluate(group);
        }
    }
}

fn evaluate(group: &Group) {
    let name = &group.settings().name;
    for target in group.evaluate() {
        let conduct = target.state.conduct();
        let failures = format!("{:.1} %", conduct.failure_rate() * 100.0);
        match conduct.anomalous {
            true => tracing::warn!(
                group = %name, target = %target.key, failures, score = conduct.score,
                "target is anomalous: it fails more often than the others"
            ),
            false => tracing::info!(
                group = %name, target = %target.key, failures,
                "target is not anomalous any more"
            ),
        }
    }
}
