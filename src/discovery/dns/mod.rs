//! Names in DNS as targets: asked again when their TTL has passed.
//!
//! Look at [`answers`] for what an answer comes to. An answer that names other targets than the last
//! one registers and deregisters; a negative answer, and none at all, change nothing: what is down
//! is for probes to find out, and a DNS server's bad minute must not empty a group.

mod answers;
mod lookup;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use hickory_resolver::proto::rr::RecordType;

use super::Remark;
use super::backoff::Backoff;
use super::board::Reporter;
use crate::config::document::Records;
use crate::config::{Contributed, DnsSource};
use lookup::{Failure, Lookup, ServiceHost};

/// Follows a name for ever.
pub(super) async fn run(source: DnsSource, reporter: Reporter) {
    let mut follower = Follower {
        source,
        families: BTreeMap::new(),
        services: Vec::new(),
        hosts: BTreeMap::new(),
    };
    let mut backoff = Backoff::default();
    loop {
        // Made anew after a failure: the system's settings may have changed.
        let error = match Lookup::new(&follower.source.servers) {
            Ok(lookup) => follower.follow(&lookup, &reporter, &mut backoff).await,
            Err(error) => error,
        };
        reporter.failed(&error);
        backoff.pause().await;
    }
}

/// What a name stood for when it was last known.
struct Follower {
    source: DnsSource,
    families: BTreeMap<RecordType, Vec<IpAddr>>,
    services: Vec<ServiceHost>,
    /// The addresses of services' hosts.
    hosts: BTreeMap<String, IpAddr>,
}

/// What one round of questions came to.
struct Round {
    targets: Vec<Contributed>,
    remarks: Vec<Remark>,
    ttl: Duration,
}

impl Follower {
    /// Asks again and again, until there is no answer; returns why.
    async fn follow(
        &mut self,
        lookup: &Lookup,
        reporter: &Reporter,
        backoff: &mut Backoff,
    ) -> String {
        loop {
            let round = match self.source.records {
                Records::Srv => self.ask_for_services(lookup).await,
                Records::Address => self.ask(lookup, &[RecordType::A, RecordType::AAAA]).await,
                Records::A => self.ask(lookup, &[RecordType::A]).await,
                Records::Aaaa => self.ask(lookup, &[RecordType::AAAA]).await,
            };
            let round = match round {
                Ok(round) => round,
                Err(error) => return error,
            };
            backoff.reset();
            reporter.found(round.targets, round.remarks);
            let (least, most) = (self.source.min_ttl, self.source.max_ttl);
            tokio::time::sleep(round.ttl.clamp(least, most)).await;
        }
    }

    /// Asks for addresses. One family that is not answered keeps its addresses; one of which DNS
    /// says that there are none has none, if the other has some.
    async fn ask(&mut self, lookup: &Lookup, families: &[RecordType]) -> Result<Round, String> {
        let name = self.source.name.clone();
        let mut ttl = Duration::MAX;
        let mut unknown = Vec::new();
        let mut empty = Vec::new();
        let mut found = false;
        let questions = families
            .iter()
            .map(|family| lookup.addresses(&name, *family));
        for (family, answer) in families.iter().zip(join_all(questions).await) {
            match answer {
                Ok(answer) => {
                    ttl = ttl.min(answer.ttl);
                    self.families.insert(*family, answer.addresses);
                    found = true;
                }
                Err(Failure::Negative) => empty.push(*family),
                Err(Failure::Unknown(error)) => unknown.push((*family, error)),
            }
        }
        if !found {
            return Err(match unknown.into_iter().next() {
                Some((_, error)) => error,
                None => format!("DNS says that `{name}` has no address"),
            });
        }
        for family in empty {
            self.families.remove(&family);
        }
        let remarks = unknown.into_iter().map(|(family, error)| Remark {
            about: format!("{family} records of {name}"),
            message: format!("{error}; the last known ones stay"),
        });
        let addresses: Vec<IpAddr> = self.families.values().flatten().copied().collect();
        Ok(Round {
            targets: answers::of_addresses(&addresses, &self.source),
            remarks: remarks.collect(),
            ttl,
        })
    }

    /// Asks for hosts, and for each host's address. A host that is not answered keeps its address.
    async fn ask_for_services(&mut self, lookup: &Lookup) -> Result<Round, String> {
        let name = &self.source.name;
        let answer = match lookup.services(name).await {
            Ok(answer) => answer,
            Err(Failure::Negative) => {
                return Err(format!("DNS says that `{name}` has no SRV records"));
            }
            Err(Failure::Unknown(error)) => return Err(error),
        };
        self.services = answer.hosts;
        let mut ttl = answer.ttl;
        let mut remarks = Vec::new();
        let services = &self.services;
        self.hosts
            .retain(|host, _| services.iter().any(|service| service.host == *host));
        let mut asked = Vec::new();
        for ServiceHost { host, .. } in services {
            if asked.contains(&host) {
                continue;
            }
            asked.push(host);
            match host_addresses(lookup, host).await {
                Ok(answer) => {
                    ttl = ttl.min(answer.ttl);
                    let present = self.hosts.get(host).copied();
                    if let Some(address) = answers::choose(present, &answer.addresses) {
                        self.hosts.insert(host.clone(), address);
                    }
                }
                Err(failure) => remarks.push(Remark {
                    about: format!("{host} of {name}"),
                    message: match failure {
                        Failure::Negative => "DNS says that it has no address".to_owned(),
                        Failure::Unknown(error) => error,
                    },
                }),
            }
        }
        Ok(Round {
            targets: answers::of_services(&self.services, &self.hosts, &self.source),
            remarks,
            ttl,
        })
    }
}

/// IPv4 first; IPv6 where there is none.
async fn host_addresses(lookup: &Lookup, host: &str) -> Result<lookup::Addresses, Failure> {
    match lookup.addresses(host, RecordType::A).await {
        Err(Failure::Negative) => lookup.addresses(host, RecordType::AAAA).await,
        answer => answer,
    }
}
