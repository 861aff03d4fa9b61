//! Names that are not Transfer-Encoding or Content-Length, and that some reader may take for it.

/// In lower case.
pub(in crate::http1) const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";
/// In lower case.
pub(in crate::http1) const CONTENT_LENGTH: &[u8] = b"content-length";

/// Whether a name turns into `known` (in lower case) under the ways in which readers tidy up names:
/// anything around it that is neither letter nor digit taken away, another delimiter for the
/// hyphen, white space and control characters between letters, and letters that become ASCII in
/// capitals (`ſ`, `ı`). So does one that is cut short and filled up. A name is not called like
/// itself.
pub(in crate::http1) fn resembles(name: &[u8], known: &[u8]) -> bool {
    name.len() >= known.len() && !name.eq_ignore_ascii_case(known) && reads_as(name, known)
}

/// Whether a name that is no token could be meant to say how the body is delimited: beyond what
/// AWS calls a resemblance, if its letters spell a field that does.
pub(in crate::http1) fn may_frame(name: &[u8]) -> bool {
    [TRANSFER_ENCODING, CONTENT_LENGTH].iter().any(|known| {
        let letters = name.iter().filter(|byte| byte.is_ascii_alphabetic());
        let spelt = known.iter().filter(|byte| byte.is_ascii_alphabetic());
        resembles(name, known) || letters.map(u8::to_ascii_lowercase).eq(spelt.copied())
    })
}

fn reads_as(name: &[u8], known: &[u8]) -> bool {
    let mut rest = skip(name, |byte| !byte.is_ascii_alphanumeric());
    for letter in known {
        if rest.is_empty() {
            return false;
        }
        rest = match letter {
            b'-' => skip(&rest[1..], |byte| !byte.is_ascii_alphanumeric()),
            letter => match after_letter(rest, *letter) {
                Some(rest) => skip(rest, |byte| byte <= b' '),
                None => break,
            },
        };
    }
    !rest.iter().any(u8::is_ascii_alphanumeric)
}

fn skip(text: &[u8], is_skipped: impl Fn(u8) -> bool) -> &[u8] {
    let kept = text.iter().position(|byte| !is_skipped(*byte));
    &text[kept.unwrap_or(text.len())..]
}

fn after_letter(text: &[u8], letter: u8) -> Option<&[u8]> {
    match (letter, text) {
        (_, [first, rest @ ..]) if first.eq_ignore_ascii_case(&letter) => Some(rest),
        (b's', [0xc5, 0xbf, rest @ ..]) | (b'i', [0xc4, 0xb1, rest @ ..]) => Some(rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_some_reader_tidies_up_resembles_the_field() {
        for name in [
            "transfer_encoding",
            "Transfer-Encoding ",
            "Transfer-Encoding\t",
            " Transfer-Encoding",
            "Transfer- Encoding",
            "Transfer---Encoding",
            "transferxencoding",
            "\u{1}Transfer-Encoding",
            "T ransfer-Encoding",
            "Tran\u{17f}fer-Encoding",
            "Transfer-Encod\u{131}ng",
            "Transfer\u{2015}Encoding",
            "\u{2003}Transfer-Encoding",
            "transfer-encodin_",
        ] {
            assert!(resembles(name.as_bytes(), TRANSFER_ENCODING), "{name:?}");
        }
    }

    #[test]
    fn other_names_do_not() {
        for name in [
            "Transfer-Encoding",
            "TransferEncoding",
            "X-Transfer-Encoding",
            "Transfer-Encoding-2",
            "Transfer-Encodings",
            "Accept-Encoding",
            "Content-Length",
            "-----------------",
            "",
        ] {
            assert!(!resembles(name.as_bytes(), TRANSFER_ENCODING), "{name:?}");
        }
    }
}
