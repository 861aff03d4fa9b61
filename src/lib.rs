//! Elbow: an elastic load balancer of your own.

pub mod routing;
