//! Buffers for reading and for building heads, kept by each worker thread for its next use.
//!
//! A connection takes one when there is something to read and gives it back when it has nothing
//! more to say, so that idle connections hold none. A buffer that is dropped instead is only lost to the
//! next taker.

use std::cell::RefCell;

/// What a read can bring at most: large bodies go through in few system calls.
pub const CAPACITY: usize = 64 * 1024;
/// How many a thread keeps.
const KEPT: usize = 64;

thread_local! {
    static FREE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer.
pub fn take() -> Vec<u8> {
    FREE.with_borrow_mut(Vec::pop)
        .unwrap_or_else(|| Vec::with_capacity(CAPACITY))
}

/// Keeps a buffer for the next taker, unless there are enough or it has grown.
pub fn give(mut buffer: Vec<u8>) {
    if buffer.capacity() != CAPACITY {
        return;
    }
    buffer.clear();
    FREE.with_borrow_mut(|free| {
        if free.len() < KEPT {
            free.push(buffer);
        }
    });
}
