//! The cases that AWS publishes with its classifier, read from the source of its crate.

use std::path::PathBuf;
use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

/// One request, and what AWS calls it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Its head, from the request line to the empty line.
    pub(crate) head: Vec<u8>,
    /// The class of the request as it is written in the case, word by word and field by field. On
    /// the wire it may be another one: a name that begins with a space is a folded line there.
    pub(crate) tier: String,
    pub(crate) reason: String,
    /// Whether each field stands on one line.
    pub(crate) is_whole: bool,
}

/// All of them.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(source().join("tests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for document in YamlLoader::load_from_str(&text).unwrap() {
            cases.extend(document.into_iter().map(|case| read(&case)));
        }
    }
    assert!(cases.len() > 150, "only {} cases", cases.len());
    cases
}

/// Where cargo keeps the source of the crate.
fn source() -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let guardian = packages
        .iter()
        .find(|package| package["name"] == "http_desync_guardian")
        .unwrap();
    let manifest = PathBuf::from(guardian["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().to_owned()
}

fn read(case: &Yaml) -> Case {
    let text = |value: &Yaml| match value {
        Yaml::Integer(number) => number.to_string(),
        value => unescaped(value.as_str().unwrap_or_default()),
    };
    let mut head = format!(
        "{} {} {}\r\n",
        text(&case["method"]),
        text(&case["uri"]),
        text(&case["version"])
    );
    let mut lines = 2;
    for field in case["headers"].as_vec().into_iter().flatten() {
        let (name, value) = (text(&field["name"]), text(&field["value"]));
        head.push_str(&format!("{name}: {value}\r\n"));
        lines += 1;
    }
    head.push_str("\r\n");
    Case {
        name: text(&case["name"]),
        is_whole: head.matches('\n').count() == lines,
        head: head.into_bytes(),
        tier: text(&case["expected"]["tier"]),
        reason: text(&case["expected"]["reason"]),
    }
}

/// The files write control characters as escapes in plain text, too, where YAML knows none.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        out.push(match char {
            '\\' => match rest.next() {
                Some('x') => {
                    let code: String = rest.by_ref().take(2).collect();
                    char::from(u8::from_str_radix(&code, 16).unwrap())
                }
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                other => other.unwrap(),
            },
            char => char,
        });
    }
    out
}
