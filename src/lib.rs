//! Elbow: an elastic load balancer of your own.

pub mod access_log;
pub mod config;
pub mod metrics;
pub mod target;
