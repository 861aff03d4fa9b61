//! A client's connection that speaks HTTP/3: its requests, and how it ends.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h3::server::{Connection, RequestResolver};
use http::{Method, header};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tracing::error;

use super::{Handshake, Stream};
use crate::http1::Version;
use crate::net::Drain;
use crate::proxy::client::{Arrival, Client, Stay};
use crate::proxy::http2::Stalls;
use crate::proxy::mapped::{Spoken, request_head};
use crate::proxy::wire::Wire;
use crate::proxy::{Ends, Proxy, View};
use crate::snapshot::EntranceKey;

type Quic = h3_quinn::Connection;

/// H3_EXCESSIVE_LOAD (RFC 9114 section 8.1).
const EXCESSIVE_LOAD: quinn::VarInt = quinn::VarInt::from_u32(0x107);

/// How long a client may take to fetch the last responses and go, once all is said.
const PARTING: Duration = Duration::from_secs(2);

impl Proxy {
    /// Serves a client's connection over QUIC to its end. Whoever completes its `handshake` tells.
    pub async fn serve_http3(
        self: Arc<Self>,
        quic: quinn::Connection,
        ends: Arc<Ends>,
        entrance: EntranceKey,
        drain: Drain,
        handshake: Handshake,
    ) {
        let Some(view) = self.view(&entrance) else {
            return;
        };
        let stay = Stay::new(drain);
        let limit = view.entrance.load_balancer.attributes.limits.headers as u64;
        let mut builder = h3::server::builder();
        // 32 bytes more are counted for each field than the limit does, which is looked at afterwards.
        builder.max_field_section_size(limit.saturating_mul(2));
        let shaking = builder.build(Quic::new(quic.clone()));
        let header_timeout = view.entrance.load_balancer.attributes.header_timeout;
        let Ok(Ok(connection)) = timeout(header_timeout, shaking).await else {
            return;
        };
        let _visit = self.pool.visit(&ends);
        let session = Session {
            proxy: Arc::clone(&self),
            ends,
            stay,
            view,
            handshake,
            requests: JoinSet::new(),
            stalls: Stalls::new(),
            parting: false,
            rests_since: Instant::now(),
        };
        session.run(connection, &quic).await;
    }
}

/// One connection.
struct Session {
    proxy: Arc<Proxy>,
    ends: Arc<Ends>,
    stay: Stay,
    view: View,
    handshake: Handshake,
    /// One task a request: a panic ends it alone. Dropping the session ends them all. Each tells whether the
    /// client did not go on taking the response.
    requests: JoinSet<bool>,
    stalls: Stalls,
    /// Whether the client has been told to send no more requests.
    parting: bool,
    /// When the last request ended, or the connection began.
    rests_since: Instant,
}

impl Session {
    async fn run(mut self, mut connection: Connection<Quic, Bytes>, quic: &quinn::Connection) {
        let stay = self.stay.clone();
        let attributes = self.view.entrance.load_balancer.attributes;
        let mut over = pin!(stay.ends(&attributes));
        let mut timer = pin!(sleep(attributes.idle_timeout));
        loop {
            tokio::select! {
                biased;
                accepted = connection.accept() => match accepted {
                    Ok(Some(request)) => self.serve(request),
                    // Ended by the client; or all that was asked for has been served.
                    Ok(None) | Err(_) => break,
                },
                Some(outcome) = self.requests.join_next(), if !self.requests.is_empty() => {
                    if self.is_flooded_by(outcome) {
                        return self.fend_off(quic).await;
                    }
                    self.rest(timer.as_mut());
                }
                () = over.as_mut(), if !self.parting => {
                    self.part(&mut connection, timer.as_mut()).await;
                }
                () = timer.as_mut() => {
                    let until = self.rests_since + attributes.idle_timeout;
                    if !self.requests.is_empty() {
                        timer.as_mut().reset(Instant::now() + attributes.idle_timeout);
                    } else if self.parting {
                        break;
                    } else if Instant::now() < until {
                        timer.as_mut().reset(until);
                    } else {
                        self.part(&mut connection, timer.as_mut()).await;
                    }
                }
            }
        }
        while let Some(outcome) = self.requests.join_next().await {
            if self.is_flooded_by(outcome) {
                return self.fend_off(quic).await;
            }
        }
        if self.parting {
            // Closing throws away what the client has not acknowledged yet.
            let _ = timeout(PARTING, quic.closed()).await;
        }
    }

    /// Gives a request a task.
    fn serve(&mut self, request: RequestResolver<Quic, Bytes>) {
        self.proxy.refresh(&mut self.view);
        let proxy = Arc::clone(&self.proxy);
        let entrance = Arc::clone(&self.view.entrance);
        let (ends, stay) = (Arc::clone(&self.ends), self.stay.clone());
        let handshake = self.handshake.clone();
        // Boxed: a task is moved about three times in its life, whole, with what it is given.
        self.requests.spawn(Box::pin(async move {
            let arrival = Arrival::now();
            let attributes = &entrance.load_balancer.attributes;
            let resolved = timeout(attributes.header_timeout, request.resolve_request()).await;
            let Ok(Ok((request, stream))) = resolved else {
                return false;
            };
            let early = handshake.admit(request.method(), &entrance.metrics).await;
            let mut stream = Stream::accepted(stream);
            let bodiless = matches!(
                *request.method(),
                Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE
            );
            let announced = request.headers().contains_key(header::CONTENT_LENGTH);
            let ended = bodiless
                && !announced
                && timeout(attributes.header_timeout, stream.is_ended())
                    .await
                    .unwrap_or(false);
            let spoken = Spoken {
                version: Version::Http3,
                protocol: None,
                ended,
                early,
            };
            let head = request_head(&request, spoken, &attributes.limits);
            let mut client = Client::new(Wire::Http3(Box::new(stream)), stay);
            proxy
                .handle_stream(&mut client, &entrance, &ends, head, arrival)
                .await;
            client.stalled
        }));
    }

    /// Notes how a request has ended; whether that was one too many that the client did not take the
    /// response of. A client that has vanished takes nothing either: that is for QUIC to notice.
    fn is_flooded_by(&mut self, outcome: Result<bool, JoinError>) -> bool {
        match outcome {
            Ok(stalled) => stalled && self.stalls.add(),
            Err(error) if error.is_panic() => {
                self.view.entrance.metrics.error("Panicked");
                error!("a request ended in a panic; all others go on. Please report it");
                false
            }
            Err(_) => false,
        }
    }

    /// Sends the client away. Its requests see their streams end, and end, too.
    async fn fend_off(mut self, quic: &quinn::Connection) {
        self.view.entrance.metrics.error("Http3WindowStall");
        quic.close(EXCESSIVE_LOAD, b"responses are not taken");
        let ended = async { while self.requests.join_next().await.is_some() {} };
        let _ = timeout(PARTING, ended).await;
    }

    /// Tells the client to send no more requests; those that are open go on.
    async fn part(&mut self, connection: &mut Connection<Quic, Bytes>, timer: Pin<&mut Sleep>) {
        self.parting = true;
        // Fails only when the connection has ended, which the next accept tells.
        let _ = connection.shutdown(0).await;
        self.rest(timer);
    }

    /// Notes that there may be no request any more.
    fn rest(&mut self, timer: Pin<&mut Sleep>) {
        if !self.requests.is_empty() {
            return;
        }
        self.rests_since = Instant::now();
        if self.parting {
            timer.reset(self.rests_since + PARTING);
        }
    }
}
