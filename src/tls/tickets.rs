//! The keys of session tickets: one set a listener, shared by all workers, kept over reloads.
//!
//! How a set seals, and for how long, is `ticketer`'s answer. Listeners do not share them: a session that was opened where no client
//! certificate is asked for must not be resumed where one is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::server::ProducesTickets;
use serde::{Deserialize, Serialize};

use super::ticketer::{KeysBequest, Ticketer};

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
pub struct Tickets(Mutex<HashMap<Owner, Arc<Ticketer>>>);

/// The keys of a listener on their way from one process to the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TicketBequest {
    load_balancer: String,
    port: u16,
    clients: String,
    keys: KeysBequest,
}

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
            return Ok(Arc::clone(ticketer) as Arc<dyn ProducesTickets>);
        }
        let ticketer = Ticketer::new().ok_or(rustls::Error::FailedToGetRandomBytes)?;
        let ticketer = Arc::new(ticketer);
        tickets.insert(owner, Arc::clone(&ticketer));
        Ok(ticketer)
    }

    /// The keys of all listeners, for another process to go on with.
    pub fn bequeath(&self) -> Vec<TicketBequest> {
        let tickets = self.0.lock();
        let bequest = tickets.iter().map(|(owner, ticketer)| TicketBequest {
            load_balancer: owner.load_balancer.to_string(),
            port: owner.port,
            clients: owner.clients.clone(),
            keys: ticketer.bequeath(),
        });
        bequest.collect()
    }

    /// Goes on with the keys of another process, before a listener asks for any.
    pub fn inherit(&self, bequests: &[TicketBequest]) {
        let inherited = bequests.iter().filter_map(|bequest| {
            let owner = Owner {
                load_balancer: bequest.load_balancer.as_str().into(),
                port: bequest.port,
                clients: bequest.clients.clone(),
            };
            Some((owner, Arc::new(Ticketer::inherit(&bequest.keys)?)))
        });
        self.0.lock().extend(inherited);
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
        let next = Tickets::default();
        next.inherit(&tickets.bequeath());
        let opened = next.of(&"lb".into(), 443, "").unwrap().decrypt(&sealed);
        assert_eq!(opened.unwrap(), b"session");
        drop(first);
        tickets.sweep();
        assert_eq!(of(443, "").decrypt(&sealed), None);
    }
}
