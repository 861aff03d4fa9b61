//! `source-ip`: the address of the TCP peer.
//!
//! Never an address out of `X-Forwarded-For`, which any client can write: behind another proxy this is the proxy's.
//! For that header use an `http-header` condition.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::{ConditionError, ConditionKind};
use crate::routing::RequestView;

/// Address blocks, IPv4 and IPv6.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceIp {
    values: Box<[IpNet]>,
}

impl SourceIp {
    /// Takes at least one block in CIDR form. Bits behind the prefix are ignored: `192.0.2.7/24` is `192.0.2.0/24`.
    pub fn new(values: &[String]) -> Result<Self, ConditionError> {
        if values.is_empty() {
            return Err(ConditionError::NoValues {
                kind: ConditionKind::SourceIp,
            });
        }
        Ok(Self {
            values: values
                .iter()
                .map(|value| parse(value))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn values(&self) -> &[IpNet] {
        &self.values
    }

    /// On a socket for both families an IPv4 peer shows as `::ffff:192.0.2.7`; it is an IPv4 address all the same.
    pub(super) fn fit(&self, request: &RequestView<'_>) -> Option<usize> {
        let source = request.source.to_canonical();
        self.values.iter().position(|block| block.contains(&source))
    }
}

fn parse(value: &str) -> Result<IpNet, ConditionError> {
    match value.parse::<IpNet>() {
        Ok(IpNet::V4(block)) if is_broadcast(block) => Err(ConditionError::Broadcast),
        Ok(block) => Ok(block.trunc()),
        Err(_) => {
            let example = match value.parse::<IpAddr>() {
                Ok(address) => format!("{}", IpNet::from(address)),
                Err(_) => "192.0.2.0/24, 192.0.2.7/32 or 2001:db8::/32".to_owned(),
            };
            Err(ConditionError::AddressBlock {
                value: value.to_owned(),
                example,
            })
        }
    }
}

fn is_broadcast(block: Ipv4Net) -> bool {
    block.addr() == Ipv4Addr::BROADCAST && block.prefix_len() == 32
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::routing::sample::{get, values};

    #[test]
    fn one_of_the_address_blocks_is_enough() {
        let blocks = values(["192.0.2.0/24", "198.51.100.10/32", "2001:db8::/32"]);
        let condition = SourceIp::new(&blocks).unwrap();
        for (source, expected) in [
            ("192.0.2.7", true),
            ("198.51.100.10", true),
            ("198.51.100.11", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(
                condition.fit(&get("/").source(source).view()).is_some(),
                expected,
                "{source}"
            );
        }
    }

    #[test]
    fn forwarded_addresses_are_not_looked_at() {
        let condition = SourceIp::new(&values(["198.51.100.0/24"])).unwrap();
        let request = get("/").field("X-Forwarded-For", "198.51.100.10");
        assert!(condition.fit(&request.view()).is_none());
    }

    #[test]
    fn an_ipv4_client_on_an_ipv6_socket_has_its_ipv4_address() {
        let condition = SourceIp::new(&values(["192.0.2.0/24"])).unwrap();
        let request = get("/").source("::ffff:192.0.2.7");
        assert!(condition.fit(&request.view()).is_some());
    }

    #[test]
    fn bits_behind_the_prefix_are_ignored() {
        let condition = SourceIp::new(&values(["192.0.2.7/24"])).unwrap();
        assert_eq!(condition, SourceIp::new(&values(["192.0.2.0/24"])).unwrap());
    }

    #[test]
    fn an_address_alone_is_refused_with_its_block() {
        let refused = SourceIp::new(&values(["192.0.2.7"])).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "`192.0.2.7` is not an address block: source-ip takes CIDR such as 192.0.2.7/32"
        );
        assert!(SourceIp::new(&values(["192.0.2.*"])).is_err());
    }

    #[test]
    fn the_broadcast_address_is_refused() {
        assert_eq!(
            SourceIp::new(&values(["255.255.255.255/32"])),
            Err(ConditionError::Broadcast)
        );
    }
}
