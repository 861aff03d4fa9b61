//! One request and what holds for it from its head to its last byte.

use std::net::IpAddr;
use std::time::Duration;

use super::ends::Ends;
use super::headers::{Host, Origin};
use crate::auth::Passport;
use crate::config::Attributes;
use crate::http1::{RequestHead, Version};
use crate::routing::{Fields, RequestView};
use crate::snapshot::Entrance;

/// A request that has been let in.
#[derive(Debug)]
pub(super) struct Request<'r> {
    pub(super) head: &'r RequestHead,
    pub(super) host: Host<'r>,
    pub(super) entrance: &'r Entrance,
    pub(super) ends: &'r Ends,
    pub(super) origin: Origin,
    /// Who the request is of, if a rule asks for that.
    pub(super) passport: Passport,
    /// Whether it is a gRPC call.
    pub(super) grpc: bool,
    /// Whether sending it twice does what sending it once does (RFC 9110 section 9.2.2).
    pub(super) idempotent: bool,
    /// How long the target may take to answer, and to go on: set when a group is chosen.
    pub(super) response_timeout: Duration,
}

impl Request<'_> {
    pub(super) fn attributes(&self) -> &Attributes {
        &self.entrance.load_balancer.attributes
    }

    /// What source-ip conditions look at.
    fn source(&self) -> IpAddr {
        match &self.entrance.load_balancer.trusted_proxies {
            Some(trusted) if trusted.source_ip => self.origin.client.ip(),
            _ => self.ends.client.ip(),
        }
    }

    pub(super) fn is_http_1_0(&self) -> bool {
        self.head.version() == Version::Http10
    }

    /// What rules see of it.
    pub(super) fn view<'v>(&'v self, fields: &'v HeadFields<'v>) -> RequestView<'v> {
        RequestView {
            method: self.head.method(),
            scheme: self.ends.scheme(),
            host: self.host.name,
            port: self.ends.node.port(),
            // An absolute request target without a path means the root (RFC 9112 section 3.2.1).
            path: match self.head.path() {
                "" => "/",
                path => path,
            },
            query: self.head.query(),
            source: self.source(),
            fields,
        }
    }
}

/// A head's fields as rules look for them.
#[derive(Debug)]
pub(super) struct HeadFields<'h>(pub(super) &'h RequestHead);

impl Fields for HeadFields<'_> {
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0
            .fields()
            .filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .any(|field| test(field.value))
    }
}
