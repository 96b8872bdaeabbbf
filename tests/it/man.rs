//! The documents: the man page is made here, from the command line's definition, the table of
//! edges and `man/sections`; the README is held against the program.

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
        ".\\\" Made by the test `man` from src/cli, src/tcp/edge.rs and man/sections: edit those.\n",
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

/// The options once, since those of `list` are those of `watch`; clap's headings below one.
fn options(man: &Man) -> String {
    let of_command = |command: Command| {
        let heading = format!(".SS \"Options of {}\"", command.get_name());
        option_sections(&Man::new(command)).replace(".SH OPTIONS", &heading)
    };
    option_sections(man) + &own_options().map(of_command).collect::<String>()
}

/// The commands with the options that they alone have, where they have some.
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
            // The preamble of a page of its own, which defines an apostrophe.
            _ if line.starts_with(".ie") || line.starts_with(".el") => {}
            _ => writeln!(page, "{line}").unwrap(),
        }
    }
    page
}

/// Every state with the edges that leave it, out of the table that the program reasons with.
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

/// Text of the program as text of a page.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// Holds a committed file against what the program makes now, or writes it anew.
fn assert_fresh(file: &str, made: &str) {
    let path = root().join(file);
    if std::env::var_os("TCPLAPSE_WRITE").is_some() {
        fs::write(&path, made).expect("the file can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == made,
        "{file} is stale; renew it with: TCPLAPSE_WRITE=1 cargo test --test it man"
    );
}

#[test]
fn the_man_page_is_the_one_that_the_program_and_its_sections_make() {
    assert_fresh("man/tcplapse.1", &man_page());
}

#[test]
fn the_picture_of_the_readme_is_the_one_that_the_program_draws() {
    assert_fresh("man/diagram.svg", &stdout(&["explain", "--format", "svg"]));
    let shown = read("README.md");
    assert!(shown.contains("](man/diagram.svg)"), "the README shows it");
    let drawing = stdout(&["explain"]);
    let bar = drawing.lines().nth(22).expect("the bar below the drawing");
    assert!(shown.contains(bar), "the README's transcript is of another drawing");
}

#[test]
fn the_man_page_shows_every_edge_and_every_option_once() {
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
fn the_documents_name_every_command_flag_and_key() {
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
fn completions_are_made_for_every_shell_and_know_the_flags() {
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
    let procfs = tempfile::tempdir().expect("a directory");
    fs::create_dir(procfs.path().join("net")).expect("a directory in it");
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                 uid  timeout inode\n   0: 0100007F:2537 00000000:0000 0A 00000000:00000000 \
                 00:00000000 00000000     0        0 4026 1 0000000000000000 100 0 0 10 0\n";
    fs::write(procfs.path().join("net/tcp"), table).expect("a table in it");
    let place = procfs.path().to_str().expect("UTF-8");
    let args: Vec<&str> = line.split(' ').chain(["--procfs", place]).collect();
    let record: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&stdout(&args)).expect("one record");
    assert!(record.len() > 15, "{record:?}");
    record.into_iter().map(|(key, _)| key).collect()
}

fn stdout(args: &[&str]) -> String {
    let mut program = assert_cmd::Command::new(env!("CARGO_BIN_EXE_tcplapse"));
    let output = program.args(args).assert().success().get_output().clone();
    String::from_utf8(output.stdout).expect("UTF-8")
}
