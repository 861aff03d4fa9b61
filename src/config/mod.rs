//! What the operator writes, and whether it makes sense.
//!
//! A text becomes a [`Config`], a plain document in ALB's words, and that a [`ValidConfig`], which
//! the running parts use, or else all its [`Problems`], each with its place in the text. [`check`]
//! does all of it; [`parse`] and [`validate`] are its two halves. Presets are laid under a text before it
//! is read: a document that has no text has none.
//!
//! Nothing here opens a socket, resolves a name or touches what runs.

mod advice;
mod certificates;
mod check;
mod contribution;
pub mod document;
mod fit;
pub mod inventory;
mod listener_headers;
mod path;
mod preset;
mod problem;
mod provider;
mod read;
mod service;
mod shape;
mod source;
mod suggest;
mod trust_stores;
mod unoffered;
mod valid;
mod validate;
mod value;

pub use certificates::LoadedCertificates;
pub use check::{
    CheckReport, check, check_joined, check_standing, check_text, load, load_certificates,
    load_trust_stores, parse, parse_joined, validate,
};
pub use contribution::{Contributed, Contribution, Rejected};
pub use document::{
    Config, DesyncMitigation, ForwardedFor, LogFormat, NormalizePath, OriginField, Others, Ranges,
    Scheme,
};
pub use inventory::{Inventory, InventoryError};
pub use listener_headers::{ListenerHeaders, RequestHeaderNames, ResponseChanges};
pub use preset::{Explained, Outcome as PresetOutcome, PresetReport};
pub use problem::{Location, Problem, Problems, Severity};
pub use provider::{DnsSource, DockerHost, DockerSource, ProviderSource, ValidProvider, ZoneMap};
pub use service::{RelaySettings, Service};
pub use trust_stores::LoadedTrustStores;
pub use valid::{
    AccessLogSettings, Attributes, By, CertificateSource, Limits, ValidAction, ValidAuthenticated,
    ValidAuthenticator, ValidCertificate, ValidClientAuthentication, ValidConfig, ValidForward,
    ValidForwarded, ValidListener, ValidLoadBalancer, ValidNode, ValidProxyProtocol,
    ValidTargetGroup, ValidTls, ValidTrustStore, ValidTrustedProxies, ValidUpgrade,
};
pub use validate::HealthTarget;
pub use value::{Size, Span};

/// The JSON Schema of the document, for editors; its descriptions are the manual.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
mod tests;
