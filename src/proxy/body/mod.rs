//! A body on its way, whatever version it comes in and goes out in.
//!
//! [`BodyReader`] and [`BodyWriter`] are the two directions of a connection or of a stream, to a
//! client or to a target. Between them a body is content in a buffer, and its end with the
//! trailers: lines in the form of HTTP/1.1. [`Inflow`] is what is known of a body that comes in.

mod inflow;
mod reader;
mod writer;

pub(super) use inflow::{Broken, Inflow};
pub(super) use reader::{BodyReader, HeadCut};
pub(super) use writer::{BodyWriter, coded};
