//! Header fields by position in the head they stand in; nothing is copied.

use std::cell::RefCell;
use std::mem::{self, MaybeUninit};
use std::ops::Range;

use smallvec::SmallVec;

use super::HeadError;
use super::desync::{CONTENT_LENGTH, TRANSFER_ENCODING, resembles};

/// Most heads have fewer fields than this.
const USUAL: usize = 24;
/// More fields than this are refused: a head of the largest permitted size has room for thousands
/// of tiny ones, whose only use is to keep a parser busy.
const MOST: usize = 512;

/// A stretch of the head's bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Where `part`, a slice of `whole`, lies in it.
    pub(super) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr() - whole.as_ptr().addr();
        debug_assert!(start + part.len() <= whole.len());
        // A head is far smaller than 4 GiB: the scanner's limits came first.
        Self {
            start: start as u32,
            end: (start + part.len()) as u32,
        }
    }

    pub(super) fn range(range: Range<usize>) -> Self {
        Self {
            start: range.start as u32,
            end: range.end as u32,
        }
    }

    pub(super) fn get(self, whole: &[u8]) -> &[u8] {
        &whole[self.start as usize..self.end as usize]
    }
}

/// Names that mean something to the balancer; all others are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the field of that name")]
pub enum FieldName {
    Host,
    Connection,
    ContentLength,
    ContentType,
    TransferEncoding,
    Expect,
    Upgrade,
    KeepAlive,
    ProxyConnection,
    Te,
    Trailer,
    Date,
    UserAgent,
    Forwarded,
    XForwardedFor,
    XForwardedProto,
    XForwardedPort,
    XAmznTraceId,
    /// X-Amzn-Tls-Version or X-Amzn-Tls-Cipher-Suite.
    XAmznTls,
    /// What the balancer tells targets about a user; also in a spelling that a target may take for it.
    XAmznOidc,
    Cookie,
    /// All those that tell of a client's certificate, `X-Amzn-Mtls-Clientcert` and those that begin
    /// so, with `_` for `-` as well: to a target that takes one for the other, as CGI does, they are
    /// the same.
    XAmznMtlsClientcert,
    /// Reads as Content-Length or Transfer-Encoding to a target that tidies up names: one that
    /// takes `_` for `-`, as CGI does, say.
    Disguised,
    Other,
}

/// Whether a name is this one, which is given in lower case. Both have the same length: many bytes
/// are compared in one instruction. The bit that tells letters' cases apart tells no others apart
/// that stand in names (RFC 9110 section 5.6.2) but `^` and `~`, and those are not in ours.
fn is_same(name: &[u8], known: &[u8]) -> bool {
    name.iter()
        .zip(known)
        .fold(true, |same, (byte, known)| same & (byte | 0x20 == *known))
}

/// What targets are told about a user, and believe.
const OIDC: [&[u8]; 3] = [
    b"x-amzn-oidc-accesstoken",
    b"x-amzn-oidc-identity",
    b"x-amzn-oidc-data",
];

/// Whether a target that takes `_` for `-`, as CGI does, takes one name for the other.
fn reads_as(name: &[u8], known: &[u8]) -> bool {
    let same = |(byte, known): (&u8, &u8)| {
        byte.eq_ignore_ascii_case(known) || (*known == b'-' && *byte == b'_')
    };
    name.len() == known.len() && name.iter().zip(known).all(same)
}

