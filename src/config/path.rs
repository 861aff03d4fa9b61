//! Where in the document something stands, such as `load_balancer[0].listener[1].port`.
//!
//! While a document is walked, a [`Path`] is a chain of borrowed steps: it costs nothing until a
//! problem is found and it is written out. [`steps`] reads the written form again.

use std::fmt;

/// A place in the document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'a> {
    /// The document itself.
    Root,
    /// The value of a key.
    Key(&'a Path<'a>, &'a str),
    /// An element of a list.
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    /// The value of `key` in this table.
    pub(super) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path::Key(self, key)
    }

    /// The element `index` of this list.
    pub(super) fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Key(parent, key) => {
                parent.fmt(f)?;
                if !matches!(parent, Self::Root) {
                    f.write_str(".")?;
                }
                write_key(f, key)
            }
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// One step from a table or list to what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a table.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// The steps of a written path.
pub(super) fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            let (index, after) = inside.split_once(']').unwrap_or((inside, ""));
            steps.push(Step::Index(index.parse().unwrap_or(usize::MAX)));
            rest = after;
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let (key, after) = unquote(quoted);
            steps.push(Step::Key(key));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    steps
}

/// Writes steps as a path.
pub(super) fn written(steps: &[Step]) -> String {
    fn chain(steps: &[Step], path: &Path<'_>) -> String {
        match steps {
            [] => path.to_string(),
            [Step::Key(key), rest @ ..] => chain(rest, &path.key(key)),
            [Step::Index(index), rest @ ..] => chain(rest, &path.index(*index)),
        }
    }
    chain(steps, &Path::Root)
}

/// A bare key as it is, any other in quotes, as TOML has it.
fn write_key(f: &mut fmt::Formatter<'_>, key: &str) -> fmt::Result {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !key.is_empty() && key.bytes().all(bare) {
        return f.write_str(key);
    }
    write!(f, "\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The key up to its closing quote, and what follows it.
fn unquote(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (key, &text[at + 1..]),
            '\\' => key.extend(characters.next().map(|(_, escaped)| escaped)),
            other => key.push(other),
        }
    }
    (key, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_and_read_back() {
        let balancers = Path::Root.key("load_balancer");
        let first = balancers.index(0);
        let port = first.key("port");
        assert_eq!(port.to_string(), "load_balancer[0].port");
        for path in [
            "a",
            "a[0].b[12][3].c",
            "a.\"b.c\".d",
            "\"\"",
            "\"q\\\"\\\\\"[1]",
        ] {
            assert_eq!(written(&steps(path)), path);
        }
    }
}
