//! Address blocks: of those who are trusted, and of those who are let in.

use std::net::IpAddr;

use ipnet::IpNet;

use super::report::Report;
use crate::config::path::Path;
use crate::net::AddressBlocks;

/// Checks each block at its own place. Trusting everyone is permitted, for in a network of one's
/// own that may be right, but never what one wants without knowing.
pub(super) fn validate(
    values: &[String],
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<AddressBlocks> {
    let blocks = values.iter().enumerate().map(|(index, value)| {
        let parsed = AddressBlocks::parse(value);
        let block = report.accept(path.index(index), parsed)?;
        if block.prefix_len() == 0 {
            report.warn(
                path.index(index),
                format!("`{value}` is everyone: any client may claim to be any other"),
                "name the proxies, unless nobody else can reach this listener",
            );
        }
        Some(block)
    });
    // All of them are looked at, however many are wrong.
    let blocks: Vec<_> = blocks.collect();
    blocks.into_iter().collect()
}

/// Whether a text that is a block or a name is meant to be a block: names have none of these characters.
pub(super) fn is_meant(text: &str) -> bool {
    text.contains(['.', ':', '/'])
}

/// Checks one block to the letter, or an address alone: bits behind the prefix are a slip, for one of the two is not
/// what was meant.
pub(super) fn cidr(text: &str, path: &Path<'_>, report: &mut Report<'_>) -> Option<IpNet> {
    let block = match text.parse::<IpAddr>() {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => text.parse::<IpNet>(),
    };
    let Ok(block) = block else {
        let message = format!("`{text}` is not an address block");
        let help = "write CIDR, such as \"10.0.0.0/8\", \"192.0.2.7/32\" or \"fd00::/8\"";
        report.refuse(path, message, help);
        return None;
    };
    if block.trunc() != block {
        let message = format!("`{text}` has bits behind its prefix");
        let help = format!(
            "write \"{}\" for the block, or \"{}\" for the one address",
            block.trunc(),
            IpNet::from(block.addr())
        );
        report.refuse(path, message, help);
        return None;
    }
    if block.addr().to_canonical() != block.addr() {
        let message = format!("`{text}` is an IPv4 address as IPv6 writes it");
        let help = format!("write \"{}\"", block.addr().to_canonical());
        report.refuse(path, message, help);
        return None;
    }
    Some(block)
}
