//! What `CreateTargetGroup` and `ModifyTargetGroup` ask for, as a target group of the document.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::value::{Error, MapDeserializer};

use super::description::{has_path, probe_protocol, speaks_http};
use crate::aws::query::one_of;
use crate::aws::{ApiError, now};
use crate::config::Span;
use crate::config::document::{
    HealthCheck, ProbeProtocol, ProtocolVersion, TargetGroup, TargetProtocol,
};
use crate::config::inventory::Notes;

/// `CreateTargetGroup`, without its [`HealthCheckSettings`] and tags.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateTargetGroup {
    pub(super) name: String,
    protocol: Option<String>,
    protocol_version: Option<String>,
    port: Option<u16>,
    vpc_id: Option<String>,
    target_type: Option<String>,
    ip_address_type: Option<String>,
    target_control_port: Option<u16>,
}

/// What both operations may say of health checks. What is not said stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HealthCheckSettings {
    health_check_enabled: Option<bool>,
    health_check_protocol: Option<String>,
    health_check_port: Option<String>,
    health_check_path: Option<String>,
    health_check_interval_seconds: Option<u64>,
    health_check_timeout_seconds: Option<u64>,
    healthy_threshold_count: Option<u32>,
    unhealthy_threshold_count: Option<u32>,
    matcher: Matcher,
}

/// AWS: Matcher.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Matcher {
    http_code: Option<String>,
    grpc_code: Option<String>,
}

impl CreateTargetGroup {
    /// The group, without targets, and what the document has no word for.
    pub(super) fn document(
        &self,
        check: &HealthCheckSettings,
    ) -> Result<(TargetGroup, BTreeMap<String, String>), ApiError> {
        name(&self.name)?;
        let target_type = self.target_type()?;
        if self.target_control_port.is_some() {
            let message = "Elbow has no target optimizer: leave TargetControlPort out, and set max_concurrency in \
                           its file where targets are to take so many requests at a time";
            return Err(ApiError::InvalidConfigurationRequest(message.to_owned()));
        }
        let port = self.port.filter(|port| *port > 0);
        let port = port.ok_or_else(|| missing("a port, 1 to 65535, must be specified (Port)"))?;
        let families = [("ipv4", "ipv4"), ("ipv6", "ipv6")];
        let family = self.ip_address_type.as_deref().unwrap_or("ipv4");
        let family = one_of("IpAddressType", family, &families)?;
        let mut group = unsaid(&self.name)?;
        group.protocol = self.protocol()?;
        if let Some(version) = &self.protocol_version {
            if !speaks_http(&group) {
                let message = "ProtocolVersion goes with the protocols HTTP and HTTPS only";
                return Err(ApiError::InvalidConfigurationRequest(message.to_owned()));
            }
            let versions = [
                ("HTTP1", ProtocolVersion::Http1),
                ("HTTP2", ProtocolVersion::Http2),
                ("GRPC", ProtocolVersion::Grpc),
            ];
            group.protocol_version = one_of("ProtocolVersion", version, &versions)?;
        }
        check.apply(&mut group)?;
        let parameters = [
            ("Port", Some(port.to_string())),
            ("TargetType", Some(target_type.to_owned())),
            ("IpAddressType", Some(family.to_owned())),
            ("VpcId", self.vpc_id.clone()),
        ];
        let said = parameters.into_iter();
        let said = said.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok((group, said.collect()))
    }

    fn protocol(&self) -> Result<TargetProtocol, ApiError> {
        let protocol = self.protocol.as_deref();
        match protocol.ok_or_else(|| missing("a protocol must be specified (Protocol)"))? {
            "HTTP" => Ok(TargetProtocol::Http),
            "HTTPS" => Ok(TargetProtocol::Https),
            "TCP" => Ok(TargetProtocol::Tcp),
            "TLS" => Ok(TargetProtocol::Tls),
            other @ ("UDP" | "TCP_UDP" | "GENEVE" | "QUIC" | "TCP_QUIC") => Err(ApiError::Other {
                code: "UnsupportedProtocol",
                message: format!(
                    "Elbow forwards HTTP, HTTPS, TCP and TLS to targets, and no {other}"
                ),
            }),
            other => Err(ApiError::Validation(format!(
                "Protocol must be one of HTTP, HTTPS, TCP, TLS, not '{other}'"
            ))),
        }
    }

    fn target_type(&self) -> Result<&'static str, ApiError> {
        let refused = |what: &str| {
            let message = format!("Elbow has no targets of type {what}: take instance or ip");
            Err(ApiError::InvalidConfigurationRequest(message))
        };
        match self.target_type.as_deref().unwrap_or("instance") {
            "instance" => Ok("instance"),
            "ip" => Ok("ip"),
            "lambda" => refused("lambda (there are no functions to call)"),
            "alb" => refused("alb (a load balancer's own address can be registered as an ip)"),
            other => one_of(
                "TargetType",
                other,
                &[("instance", "instance"), ("ip", "ip")],
            ),
        }
    }
}

