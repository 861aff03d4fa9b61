//! How a new process takes over.

use super::{RIGHT, check, told};

fn told_of(lines: &str) -> Vec<String> {
    told(&format!("{lines}\n{RIGHT}"))
}

#[test]
fn connections_may_have_up_to_a_day_in_the_process_before() {
    for right in ["0s", "10m", "24h"] {
        let line = format!("upgrade = {{ deadline = \"{right}\" }}");
        assert_eq!(told_of(&line), [""; 0], "{right}");
    }
    let told = told_of("upgrade = { deadline = \"25h\" }");
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("is out of range: write 0s to"), "{told:?}");
}

#[test]
fn the_path_of_the_upgrade_socket_is_one_that_a_socket_can_have() {
    let right = "upgrade = { socket = \"/run/elbow/upgrade.sock\" }";
    assert_eq!(told_of(right), [""; 0]);
    for (path, wrong) in [
        (String::new(), "is empty"),
        ("/x".repeat(60), "has 120 bytes"),
    ] {
        let told = told_of(&format!("upgrade = {{ socket = {path:?} }}"));
        assert_eq!(told.len(), 1);
        assert!(told[0].contains(wrong), "{told:?}");
    }
}

#[test]
fn without_a_word_there_is_no_socket_and_ten_minutes() {
    let valid = check(RIGHT).config.unwrap();
    assert_eq!(valid.upgrade.deadline.as_secs(), 600);
    assert_eq!(valid.upgrade.socket, None);
}
