//! Signals by name and number, as far as images name one to stop by.

/// What a container is asked to stop by, unless its image says otherwise.
pub(super) const SIGTERM: i32 = 15;

/// Linux's numbers (signal(7)), on all architectures that containers are made for.
const NAMES: [(&str, i32); 12] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("TERM", SIGTERM),
    ("CONT", 18),
    ("STOP", 19),
    ("WINCH", 28),
    ("PWR", 30),
];

const SIGKILL: i32 = 9;
/// The C library's; the kernel has two more below.
const SIGRTMIN: i32 = 34;

/// The number of a signal, written `SIGWINCH`, `WINCH`, `28` or `SIGRTMIN+3`.
pub(super) fn number(text: &str) -> Option<i32> {
    let text = text.trim();
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    if let Some(more) = name.strip_prefix("RTMIN") {
        return match more.strip_prefix('+') {
            Some(more) => Some(SIGRTMIN + more.parse::<i32>().ok()?),
            None => more.is_empty().then_some(SIGRTMIN),
        };
    }
    let mut names = NAMES.iter();
    let found = names.find(|(known, _)| *known == name);
    found.map(|(_, number)| *number)
}

/// Whether a signal that was sent means that the container will stop.
pub(super) fn stops(sent: i32, stop_signal: i32) -> bool {
    sent == stop_signal || sent == SIGKILL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_name_and_by_number() {
        for (text, expected) in [
            ("SIGTERM", Some(15)),
            ("sigwinch", Some(28)),
            ("QUIT", Some(3)),
            ("28", Some(28)),
            ("SIGRTMIN+3", Some(37)),
            ("SIGRTMIN", Some(34)),
            ("SIGNAL", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn a_container_stops_by_its_own_signal_or_by_force() {
        assert!(stops(28, 28));
        assert!(stops(9, 28));
        assert!(!stops(1, 15));
        assert!(!stops(15, 28));
    }
}