impl HealthCheckSettings {
    /// Writes what is said into the group.
    pub(super) fn apply(&self, group: &mut TargetGroup) -> Result<(), ApiError> {
        let check = &mut group.health_check;
        if let Some(protocol) = &self.health_check_protocol {
            let protocols = [
                ("HTTP", ProbeProtocol::Http),
                ("HTTPS", ProbeProtocol::Https),
                ("TCP", ProbeProtocol::Tcp),
                ("TLS", ProbeProtocol::Ssl),
            ];
            check.protocol = Some(one_of("HealthCheckProtocol", protocol, &protocols)?);
        }
        if let Some(port) = &self.health_check_port {
            check.port = match port.as_str() {
                "traffic-port" => None,
                number => Some(number.parse().map_err(|_| {
                    missing("HealthCheckPort must be traffic-port, or a number from 1 to 65535")
                })?),
            };
        }
        self.numbers(check);
        let probe = probe_protocol(group);
        let is_grpc = group.protocol_version == ProtocolVersion::Grpc;
        let check = &mut group.health_check;
        // Some clients write what they do not say as an empty text.
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let path = said(&self.health_check_path);
        let code = match (said(&self.matcher.http_code), said(&self.matcher.grpc_code)) {
            (Some(_), _) if is_grpc => Err("a group of version GRPC has a GrpcCode, no HttpCode"),
            (_, Some(_)) if !is_grpc => Err("only a group of version GRPC has a GrpcCode"),
            (http, grpc) => Ok(http.or(grpc)),
        };
        let code = code.map_err(|it| ApiError::InvalidConfigurationRequest(it.to_owned()))?;
        if !has_path(probe) {
            if path.is_some() || code.is_some() {
                let message = "HealthCheckPath and Matcher go with the HealthCheckProtocol HTTP and HTTPS only";
                return Err(ApiError::InvalidConfigurationRequest(message.to_owned()));
            }
            (check.path, check.matcher) = (None, None);
        }
        if let Some(path) = path {
            check.path = Some(path);
        }
        if let Some(code) = code {
            check.matcher = Some(code);
        }
        Ok(())
    }

    fn numbers(&self, check: &mut HealthCheck) {
        if let Some(enabled) = self.health_check_enabled {
            check.enabled = enabled;
        }
        if let Some(seconds) = self.health_check_interval_seconds {
            check.interval = Span::from_secs(seconds);
        }
        if let Some(seconds) = self.health_check_timeout_seconds {
            check.timeout = Span::from_secs(seconds);
        }
        if let Some(count) = self.healthy_threshold_count {
            check.healthy_threshold = Some(count);
        }
        if let Some(count) = self.unhealthy_threshold_count {
            check.unhealthy_threshold = count;
        }
    }
}

/// What AWS's API has to say of a thing that is made now.
pub(super) fn notes(parameters: BTreeMap<String, String>) -> Notes {
    Notes {
        created: now(),
        parameters,
        ..Notes::default()
    }
}

/// A group of which nothing but its name is said.
fn unsaid(name: &str) -> Result<TargetGroup, ApiError> {
    let said = MapDeserializer::<_, Error>::new([("name", name)].into_iter());
    TargetGroup::deserialize(said).map_err(|error| ApiError::Internal(error.to_string()))
}

fn name(name: &str) -> Result<(), ApiError> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let message = match name {
        "" => "must not be empty",
        long if long.len() > 32 => "cannot be longer than '32' characters",
        odd if !odd.bytes().all(is_fit) => {
            "can only contain characters that are alphanumeric characters or hyphens(-)"
        }
        edge if edge.starts_with('-') || edge.ends_with('-') => {
            "cannot begin or end with a hyphen(-)"
        }
        _ => return Ok(()),
    };
    Err(ApiError::Validation(format!(
        "Target group name '{name}' {message}"
    )))
}

