//! Certificates that come by themselves, from an authority that speaks ACME (RFC 8555).
//!
//! Look at [`Acme`], which keeps what a configuration wants: each [`Wanted`] certificate has a place
//! ([`Slot`](crate::tls::Slot)) that listeners show from the start, and a task that orders it when it
//! is due and puts it there. [`Challenges`] are what an authority asks meanwhile. What became of it
//! is a [`Status`]. When an order is due is the schedule's question, without I/O; what is kept on
//! disk, and how processes share it, the storage's.
//!
//! Choices: names are DNS names without wildcards, for neither HTTP-01 nor TLS-ALPN-01 can show more.
//! A way to show a name that has failed is followed by the next one of the list. A certificate is
//! renewed with a new key. Nothing is revoked and no file is removed: who takes names away and brings
//! them back finds the certificate there. Start-up never waits for an authority.

mod attempt;
mod challenge;
mod client;
mod clock;
mod error;
mod keeper;
mod order;
mod placeholder;
mod registry;
mod schedule;
mod settings;
mod status;
mod storage;
mod transport;

pub use attempt::{Attempt, Failure, Reason};
pub use challenge::{Challenges, Up};
pub use clock::Clock;
pub use error::AcmeError;
pub use registry::{Acme, Prepared, Statuses};
pub use settings::{Authority, ChallengeKind, ExternalAccount, Wanted};
pub use status::{Shown, Status};
pub use transport::TransportError;
