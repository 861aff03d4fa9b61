//! The TLS of one listener: certificates, policy, tickets, application protocols, in one piece.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use quinn::crypto::rustls::QuicServerConfig;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, StoresServerSessions,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;

use super::challenge::{self, Challenges};
use super::choose::{Certificates, Wish};
use super::client_authentication::{ClientAuthentication, Witness};
use super::connector::Connector;
use super::key_log::KeyLogFile;
use super::note::{Note, noting};
use super::policy::Policy;

/// What a listener's TLS is made of.
#[derive(Debug)]
pub struct Settings {
    /// Versions, cipher suites and groups.
    pub policy: Policy,
    /// What clients are shown.
    pub certificates: Arc<Certificates>,
    /// The application protocols (ALPN), the preferred one first; none for none.
    pub protocols: Vec<Vec<u8>>,
    /// Seals session tickets.
    pub tickets: Arc<dyn ProducesTickets>,
    /// Keeps the sessions of clients over QUIC whose early data is taken; none refuses it. Where clients
    /// are asked for certificates, it is refused anyway: one is verified when the handshake is complete.
    pub early_data: Option<Arc<dyn StoresServerSessions>>,
    /// Challenges to answer, whatever the certificates are.
    pub challenges: Arc<Challenges>,
    /// What is asked of clients' certificates; none asks for none.
    pub client_authentication: Option<ClientAuthentication>,
    /// Where secrets are written to, for debugging.
    pub key_log: Option<Arc<KeyLogFile>>,
}

/// Answers the clients of one listener.
pub struct Terminator {
    policy: Policy,
    certificates: Arc<Certificates>,
    challenges: Arc<Challenges>,
    client_authentication: Option<ClientAuthentication>,
    config: Arc<ServerConfig>,
    challenge_config: Arc<ServerConfig>,
    early_data: Option<Arc<dyn StoresServerSessions>>,
    /// Made when the first client over QUIC comes.
    quic: OnceLock<Option<ServerConfig>>,
}

impl fmt::Debug for Terminator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminator")
            .field("policy", &self.policy)
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}

/// The TLS of a configuration: terminators by load balancer and port, connectors by target group.
#[derive(Clone, Debug, Default)]
pub struct Terminators {
    listeners: HashMap<(Arc<str>, u16), Arc<Terminator>>,
    groups: HashMap<Arc<str>, Arc<Connector>>,
}

/// How a client is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// With this the handshake goes on.
    pub config: Arc<ServerConfig>,
    /// The name of the certificate that the client is shown.
    pub certificate: Option<Arc<str>>,
    /// Sees the client's own certificate, if it is asked for one.
    pub witness: Option<Arc<Witness>>,
    /// It is an ACME server that has asked a challenge: it wants a handshake and nothing else.
    pub is_challenge: bool,
}

impl Terminator {
    /// Puts the pieces together.
    ///
    /// # Errors
    ///
    /// rustls finds that they do not fit, which none of the policies here gives it reason to.
    pub fn new(settings: Settings) -> Result<Self, rustls::Error> {
        let Settings {
            policy,
            certificates,
            protocols,
            tickets,
            early_data,
            challenges,
            client_authentication,
            key_log,
        } = settings;
        let provider = policy.provider();
        let shown = Arc::new(Shown {
            certificates: Arc::clone(&certificates),
            tls13: policy.has_tls13(),
        });
        let witness = client_authentication
            .as_ref()
            .map(|authentication| authentication.witness(&provider) as _);
        let mut config = server_config(&policy, &provider, shown, witness)?;
        config.alpn_protocols = protocols;
        let asked = client_authentication.as_ref();
        match asked.is_none_or(ClientAuthentication::permits_resumption) {
            true => config.ticketer = tickets,
            false => config.send_tls13_tickets = 0,
        }
        if let Some(key_log) = key_log {
            config.key_log = key_log;
        }
        let resolver = Arc::clone(&challenges) as _;
        let mut challenge_config = server_config(&policy, &provider, resolver, None)?;
        challenge_config.alpn_protocols = vec![challenge::PROTOCOL.to_vec()];
        challenge_config.send_tls13_tickets = 0;
        Ok(Self {
            policy,
            certificates,
            challenges,
            early_data: early_data.filter(|_| client_authentication.is_none()),
            client_authentication,
            config: Arc::new(config),
            challenge_config: Arc::new(challenge_config),
            quic: OnceLock::new(),
        })
    }

