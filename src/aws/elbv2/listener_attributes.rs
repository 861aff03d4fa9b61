//! The attributes of listeners, by AWS's keys: one row an attribute. A listener has those of its protocol.

use serde::Deserialize;

use super::attributes::{Attribute, Attributes};
use super::listeners::set;
use crate::aws::catalogue::Catalogue;
use crate::aws::{ApiError, Call};
use crate::config::Span;
use crate::config::document::{Listener, ListenerProtocol, RequestHeaderNames};
use crate::config::inventory::MadeListener;

/// `DescribeListenerAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeListenerAttributes {
    listener_arn: String,
}

/// `ModifyListenerAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyListenerAttributes {
    listener_arn: String,
    attributes: Vec<Attribute>,
}

/// One attribute: how it is read from the document, and written to it.
struct Row {
    key: &'static str,
    of: Of,
    read: fn(&Listener) -> String,
    write: fn(&mut Listener, &str) -> Result<(), &'static str>,
}

/// Which listeners have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// HTTP and HTTPS.
    Http,
    /// HTTPS.
    Https,
    /// TCP and TLS.
    Connections,
}

/// A header field of responses; an empty value leaves it as the target says it.
macro_rules! response {
    ($field:ident) => {
        Row {
            key: concat!(
                "routing.http.response.",
                stringify!($field),
                ".header_value"
            ),
            of: Of::Http,
            read: |it| it.response_headers.$field.clone().unwrap_or_default(),
            write: |it, text| {
                it.response_headers.$field = Some(text.to_owned()).filter(|it| !it.is_empty());
                Ok(())
            },
        }
    };
}

/// The name of a header field of requests; an empty one stands for AWS's.
macro_rules! request {
    ($field:ident) => {
        Row {
            key: concat!("routing.http.request.", stringify!($field), ".header_name"),
            of: Of::Https,
            read: |it| it.request_header_names.$field.clone(),
            write: |it, text| {
                it.request_header_names.$field = match text {
                    "" => RequestHeaderNames::default().$field,
                    name => name.to_owned(),
                };
                Ok(())
            },
        }
    };
}

const ROWS: &[Row] = &[
    request!(x_amzn_mtls_clientcert),
    request!(x_amzn_mtls_clientcert_issuer),
    request!(x_amzn_mtls_clientcert_leaf),
    request!(x_amzn_mtls_clientcert_serial_number),
    request!(x_amzn_mtls_clientcert_subject),
    request!(x_amzn_mtls_clientcert_validity),
    request!(x_amzn_tls_cipher_suite),
    request!(x_amzn_tls_version),
    response!(access_control_allow_credentials),
    response!(access_control_allow_headers),
    response!(access_control_allow_methods),
    response!(access_control_allow_origin),
    response!(access_control_expose_headers),
    response!(access_control_max_age),
    response!(content_security_policy),
    Row {
        key: "routing.http.response.server.enabled",
        of: Of::Http,
        read: |it| it.response_headers.server.to_string(),
        write: |it, text| {
            let parsed = text.parse().map_err(|_| "'true' or 'false'");
            it.response_headers.server = parsed?;
            Ok(())
        },
    },
    response!(strict_transport_security),
    response!(x_content_type_options),
    response!(x_frame_options),
    Row {
        key: "tcp.idle_timeout.seconds",
        of: Of::Connections,
        read: |it| {
            let timeout = it.idle_timeout.map_or(350, |it| it.0.as_secs());
            timeout.to_string()
        },
        write: |it, text| {
            let seconds = text.parse().map_err(|_| "a number of seconds")?;
            it.idle_timeout = Some(Span::from_secs(seconds));
            Ok(())
        },
    },
];

impl Of {
    fn is(self, protocol: ListenerProtocol) -> bool {
        match protocol {
            ListenerProtocol::Http => self == Self::Http,
            ListenerProtocol::Https => self == Self::Http || self == Self::Https,
            ListenerProtocol::Tcp | ListenerProtocol::Tls => self == Self::Connections,
        }
    }
}

