//! Asking DNS: one name, one kind of record, with the answer's TTL.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, Record, RecordType};

/// How long all servers together may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom to ask.
pub(super) struct Lookup {
    resolver: TokioResolver,
}

/// Addresses, and for how long they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ttl: Duration,
}

/// Hosts of a service, and for how long they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Services {
    pub(super) hosts: Vec<ServiceHost>,
    pub(super) ttl: Duration,
}

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceHost {
    /// The host's name, without the dot at its end.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) priority: u16,
    pub(super) weight: u16,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// DNS says that there is no such name, or that it has no such records.
    Negative,
    /// Nobody knows: no server answers, or one answers that it cannot.
    Unknown(String),
}

impl Lookup {
    /// Asks these servers, or the system's if there are none.
    ///
    /// # Errors
    ///
    /// The system's configuration cannot be read.
    pub(super) fn new(servers: &[SocketAddr]) -> Result<Self, String> {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio().map_err(|error| error.to_string())?
        } else {
            let servers = servers.iter().map(|server| {
                let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
                for connection in &mut connections {
                    connection.port = server.port();
                }
                NameServerConfig::new(server.ip(), true, connections)
            });
            let config = ResolverConfig::from_name_servers(servers.collect());
            let mut builder =
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            builder.options_mut().use_hosts_file = ResolveHosts::Never;
            builder
        };
        let mut builder = builder;
        let options = builder.options_mut();
        // Who asks by the TTL wants a new answer each time.
        options.cache_size = 0;
        options.timeout = Duration::from_secs(2);
        options.attempts = 2;
        options.try_tcp_on_error = true;
        let resolver = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { resolver })
    }

    /// The addresses of one family.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub(super) async fn addresses(
        &self,
        name: &str,
        family: RecordType,
    ) -> Result<Addresses, Failure> {
        let records = self.records(name, family).await?;
        let mut addresses: Vec<IpAddr> = records.iter().filter_map(address).collect();
        addresses.sort_unstable();
        addresses.dedup();
        if addresses.is_empty() {
            return Err(Failure::Negative);
        }
        let ttl = ttl(&records);
        Ok(Addresses { addresses, ttl })
    }

    /// The hosts of a service.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub(super) async fn services(&self, name: &str) -> Result<Services, Failure> {
        let records = self.records(name, RecordType::SRV).await?;
        let hosts = records.iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(ServiceHost {
                host: srv.target.to_utf8().trim_end_matches('.').to_lowercase(),
                port: srv.port,
                priority: srv.priority,
                weight: srv.weight,
            }),
            _ => None,
        });
        // RFC 2782: a target of "." says that there is decidedly no such service.
        let hosts: Vec<_> = hosts.filter(|host| !host.host.is_empty()).collect();
        if hosts.is_empty() {
            return Err(Failure::Negative);
        }
        let ttl = ttl(&records);
        Ok(Services { hosts, ttl })
    }

    async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, Failure> {
        let lookup = self.resolver.lookup(name, kind);
        match tokio::time::timeout(PATIENCE, lookup).await {
            Ok(Ok(found)) => Ok(found.answers().to_vec()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(Failure::Unknown("no DNS server answers".to_owned())),
        }
    }
}

fn failure(error: &NetError) -> Failure {
    match error.is_no_records_found() {
        true => Failure::Negative,
        false => Failure::Unknown(error.to_string()),
    }
}

fn address(record: &Record) -> Option<IpAddr> {
    match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    }
}

/// The answer holds as long as all of it does.
fn ttl(records: &[Record]) -> Duration {
    let least = records.iter().map(|record| record.ttl).min();
    Duration::from_secs(least.unwrap_or_default().into())
}
