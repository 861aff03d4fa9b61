//! Active health checks: which targets are probed, when, how, and what follows.
//!
//! [`HealthChecker`] keeps one task for each target that is in use and tells its findings to the
//! target's state, where the machine of ALB's states decides. [`Resolver`] finds targets that are
//! registered by name, also where none is probed.
//!
//! What this does not do: it decides nothing about eligibility (`target` does), and probes are
//! neither in the access log nor in the metrics of requests, as with ALB.

mod anomalies;
mod checker;
mod names;
mod probe;
mod report;
mod resolver;
#[cfg(test)]
mod sample;
mod schedule;
#[cfg(test)]
mod stop_and_start;
mod task;

pub use anomalies::watch_anomalies;
pub use checker::HealthChecker;
pub use resolver::Resolver;
