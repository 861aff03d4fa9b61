//! The attributes of load balancers, by AWS's keys: one row an attribute.
//!
//! Most are settings of the document. Others are kept and shown and have no effect here: logs in S3, of which the
//! file has its own, and what belongs to services that are not there. `deletion_protection.enabled` has its effect
//! when a load balancer is to be deleted.

use serde::Deserialize;

use super::attributes::{Attribute, Attributes};
use super::load_balancers::{DELETION_PROTECTION, set};
use crate::aws::catalogue::Catalogue;
use crate::aws::{ApiError, Call};
use crate::config::Span;
use crate::config::document::{DesyncMitigation, ForwardedFor, LoadBalancer, Scheme};
use crate::config::inventory::{Made, Notes};

/// `DescribeLoadBalancerAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeLoadBalancerAttributes {
    load_balancer_arn: String,
}

/// `ModifyLoadBalancerAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyLoadBalancerAttributes {
    load_balancer_arn: String,
    attributes: Vec<Attribute>,
}

/// One attribute.
struct Row {
    key: &'static str,
    what: What,
}

enum What {
    /// A setting of the document: how it is read from it, and written to it.
    Setting(
        fn(&LoadBalancer) -> String,
        fn(&mut LoadBalancer, &str) -> Result<(), String>,
    ),
    /// Kept and shown: "true" or "false".
    KeptSwitch(fn(&LoadBalancer) -> bool),
    /// Kept and shown: a text, empty by default.
    KeptText,
    /// What cannot be switched on.
    Off(&'static str),
}

use What::{KeptSwitch, KeptText, Off, Setting};

/// A setting that is on or off.
macro_rules! switch {
    ($key:literal, $field:ident) => {
        Row {
            key: $key,
            what: Setting(
                |it| it.$field.to_string(),
                |it, text| {
                    it.$field = is_on(text)?;
                    Ok(())
                },
            ),
        }
    };
}

/// A setting in seconds.
macro_rules! seconds {
    ($key:literal, $field:ident) => {
        Row {
            key: $key,
            what: Setting(
                |it| it.$field.0.as_secs().to_string(),
                |it, text| {
                    let seconds = text.parse().map_err(|_| "a number of seconds".to_owned())?;
                    it.$field = Span::from_secs(seconds);
                    Ok(())
                },
            ),
        }
    };
}

const fn kept(key: &'static str) -> Row {
    Row {
        key,
        what: KeptText,
    }
}

const fn kept_switch(key: &'static str) -> Row {
    Row {
        key,
        what: KeptSwitch(|_| false),
    }
}

const ROWS: &[Row] = &[
    kept_switch("access_logs.s3.enabled"),
    kept("access_logs.s3.bucket"),
    kept("access_logs.s3.prefix"),
    seconds!("client_keep_alive.seconds", client_keep_alive),
    kept_switch("connection_logs.s3.enabled"),
    kept("connection_logs.s3.bucket"),
    kept("connection_logs.s3.prefix"),
    kept_switch(DELETION_PROTECTION),
    kept_switch("health_check_logs.s3.enabled"),
    kept("health_check_logs.s3.bucket"),
    kept("health_check_logs.s3.prefix"),
    seconds!("idle_timeout.timeout_seconds", idle_timeout),
    Row {
        key: "ipv6.deny_all_igw_traffic",
        what: KeptSwitch(|it| it.scheme == Scheme::Internal),
    },
    Row {
        key: "load_balancing.cross_zone.enabled",
        what: Setting(
            |it| it.cross_zone.unwrap_or(true).to_string(),
            |it, text| {
                it.cross_zone = Some(is_on(text)?);
                Ok(())
            },
        ),
    },
    Row {
        key: "routing.http.desync_mitigation_mode",
        what: Setting(
            |it| desync_mitigation(it.desync_mitigation).to_owned(),
            |it, text| {
                it.desync_mitigation = match text {
                    "monitor" => DesyncMitigation::Monitor,
                    "defensive" => DesyncMitigation::Defensive,
                    "strictest" => DesyncMitigation::Strictest,
                    _ => return Err("'monitor', 'defensive' or 'strictest'".to_owned()),
                };
                Ok(())
            },
        ),
    },
    switch!(
        "routing.http.drop_invalid_header_fields.enabled",
        drop_invalid_header_fields
    ),
    switch!("routing.http.preserve_host_header.enabled", preserve_host),
    Row {
        key: "routing.http.x_amzn_tls_kx.enabled",
        what: Off("Elbow does not tell targets of the key exchange (X-Amzn-Tls-Kx)"),
    },
    switch!(
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
        x_amzn_tls_version_and_cipher_suite
    ),
    switch!(
        "routing.http.xff_client_port.enabled",
        x_forwarded_for_client_port
    ),
    Row {
        key: "routing.http.xff_header_processing.mode",
        what: Setting(
            |it| forwarded_for(it.x_forwarded_for).to_owned(),
            |it, text| {
                it.x_forwarded_for = match text {
                    "append" => ForwardedFor::Append,
                    "preserve" => ForwardedFor::Preserve,
                    "remove" => ForwardedFor::Remove,
                    _ => return Err("'append', 'preserve' or 'remove'".to_owned()),
                };
                Ok(())
            },
        ),
    },
    switch!("routing.http2.enabled", http2),
    kept_switch("waf.fail_open.enabled"),
    switch!("zonal_shift.config.enabled", zonal_shift),
];

fn desync_mitigation(mode: DesyncMitigation) -> &'static str {
    match mode {
        DesyncMitigation::Monitor => "monitor",
        DesyncMitigation::Defensive => "defensive",
        DesyncMitigation::Strictest => "strictest",
    }
}

