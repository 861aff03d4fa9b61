//! An identity provider and an issuer of tokens as a test scripts them: on a socket of its own, over plain HTTP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{Message, Target, Wire};

/// What the provider answers, and what it was asked.
pub(crate) struct Provider {
    target: Target,
    shared: Arc<Shared>,
}

struct Shared {
    key: RsaKeyPair,
    answers: Mutex<HashMap<&'static str, Option<(u16, String)>>>,
    token_requests: AtomicUsize,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            key: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
            answers: Mutex::default(),
            token_requests: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        let target = Target::scripted(move |wire, request, _| {
            let shared = Arc::clone(&serving);
            async move { shared.serve(wire, &request).await }
        })
        .await;
        let provider = Self { target, shared };
        let keys = provider.key_set("k1");
        provider.answer("/keys", 200, &keys);
        provider
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.target.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// From now on that path is answered so.
    pub(crate) fn answer(&self, path: &'static str, status: u16, body: &Value) {
        let answer = Some((status, body.to_string()));
        self.shared.answers.lock().insert(path, answer);
    }

    /// From now on nothing comes of asking that path.
    pub(crate) fn hang(&self, path: &'static str) {
        self.shared.answers.lock().insert(path, None);
    }

    pub(crate) fn token_requests(&self) -> usize {
        self.shared.token_requests.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<Message> {
        self.target.requests()
    }

    fn key_set(&self, id: &str) -> Value {
        let public = self.shared.key.public_key();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "keys": [{
            "kty": "RSA", "kid": id, "alg": "RS256", "use": "sig",
            "n": encode(public.modulus().big_endian_without_leading_zero()),
            "e": encode(public.exponent().big_endian_without_leading_zero()),
        }] })
    }

    /// A token of the issuer's.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let key = &self.shared.key;
        let mut signature = vec![0; key.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        key.sign(
            &RSA_PKCS1_SHA256,
            &random,
            signed.as_bytes(),
            &mut signature,
        )
        .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Shared {
    async fn serve(&self, mut wire: Wire, request: &Message) -> Option<Wire> {
        let target = request.start_line().split(' ').nth(1).unwrap().to_owned();
        let path = target.split('?').next().unwrap();
        if path == "/token" {
            self.token_requests.fetch_add(1, Ordering::SeqCst);
        }
        let answer = self.answers.lock().get(path).cloned();
        let (status, body) = match answer {
            Some(Some(answer)) => answer,
            Some(None) => return std::future::pending().await,
            None => (404, String::new()),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
        wire.try_send(head).await.ok().map(|()| wire)
    }
}
