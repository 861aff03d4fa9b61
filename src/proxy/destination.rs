//! Where a connection to a target leads, and what must be said on it before anything else.
//!
//! A PROXY protocol header names one client's connection, so a connection that began with one serves
//! no other client: the introduction is part of what the pool knows a connection by. It names the
//! client's connection, not who a request says it comes from: that may be another for each request
//! and stands in X-Forwarded-For.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicU64;

use super::ends::Ends;
use crate::net::Stream;
use crate::proxy_protocol::{self, Version};

/// What a connection is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Destination {
    /// First, for it decides the order: all that was made for one client lies together.
    pub(super) introduction: Option<Introduction>,
    pub(super) address: SocketAddr,
}

/// What the target is told first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Introduction {
    ends: proxy_protocol::Ends,
    version: Version,
}

impl Introduction {
    pub(super) fn new(version: Version, ends: &Ends) -> Self {
        Self {
            version,
            ends: proxy_protocol::Ends {
                source: ends.client,
                destination: ends.destination,
            },
        }
    }

    /// The first destination of all that may begin with it.
    pub(super) fn first(self) -> Destination {
        Destination {
            introduction: Some(self),
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        }
    }
}

impl Destination {
    /// The target at `address`, which is told who the client is in this version, if at all.
    pub(super) fn new(address: SocketAddr, version: Option<Version>, ends: &Ends) -> Self {
        Self {
            introduction: version.map(|version| Introduction::new(version, ends)),
            address,
        }
    }

    /// Connects, and introduces the client.
    ///
    /// # Errors
    ///
    /// The target refuses, cannot be reached, or has closed the connection at once.
    pub(super) async fn connect(&self) -> io::Result<Stream> {
        let mut stream = Stream::connect(self.address).await?;
        if let Some(Introduction { version, ends }) = &self.introduction {
            let mut header = Vec::new();
            version.write(&mut header, Some(ends));
            let (_, mut writer) = stream.split();
            writer.send([&header], &AtomicU64::new(0)).await?;
        }
        Ok(stream)
    }
}