    /// Hears a client's first message, and says how it is answered.
    pub fn answer(&self, hello: &ClientHello<'_>) -> Answer {
        if challenge::is_asked(hello) && !self.challenges.is_empty() {
            return Answer {
                config: Arc::clone(&self.challenge_config),
                certificate: None,
                witness: None,
                is_challenge: true,
            };
        }
        // rustls asks again when it needs the key, with the same outcome: that is cheaper than a
        // configuration for each client, and rustls does not tell what it was given.
        let wish = Wish::of(hello, self.policy.has_tls13());
        let chosen = self.certificates.choose(&wish);
        let (config, witness) = self.witnessed();
        Answer {
            config,
            certificate: chosen.map(|chosen| chosen.name),
            witness,
            is_challenge: false,
        }
    }

    /// The configuration for one connection; with a witness of its own if clients are asked for
    /// certificates, which costs little beside such a handshake.
    fn witnessed(&self) -> (Arc<ServerConfig>, Option<Arc<Witness>>) {
        let config = || Arc::clone(&self.config);
        let Some(authentication) = &self.client_authentication else {
            return (config(), None);
        };
        let provider = self.config.crypto_provider();
        let witness = authentication.witness(provider);
        let resolver = Arc::clone(&self.config.cert_resolver);
        let verifier = Some(Arc::clone(&witness) as _);
        let made = server_config(&self.policy, provider, resolver, verifier);
        let Ok(mut made) = made else {
            return (config(), None); // It was possible with the same pieces before.
        };
        made.alpn_protocols.clone_from(&self.config.alpn_protocols);
        made.ticketer = Arc::clone(&self.config.ticketer);
        made.send_tls13_tickets = self.config.send_tls13_tickets;
        made.key_log = Arc::clone(&self.config.key_log);
        (Arc::new(made), Some(witness))
    }

    /// What is asked of clients' certificates.
    pub fn client_authentication(&self) -> Option<&ClientAuthentication> {
        self.client_authentication.as_ref()
    }

    /// The policy that clients meet.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The certificates that clients are shown.
    pub fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// The same for a QUIC client that speaks HTTP/3, with what its handshake comes to: the same certificates,
    /// tickets and client verification. None when the policy has no TLS 1.3, which QUIC is built on.
    pub fn quic(&self) -> Option<(Arc<QuicServerConfig>, Arc<Note>)> {
        let config = self.quic.get_or_init(|| {
            let mut config = match &self.early_data {
                None => ServerConfig::clone(&self.config),
                Some(sessions) => self.early(sessions).ok()?,
            };
            config.alpn_protocols = vec![b"h3".to_vec()];
            self.policy.has_tls13().then_some(config)
        });
        let (config, note) = noting(config.clone()?, &self.certificates);
        let config = QuicServerConfig::try_from(config).ok()?;
        Some((Arc::new(config), note))
    }

    /// Whether what clients over QUIC send before the handshake is complete may be looked at.
    pub fn takes_early_data(&self) -> bool {
        self.early_data.is_some()
    }

    /// With sessions in place of tickets.
    fn early(
        &self,
        sessions: &Arc<dyn StoresServerSessions>,
    ) -> Result<ServerConfig, rustls::Error> {
        let provider = self.config.crypto_provider();
        let resolver = Arc::clone(&self.config.cert_resolver);
        let mut config = server_config(&self.policy, provider, resolver, None)?;
        config.key_log = Arc::clone(&self.config.key_log);
        config.session_storage = Arc::clone(sessions);
        // RFC 9001 section 4.6.1: QUIC has limits of its own.
        config.max_early_data_size = u32::MAX;
        Ok(config)
    }
}

impl Terminators {
    /// Adds that of a listener.
    pub fn insert(&mut self, load_balancer: Arc<str>, port: u16, terminator: Arc<Terminator>) {
        self.listeners.insert((load_balancer, port), terminator);
    }

    /// That of a listener.
    pub fn get(&self, load_balancer: &Arc<str>, port: u16) -> Option<&Arc<Terminator>> {
        self.listeners.get(&(Arc::clone(load_balancer), port))
    }

    /// Adds that of a target group.
    pub fn connect(&mut self, group: Arc<str>, connector: Arc<Connector>) {
        self.groups.insert(group, connector);
    }

    /// What connects to the targets of a group over TLS.
    pub fn connector(&self, group: &str) -> Option<&Arc<Connector>> {
        self.groups.get(group)
    }
}

fn server_config(
    policy: &Policy,
    provider: &Arc<CryptoProvider>,
    resolver: Arc<dyn ResolvesServerCert>,
    client_verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let verifier = client_verifier.unwrap_or_else(WebPkiClientVerifier::no_client_auth);
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&policy.versions())?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    config.ignore_client_order = true;
    // Tickets alone: a store would be a lock that all workers take, for clients that are rare.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

#[derive(Debug)]
struct Shown {
    certificates: Arc<Certificates>,
    tls13: bool,
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let chosen = self.certificates.choose(&Wish::of(&hello, self.tls13))?;
        Some(Arc::clone(chosen.certificate.key()))
    }
}
