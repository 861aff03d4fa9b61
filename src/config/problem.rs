//! What is wrong with a configuration, where, and what would be right.
//!
//! [`Problems`] displays as a compiler's messages do: the place, the source line, a mark under what
//! is meant, help. Serialised, it is what the admin API answers.

use std::fmt;

use serde::Serialize;

/// One thing that is wrong, or that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Whether it keeps the configuration from being used.
    pub severity: Severity,
    /// Where it is, such as `load_balancer[0].listener[1].port`; empty for the whole document.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Where that is in the text, if there is one.
    pub location: Option<Location>,
}

/// Whether a problem keeps a configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does: nothing changes until it is put right.
    Error,
    /// It does not, but is worth a look.
    Warning,
}

impl Severity {
    /// As it stands at the head of a message: `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place in the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant, at least 1.
    pub length: usize,
    /// The line itself.
    pub source_line: String,
}

impl Problem {
    /// An error, not located yet.
    pub(super) fn error(path: impl fmt::Display, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            path: path.to_string(),
            message: message.into(),
            help: None,
            location: None,
        }
    }

    /// A warning, not located yet.
    pub(super) fn warning(path: impl fmt::Display, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(path, message)
        }
    }

    /// Whether it keeps the configuration from being used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Says what would be right.
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// All problems of one document, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// What the document is called, usually the file's path.
    pub source: String,
    /// The problems.
    pub problems: Vec<Problem>,
}

impl Problems {
    /// Problems of the document that is called `source`.
    pub fn new(source: impl Into<String>, mut problems: Vec<Problem>) -> Self {
        // Stable: problems at one place, and those without a place, stay as they were found.
        problems.sort_by_key(|problem| {
            let location = problem.location.as_ref();
            location.map_or((0, 0), |location| (location.line, location.column))
        });
        Self {
            source: source.into(),
            problems,
        }
    }

    /// Whether there are none, not even warnings.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether one of them keeps the configuration from being used.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many keep the configuration from being used.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many do not.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        let of_severity = |problem: &&Problem| problem.severity == severity;
        self.problems.iter().filter(of_severity).count()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, problem) in self.problems.iter().take(RENDERED).enumerate() {
            if place > 0 {
                f.write_str("\n\n")?;
            }
            render(f, &self.source, problem)?;
        }
        match self.problems.len().saturating_sub(RENDERED) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}

/// Nobody reads on; as data, all of them can be had.
const RENDERED: usize = 100;

/// Longer lines are shown in part.
const SHOWN: usize = 120;

fn render(f: &mut fmt::Formatter<'_>, source: &str, problem: &Problem) -> fmt::Result {
    let message = printable(&problem.message);
    write!(f, "{}: {message}", problem.severity.as_str())?;
    let margin = match &problem.location {
        Some(location) => {
            let margin = location.line.to_string().len();
            let (line, column) = (location.line, location.column);
            write!(f, "\n{:margin$}--> {source}:{line}:{column}", "")?;
            render_line(f, location, margin)?;
            margin
        }
        None if problem.path.is_empty() => {
            write!(f, "\n --> {source}")?;
            1
        }
        None => {
            write!(f, "\n --> {source}: {}", printable(&problem.path))?;
            1
        }
    };
    if let Some(help) = &problem.help {
        let indent = format!("\n{:margin$}           ", "");
        let help = printable(help).replace('\n', &indent);
        write!(f, "\n{:margin$} = help: {help}", "")?;
    }
    Ok(())
}

fn render_line(f: &mut fmt::Formatter<'_>, location: &Location, margin: usize) -> fmt::Result {
    let skipped = (location.column - 1).saturating_sub(SHOWN / 2);
    let shown = location.source_line.chars().skip(skipped).take(SHOWN);
    let shown: String = shown.collect();
    // A tab is as wide above the mark as in the line itself.
    let before = shown.chars().take(location.column - 1 - skipped);
    let indent: String = before
        .map(|character| if character == '\t' { '\t' } else { ' ' })
        .collect();
    let length = location.length.clamp(1, SHOWN / 2);
    let (line, shown) = (location.line, printable(shown.trim_end()));
    write!(f, "\n{:margin$} |", "")?;
    write!(f, "\n{line} | {shown}")?;
    write!(f, "\n{:margin$} | {indent}{}", "", "^".repeat(length))
}

/// Without characters that would act on a terminal instead of being shown.
fn printable(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' | '\t' => character,
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(line: usize, column: usize, length: usize, source_line: &str) -> Problem {
        Problem {
            location: Some(Location {
                line,
                column,
                length,
                source_line: source_line.to_owned(),
            }),
            ..Problem::error("path", "something is wrong").with_help("write it right")
        }
    }

    #[test]
    fn a_problem_is_shown_with_its_line_and_a_mark_under_it() {
        let problems = Problems::new("elbow.toml", vec![located(12, 3, 4, "a wxyz b")]);
        assert_eq!(
            problems.to_string(),
            "error: something is wrong\n  --> elbow.toml:12:3\n   |\n12 | a wxyz b\n   |   ^^^^\n   = help: write it right"
        );
    }

    #[test]
    fn problems_are_shown_in_the_order_of_the_text() {
        let problems = vec![
            located(9, 1, 1, ""),
            located(2, 7, 1, ""),
            located(2, 1, 1, ""),
        ];
        let sorted = Problems::new("", problems).problems;
        let places: Vec<_> = sorted
            .iter()
            .filter_map(|problem| problem.location.as_ref())
            .map(|location| (location.line, location.column))
            .collect();
        assert_eq!(places, [(2, 1), (2, 7), (9, 1)]);
    }

    #[test]
    fn nothing_in_a_file_can_act_on_the_terminal() {
        let shown = Problems::new("f", vec![located(1, 1, 1, "\u{1b}[2J")]).to_string();
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }

    #[test]
    fn very_many_problems_are_counted() {
        let problems = vec![located(1, 1, 1, "x"); 150];
        let shown = Problems::new("f", problems).to_string();
        assert_eq!(shown.matches("error: ").count(), 100);
        assert!(shown.ends_with("\n\nand 50 more"), "{shown}");
    }

    #[test]
    fn a_very_long_line_is_shown_in_part() {
        let line = format!("{}HERE{}", "x".repeat(10_000), "y".repeat(10_000));
        let shown = Problems::new("f", vec![located(1, 10_001, 4, &line)]).to_string();
        assert!(shown.len() < 1_000 && shown.contains("HERE"), "{shown}");
    }
}
