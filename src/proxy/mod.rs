//! One request from headers in to last byte out.
//!
//! The path of a request, top to bottom: [`Proxy::serve`] takes a connection and its requests one
//! after the other; `handle` cannot fail: it opens a `record::RequestRecord`, calls `respond`,
//! and turns an error into an answer, in this one place; `respond` finds the rule and acts on it;
//! `forward` (in its own file) picks a target, sends, and decides about another try; `upload` and
//! `download` carry the bodies; dropping the record writes the access log and the metrics.
//!
//! Versions differ at the edges only: `wire::Wire` is a connection or a stream, with a
//! `BodyReader` and a `BodyWriter`; `http2` serves a connection's streams.
//!
//! Owned by one worker each: the pool of connections to targets and the log buffer. Nothing here
//! waits for another thread.

mod answer;
mod authenticate;
mod body;
mod challenge;
mod client;
mod connect;
mod date;
mod destination;
mod desync;
mod download;
mod ends;
mod error;
mod examine;
mod forward;
mod headers;
mod http2;
mod http3;
mod mapped;
mod patience;
mod pool;
mod record;
mod request;
mod retry;
mod sticky;
mod surge;
mod transform;
mod tunnel;
mod upload;
mod vigil;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use answer::{Answer, error_page};
use client::{Arrival, Client, Incoming, Stay};
pub use ends::Ends;
pub use error::{Fault, ProxyError};
pub use examine::{Examined, examine};
use headers::{Host, MOST_ADDRESSES, Origin, TraceId, address_count, is_grpc};
pub use http3::Handshake;
use pool::Pool;
use record::RequestRecord;
use request::{HeadFields, Request};
use transform::transform;
use wire::Wire;

use crate::access_log::LogBuffer;
use crate::acme::Challenges;
use crate::auth::{Passport, Secrets};
use crate::config::ForwardedFor;
use crate::http1::{HeadError, RequestHead};
use crate::net::{Drain, Stream, buffers};
use crate::routing::{FixedResponse, Redirect};
use crate::snapshot::{Action, Cache, Entrance, EntranceKey, Shared};

/// How often connections at rest are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// What serves the connections of one worker.
#[derive(Debug)]
pub struct Proxy {
    /// Locked for a look at the current snapshot, by this worker's thread only.
    snapshots: Mutex<Cache>,
    log: LogBuffer,
    challenges: Arc<Challenges>,
    pool: Pool,
    shared: http2::SharedConnections,
    floods: http2::FloodLog,
    secrets: Secrets,
}

/// The entrance of a connection as one snapshot has it. An idle connection may keep that of an
/// old one; its next request does not.
#[derive(Debug)]
struct View {
    generation: u64,
    entrance: Arc<Entrance>,
}

/// What becomes of a client's connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// It takes the next request.
    KeepAlive,
    /// It ends.
    Close,
    /// It ends, though the client may still be sending.
    Linger,
}

impl After {
    /// `complete`: the request has been read to its end.
    fn of(keep_alive: bool, complete: bool) -> Self {
        match (keep_alive, complete) {
            (true, true) => Self::KeepAlive,
            (false, true) => Self::Close,
            (_, false) => Self::Linger,
        }
    }
}

impl Proxy {
    /// For one worker: the snapshots to read, the log to write, what cookies are sealed with, the
    /// challenges to answer.
    pub fn new(
        shared: &Shared,
        log: LogBuffer,
        secrets: Secrets,
        challenges: Arc<Challenges>,
    ) -> Self {
        Self {
            snapshots: Mutex::new(shared.cache()),
            log,
            challenges,
            pool: Pool::default(),
            shared: http2::SharedConnections::default(),
            floods: http2::FloodLog::default(),
            secrets,
        }
    }

