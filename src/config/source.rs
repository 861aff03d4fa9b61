//! The text of a document, and where in it a place of the document stands.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::path::{Step, steps};
use super::problem::{Location, Problem};

/// A document's text, and where its lines begin.
pub(super) struct Source<'a> {
    /// The text.
    pub(super) text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let after_newlines = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Self {
            text,
            line_starts: std::iter::once(0).chain(after_newlines).collect(),
        }
    }

    /// The line and column of a span of bytes. Of a span over several lines the first is meant.
    pub(super) fn location(&self, span: Range<usize>) -> Location {
        let start = self.floor(span.start);
        let line = self.line_starts.partition_point(|&begin| begin <= start);
        let begin = self.line_starts[line - 1];
        let rest = &self.text[begin..];
        let source_line = rest.split('\n').next().unwrap_or_default();
        let source_line = source_line.trim_end_matches('\r');
        let end = self
            .floor(span.end)
            .clamp(start, begin + source_line.len().max(start - begin));
        Location {
            line,
            column: self.text[begin..start].chars().count() + 1,
            length: self.text[start..end].chars().count().max(1),
            source_line: source_line.to_owned(),
        }
    }

    /// Gives every problem that has none its location in `document`, which this text holds.
    pub(super) fn locate(&self, document: &Spanned<DeValue<'_>>, problems: &mut [Problem]) {
        for problem in problems {
            if problem.location.is_none() {
                problem.location = Some(self.location(span(document, &problem.path)));
            }
        }
    }

    /// The character boundary at or before `at`.
    fn floor(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        let boundary = |&at: &usize| self.text.is_char_boundary(at);
        (0..=at).rev().find(boundary).unwrap_or(0)
    }
}

/// The bytes of what stands at `path`, or of the nearest thing around it that is there.
fn span(document: &Spanned<DeValue<'_>>, path: &str) -> Range<usize> {
    let mut node = document;
    for step in steps(path) {
        let inner = match (&step, node.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => table.get(key.as_str()),
            (Step::Index(index), DeValue::Array(array)) => array.get(*index),
            _ => None,
        };
        match inner {
            Some(inner) => node = inner,
            None => break,
        }
    }
    node.span()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use toml::de::DeTable;

    use super::*;

    const TEXT: &str = "workers = 1\n\n[[load_balancer]]\nname = \"wp\"\n  [[load_balancer.listener]]\n  port = 80 # é\n  default = { forward = \"é\", x = 1 }\n";

    fn at(path: &str) -> (usize, usize, usize) {
        let document = DeTable::parse(TEXT).unwrap();
        let span_of_document = document.span();
        let document = Spanned::new(span_of_document, DeValue::Table(document.into_inner()));
        let location = Source::new(TEXT).location(span(&document, path));
        (location.line, location.column, location.length)
    }

    #[test]
    fn a_path_leads_to_line_and_column() {
        assert_eq!(at("workers"), (1, 11, 1));
        assert_eq!(at("load_balancer[0]"), (3, 1, 17));
        assert_eq!(at("load_balancer[0].name"), (4, 8, 4));
        assert_eq!(at("load_balancer[0].listener[0].port"), (6, 10, 2));
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(at("load_balancer[0].listener[0].default.x"), (7, 34, 1));
    }

    #[test]
    fn what_is_absent_is_located_at_what_should_hold_it() {
        assert_eq!(at("load_balancer[0].listener[0].protocol"), (5, 3, 26));
        assert_eq!(at("load_balancer[7].name"), at("load_balancer"));
        assert_eq!(at("nowhere"), (1, 1, 1));
    }

    #[test]
    fn any_span_has_a_location() {
        for (start, end) in [(0, 0), (3, 1), (usize::MAX, usize::MAX), (0, usize::MAX)] {
            assert!(Source::new(TEXT).location(start..end).length >= 1);
        }
        assert_eq!(Source::new("").location(5..9).line, 1);
    }
}
