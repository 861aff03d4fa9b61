//! The attributes of load balancers.

use serde::{Deserialize, Serialize};

use super::{groups, load_balancer};
use crate::aws::catalogue::Catalogue;
use crate::aws::elbv2::target_groups::seconds;
use crate::aws::{ApiError, Call};
use crate::config::document::DesyncMitigation;

/// `DescribeLoadBalancerAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeLoadBalancerAttributes {
    load_balancer_name: String,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Answer {
    load_balancer_attributes: LoadBalancerAttributes,
}

/// AWS: LoadBalancerAttributes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoadBalancerAttributes {
    cross_zone_load_balancing: Enabled,
    /// AWS's goes to S3. Elbow's is the file's matter (`access_log`).
    access_log: Enabled,
    connection_draining: ConnectionDraining,
    connection_settings: ConnectionSettings,
    additional_attributes: [AdditionalAttribute; 1],
}

/// AWS: CrossZoneLoadBalancing, AccessLog.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Enabled {
    enabled: bool,
}

/// AWS: ConnectionDraining.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConnectionDraining {
    enabled: bool,
    timeout: u64,
}

/// AWS: ConnectionSettings.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConnectionSettings {
    idle_timeout: u64,
}

/// AWS: AdditionalAttribute.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct AdditionalAttribute {
    key: &'static str,
    value: &'static str,
}

/// `DescribeLoadBalancerAttributes`.
pub(super) fn describe(
    call: &Call,
    wanted: &DescribeLoadBalancerAttributes,
) -> Result<Answer, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let load_balancer = load_balancer(&catalogue, &wanted.load_balancer_name)?;
    // The groups behind its listeners may drain for different times: whoever waits for the longest waits long enough.
    let groups = groups(&catalogue, load_balancer);
    let delays = groups
        .iter()
        .map(|it| seconds(it.document.deregistration_delay.into()));
    let delay = delays.max().unwrap_or(0);
    Ok(Answer {
        load_balancer_attributes: LoadBalancerAttributes {
            cross_zone_load_balancing: Enabled {
                enabled: load_balancer.cross_zone.unwrap_or(false),
            },
            access_log: Enabled { enabled: false },
            connection_draining: ConnectionDraining {
                enabled: delay > 0,
                timeout: delay,
            },
            connection_settings: ConnectionSettings {
                idle_timeout: seconds(load_balancer.idle_timeout.into()),
            },
            additional_attributes: [AdditionalAttribute {
                key: "elb.http.desyncmitigationmode",
                value: match load_balancer.desync_mitigation {
                    DesyncMitigation::Monitor => "monitor",
                    DesyncMitigation::Defensive => "defensive",
                    DesyncMitigation::Strictest => "strictest",
                },
            }],
        },
    })
}
