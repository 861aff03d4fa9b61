//! Certificate authorities and what they issue, for tests of mutual TLS.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber,
};
use rustls::pki_types::CertificateDer;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An authority.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What a certificate for a client says, beside its name.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) serial: u64,
    /// In days from now.
    pub(super) valid: (i32, i32),
    pub(super) purpose: Option<ExtendedKeyUsagePurpose>,
}

/// As it should be.
pub(super) const CLIENT: Client = Client {
    serial: 0xfef2_5737,
    valid: (-1, 1),
    purpose: Some(ExtendedKeyUsagePurpose::ClientAuth),
};

fn at(days: i32) -> SystemTime {
    let now = SystemTime::now();
    match u32::try_from(days) {
        Ok(days) => now + DAY * days,
        Err(_) => now - DAY * days.unsigned_abs(),
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Authority {
    pub(super) fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(authority(name), key).unwrap())
    }

    /// One that this one vouches for.
    pub(super) fn intermediate(&self, name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::signed_by(authority(name), key, &self.0).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(super) fn issue(&self, client: &Client) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in [
            (DnType::CountryName, "US"),
            (DnType::OrganizationName, "Shop, Inc."),
            (DnType::CommonName, "client"),
        ] {
            params.distinguished_name.push(kind, value);
        }
        params.serial_number = Some(SerialNumber::from(client.serial));
        let (from, to) = client.valid;
        params.not_before = at(from).into();
        params.not_after = at(to).into();
        params.extended_key_usages = client.purpose.clone().into_iter().collect();
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &self.0).unwrap().der().clone()
    }

    /// A list that revokes these serial numbers.
    pub(super) fn revoke(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: at(0).into(),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: at(-1).into(),
            next_update: at(1).into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }
}
