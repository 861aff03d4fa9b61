//! What AWS's API answers when it does not do what it was asked.

use axum::http::StatusCode;

/// Why a request was not fulfilled. Each has AWS's code; the text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// There is no such operation.
    #[error("Elbow does not know the operation {action:?} of version {version:?}")]
    InvalidAction {
        /// `Action` of the request.
        action: String,
        /// `Version` of the request.
        version: String,
    },
    /// A parameter is missing, or not what it should be.
    #[error("{0}")]
    Validation(String),
    /// What is asked for does not go together; the checks of a configuration say why.
    #[error("{0}")]
    InvalidConfigurationRequest(String),
    /// What is asked for may not be done: the file says it, or it is protected.
    #[error("{0}")]
    OperationNotPermitted(String),
    /// Nothing can be made without a place where it is kept.
    #[error(
        "nothing can be changed through this API: what is made here has to survive a restart. Write \
         state_directory = \"/var/lib/elbow\", say, at the top of Elbow's configuration file and reload"
    )]
    NothingIsKept,
    /// There is none of that kind and name: `LoadBalancerNotFound`, `TargetGroupNotFound`, ...
    #[error("{what} '{name}' not found")]
    NotFound {
        /// AWS's code.
        code: &'static str,
        /// `Load balancer`
        what: &'static str,
        /// Which.
        name: String,
    },
    /// There is one already: `DuplicateLoadBalancerName`, `DuplicateListener`, ...
    #[error("{message}")]
    Duplicate {
        /// AWS's code.
        code: &'static str,
        /// Which.
        message: String,
    },
    /// Something else depends on it.
    #[error("{0}")]
    ResourceInUse(String),
    /// AWS's code for a case of its own: `InvalidTarget`, `UnsupportedProtocol`, `TooManyRules`, ...
    #[error("{message}")]
    Other {
        /// AWS's code.
        code: &'static str,
        /// Why.
        message: String,
    },
    /// The process is shutting down.
    #[error("Elbow is shutting down")]
    Unavailable,
    /// What was done cannot be said: a fault of Elbow's.
    #[error("the answer cannot be written: {0}")]
    Internal(String),
}

impl ApiError {
    /// AWS's word for it.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::InvalidAction { .. } => "InvalidAction",
            Self::Validation(_) => "ValidationError",
            Self::InvalidConfigurationRequest(_) => "InvalidConfigurationRequest",
            Self::OperationNotPermitted(_) | Self::NothingIsKept => "OperationNotPermitted",
            Self::NotFound { code, .. }
            | Self::Duplicate { code, .. }
            | Self::Other { code, .. } => code,
            Self::ResourceInUse(_) => "ResourceInUse",
            Self::Unavailable => "ServiceUnavailable",
            Self::Internal(_) => "InternalFailure",
        }
    }

    /// The status that it is answered with.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
