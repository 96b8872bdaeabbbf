//! The documents: the manual pages, the pictures, and the README, each compared with what the program
//! says now.

mod keys;
mod markup;
mod pages;
mod picture;

use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{Outcome, run};
use pages::{PAGES, definition, page};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tcplapse::testing::tcp::edge::EDGES;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares a committed file with what is made now, or replaces it.
#[track_caller]
fn assert_fresh(file: &str, made: &str) {
    let path = root().join(file);
    if std::env::var_os("TCPLAPSE_WRITE").is_some() {
        fs::write(&path, made).expect("the file can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "{file} is stale; renew it with: TCPLAPSE_WRITE=1 cargo test --test it docs"
    );
}

#[cfg(all(feature = "bpf", feature = "export", feature = "tui"))]
#[test]
fn manual_pages_are_up_to_date() {
    for (name, section) in PAGES {
        assert_fresh(&format!("man/{name}.{section}"), &page(name, section));
    }
}

#[test]
fn the_manual_says_how_deep_descendants_are_followed() {
    let program = read("src/bpf/events.bpf.c");
    let generations = program.lines().find_map(|line| line.strip_prefix("#define GENERATIONS "));
    let generations: u32 = generations.expect("it is defined").parse().expect("a number");
    // One of them is the command, a child of tcplapse.
    let sentence = format!("down to {} generations below COMMAND", generations - 1);
    assert!(read("man/text/tcplapse.1.md").contains(&sentence), "{sentence}");
}

#[test]
fn manual_pages_are_clean_to_mandoc() {
    if Command::new("mandoc").stdin(Stdio::null()).stdout(Stdio::null()).status().is_err() {
        // Not installed; where it is, as in CI, it has to agree.
        return;
    }
    for (name, section) in PAGES {
        let file = root().join(format!("man/{name}.{section}"));
        let lint = Command::new("mandoc").args(["-T", "lint"]).arg(&file).output();
        let lint = lint.expect("mandoc runs");
        let said =
            String::from_utf8_lossy(&lint.stdout).replace(&format!("{}", file.display()), "");
        // A page that is not installed cannot be referred to.
        let faults: Vec<&str> = said.lines().filter(|line| !line.contains("bad manual")).collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}

#[test]
fn pictures_are_up_to_date() {
    assert_fresh("man/diagram.svg", &stdout(&["explain", "--format", "svg"]));
    let (example, picture) = picture::example();
    assert_fresh("man/example.svg", &picture);
    assert_fresh("man/summary.svg", &picture::summary());
    assert_fresh("man/report.svg", &picture::report());
    #[cfg(feature = "tui")]
    assert_fresh("man/top.svg", &picture::top());
    let readme = read("README.md");
    let quoted = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    for line in quoted.expect("lines of the picture").lines() {
        assert!(example.contains(line), "the README quotes another example: {line}");
    }
}

#[test]
fn the_readme_is_short_and_links_exist() {
    let readme = read("README.md");
    assert!(readme.len() <= 12_288, "{} bytes", readme.len());
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let is_file = !link.contains("://") && !link.starts_with('#');
        assert!(!is_file || root().join(link).exists(), "{link}");
    }
}

#[test]
fn manual_pages_have_every_command_option_and_edge() {
    let page = page("tcplapse", 1);
    for command in definition().get_subcommands() {
        assert!(page.contains(&format!("\n\\fB{}\\fR\n", command.get_name())), "{command}");
        for flag in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
            let long = flag.get_long().filter(|long| !["help", "version"].contains(long));
            let Some(long) = long else { continue };
            let entry = format!("\\fB\\-\\-{}\\fR", long.replace('-', "\\-"));
            assert!(page.contains(&entry), "--{long}");
        }
    }
    let states = pages::page("tcplapse-states", 7);
    for edge in EDGES {
        let entry = format!("\\fB{}\\fR\n{}", edge.to, markup::escaped(edge.cause));
        let first_words: String = entry.chars().take(40).collect();
        assert!(states.contains(&first_words), "{entry}");
    }
}

#[test]
fn the_manual_names_the_keys_of_records_in_their_order() {
    for (record, line) in [
        ("event", "watch -j -m 1"),
        ("socket", "list -j -m 1"),
        ("life", "watch -j --view timeline --for 1ms"),
        ("diagram", "watch -j --view diagram --for 1ms"),
        ("summary", "watch -j --view summary --for 1ms -m 1"),
    ] {
        let documented: Vec<String> = keys::of(record).into_iter().map(|key| key.name).collect();
        assert_eq!(documented, keys_of(line), "{record}");
    }
}

#[test]
fn the_manual_names_every_metric() {
    let source = read("src/export/metrics.rs");
    let mut made = Vec::new();
    for family in source.split("name: \"tcplapse_").skip(1) {
        let (name, rest) = family.split_once('"').expect("a name");
        let kind = rest.split_once("Series::").expect("a kind").1;
        let suffix = match kind.split('(').next() {
            Some("Counter") => "_total",
            Some("Info") => "_info",
            _ => "",
        };
        made.push(format!("tcplapse_{name}{suffix}"));
    }
    let page = read("man/text/tcplapse-metrics.5.md");
    let entries = page.lines().filter_map(|line| line.strip_prefix("= tcplapse_"));
    let entry = |entry: &str| format!("tcplapse_{}", entry.split('{').next().unwrap_or_default());
    let mut documented: Vec<String> = entries.map(entry).collect();
    documented.sort();
    made.sort();
    assert_eq!(documented, made);
}

#[test]
fn completions_of_every_shell_contain_the_flags() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&["completions", shell]);
        for flag in ["procfs", "listening"] {
            // fish names a long flag without its dashes.
            let named =
                script.contains(&format!("--{flag}")) || script.contains(&format!("-l {flag}"));
            assert!(named, "{shell} completes no --{flag}");
        }
    }
}

/// The keys of the first record of a run on a procfs with one listener.
fn keys_of(line: &str) -> Vec<String> {
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                 uid  timeout inode\n   0: 0100007F:2537 00000000:0000 0A 00000000:00000000 \
                 00:00000000 00000000     0        0 4026 1 0000000000000000 100 0 0 10 0\n";
    let mut procfs = FakeProcfs::with_table(table);
    procfs.run(&line.split(' ').collect::<Vec<_>>());
    let record: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&printed(procfs.finish())).expect("one record");
    record.into_iter().map(|(key, _)| key).collect()
}

fn stdout(args: &[&str]) -> String {
    printed(run(args))
}

/// The output of a run that must have succeeded.
fn printed(outcome: Outcome) -> String {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout
}
