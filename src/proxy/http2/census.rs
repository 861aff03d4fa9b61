//! Counts what a client sends on a connection of HTTP/2, by the nine-byte heads of its frames, before
//! `h2` acts on them.
//!
//! Pure but for the clock: bytes in, and at some point the [`Flood`] that they are. Payloads are skipped.

use std::time::Duration;

use tokio::time::Instant;

use super::flood::{Flood, Limit, Work};

/// What is owed of one kind.
#[derive(Debug)]
struct Debt {
    owed: u64,
    /// Until when time has been counted, and how much of the work.
    since: Instant,
    paid: u64,
}

impl Debt {
    fn new(now: Instant) -> Self {
        Self {
            owed: 0,
            since: now,
            paid: 0,
        }
    }

    /// Adds one; whether it is too much.
    fn add(&mut self, limit: &Limit, now: Instant, answers: u64, bytes: u64) -> bool {
        let elapsed = now.saturating_duration_since(self.since).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let forgiven = elapsed.saturating_mul(limit.per_minute) / 60_000;
        if forgiven > 0 {
            self.owed = self.owed.saturating_sub(forgiven);
            // Not to now: what is left forgives a part of the next one.
            let counted = forgiven * 60_000 / limit.per_minute;
            self.since += Duration::from_millis(counted);
        }
        let (done, price) = match limit.work {
            Work::Answers => (answers, 1),
            Work::Bytes(price) => (bytes, price),
            Work::Nothing => (0, 1),
        };
        let earned = done.saturating_sub(self.paid) / price;
        self.paid += earned * price;
        self.owed = self.owed.saturating_sub(earned) + 1;
        self.owed > limit.burst
    }
}

/// The kinds that make debts; their places in [`Census::debts`].
const COUNTED: [Flood; 7] = [
    Flood::RapidReset,
    Flood::Ping,
    Flood::Settings,
    Flood::Priority,
    Flood::WindowUpdate,
    Flood::Unknown,
    Flood::WindowStall,
];

/// What a client has sent on one connection.
#[derive(Debug)]
pub(super) struct Census {
    /// The head of the frame that is being read, and how much of it there is.
    head: [u8; 9],
    known: usize,
    /// How much of the current payload is still to come.
    payload: usize,
    debts: [Debt; COUNTED.len()],
    /// Responses that were begun.
    answers: u64,
    /// Bytes that the client took, without those that only answer its own frames.
    taken: u64,
    owed_answers: u64,
    found: Option<Flood>,
    /// The flood that the last bytes to the client name.
    named: Option<Flood>,
    /// Since when the client takes nothing of what there is for it.
    stuck_since: Option<Instant>,
}

impl Census {
    /// Of a connection of which the first `preface` bytes are no frames.
    pub(super) fn new(preface: usize, now: Instant) -> Self {
        Self {
            head: [0; 9],
            known: 0,
            payload: preface,
            debts: COUNTED.map(|_| Debt::new(now)),
            answers: 0,
            taken: 0,
            owed_answers: 0,
            found: None,
            named: None,
            stuck_since: None,
        }
    }

    /// What was found too much of, if anything.
    pub(super) fn found(&self) -> Option<Flood> {
        self.found
    }