fn forwarded_for(mode: ForwardedFor) -> &'static str {
    match mode {
        ForwardedFor::Append => "append",
        ForwardedFor::Preserve => "preserve",
        ForwardedFor::Remove => "remove",
    }
}

fn is_on(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "'true' or 'false'".to_owned())
}

pub(super) fn describe(
    call: &Call,
    wanted: &DescribeLoadBalancerAttributes,
) -> Result<Attributes, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let entry = catalogue.load_balancer(&wanted.load_balancer_arn)?;
    Ok(told(entry.document, entry.notes))
}

pub(super) async fn modify(
    call: &Call,
    wanted: ModifyLoadBalancerAttributes,
) -> Result<Attributes, ApiError> {
    let edit = |_: &Catalogue<'_>, made: &mut Made<LoadBalancer>| {
        let mut wanted = wanted.attributes.iter();
        wanted.try_for_each(|attribute| put(attribute, made))
    };
    let made = set(call, &wanted.load_balancer_arn, edit).await?;
    Ok(told(&made.document, Some(&made.notes)))
}

fn told(document: &LoadBalancer, notes: Option<&Notes>) -> Attributes {
    let attributes = ROWS.iter().map(|row| {
        let kept = notes
            .and_then(|notes| notes.attributes.get(row.key))
            .cloned();
        Attribute {
            key: row.key.to_owned(),
            value: match row.what {
                Setting(read, _) => read(document),
                KeptSwitch(default) => kept.unwrap_or_else(|| default(document).to_string()),
                KeptText => kept.unwrap_or_default(),
                Off(_) => "false".to_owned(),
            },
        }
    });
    Attributes {
        attributes: attributes.collect(),
    }
}

