//! The attributes of target groups: a table with a row for each, which says how it is read from a group of the
//! document and written to it.
//!
//! What a group has no place for (now: the duration of a kind of stickiness that it does not have; or ever) is kept
//! beside it and shown, and has no effect.

mod table;

use serde::Deserialize;

use super::attributes::{Attribute, Attributes};
use super::target_groups::{TheTargetGroup, made};
use crate::aws::catalogue::{Catalogue, Entry};
use crate::aws::{ApiError, Call};
use crate::config::Inventory;
use crate::config::document::TargetGroup;
use crate::config::inventory::{Made, Notes};

use table::{Place, Row, TABLE};

/// `ModifyTargetGroupAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyTargetGroupAttributes {
    target_group_arn: String,
    attributes: Vec<Attribute>,
}

/// `DescribeTargetGroupAttributes`.
pub(super) fn describe(call: &Call, wanted: TheTargetGroup) -> Result<Attributes, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let group = catalogue.target_group(&wanted.target_group_arn)?;
    Ok(all(&group))
}

/// `ModifyTargetGroupAttributes`.
pub(super) async fn modify(
    call: &Call,
    wanted: ModifyTargetGroupAttributes,
) -> Result<Attributes, ApiError> {
    let arn = &wanted.target_group_arn;
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        write(made(catalogue, inventory, arn)?, &wanted.attributes)
    };
    let ((), standing) = call.change(edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    catalogue.target_group(arn).map(|group| all(&group))
}

fn all(group: &Entry<'_, TargetGroup>) -> Attributes {
    Attributes {
        attributes: read(group.document, group.notes),
    }
}

/// Every attribute that such a group has.
fn read(group: &TargetGroup, notes: Option<&Notes>) -> Vec<Attribute> {
    let rows = TABLE.iter().filter(|row| (row.has)(group));
    let value = |row: &Row| {
        let noted = || {
            notes
                .and_then(|notes| notes.attributes.get(row.key))
                .cloned()
        };
        let value = (row.read)(group).or_else(noted);
        value.unwrap_or_else(|| row.default.to_owned())
    };
    let attribute = |row: &Row| Attribute {
        key: row.key.to_owned(),
        value: value(row),
    };
    rows.map(attribute).collect()
}

/// Writes all of them again, with what is wanted: where one stands may depend on another.
fn write(made: &mut Made<TargetGroup>, wanted: &[Attribute]) -> Result<(), ApiError> {
    let mut all = read(&made.document, Some(&made.notes));
    for wanted in wanted {
        let place = all.iter_mut().find(|it| it.key == wanted.key);
        let place = place.ok_or_else(|| unknown(&wanted.key))?;
        place.value.clone_from(&wanted.value);
    }
    for Attribute { key, value } in all {
        let Some(row) = TABLE
            .iter()
            .find(|row| row.key == key && (row.has)(&made.document))
        else {
            continue;
        };
        let place = (row.write)(&mut made.document, &value).map_err(|expected| {
            ApiError::Validation(format!(
                "Target group attribute '{key}' must be {expected}, not '{value}'"
            ))
        })?;
        match place {
            Place::Beside if value != row.default => made.notes.attributes.insert(key, value),
            Place::Beside | Place::Document => made.notes.attributes.remove(&key),
        };
    }
    Ok(())
}

