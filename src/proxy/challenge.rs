//! What an ACME authority asks over HTTP (HTTP-01: RFC 8555, section 8.3), answered before the rules.

use std::sync::Arc;

use super::answer::Answer;
use super::client::Client;
use super::record::RequestRecord;
use super::request::Request;
use super::{After, Proxy, after_answer, may_keep_alive};

impl Proxy {
    /// The answer to a challenge that waits to be asked for, if the request asks for one. Every other
    /// one is the rules', also below `/.well-known/acme-challenge/`: targets may have challenges of
    /// their own.
    pub(super) fn awaited(&self, request: &Request<'_>) -> Option<Arc<str>> {
        match request.entrance.listener.answers_challenges {
            true => self.challenges.http(request.head.path().as_bytes()),
            false => None,
        }
    }

    pub(super) async fn challenged<'r>(
        &self,
        client: &mut Client,
        request: &Request<'r>,
        key_authorization: &str,
        record: &mut RequestRecord<'r>,
    ) -> After {
        record.action = "acme-challenge";
        let answer = Answer {
            status: 200,
            content_type: "application/octet-stream",
            body: key_authorization,
            location: None,
            cookies: &[],
            keep_alive: may_keep_alive(client, request),
        };
        client.answer(&answer, record).await;
        after_answer(client, request, answer.keep_alive)
    }
}