    /// Looks at what has come; what has been found stays found.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.payload.min(bytes.len());
            self.payload -= skipped;
            bytes = &bytes[skipped..];
            let wanted = (self.head.len() - self.known).min(bytes.len());
            self.head[self.known..self.known + wanted].copy_from_slice(&bytes[..wanted]);
            self.known += wanted;
            bytes = &bytes[wanted..];
            if self.known == self.head.len() {
                self.known = 0;
                let [a, b, c, kind, flags, ..] = self.head;
                self.payload = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.frame(kind, flags);
            }
        }
    }

    /// Counts one frame by its kind (RFC 9113 section 6, RFC 9218 section 7.1).
    fn frame(&mut self, kind: u8, flags: u8) {
        const ACK: u8 = 1;
        match kind {
            // DATA, HEADERS, CONTINUATION, and PUSH_PROMISE, which is an error.
            0x0 | 0x1 | 0x5 | 0x9 => {}
            0x2 | 0x10 => self.count(Flood::Priority),
            0x3 => self.count(Flood::RapidReset),
            // Nobody else acknowledges what was not sent.
            0x4 if flags & ACK != 0 => {}
            0x4 => {
                self.owed_answers += 9;
                self.count(Flood::Settings);
            }
            0x6 => {
                self.owed_answers += 17;
                self.count(Flood::Ping);
            }
            0x8 => self.count(Flood::WindowUpdate),
            _ => self.count(Flood::Unknown),
        }
    }

    fn count(&mut self, kind: Flood) {
        let Some(place) = COUNTED.iter().position(|counted| *counted == kind) else {
            return;
        };
        let work = self.taken.saturating_sub(self.owed_answers);
        let debt = &mut self.debts[place];
        if debt.add(&kind.limit(), Instant::now(), self.answers, work) {
            self.found.get_or_insert(kind);
        }
    }

    /// Notes that the client has taken these bytes.
    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        self.taken += bytes.len() as u64;
        self.stuck_since = None;
        self.named = Flood::named_at_the_end_of(bytes);
    }

    /// The flood that the last bytes to the client name.
    pub(super) fn named(&self) -> Option<Flood> {
        self.named
    }

    /// Notes that the client takes nothing now.
    pub(super) fn is_blocked(&mut self) {
        self.stuck_since.get_or_insert_with(Instant::now);
    }

    /// Whether the client has taken nothing for so long, although there is something.
    pub(super) fn is_stuck(&self, limit: Duration) -> bool {
        self.stuck_since.is_some_and(|at| at.elapsed() >= limit)
    }

    /// Notes how a request ended.
    pub(super) fn served(&mut self, fate: Fate) {
        self.answers += u64::from(fate.answered);
        if fate.stalled {
            self.count(Flood::WindowStall);
        }
    }
}

/// How many responses a client did not go on taking, on a connection of which nothing else is counted.
#[derive(Debug)]
pub(in crate::proxy) struct Stalls(Debt);

impl Stalls {
    pub(in crate::proxy) fn new() -> Self {
        Self(Debt::new(Instant::now()))
    }

    /// Adds one; whether they are too many.
    pub(in crate::proxy) fn add(&mut self) -> bool {
        let limit = Flood::WindowStall.limit();
        self.0.add(&limit, Instant::now(), 0, 0)
    }
}

