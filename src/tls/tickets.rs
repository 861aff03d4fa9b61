//! The keys of session tickets: one set a listener, shared by all workers, kept over reloads. The same
//! for sessions that are kept themselves, where early data is taken.
//!
//! How a set seals, and for how long, is `ticketer`'s answer. Listeners do not share them: a session that was opened where no client
//! certificate is asked for must not be resumed where one is.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::server::{ProducesTickets, StoresServerSessions};
use serde::{Deserialize, Serialize};

use super::sessions::Sessions;
use super::ticketer::{KeysBequest, Ticketer};

/// What identifies a set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Owner {
    load_balancer: Arc<str>,
    port: u16,
    /// How clients are authenticated there, in any words that change with it.
    clients: String,
}

/// The keys of all listeners, and the sessions that are kept. The one who makes terminators keeps it.
#[derive(Default)]
pub struct Tickets {
    keys: Mutex<HashMap<Owner, Arc<Ticketer>>>,
    sessions: Mutex<HashMap<Place, Arc<Sessions>>>,
}

/// Where sessions were opened that early data may come in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    load_balancer: Arc<str>,
    port: u16,
    /// The limit that clients have been told and remember with the session.
    headers: usize,
}

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
        let mut tickets = self.keys.lock();
        if let Some(ticketer) = tickets.get(&owner) {
            return Ok(Arc::clone(ticketer) as Arc<dyn ProducesTickets>);
        }
        let ticketer = Ticketer::new().ok_or(rustls::Error::FailedToGetRandomBytes)?;
        let ticketer = Arc::new(ticketer);
        tickets.insert(owner, Arc::clone(&ticketer));
        Ok(ticketer)
    }

    /// The sessions of a listener whose clients may send early data: those it had, unless the limit on
    /// header fields has changed, of which clients must not be told another (RFC 9114 section 7.2.4.2).
    pub fn sessions(
        &self,
        load_balancer: &Arc<str>,
        port: u16,
        headers: usize,
    ) -> Arc<dyn StoresServerSessions> {
        let place = Place {
            load_balancer: Arc::clone(load_balancer),
            port,
            headers,
        };
        Arc::clone(self.sessions.lock().entry(place).or_default()) as _
    }

    /// The keys of all listeners, for another process to go on with.
    pub fn bequeath(&self) -> Vec<TicketBequest> {
        let tickets = self.keys.lock();
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
        self.keys.lock().extend(inherited);
    }

    /// Forgets the keys and sessions that nobody uses any more.
    pub fn sweep(&self) {
        let mut keys = self.keys.lock();
        keys.retain(|_, ticketer| Arc::strong_count(ticketer) > 1);
        let mut sessions = self.sessions.lock();
        sessions.retain(|_, sessions| Arc::strong_count(sessions) > 1);
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys.lock().keys()).finish()
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
