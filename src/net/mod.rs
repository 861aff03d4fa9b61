//! Sockets: how Elbow listens, and the options that its connections carry.
//!
//! Look at [`listen`]. Nothing here knows what is spoken on a socket, or who asked for it.

mod listen;
mod stream;

pub use listen::{listen, listen_beside_own};
pub use stream::{Reader, Stream, Writer};
