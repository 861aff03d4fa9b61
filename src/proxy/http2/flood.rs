//! The floods that a client may send on a connection of HTTP/2: their names, how much of each is borne,
//! and who is told.
//!
//! What costs little to send and something to serve makes a debt ([`Census`](super::census::Census)).
//! Time pays it off, and so does useful work: responses that were begun, bytes that the client took. Who
//! owes more than [`Flood::limit`] allows is ended with ENHANCE_YOUR_CALM. What needs a look inside of
//! frames is `h2`'s to find, within limits of its own ([`Flood::found_by_h2`]).
//!
//! HTTP/3 has none of these frames. There QUIC gives a stream's credit back only when its task has ended,
//! so at most 128 requests of a connection are on their way, also of those that were taken back; fields
//! are not kept in a table that could be blown up (no QPACK capacity), and their size is limited.

use std::sync::Arc;

use h2::Reason;
use tokio::time::Instant;
use tracing::warn;

use crate::net::Hush;
use crate::proxy::Ends;
use crate::snapshot::Entrance;

/// What a client's connection was ended for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    /// Requests that are taken back before they are answered (CVE-2023-44487).
    RapidReset,
    /// Frames that make the balancer reset streams (CVE-2019-9514, CVE-2025-8671).
    ProvokedReset,
    /// A block of fields without end (CVE-2024-27316).
    Continuation,
    /// A block of fields that unpacks to far more than is allowed (CVE-2016-6581).
    HeaderBomb,
    /// SETTINGS, which must be acknowledged (CVE-2019-9515).
    Settings,
    /// PING, which must be answered (CVE-2019-9512).
    Ping,
    /// PRIORITY and PRIORITY_UPDATE (CVE-2019-9513).
    Priority,
    /// WINDOW_UPDATE without data that it answers, or a window of a few bytes (CVE-2019-9511).
    WindowUpdate,
    /// DATA with nothing in it, or next to nothing (CVE-2019-9518).
    SmallData,
    /// Frames that say nothing to a server.
    Unknown,
    /// Responses that are asked for and not taken (CVE-2019-9511, CVE-2019-9517).
    WindowStall,
}

/// How many of a kind may be owed, how many a minute forgives, and what pays for one.
pub(super) struct Limit {
    pub(super) burst: u64,
    pub(super) per_minute: u64,
    pub(super) work: Work,
}

/// What pays for frames.
pub(super) enum Work {
    /// Each response that was begun pays for one.
    Answers,
    /// So many bytes that the client took pay for one.
    Bytes(u64),
    Nothing,
}

impl Flood {
    /// Its word in metrics and logs.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::RapidReset => "RapidReset",
            Self::ProvokedReset => "ProvokedReset",
            Self::Continuation => "Continuation",
            Self::HeaderBomb => "HeaderBomb",
            Self::Settings => "Settings",
            Self::Ping => "Ping",
            Self::Priority => "Priority",
            Self::WindowUpdate => "WindowUpdate",
            Self::SmallData => "SmallData",
            Self::Unknown => "Unknown",
            Self::WindowStall => "WindowStall",
        }
    }

    /// Constants and no settings: each is beyond what any client is known to do, and the peers'
    /// defaults are left alone in practice, too.
    pub(super) fn limit(self) -> Limit {
        let (burst, per_minute, work) = match self {
            // nghttp2 (Node, Apache): 1000 and 33 a second; Envoy: 500, if half of all streams; Apple:
            // 200 in 30 s. A browser that leaves a page takes up to 128 back at once, several times.
            // A client that has begun to read a response may always stop.
            Self::RapidReset => (500, 2_000, Work::Answers),
            // Envoy and Go let 1000 and 10000 answers wait. gRPC pings once for a message that it gets, to
            // measure the path, in as little as 18 bytes.
            Self::Ping => (500, 600, Work::Bytes(16)),
            // gRPC adapts windows in a dozen steps; browsers send one.
            Self::Settings => (100, 60, Work::Nothing),
            // Envoy: 100 for each stream. Old browsers sent a tree of six, then one a request.
            Self::Priority => (500, 3_000, Work::Answers),
            // Envoy: 10 for each DATA frame. Plain clients send two, of the least that a message has.
            Self::WindowUpdate => (1_000, 6_000, Work::Bytes(16)),
            // GREASE (RFC 8701) is one now and then.
            Self::Unknown => (100, 600, Work::Nothing),
            // Each has held a target's connection for the whole idle timeout. A browser's paused videos.
            Self::WindowStall => (16, 6, Work::Nothing),
            // h2 counts these.
            Self::ProvokedReset | Self::Continuation | Self::HeaderBomb | Self::SmallData => {
                (0, 0, Work::Nothing)
            }
        };
        Limit {
            burst,
            per_minute,
            work,
        }
    }

    /// The kind that `h2` names so in the text of its GOAWAY, which ends what it writes. The error that it
    /// returns has no text.
    pub(super) fn named_at_the_end_of(written: &[u8]) -> Option<Self> {
        let named: [(&[u8], Self); 5] = [
            (b"too_many_resets", Self::RapidReset),
            (b"too_many_internal_resets", Self::ProvokedReset),
            (b"too_many_continuations", Self::Continuation),
            (b"header_list_way_too_large", Self::HeaderBomb),
            (b"too_many_data_frames", Self::SmallData),
        ];
        let kind = named.iter().find(|(name, _)| written.ends_with(name));
        kind.map(|(_, kind)| *kind)
    }

    /// What `h2` ended a connection for, if it was a flood; it said goodbye with this name.
    pub(super) fn found_by_h2(error: &h2::Error, named: Option<Self>) -> Option<Self> {
        match error.reason()? {
            _ if !error.is_library() => None,
            Reason::ENHANCE_YOUR_CALM => Some(named.unwrap_or(Self::Unknown)),
            // A single field that goes on beyond the limit for all of them.
            Reason::COMPRESSION_ERROR => Some(Self::HeaderBomb),
            _ => None,
        }
    }
}

/// Tells the log of a worker's floods, but not of each.
#[derive(Debug, Default)]
pub(in crate::proxy) struct FloodLog(Hush);

impl FloodLog {
    /// Counts a connection that was ended, and tells of it if nothing was told just now.
    pub(super) fn note(&self, flood: Flood, entrance: &Arc<Entrance>, ends: &Ends) {
        entrance.metrics.error("Http2Flood");
        entrance.metrics.http2_flood(flood.label());
        let Some(ended) = self.0.speak(Instant::now()) else {
            return;
        };
        warn!(
            load_balancer = %entrance.key.load_balancer,
            client = %ends.client(),
            kind = flood.label(),
            ended,
            "a client was sent away for flooding its HTTP/2 connection; elbow_http2_floods_total counts all"
        );
    }
}