impl FieldName {
    /// Called for every field of every message: length and first letter tell nearly all names apart
    /// before any is compared.
    pub fn of(name: &[u8]) -> Self {
        if name.len() >= MTLS_CLIENTCERT.len() && is_mtls_clientcert(name) {
            return Self::XAmznMtlsClientcert;
        }
        let first = name.first().map_or(0, u8::to_ascii_lowercase);
        let (known, field): (&[u8], Self) = match (name.len(), first) {
            (2, b't') => (b"te", Self::Te),
            (4, b'h') => (b"host", Self::Host),
            (4, b'd') => (b"date", Self::Date),
            (6, b'e') => (b"expect", Self::Expect),
            (6, b'c') => (b"cookie", Self::Cookie),
            (7, b'u') => (b"upgrade", Self::Upgrade),
            (7, b't') => (b"trailer", Self::Trailer),
            (9, b'f') => (b"forwarded", Self::Forwarded),
            (10, b'c') => (b"connection", Self::Connection),
            (10, b'u') => (b"user-agent", Self::UserAgent),
            (10, b'k') => (b"keep-alive", Self::KeepAlive),
            (12, b'c') => (b"content-type", Self::ContentType),
            (14, b'c') => (b"content-length", Self::ContentLength),
            (15, b'x') if name[2] == b'f' || name[2] == b'F' => {
                (b"x-forwarded-for", Self::XForwardedFor)
            }
            (15, b'x') => (b"x-amzn-trace-id", Self::XAmznTraceId),
            (16, b'p') => (b"proxy-connection", Self::ProxyConnection),
            (16, b'x') => (b"x-forwarded-port", Self::XForwardedPort),
            (17, b't') => (b"transfer-encoding", Self::TransferEncoding),
            (18, b'x') => (b"x-amzn-tls-version", Self::XAmznTls),
            (23, b'x') => (b"x-amzn-tls-cipher-suite", Self::XAmznTls),
            (17, b'x') => (b"x-forwarded-proto", Self::XForwardedProto),
            _ => return Self::unknown(name, first),
        };
        if is_same(name, known) {
            field
        } else {
            Self::unknown(name, first)
        }
    }

    /// Nearly all names are told from a disguise by their length and first letter.
    fn unknown(name: &[u8], first: u8) -> Self {
        if first == b'x' && OIDC.iter().any(|oidc| reads_as(name, oidc)) {
            return Self::XAmznOidc;
        }
        let may_be = name.len() >= CONTENT_LENGTH.len()
            && (matches!(first, b'c' | b't') || !first.is_ascii_alphanumeric());
        if may_be && (resembles(name, CONTENT_LENGTH) || resembles(name, TRANSFER_ENCODING)) {
            Self::Disguised
        } else {
            Self::Other
        }
    }

    /// Concerns one connection only and is never passed on (RFC 9110 section 7.6.1).
    pub const fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::KeepAlive
                | Self::ProxyConnection
                | Self::Te
                | Self::TransferEncoding
                | Self::Upgrade
        )
    }

    /// Whether only one name is known as this, but for its case; it has letters and hyphens.
    const fn has_one_spelling(self) -> bool {
        !matches!(
            self,
            Self::XAmznOidc | Self::XAmznMtlsClientcert | Self::Disguised | Self::Other
        )
    }

    /// Whether a trailer may have this name (RFC 9110 section 6.5.1): nothing that frames, routes,
    /// or concerns the connection.
    pub(super) fn is_permitted_trailer(name: &str) -> bool {
        let known = Self::of(name.as_bytes());
        matches!(
            known,
            Self::Other | Self::Date | Self::UserAgent | Self::ContentType
        ) && !name.eq_ignore_ascii_case("authorization")
    }

    /// What a client cannot have removed by naming it in Connection: the balancer's own fields, and
    /// those that say where a message ends and whom it is for.
    const fn is_protected(self) -> bool {
        matches!(
            self,
            Self::Host
                | Self::ContentLength
                | Self::Forwarded
                | Self::XForwardedFor
                | Self::XForwardedProto
                | Self::XForwardedPort
                | Self::XAmznTraceId
                | Self::XAmznTls
                | Self::XAmznMtlsClientcert
        )
    }
}

const MTLS_CLIENTCERT: &[u8] = b"x-amzn-mtls-clientcert";

fn is_mtls_clientcert(name: &[u8]) -> bool {
    let same = |(is, should): (&u8, &u8)| match is {
        b'_' => *should == b'-',
        is => is.to_ascii_lowercase() == *should,
    };
    name.iter().zip(MTLS_CLIENTCERT).all(same)
}

/// One field line.
#[derive(Clone, Debug)]
pub struct Field<'a> {
    /// Which field it is, if the balancer cares.
    pub known: FieldName,
    /// The name as it came.
    pub name: &'a [u8],
    /// The value without surrounding white space.
    pub value: &'a [u8],
    /// Where the whole line stands in the head, with its line end.
    pub line: Range<usize>,
}

impl Field<'_> {
    /// Whether ALB calls the name valid: letters, digits and hyphens.
    pub fn has_valid_name(&self) -> bool {
        self.known.has_one_spelling() || is_valid_name(self.name)
    }
}

