//! Forwarding: a target, a connection, the request, the response; and once more if that is safe.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::IntCounter;
use smallvec::SmallVec;
use tokio::time::{Instant, timeout};

use super::client::Client;
use super::connect::connect;
use super::destination::Destination;
use super::download::{Download, Downloaded, Progress};
use super::error::ProxyError;
use super::headers::{ToTarget, grpc_timeout, to_target};
use super::patience::{Patience, never};
use super::pool::Connection;
use super::record::RequestRecord;
use super::request::Request;
use super::retry::{Decision, Reached, Situation, decide};
use super::sticky::count_non_sticky;
use super::surge::queue;
use super::tunnel::tunnel;
use super::upload::{Upload, UploadEnd};
use super::wire::Wire;
use super::{After, Proxy, buffers};
use crate::metrics::{CloseReason, TargetMetrics};
use crate::snapshot::Group;
use crate::target::{Lease, TargetKey, Zone};
use crate::target_group::{Moment, PickError, ProtocolVersion};

/// A failed attempt, and how far it came.
#[derive(Debug)]
struct Failure {
    error: ProxyError,
    reached: Reached,
    reused: bool,
}

impl Failure {
    fn before_sending(error: ProxyError) -> Self {
        Self {
            error,
            reached: Reached::Nothing,
            reused: false,
        }
    }
}

/// One attempt: which target, and whether it needs a connection that nobody has used.
pub(super) struct Attempt<'a> {
    pub(super) group: &'a Group,
    pub(super) lease: &'a Lease,
    pub(super) metrics: &'a Arc<TargetMetrics>,
    fresh: bool,
    /// Whether the request may move on when the target turns unhealthy.
    pub(super) may_leave: bool,
}

