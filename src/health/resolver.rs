//! What a target's host name stands for now.
//!
//! The resolver is a value, so that a test, or a discovery of another kind, can answer in place of
//! the system's. It keeps nothing: a name is asked anew each time, and caching is the system's.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
type Lookup = dyn Fn(Arc<str>, u16) -> Answer + Send + Sync;

/// Turns a host name and a port into addresses. Cheap to clone.
#[derive(Clone)]
pub struct Resolver(Arc<Lookup>);

impl Resolver {
    /// The system's: `/etc/hosts`, DNS, and whatever else the machine is set up to ask.
    pub fn system() -> Self {
        Self::new(async |name, port| {
            let answers = tokio::net::lookup_host((&*name, port)).await?;
            Ok(answers.collect())
        })
    }

    /// One that answers as `lookup` does.
    pub fn new<L, F>(lookup: L) -> Self
    where
        L: Fn(Arc<str>, u16) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        Self(Arc::new(move |name, port| Box::pin(lookup(name, port))))
    }

    /// The address to use: `present` if the answer still has it, otherwise the first of the answer,
    /// whose order is the system's choice between IPv4 and IPv6.
    ///
    /// # Errors
    /// When the name cannot be resolved, or stands for no address.
    pub async fn resolve(
        &self,
        name: &Arc<str>,
        port: u16,
        present: Option<SocketAddr>,
    ) -> io::Result<SocketAddr> {
        let answers = (self.0)(Arc::clone(name), port).await?;
        present
            .filter(|address| answers.contains(address))
            .or_else(|| answers.first().copied())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no address"))
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn answering(answers: &[&str]) -> Resolver {
        let answers: Vec<SocketAddr> = answers.iter().map(|a| a.parse().unwrap()).collect();
        Resolver::new(move |_, _| std::future::ready(Ok(answers.clone())))
    }

    #[tokio::test]
    async fn the_present_address_stays_while_the_answer_still_has_it() {
        let resolver = answering(&["127.0.0.2:80", "127.0.0.3:80"]);
        let present = "127.0.0.3:80".parse().ok();
        let address = resolver.resolve(&"wp".into(), 80, present).await.unwrap();
        assert_eq!(address.to_string(), "127.0.0.3:80");
    }

    #[tokio::test]
    async fn the_first_address_replaces_one_that_the_answer_has_no_longer() {
        let resolver = answering(&["127.0.0.2:80", "127.0.0.3:80"]);
        let present = "127.0.0.9:80".parse().ok();
        let address = resolver.resolve(&"wp".into(), 80, present).await.unwrap();
        assert_eq!(address.to_string(), "127.0.0.2:80");
    }

    #[tokio::test]
    async fn an_empty_answer_is_an_error() {
        let error = answering(&[]).resolve(&"wp".into(), 80, None).await;
        assert_eq!(error.unwrap_err().to_string(), "no address");
    }

    #[tokio::test]
    async fn the_system_knows_an_address_written_as_a_name() {
        let name = "127.0.0.7".into();
        let address = Resolver::system().resolve(&name, 8080, None).await.unwrap();
        assert_eq!(address.to_string(), "127.0.0.7:8080");
    }
}
