//! Holds the code to the design: layers, file lengths, the shape of the top level.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module may use only what stands in a row above its own. `src/lib.rs` says what each answers.
const ROWS: [&[&str]; 13] = [
    &[
        "access_log",
        "causes",
        "disk",
        "http1",
        "keyring",
        "metrics",
        "net",
        "proxy_protocol",
        "target",
        "tls",
    ],
    &[
        "auth",
        "balance",
        "inbound",
        "local_ca",
        "routing",
        "stickiness",
    ],
    &["acme", "target_group"],
    &["config"],
    &["snapshot"],
    &["health", "proxy", "relay"],
    &["discovery", "explain", "nft", "server"],
    &["reload"],
    &["aws", "succession"],
    &["admin"],
    &["app", "telemetry"],
    &["demo"],
    &["cli"],
];

/// Lines of one file, without its tests.
const LONGEST: usize = 450;

struct Source {
    path: PathBuf,
    /// Without comments, and without the tests at the end.
    code: String,
}

impl Source {
    /// The top-level module that the file belongs to.
    fn module(&self) -> String {
        let inside = self.path.strip_prefix(root().join("src")).unwrap();
        let first = inside.components().next().unwrap();
        let name = first.as_os_str().to_str().unwrap();
        name.trim_end_matches(".rs").to_owned()
    }

    /// Every top-level module that the code names.
    fn uses(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (place, _) in self.code.match_indices("crate::") {
            let rest = &self.code[place + "crate::".len()..];
            match rest.strip_prefix('{') {
                Some(list) => used.extend(names_in_braces(list)),
                None => used.extend(leading_name(rest)),
            }
        }
        used
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `src` that is not for tests alone.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    let texts: BTreeMap<PathBuf, String> = files
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect();
    let for_tests: BTreeSet<PathBuf> = texts
        .iter()
        .flat_map(|(path, text)| test_modules(path, text))
        .collect();
    texts
        .into_iter()
        .filter(|(path, _)| !for_tests.contains(path))
        .map(|(path, text)| Source {
            path,
            code: without_tests_and_comments(&text),
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// The files that `mod` lines under `#[cfg(test)]` name.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let folder = path.parent().unwrap();
    let beside = match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib" | "main") => folder.to_owned(),
        Some(stem) => folder.join(stem),
        None => unreachable!("a source file has a name"),
    };
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            continue;
        }
        while lines
            .peek()
            .is_some_and(|next| next.trim().starts_with("#["))
        {
            lines.next();
        }
        let next = lines.peek().map_or("", |next| next.trim());
        let name = next
            .rsplit("mod ")
            .next()
            .and_then(|rest| rest.strip_suffix(';'));
        if let Some(name) = name.filter(|_| next.contains("mod ")) {
            found.push(beside.join(format!("{name}.rs")));
            found.push(beside.join(name).join("mod.rs"));
        }
    }
    found
}

fn without_tests_and_comments(text: &str) -> String {
    let end = ["\nmod tests {", "\nmod test {"]
        .iter()
        .filter_map(|start| text.find(start))
        .min();
    let lines = text[..end.unwrap_or(text.len())].lines();
    let code: Vec<&str> = lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    code.join("\n")
}

/// `a::{b, c}, d}` gives `a` and `d`.
fn names_in_braces(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut expected = true;
    for (place, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => expected = true,
            _ if expected && depth == 0 && !character.is_whitespace() => {
                names.extend(leading_name(&list[place..]));
                expected = false;
            }
            _ => {}
        }
    }
    names
}

fn leading_name(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

fn row(module: &str) -> usize {
    let found = ROWS.iter().position(|row| row.contains(&module));
    found.unwrap_or_else(|| {
        panic!("module {module} is in no row: decide where it belongs, here and in src/lib.rs")
    })
}

#[test]
fn a_module_uses_only_rows_above_its_own() {
    let mut wrong = Vec::new();
    for source in sources() {
        let module = source.module();
        if module == "lib" || module == "main" {
            continue;
        }
        for used in source.uses() {
            if used != module && row(&used) >= row(&module) {
                wrong.push(format!(
                    "{}: {module} (row {}) uses {used} (row {})",
                    source.path.strip_prefix(root()).unwrap().display(),
                    row(&module),
                    row(&used),
                ));
            }
        }
    }
    let advice = "move what is shared up, pass it as an argument, or change the design";
    assert!(wrong.is_empty(), "{}\n{advice}", wrong.join("\n"));
}

#[test]
fn every_row_names_a_module_that_exists() {
    let modules: BTreeSet<String> = sources().iter().map(Source::module).collect();
    for module in ROWS.iter().flat_map(|row| row.iter()) {
        assert!(modules.contains(*module), "there is no module {module}");
    }
}

#[test]
fn no_file_is_longer_than_one_can_keep_in_mind() {
    for source in sources() {
        let lines = source.code.lines().count();
        let name = source.path.strip_prefix(root()).unwrap().display();
        let advice = "something in it has no name yet: find it and give it a file";
        assert!(
            lines <= LONGEST,
            "{name} has {lines} lines of code; {advice}"
        );
    }
}

#[test]
fn every_module_says_what_it_answers() {
    for source in sources() {
        let text = fs::read_to_string(&source.path).unwrap();
        let name = source.path.strip_prefix(root()).unwrap().display();
        let advice = "open it with two to six lines of //!: what it answers, what to look at";
        assert!(text.starts_with("//! "), "{name}: {advice}");
    }
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    const EMPTY: [&str; 6] = ["utils", "common", "types", "helpers", "manager", "misc"];
    for source in sources() {
        let stem = source.path.file_stem().and_then(|stem| stem.to_str());
        let name = source.path.strip_prefix(root()).unwrap().display();
        assert!(
            !EMPTY.contains(&stem.unwrap()),
            "{name}: name what it answers"
        );
    }
}

#[test]
fn the_top_level_is_what_the_design_says() {
    const KNOWN: [&str; 10] = [
        "Cargo.lock",
        "Cargo.toml",
        "Dockerfile",
        "README.md",
        "benches",
        "config",
        "packaging",
        "src",
        "target",
        "tests",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name();
        let name = name.to_str().unwrap();
        let hidden = name.starts_with('.');
        assert!(
            hidden || KNOWN.contains(&name),
            "{name} belongs somewhere below"
        );
    }
}

#[test]
fn every_example_configuration_can_be_used() {
    let folder = root().join("config");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let report = elbow::config::check(&path);
        assert!(report.problems.is_empty(), "{}", report.problems);
        names.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for expected in ["full.toml", "minimal.toml", "wordpress.toml"] {
        assert!(names.contains(expected), "config/{expected} is missing");
    }
}

#[test]
fn the_scanner_sees_every_way_to_name_a_module() {
    let source = Source {
        path: root().join("src/server/mod.rs"),
        code: without_tests_and_comments(
            "use crate::net;\nuse crate::{target::{self, Zone}, metrics::Metrics};\n\
             // use crate::admin;\nfn f() { crate::proxy::go() }\nmod tests {\nuse crate::cli;",
        ),
    };
    let seen: Vec<String> = source.uses().into_iter().collect();
    assert_eq!(source.module(), "server");
    assert_eq!(seen, ["metrics", "net", "proxy", "target"]);
}
