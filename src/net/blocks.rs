//! Blocks of addresses: whom a setting is about.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Address blocks, IPv4 and IPv6; perhaps none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressBlocks(Box<[IpNet]>);

impl AddressBlocks {
    /// Whether there is no block.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the address lies in one of the blocks. On a socket for both families an IPv4 peer
    /// shows as `::ffff:192.0.2.7`; it is an IPv4 address all the same.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|block| block.contains(&address))
    }

    /// Whether a block is all addresses of a family.
    pub fn has_everyone(&self) -> bool {
        self.0.iter().any(|block| block.prefix_len() == 0)
    }

    /// Reads one block: `10.0.0.0/8`, or an address alone. Bits behind the prefix are ignored.
    ///
    /// # Errors
    ///
    /// It is neither.
    pub fn parse(text: &str) -> Result<IpNet, AddressBlockError> {
        let alone = || IpAddr::from_str(text).map(IpNet::from).ok();
        let block = text.parse::<IpNet>().ok().or_else(alone);
        block
            .map(|block| block.trunc())
            .ok_or_else(|| AddressBlockError(text.to_owned()))
    }
}

impl FromIterator<IpNet> for AddressBlocks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(blocks: I) -> Self {
        Self(blocks.into_iter().collect())
    }
}

/// What was written is no address block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address block: write CIDR such as 10.0.0.0/8, 192.0.2.7 or fd00::/8")]
pub struct AddressBlockError(String);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    #[test]
    fn an_address_is_in_a_block_of_its_family() {
        let texts = ["10.0.0.0/8", "192.0.2.7", "fd00::1/8"];
        let blocks: AddressBlocks = texts
            .iter()
            .map(|text| AddressBlocks::parse(text).unwrap())
            .collect();
        for (address, inside) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("fd12::1", true),
            ("fe80::1", false),
        ] {
            assert_eq!(
                blocks.contains(address.parse().unwrap()),
                inside,
                "{address}"
            );
        }
        assert!(!blocks.has_everyone());
        assert!(AddressBlocks::default().is_empty());
    }

    #[test]
    fn what_is_no_block_is_refused_with_an_example() {
        let error = AddressBlocks::parse("10.0.0.0/33").unwrap_err();
        assert!(error.to_string().starts_with("`10.0.0.0/33` is not"));
        assert!(AddressBlocks::parse("proxy.test").is_err());
    }
}
