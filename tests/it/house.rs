//! The walls of the house: which room may import which, and who may touch the world outside.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// All source files by module path, without their tests.
fn rooms() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut rooms = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                rooms.insert(module(path.strip_prefix(&root).unwrap()), code);
            }
        }
    }
    assert!(rooms.len() > 30, "only {} rooms", rooms.len());
    rooms
}

fn module(path: &Path) -> String {
    let path: PathBuf = path.with_extension("");
    let name = path.to_str().unwrap().replace('/', "::");
    name.strip_suffix("::mod").unwrap_or(&name).to_owned()
}

/// What a room imports of ours, whichever way the line is written.
fn imports(code: &str) -> Vec<String> {
    code.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect())
        .collect()
}

fn within(room: &str, house: &str) -> bool {
    room == house || room.starts_with(&format!("{house}::"))
}

/// Rooms that know nothing of files, sockets, the environment or the clock.
const PURE: &[&str] = &[
    "tcp",
    "reading",
    "recording",
    "transition",
    "tracker",
    "life",
    "condition",
    "judgement",
    "rules",
    "filter",
    "owner::book",
    "source::netlink_wire",
    "source::proc_row",
    "source::trace_format",
    "source::trace_home",
    "source::trace_join",
    "source::trace_lives",
    "source::trace_omens",
    "source::trace_record",
    "source::trace_tasks",
    "view",
    "render",
    "owner",
];

fn is_pure(room: &str) -> bool {
    !within(room, "owner::scan") && PURE.iter().any(|pure| within(room, pure))
}

#[test]
fn tcp_imports_nothing_of_ours() {
    for (room, code) in rooms().iter().filter(|(room, _)| within(room, "tcp")) {
        assert_eq!(imports(code), Vec::<String>::new(), "{room}");
    }
}

#[test]
fn pure_rooms_touch_nothing_outside() {
    let outside = [
        "std::fs",
        "std::io",
        "std::env",
        "std::process",
        "std::thread",
        "std::os::unix::net",
        "Instant",
        "SystemTime",
        "rustix::",
        "procfs::",
        "println!",
        "eprintln!",
        "now()",
    ];
    for (room, code) in rooms().iter().filter(|(room, _)| is_pure(room)) {
        for word in outside {
            assert!(!code.contains(word), "{room} uses {word}");
        }
        for import in imports(code) {
            let impure = ["source::proc", "owner::scan", "command", "monitor", "stop", "settings"];
            let pure_parser = import.starts_with("source::proc_row");
            let crosses = impure.iter().find(|wall| within(&import, wall));
            assert!(crosses.is_none() || pure_parser, "{room} imports {import}");
        }
    }
}

#[test]
fn only_sources_and_the_scan_read_the_kernel() {
    for (room, code) in rooms() {
        let may_read = within(&room, "source") || within(&room, "owner::scan");
        for word in ["File::open", "read_link", "procfs::process", "clock_gettime", "std::fs::read"]
        {
            assert!(may_read || !code.contains(word), "{room} uses {word}");
        }
    }
}

#[test]
fn only_commands_and_main_write_and_only_main_exits() {
    for (room, code) in rooms() {
        // A recording is a file of its own, whatever is printed.
        let may_write = within(&room, "command") || room == "main" || room == "source::record_file";
        for word in ["stdout().lock", "io::stderr()", "println!", "write_all"] {
            assert!(may_write || !code.contains(word), "{room} uses {word}");
        }
        assert!(!code.contains("process::exit"), "{room} exits");
    }
}

#[test]
fn the_command_line_s_library_stays_at_the_door() {
    for (room, code) in rooms() {
        let at_the_door = within(&room, "cli") || ["settings", "main"].contains(&room.as_str());
        assert!(at_the_door || !code.contains("clap::"), "{room}");
    }
}

#[test]
fn one_place_changes_a_state() {
    let places: Vec<_> = rooms()
        .into_iter()
        .flat_map(|(room, code)| vec![room; code.matches("life.state = ").count()])
        .collect();
    assert_eq!(places, ["tracker"]);
}

#[test]
fn files_stay_short() {
    for (room, code) in rooms() {
        let lines = code.lines().count();
        assert!(lines <= 400, "{room} has {lines} lines: it wants a second room");
    }
}
