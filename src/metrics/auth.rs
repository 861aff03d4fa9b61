//! What is measured of logins and tokens, of one node.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use super::MetricsError;
use super::rows::{Registrar, Rows};

/// The families.
#[derive(Clone, Debug)]
pub(super) struct AuthFamilies {
    oidc: IntCounterVec,
    latency: HistogramVec,
    jwt: IntCounterVec,
}

/// The figures of one node.
#[derive(Debug)]
pub struct AuthMetrics {
    /// ALB: ELBAuthSuccess. Logins that ended well.
    pub successes: IntCounter,
    /// ALB: ELBAuthFailure. Requests and logins of users who may not.
    pub failures: IntCounter,
    /// ALB: ELBAuthError. Requests and logins that the balancer or the provider could not serve.
    pub errors: IntCounter,
    /// ALB: ELBAuthRefreshTokenSuccess. Sessions that were renewed by their refresh tokens.
    pub refreshes: IntCounter,
    /// ALB: ELBAuthUserClaimsSizeExceeded. Logins whose claims were too large.
    pub claims_size_exceeded: IntCounter,
    /// ALB: ELBAuthLatency. What the provider took to tell who a user is, in seconds.
    pub latency: Histogram,
    /// ALB: JWTValidationSuccessCount.
    pub jwt_successes: IntCounter,
    /// ALB: JWTValidationFailureCount.
    pub jwt_failures: IntCounter,
}

impl AuthFamilies {
    pub(super) fn new(r: &Registrar<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            oidc: r.counter(
                "elbow_oidc_total",
                "What became of logins and sessions. ALB: ELBAuthSuccess, ELBAuthFailure, ELBAuthError, \
                 ELBAuthRefreshTokenSuccess, ELBAuthUserClaimsSizeExceeded.",
                &["event"],
            )?,
            latency: r.histogram(
                "elbow_oidc_login_seconds",
                "What identity providers took to tell who a user is. ALB: ELBAuthLatency.",
                &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
            )?,
            jwt: r.counter(
                "elbow_jwt_validations_total",
                "Tokens that were looked at. ALB: JWTValidationSuccessCount, JWTValidationFailureCount.",
                &["outcome"],
            )?,
        })
    }
}

impl AuthMetrics {
    pub(super) fn new<T>(families: &AuthFamilies, rows: &Rows<T>) -> Self {
        let oidc = |event| rows.row(&families.oidc, &[event]);
        Self {
            successes: oidc("success"),
            failures: oidc("failure"),
            errors: oidc("error"),
            refreshes: oidc("refresh_token_success"),
            claims_size_exceeded: oidc("claims_size_exceeded"),
            latency: rows.row(&families.latency, &[]),
            jwt_successes: rows.row(&families.jwt, &["success"]),
            jwt_failures: rows.row(&families.jwt, &["failure"]),
        }
    }
}
