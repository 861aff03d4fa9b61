//! Stickiness: by which cookie, how long, and what it does not go with.

use std::time::Duration;

use super::range;
use super::report::Report;
use crate::config::document::{StickinessType, TargetGroup};
use crate::config::path::Path;
use crate::stickiness::Policy;
use crate::target_group::{TargetProtocol, ZonePolicy};

/// ALB's default.
const DURATION: Duration = Duration::from_secs(24 * 3600);

/// How the names of the balancer's own cookies begin.
const RESERVED: [&str; 2] = ["AWSALB", "AWSELB"];

/// What else is known of the group.
pub(super) struct Nature<'a> {
    pub(super) is_classic: bool,
    pub(super) protocol: TargetProtocol,
    pub(super) zones: Option<&'a ZonePolicy>,
}

/// Checks all of it; none is off.
pub(super) fn validate(
    group: &TargetGroup,
    nature: &Nature<'_>,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Policy> {
    let path = path.key("stickiness");
    let stickiness = &group.stickiness;
    if let Some(duration) = stickiness.duration {
        let place = path.key("duration");
        range::duration(report, &place, duration, &range::STICKINESS);
    }
    let cookie = cookie_name(group, &path, report);
    if !stickiness.enabled {
        return None;
    }
    company(group, nature, &path.key("enabled"), report);
    let duration = stickiness.duration.map(|duration| duration.0);
    match (nature.is_classic, stickiness.kind) {
        (false, StickinessType::LbCookie) => Some(Policy::Balancer {
            duration: duration.unwrap_or(DURATION),
        }),
        (false, StickinessType::AppCookie) => Some(Policy::Application {
            cookie: cookie?.into(),
            duration: duration.unwrap_or(DURATION),
        }),
        (true, StickinessType::LbCookie) => Some(Policy::Classic { expires: duration }),
        (true, StickinessType::AppCookie) => {
            if duration.is_some() {
                let message = "the cookie of a classic load balancer lives as long as the one that it follows";
                report.refuse(path.key("duration"), message, "leave `duration` out");
            }
            Some(Policy::ClassicApplication {
                cookie: cookie?.into(),
            })
        }
    }
}

/// What stickiness does not go with.
fn company(group: &TargetGroup, nature: &Nature<'_>, path: &Path<'_>, report: &mut Report<'_>) {
    let help = "leave `stickiness` out";
    if nature.zones == Some(&ZonePolicy::OwnZone) && !nature.is_classic {
        let message = "stickiness needs cross-zone load balancing";
        report.refuse(path, message, "take `cross_zone = true`, or no stickiness");
    } else if group.active_standby.is_some() {
        let message = "all clients of an active/standby group have one target";
        report.refuse(path, message, help);
    } else if nature.protocol.is_relayed() {
        report.refuse(path, "stickiness rests on cookies, which need HTTP", help);
    }
}

/// The application's cookie, if there is to be one.
fn cookie_name<'g>(
    group: &'g TargetGroup,
    path: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<&'g str> {
    let stickiness = &group.stickiness;
    let place = path.key("cookie_name");
    let name = stickiness.cookie_name.as_deref();
    match (stickiness.kind, name) {
        (StickinessType::LbCookie, Some(_)) if stickiness.enabled => {
            let help = "write type = \"app_cookie\", or leave `cookie_name` out";
            report.refuse(
                place,
                "the type `lb_cookie` follows no cookie of the application",
                help,
            );
            return None;
        }
        (StickinessType::AppCookie, None) if stickiness.enabled => {
            let help = "name the cookie of the application: cookie_name = \"session\"";
            report.refuse(
                path.key("type"),
                "the type `app_cookie` needs `cookie_name`",
                help,
            );
            return None;
        }
        (_, None) | (StickinessType::LbCookie, _) => return None,
        (StickinessType::AppCookie, Some(_)) => {}
    }
    let name = name?;
    if let Some(reserved) = RESERVED
        .iter()
        .find(|reserved| name.starts_with(**reserved))
    {
        let message = format!("names of cookies that begin with `{reserved}` are reserved");
        report.refuse(place, message, "they are the load balancer's own");
        return None;
    }
    // RFC 6265 section 4.1.1: a token.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        let help = "letters, digits and !#$%&'*+-.^_`|~ may be in it";
        report.refuse(place, format!("`{name}` is not the name of a cookie"), help);
        return None;
    }
    Some(name)
}
