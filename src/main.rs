//! The `elbow` command.
fn main() {}
