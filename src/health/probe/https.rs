//! The HTTPS probe: the HTTP probe within TLS.
//!
//! Of a group whose requests go over TLS a probe believes whom the requests believe, and asks for the
//! same name: ALB verifies nothing anywhere, but where requests verify, a probe that does not would
//! keep a target in service that no request can be sent to. Of other groups, and with `verify =
//! false`, it believes any certificate, as ALB does: nothing secret is sent, and only a status is
//! believed. The handshake itself must succeed, with TLS 1.2 or 1.3, and HTTP/2 must be agreed on where
//! it is to be spoken.

use std::io;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, Error};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::ProbeError;
use crate::target::Target;
use crate::target_group::{HealthCheck, ProbeProtocol, ProtocolVersion};
use crate::tls::Connector;

/// Does the handshake on a fresh connection.
pub(super) async fn handshake(
    stream: TcpStream,
    target: &Target,
    check: &HealthCheck,
    connector: Option<&Connector>,
) -> Result<TlsStream<TcpStream>, ProbeError> {
    let name = server_name(target, check, connector)?;
    let config = match connector {
        Some(connector) => connector.probing(),
        None => {
            let needed = check.version != ProtocolVersion::Http1;
            Connector::probing_anything(needed.then_some(HTTP_2))?
        }
    };
    let shaken = TlsConnector::from(config).connect(name, stream).await;
    let stream = shaken.map_err(|error| match is_refusal(&error) {
        true => ProbeError::Protocol(protocol(check)),
        false => ProbeError::Tls(error),
    })?;
    let agreed = stream.get_ref().1.alpn_protocol();
    let asks = check.protocol == ProbeProtocol::Https;
    if asks && check.version != ProtocolVersion::Http1 && agreed != Some(HTTP_2.as_bytes()) {
        return Err(ProbeError::Protocol(HTTP_2));
    }
    Ok(stream)
}

/// HTTP/2, as ALPN has it.
const HTTP_2: &str = "h2";

fn protocol(check: &HealthCheck) -> &'static str {
    match check.version {
        ProtocolVersion::Http1 => "http/1.1",
        ProtocolVersion::Http2 | ProtocolVersion::Grpc => HTTP_2,
    }
}

/// Whether the target says that it speaks nothing of what it was offered.
fn is_refusal(error: &io::Error) -> bool {
    let refusal = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    let source = error.get_ref();
    source.and_then(|source| source.downcast_ref::<Error>()) == Some(&refusal)
}

/// The name that the handshake asks for (SNI): where the group's requests ask for one that must be in the
/// certificate, that; else the probe's own host, or the target's. An IP address is not sent, says RFC 6066
/// section 3, so a target known by its address is asked for no name.
fn server_name(
    target: &Target,
    check: &HealthCheck,
    connector: Option<&Connector>,
) -> Result<ServerName<'static>, ProbeError> {
    let settings = connector.map(|connector| (connector, connector.settings()));
    if let Some((connector, settings)) = settings
        && (settings.verify || settings.server_name.is_some())
    {
        let name = connector.name(&target.address.host());
        return name.ok_or(ProbeError::ServerName);
    }
    if let Some(host) = &check.host {
        let host = host.rsplit_once(':').map_or(&**host, |(host, _)| host);
        if let Ok(name) = ServerName::try_from(host) {
            return Ok(name.to_owned());
        }
    }
    ServerName::try_from(target.address.host()).map_err(|_| ProbeError::ServerName)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::health::probe::Prober;
    use crate::health::sample::{self, Scripted};
    use crate::target::{HealthReason, Outcome, TargetAddress};

    fn https(host: Option<&str>) -> HealthCheck {
        HealthCheck {
            protocol: ProbeProtocol::Https,
            host: host.map(str::to_owned),
            ..HealthCheck::default()
        }
    }

    #[tokio::test]
    async fn a_certificate_is_not_verified() {
        let site = Scripted::answering_over_tls("HTTP/1.1 200 OK\r\n\r\n").await;
        for host in [None, Some("shop.example:8443")] {
            let record = Prober::default()
                .probe(&site.target(), &https(host), None)
                .await;
            assert_eq!(record.outcome, Outcome::Pass, "{}", record.detail);
        }
        let request = site.requests().concat();
        assert!(request.contains(&format!("Host: {}\r\n", site.address)));
        assert!(request.contains("Host: shop.example:8443\r\n"));
    }

    #[tokio::test]
    async fn a_target_that_speaks_no_tls_fails_the_check() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n").await.unwrap();
            listener.accept().await
        });
        let target = sample::target(TargetAddress::Ip(address));
        let record = Prober::default().probe(&target, &https(None), None).await;
        let reason = HealthReason::FailedHealthChecks;
        assert_eq!(record.outcome, Outcome::Fail(reason));
        let words = "TLS handshake failed: ";
        assert!(record.detail.starts_with(words), "{}", record.detail);
    }

    #[test]
    fn the_name_asked_for_is_the_probes_host_or_else_the_targets() {
        let name = |target: TargetAddress, host| {
            let name = server_name(&sample::target(target), &https(host), None).unwrap();
            name.to_str().into_owned()
        };
        let by_name = TargetAddress::Name("wp.example".into(), 443);
        let by_address = TargetAddress::Ip(SocketAddr::from(([127, 0, 0, 1], 443)));
        assert_eq!(name(by_name.clone(), Some("shop.example")), "shop.example");
        assert_eq!(name(by_name, None), "wp.example");
        assert_eq!(name(by_address, None), "127.0.0.1");
    }
}
