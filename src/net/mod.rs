//! Sockets: how Elbow listens, what its connections carry, the TLS within them, and what bytes wait in.
//!
//! Look at [`listen`], [`Stream`] and [`buffers`]; [`greet`] is where a TLS client is met. [`AddressBlocks`]
//! say who is who, [`Drain`] how they are asked to end, [`Hush`] how often the log hears of what goes wrong
//! with them. Nothing here knows what is spoken on a socket, who asked for it, or which certificate is shown to whom.

mod activation;
mod blocks;
pub mod buffers;
mod drain;
mod handshake;
mod hush;
mod listen;
pub mod passing;
mod session;
mod stream;

pub use activation::Activation;
pub use blocks::{AddressBlockError, AddressBlocks};
pub use drain::Drain;
pub use handshake::{Greeted, HandshakeError, Unanswered, greet};
pub use hush::Hush;
pub use listen::{listen, listen_beside_own, listen_udp};
pub use stream::{Reader, Stream, Writer};
