//! Stickiness: of the clients of a target group, and of a forward to several groups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::value::Span;

/// Whether a client stays with the target that answered it first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Stickiness {
    /// ALB: stickiness.enabled. Needs cross-zone load balancing, and keys that outlive a restart
    /// (`state_directory` or `cookie_keys`) if clients are to stay over one.
    pub enabled: bool,
    /// ALB: stickiness.type. "lb_cookie": by a cookie of the load balancer's alone. "app_cookie": while
    /// the client brings a cookie of the application, too.
    #[serde(rename = "type")]
    pub kind: StickinessType,
    /// ALB: stickiness.app_cookie.cookie_name. The application's cookie, with "app_cookie". The names of
    /// the load balancer's own cookies (AWSALB..., AWSELB...) are reserved.
    pub cookie_name: Option<String>,
    /// ALB: stickiness.lb_cookie.duration_seconds, stickiness.app_cookie.duration_seconds, 1s-604800s. How
    /// long after its last response a client stays. Default: 1d. Of a classic load balancer: how
    /// long the client keeps the cookie from its first response on (ELB: CookieExpirationPeriod),
    /// by default until the browser ends; with "app_cookie" it has the application's life.
    pub duration: Option<Span>,
}

/// What a client sticks by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StickinessType {
    /// AWSALB and AWSALBCORS; AWSELB and AWSELBCORS of a classic load balancer.
    #[default]
    LbCookie,
    /// AWSALBAPP-0 to AWSALBAPP-3, or AWSELB, beside the application's.
    AppCookie,
}

/// Whether a client stays with the target group that it came to first, by AWSALBTG and AWSALBTGCORS.
/// Needed where one of several groups is sticky itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupStickiness {
    /// ALB: TargetGroupStickinessConfig.Enabled.
    pub enabled: bool,
    /// ALB: TargetGroupStickinessConfig.DurationSeconds, 1s-604800s. How long after its last response a
    /// client stays.
    pub duration: Span,
}

impl Default for GroupStickiness {
    fn default() -> Self {
        Self {
            enabled: false,
            duration: Span::from_secs(3600),
        }
    }
}
