//! `/status`: the daemon at a glance.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::causes::in_full;
use crate::discovery::{ProviderReport, ProviderState};
use crate::succession::Lineage;

use super::Context;

#[derive(Debug, Serialize)]
pub(super) struct Status {
    version: &'static str,
    started: String,
    uptime_seconds: u64,
    ready: bool,
    workers: i64,
    generation: u64,
    process: ProcessDocument,
    /// When the configuration in force was taken over.
    last_reload: Option<String>,
    /// The configuration that was refused since, if one was.
    last_refusal: Option<RefusalDocument>,
    access_log: AccessLogDocument,
    /// Where targets come from besides the file; `/providers` says more.
    providers: Vec<ProviderDocument>,
}

/// Which process this is.
#[derive(Debug, Serialize)]
struct ProcessDocument {
    pid: u32,
    /// How many there were, this one included; 1 took over from nobody.
    number: u64,
    took_over: Option<TookOver>,
    /// Why the last attempt of another process to take over has failed.
    last_failed_upgrade: Option<FailedUpgrade>,
}

#[derive(Debug, Serialize)]
struct TookOver {
    from_pid: u32,
    from_version: String,
    time: String,
    /// Whether that one still has connections.
    draining: bool,
}

#[derive(Debug, Serialize)]
struct FailedUpgrade {
    time: String,
    error: String,
}

#[derive(Debug, Serialize)]
struct ProviderDocument {
    name: String,
    state: &'static str,
    targets: usize,
    remarks: usize,
    /// Why it fails, if it does.
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct RefusalDocument {
    time: String,
    cause: &'static str,
    error: String,
}

#[derive(Debug, Serialize)]
struct AccessLogDocument {
    lines_written: u64,
    lines_dropped: u64,
}

pub(super) async fn show(State(context): State<Context>) -> Json<Status> {
    let uptime = SystemTime::now().duration_since(context.started);
    let refusal = context.reload.last_refusal();
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        started: time(context.started),
        uptime_seconds: uptime.unwrap_or_default().as_secs(),
        ready: context.readiness.is_ready(),
        workers: context.metrics.workers.get(),
        generation: context.snapshot().generation,
        process: process(&context.lineage),
        last_reload: context.metrics.reload.last_success().map(time),
        last_refusal: refusal.map(|refusal| RefusalDocument {
            time: time(refusal.at),
            cause: refusal.cause.as_str(),
            error: in_full(&*refusal.error),
        }),
        access_log: AccessLogDocument {
            lines_written: context.access_log.written(),
            lines_dropped: context.access_log.dropped(),
        },
        providers: context
            .discovery
            .reports()
            .into_iter()
            .map(provider)
            .collect(),
    })
}

fn process(lineage: &Lineage) -> ProcessDocument {
    ProcessDocument {
        pid: std::process::id(),
        number: lineage.number,
        took_over: lineage.origin.as_ref().map(|origin| TookOver {
            from_pid: origin.pid,
            from_version: origin.version.clone(),
            time: time(origin.at),
            draining: lineage.predecessor_drains(),
        }),
        last_failed_upgrade: lineage.last_failure().map(|(at, error)| FailedUpgrade {
            time: time(at),
            error,
        }),
    }
}

fn provider(report: ProviderReport) -> ProviderDocument {
    let fails = report.state == ProviderState::Failing;
    let error = report.last_error.filter(|_| fails);
    ProviderDocument {
        name: report.name.to_string(),
        state: report.state.as_str(),
        targets: report.targets.len(),
        remarks: report.remarks.len() + report.rejected.len(),
        error: error.map(|(_, error)| error),
    }
}

pub(super) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admin::sample::Sample;

    #[tokio::test]
    async fn the_status_tells_version_generation_and_the_last_reload() {
        let sample = Sample::start().await;
        let answer = sample.get("/status").await.json();
        assert_eq!(answer["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(answer["generation"], 1);
        assert_eq!(answer["last_reload"], json!(null));
        assert_eq!(answer["last_refusal"], json!(null));
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_530_570_180);
        sample.context.metrics.reload.success(1, at);
        let answer = sample.get("/status").await.json();
        assert_eq!(answer["last_reload"], "2018-07-02T22:23:00Z");
    }
}