fn unknown(key: &str) -> ApiError {
    ApiError::InvalidConfigurationRequest(match TABLE.iter().any(|row| row.key == key) {
        true => format!(
            "Target group attribute key '{key}' is not supported for a target group of this protocol"
        ),
        false => format!("Target group attribute key '{key}' is not recognized"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::config::inventory::Id;
    use crate::config::parse;

    fn group(text: &str) -> Made<TargetGroup> {
        let text = format!("[[target_group]]\nname = \"site\"\n{text}");
        Made {
            id: Id::random(),
            notes: Notes::default(),
            document: parse(&text, "file").unwrap().target_group.pop().unwrap(),
        }
    }

    fn value(made: &Made<TargetGroup>, key: &str) -> String {
        let all = read(&made.document, Some(&made.notes));
        all.into_iter().find(|it| it.key == key).unwrap().value
    }

    fn set(made: &mut Made<TargetGroup>, pairs: &[(&str, &str)]) -> Result<(), ApiError> {
        let wanted: Vec<_> = pairs
            .iter()
            .map(|(key, value)| Attribute {
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            })
            .collect();
        write(made, &wanted)
    }

    #[test]
    fn a_group_of_which_nothing_is_said_has_albs_defaults() {
        for (protocol, count) in [("HTTP", 14), ("HTTPS", 14), ("TCP", 13), ("TLS", 13)] {
            let made = group(&format!("protocol = \"{protocol}\"\n"));
            let all = read(&made.document, None);
            assert_eq!(all.len(), count, "{protocol}: {all:?}");
            for row in TABLE.iter().filter(|row| (row.has)(&made.document)) {
                assert_eq!(value(&made, row.key), row.default, "{protocol} {}", row.key);
            }
        }
    }

    #[test]
    fn writing_what_is_there_changes_nothing() {
        for text in ["", "protocol = \"TCP\"\n", "protocol_version = \"GRPC\"\n"] {
            let mut made = group(text);
            let before = serde_json::to_value(&made.document).unwrap();
            set(&mut made, &[]).unwrap();
            let after = serde_json::to_value(&made.document).unwrap();
            // What has a default says it now.
            let before: TargetGroup = serde_json::from_value(before).unwrap();
            let after: TargetGroup = serde_json::from_value(after).unwrap();
            assert_eq!(read(&before, None), read(&after, None));
            assert!(made.notes.attributes.is_empty());
        }
    }

    #[test]
    fn every_attribute_is_read_as_it_was_written() {
        let of_requests = [
            ("deregistration_delay.timeout_seconds", "20"),
            ("slow_start.duration_seconds", "45"),
            ("load_balancing.algorithm.type", "weighted_random"),
            ("load_balancing.algorithm.anomaly_mitigation", "on"),
            ("load_balancing.cross_zone.enabled", "false"),
            ("stickiness.enabled", "true"),
            ("stickiness.type", "app_cookie"),
            ("stickiness.lb_cookie.duration_seconds", "60"),
            ("stickiness.app_cookie.duration_seconds", "70"),
            ("stickiness.app_cookie.cookie_name", "session"),
            (
                "target_group_health.dns_failover.minimum_healthy_targets.count",
                "off",
            ),
            (
                "target_group_health.dns_failover.minimum_healthy_targets.percentage",
                "50",
            ),
            (
                "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
                "2",
            ),
            (
                "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
                "10",
            ),
        ];
        let of_connections = [
            ("proxy_protocol_v2.enabled", "true"),
            ("preserve_client_ip.enabled", "true"),
            (
                "deregistration_delay.connection_termination.enabled",
                "true",
            ),
            (
                "target_health_state.unhealthy.connection_termination.enabled",
                "false",
            ),
            (
                "target_health_state.unhealthy.draining_interval_seconds",
                "7",
            ),
        ];
        let http = (group(""), &of_requests[..]);
        let tcp = (group("protocol = \"TCP\"\n"), &of_connections[..]);
        for (mut made, pairs) in [http, tcp] {
            set(&mut made, pairs).unwrap();
            for (key, written) in pairs {
                assert_eq!(value(&made, key), *written, "{key}");
            }
            let defaults: Vec<_> = pairs
                .iter()
                .map(|(key, _)| {
                    let row = TABLE
                        .iter()
                        .find(|row| row.key == *key && (row.has)(&made.document));
                    (*key, row.unwrap().default)
                })
                .collect();
            set(&mut made, &defaults).unwrap();
            for (key, default) in defaults {
                assert_eq!(value(&made, key), default, "{key}");
            }
            assert!(made.notes.attributes.is_empty(), "{:?}", made.notes);
        }
    }

    #[test]
    fn the_document_has_the_duration_of_the_kind_in_force() {
        let mut made = group("");
        let kept = ("stickiness.app_cookie.duration_seconds", "70");
        set(
            &mut made,
            &[kept, ("stickiness.lb_cookie.duration_seconds", "60")],
        )
        .unwrap();
        assert_eq!(made.document.stickiness.duration.unwrap().0.as_secs(), 60);
        set(
            &mut made,
            &[
                ("stickiness.app_cookie.cookie_name", "session"),
                ("stickiness.type", "app_cookie"),
            ],
        )
        .unwrap();
        assert_eq!(made.document.stickiness.duration.unwrap().0.as_secs(), 70);
        assert_eq!(
            made.document.stickiness.cookie_name.as_deref(),
            Some("session")
        );
        set(&mut made, &[("stickiness.type", "lb_cookie")]).unwrap();
        assert_eq!(made.document.stickiness.duration.unwrap().0.as_secs(), 60);
        assert_eq!(made.document.stickiness.cookie_name, None);
        assert_eq!(value(&made, "stickiness.app_cookie.cookie_name"), "session");
    }

    #[test]
    fn an_attribute_that_no_such_group_has_is_refused() {
        for (key, text) in [
            ("stickiness.colour", "not recognized"),
            ("proxy_protocol_v2.enabled", "not supported"),
            ("lambda.multi_value_headers.enabled", "not recognized"),
        ] {
            let error = set(&mut group(""), &[(key, "true")]).unwrap_err();
            assert_eq!(error.code(), "InvalidConfigurationRequest", "{key}");
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn a_value_that_is_none_is_refused_with_those_that_are() {
        for (key, odd, word) in [
            ("stickiness.enabled", "yes", "true or false"),
            ("stickiness.type", "source_ip", "lb_cookie"),
            ("load_balancing.algorithm.type", "random", "weighted_random"),
            (
                "load_balancing.algorithm.anomaly_mitigation",
                "true",
                "on or off",
            ),
            ("deregistration_delay.timeout_seconds", "5s", "whole number"),
            (
                "load_balancing.cross_zone.enabled",
                "x",
                "use_load_balancer_configuration",
            ),
            (
                "target_group_health.dns_failover.minimum_healthy_targets.count",
                "-1",
                "off",
            ),
        ] {
            let mut made = group("");
            let error = set(&mut made, &[(key, odd)]).unwrap_err();
            assert_eq!(error.code(), "ValidationError", "{key}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
