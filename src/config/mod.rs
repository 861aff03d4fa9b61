//! What the operator writes, and whether it makes sense.

pub mod document;
mod valid;
mod value;

pub use document::{Config, ForwardedFor, LogFormat, Ranges};
pub use valid::*;
pub use value::{Size, Span};
