//! The keys of session tickets: one set a listener, shared by all workers, kept over reloads.
//!
//! Each set changes its key every six hours and accepts the one before for as long again (rustls, on
//! RFC 5077's construction). Listeners do not share them: a session that was opened where no client
//! certificate is asked for must not be resumed where one is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

/// What identifies a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Owner {
    load_balancer: Arc<str>,
    port: u16,
    /// How clients are authenticated there, in any words that change with it.
    clients: String,
}

/// The keys of all listeners. The one who makes terminators keeps it.
#[derive(Default)]
pub struct Tickets(Mutex<HashMap<Owner, Arc<dyn ProducesTickets>>>);

impl Tickets {
    /// The keys of a listener: those it had, unless `clients`, how it authenticates its clients, has
    /// changed.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn of(
        &self,
        load_balancer: &Arc<str>,
        port: u16,
        clients: &str,
    ) -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
        let owner = Owner {
            load_balancer: Arc::clone(load_balancer),
            port,
            clients: clients.to_owned(),
        };
        let mut tickets = self.0.lock();
        if let Some(ticketer) = tickets.get(&owner) {
            return Ok(Arc::clone(ticketer));
        }
        let ticketer = Ticketer::new()?;
        tickets.insert(owner, Arc::clone(&ticketer));
        Ok(ticketer)
    }

    /// Forgets the keys that nobody uses any more.
    pub fn sweep(&self) {
        self.0
            .lock()
            .retain(|_, ticketer| Arc::strong_count(ticketer) > 1);
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.lock().keys()).finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn a_listener_keeps_its_keys_until_it_asks_for_other_clients_or_is_gone() {
        let tickets = Tickets::default();
        let of = |port, clients| tickets.of(&"lb".into(), port, clients).unwrap();
        let first = of(443, "");
        tickets.sweep();
        assert!(Arc::ptr_eq(&first, &of(443, "")));
        assert!(!Arc::ptr_eq(&first, &of(8443, "")));
        assert!(!Arc::ptr_eq(&first, &of(443, "verify")));
        let sealed = first.encrypt(b"session").unwrap();
        assert_eq!(of(443, "verify").decrypt(&sealed), None);
        drop(first);
        tickets.sweep();
        assert_eq!(of(443, "").decrypt(&sealed), None);
    }
}
