//! The documents: the man page is made here, from the definition of the command line, the table of
//! edges and `man/sections`; the README is compared with the program.

use crate::support::fake_procfs::FakeProcfs;
use crate::support::program::{Outcome, run};
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use tcplapse::cli::Cli;
use tcplapse::tcp::edge::{Actor, Authority, EDGES, leaving};
use tcplapse::tcp::state::State;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn section(name: &str) -> String {
    read(PathBuf::from("man/sections").join(name).with_extension("roff"))
}

/// The program's definition with everything that clap adds when it parses.
fn definition() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

fn man_page() -> String {
    let command = definition();
    let man = Man::new(Cli::command());
    let version = command.get_version().unwrap_or_default();
    let mut page = String::from(
        ".\\\" Made by the test `docs` from src/cli, src/tcp/edge.rs and man/sections: edit those.\n",
    );
    writeln!(page, ".TH TCPLAPSE 1 \"\" \"tcplapse {version}\" \"User Commands\"").unwrap();
    page += ".SH NAME\ntcplapse \\- watch the TCP sockets of programs change state\n";
    page += &section("synopsis");
    page += &section("description");
    page += &commands(&command);
    page += &options(&man);
    for name in ["reading", "owners"] {
        page += &section(name);
    }
    page += &states();
    for name in [
        "output",
        "recordings",
        "wait",
        "check",
        "rules",
        "exit-status",
        "examples",
        "environment",
        "files",
        "notes",
        "see-also",
    ] {
        page += &section(name);
    }
    page
}

fn commands(command: &Command) -> String {
    let mut text = String::from(".SH COMMANDS\n");
    for known in command.get_subcommands() {
        let about = known.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(text, ".TP\n\\fB{}\\fR\n{}.", known.get_name(), roff(&about)).unwrap();
    }
    text
}

/// The options, each once, since those of `list` are those of `watch`; below one heading.
fn options(man: &Man) -> String {
    let of_command = |command: Command| {
        let heading = format!(".SS \"Options of {}\"", command.get_name());
        option_sections(&Man::new(command)).replace(".SH OPTIONS", &heading)
    };
    option_sections(man) + &own_options().map(of_command).collect::<String>()
}

/// The commands that have options of their own, with these alone.
fn own_options() -> impl Iterator<Item = Command> {
    let root = Cli::command();
    let shared = move |id: &clap::Id| root.get_arguments().any(|arg| arg.get_id() == id);
    let only_own = move |command: &Command| {
        let command = command.clone().disable_help_flag(true);
        command.mut_args(|arg| {
            let hidden = arg.is_positional() || shared(arg.get_id());
            arg.help_heading(None).hide(hidden)
        })
    };
    let commands: Vec<Command> = Cli::command().get_subcommands().map(only_own).collect();
    let has_some = |command: &Command| {
        command.get_arguments().any(|arg| !arg.is_hide_set() && arg.get_long().is_some())
    };
    commands.into_iter().filter(has_some)
}

/// The sections of a command's options.
fn option_sections(man: &Man) -> String {
    let mut bytes = Vec::new();
    man.render_options_section(&mut bytes).expect("memory takes every page");
    let text = String::from_utf8(bytes).expect("help is UTF-8");
    let mut page = String::new();
    for line in text.replace("\\*(Aq", "\\(aq").lines() {
        match line.strip_prefix(".SH ") {
            Some(heading) if heading != "OPTIONS" => {
                let heading = heading.trim_matches('"');
                let (first, rest) = heading.split_at(1);
                writeln!(page, ".SS \"{first}{}\"", rest.to_lowercase()).unwrap();
            }
            // The preamble that every page of clap_mangen has; it defines an apostrophe.
            _ if line.starts_with(".ie") || line.starts_with(".el") => {}
            _ => writeln!(page, "{line}").unwrap(),
        }
    }
    page
}

/// Every state with the edges that leave it, from the table that the program uses.
fn states() -> String {
    let mut text = section("states");
    for state in State::NAMED {
        writeln!(text, ".TP\n\\fB{state}\\fR").unwrap();
        for (i, edge) in leaving(state).enumerate() {
            let side = match edge.side {
                Actor::Active => "active",
                Actor::Passive => "passive",
                Actor::Both => "either",
                Actor::Kernel => "kernel",
            };
            let linux = if edge.authority == Authority::Linux { ", Linux" } else { "" };
            let line_break = if i == 0 { "" } else { ".br\n" };
            let (to, cause) = (edge.to, roff(edge.cause));
            writeln!(text, "{line_break}\\(-> {to}: {cause} [{side}{linux}]").unwrap();
        }
    }
    text + ".hy\n.ad\n"
}

/// Escapes text for a page.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// Compares a committed file with what is made now, or replaces it.
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

#[test]
fn the_man_page_is_up_to_date() {
    assert_fresh("man/tcplapse.1", &man_page());
}

#[test]
fn the_diagram_in_the_readme_is_up_to_date() {
    assert_fresh("man/diagram.svg", &stdout(&["explain", "--format", "svg"]));
    let shown = read("README.md");
    assert!(shown.contains("](man/diagram.svg)"), "the README shows it");
    let drawing = stdout(&["explain"]);
    let bar = drawing.lines().nth(22).expect("the bar below the drawing");
    assert!(shown.contains(bar), "the README's transcript is of another drawing");
}

#[test]
fn the_man_page_has_every_edge_and_every_option_once() {
    let page = man_page();
    for edge in EDGES {
        let line = format!("\\(-> {}: {}", edge.to, roff(edge.cause));
        assert!(page.contains(&line), "{line}");
    }
    for flag in long_flags() {
        let entry = format!("\\fB\\-\\-{}\\fR", flag.replace('-', "\\-"));
        let entries = page.lines().filter(|line| {
            line.starts_with("\\fB\\-") && line.split([' ', '[', '=']).any(|word| word == entry)
        });
        assert_eq!(entries.count(), 1, "--{flag}");
    }
}

#[test]
fn readme_and_man_page_name_commands_flags_and_keys() {
    let keys = ["watch -j -m 1", "list -j -m 1", "watch -j --view timeline --for 1ms"]
        .map(keys_of)
        .concat();
    for document in ["README.md", "man/tcplapse.1"] {
        let plain = read(document).replace("\\-", "-").replace("\\fB", "`").replace("\\fR", "`");
        for command in definition().get_subcommands() {
            assert!(plain.contains(&format!("`{}", command.get_name())), "{document}: {command}");
        }
        for flag in long_flags() {
            let named =
                plain.contains(&format!("--{flag}`")) || plain.contains(&format!("--{flag} "));
            assert!(named, "{document} does not name --{flag}");
        }
        for key in &keys {
            assert!(plain.contains(&format!("`{key}`")), "{document} does not name the key {key}");
        }
    }
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

fn long_flags() -> Vec<String> {
    let command = definition();
    let commands: Vec<Command> = [command].into_iter().chain(own_options()).collect();
    let all = commands.iter().flat_map(Command::get_arguments);
    let shown = all.filter(|arg| !arg.is_hide_set());
    shown.filter_map(|arg| arg.get_long()).map(str::to_owned).collect()
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
    assert!(record.len() > 15, "{record:?}");
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
