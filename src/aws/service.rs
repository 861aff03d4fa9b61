//! The services that are spoken here: a request says by its `Version` which one it means.

use super::{elb, elbv2, sts};

/// One of AWS's services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Service {
    /// Application Load Balancers.
    #[default]
    Elbv2,
    /// Classic Load Balancers.
    Elb,
    /// Who a client is.
    Sts,
}

impl Service {
    /// The service of which this is the version.
    pub(super) fn of(version: &str) -> Option<Self> {
        match version {
            elbv2::VERSION => Some(Self::Elbv2),
            elb::VERSION => Some(Self::Elb),
            sts::VERSION => Some(Self::Sts),
            _ => None,
        }
    }

    /// The namespace of its answers.
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Elbv2 => elbv2::NAMESPACE,
            Self::Elb => elb::NAMESPACE,
            Self::Sts => sts::NAMESPACE,
        }
    }
}
