//! Elbow: an elastic load balancer of your own.

pub mod access_log;
pub mod admin;
pub mod app;
pub mod balance;
pub mod cli;
pub mod config;
pub mod demo;
pub mod health;
pub mod http1;
pub mod metrics;
pub mod net;
pub mod proxy;
pub mod reload;
pub mod routing;
pub mod server;
pub mod snapshot;
pub mod target;
pub mod target_group;
pub mod telemetry;
