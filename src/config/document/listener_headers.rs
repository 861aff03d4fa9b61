//! What a listener does to header fields: AWS calls it header modification.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Header fields of all responses through a listener, its own as well. Each replaces what the target
/// says; what is absent is left as it is. At most 1024 visible ASCII characters each.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseHeaders {
    /// ALB: routing.http.response.server.enabled. When false, no response has a Server field.
    pub server: bool,
    /// ALB: routing.http.response.strict_transport_security.header_value.
    pub strict_transport_security: Option<String>,
    /// ALB: routing.http.response.content_security_policy.header_value.
    pub content_security_policy: Option<String>,
    /// ALB: routing.http.response.x_content_type_options.header_value.
    pub x_content_type_options: Option<String>,
    /// ALB: routing.http.response.x_frame_options.header_value.
    pub x_frame_options: Option<String>,
    /// ALB: routing.http.response.access_control_allow_origin.header_value.
    pub access_control_allow_origin: Option<String>,
    /// ALB: routing.http.response.access_control_allow_methods.header_value.
    pub access_control_allow_methods: Option<String>,
    /// ALB: routing.http.response.access_control_allow_headers.header_value.
    pub access_control_allow_headers: Option<String>,
    /// ALB: routing.http.response.access_control_allow_credentials.header_value.
    pub access_control_allow_credentials: Option<String>,
    /// ALB: routing.http.response.access_control_expose_headers.header_value.
    pub access_control_expose_headers: Option<String>,
    /// ALB: routing.http.response.access_control_max_age.header_value.
    pub access_control_max_age: Option<String>,
}

impl Default for ResponseHeaders {
    fn default() -> Self {
        Self {
            server: true,
            strict_transport_security: None,
            content_security_policy: None,
            x_content_type_options: None,
            x_frame_options: None,
            access_control_allow_origin: None,
            access_control_allow_methods: None,
            access_control_allow_headers: None,
            access_control_allow_credentials: None,
            access_control_expose_headers: None,
            access_control_max_age: None,
        }
    }
}

/// What the header fields are called in which targets learn of a client's TLS and certificate. At
/// most 40 letters, digits, hyphens and underscores each.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestHeaderNames {
    /// ALB: routing.http.request.x_amzn_tls_version.header_name.
    pub x_amzn_tls_version: String,
    /// ALB: routing.http.request.x_amzn_tls_cipher_suite.header_name.
    pub x_amzn_tls_cipher_suite: String,
    /// ALB: routing.http.request.x_amzn_mtls_clientcert.header_name.
    pub x_amzn_mtls_clientcert: String,
    /// ALB: routing.http.request.x_amzn_mtls_clientcert_leaf.header_name.
    pub x_amzn_mtls_clientcert_leaf: String,
    /// ALB: routing.http.request.x_amzn_mtls_clientcert_serial_number.header_name.
    pub x_amzn_mtls_clientcert_serial_number: String,
    /// ALB: routing.http.request.x_amzn_mtls_clientcert_issuer.header_name.
    pub x_amzn_mtls_clientcert_issuer: String,
    /// ALB: routing.http.request.x_amzn_mtls_clientcert_subject.header_name.
    pub x_amzn_mtls_clientcert_subject: String,
    /// ALB: routing.http.request.x_amzn_mtls_clientcert_validity.header_name.
    pub x_amzn_mtls_clientcert_validity: String,
}

impl Default for RequestHeaderNames {
    fn default() -> Self {
        Self {
            x_amzn_tls_version: "X-Amzn-Tls-Version".to_owned(),
            x_amzn_tls_cipher_suite: "X-Amzn-Tls-Cipher-Suite".to_owned(),
            x_amzn_mtls_clientcert: "X-Amzn-Mtls-Clientcert".to_owned(),
            x_amzn_mtls_clientcert_leaf: "X-Amzn-Mtls-Clientcert-Leaf".to_owned(),
            x_amzn_mtls_clientcert_serial_number: "X-Amzn-Mtls-Clientcert-Serial-Number".to_owned(),
            x_amzn_mtls_clientcert_issuer: "X-Amzn-Mtls-Clientcert-Issuer".to_owned(),
            x_amzn_mtls_clientcert_subject: "X-Amzn-Mtls-Clientcert-Subject".to_owned(),
            x_amzn_mtls_clientcert_validity: "X-Amzn-Mtls-Clientcert-Validity".to_owned(),
        }
    }
}
