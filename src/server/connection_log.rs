//! What the connection log is told: each client connection once, when it is established or fails to
//! be.

use std::time::{Duration, SystemTime};

use crate::access_log::{ConnectionLogEntry, LogBuffer, VerifyStatus};
use crate::proxy::Ends;
use crate::tls::{ClientCertificate, Facts};

/// ALB's code for whatever has no other.
pub(super) const UNMAPPED: &str = "UnmappedConnectionError";

/// The connection log of one worker.
#[derive(Clone, Debug)]
pub(super) struct ConnectionLog(pub(super) LogBuffer);

/// A handshake that failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// ALB's code.
    pub(super) code: &'static str,
    pub(super) version: Option<&'static str>,
    pub(super) cipher: Option<&'static str>,
    /// What the client showed.
    pub(super) certificate: Option<ClientCertificate>,
}

impl Failed {
    /// One of which nothing is known.
    pub(super) fn unmapped() -> Self {
        Self {
            code: UNMAPPED,
            version: None,
            cipher: None,
            certificate: None,
        }
    }
}

impl ConnectionLog {
    /// Notes a connection that is served from now on.
    pub(super) fn established(&self, ends: &Ends) {
        self.shaken(ends, ends.tls().map(|tls| tls.took));
    }

    /// The same of one that was served before the handshake was complete, which `took` so long.
    pub(super) fn shaken(&self, ends: &Ends, took: Option<Duration>) {
        if !self.0.is_on() {
            return;
        }
        let tls = ends.tls();
        let leaf = tls.and_then(|tls| tls.peer_certificates.first());
        let certificate = leaf.and_then(ClientCertificate::of);
        self.write(ends, tls, certificate.as_ref(), |entry| {
            ConnectionLogEntry {
                tls_protocol: tls.map(|tls| tls.version),
                tls_cipher: tls.map(|tls| tls.cipher),
                tls_handshake_latency: took,
                tls_verify_status: tls.map(|_| VerifyStatus::Success),
                ..entry
            }
        });
    }

    /// Notes one that is not.
    pub(super) fn failed(&self, ends: &Ends, failed: &Failed) {
        if !self.0.is_on() {
            return;
        }
        self.write(ends, None, failed.certificate.as_ref(), |entry| {
            ConnectionLogEntry {
                tls_protocol: failed.version,
                tls_cipher: failed.cipher,
                tls_verify_status: Some(VerifyStatus::Failed(failed.code)),
                ..entry
            }
        });
    }

    fn write<'e>(
        &self,
        ends: &Ends,
        tls: Option<&'e Facts>,
        certificate: Option<&'e ClientCertificate>,
        complete: impl FnOnce(ConnectionLogEntry<'e>) -> ConnectionLogEntry<'e>,
    ) {
        self.0
            .write_to_connection_log(&complete(ConnectionLogEntry {
                time: SystemTime::now(),
                client: ends.client(),
                listener: ends.node(),
                tls_protocol: None,
                tls_cipher: None,
                tls_handshake_latency: None,
                leaf_client_cert_subject: certificate.map(|words| &*words.subject),
                leaf_client_cert_validity: certificate.map(|words| &*words.validity),
                leaf_client_cert_serial_number: certificate.map(|words| &*words.serial_number),
                tls_verify_status: None,
                conn_trace_id: ends.conn_trace_id(),
                tls_keyexchange: tls.and_then(|tls| tls.group),
            }));
    }
}