fn is_valid_name(name: &[u8]) -> bool {
    const VALID: [bool; 256] = {
        let mut valid = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            valid[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'-';
            byte += 1;
        }
        valid
    };
    // Without an early exit: nearly all names are valid.
    name.iter()
        .fold(true, |valid, byte| valid & VALID[usize::from(*byte)])
}

#[derive(Clone, Copy, Debug)]
struct Position {
    known: FieldName,
    name: Span,
    value: Span,
}

/// The field lines of one head, in order.
#[derive(Clone, Debug)]
pub struct Fields {
    /// From the thread's spare lists, and given back when dropped: a head is moved several times on
    /// its way, and should be small.
    positions: Vec<Position>,
    /// Where the last line ends and the empty one begins.
    end: usize,
    present: Names,
    repeated: Names,
}

/// A set of names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Names(u64);

impl Names {
    pub(super) fn of<const COUNT: usize>(names: [FieldName; COUNT]) -> Self {
        Self(names.iter().fold(0, |set, name| set | 1 << *name as u32))
    }

    pub(super) fn has_any_of(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn has(self, name: FieldName) -> bool {
        self.has_any_of(Self::of([name]))
    }
}

impl Fields {
    pub(super) fn index(parsed: &[httparse::Header<'_>], head: &[u8]) -> Self {
        let (mut present, mut repeated) = (0, 0);
        let found = parsed.iter().map(|header| {
            let name = header.name.as_bytes();
            let known = FieldName::of(name);
            let bit = 1 << known as u32;
            repeated |= present & bit;
            present |= bit;
            Position {
                known,
                name: Span::of(name, head),
                value: Span::of(header.value, head),
            }
        });
        let mut fields = Self::empty();
        fields.positions.extend(found);
        fields.end = head.len() - b"\r\n".len();
        fields.present = Names(present);
        fields.repeated = Names(repeated);
        fields
    }

    /// No fields yet.
    pub(super) fn empty() -> Self {
        let spare = SPARE.with_borrow_mut(Vec::pop);
        Self {
            positions: spare.unwrap_or_else(|| Vec::with_capacity(USUAL)),
            end: 0,
            present: Names::default(),
            repeated: Names::default(),
        }
    }

    /// Appends a line to `head`, and notes where it stands. False when there are too many.
    pub(super) fn push(&mut self, head: &mut Vec<u8>, name: &[u8], value: &[u8]) -> bool {
        let start = head.len();
        head.extend_from_slice(name);
        head.extend_from_slice(b": ");
        let at = head.len();
        head.extend_from_slice(value);
        let known = FieldName::of(name);
        self.repeated.0 |= self.present.0 & Names::of([known]).0;
        self.present.0 |= Names::of([known]).0;
        self.positions.push(Position {
            known,
            name: Span::range(start..start + name.len()),
            value: Span::range(at..head.len()),
        });
        head.extend_from_slice(b"\r\n");
        self.end = head.len();
        self.positions.len() <= MOST
    }

    /// Which names there are.
    pub(super) fn present(&self) -> Names {
        self.present
    }

    /// Which names there are more than once.
    pub(super) fn repeated(&self) -> Names {
        self.repeated
    }

    pub(super) fn iter<'a>(&'a self, head: &'a [u8]) -> impl Iterator<Item = Field<'a>> {
        let next = self.positions.iter().skip(1);
        let ends = next.map(|next| next.name.start as usize);
        self.positions
            .iter()
            .zip(ends.chain([self.end]))
            .map(move |(position, end)| Field {
                known: position.known,
                name: position.name.get(head),
                value: position.value.get(head),
                line: position.name.start as usize..end,
            })
    }

    pub(super) fn values<'a>(
        &'a self,
        head: &'a [u8],
        name: FieldName,
    ) -> impl Iterator<Item = &'a [u8]> {
        // Most names that are asked for are not there.
        let positions = match self.present.has(name) {
            true => self.positions.as_slice(),
            false => &[],
        };
        positions
            .iter()
            .filter(move |position| position.known == name)
            .map(move |position| position.value.get(head))
    }
}

