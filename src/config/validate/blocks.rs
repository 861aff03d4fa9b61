//! Address blocks of those who are trusted.

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
