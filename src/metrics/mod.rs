//! Placeholder.
#![allow(missing_docs)]

use std::sync::Arc;

use prometheus::{IntCounter, IntGauge, Registry};

#[derive(Debug)]
pub struct NodeMetrics {
    pub new_connections: IntCounter,
    pub active_connections: IntGauge,
    pub rejected_connections: IntCounter,
}

#[derive(Debug)]
pub struct ServerMetrics {
    pub accept_errors: IntCounter,
    pub panics: IntCounter,
}

#[derive(Debug)]
pub struct GroupMetrics;

#[derive(Debug)]
pub struct Metrics;

impl Metrics {
    pub fn new(_registry: &Registry) -> Result<Self, prometheus::Error> {
        Ok(Self)
    }
    pub fn node(&self, _load_balancer: &str, _zone: Option<&str>) -> Arc<NodeMetrics> {
        unimplemented!()
    }
    pub fn server(&self) -> Arc<ServerMetrics> {
        unimplemented!()
    }
    pub fn group(
        &self,
        _load_balancer: &str,
        _group: &str,
        _zones: &[Option<&str>],
    ) -> GroupMetrics {
        GroupMetrics
    }
}