    /// Looks after the connections at rest, for as long as the worker lives.
    pub async fn tend(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            self.pool.sweep();
            self.shared.sweep();
        }
    }

    /// Serves one client connection to its end. `drain` asks it to end.
    pub async fn serve(
        self: Arc<Self>,
        stream: Stream,
        ends: Ends,
        entrance: EntranceKey,
        drain: Drain,
    ) {
        let Some(mut view) = self.view(&entrance) else {
            return;
        };
        let _visit = self.pool.visit(&ends);
        let stay = Stay::new(drain);
        let mut client = Client::new(Wire::Http1(stream), stay);
        if ends.speaks_http2() {
            return self.serve_http2(client, Vec::new(), ends, view).await;
        }
        loop {
            let attributes = &view.entrance.load_balancer.attributes;
            let mut incoming = client.next(attributes).await;
            self.refresh(&mut view);
            let entrance = &*view.entrance;
            let after = match &mut incoming {
                Incoming::Request(head, arrival) => {
                    self.handle(&mut client, entrance, &ends, head, *arrival)
                        .await
                }
                Incoming::Refused {
                    error,
                    reason,
                    received,
                    arrival,
                } => {
                    let mut record = RequestRecord::open(&self.log, entrance, &ends, *arrival);
                    record.received = *received as u64;
                    record.classified(*reason);
                    self.refuse(&mut client, error, true, &mut record).await
                }
                Incoming::Http2(first) => {
                    let first = std::mem::take(first);
                    return self.serve_http2(client, first, ends, view).await;
                }
                Incoming::End => return,
            };
            if let Incoming::Request(head, _) = incoming {
                buffers::give(head.into_bytes());
            }
            match after {
                After::KeepAlive => {}
                After::Close => return,
                After::Linger => return client.linger().await,
            }
        }
    }

    fn view(&self, key: &EntranceKey) -> Option<View> {
        let mut snapshots = self.snapshots.lock();
        let snapshot = snapshots.load();
        Some(View {
            generation: snapshot.generation,
            entrance: Arc::clone(snapshot.entrance(key)?),
        })
    }

    /// Reads the current snapshot: once a request. A listener that has been removed meanwhile still
    /// serves what its connections bring.
    fn refresh(&self, view: &mut View) {
        let mut snapshots = self.snapshots.lock();
        let snapshot = snapshots.load();
        if snapshot.generation != view.generation {
            view.generation = snapshot.generation;
            if let Some(entrance) = snapshot.entrance(&view.entrance.key) {
                view.entrance = Arc::clone(entrance);
            }
        }
    }

    /// Serves the one request of a stream, whose head may have been refused; so many bytes of it were
    /// read then.
    async fn handle_stream(
        &self,
        client: &mut Client,
        entrance: &Entrance,
        ends: &Ends,
        head: Result<RequestHead, (HeadError, usize)>,
        arrival: Arrival,
    ) {
        match head {
            Ok(mut head) => {
                self.handle(client, entrance, ends, &mut head, arrival)
                    .await;
                buffers::give(head.into_bytes());
            }
            Err((error, bytes)) => {
                let mut record = RequestRecord::open(&self.log, entrance, ends, arrival);
                record.received = bytes as u64;
                let error = ProxyError::RequestHead(error);
                self.refuse(client, &error, true, &mut record).await;
            }
        }
    }

    /// Serves one request. Cannot fail: what goes wrong becomes an answer.
    async fn handle(
        &self,
        client: &mut Client,
        entrance: &Entrance,
        ends: &Ends,
        head: &mut RequestHead,
        arrival: Arrival,
    ) -> After {
        let mode = entrance.load_balancer.attributes.desync_mitigation;
        let permitted = desync::judge(mode, head);
        let head = &*head;
        let mut record = RequestRecord::open(&self.log, entrance, ends, arrival);
        record.received = head.received() as u64;
        record.head = Some(head);
        let trusted = entrance.load_balancer.trusted_proxies.as_ref();
        let origin = Origin::of(head, ends, trusted);
        record.client = origin.client;
        record.classified(head.reason());
        let outcome = match permitted.and_then(|()| admit(entrance, ends, origin, head)) {
            Ok(mut request) => self.respond(client, &mut request, &mut record).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(after) => after,
            Err(error) => {
                let unread = !head.framing().is_empty();
                let after = self.refuse(client, &error, unread, &mut record).await;
                // Unless forwarding came so far as to take it over, and perhaps to read on.
                if !client.carries() {
                    client.carry(head.rest().to_vec());
                }
                after
            }
        }
    }

    /// The one place where an error becomes an answer. A client that has begun to see a response
    /// can only be shown that it was cut short.
    async fn refuse(
        &self,
        client: &mut Client,
        error: &ProxyError,
        unread: bool,
        record: &mut RequestRecord<'_>,
    ) -> After {
        record.failed(error);
        if record.has_status() {
            client.stalled = matches!(error, ProxyError::ClientTimeout);
            client.cut(record.ends_with_connection);
            return After::Close;
        }
        let status = error.status();
        if let ProxyError::ClientClosed | ProxyError::ClientClosedEarly = error {
            record.answered_by_balancer(status);
            return After::Close;
        }
        if record
            .head
            .is_some_and(|head| head.version().has_streams() && is_grpc(head))
        {
            client.answer_call(error, record).await;
            return After::Close;
        }
        let keep_alive = !unread && !client.stay.is_draining() && record.keeps_alive();
        let page = error_page(status);
        let answer = Answer {
            status,
            content_type: "text/html",
            body: &page,
            location: None,
            cookies: &[],
            keep_alive,
        };
        client.answer(&answer, record).await;
        After::of(keep_alive, !unread)
    }

    /// Finds the rule that the request meets, and acts on it.
    async fn respond<'r>(
        &self,
        client: &mut Client,
        request: &mut Request<'r>,
        record: &mut RequestRecord<'r>,
    ) -> Result<After, ProxyError> {
        record.host = Some(request.host);
        record.note_header_names();
        record.trace(TraceId::new);
        if let Some(answer) = self.awaited(request) {
            return Ok(Box::pin(self.challenged(client, request, &answer, record)).await);
        }
        let entrance = request.entrance;
        let listener = &entrance.listener;
        if !listener.providers.is_empty() {
            let answered = Box::pin(self.own_path(client, request, record)).await;
            if let Some(answered) = answered {
                return answered;
            }
        }
        let fields = HeadFields(request.head);
        let matched = listener.rules.find(&request.view(&fields));
        record.matched(matched.priority);
        let mut action = matched.action;
        while let Action::Authenticate(authenticated) = action {
            let by = &authenticated.by;
            let answered = Box::pin(self.authenticate(client, request, by, record)).await?;
            match answered {
                Some(after) => return Ok(after),
                None => action = &authenticated.then,
            }
        }
        match action {
            // Seen to above.
            Action::Authenticate(_) => Err(ProxyError::NoListener),
            Action::Redirect(redirect) => self.redirect(client, request, redirect, record).await,
            Action::FixedResponse(response) => {
                Ok(self.fixed_response(client, request, response, record).await)
            }
            Action::Forward(forward) => {
                record.action = "forward";
                transform(request, matched.transforms, record)?;
                let group = self.choose_group(request, forward, record);
                let group = group.ok_or(ProxyError::NoListener)?;
                self.forward(client, request, group, record).await
            }
        }
    }

    async fn redirect<'r>(
        &self,
        client: &mut Client,
        request: &Request<'r>,
        redirect: &Redirect,
        record: &mut RequestRecord<'r>,
    ) -> Result<After, ProxyError> {
        record.action = "redirect";
        let metrics = &request.entrance.metrics;
        let fields = HeadFields(request.head);
        let location = redirect.location(&request.view(&fields)).map_err(|_| {
            metrics.redirect_url_limit_exceeded.inc();
            ProxyError::RedirectTooLong
        })?;
        metrics.redirects.inc();
        let keep_alive = may_keep_alive(client, request);
        let answer = Answer {
            status: redirect.status().code(),
            content_type: "",
            body: "",
            location: Some(&location),
            cookies: &request.passport.cookies,
            keep_alive,
        };
        client.answer(&answer, record).await;
        record.redirect_url = Some(location);
        Ok(after_answer(client, request, keep_alive))
    }

    async fn fixed_response<'r>(
        &self,
        client: &mut Client,
        request: &Request<'r>,
        response: &FixedResponse,
        record: &mut RequestRecord<'r>,
    ) -> After {
        record.action = "fixed-response";
        request.entrance.metrics.fixed_responses.inc();
        let answer = Answer {
            status: response.status(),
            content_type: response.content_type().field_value(),
            body: response.body(),
            location: None,
            cookies: &request.passport.cookies,
            keep_alive: may_keep_alive(client, request),
        };
        client.answer(&answer, record).await;
        after_answer(client, request, answer.keep_alive)
    }
}

