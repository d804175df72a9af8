//! Anything that Redis sends is split into replies as the driver splits them, and each reply is
//! read or is an error.

use sse_redis::fuzzing::read_answers;

pub(crate) fn play(input: &[u8]) {
    let read = read_answers(input);
    assert!(read <= input.len());
    assert_eq!(
        read_answers(&input[..read]),
        read,
        "trailing bytes change the result"
    );
}
