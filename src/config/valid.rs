//! Placeholder.
#![allow(missing_docs)]

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::routing::{FixedResponse, Redirect, RuleTable};
use crate::target::Zone;
use crate::target_group::{HealthCheck, Registration, Settings};

use super::{ForwardedFor, LogFormat, Ranges};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLogSettings {
    pub path: Option<PathBuf>,
    pub format: LogFormat,
}

#[derive(Debug)]
pub struct ValidConfig {
    pub ranges: Ranges,
    pub workers: Option<usize>,
    pub shutdown_deadline: Duration,
    pub admin: SocketAddr,
    pub access_log: AccessLogSettings,
    pub load_balancers: Vec<ValidLoadBalancer>,
    pub target_groups: Vec<ValidTargetGroup>,
}

#[derive(Debug)]
pub struct ValidLoadBalancer {
    pub name: Arc<str>,
    pub nodes: Vec<ValidNode>,
    pub attributes: Attributes,
    pub listeners: Vec<ValidListener>,
}

#[derive(Clone, Debug)]
pub struct ValidNode {
    pub zone: Option<Zone>,
    pub address: IpAddr,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub request_line: usize,
    pub header: usize,
    pub headers: usize,
    pub response_headers: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    pub idle_timeout: Duration,
    pub client_keep_alive: Duration,
    pub header_timeout: Duration,
    pub forwarded_for: ForwardedFor,
    pub client_port: bool,
    pub preserve_host: bool,
    pub drop_invalid_header_fields: bool,
    pub max_connections: Option<usize>,
    pub limits: Limits,
}

#[derive(Debug)]
pub struct ValidListener {
    pub port: u16,
    pub rules: RuleTable<ValidAction>,
}

#[derive(Clone, Debug)]
pub enum ValidAction {
    Forward(Vec<(Arc<str>, u32)>),
    Redirect(Redirect),
    FixedResponse(FixedResponse),
}

#[derive(Debug)]
pub struct ValidTargetGroup {
    pub settings: Settings,
    pub health_check: HealthCheck,
    pub registrations: Vec<Registration>,
    pub load_balancer: Option<Arc<str>>,
}
