//! Elbow: an elastic load balancer of your own.

pub mod balance;
pub mod config;
pub mod http1;
pub mod routing;
pub mod target;
pub mod target_group;
