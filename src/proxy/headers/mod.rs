//! What the balancer changes in a message's head on its way through.
//!
//! [`to_target`] and [`to_client`] write the head that goes on; [`Host`], [`forwarded_for`] and
//! [`TraceId`] are its parts that follow rules of ALB's own. Plain functions of plain values.

mod forwarded;
mod forwarded_for;
mod grpc;
mod host;
mod origin;
mod to_client;
mod to_target;
mod trace_id;

pub(super) use forwarded_for::{MOST_ADDRESSES, address_count};
pub(super) use grpc::{grpc_status, grpc_timeout, is_grpc};
pub(super) use host::Host;
pub(super) use origin::Origin;
pub(super) use to_client::{BodyCoding, Cookies, ToClient, push_alt_svc, to_client};
pub(super) use to_target::{ToTarget, to_target};
pub(super) use trace_id::TraceId;

use crate::http1::Field;

/// Appends the lines of `head` that pass, as they came. Neighbours are copied together.
fn push_lines<'h>(
    out: &mut Vec<u8>,
    head: &[u8],
    fields: impl Iterator<Item = Field<'h>>,
    mut passes: impl FnMut(&Field<'h>) -> bool,
) {
    let mut run = 0..0;
    for field in fields {
        if !passes(&field) {
            continue;
        }
        if field.line.start != run.end {
            out.extend_from_slice(&head[run]);
            run = field.line;
        } else {
            run.end = field.line.end;
        }
    }
    out.extend_from_slice(&head[run]);
}

/// Appends `name: value` and the line end.
pub(super) fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends `name: number` and the line end.
pub(super) fn push_number(out: &mut Vec<u8>, name: &[u8], number: impl itoa::Integer) {
    push_field(out, name, itoa::Buffer::new().format(number).as_bytes());
}
