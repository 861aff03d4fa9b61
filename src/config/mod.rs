//! What the operator writes, and whether it makes sense.

mod document;
mod value;

pub use document::*;
pub use value::{Size, Span};
