//! What TLS is done with: certificates and which of them is shown to whom, policies, tickets.
//!
//! Look at [`Terminator`], which answers the clients of one listener: it hears a client's first
//! message and says with which configuration it is answered. Its [`Certificates`] are [`Slot`]s, each
//! of which holds a [`Certificate`] that may be replaced while connections come and go: when its
//! files change, or when it was ordered and arrives. [`Policy`] knows AWS's names of policies and what
//! of each can be honoured; [`Facts`] are what a handshake has led to, in the words of ALB's logs.
//!
//! [`Connector`] is the other side: whom the balancer believes among targets.
//! Mutual TLS is [`ClientAuthentication`], which a [`TrustStore`] may stand behind.
//!
//! Nothing here touches a socket: the handshake itself is in [`crate::net`].

mod authorities;
mod certificate;
mod challenge;
mod choose;
mod cipher;
mod client_authentication;
mod client_certificate;
mod client_fields;
mod connector;
mod distinguished_name;
mod error;
mod facts;
mod files;
mod key_log;
#[cfg(test)]
mod mutual_sample;
mod names;
mod note;
mod policy;
#[cfg(test)]
pub(crate) mod sample;
mod sessions;
mod slot;
mod terminator;
mod ticketer;
mod tickets;
mod trust_store;
mod trust_store_slot;

pub use authorities::{AuthoritiesError, authorities};
pub use certificate::{Certificate, KeyKind};
pub use challenge::Challenges;
pub use choose::Certificates;
pub use cipher::{openssl_name, version_name};
pub use client_authentication::{ClientAuthentication, Refusal, Verify, Witness};
pub use client_certificate::ClientCertificate;
pub use client_fields::{ClientField, ClientFields};
pub use connector::{Connector, ConnectorError, ConnectorSettings, Secure};
pub use error::{CertificateError, Part};
pub use facts::Facts;
pub use files::{Files, Look};
pub use key_log::KeyLogFile;
pub use note::Note;
pub use policy::{Policy, PolicyError};
pub use slot::{Failure, Slot};
pub use terminator::{Answer, Settings, Terminator, Terminators};
pub use tickets::{TicketBequest, Tickets};
pub use trust_store::{TrustStore, TrustStoreError};
pub use trust_store_slot::{TrustStoreFileError, TrustStoreFiles, TrustStoreLook, TrustStoreSlot};
