//! The services that are spoken here: a request says by its `Version` which one it means.

use serde_json::Value;

use super::{ApiError, ec2, elb, elbv2, sts, xml};

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
    /// Where load balancers stand.
    Ec2,
}

impl Service {
    /// The service of which this is the version.
    pub(super) fn of(version: &str) -> Option<Self> {
        match version {
            elbv2::VERSION => Some(Self::Elbv2),
            elb::VERSION => Some(Self::Elb),
            sts::VERSION => Some(Self::Sts),
            ec2::VERSION => Some(Self::Ec2),
            _ => None,
        }
    }

    /// An answer in its words: to an operation that was done.
    pub(super) fn result(self, action: &str, result: &Value, request: &str) -> String {
        match self {
            Self::Ec2 => xml::ec2_result(ec2::NAMESPACE, action, result, request),
            _ => xml::result(self.namespace(), action, result, request),
        }
    }

    /// To one that was not.
    pub(super) fn error(self, error: &ApiError, request: &str) -> String {
        match self {
            Self::Ec2 => xml::ec2_error(error, request),
            _ => xml::error(self.namespace(), error, request),
        }
    }

    /// The namespace of its answers.
    fn namespace(self) -> &'static str {
        match self {
            Self::Elbv2 => elbv2::NAMESPACE,
            Self::Elb => elb::NAMESPACE,
            Self::Sts => sts::NAMESPACE,
            Self::Ec2 => ec2::NAMESPACE,
        }
    }
}
