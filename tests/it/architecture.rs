//! The architecture: which module may import which, and which modules may reach outside the
//! program. The paths in every file of `src/` are held against two tables.

mod paths;

use paths::{FILES, SourceFile, source};
use std::collections::BTreeMap;

/// The layers from the bottom to the top, each with what it may import beside itself. A module that
/// is not listed belongs to the one above it that is: `owner::table` to `owner`.
const LAYERS: &[(&str, &[&str])] = &[
    ("tcp", &[]),
    ("model", &["tcp"]),
    ("recording", &["tcp", "model"]),
    ("privileges", &[]),
    ("error", &["tcp", "model", "recording", "privileges"]),
    ("bpf", &["privileges", "error"]),
    ("debug_log", &["error"]),
    ("file_watch", &[]),
    ("trusted_path", &["error"]),
    ("signals", &["error"]),
    ("filter", &["tcp", "model", "error"]),
    ("values", &["tcp", "model", "error", "filter"]),
    ("tracker", &["tcp", "model"]),
    ("owner", &["tcp", "model", "filter", "privileges"]),
    ("owner::scan", &["bpf", "model", "error", "filter", "privileges", "owner"]),
    ("rules", &["tcp", "model", "error", "file_watch", "trusted_path", "filter", "values"]),
    ("view", &["tcp", "model"]),
    ("cli", &["tcp", "model", "view"]),
    ("settings", &["tcp", "model", "error", "filter", "values", "rules", "view", "cli"]),
    (
        "source",
        &[
            "tcp",
            "bpf",
            "model",
            "privileges",
            "error",
            "file_watch",
            "signals",
            "recording",
            "settings",
        ],
    ),
    ("recorder", &["model", "error", "trusted_path", "recording", "settings", "source"]),
    (
        "monitor",
        &[
            "tcp",
            "model",
            "error",
            "privileges",
            "signals",
            "filter",
            "tracker",
            "owner",
            "rules",
            "source",
            "recorder",
        ],
    ),
    ("render", &["tcp", "model", "view"]),
    ("tui", &["tcp", "model", "error", "filter", "values", "view", "render"]),
    (
        "output",
        &[
            "tcp",
            "model",
            "error",
            "trusted_path",
            "signals",
            "cli",
            "settings",
            "monitor",
            "view",
            "render",
            "tui",
        ],
    ),
    ("export", &["tcp", "model", "error", "view"]),
    (
        "command",
        &[
            "tcp",
            "model",
            "error",
            "signals",
            "owner",
            "owner::scan",
            "rules",
            "cli",
            "settings",
            "source",
            "recorder",
            "monitor",
            "view",
            "render",
            "tui",
            "output",
            "export",
        ],
    ),
    ("program", &["model", "error", "debug_log", "cli", "settings", "command"]),
    (
        "testing",
        &[
            "tcp",
            "model",
            "recording",
            "error",
            "signals",
            "filter",
            "tracker",
            "owner",
            "owner::scan",
            "rules",
            "view",
            "cli",
            "settings",
            "source",
            "monitor",
            "render",
        ],
    ),
    ("lib", &["program"]),
    ("main", &[]),
];

