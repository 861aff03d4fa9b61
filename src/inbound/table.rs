//! Which of many rules an address meets first, found without walking over them.
//!
//! Rules name blocks that lie in one another; a [`Table`] has them cut into ranges that do not, in order, each with the
//! rule that it meets first. Looking up is a binary search, whatever the number of rules.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

/// What an address meets, by disjoint ranges of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table<T> {
    v4: Box<[Range<T>]>,
    v6: Box<[Range<T>]>,
}

/// IPv4 addresses are in the lower 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range<T> {
    first: u128,
    last: u128,
    meets: T,
}

impl<T: Copy + PartialEq> Table<T> {
    /// The first block that has an address decides what it meets.
    pub(super) fn new(blocks: impl DoubleEndedIterator<Item = (IpNet, T)>) -> Self {
        let (mut v4, mut v6) = (Painting::default(), Painting::default());
        // Painted from the last one on: who comes first lies on top.
        for (block, meets) in blocks.rev() {
            match block {
                IpNet::V4(block) => {
                    let (first, last) = (block.network(), block.broadcast());
                    v4.paint(first.to_bits().into(), last.to_bits().into(), meets);
                }
                IpNet::V6(block) => {
                    let (first, last) = (block.network(), block.broadcast());
                    v6.paint(first.to_bits(), last.to_bits(), meets);
                }
            }
        }
        Self {
            v4: v4.finish(),
            v6: v6.finish(),
        }
    }

    /// What the address meets. On a socket for both families an IPv4 peer shows as `::ffff:192.0.2.7`; it is an IPv4
    /// address all the same, and `::/0` is not about it.
    pub(super) fn find(&self, address: IpAddr) -> Option<T> {
        let (ranges, address) = match address.to_canonical() {
            IpAddr::V4(address) => (&self.v4, u128::from(address.to_bits())),
            IpAddr::V6(address) => (&self.v6, address.to_bits()),
        };
        let after = ranges.partition_point(|range| range.first <= address);
        let range = &ranges[after.checked_sub(1)?];
        (address <= range.last).then_some(range.meets)
    }
}

/// Ranges by their first address; they never overlap.
struct Painting<T>(BTreeMap<u128, (u128, T)>);

impl<T> Default for Painting<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy + PartialEq> Painting<T> {
    /// Lays a range over what is there.
    fn paint(&mut self, first: u128, last: u128, meets: T) {
        let below = self.0.range(..=last).rev();
        let touched = below.take_while(|(_, (end, _))| *end >= first);
        let touched: Vec<_> = touched
            .map(|(&begin, &(end, meets))| (begin, end, meets))
            .collect();
        for (begin, end, meets) in touched {
            self.0.remove(&begin);
            if begin < first {
                self.0.insert(begin, (first - 1, meets));
            }
            if end > last {
                self.0.insert(last + 1, (end, meets));
            }
        }
        self.0.insert(first, (last, meets));
    }

    /// The ranges, those that meet the same and lie side by side made one.
    fn finish(self) -> Box<[Range<T>]> {
        let mut ranges: Vec<Range<T>> = Vec::with_capacity(self.0.len());
        for (first, (last, meets)) in self.0 {
            match ranges.last_mut() {
                Some(before)
                    if before.meets == meets && before.last.checked_add(1) == Some(first) =>
                {
                    before.last = last;
                }
                _ => ranges.push(Range { first, last, meets }),
            }
        }
        ranges.into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use ipnet::{Ipv4Net, Ipv6Net};
    use proptest::prelude::*;

    use super::*;

    fn table(blocks: &[&str]) -> Table<usize> {
        let blocks = blocks.iter().enumerate();
        let blocks: Vec<_> = blocks
            .map(|(place, block)| (block.parse().unwrap(), place))
            .collect();
        Table::new(blocks.into_iter())
    }

    fn meets(table: &Table<usize>, address: &str) -> Option<usize> {
        table.find(address.parse().unwrap())
    }

    #[test]
    fn the_first_block_decides_however_they_lie_in_one_another() {
        let exception_first = table(&["10.0.0.7/32", "10.0.0.0/8"]);
        assert_eq!(meets(&exception_first, "10.0.0.6"), Some(1));
        assert_eq!(meets(&exception_first, "10.0.0.7"), Some(0));
        assert_eq!(meets(&exception_first, "10.0.0.8"), Some(1));
        assert_eq!(meets(&exception_first, "11.0.0.0"), None);
        let exception_last = table(&["10.0.0.0/8", "10.0.0.7/32"]);
        assert_eq!(meets(&exception_last, "10.0.0.7"), Some(0));
    }

    #[test]
    fn families_do_not_mix_but_a_mapped_address_is_an_ipv4_one() {
        let everyone6 = table(&["::/0"]);
        assert_eq!(meets(&everyone6, "2001:db8::1"), Some(0));
        assert_eq!(meets(&everyone6, "192.0.2.1"), None);
        assert_eq!(meets(&everyone6, "::ffff:192.0.2.1"), None);
        let everyone4 = table(&["0.0.0.0/0"]);
        assert_eq!(meets(&everyone4, "::ffff:192.0.2.1"), Some(0));
        assert_eq!(meets(&everyone4, "255.255.255.255"), Some(0));
        assert_eq!(meets(&everyone4, "::1"), None);
    }

    #[test]
    fn what_meets_the_same_side_by_side_is_one_range() {
        let halves = ["10.0.0.0/25", "10.0.0.128/25"];
        let halves = halves.map(|block| (block.parse::<IpNet>().unwrap(), ()));
        assert_eq!(Table::new(halves.into_iter()).v4.len(), 1);
    }

    fn block() -> impl Strategy<Value = IpNet> {
        // Few bits, so that blocks often lie in one another.
        let v4 = (0_u32..16, 24_u8..=32).prop_map(|(bits, length)| {
            Ipv4Net::new(Ipv4Addr::from_bits(bits << 4), length)
                .unwrap()
                .into()
        });
        let v6 = (0_u128..16, 120_u8..=128).prop_map(|(bits, length)| {
            Ipv6Net::new(Ipv6Addr::from_bits(bits << 4), length)
                .unwrap()
                .into()
        });
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn a_table_says_what_a_walk_over_the_blocks_says(
            blocks in prop::collection::vec(block(), 0..12),
            bits in 0_u8..=255,
        ) {
            let table = Table::new(blocks.iter().enumerate().map(|(place, block)| (*block, place)));
            let addresses: [IpAddr; 2] = [
                Ipv4Addr::from_bits(bits.into()).into(),
                Ipv6Addr::from_bits(bits.into()).into(),
            ];
            for address in addresses {
                let walked = blocks.iter().position(|block| block.contains(&address));
                prop_assert_eq!(table.find(address), walked, "{}", address);
            }
        }
    }
}