/// How a request on a stream ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    /// A final response was begun.
    pub(super) answered: bool,
    /// The client did not go on taking it.
    pub(super) stalled: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFACE: usize = 24;

    fn census() -> Census {
        let mut census = Census::new(PREFACE, Instant::now());
        census.read(&[b'x'; PREFACE]);
        census
    }

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let mut frame = vec![
            0,
            (payload >> 8) as u8,
            payload as u8,
            kind,
            flags,
            0,
            0,
            0,
            1,
        ];
        frame.resize(9 + payload, 0xff);
        frame
    }

    /// How many of a frame it takes until something is found, at most `most`.
    fn until_found(census: &mut Census, frame: &[u8], most: usize) -> usize {
        (1..=most)
            .find(|_| {
                census.read(frame);
                census.found().is_some()
            })
            .unwrap_or(most + 1)
    }

    #[tokio::test(start_paused = true)]
    async fn each_kind_has_its_own_limit_and_name() {
        for (kind, payload, flood) in [
            (0x2, 5, Flood::Priority),
            (0x10, 8, Flood::Priority),
            (0x3, 4, Flood::RapidReset),
            (0x4, 6, Flood::Settings),
            (0x6, 8, Flood::Ping),
            (0x8, 4, Flood::WindowUpdate),
            (0xb, 0, Flood::Unknown),
        ] {
            let mut census = census();
            let limit = flood.limit().burst as usize;
            let came = until_found(&mut census, &frame(kind, 0, payload), 2 * limit);
            assert_eq!((came, census.found()), (limit + 1, Some(flood)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_carries_content_or_acknowledges_is_not_counted() {
        let mut census = census();
        for (kind, flags) in [(0x0, 0), (0x0, 1), (0x1, 4), (0x9, 4), (0x4, 1)] {
            assert_eq!(
                until_found(&mut census, &frame(kind, flags, 300), 5_000),
                5_001
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_counted_however_their_bytes_are_cut() {
        let frames = [frame(0x6, 0, 8), frame(0x0, 0, 500)].concat().repeat(500);
        for step in [1, 7, 9, 4096] {
            let mut census = census();
            frames.chunks(step).for_each(|part| census.read(part));
            assert_eq!(census.found(), None, "{step}");
            census.read(&frame(0x6, 0, 8));
            assert_eq!(census.found(), Some(Flood::Ping), "{step}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_forgives() {
        let mut census = census();
        let ping = frame(0x6, 0, 8);
        for _ in 0..10 {
            assert_eq!(until_found(&mut census, &ping, 400), 401);
            tokio::time::advance(Duration::from_secs(40)).await;
        }
        assert_eq!(until_found(&mut census, &ping, 1_000), 501);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stays_below_a_limit_may_send_as_unevenly_as_it_likes() {
        let mut census = census();
        let ping = frame(0x6, 0, 8);
        // Three in 330 ms, where 100 ms forgive one.
        for _ in 0..2_000 {
            for pause in [199, 5, 126] {
                tokio::time::advance(Duration::from_millis(pause)).await;
                census.read(&ping);
            }
        }
        assert_eq!(census.found(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_the_client_takes_pay_for_pings_but_not_the_answers_to_them() {
        let mut census = census();
        let ping = frame(0x6, 0, 8);
        for _ in 0..10_000 {
            census.read(&ping);
            census.wrote(&[0; 17 + 18]);
        }
        assert_eq!(census.found(), None);
        for _ in 0..501 {
            census.read(&ping);
            census.wrote(&[0; 17]);
        }
        assert_eq!(census.found(), Some(Flood::Ping));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_begins_to_read_a_response_may_stop() {
        let mut census = census();
        let reset = frame(0x3, 0, 4);
        for _ in 0..10_000 {
            census.read(&reset);
            census.served(Fate {
                answered: true,
                stalled: false,
            });
        }
        assert_eq!(census.found(), None);
        for _ in 0..501 {
            census.read(&reset);
            census.served(Fate {
                answered: false,
                stalled: false,
            });
        }
        assert_eq!(census.found(), Some(Flood::RapidReset));
    }

    #[tokio::test(start_paused = true)]
    async fn a_window_of_a_few_bytes_is_a_flood_and_small_messages_are_none() {
        let update = frame(0x8, 0, 4);
        let mut census = census();
        for _ in 0..20_000 {
            // Two updates for each message of 23 bytes.
            census.wrote(&[0; 9 + 23]);
            census.read(&update);
            census.read(&update);
        }
        assert_eq!(census.found(), None);
        for _ in 0..5_000 {
            census.wrote(&[0; 9 + 1]);
            census.read(&update);
        }
        assert_eq!(census.found(), Some(Flood::WindowUpdate));
    }

    #[tokio::test(start_paused = true)]
    async fn stalls_are_borne_now_and_then() {
        let stalled = Fate {
            answered: true,
            stalled: true,
        };
        let mut census = census();
        for _ in 0..100 {
            census.served(stalled);
            tokio::time::advance(Duration::from_secs(10)).await;
        }
        assert_eq!(census.found(), None);
        (0..17).for_each(|_| census.served(stalled));
        assert_eq!(census.found(), Some(Flood::WindowStall));
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_for_long_is_stuck() {
        let mut census = census();
        let limit = Duration::from_secs(60);
        census.is_blocked();
        tokio::time::advance(limit / 2).await;
        census.is_blocked();
        assert!(!census.is_stuck(limit));
        tokio::time::advance(limit / 2).await;
        assert!(census.is_stuck(limit));
        census.wrote(&[0; 1]);
        assert!(!census.is_stuck(limit));
    }
}
