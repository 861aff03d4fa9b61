//! Zonal shift: an operator keeps traffic away from one zone until a time.
//!
//! With cross-zone load balancing, the zone's targets are overridden: they take no new requests,
//! whatever their health, and do not count towards the healthy targets that a group needs. Without
//! it a node sends to its own zone alone, and the shift is left to whoever leads clients to nodes
//! (ALB: to DNS). In both cases the zone's node is unhealthy to those who ask the admin address.
//!
//! A shift is set aside for a group that has no healthy target outside of the zone: it must not
//! turn a weak zone into an outage.

use tokio::time::Instant;

use crate::target::{Target, Zone};

/// Traffic is kept away from a zone until a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonalShift {
    /// The zone.
    pub away_from: Zone,
    /// When it ends by itself.
    pub until: Instant,
    /// Why, in the operator's words.
    pub comment: String,
}

/// What a zonal shift means for the targets of its zone (ALB: `AdministrativeOverride.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdministrativeOverride {
    /// Nothing: there is none, or it is set aside.
    None,
    /// They take no new requests.
    ZonalShiftActive,
    /// They take what enters through the node of their zone; clients are to be led elsewhere.
    ZonalShiftDelegatedToDns,
}

impl AdministrativeOverride {
    /// What a shift, the zone and what it means there, means for one target.
    pub fn of(target: &Target, shift: Option<&(Zone, Self)>) -> Self {
        let shift = shift.filter(|(zone, _)| target.zone.as_ref() == Some(zone));
        shift.map_or(Self::None, |(_, state)| *state)
    }

    /// ALB's reason code for it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::None => "AdministrativeOverride.NoOverride",
            Self::ZonalShiftActive => "AdministrativeOverride.ZonalShiftActive",
            Self::ZonalShiftDelegatedToDns => "AdministrativeOverride.ZonalShiftDelegatedToDns",
        }
    }

    /// The same in a sentence.
    pub const fn description(self) -> &'static str {
        match self {
            Self::None => "No override is currently active on target",
            Self::ZonalShiftActive => "Zonal shift is currently active on target",
            Self::ZonalShiftDelegatedToDns => "Zonal shift of the target's zone is left to DNS",
        }
    }

    /// ALB's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "no_override",
            Self::ZonalShiftActive => "zonal_shift_active",
            Self::ZonalShiftDelegatedToDns => "zonal_shift_delegated_to_dns",
        }
    }
}

impl ZonalShift {
    /// Whether it still holds at `now`.
    pub fn holds(&self, now: Instant) -> bool {
        now < self.until
    }
}