/// Paths that lead out of the program, and the modules that may use them. Where several fit, each
/// has to allow it.
const OUTSIDE: &[(&str, &[&str])] = &[
    // The clocks. Time is data: a source stamps its readings, and a recording its head.
    ("crate::source::clock", &["source", "recorder"]),
    ("rustix::time", &["source"]),
    ("std::time::SystemTime", &["recorder::file"]),
    ("jiff::Timestamp::now", &[]),
    ("jiff::ZonedDateTime::now", &[]),
    // How long something is waited for is no data.
    (
        "std::time::Instant::now",
        &[
            "command::export",
            "command::run",
            "export",
            "output",
            "owner::scan::budget",
            "owner::scan::survey",
            "rules::alerts",
            "rules::exec",
            "rules::file",
            "signals",
            "source",
        ],
    ),
    // The kernel. `signals` asks which signals this process ignores.
    ("procfs", &["owner::scan", "signals"]),
    ("aya", &["bpf", "owner::scan::iterator", "source::trace::program"]),
    ("rustix::mount", &[]),
    ("rustix::net", &["source::netlink"]),
    ("std::os::unix::net", &["export", "file_watch", "signals"]),
    ("std::net::TcpListener", &["export::server"]),
    ("httparse", &["export::http"]),
    ("prometheus_client", &["export::exposition"]),
    (
        "rustix",
        &[
            "bpf",
            "command",
            "error",
            "export",
            "file_watch",
            "output",
            "owner::scan",
            "privileges",
            "recorder",
            "signals",
            "source",
            "trusted_path",
        ],
    ),
    // Files. `signals` asks whether there is a controlling terminal.
    (
        "std::fs",
        &[
            "bpf",
            "export::server",
            "export::textfile",
            "output",
            "owner::scan",
            "privileges",
            "recorder",
            "rules::file",
            "settings::local_time",
            "source",
            "trusted_path",
        ],
    ),
    (
        "rustix::fs",
        &[
            "output::ready",
            "owner::scan",
            "privileges",
            "recorder::file",
            "rules::file",
            "signals",
            "source",
            "trusted_path",
        ],
    ),
    ("notify", &["file_watch"]),
    // Streams. `signals` waits for standard output to take more.
    (
        "std::io",
        &[
            "bpf",
            "command",
            "error",
            "export",
            "file_watch",
            "program",
            "output",
            "owner::scan::iterator",
            "owner::scan::workloads",
            "recorder",
            "rules::exec",
            "rules::file",
            "signals",
            "source",
            "trusted_path",
        ],
    ),
    (
        "std::io::stdout",
        &["command::check", "command::explain", "command::schema", "program", "output", "signals"],
    ),
    ("std::io::stderr", &["command", "program", "output", "rules::exec"]),
    ("std::println", &[]),
    // Processes, threads, signals, and the end of the program.
    ("std::process", &["command::run", "export::textfile", "main", "program", "rules::exec"]),
    ("std::process::abort", &[]),
    ("std::process::exit", &["program"]),
    (
        "std::thread",
        &[
            "bpf",
            "export::server",
            "output",
            "recorder",
            "rules::exec",
            "source::netns::enter",
            "source::trace::program",
        ],
    ),
    ("nix", &["recorder::file"]),
    (
        "rustix::process",
        &[
            "command",
            "owner::scan",
            "privileges",
            "source::netns",
            "source::replay",
            "trusted_path",
        ],
    ),
    ("signal_hook", &["command", "output::screen", "signals"]),
    // The environment, users, hosts, the command line.
    ("std::env", &["debug_log", "program", "output::tty", "settings::local_time"]),
    ("uzers", &["output::resolver", "trusted_path", "values"]),
    ("dns_lookup", &["output::resolver", "settings::names"]),
    // The names of sources and views are values of flags.
    ("clap", &["cli", "program", "model::interface", "view"]),
    ("clap_complete", &["cli"]),
];

/// What the head of a file says that only understands what others have read.
const PARSER: &str = "Pure.";
/// So many parsers there are at least.
const PARSERS: usize = 9;

fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The longest of some modules that a path leads into.
fn longest<'m>(modules: impl Iterator<Item = &'m str>, path: &str) -> Option<&'m str> {
    modules.filter(|module| within(path, module)).max_by_key(|module| module.len())
}

/// The layer of a path within the crate.
fn layer(path: &str) -> Option<&'static str> {
    longest(LAYERS.iter().map(|(layer, _)| *layer), path)
}

/// What is wrong with the imports of a file by the table of layers.
fn forbidden_imports(source: &SourceFile) -> Vec<String> {
    let Some(from) = layer(&source.module) else {
        return vec![format!("{} stands in no layer", source.file)];
    };
    let (_, allowed) = LAYERS.iter().find(|(layer, _)| *layer == from).unwrap();
    let ours = source.paths.iter().filter_map(|path| Some((path, path.strip_prefix("crate::")?)));
    let wrong = ours
        .filter(|(_, target)| layer(target).is_none_or(|to| to != from && !allowed.contains(&to)));
    let sentence = |(path, _): (&String, &str)| {
        format!("{} imports {path}: {from} may import {}", source.file, allowed.join(", "))
    };
    wrong.map(sentence).collect()
}

/// What a file uses of the world outside, and may not.
fn forbidden_uses(source: &SourceFile) -> Vec<String> {
    let mut wrong = Vec::new();
    for path in &source.paths {
        for (_, allowed) in OUTSIDE.iter().filter(|(outside, _)| within(path, outside)) {
            if !allowed.iter().any(|module| within(&source.module, module)) {
                let allowed = allowed.join(", ");
                wrong.push(format!("{} uses {path}: for [{allowed}] alone", source.file));
            }
        }
    }
    wrong
}

