//! The sessions of a listener's QUIC clients, where early data is taken: kept here, each resumed but once.
//!
//! rustls takes early data only of sessions that it finds in a store. That is what protects from a replay,
//! too: whoever sends a recorded first flight again finds the session gone, and is answered with a whole
//! handshake (RFC 8446 section 8.1). They are not passed on to another process.

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::server::StoresServerSessions;

/// How many a generation holds. A client gets two a handshake.
const MOST: usize = 4096;
/// How long sessions are taken in before the next generation; the one before goes then.
const LASTS: Duration = Duration::from_secs(6 * 3600);

/// A store of a bounded size: what is two generations old is forgotten.
pub(super) struct Sessions(Mutex<Generations>);

struct Generations {
    current: HashMap<Vec<u8>, Vec<u8>>,
    since: Instant,
    before: HashMap<Vec<u8>, Vec<u8>>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What they hold is secret.
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self(Mutex::new(Generations {
            current: HashMap::new(),
            since: Instant::now(),
            before: HashMap::new(),
        }))
    }
}

impl Generations {
    /// Begins the next generation when it is time.
    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        if age >= LASTS * 2 {
            self.current.clear();
        }
        if age >= LASTS || self.current.len() >= MOST {
            self.before = std::mem::take(&mut self.current);
            self.since = now;
        }
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, id: Vec<u8>, session: Vec<u8>) -> bool {
        let mut generations = self.0.lock();
        generations.turn(Instant::now());
        generations.current.insert(id, session);
        true
    }

    fn get(&self, id: &[u8]) -> Option<Vec<u8>> {
        let generations = self.0.lock();
        let Generations {
            current, before, ..
        } = &*generations;
        current.get(id).or_else(|| before.get(id)).cloned()
    }

    fn take(&self, id: &[u8]) -> Option<Vec<u8>> {
        let mut generations = self.0.lock();
        generations.turn(Instant::now());
        let current = generations.current.remove(id);
        current.or_else(|| generations.before.remove(id))
    }

    fn can_cache(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> Vec<u8> {
        number.to_ne_bytes().to_vec()
    }

    #[test]
    fn a_session_is_taken_once() {
        let sessions = Sessions::default();
        sessions.put(id(1), b"one".to_vec());
        assert_eq!(sessions.get(&id(1)).as_deref(), Some(&b"one"[..]));
        assert_eq!(sessions.take(&id(1)).as_deref(), Some(&b"one"[..]));
        assert_eq!(sessions.take(&id(1)), None);
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten() {
        let sessions = Sessions::default();
        for number in 0..3 * MOST {
            sessions.put(id(number), b"session".to_vec());
        }
        assert_eq!(sessions.get(&id(0)), None);
        assert!(sessions.get(&id(MOST)).is_some());
        assert!(sessions.get(&id(3 * MOST - 1)).is_some());
        let generations = sessions.0.lock();
        assert_eq!(
            generations.current.len() + generations.before.len(),
            2 * MOST
        );
    }

    #[test]
    fn a_session_lasts_for_one_generation_and_not_for_two() {
        let sessions = Sessions::default();
        let start = Instant::now();
        sessions.put(id(1), b"one".to_vec());
        sessions.0.lock().turn(start + LASTS);
        assert!(sessions.get(&id(1)).is_some());
        sessions.0.lock().turn(start + LASTS * 2 + LASTS / 2);
        assert_eq!(sessions.get(&id(1)), None);
        sessions.put(id(2), b"two".to_vec());
        sessions.0.lock().turn(start + LASTS * 9);
        assert_eq!(sessions.get(&id(2)), None, "nobody came for long");
    }
}
