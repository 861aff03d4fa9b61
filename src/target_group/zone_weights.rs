//! How much of a node's traffic goes to which zone.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::target::Zone;

/// A table of zone weights: one for all nodes alike, or one for each entry zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneWeights(Tables);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tables {
    Alike(BTreeMap<Zone, u32>),
    ByEntry(BTreeMap<Zone, BTreeMap<Zone, u32>>),
}

/// Why a table of zone weights is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ZoneWeightsError {
    /// The table names no zone.
    #[error(
        "no zone is named; name at least one, for example {{ \"zone-a\" = 80, \"zone-b\" = 20 }}"
    )]
    Empty,
    /// A weight is out of range.
    #[error(
        "the weight of zone `{zone}` is {weight}; a zone's weight is 0-{}",
        ZoneWeights::MAX
    )]
    OutOfRange {
        /// The zone.
        zone: Zone,
        /// Its weight.
        weight: u32,
    },
    /// No zone would get traffic.
    #[error(
        "every zone has the weight 0; give at least one zone a weight of 1-{}",
        ZoneWeights::MAX
    )]
    AllZero,
    /// The table of one entry zone is wrong.
    #[error("entry zone `{entry}`: {error}")]
    Entry {
        /// The entry zone.
        entry: Zone,
        /// What is wrong with its table.
        error: Box<ZoneWeightsError>,
    },
}

impl ZoneWeights {
    /// The greatest weight of a zone.
    pub const MAX: u32 = 999;

    /// One table for all nodes alike, also for a node in no zone.
    pub fn alike(table: BTreeMap<Zone, u32>) -> Result<Self, ZoneWeightsError> {
        check(&table)?;
        Ok(Self(Tables::Alike(table)))
    }

    /// A table for each entry zone; a node in another zone, or in none, spreads its traffic as
    /// with [`ZonePolicy::CrossZone`](super::ZonePolicy::CrossZone).
    pub fn by_entry(tables: BTreeMap<Zone, BTreeMap<Zone, u32>>) -> Result<Self, ZoneWeightsError> {
        if tables.is_empty() {
            return Err(ZoneWeightsError::Empty);
        }
        for (entry, table) in &tables {
            check(table).map_err(|error| ZoneWeightsError::Entry {
                entry: entry.clone(),
                error: Box::new(error),
            })?;
        }
        Ok(Self(Tables::ByEntry(tables)))
    }

    /// The table for a node in the zone `entry`, if there is one.
    pub fn table(&self, entry: Option<&Zone>) -> Option<&BTreeMap<Zone, u32>> {
        match &self.0 {
            Tables::Alike(table) => Some(table),
            Tables::ByEntry(tables) => tables.get(entry?),
        }
    }

    /// The entry zones that have a table of their own.
    pub fn entries(&self) -> impl Iterator<Item = &Zone> {
        match &self.0 {
            Tables::Alike(_) => None,
            Tables::ByEntry(tables) => Some(tables.keys()),
        }
        .into_iter()
        .flatten()
    }
}

fn check(table: &BTreeMap<Zone, u32>) -> Result<(), ZoneWeightsError> {
    if table.is_empty() {
        return Err(ZoneWeightsError::Empty);
    }
    if let Some((zone, &weight)) = table.iter().find(|(_, weight)| **weight > ZoneWeights::MAX) {
        let zone = zone.clone();
        return Err(ZoneWeightsError::OutOfRange { zone, weight });
    }
    if table.values().all(|weight| *weight == 0) {
        return Err(ZoneWeightsError::AllZero);
    }
    Ok(())
}
