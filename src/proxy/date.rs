//! The Date field's value, made once a second for each worker.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `Sun, 06 Nov 1994 08:49:37 GMT`
type Imf = [u8; 29];

thread_local! {
    static LAST: RefCell<(u64, Imf)> = const { RefCell::new((u64::MAX, [b' '; 29])) };
}

/// The date now (RFC 9110 section 5.6.7).
pub(super) fn now() -> Imf {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let second = since.as_ref().map_or(0, Duration::as_secs);
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            *last = second;
            let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
            if date.len() == text.len() {
                text.copy_from_slice(date.as_bytes());
            }
        }
        *text
    })
}