thread_local! {
    static SPARE: RefCell<Vec<Vec<Position>>> = const { RefCell::new(Vec::new()) };
}

/// How many spare lists a thread keeps.
const SPARES: usize = 64;

impl Drop for Fields {
    fn drop(&mut self) {
        let mut positions = mem::take(&mut self.positions);
        positions.clear();
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARES && positions.capacity() <= 4 * USUAL {
                spare.push(positions);
            }
        });
    }
}

/// A place for one field that a parser finds; not cleared before.
pub(super) type Room<'h> = MaybeUninit<httparse::Header<'h>>;

/// Runs a parser of httparse with room for the usual number of fields, and once more with room for
/// the most when that was too little.
pub(super) fn with_room<'h, T>(
    mut parse: impl FnMut(&mut [Room<'h>]) -> Result<T, httparse::Error>,
) -> Result<T, HeadError> {
    match parse(&mut [const { Room::uninit() }; 2 * USUAL]) {
        Err(httparse::Error::TooManyHeaders) => {
            let mut most: Vec<Room<'h>> = (0..MOST).map(|_| Room::uninit()).collect();
            parse(&mut most).map_err(refusal)
        }
        other => other.map_err(refusal),
    }
}

/// That the parser and the scanner agree on where a head ends. What lies behind the parser's end
/// would go on with the last line, and look like a body there.
pub(super) fn is_whole(
    parsed: httparse::Status<usize>,
    head: &[u8],
) -> Result<(), httparse::Error> {
    match parsed {
        httparse::Status::Complete(end) if end == head.len() => Ok(()),
        _ => Err(httparse::Error::Token),
    }
}

fn refusal(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::Version => HeadError::Version,
        httparse::Error::TooManyHeaders => HeadError::FieldsTooLarge,
        _ => HeadError::Malformed,
    }
}

/// What the Connection fields of a head say (RFC 9110 section 7.6.1).
#[derive(Clone, Debug, Default)]
pub struct ConnectionOptions {
    /// `close`
    pub close: bool,
    /// `keep-alive`
    pub keep_alive: bool,
    /// `upgrade`
    pub upgrade: bool,
    named: SmallVec<[Box<[u8]>; 0]>,
}

impl ConnectionOptions {
    pub(super) fn read<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut options = Self::default();
        for value in values {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if option.eq_ignore_ascii_case(b"close") {
                    options.close = true;
                } else if option.eq_ignore_ascii_case(b"keep-alive") {
                    options.keep_alive = true;
                } else if option.eq_ignore_ascii_case(b"upgrade") {
                    options.upgrade = true;
                } else if !option.is_empty() && !FieldName::of(option).is_protected() {
                    options.named.push(option.into());
                }
            }
        }
        options
    }

    /// Whether a field is named here, and so goes no further than this connection.
    pub fn names(&self, field: &Field<'_>) -> bool {
        self.named
            .iter()
            .any(|name| name.eq_ignore_ascii_case(field.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_only_whole() {
        for (name, known) in [
            ("Host", FieldName::Host),
            ("CONTENT-LENGTH", FieldName::ContentLength),
            ("Content_Length", FieldName::Disguised),
            ("transfer_encoding", FieldName::Disguised),
            ("Transfer--Encoding.", FieldName::Disguised),
            ("~Content-Length", FieldName::Disguised),
            ("Content-Language", FieldName::Other),
            ("Transfer-Encoding", FieldName::TransferEncoding),
            ("x-Forwarded-For", FieldName::XForwardedFor),
            ("X-Amzn-Trace-Id", FieldName::XAmznTraceId),
            ("X-Forwarded-Proto", FieldName::XForwardedProto),
            ("X-Forwarded-Fox", FieldName::Other),
            ("Hosts", FieldName::Other),
            ("", FieldName::Other),
        ] {
            assert_eq!(FieldName::of(name.as_bytes()), known, "{name}");
            let valid = is_valid_name(name.as_bytes());
            assert!(valid || !known.has_one_spelling(), "{name}");
        }
    }

    #[test]
    fn alb_calls_letters_digits_and_hyphens_valid() {
        assert!(is_valid_name(b"X-Amzn-1"));
        assert!(!is_valid_name(b"X_Amzn"));
        assert!(!is_valid_name(b"a.b"));
    }
}