fn put(attribute: &Attribute, made: &mut Made<LoadBalancer>) -> Result<(), ApiError> {
    let Attribute { key, value } = attribute;
    let Some(row) = ROWS.iter().find(|row| row.key == key) else {
        return Err(ApiError::InvalidConfigurationRequest(format!(
            "Load balancer attribute key '{key}' is not recognized"
        )));
    };
    let keep = |made: &mut Made<LoadBalancer>| {
        let attributes = &mut made.notes.attributes;
        attributes.insert(key.clone(), value.clone());
        Ok(())
    };
    let done = match row.what {
        Setting(_, write) => write(&mut made.document, value),
        KeptSwitch(_) => is_on(value).and_then(|_| keep(made)),
        KeptText => keep(made),
        Off(why) => match is_on(value) {
            Ok(true) => return Err(ApiError::InvalidConfigurationRequest(why.to_owned())),
            other => other.map(|_| ()),
        },
    };
    done.map_err(|allowed| {
        ApiError::InvalidConfigurationRequest(format!(
            "The value '{value}' of load balancer attribute '{key}' must be {allowed}"
        ))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::config::inventory::Id;

    fn made() -> Made<LoadBalancer> {
        Made {
            id: Id::random(),
            notes: Notes::default(),
            document: LoadBalancer::named("web"),
        }
    }

    fn value(made: &Made<LoadBalancer>, key: &str) -> String {
        let all = told(&made.document, Some(&made.notes)).attributes;
        all.into_iter().find(|it| it.key == key).unwrap().value
    }

    fn set(made: &mut Made<LoadBalancer>, key: &str, value: &str) -> Result<(), ApiError> {
        let attribute = Attribute {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        put(&attribute, made)
    }

    #[test]
    fn every_attribute_has_awss_default_and_keeps_what_it_is_given() {
        for (key, default, other) in [
            ("access_logs.s3.enabled", "false", "true"),
            ("access_logs.s3.bucket", "", "logs"),
            ("access_logs.s3.prefix", "", "web"),
            ("client_keep_alive.seconds", "3600", "60"),
            ("connection_logs.s3.enabled", "false", "true"),
            ("connection_logs.s3.bucket", "", "logs"),
            ("connection_logs.s3.prefix", "", "web"),
            ("deletion_protection.enabled", "false", "true"),
            ("health_check_logs.s3.enabled", "false", "true"),
            ("health_check_logs.s3.bucket", "", "logs"),
            ("health_check_logs.s3.prefix", "", "web"),
            ("idle_timeout.timeout_seconds", "60", "4000"),
            ("ipv6.deny_all_igw_traffic", "false", "true"),
            ("load_balancing.cross_zone.enabled", "true", "false"),
            (
                "routing.http.desync_mitigation_mode",
                "defensive",
                "monitor",
            ),
            (
                "routing.http.drop_invalid_header_fields.enabled",
                "false",
                "true",
            ),
            ("routing.http.preserve_host_header.enabled", "false", "true"),
            ("routing.http.x_amzn_tls_kx.enabled", "false", "false"),
            (
                "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
                "false",
                "true",
            ),
            ("routing.http.xff_client_port.enabled", "false", "true"),
            (
                "routing.http.xff_header_processing.mode",
                "append",
                "remove",
            ),
            ("routing.http2.enabled", "true", "false"),
            ("waf.fail_open.enabled", "false", "true"),
            ("zonal_shift.config.enabled", "false", "true"),
        ] {
            let mut made = made();
            assert_eq!(value(&made, key), default, "{key}");
            set(&mut made, key, other).unwrap();
            assert_eq!(value(&made, key), other, "{key}");
        }
        assert_eq!(ROWS.len(), 24);
        let mut internal = made();
        internal.document.scheme = Scheme::Internal;
        assert_eq!(value(&internal, "ipv6.deny_all_igw_traffic"), "true");
    }

    #[test]
    fn what_an_attribute_cannot_be_is_refused() {
        for (key, value, says) in [
            ("odd", "true", "'odd' is not recognized"),
            ("idle_timeout.timeout_seconds", "x", "seconds"),
            ("routing.http2.enabled", "yes", "'true' or 'false'"),
            ("waf.fail_open.enabled", "yes", "'true' or 'false'"),
            ("routing.http.desync_mitigation_mode", "odd", "'strictest'"),
            ("routing.http.xff_header_processing.mode", "odd", "'append'"),
            (
                "routing.http.x_amzn_tls_kx.enabled",
                "true",
                "X-Amzn-Tls-Kx",
            ),
        ] {
            let error = set(&mut made(), key, value).unwrap_err();
            assert_eq!(error.code(), "InvalidConfigurationRequest");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
