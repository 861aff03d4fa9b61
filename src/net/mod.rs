//! Sockets: how Elbow listens, the options that its connections carry, and what bytes wait in.
//!
//! Look at [`listen`], [`Stream`] and [`buffers`]. Nothing here knows what is spoken on a socket, or who asked for it.

mod blocks;
pub mod buffers;
mod listen;
mod stream;

pub use blocks::{AddressBlockError, AddressBlocks};
pub use listen::{listen, listen_beside_own};
pub use stream::{Reader, Stream, Writer};