pub(super) fn describe(
    call: &Call,
    wanted: &DescribeListenerAttributes,
) -> Result<Attributes, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let (_, listener) = catalogue.listener(&wanted.listener_arn)?;
    Ok(told(listener.document))
}

pub(super) async fn modify(
    call: &Call,
    wanted: ModifyListenerAttributes,
) -> Result<Attributes, ApiError> {
    let arn = &wanted.listener_arn;
    let edit = |_: &Catalogue<'_>, made: &mut MadeListener| {
        let document = &mut made.listener.document;
        let mut wanted = wanted.attributes.iter();
        wanted.try_for_each(|attribute| put(attribute, document))
    };
    let standing = set(call, arn, edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    let (_, listener) = catalogue.listener(arn)?;
    Ok(told(listener.document))
}

fn told(listener: &Listener) -> Attributes {
    let rows = ROWS.iter().filter(|row| row.of.is(listener.protocol));
    let attributes = rows.map(|row| Attribute {
        key: row.key.to_owned(),
        value: (row.read)(listener),
    });
    Attributes {
        attributes: attributes.collect(),
    }
}

fn put(attribute: &Attribute, listener: &mut Listener) -> Result<(), ApiError> {
    let Attribute { key, value } = attribute;
    let row = ROWS.iter().find(|row| row.key == key);
    let Some(row) = row.filter(|row| row.of.is(listener.protocol)) else {
        let why = match row {
            Some(_) => "is not one of listeners of this protocol",
            None => "is not recognized",
        };
        return Err(ApiError::InvalidConfigurationRequest(format!(
            "Listener attribute key '{key}' {why}"
        )));
    };
    (row.write)(listener, value).map_err(|allowed| {
        ApiError::InvalidConfigurationRequest(format!(
            "The value '{value}' of listener attribute '{key}' must be {allowed}"
        ))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn set(listener: &mut Listener, key: &str, value: &str) -> Result<(), ApiError> {
        let attribute = Attribute {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        put(&attribute, listener)
    }

    fn value(listener: &Listener, key: &str) -> String {
        let all = told(listener).attributes;
        all.into_iter().find(|it| it.key == key).unwrap().value
    }

    #[test]
    fn every_attribute_keeps_what_it_is_given_and_goes_back_to_its_default() {
        let mut listener = Listener::on(443, ListenerProtocol::Https);
        let before = told(&listener).attributes;
        assert_eq!(before.len(), 19);
        for Attribute {
            key,
            value: default,
        } in before
        {
            let other = if key.ends_with("enabled") {
                "false"
            } else {
                "X-Other"
            };
            set(&mut listener, &key, other).unwrap();
            assert_eq!(value(&listener, &key), other, "{key}");
            let back = if key.ends_with("enabled") { "true" } else { "" };
            set(&mut listener, &key, back).unwrap();
            assert_eq!(value(&listener, &key), default, "{key}");
        }
        let mut relay = Listener::on(53, ListenerProtocol::Tcp);
        assert_eq!(told(&relay).attributes.len(), 1);
        assert_eq!(value(&relay, "tcp.idle_timeout.seconds"), "350");
        set(&mut relay, "tcp.idle_timeout.seconds", "60").unwrap();
        assert_eq!(value(&relay, "tcp.idle_timeout.seconds"), "60");
    }

    #[test]
    fn what_an_attribute_cannot_be_is_refused() {
        for (key, value, says) in [
            ("odd", "", "not recognized"),
            ("tcp.idle_timeout.seconds", "60", "this protocol"),
            (
                "routing.http.request.x_amzn_tls_version.header_name",
                "X-V",
                "this protocol",
            ),
            (
                "routing.http.response.server.enabled",
                "no",
                "'true' or 'false'",
            ),
        ] {
            let mut listener = Listener::on(80, ListenerProtocol::Http);
            let error = set(&mut listener, key, value).unwrap_err();
            assert_eq!(error.code(), "InvalidConfigurationRequest");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
