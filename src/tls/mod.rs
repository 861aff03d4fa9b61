//! What TLS is done with: certificates and which of them is shown to whom, policies, tickets.
//!
//! Look at [`Terminator`], which answers the clients of one listener: it hears a client's first
//! message and says with which configuration it is answered. Its [`Certificates`] are [`Slot`]s, each
//! of which holds a [`Certificate`] that may be replaced while connections come and go: when its
//! files change, or when it was ordered and arrives. [`Policy`] knows AWS's names of policies and what
//! of each can be honoured; [`Facts`] are what a handshake has led to, in the words of ALB's logs.
//!
//! [`Connector`] is the other side: whom the balancer believes among targets.
//!
//! Nothing here touches a socket: the handshake itself is in [`crate::net`].

mod certificate;
mod challenge;
mod choose;
mod cipher;
mod connector;
mod error;
mod facts;
mod files;
mod key_log;
mod names;
mod policy;
#[cfg(test)]
pub(crate) mod sample;
mod slot;
mod terminator;
mod tickets;

pub use certificate::{Certificate, KeyKind};
pub use challenge::Challenges;
pub use choose::Certificates;
pub use connector::{Connector, ConnectorError, ConnectorSettings, Secure};
pub use error::{CertificateError, Part};
pub use facts::Facts;
pub use files::{Files, Look};
pub use key_log::KeyLogFile;
pub use policy::{Policy, PolicyError};
pub use slot::{Failure, Slot};
pub use terminator::{Answer, Settings, Terminator, Terminators};
pub use tickets::Tickets;