fn missing(message: &str) -> ApiError {
    ApiError::Validation(message.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::aws::query::Tree;

    fn asked(form: &str) -> Result<(TargetGroup, BTreeMap<String, String>), ApiError> {
        let tree = Tree::read(form.as_bytes()).unwrap();
        let check: HealthCheckSettings = tree.clone().take()?;
        tree.take::<CreateTargetGroup>()?.document(&check)
    }

    #[test]
    fn what_is_not_said_has_the_documents_defaults() {
        let (group, parameters) = asked("Name=web&Protocol=HTTP&Port=8080&VpcId=vpc-1").unwrap();
        assert_eq!(
            (group.name.as_str(), group.protocol),
            ("web", TargetProtocol::Http)
        );
        assert_eq!(group.deregistration_delay, Span::from_secs(300));
        assert_eq!(group.health_check.interval, Span::from_secs(30));
        let parameter = |name: &str| parameters.get(name).map(String::as_str);
        assert_eq!(parameter("Port"), Some("8080"));
        assert_eq!(parameter("TargetType"), Some("instance"));
        assert_eq!(parameter("VpcId"), Some("vpc-1"));
    }

    #[test]
    fn every_setting_of_the_health_check_is_taken() {
        let (group, _) = asked(
            "Name=web&Protocol=HTTPS&ProtocolVersion=HTTP2&Port=1&TargetType=ip&IpAddressType=ipv6\
             &HealthCheckProtocol=HTTP&HealthCheckPort=9000&HealthCheckPath=/ping&HealthCheckEnabled=false\
             &HealthCheckIntervalSeconds=10&HealthCheckTimeoutSeconds=4&HealthyThresholdCount=3\
             &UnhealthyThresholdCount=4&Matcher.HttpCode=200-299",
        )
        .unwrap();
        let check = &group.health_check;
        assert_eq!(group.protocol_version, ProtocolVersion::Http2);
        assert_eq!(check.protocol, Some(ProbeProtocol::Http));
        assert_eq!(
            (check.port, check.path.as_deref()),
            (Some(9000), Some("/ping"))
        );
        assert_eq!(
            (check.interval, check.timeout),
            (Span::from_secs(10), Span::from_secs(4))
        );
        assert_eq!(
            (check.healthy_threshold, check.unhealthy_threshold),
            (Some(3), 4)
        );
        assert_eq!(
            (check.enabled, check.matcher.as_deref()),
            (false, Some("200-299"))
        );
    }

    #[test]
    fn a_check_that_becomes_one_of_connections_forgets_path_and_codes() {
        let (mut group, _) =
            asked("Name=l4&Protocol=TCP&Port=1&HealthCheckProtocol=HTTP&HealthCheckPath=/a&Matcher.HttpCode=200").unwrap();
        let change = HealthCheckSettings {
            health_check_protocol: Some("TCP".to_owned()),
            ..HealthCheckSettings::default()
        };
        change.apply(&mut group).unwrap();
        assert_eq!(
            (group.health_check.path, group.health_check.matcher),
            (None, None)
        );
    }

    #[test]
    fn an_empty_text_says_nothing() {
        let (group, _) = asked(
            "Name=l4&Protocol=TCP&Port=1&HealthCheckPath=&Matcher.HttpCode=&HealthCheckPort=traffic-port",
        )
        .unwrap();
        assert_eq!(
            (group.health_check.path, group.health_check.matcher),
            (None, None)
        );
    }

    #[test]
    fn what_elbow_has_not_is_refused_by_name() {
        for (form, code, word) in [
            (
                "Name=a&Port=1&Protocol=GENEVE",
                "UnsupportedProtocol",
                "GENEVE",
            ),
            ("Name=a&Port=1&Protocol=UDP", "UnsupportedProtocol", "UDP"),
            (
                "Name=a&Port=1&Protocol=FTP",
                "ValidationError",
                "HTTP, HTTPS, TCP, TLS",
            ),
            ("Name=a&Port=1", "ValidationError", "Protocol"),
            ("Name=a&Protocol=HTTP", "ValidationError", "Port"),
            ("Name=a&Port=0&Protocol=HTTP", "ValidationError", "Port"),
            (
                "Name=a&TargetType=lambda",
                "InvalidConfigurationRequest",
                "lambda",
            ),
            (
                "Name=a&TargetType=alb",
                "InvalidConfigurationRequest",
                "alb",
            ),
            ("Name=a&TargetType=x", "ValidationError", "instance, ip"),
            ("Name=-a&Port=1&Protocol=HTTP", "ValidationError", "hyphen"),
            (
                "Name=a_b&Port=1&Protocol=HTTP",
                "ValidationError",
                "alphanumeric",
            ),
            (
                "Name=a&Port=1&Protocol=HTTP&TargetControlPort=3000",
                "InvalidConfigurationRequest",
                "max_concurrency",
            ),
            (
                "Name=a&Port=1&Protocol=TCP&ProtocolVersion=HTTP1",
                "InvalidConfigurationRequest",
                "ProtocolVersion",
            ),
            (
                "Name=a&Port=1&Protocol=TCP&HealthCheckPath=/",
                "InvalidConfigurationRequest",
                "HealthCheckPath",
            ),
            (
                "Name=a&Port=1&Protocol=HTTP&HealthCheckPort=x",
                "ValidationError",
                "traffic-port",
            ),
            (
                "Name=a&Port=1&Protocol=HTTP&Matcher.GrpcCode=0",
                "InvalidConfigurationRequest",
                "GrpcCode",
            ),
        ] {
            let error = asked(form).unwrap_err();
            assert_eq!(error.code(), code, "{form}: {error}");
            assert!(error.to_string().contains(word), "{form}: {error}");
        }
    }
}