/// A Classic load balancer answers a longer method with 405 (AWS: "Troubleshoot a Classic Load
/// Balancer: HTTP errors").
const LONGEST_CLASSIC_METHOD: usize = 127;

/// Lets a request in whose method, host and forwarding fields are in order.
fn admit<'r>(
    entrance: &'r Entrance,
    ends: &'r Ends,
    origin: Origin,
    head: &'r RequestHead,
) -> Result<Request<'r>, ProxyError> {
    let attributes = &entrance.load_balancer.attributes;
    let idempotent = match head.method() {
        "TRACE" => return Err(ProxyError::MethodNotAllowed),
        method if attributes.classic && method.len() > LONGEST_CLASSIC_METHOD => {
            return Err(ProxyError::MethodNotAllowed);
        }
        "CONNECT" => return Err(ProxyError::Connect),
        "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" => true,
        _ => false,
    };
    let host = Host::of(head, attributes.preserve_host).ok_or(ProxyError::Host)?;
    let removed = attributes.forwarded_for == ForwardedFor::Remove;
    if !removed && address_count(head) > MOST_ADDRESSES {
        return Err(ProxyError::TooManyAddresses);
    }
    Ok(Request {
        head,
        host,
        entrance,
        ends,
        origin,
        grpc: head.version().has_streams() && is_grpc(head),
        passport: Passport::default(),
        idempotent,
        response_timeout: attributes.idle_timeout,
    })
}

/// An answer of the balancer's own leaves a body unread: the connection cannot go on then.
fn may_keep_alive(client: &Client, request: &Request<'_>) -> bool {
    let head = request.head;
    let stays = client.stay.goes_on(request.attributes(), Instant::now());
    head.framing().is_empty() && head.keeps_alive() && stays
}

fn after_answer(client: &mut Client, request: &Request<'_>, keep_alive: bool) -> After {
    if keep_alive {
        client.carry(request.head.rest().to_vec());
    }
    After::of(keep_alive, request.head.framing().is_empty())
}