impl Proxy {
    /// Sends a request to a target of `group`, and to another when that fails and is safe.
    pub(super) async fn forward<'r>(
        &self,
        client: &mut Client,
        request: &mut Request<'r>,
        group: &'r Group,
        record: &mut RequestRecord<'r>,
    ) -> Result<After, ProxyError> {
        record.group = Some(group);
        if !takes(group.settings().version, request) {
            return Err(ProxyError::ProtocolVersion);
        }
        let idle = request.attributes().idle_timeout;
        let limit = group.settings().response_timeout_of(request.head.path());
        request.response_timeout = limit.unwrap_or(idle);
        let mut upload = Upload::new(request.head)?;
        if request.head.expects_continue() && !upload.is_read() {
            Box::pin(client.tell_to_continue(record)).await?;
        }
        // Made where it is awaited: it is large, and would be kept and moved twice otherwise.
        let outcome = match deadline(request) {
            None => {
                self.attempts(client, request, group, &mut upload, record)
                    .await
            }
            Some(deadline) => {
                let attempts = self.attempts(client, request, group, &mut upload, record);
                timeout(deadline, Box::pin(attempts))
                    .await
                    .unwrap_or(Err(ProxyError::DeadlineExceeded))
            }
        };
        record.received += upload.received();
        // An error's answer may keep the connection, too.
        if upload.is_read() && !matches!(outcome, Ok(After::Close | After::Linger)) {
            client.carry(upload.into_rest());
        }
        outcome
    }

    async fn attempts<'r>(
        &self,
        client: &mut Client,
        request: &Request<'r>,
        group: &'r Group,
        upload: &mut Upload,
        record: &mut RequestRecord<'r>,
    ) -> Result<After, ProxyError> {
        let mut tried: SmallVec<[TargetKey; 2]> = SmallVec::new();
        let mut left = group.settings().retries;
        let mut failed: Option<(ProxyError, &IntCounter)> = None;
        self.visit(request, group, record);
        loop {
            let moment = Moment {
                now: record.arrived(),
                chance: fastrand::u64(..),
            };
            let entry = request.entrance.zone.as_ref();
            let sticks_to = record.stay.as_ref().and_then(|stay| stay.target());
            let stuck = sticks_to.and_then(|tag| group.pick_sticky(tag, entry, &tried, moment.now));
            if let (Some(policy), None, []) = (&group.settings().stickiness, &stuck, &tried[..]) {
                count_non_sticky(request, policy);
            }
            let picked = match stuck {
                Some(lease) => Ok(lease),
                None => group.pick(entry, &tried, moment),
            };
            let lease = match (picked, failed.take()) {
                (Ok(lease), None) => lease,
                (Ok(lease), Some((_, retries))) => {
                    retries.inc();
                    lease
                }
                (Err(_), Some((error, _))) => return Err(error),
                (Err(PickError::Saturated), None) => {
                    Box::pin(queue(client, request, group)).await?
                }
                (Err(error), None) => return Err(ProxyError::NoTarget(error)),
            };
            let metrics = group.metrics.zone(lease.zone.as_ref().map(Zone::as_str));
            if tried.is_empty() {
                metrics.requests.inc();
            }
            if let Some(stay) = &mut record.stay {
                stay.asks(group, &lease);
            }
            if lease.is_fail_open() {
                metrics.unhealthy_routing_requests.inc();
            }
            let mut attempt = Attempt {
                group,
                lease: &lease,
                metrics,
                fresh: false,
                may_leave: left > 0 && request.idempotent,
            };
            loop {
                let failure = match self
                    .attempt(client, request, &attempt, upload, record)
                    .await
                {
                    Ok(after) => {
                        if record.target_status() >= Some(500) {
                            lease.failed();
                        }
                        return Ok(after);
                    }
                    Err(failure) => failure,
                };
                let situation = Situation {
                    reached: failure.reached,
                    reused: failure.reused,
                    idempotent: request.idempotent,
                    intact: upload.rewind(),
                    left,
                };
                let decision = decide(&failure.error, situation);
                // A dead connection from the pool says nothing about the target.
                if decision != Decision::Again && failure.error.is_targets_failure() {
                    lease.failed();
                }
                match decision {
                    Decision::GiveUp => return Err(failure.error),
                    Decision::Again => {
                        metrics.stale_reuse.inc();
                        attempt.fresh = true;
                    }
                    Decision::Elsewhere(reason) => {
                        left -= 1;
                        tried.push(lease.key.clone());
                        failed = Some((failure.error, metrics.retry(reason)));
                        break;
                    }
                }
            }
        }
    }

    async fn attempt<'r>(
        &self,
        client: &mut Client,
        request: &Request<'r>,
        attempt: &Attempt<'_>,
        upload: &mut Upload,
        record: &mut RequestRecord<'r>,
    ) -> Result<After, Failure> {
        let address = attempt
            .lease
            .socket_address()
            .ok_or_else(|| Failure::before_sending(ProxyError::Unresolved))?;
        record.target(address, attempt.lease.zone.as_ref());
        let version = attempt.group.settings().proxy_protocol;
        let secure = attempt
            .group
            .secure(&attempt.lease.address)
            .map_err(|error| Failure::before_sending(ProxyError::TargetTls(error)))?;
        let destination = Destination::new(address, version, request.ends).with_tls(secure);
        let connection = match attempt.group.settings().version {
            ProtocolVersion::Http1 => {
                let certain = !request.idempotent;
                let pooled = (!attempt.fresh).then(|| self.pool.take(&destination, certain));
                match pooled.flatten() {
                    Some(connection) => Ok(connection),
                    // Boxed like all that is rare, so that requests do not keep room for it.
                    None => Box::pin(connect(client, attempt, &destination)).await,
                }
            }
            ProtocolVersion::Http2 | ProtocolVersion::Grpc => {
                Box::pin(self.stream(client, request, attempt, &destination)).await
            }
        };
        let mut connection = connection.map_err(Failure::before_sending)?;
        let reused = connection.served > 0 && !attempt.fresh;
        let exchanged = exchange(client, &mut connection, request, attempt, upload, record).await;
        match exchanged {
            Ok(Downloaded::Response { keep_alive, reuse }) => {
                let complete = upload.is_sent();
                match reuse.filter(|_| complete && request.head.spares_target()) {
                    Some(reuse) => {
                        connection.served += 1;
                        let rest = request.attributes().idle_timeout;
                        let state = &attempt.lease.state;
                        let now = Instant::now();
                        record.ended = Some(now);
                        self.pool
                            .put(destination, state, connection, reuse, (rest, now));
                    }
                    None => connection.close(CloseReason::NotReusable),
                }
                Ok(After::of(keep_alive, complete))
            }
            Ok(Downloaded::Upgrade(first)) => {
                let early = std::mem::replace(upload, Upload::none()).into_rest();
                let idle = request.attributes().idle_timeout;
                record.upgraded = true;
                let through = Box::pin(tunnel(
                    client,
                    &mut connection,
                    (&first, &early),
                    idle,
                    attempt.lease,
                    &request.entrance.metrics,
                ))
                .await;
                connection.close(CloseReason::Upgraded);
                record.received += through.from_client;
                record.sent.fetch_add(through.to_client, Ordering::Relaxed);
                if let Some(error) = &through.error {
                    record.failed(error);
                }
                Ok(After::Close)
            }
            Err((error, reached)) => Err(Failure {
                error,
                reached,
                reused,
            }),
        }
    }
}

