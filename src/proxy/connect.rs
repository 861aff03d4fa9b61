//! Connections to the target of an attempt: one of its own, or a stream on one that others use, too.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;

use super::Proxy;
use super::client::Client;
use super::destination::Destination;
use super::error::ProxyError;
use super::forward::Attempt;
use super::http2;
use super::patience::{Patience, never};
use super::pool::Connection;
use super::request::Request;
use crate::net::HandshakeError;

impl Proxy {
    /// A stream on a connection to the attempt's target that speaks HTTP/2, made if there is none.
    pub(super) async fn stream(
        &self,
        client: &mut Client,
        request: &Request<'_>,
        attempt: &Attempt<'_>,
        destination: &Destination,
    ) -> Result<Connection, ProxyError> {
        if let Some(stream) = self.shared.stream(destination) {
            return Ok(Connection::stream(stream, true, attempt.metrics));
        }
        let attributes = request.attributes();
        let wanted = http2::Wanted {
            destination,
            target: &attempt.lease.state,
            metrics: attempt.metrics,
            rest: attributes.idle_timeout,
            most_fields: attributes.limits.response_headers,
        };
        let connecting = self.shared.connect(&wanted);
        let (stream, shared) = connected(client, attempt, pin!(connecting)).await?;
        Ok(Connection::stream(stream, shared, attempt.metrics))
    }
}

/// Makes a connection to the attempt's target.
pub(super) async fn connect(
    client: &mut Client,
    attempt: &Attempt<'_>,
    destination: &Destination,
) -> Result<Connection, ProxyError> {
    let connecting = destination.connect();
    let stream = connected(client, attempt, pin!(connecting)).await?;
    Ok(Connection::new(stream, Arc::clone(attempt.metrics)))
}

/// Waits for a connection to the attempt's target.
async fn connected<T>(
    client: &mut Client,
    attempt: &Attempt<'_>,
    connecting: Pin<&mut impl Future<Output = io::Result<T>>>,
) -> Result<T, ProxyError> {
    let mut patience = Patience {
        vigil: &mut client.vigil,
        lease: attempt.lease,
        may_leave: attempt.may_leave,
    };
    let limit = attempt.group.settings().connect_timeout;
    let error = match patience.wait(limit, never, connecting).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => match error.downcast::<HandshakeError>() {
            Ok(error) => {
                attempt.metrics.tls_negotiation_errors.inc();
                return Err(ProxyError::TargetTls(error));
            }
            Err(error) => ProxyError::TargetConnect(error),
        },
        Err(ProxyError::TargetTimeout) => ProxyError::TargetConnectTimeout,
        Err(error) => return Err(error),
    };
    attempt.metrics.connection_errors.inc();
    Err(error)
}
