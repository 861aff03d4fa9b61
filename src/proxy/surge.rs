//! A request that waits for a place at a target, while its client waits, too.

use super::client::Client;
use super::error::ProxyError;
use super::request::Request;
use crate::snapshot::Group;
use crate::target::Lease;

/// Waits in the group's surge queue.
///
/// # Errors
///
/// The client has gone, or there was no place for it.
pub(super) async fn queue(
    client: &mut Client,
    request: &Request<'_>,
    group: &Group,
) -> Result<Lease, ProxyError> {
    tokio::select! {
        biased;
        picked = group.pick_in_turn(request.entrance.zone.as_ref()) => picked.map_err(ProxyError::NoTarget),
        () = client.wire.gone() => Err(ProxyError::ClientClosed),
    }
}