fn assert_none(wrong: impl Iterator<Item = String>) {
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn imports_follow_the_table_of_layers() {
    assert_none(FILES.iter().flat_map(forbidden_imports));
}

#[test]
fn a_layer_imports_only_layers_below_it() {
    for (place, (layer, allowed)) in LAYERS.iter().enumerate() {
        let below = |import: &&str| LAYERS[..place].iter().any(|(layer, _)| layer == import);
        let above: Vec<_> = allowed.iter().filter(|import| !below(import)).collect();
        assert!(above.is_empty(), "{layer} may import {above:?}, which the table lists after it");
    }
}

#[test]
fn every_layer_is_a_module() {
    for (layer, _) in LAYERS {
        assert!(FILES.iter().any(|source| source.module == *layer), "there is no {layer}");
    }
}

/// By module: what it imports, with an import that does so.
type Arrows<'m> = BTreeMap<&'m str, BTreeMap<&'m str, String>>;

/// The imports of one circle, if there is any.
fn circle(mut arrows: Arrows) -> Vec<String> {
    // What imports no other module that is left is in no circle.
    loop {
        let modules = arrows.keys().chain(arrows.values().flat_map(BTreeMap::keys));
        let is_end = |module: &&str| arrows.get(module).is_none_or(BTreeMap::is_empty);
        let Some(end) = modules.copied().find(is_end) else { break };
        arrows.remove(end);
        for imports in arrows.values_mut() {
            imports.remove(end);
        }
    }
    // All that is left imports another: a walk comes back to where it was.
    let (mut walked, mut imports) = (Vec::new(), Vec::new());
    let mut next = arrows.keys().next().copied();
    while let Some(module) = next {
        if let Some(begin) = walked.iter().position(|walked| *walked == module) {
            return imports.split_off(begin);
        }
        walked.push(module);
        let (to, import) = arrows[module].first_key_value().expect("no end is left");
        imports.push(import.clone());
        next = Some(*to);
    }
    imports
}

#[test]
fn no_modules_of_a_folder_import_in_a_circle() {
    let modules = || FILES.iter().map(|source| source.module.as_str());
    let mut folders: BTreeMap<String, Arrows> = BTreeMap::new();
    for source in FILES.iter() {
        for path in &source.paths {
            let target = path.strip_prefix("crate::").and_then(|path| longest(modules(), path));
            let Some(target) = target else { continue };
            let both = source.module.split("::").zip(target.split("::"));
            let shared = both.take_while(|(a, b)| a == b).count();
            let folder = source.module.split("::").take(shared).collect::<Vec<_>>().join("::");
            let below = |module| str::split(module, "::").nth(shared);
            if let (Some(from), Some(to)) = (below(source.module.as_str()), below(target)) {
                let imports = folders.entry(folder).or_default().entry(from).or_default();
                imports.entry(to).or_insert_with(|| format!("{} imports {path}", source.file));
            }
        }
    }
    assert_none(folders.into_values().flat_map(circle));
}

#[test]
fn only_the_modules_listed_reach_outside() {
    assert_none(FILES.iter().flat_map(forbidden_uses));
}

#[test]
fn parsers_of_the_sources_are_pure() {
    let parsers: Vec<&SourceFile> = FILES.iter().filter(|source| source.is_parser).collect();
    let is_parser = |module: &str| parsers.iter().any(|parser| within(module, &parser.module));
    let mut seen = 0;
    for source in FILES.iter().filter(|source| is_parser(&source.module)) {
        seen += 1;
        for path in &source.paths {
            let is_outside = OUTSIDE.iter().any(|(outside, _)| within(path, outside));
            let ours = path.strip_prefix("crate::");
            let pure = |ours: &str| within(ours, "tcp") || within(ours, "model") || is_parser(ours);
            assert!(!is_outside && ours.is_none_or(pure), "{} uses {path}", source.file);
        }
    }
    assert!(seen >= PARSERS, "only {seen} files say: {PARSER}");
}

#[test]
fn files_have_at_most_400_lines_of_code() {
    for SourceFile { file, lines, .. } in FILES.iter() {
        assert!(*lines <= 400, "{file} has {lines} lines: look for a second responsibility");
    }
}

#[test]
fn a_forbidden_import_is_named_with_its_file() {
    let wrong = source("src/model/time.rs", "use crate::view::Record;\nuse std::fs::File;\n");
    let layers = "src/model/time.rs imports crate::view::Record: model may import tcp";
    assert_eq!(forbidden_imports(&wrong), [layers]);
    let uses = forbidden_uses(&wrong);
    assert!(uses[0].starts_with("src/model/time.rs uses std::fs::File: for "), "{uses:?}");
}
