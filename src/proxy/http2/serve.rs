//! A client's connection that speaks HTTP/2: its streams, and how it ends.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::ext::Protocol;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tracing::error;

use super::Stream;
use super::census::Fate;
use super::flood::Flood;
use super::io::Watched;
use super::tasks::{Panicked, Seat, Tasks};
use crate::config::Attributes;
use crate::http1::{HeadError, RequestHead, Version};
use crate::proxy::client::{Arrival, Client, Stay};
use crate::proxy::mapped::{Spoken, request_head};
use crate::proxy::wire::Wire;
use crate::proxy::{Ends, Proxy, View};
use crate::snapshot::Entrance;

/// How many requests a client may have in flight on one connection (ALB's number).
const STREAMS: u32 = 128;
/// After how many requests a connection is asked to end (ALB's number).
const REQUESTS: u32 = 10_000;
/// What a client may send ahead on one stream, and on all of a connection's.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What is kept for a client that does not take it, on one stream.
const SEND_BUFFER: usize = 64 * 1024;
/// How long a client may take to go once all is said.
const PARTING: Duration = Duration::from_secs(5);

impl Proxy {
    /// Serves a client's connection that speaks HTTP/2 to its end; `first` has been read from it.
    pub(in crate::proxy) async fn serve_http2(
        self: &Arc<Self>,
        client: Client,
        first: Vec<u8>,
        ends: Ends,
        view: View,
    ) {
        let (Wire::Http1(stream), stay) = client.into_wire() else {
            return;
        };
        let attributes = &view.entrance.load_balancer.attributes;
        let watched = Watched::new(first, stream);
        let shaken = timeout(
            attributes.header_timeout,
            handshake(watched.clone(), attributes),
        );
        let Ok(Ok(connection)) = shaken.await else {
            return;
        };
        let session = Session {
            proxy: Arc::clone(self),
            ends: Arc::new(ends),
            stay,
            view,
            watched,
            tasks: Tasks::new(),
            served: 0,
            parting: false,
            rests_since: Instant::now(),
        };
        session.run(connection).await;
    }

    /// Serves one stream after the other, each as `client`, whose wire it becomes.
    async fn serve_streams(
        self: Arc<Self>,
        ends: Arc<Ends>,
        mut client: Client,
        seat: Seat<Accepted>,
    ) {
        while let Some(accepted) = seat.next(&mut client.vigil).await {
            let (entrance, arrival) = (accepted.entrance, accepted.arrival);
            let head = head_of(&accepted.request, &entrance);
            let stream = Stream::accepted(accepted.request.into_body(), accepted.respond);
            client.renew(Wire::Http2(stream));
            self.handle_stream(&mut client, &entrance, &ends, head, arrival)
                .await;
            let fate = Fate {
                answered: client.is_answered(),
                stalled: client.stalled,
            };
            client.renew(Wire::Http2(Stream::default()));
            seat.done(fate);
        }
    }
}

fn head_of(
    request: &Request<RecvStream>,
    entrance: &Entrance,
) -> Result<RequestHead, (HeadError, usize)> {
    let protocol = request.extensions().get::<Protocol>();
    let spoken = Spoken {
        version: Version::Http2,
        protocol: protocol.map(Protocol::as_str),
        ended: request.body().is_end_stream(),
        early: false,
    };
    request_head(request, spoken, &entrance.load_balancer.attributes.limits)
}

async fn handshake(
    watched: Watched,
    attributes: &Attributes,
) -> Result<Connection<Watched, Bytes>, h2::Error> {
    let headers = u32::try_from(attributes.limits.headers).unwrap_or(u32::MAX);
    let mut shaking = h2::server::Builder::new()
        .max_concurrent_streams(STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        // h2 counts 32 bytes more for each field than the limit does, which is looked at afterwards.
        .max_header_list_size(headers.saturating_mul(2))
        // As many as a browser may take back when it leaves a page; others are the census's to count.
        .max_pending_accept_reset_streams(STREAMS as usize)
        .enable_connect_protocol()
        .handshake(watched.clone());
    poll_fn(|cx| {
        let shaken = Pin::new(&mut shaking).poll(cx);
        // What fails here fails again in the next read.
        let _ = watched.poll_send(cx);
        shaken
    })
    .await
}

/// A request whose head has come.
struct Accepted {
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    /// As the snapshot has it that was current then.
    entrance: Arc<Entrance>,
    arrival: Arrival,
}

/// One connection.
struct Session {
    proxy: Arc<Proxy>,
    ends: Arc<Ends>,
    stay: Stay,
    view: View,
    /// What is under `h2`.
    watched: Watched,
    /// Those that serve its streams.
    tasks: Tasks<Accepted>,
    /// How many requests have come.
    served: u32,
    /// Whether the client has been told to open no more streams.
    parting: bool,
    /// When the last stream ended, or the connection began.
    rests_since: Instant,
}

/// What happens next on a connection.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are requests, and a box would be an allocation for each"
)]
enum Event {
    Request(Request<RecvStream>, SendResponse<Bytes>),
    /// The client has sent too much of something.
    Flood(Flood),
    /// The connection has served long enough, or is asked to end.
    Over,
    /// The timer has fired.
    Time,
    /// The connection has ended.
    End(Option<h2::Error>),
}

