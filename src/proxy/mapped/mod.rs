//! Heads between their two forms: bytes in the manner of HTTP/1.1, which all of the balancer deals
//! in, and the maps of the `http` crate, which libraries for HTTP/2 and HTTP/3 speak.

mod fields;
mod head;
mod outgoing;

pub(super) use fields::{field_lines, field_map, status_of};
pub(super) use head::{Spoken, request_head};
pub(super) use outgoing::outgoing_request;