/// Whether a group takes the request (AWS: "Listeners for your Application Load Balancers").
fn takes(version: ProtocolVersion, request: &Request<'_>) -> bool {
    match version {
        ProtocolVersion::Http1 => !request.grpc,
        ProtocolVersion::Http2 => request.head.version().has_streams(),
        ProtocolVersion::Grpc => {
            request.head.version().has_streams() && request.head.has_method("POST")
        }
    }
}

/// How long a gRPC call may take, if its client says so.
fn deadline(request: &Request<'_>) -> Option<Duration> {
    request.grpc.then(|| grpc_timeout(request.head)).flatten()
}

/// Sends the request and passes the response on.
async fn exchange<'r>(
    client: &mut Client,
    connection: &mut Connection,
    request: &Request<'r>,
    attempt: &Attempt<'_>,
    upload: &mut Upload,
    record: &mut RequestRecord<'r>,
) -> Result<Downloaded, (ProxyError, Reached)> {
    let mut patience = Patience {
        vigil: &mut client.vigil,
        lease: attempt.lease,
        may_leave: attempt.may_leave,
    };
    send_head(&mut connection.wire, request, upload, record, &mut patience).await?;
    transfer(client, connection, request, attempt, upload, record).await
}

/// Sends the rest of the request and passes the response on, both directions at once.
async fn transfer<'r>(
    client: &mut Client,
    connection: &mut Connection,
    request: &Request<'r>,
    attempt: &Attempt<'_>,
    upload: &mut Upload,
    record: &mut RequestRecord<'r>,
) -> Result<Downloaded, (ProxyError, Reached)> {
    let (client_reader, client_writer) = client.wire.split();
    let (target_reader, target_writer) = connection.wire.split();
    let at = Instant::now();
    record.dispatched(at);

    let progress = Progress::new(upload.is_sent());
    let idle = request.attributes().idle_timeout;
    let mut up = pin!(upload.run(
        client_reader,
        target_writer,
        idle,
        request.response_timeout,
        &progress.uploaded,
    ));
    let mut download = Download {
        target: target_reader,
        client: client_writer,
        request,
        record,
        patience: Patience {
            vigil: &mut client.vigil,
            lease: attempt.lease,
            may_leave: attempt.may_leave,
        },
        progress: &progress,
        stay: &client.stay,
        at,
    };
    let mut down = pin!(download.run());
    let outcome = tokio::select! {
        biased;
        downloaded = &mut down => downloaded,
        end = &mut up => match end {
            UploadEnd::Failed(error) => Err(error),
            UploadEnd::ClientClosed if !progress.is_answered() => Err(ProxyError::ClientClosed),
            UploadEnd::TargetStalled if !progress.is_answered() => Err(ProxyError::TargetTimeout),
            UploadEnd::ClientClosed
            | UploadEnd::TargetStopped
            | UploadEnd::TargetStalled
            | UploadEnd::NextRequest => down.await,
        },
    };
    let reached = match progress.is_answered() {
        true => Reached::Client,
        false => Reached::Target,
    };
    outcome.map_err(|error| (error, reached))
}

/// Sends the head, and with it the first piece of the body if that is small.
async fn send_head(
    target: &mut Wire,
    request: &Request<'_>,
    upload: &mut Upload,
    record: &RequestRecord<'_>,
    patience: &mut Patience<'_>,
) -> Result<(), (ProxyError, Reached)> {
    let mut out = buffers::take();
    to_target(
        &mut out,
        request.head,
        &ToTarget {
            attributes: request.attributes(),
            host: request.host,
            transformed: record.transformed.as_deref(),
            user: request.passport.user.as_ref(),
            providers: &request.entrance.listener.providers,
            scheme: request.ends.scheme(),
            ends: request.ends,
            origin: &request.origin,
            forwarded: &request.entrance.load_balancer.forwarded,
            trace_id: &record.trace_id,
            names: &request.entrance.listener.headers.names,
        },
    );
    if target.is_framed() {
        upload.join(&mut out);
    }
    let sent = AtomicU64::new(0);
    let ended = request.head.framing().is_empty();
    let switches = request.head.upgrade().is_some();
    let sending = target.request(&out, ended, switches, &sent);
    let outcome = patience
        .wait(request.response_timeout, never, pin!(sending))
        .await;
    let reached = match sent.into_inner() {
        0 => Reached::Nothing,
        _ => Reached::Target,
    };
    buffers::give(out);
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err((ProxyError::TargetClosed, reached)),
        Err(error) => Err((error, reached)),
    }
}
