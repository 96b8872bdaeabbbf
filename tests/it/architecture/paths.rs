//! The paths that the files of `src/` are written with: imports, and paths within the code.

use super::PARSER;
use regex::Regex;
use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// A file of `src/` without its tests.
pub(super) struct SourceFile {
    pub(super) file: String,
    pub(super) module: String,
    pub(super) lines: usize,
    /// Its head says that it only understands what others have read.
    pub(super) is_parser: bool,
    /// Every path in it, as far as the text shows it.
    pub(super) paths: BTreeSet<String>,
}

pub(super) static FILES: LazyLock<Vec<SourceFile>> = LazyLock::new(files);

fn files() -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut folders) = (Vec::new(), vec![root.join("src")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let file = path.strip_prefix(root).unwrap().to_str().unwrap();
                files.push(source(file, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(files.len() > 100, "only {} files", files.len());
    files
}

pub(super) fn source(file: &str, text: &str) -> SourceFile {
    let name = file.trim_start_matches("src/").trim_end_matches(".rs").replace('/', "::");
    let module = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
    let code = &text[..TESTS.find(text).map_or(text.len(), |tests| tests.start())];
    let paths = paths(&module, code);
    let head = text.lines().map_while(|line| line.strip_prefix("//!"));
    let is_parser = head.collect::<String>().contains(PARSER);
    SourceFile { file: file.to_owned(), module, lines: code.lines().count(), is_parser, paths }
}

static TESTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^#\[cfg\(test\)\]\n(pub(\([^)]*\))? )?mod tests\b").unwrap());
static COMMENTS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"//[^\n]*").unwrap());
static IMPORTS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))?\s+)?use\s+([^;]+);").unwrap());
static PATHS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[A-Za-z_]\w*(?:::\w+)+").unwrap());
static PRINTS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(e?print(ln)?|dbg)!").unwrap());

/// All paths in some code: those of `use` lines, and others with what they begin with imported.
fn paths(module: &str, code: &str) -> BTreeSet<String> {
    let code = COMMENTS.replace_all(code, "");
    let (mut names, mut paths) = (HashMap::new(), BTreeSet::new());
    for tree in IMPORTS.captures_iter(&code) {
        expand("", &tree[1], &mut |path, name| {
            let path = absolute(module, path);
            paths.insert(path.clone());
            names.insert(name.to_owned(), path);
        });
    }
    let rest = IMPORTS.replace_all(&code, "");
    for path in PATHS.find_iter(&rest) {
        let (first, more) = path.as_str().split_once("::").unwrap();
        paths.insert(match names.get(first) {
            Some(imported) => format!("{imported}::{more}"),
            None => absolute(module, path.as_str()),
        });
    }
    if PRINTS.is_match(&rest) {
        paths.insert("std::println".to_owned());
    }
    paths
}

/// Takes a `use` tree apart: each path, and the name that it goes by.
fn expand(prefix: &str, tree: &str, found: &mut impl FnMut(&str, &str)) {
    let tree = tree.trim();
    if let Some((before, group)) = tree.split_once('{') {
        let prefix = format!("{prefix}{}", before.trim());
        let group = format!("{},", group.strip_suffix('}').unwrap_or(group));
        let (mut depth, mut begin) = (0, 0);
        for (i, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&prefix, &group[begin..i], found);
                    begin = i + 1;
                }
                _ => {}
            }
        }
    } else if !tree.is_empty() {
        let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
        let path = format!("{prefix}{}", path.trim());
        let path = path.strip_suffix("::self").unwrap_or(&path);
        let last = path.rsplit("::").next().unwrap();
        found(path, if alias.is_empty() { last } else { alias.trim() });
    }
}

/// A path from the root of the crate, or of another.
fn absolute(module: &str, path: &str) -> String {
    let mut here: Vec<&str> = module.split("::").collect();
    let mut rest = path;
    if let Some(own) = rest.strip_prefix("self::") {
        rest = own;
    } else if let Some(library) = rest.strip_prefix("tcplapse::testing::") {
        return format!("crate::{library}");
    } else if !rest.starts_with("super::") {
        return path.to_owned();
    }
    while let Some(outer) = rest.strip_prefix("super::") {
        here.pop();
        rest = outer;
    }
    here.insert(0, "crate");
    here.push(rest);
    here.join("::")
}

#[test]
fn paths_are_found_however_they_are_written() {
    let text = r#"
//! [`crate::command`] is no import.
use super::table::{self, Found};
pub(crate) use crate::{
    model::{event::{News, Seen}, time::Stamp as At},
    view,
};
use std::{fs, io::{self, Write}};

fn all() {
    view::of(table::Book::new(), super::super::monitor::read()); // crate::render
    io::stdout().write(fs::read("x")); println!("{}", crate::output::tty::width());
}

#[cfg(test)]
fn for_tests() -> u8 { self::inner::number() }

#[cfg(test)]
mod tests { use crate::source; }
"#;
    let SourceFile { module, paths, .. } = source("src/owner/scan/mod.rs", text);
    assert_eq!(module, "owner::scan");
    let expected = [
        "crate::model::event::News",
        "crate::model::event::Seen",
        "crate::model::time::Stamp",
        "crate::monitor::read",
        "crate::output::tty::width",
        "crate::owner::scan::inner::number",
        "crate::owner::table",
        "crate::owner::table::Book::new",
        "crate::owner::table::Found",
        "crate::view",
        "crate::view::of",
        "std::fs",
        "std::fs::read",
        "std::io",
        "std::io::Write",
        "std::io::stdout",
        "std::println",
    ];
    assert_eq!(paths.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
