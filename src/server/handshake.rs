//! TLS handshakes with clients: under a deadline, and never so many at once that requests wait.
//!
//! One answer to a client costs a worker as much processor time as some ten requests. Handshakes
//! that come all at once would therefore hold up every request of that worker. So a worker gives only
//! so many answers for each turn in which it looks after everything else that is ready, and whoever
//! wants one more queues; none of them holds a place while it waits for its client.

use std::sync::Arc;

use rustls::{AlertDescription, Error, InvalidMessage, PeerIncompatible};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::net::{Drain, HandshakeError, Stream, Unanswered, greet};
use crate::snapshot::Entrance;
use crate::tls::{Facts, Refusal, Terminator, Witness, openssl_name, version_name};

use super::connection_log::{Failed, UNMAPPED};

/// How many clients a worker answers in one turn.
const ANSWERS: usize = 4;

/// Hands out the turns of one worker.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ANSWERS)))
    }
}

impl Turns {
    /// Does `work`, which takes long before it first waits, when there is a turn for it. The turn
    /// lasts until all other tasks that were ready have been looked after.
    async fn take<T>(&self, work: impl Future<Output = T>) -> T {
        // Never closed; without a permit there would only be less order.
        let turn = self.0.acquire().await.ok();
        let mut work = std::pin::pin!(work);
        // The part that takes long is in the first poll.
        let first = std::future::poll_fn(|cx| std::task::Poll::Ready(work.as_mut().poll(cx)));
        let first = first.await;
        tokio::task::yield_now().await;
        drop(turn);
        match first {
            std::task::Poll::Ready(done) => done,
            std::task::Poll::Pending => work.await,
        }
    }
}

/// Does the handshake with a client that has just connected.
///
/// # Errors
///
/// It failed, which has been counted then; none when there is nothing to tell: the client did not say
/// a word, wanted nothing but an ACME server's challenge answered, or `drain` came first.
pub(super) async fn handshake(
    tcp: TcpStream,
    terminator: &Terminator,
    entrance: &Entrance,
    turns: &Turns,
    drain: &Drain,
) -> Result<(Stream, Facts), Option<Failed>> {
    let limit = entrance.load_balancer.attributes.tls_handshake_timeout;
    let shaken = tokio::select! {
        biased;
        shaken = timeout(limit, shake(tcp, terminator, turns)) => shaken,
        () = drain.closing() => return Err(None),
    };
    let (cause, error, failed) = match shaken {
        Ok(Ok(Some((stream, facts)))) => {
            entrance.metrics.tls_handshake(facts.version, facts.resumed);
            return Ok((stream, facts));
        }
        Ok(Ok(None)) => return Err(None),
        // Nothing was negotiated: whoever only connects (a probe of a TCP health check) is no client.
        Ok(Err((HandshakeError::Silent, _))) => return Err(None),
        Ok(Err((error, failed))) => (cause(&error), error.to_string(), failed),
        Err(_) => (
            "timeout",
            format!("not done within {limit:?}"),
            Failed::unmapped(),
        ),
    };
    entrance.metrics.tls_negotiation_error(cause);
    // A word in the log at `debug` only: whoever reaches the port can cause one.
    debug!(
        load_balancer = %entrance.key.load_balancer,
        address = %entrance.key.address,
        cause,
        "no TLS session: {error}"
    );
    Err(Some(failed))
}

/// None when the client was an ACME server: it has seen what it wanted.
async fn shake(
    tcp: TcpStream,
    terminator: &Terminator,
    turns: &Turns,
) -> Result<Option<(Stream, Facts)>, (HandshakeError, Failed)> {
    let greeted = greet(tcp, &[]).await;
    let greeted = greeted.map_err(|error| (error, Failed::unmapped()))?;
    let begun = Instant::now();
    let answer = terminator.answer(&greeted.hello());
    let stream = match turns.take(greeted.answer(answer.config)).await {
        Ok(stream) => stream,
        Err(unanswered) => {
            let failed = failed(&unanswered, answer.witness.as_deref());
            return Err((unanswered.error, failed));
        }
    };
    if answer.is_challenge {
        return Ok(None);
    }
    let facts = stream.tls().map(|tls| {
        let mut facts = Facts::of(&tls, answer.certificate, begun.elapsed());
        let asked = terminator.client_authentication();
        facts.client_fields = asked.map(|asked| asked.fields(&facts.peer_certificates));
        facts
    });
    Ok(facts.map(|facts| (stream, facts)))
}

/// What is to be told of it.
fn failed(unanswered: &Unanswered, witness: Option<&Witness>) -> Failed {
    let refusal = witness
        .and_then(Witness::refusal)
        .or_else(|| match &unanswered.error {
            HandshakeError::Tls(Error::InvalidMessage(
                InvalidMessage::HandshakePayloadTooLarge
                | InvalidMessage::CertificatePayloadTooLarge,
            )) if witness.is_some() => Some(Refusal::MaxSizeExceeded),
            _ => None,
        });
    Failed {
        code: refusal.map_or(UNMAPPED, Refusal::as_str),
        version: unanswered.version.map(version_name),
        cipher: unanswered.suite.map(openssl_name),
        certificate: witness.and_then(Witness::certificate),
    }
}

/// A word for metrics and logs.
fn cause(error: &HandshakeError) -> &'static str {
    let error = match error {
        HandshakeError::Silent | HandshakeError::Closed => return "client_closed",
        HandshakeError::Io(_) => return "connection_broken",
        // Clients are asked for none: that is for the targets.
        HandshakeError::Protocol(_) => return "no_common_protocol",
        HandshakeError::Tls(error) => error,
    };
    match error {
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => "no_tls",
        Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered)
        | Error::PeerIncompatible(PeerIncompatible::Tls12NotOfferedOrEnabled)
        | Error::PeerIncompatible(PeerIncompatible::Tls13RequiredForQuic)
        | Error::PeerIncompatible(PeerIncompatible::SupportedVersionsExtensionRequired) => {
            "no_common_version"
        }
        Error::PeerIncompatible(_) => "no_common_parameters",
        Error::NoApplicationProtocol => "no_common_protocol",
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate,
        ) => "certificate_refused",
        Error::AlertReceived(_) => "client_alert",
        Error::NoCertificatesPresented
        | Error::InvalidCertificate(_)
        | Error::InvalidCertRevocationList(_) => "client_certificate",
        Error::General(_) => "no_certificate",
        _ => "client_misbehaved",
    }
}
