//! Elbow: an elastic load balancer of your own.
//!
//! One daemon that behaves like AWS's Application Load Balancer, in its words, on anyone's machines.
//! This page is the map; each module opens with what it answers. It is the authority on the design:
//! a change of the design is a change here, and `tests/architecture.rs` holds the code to it.
//!
//! # Words
//!
//! The two sides are **client** and **target**. A **load balancer** has a **node** in each enabled
//! **zone**, and **listeners**; a listener has **rules**, of which the last one is the default; a rule
//! forwards to **target groups**, redirects, or answers itself. An *entrance* is where a listener
//! meets a node: the address that a client connects to, and with it the entry zone of its requests.
//!
//! # The rooms
//!
//! A module uses only what stands in a row above its own.
//!
//! | row | module | answers |
//! | --- | --- | --- |
//! | 0 | [`net`] | sockets and streams, plain or TLS |
//! |   | [`http1`] | HTTP/1.1 on the wire: heads, framing, chunks, desync classes; without I/O. The heads of other versions take the same form |
//! |   | [`proxy_protocol`] | the header that says whose connection it really is; read and written |
//! |   | [`keyring`] | the keys of cookies: sealed texts that only the balancer opens |
//! |   | [`tls`] | certificates and which is shown to whom, policies, tickets; what is asked of clients' |
//! |   | [`target`] | one target: identity, address, health, requests in flight |
//! |   | [`metrics`] | what is measured, and its names |
//! |   | [`access_log`] | one line a request, and one a connection, each log written by a thread of its own |
//! |   | [`causes`] | an error as a line, with what caused it |
//! |   | [`disk`] | files that are there whole or not at all |
//! | 1 | [`inbound`] | whom a listener lets in: security groups, network ACLs |
//! |   | [`routing`] | which rule a request meets; knows no targets |
//! |   | [`auth`] | who a request is of: logins at identity providers, tokens of programs |
//! |   | [`stickiness`] | the cookies that say which target, or which group, a client stays with |
//! |   | [`balance`] | which candidate is next; pure |
//! |   | [`local_ca`] | a certificate authority of one's own, in a folder |
//! | 2 | [`acme`] | certificates that come by themselves, from an authority that speaks ACME |
//! |   | [`target_group`] | who is eligible, in which zone, and then who is next: gives a lease |
//! | 3 | [`config`] | the document that the operator writes, and all its problems |
//! | 4 | [`snapshot`] | all that a request reads; compiled from a checked configuration and the last snapshot |
//! | 5 | [`proxy`] | one request, from the first byte in to the last byte out |
//! |   | [`relay`] | one connection, forwarded whole (TCP listeners) |
//! |   | [`health`] | active checks |
//! | 6 | [`server`] | workers, sockets, connections, drain |
//! |   | [`discovery`] | where targets come from besides the file: container engines, DNS |
//! |   | [`explain`] | what would become of a request, and why |
//! |   | [`nft`] | what security groups mean for a packet filter before the targets |
//! | 7 | [`reload`] | the one writer of snapshots |
//! | 8 | [`aws`] | AWS's own API, for the AWS CLI and other tools that speak it |
//! |   | [`succession`] | a new process takes over from this one |
//! | 9 | [`admin`] | metrics page and JSON API |
//! | 10 | [`app`] | start-up and shutdown, in order |
//! |   | [`telemetry`] | the daemon's log |
//! | 11 | [`demo`] | small sites to play with |
//! | 12 | [`cli`] | the commands |
//!
//! # Threads
//!
//! * A **worker** for each processor: its own current-thread runtime, its own listening sockets
//!   (`SO_REUSEPORT`), its own connections to targets. A request never leaves its worker.
//! * **control**: health checks, reloads, orders of certificates, the admin address. However slow a
//!   scrape or a reload is, no request waits for it.
//! * **access-log**: empties the workers' buffers, so no request waits for a disk.
//!
//! # Life of a request
//!
//! ```text
//! server   accept     who may connect (security groups); the connection limit; one task a connection; who the client is, where a proxy
//!                     before the balancer says so (PROXY protocol)
//!          handshake  TLS: the certificate by SNI, under a deadline, a few answers a turn
//! proxy    serve      the next head, strictly read; limits and timeouts. In HTTP/2 each request has a
//!                     stream and a task, and goes the same way
//!          handle     cannot fail: opens the record, maps an error to an answer in one place
//!          respond    the snapshot, once; an ACME challenge that is awaited; else RuleTable::find ->
//!                     redirect | fixed response | forward
//!          authenticate  a session or a token is looked at, if the rule asks for one; may answer itself
//!          transform  what the rule rewrites: host, path and query; no rule is looked at again
//!          forward    the group that the client stays with, or one by weight; then attempts:
//!                       TargetGroup::pick    the client's own target, or: eligible, zone, balance -> Lease
//!                       to the target        hop-by-hop fields out; Host, X-Forwarded-*, trace id in
//!                       from the target      a pooled connection, connect and response timeouts
//!                       retry                again, elsewhere, or give up; never twice what may have
//!                                            been acted on
//!          download   streamed with back-pressure, to the last byte
//! drop                the lease ends; the record writes access log and metrics, exactly once
//! ```
//!
//! A TCP listener's connection takes a shorter way: server `accept`, then relay `serve`: a group, a
//! target that takes the connection, bytes both ways until both sides have finished.
//!
//! # Life of a reload
//!
//! ```text
//! file change, SIGHUP, POST /reload, AWS API, discovery -> one queue -> Reloader
//!  1 load       text -> Config
//!               what was made through the AWS API joins it
//!  2 validate   Config -> ValidConfig, or all problems, each with its place; what providers
//!               contribute is checked target by target, and joins it
//!  3 certificates the files that the listeners name, read; a place for each that is ordered; tickets
//!               of before are kept
//!  4 compile    ValidConfig + last Snapshot -> Snapshot; live state is adopted by identity
//!  5 prepare    new addresses are bound, another access log is opened, cookie keys are read; a change by
//!               the AWS API is kept on the disk
//!  ---------- nothing has changed up to here: what fails leaves the process as it was ----------
//!  6 publish    one store; then the targets learn what the snapshot says of them
//!  7 commit     new sockets accept, removed ones drain; health checks, providers and orders of
//!               certificates follow; the log changes over
//!  8 tell       one log line with the difference, the counters, the answer
//! ```
//!
//! Start-up is the same with an empty last snapshot. A certificate or a trust store whose files change is
//! replaced in passing, without a reload (`reload::watch_certificates`, `reload::watch_trust_stores`).
//!
//! # Life of an upgrade
//!
//! ```text
//! elbow upgrade, SIGUSR2, or a process that comes to the upgrade socket
//!  1 introduce  the process that runs passes on its sockets, what it knows of targets, and keys in memory;
//!               it reloads nothing from now on
//!  2 start      the new process goes through all of a start but accepting
//!  ---------- whatever fails up to here, or never comes, is told; the process that runs goes on ----------
//!  3 proceed    datagrams are left to the new process, which passes those of old connections on
//!  4 serve      the new one accepts, then the one before accepts no more
//!  5 leave      the one before ends each connection with its next answer, the last at its deadline
//! ```
//!
//! # Choices
//!
//! * [`http1`] reads messages itself, on `httparse`, where a ready-made HTTP library would be less
//!   code: framing, refusals with their statuses and log lines, interim responses and the very bytes
//!   of a path are what a load balancer is about, idle connections hold no buffer, and no field is
//!   copied into a map. Probes and the admin address use hyper.
//! * HTTP/2 is the `h2` crate's, HTTP/3 is `quinn`'s and `h3`'s. Whatever version a head came in, it is kept as bytes in the form of
//!   HTTP/1.1, with an index: rules, header fields, logs and refusals exist once. Bodies are content
//!   in a buffer between a `BodyReader` and a `BodyWriter`, so any client meets any target.
//! * Early data of HTTP/3 is off, as with nginx and Caddy: whether a GET may be repeated, only its target knows.
//!   Where a listener takes it, sessions are kept and resumed once instead of being sealed in tickets, and
//!   an upgrade forgets them: clients do a whole handshake then.
//! * What a client sends on HTTP/2 that asks for nothing is counted before `h2` sees it, against
//!   limits that are constants (`proxy::http2::flood` has them with their reasons): an honest client
//!   never meets one, and whoever could tune one would have to know the attack. A response of which
//!   less than 1 KiB is taken within the idle timeout is given up, in any version of HTTP.
//! * A request that departs from the grammar is classified as AWS's desync mitigation does, and what
//!   a mode lets through is said anew in its strict form before anything else looks at it: no rule
//!   and no target ever sees bytes that have two readings (`proxy::desync`, `http1::rewrite`).
//! * TLS is rustls, so there is no TLS before 1.2 and no cipher without forward secrecy. AWS's policies
//!   keep their names; what of one is not served is a warning ([`tls::Policy`]). Targets must show a
//!   certificate that is believed, unless `verify = false` asks for ALB's way. Probes believe whom
//!   the group's requests believe, for what passes them should be able to take requests; where a group
//!   speaks no TLS, any. HTTP/2 to targets within TLS must be agreed on (ALPN): who does not is not asked.
//! * Futures on a worker are plain `Send` tasks of a current-thread runtime. What one worker owns
//!   (its pool, its log buffer) stands behind a lock that no other thread takes.
//! * Rules look at a path in its normal form and targets get the client's bytes, as ALB's manual has
//!   it ([`routing::normalized`] says what is done); a rewrite starts from what its rule has seen.
//! * A PROXY protocol header is required of those who are trusted to send one and believed of nobody
//!   else; nothing guesses. The client that it names is the client for rules, logs and
//!   X-Forwarded-For; the node's own port stays X-Forwarded-Port. A connection to a target that
//!   begins with a header serves that one client.
//! * A client whose certificate is verified does a whole handshake each time: a resumed session would
//!   outlive expiry and revocation. At most four certificates may be shown (the peer's message is
//!   counted, not the path found). What tells of a certificate (`X-Amzn-Mtls-Clientcert*`, with `_`
//!   for `-` too) is removed from every request on every listener, unless a trusted proxy sends it
//!   where no certificate is asked for. A connection on which nobody said a word is not logged.
//! * Which address is whose: rules see the connection's client (the TCP peer, or whom a PROXY header
//!   names), X-Forwarded-For and a PROXY header to a target name it, too. The access log shows the
//!   client that `trusted_proxies` say a request comes from; source-ip sees that one if asked to.
//!   Redirects and `Forwarded` speak of this hop; X-Forwarded-Proto and -Port of a trusted proxy go on.
//! * Stickiness is ALB's, where its manual is silent: a target or a group of weight 0 keeps the clients that it has; a
//!   group without targets keeps them, too, and answers 503; `AWSALBAPP` gets `SameSite=None; Secure` only over
//!   HTTPS, for browsers drop it otherwise; shards that are not needed are removed, not set each time.
//! * Who may connect is decided by the packet's address, once, when a connection begins ([`inbound`]). The
//!   kernel has accepted it by then, so it is reset, where AWS drops the first packet without a word; for
//!   that there is a firewall, and for targets' hosts [`nft`] writes its rules. QUIC's first packet is
//!   dropped, and where somebody may be refused, QUIC clients do not move to another address. A load
//!   balancer without security groups is open, for there is no VPC whose default group it could have.
//!   There are no outbound rules. A network ACL is asked only then, too, where AWS asks for each packet:
//!   what is open goes on. Listener port 0 is port 0 for rules.
//! * An upgrade is asked of the process that runs, which starts the program anew: so one command does it,
//!   the new process has the same rights and, under systemd, the same unit, and whoever asks learns
//!   what became of it. The process before has time, so it never closes an idle connection that a
//!   client might be about to use; a shutdown does ([`net::Drain`]). Counters are not passed on.
//! * What is made through AWS's API ([`aws`]) stands beside the file and is never written into it: the
//!   operator's text stays the operator's. The file's own load balancers and groups are described like any
//!   other and not changed, but listeners, rules and targets may be added to them. A change is checked with the
//!   whole configuration, so it is refused where a file that said the same would be. ARNs of what the
//!   file says are derived from its names. Subnets, security groups, certificates and trust stores are
//!   the file's alone.
//! * Numeric ranges are ALB's unless the configuration says `ranges = "relaxed"`.
//!
//! # Invariants
//!
//! * What a request reads is one immutable [`snapshot::Snapshot`] behind one swap. Nobody but the
//!   reloader publishes.
//! * What has happened to a target lives in its [`target::TargetState`], adopted by group, id and
//!   port, never copied. Weight, zone, thresholds are not part of the identity.
//! * Matching, balancing, thresholds and zone arithmetic do no I/O and have no clock.
//! * Of two processes that share sockets one answers for the configuration: what it knows is passed on
//!   once, and the other serves only when it is told to.
//! * What is counted is counted by a guard: `Drop` is the only place that decrements.
//! * Metrics are resolved when a snapshot is compiled. Their labels come from the configuration and
//!   from enums, never from a request.
//! * There are no globals: any number of daemons may run in one process, and in the tests they do.

pub mod access_log;
pub mod acme;
pub mod admin;
pub mod app;
pub mod auth;
pub mod aws;
pub mod balance;
pub mod causes;
pub mod cli;
pub mod config;
pub mod demo;
pub mod discovery;
pub mod disk;
pub mod explain;
pub mod health;
pub mod http1;
pub mod inbound;
pub mod keyring;
pub mod local_ca;
pub mod metrics;
pub mod net;
pub mod nft;
pub mod proxy;
pub mod proxy_protocol;
pub mod relay;
pub mod reload;
pub mod routing;
pub mod server;
pub mod snapshot;
pub mod stickiness;
pub mod succession;
pub mod target;
pub mod target_group;
pub mod telemetry;
pub mod tls;
