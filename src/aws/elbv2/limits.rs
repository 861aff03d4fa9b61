//! What AWS tells of an account and its region: quotas, reserved capacity, security policies.
//!
//! The quotas are AWS's, for tools that look before they leap; Elbow holds nobody to those that only keep accounts in
//! bounds. Nothing is reserved: a process has what its machine has.

use serde::{Deserialize, Serialize};

use super::page::Page;
use crate::aws::catalogue::Catalogue;
use crate::aws::{ApiError, Call};
use crate::tls::Policy;

/// ALB's default quotas, by the names that `DescribeAccountLimits` has for them.
const LIMITS: &[(&str, u32)] = &[
    ("application-load-balancers", 50),
    ("certificates-per-application-load-balancer", 25),
    ("condition-values-per-alb-rule", 5),
    ("condition-wildcards-per-alb-rule", 6),
    ("listeners-per-application-load-balancer", 50),
    ("rules-per-application-load-balancer", 100),
    ("target-groups", 3000),
    ("target-groups-per-action-on-application-load-balancer", 5),
    ("target-groups-per-application-load-balancer", 100),
    (
        "target-id-registrations-per-application-load-balancer",
        1000,
    ),
    ("targets-per-application-load-balancer", 1000),
    ("trust-stores", 20),
];

/// `DescribeAccountLimits`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeAccountLimits {
    marker: Option<String>,
    page_size: Option<u32>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccountLimits {
    limits: Vec<Limit>,
    next_marker: Option<String>,
}

/// AWS: Limit.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Limit {
    name: &'static str,
    max: String,
}

/// `DescribeCapacityReservation`, `ModifyCapacityReservation`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CapacityReservationOf {
    load_balancer_arn: String,
    #[serde(default)]
    reset_capacity_reservation: bool,
}

/// Their answer: nothing is reserved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CapacityReservation {
    capacity_reservation_state: [(); 0],
}

/// `DescribeSSLPolicies`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeSslPolicies {
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<u32>,
    load_balancer_type: Option<String>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SslPolicies {
    ssl_policies: Vec<SslPolicy>,
    next_marker: Option<String>,
}

/// AWS: SslPolicy. What Elbow serves of it, which may be less than AWS does.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SslPolicy {
    name: String,
    ssl_protocols: Vec<&'static str>,
    ciphers: Vec<Cipher>,
    supported_load_balancer_types: [&'static str; 2],
}

/// AWS: Cipher.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Cipher {
    name: &'static str,
    priority: usize,
}

/// `DescribeAccountLimits`.
pub(super) fn of_the_account(wanted: DescribeAccountLimits) -> Result<AccountLimits, ApiError> {
    let limits = LIMITS.iter().map(|(name, max)| Limit {
        name,
        max: max.to_string(),
    });
    let (limits, next_marker) = Page::of(wanted.page_size, wanted.marker).cut(limits.collect())?;
    Ok(AccountLimits {
        limits,
        next_marker,
    })
}

/// `DescribeCapacityReservation`.
pub(super) fn reserved(
    call: &Call,
    wanted: &CapacityReservationOf,
) -> Result<CapacityReservation, ApiError> {
    let standing = call.standing();
    Catalogue::new(&standing, &call.place).load_balancer(&wanted.load_balancer_arn)?;
    Ok(CapacityReservation {
        capacity_reservation_state: [],
    })
}

/// `ModifyCapacityReservation`. Taking back a reservation that nobody has is no mistake.
pub(super) fn reserve(
    call: &Call,
    wanted: &CapacityReservationOf,
) -> Result<CapacityReservation, ApiError> {
    let nothing = reserved(call, wanted)?;
    match wanted.reset_capacity_reservation {
        true => Ok(nothing),
        false => Err(ApiError::OperationNotPermitted(
            "Elbow reserves no capacity: a load balancer has what its machine has".to_owned(),
        )),
    }
}

/// `DescribeSSLPolicies`.
pub(super) fn ssl_policies(wanted: DescribeSslPolicies) -> Result<SslPolicies, ApiError> {
    let known = |name: &String| {
        let policy = Policy::named(name).map_err(|error| ApiError::Other {
            code: "SSLPolicyNotFound",
            message: error.to_string(),
        });
        policy.map(|policy| ssl_policy(&policy))
    };
    let kind = wanted.load_balancer_type.as_deref();
    let policies = match (&wanted.names[..], kind) {
        (_, Some("gateway")) => Vec::new(),
        ([], _) => Policy::all().map(|policy| ssl_policy(&policy)).collect(),
        (names, _) => names.iter().map(known).collect::<Result<_, _>>()?,
    };
    let (ssl_policies, next_marker) = Page::of(wanted.page_size, wanted.marker).cut(policies)?;
    Ok(SslPolicies {
        ssl_policies,
        next_marker,
    })
}

fn ssl_policy(policy: &Policy) -> SslPolicy {
    let ciphers = policy.served_ciphers().into_iter().zip(1..);
    SslPolicy {
        name: policy.name(),
        ssl_protocols: policy.served_versions(),
        ciphers: ciphers
            .map(|(name, priority)| Cipher { name, priority })
            .collect(),
        supported_load_balancer_types: ["application", "network"],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn policies(names: &[&str]) -> Result<SslPolicies, ApiError> {
        ssl_policies(DescribeSslPolicies {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            ..DescribeSslPolicies::default()
        })
    }

    #[test]
    fn a_security_policy_lists_what_is_served_in_the_order_of_preference() {
        let found = policies(&["ELBSecurityPolicy-TLS13-1-2-Res-2021-06"]).unwrap();
        let policy = &found.ssl_policies[0];
        assert_eq!(policy.ssl_protocols, ["TLSv1.3", "TLSv1.2"]);
        assert_eq!(policy.ciphers.len(), 7);
        let first = &policy.ciphers[0];
        assert_eq!((first.name, first.priority), ("TLS_AES_128_GCM_SHA256", 1));
        assert!(policies(&[]).unwrap().ssl_policies.len() > 20);
        assert_eq!(policies(&["x"]).unwrap_err().code(), "SSLPolicyNotFound");
    }

    #[test]
    fn quotas_come_a_page_at_a_time() {
        let page = of_the_account(DescribeAccountLimits {
            page_size: Some(1),
            ..DescribeAccountLimits::default()
        });
        let page = page.unwrap();
        assert_eq!(
            (page.limits[0].name, page.limits[0].max.as_str()),
            ("application-load-balancers", "50")
        );
        assert_eq!(page.next_marker.as_deref(), Some("1"));
    }
}
