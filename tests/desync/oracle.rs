//! Our classifier beside the one that AWS publishes.

use elbow::http1::{Reason, classify};
use http_desync_guardian::request_analyzer::HttpRequestData;

use crate::cases;

/// What AWS's classifier says of a head on the wire.
fn guardian(head: &[u8]) -> (String, String) {
    let result = HttpRequestData::analyze_raw_request(head);
    (format!("{:?}", result.tier), format!("{:?}", result.reason))
}

fn ours(head: &[u8]) -> (String, String) {
    let reason = classify(head);
    (
        reason.class().as_str().to_owned(),
        reason.as_str().to_owned(),
    )
}

#[test]
fn the_cases_that_aws_publishes_are_classified_as_aws_does() {
    for case in cases::all() {
        let head = String::from_utf8_lossy(&case.head);
        assert_eq!(
            ours(&case.head),
            guardian(&case.head),
            "{}: {head:?}",
            case.name
        );
        // Unless the wire turns the case into another one, that is what the case says itself.
        let told = [
            Reason::MultilineHeader,
            Reason::MissingHeaderColon,
            Reason::SpaceInUri,
            Reason::AmbiguousUri,
            Reason::NonCrLfLineTermination,
        ];
        if told.contains(&classify(&case.head)) {
            assert_ne!(case.tier, "Compliant", "{}", case.name);
        } else {
            let (tier, reason) = ours(&case.head);
            assert_eq!(tier, case.tier, "{}", case.name);
            assert!(
                !case.is_whole || reason == case.reason,
                "{}: {reason}",
                case.name
            );
        }
    }
}

/// Where we differ from AWS's classifier: in versions that are none, or hardly.
fn is_known_to_differ(head: &str, ours: &str, theirs: &str) -> bool {
    let line = head.split('\n').next().unwrap().trim_end_matches('\r');
    let version = line.rsplit(' ').next().unwrap();
    match version {
        // It does not look at what it takes for HTTP/2: at no version that sorts behind that.
        _ if version >= "HTTP/2" => (ours, theirs) == ("Severe", "Compliant"),
        // It takes white space behind the version for part of it, and so HTTP/1.0 for later.
        "" | "\t" => ours != "Compliant",
        // It takes what sorts before HTTP/1.0 for HTTP/0.9, and then does not look at the body.
        _ if version < "HTTP/1.0" => (ours, theirs) == ("Severe", "Severe"),
        _ => false,
    }
}

#[test]
fn whatever_is_combined_is_classified_as_aws_does() {
    let methods = ["GET", "HEAD", "POST", "get", "", "P T", "M\u{1}", "GET\t"];
    let targets = [
        "/",
        "",
        "/a b",
        "/a\tb",
        "/\u{1}",
        "/\u{e9}",
        "/a\0",
        "/a\rb",
        "*",
        "a HTTP/1.1",
        " /",
    ];
    let versions = [
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/1.2",
        "HTTP/0.9",
        "HTTP/2.0",
        "http/1.1",
        "HTTP/1.",
        "HTTP/1.11",
        "HTTP/1.1 ",
        "",
        "1.1",
    ];
    let sections: Vec<String> = [
        "",
        "A: b",
        "A : b",
        "A: b\u{1}",
        "A: b\0",
        "\u{1}A: b",
        ": b",
        " : b",
        " ",
        "A",
        "A: b\r\n c",
        "A: b\r\n c: d",
        "A: b\r\n Content-Length: 5",
        "Content-Type: a\r\n b: c\r\n d",
        "Content-Type: a\r\nB: c\r\n d",
        "Content-Length: 0",
        "Content-Length: 5",
        "Content-Length:",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length: 5\r\n 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5\r\ncontent-length: 6",
        "Content_Length: 5",
        "Content-Length : 5",
        "Content_Length: 5\r\nContent-Length: 6",
        "Content-Length: 99999999999999999999999999",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding:",
        "Transfer-Encoding: \u{b}chunked",
        "transfer_encoding: chunked",
        "transfer_encoding: cow",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nContent-Length: +5",
        "Transfer_Encoding: chunked\r\nContent-Length: 5",
        "\0Transfer-Encoding: chunked",
        "Tran\u{17f}fer-Encoding: chunked",
        "Content-_______: 5",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut differing = 0;
    let mut compared = 0;
    for method in methods {
        for target in targets {
            for version in versions {
                for section in &sections {
                    for end in ["\r\n", "\n"] {
                        let line = format!("{method} {target} {version}");
                        let line = if version.is_empty() {
                            line.trim_end_matches(' ')
                        } else {
                            &line
                        };
                        let middle = if section.is_empty() { "" } else { end };
                        let head = format!("{line}{end}{section}{middle}{end}");
                        let (ours, theirs) = (ours(head.as_bytes()), guardian(head.as_bytes()));
                        compared += 1;
                        if ours != theirs {
                            differing += 1;
                            assert!(
                                is_known_to_differ(&head, &ours.0, &theirs.0),
                                "{head:?}: ours {ours:?}, theirs {theirs:?}"
                            );
                        }
                    }
                }
            }
        }
    }
    assert!(differing < compared / 3, "{differing} of {compared}");
}
