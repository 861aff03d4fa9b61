//! How many healthy targets a group needs (ALB: `target_group_health`), and what follows when it
//! has fewer.
//!
//! Counted are the targets that a node may send to: those of its own zone without cross-zone load
//! balancing, all with it. Deregistered and unused ones do not count, nor do those of weight 0,
//! which take nothing whatever their health. A target that is not checked counts as healthy, an
//! initial one as registered only.

/// The two thresholds of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failover {
    /// Below it a node should get no clients (ALB: `dns_failover`).
    pub dns: Minimum,
    /// Below it requests go to unhealthy targets, too (ALB: `unhealthy_state_routing`).
    pub routing: Minimum,
}

/// How many targets have to be healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// So many.
    pub count: Option<u32>,
    /// So many of a hundred that are registered.
    pub percentage: Option<u32>,
}

/// ALB's: one.
impl Default for Minimum {
    fn default() -> Self {
        Self {
            count: Some(1),
            percentage: None,
        }
    }
}

impl Minimum {
    /// Whether so many are enough: fewer than either number are not.
    pub fn is_met(&self, healthy: usize, registered: usize) -> bool {
        let count = self.count.is_none_or(|count| healthy >= count as usize);
        let percentage = self
            .percentage
            .is_none_or(|percentage| healthy * 100 >= registered * percentage as usize);
        count && percentage
    }
}

/// How a group stands for the requests that enter through one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The healthy targets that the node may send to.
    pub healthy: usize,
    /// The registered ones.
    pub registered: usize,
    /// Whether they are enough for the node to be used (ALB: `HealthyStateDNS`).
    pub healthy_dns: bool,
    /// Whether they are enough to leave unhealthy targets alone (ALB: `HealthyStateRouting`).
    pub healthy_routing: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_number_may_be_missed() {
        let both = Minimum {
            count: Some(3),
            percentage: Some(50),
        };
        assert!(both.is_met(3, 6));
        assert!(!both.is_met(2, 4), "the count is missed");
        assert!(!both.is_met(3, 7), "the percentage is missed");
    }

    #[test]
    fn the_example_of_the_manual_holds() {
        // Two zones of ten targets, 50 %: zone B has four that are healthy.
        let half = Minimum {
            count: None,
            percentage: Some(50),
        };
        assert!(half.is_met(10, 10));
        assert!(!half.is_met(4, 10), "without cross-zone, zone B fails");
        assert!(half.is_met(14, 20), "with cross-zone, both pass");
    }

    #[test]
    fn without_numbers_none_need_be_healthy() {
        let none = Minimum {
            count: None,
            percentage: None,
        };
        assert!(none.is_met(0, 0) && none.is_met(0, 5));
        assert!(!Minimum::default().is_met(0, 0));
    }
}
