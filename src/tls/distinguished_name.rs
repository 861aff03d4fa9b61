//! Distinguished names as ALB writes them: RFC 2253, in OpenSSL's spelling (`-nameopt RFC2253`).
//!
//! The last part comes first, parts are separated by commas without blanks, and whatever is not
//! printable ASCII is escaped byte by byte: a name can stand in a header field and in a log line.

use std::fmt::Write;

use x509_parser::asn1_rs::{Any, Tag, ToDer};
use x509_parser::der_parser::Oid;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// OpenSSL's short names of the types that names are made of.
const TYPES: [(&str, &str); 27] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "street"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "GN"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("0.9.2342.19200300.100.1.25", "DC"),
];

/// Writes a name.
pub(super) fn rfc2253(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut out = String::new();
    for (index, part) in parts.iter().rev().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let attributes: Vec<_> = part.iter().collect();
        for (index, attribute) in attributes.iter().rev().enumerate() {
            if index > 0 {
                out.push('+');
            }
            push_attribute(&mut out, attribute);
        }
    }
    out
}

fn push_attribute(out: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let known = short_name(attribute.attr_type());
    match known {
        Some(name) => out.push_str(name),
        None => out.push_str(&attribute.attr_type().to_id_string()),
    }
    out.push('=');
    let text = known.and_then(|_| text(attribute.attr_value()));
    match text {
        Some(text) => push_escaped(out, &text),
        // Of an unknown type nobody can say how its value reads (RFC 2253 section 2.4).
        None => push_dump(out, attribute.attr_value()),
    }
}

fn short_name(kind: &Oid<'_>) -> Option<&'static str> {
    let kind = kind.to_id_string();
    let found = TYPES.iter().find(|(dotted, _)| *dotted == kind);
    found.map(|(_, name)| *name)
}

/// A value in UTF-8, if it is text.
fn text(value: &Any<'_>) -> Option<Vec<u8>> {
    let latin1 = |bytes: &[u8]| {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        text.into_bytes()
    };
    match value.tag() {
        Tag::Utf8String => Some(value.data.to_vec()),
        Tag::PrintableString | Tag::Ia5String | Tag::NumericString | Tag::VisibleString => {
            Some(latin1(value.data))
        }
        Tag::TeletexString => Some(latin1(value.data)),
        Tag::BmpString => wide::<2>(value.data),
        Tag::UniversalString => wide::<4>(value.data),
        _ => None,
    }
}

/// Characters of N bytes each, the highest first.
fn wide<const N: usize>(bytes: &[u8]) -> Option<Vec<u8>> {
    let (characters, rest) = bytes.as_chunks::<N>();
    let character = |bytes: &[u8; N]| {
        let code = bytes
            .iter()
            .fold(0, |code, byte| code << 8 | u32::from(*byte));
        char::from_u32(code)
    };
    let text: Option<String> = characters.iter().map(character).collect();
    text.filter(|_| rest.is_empty()).map(String::into_bytes)
}

fn push_escaped(out: &mut String, text: &[u8]) {
    let last = text.len().saturating_sub(1);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b'#' if at == 0 => out.push_str("\\#"),
            b' ' if at == 0 || at == last => out.push_str("\\ "),
            b' '..=b'~' => out.push(char::from(*byte)),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "\\{byte:02X}")),
        }
    }
}

fn push_dump(out: &mut String, value: &Any<'_>) {
    out.push('#');
    for byte in value.to_der_vec().unwrap_or_default() {
        let _ = write!(out, "{byte:02X}");
    }
}
