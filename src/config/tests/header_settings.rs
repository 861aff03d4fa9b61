//! Header fields that a listener sets, and names that it gives.

use super::{told, told_with};

fn with(table: &str, lines: &str) -> Vec<String> {
    let listener = "default = { forward = \"wordpress\" }";
    told_with(
        listener,
        &format!("{listener}\n[load_balancer.listener.{table}]\n{lines}"),
    )
}

#[test]
fn a_value_is_short_visible_ascii() {
    let set = |value: &str| with("response_headers", &format!("x_frame_options = {value:?}"));
    assert_eq!(set("DENY"), [""; 0]);
    assert_eq!(set(""), ["11:19 the value is empty"]);
    assert_eq!(
        set(" DENY"),
        ["11:19 the value begins or ends with white space"]
    );
    let policy = |value: &str| {
        with(
            "response_headers",
            &format!("content_security_policy = {value:?}"),
        )
    };
    assert_eq!(policy("a\u{e9}"), ["11:27 the value holds 'é'"]);
    assert_eq!(
        policy("a\r\nSet-Cookie: b"),
        ["11:27 the value holds '\\r'"]
    );
    assert_eq!(policy(&"x".repeat(1024)), [""; 0]);
    assert_eq!(
        policy(&"x".repeat(1025)),
        ["11:27 the value has 1025 characters"]
    );
}

#[test]
fn what_no_browser_understands_is_warned_of() {
    for (line, value) in [
        ("strict_transport_security = \"yes\"", "yes"),
        ("x_content_type_options = \"sniff\"", "sniff"),
        ("access_control_allow_credentials = \"false\"", "false"),
        ("access_control_max_age = \"1h\"", "1h"),
    ] {
        let told = with("response_headers", line);
        assert_eq!(told.len(), 1, "{told:?}");
        let warning = format!("warning: browsers do not understand `{value}`");
        assert!(told[0].ends_with(&warning), "{told:?}");
    }
}

#[test]
fn a_name_is_a_short_word_that_means_nothing_else() {
    let name = |name: &str| {
        with(
            "request_header_names",
            &format!("x_amzn_tls_version = {name:?}"),
        )
    };
    assert_eq!(name("X-My_Tls"), [""; 0]);
    assert_eq!(name("x-amzn-tls-version"), [""; 0]);
    for odd in ["", "a b", "a:", "x\u{e9}", &"x".repeat(41)] {
        assert_eq!(
            name(odd),
            [format!("11:22 `{odd}` is no name for a header field")]
        );
    }
    for taken in [
        "Host",
        "content-length",
        "X-Forwarded-For",
        "content_length",
    ] {
        assert_eq!(
            name(taken),
            [format!("11:22 {taken} has a meaning of its own")]
        );
    }
    let twice = "x_amzn_tls_version = \"X-A\"\nx_amzn_tls_cipher_suite = \"x-a\"";
    assert_eq!(
        with("request_header_names", twice),
        ["12:27 `x_amzn_tls_version` is called x-a, too"]
    );
}

#[test]
fn a_tcp_listener_has_no_header_fields() {
    let text = "[[load_balancer]]\nname = \"lb\"\n[[load_balancer.listener]]\nport = 80\nprotocol = \"TCP\"\n\
                response_headers = { server = false }\ndefault = { forward = \"g\" }\n\
                [[target_group]]\nname = \"g\"\nprotocol = \"TCP\"\n\
                health_check = { protocol = \"TCP\" }\ntargets = [{ address = \"10.0.0.6:80\" }]\n";
    assert_eq!(
        told(text),
        ["6:20 a listener that forwards connections whole knows no header fields"]
    );
}