impl Session {
    async fn run(mut self, mut connection: Connection<Watched, Bytes>) {
        let stay = self.stay.clone();
        let attributes = self.view.entrance.load_balancer.attributes;
        let mut over = pin!(stay.ends(&attributes));
        let mut timer = pin!(sleep(attributes.idle_timeout));
        loop {
            match self
                .next(&mut connection, over.as_mut(), timer.as_mut())
                .await
            {
                Event::Request(request, respond) => {
                    self.serve(request, respond);
                    if self.served == REQUESTS {
                        self.part(&mut connection, timer.as_mut());
                    }
                }
                Event::Flood(flood) => return self.fend_off(flood, connection).await,
                Event::Over => self.part(&mut connection, timer.as_mut()),
                // It would not take a GOAWAY either.
                Event::Time if self.watched.census().is_stuck(attributes.idle_timeout) => {
                    return self.note(Flood::WindowStall);
                }
                Event::Time if !self.tasks.are_idle() => {
                    timer
                        .as_mut()
                        .reset(Instant::now() + attributes.idle_timeout);
                }
                Event::Time if self.parting => return,
                Event::Time => {
                    let until = self.rests_since + attributes.idle_timeout;
                    match Instant::now() < until {
                        true => timer.as_mut().reset(until),
                        false => self.part(&mut connection, timer.as_mut()),
                    }
                }
                Event::End(error) => {
                    let flood = error
                        .as_ref()
                        .and_then(|error| Flood::found_by_h2(error, self.watched.census().named()));
                    return flood.into_iter().for_each(|flood| self.note(flood));
                }
            }
        }
    }

    /// Waits for what happens next. Polling for new streams is what drives all of them.
    async fn next(
        &mut self,
        connection: &mut Connection<Watched, Bytes>,
        mut over: Pin<&mut impl Future<Output = ()>>,
        mut timer: Pin<&mut Sleep>,
    ) -> Event {
        poll_fn(|cx| {
            while let Poll::Ready(outcome) = self.tasks.poll_ended(cx) {
                self.ended(outcome);
                self.rest(timer.as_mut());
            }
            let accepted = connection.poll_accept(cx);
            if let Some(flood) = self.watched.census().found() {
                return Poll::Ready(Event::Flood(flood));
            }
            if let Poll::Ready(accepted) = accepted {
                return Poll::Ready(match accepted {
                    Some(Ok((request, respond))) => Event::Request(request, respond),
                    Some(Err(error)) => Event::End(Some(error)),
                    None => Event::End(None),
                });
            }
            if let Poll::Ready(Err(_)) = self.watched.poll_send(cx) {
                return Poll::Ready(Event::End(None));
            }
            if !self.parting && over.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Event::Over);
            }
            timer.as_mut().poll(cx).map(|()| Event::Time)
        })
        .await
    }

    /// Gives a request to a task.
    fn serve(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.served += 1;
        self.proxy.refresh(&mut self.view);
        let accepted = Accepted {
            request,
            respond,
            entrance: Arc::clone(&self.view.entrance),
            arrival: Arrival::now(),
        };
        let (proxy, ends) = (&self.proxy, &self.ends);
        // Boxed: a task is moved about three times when it is made, whole.
        self.tasks.serve(accepted, |seat| {
            let client = Client::new(Wire::Http2(Stream::default()), self.stay.clone());
            Box::pin(Arc::clone(proxy).serve_streams(Arc::clone(ends), client, seat))
        });
    }

    /// Notes how a stream has ended.
    fn ended(&mut self, outcome: Result<Fate, Panicked>) {
        match outcome {
            Ok(fate) => self.watched.census().served(fate),
            Err(Panicked) => {
                self.view.entrance.metrics.error("Panicked");
                error!("a request ended in a panic; all others go on. Please report it");
            }
        }
    }

    /// Sends the client away. Its requests see their streams end, and end, too.
    async fn fend_off(&self, flood: Flood, mut connection: Connection<Watched, Bytes>) {
        self.note(flood);
        connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        let ended = poll_fn(|cx| connection.poll_closed(cx));
        let _ = timeout(PARTING, ended).await;
    }

    fn note(&self, flood: Flood) {
        self.proxy
            .floods
            .note(flood, &self.view.entrance, &self.ends);
    }

    /// Tells the client to open no more streams; those that are open go on.
    fn part(&mut self, connection: &mut Connection<Watched, Bytes>, timer: Pin<&mut Sleep>) {
        self.parting = true;
        connection.graceful_shutdown();
        self.rest(timer);
    }

    /// Notes that there may be no stream any more.
    fn rest(&mut self, timer: Pin<&mut Sleep>) {
        if !self.tasks.are_idle() {
            return;
        }
        self.rests_since = Instant::now();
        if self.parting {
            timer.reset(self.rests_since + PARTING);
        }
    }
}
