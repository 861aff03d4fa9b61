//! Targets that say that they are being maintained: 503 with Retry-After.
//!
//! Such a target is taken out like any other that answers wrongly, as long as somebody else serves. When
//! all say so, it is the application that is being maintained: it stays in service, so that its own page is
//! what clients see, no alarm tells of dead targets, and it is back at once.

use std::sync::Arc;

use crate::target::{Target, TargetHealth};

/// The status that says so, with Retry-After.
pub(super) const STATUS: u16 = 503;

/// Whether a healthy target stays so although it is being maintained.
pub(super) fn is_tolerated<'t>(
    target: &Target,
    mut others: impl Iterator<Item = &'t Arc<Target>>,
) -> bool {
    let is_healthy = |target: &Target| target.state.health() == TargetHealth::Healthy;
    is_healthy(target) && !others.any(|other| is_healthy(other) && !other.state.is_maintained())
}
