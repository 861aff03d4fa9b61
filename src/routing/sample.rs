//! Requests for this module's tests, written as one would say them.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::net::{IpAddr, Ipv4Addr};

use super::{Fields, RequestView, Scheme};

/// A request under construction; [`Sample::view`] is what the rules see of it.
pub(super) struct Sample {
    pub(super) method: &'static str,
    pub(super) scheme: Scheme,
    pub(super) host: &'static str,
    pub(super) port: u16,
    pub(super) target: String,
    pub(super) source: IpAddr,
    pub(super) fields: Vec<(&'static str, &'static [u8])>,
}

/// `GET target` on `http://www.example.com:80`, from 192.0.2.7.
pub(super) fn get(target: impl Into<String>) -> Sample {
    Sample {
        method: "GET",
        scheme: Scheme::Http,
        host: "www.example.com",
        port: 80,
        target: target.into(),
        source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        fields: Vec::new(),
    }
}

impl Sample {
    pub(super) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub(super) fn host(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    pub(super) fn https(mut self) -> Self {
        (self.scheme, self.port) = (Scheme::Https, 443);
        self
    }

    pub(super) fn source(mut self, source: &str) -> Self {
        self.source = source.parse().unwrap();
        self
    }

    pub(super) fn field(mut self, name: &'static str, value: &'static str) -> Self {
        self.fields.push((name, value.as_bytes()));
        self
    }

    pub(super) fn view(&self) -> RequestView<'_> {
        let (path, query) = match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.target.as_str(), None),
        };
        RequestView {
            method: self.method,
            scheme: self.scheme,
            host: self.host,
            port: self.port,
            path,
            query,
            source: self.source,
            fields: self,
        }
    }
}

impl Fields for Sample {
    fn any(&self, name: &str, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.fields
            .iter()
            .any(|(field, value)| field.eq_ignore_ascii_case(name) && test(value))
    }
}

/// Values as configuration hands them over.
pub(super) fn values<const N: usize>(values: [&str; N]) -> [String; N] {
    values.map(str::to_owned)
}
