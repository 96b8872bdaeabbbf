//! The manual pages: `man/text`, with commands and options from the definition of the command line,
//! keys from the comments of the record types, and states from the table of edges and the texts of
//! `explain`.

use super::keys::{self, Key};
use super::markup::{escaped, roff, roff_after};
use super::read;
use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory};
use std::collections::HashSet;
use std::fmt::Write as _;
use tcplapse::testing::cli::Cli;
use tcplapse::testing::tcp::docs::{self, StateDoc};
use tcplapse::testing::tcp::edge::{Actor, Authority, EDGES, Edge};
use tcplapse::testing::tcp::state::State;

/// The day of the last change of the texts that mattered.
const DATE: &str = "2026-11-30";

/// The pages: name and section.
pub(super) const PAGES: [(&str, u8); 7] = [
    ("tcplapse", 1),
    ("tcplapse-output", 5),
    ("tcplapse-metrics", 5),
    ("tcplapse-rules", 5),
    ("tcplapse-recording", 5),
    ("tcplapse-states", 7),
    ("tcplapse-accuracy", 7),
];

/// The program's definition with everything that clap adds when it parses.
pub(super) fn definition() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// A page as it is committed.
pub(super) fn page(name: &str, section: u8) -> String {
    let text = read(format!("man/text/{name}.{section}.md"));
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(
        ".\\\" Made by the test docs from man/text and the code: edit those.\n\
         .TH {} {section} {DATE} \"tcplapse {version}\" \"tcplapse manual\"\n",
        name.to_uppercase().replace('-', "\\-")
    );
    let mut plain = String::new();
    let mut follows_list = false;
    for line in text.lines() {
        let Some(directive) = line.strip_prefix('@') else {
            plain.extend([line, "\n"]);
            continue;
        };
        page += &roff_after(&std::mem::take(&mut plain), follows_list);
        page += &generated(directive);
        follows_list = true;
    }
    page + &roff_after(&plain, follows_list)
}

fn generated(directive: &str) -> String {
    match directive.split_once(' ') {
        None => match directive {
            "synopsis" => synopsis(),
            "commands" => commands(),
            "options" => options(),
            "rules" => key_list(&keys::of("rule")),
            "states" => states(),
            other => panic!("no directive @{other}"),
        },
        Some(("keys", "diagram")) => key_list(&[keys::of("diagram"), keys::of("edge")].concat()),
        Some(("keys", record)) => key_list(&keys::of(record)),
        Some(("file", path)) => literal(&read(path)),
        Some((other, _)) => panic!("no directive @{other}"),
    }
}

/// A file as it is.
fn literal(text: &str) -> String {
    let indented = text.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("    {line}\n"),
    });
    roff(&indented.collect::<String>())
}

/// Keys that follow each other and mean the same would be one entry; none do.
fn key_list(keys: &[Key]) -> String {
    let entries = keys.iter().map(|key| {
        let meaning = key.meaning.trim_end_matches(['.', ':']);
        format!("= {}\n{}.\n\n", key.name, capitalized(meaning))
    });
    roff(&entries.collect::<String>())
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

fn synopsis() -> String {
    let usage = Cli::command().render_usage().to_string();
    let mut page = String::from(".nf\n");
    for line in usage.trim_start_matches("Usage:").lines() {
        let words: Vec<String> = line
            .split_whitespace()
            .map(|word| {
                let name = word.trim_matches(['[', ']', '.']);
                let is_variable = name.chars().all(|c| c.is_ascii_uppercase()) && !name.is_empty();
                let marked = escaped(word);
                if is_variable { format!("\\fI{marked}\\fR") } else { format!("\\fB{marked}\\fR") }
            })
            .collect();
        writeln!(page, "{}", words.join(" ")).unwrap();
    }
    page + ".fi\n"
}

fn commands() -> String {
    let cli = definition();
    let watch = cli.find_subcommand("watch").expect("it is the default");
    let mut page = String::new();
    for command in cli.get_subcommands() {
        let about = match command.get_name() {
            // What clap says of it is about a message.
            "help" => "Print the flags of tcplapse, or of a command".to_owned(),
            _ => command.get_about().map(ToString::to_string).unwrap_or_default(),
        };
        write!(page, "{}", roff(&format!("= {}\n{about}.\n", command.get_name()))).unwrap();
        let has_options = command.get_arguments().any(is_shown);
        if ["watch", "help"].contains(&command.get_name()) || !has_options {
            continue;
        }
        let differs = |arg: &&Arg| {
            let same = watch.get_arguments().find(|known| known.get_long() == arg.get_long());
            same.is_none_or(|known| {
                known.get_default_values() != arg.get_default_values()
                    || known.get_possible_values().len() != arg.get_possible_values().len()
                    || known.get_help().map(ToString::to_string)
                        != arg.get_help().map(ToString::to_string)
            })
        };
        let shown = || command.get_arguments().filter(|arg| is_shown(arg));
        let (own, shared): (Vec<&Arg>, Vec<&Arg>) = shown().partition(|arg| differs(arg));
        let (own, positional): (Vec<&Arg>, Vec<&Arg>) =
            own.into_iter().partition(|arg| arg.get_long().is_some());
        page += ".RS\n";
        for arg in positional.into_iter().chain(own) {
            page += &option(arg);
        }
        if !shared.is_empty() {
            let names: Vec<String> = shared.iter().map(|arg| name(arg)).collect();
            page += ".PP\n";
            page += &roff(&format!("Also accepted: {}.\n", names.join(", ")));
        }
        page += ".RE\n";
    }
    page
}

fn is_shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str())
}

/// The options of `watch`, by their headings.
fn options() -> String {
    let cli = definition();
    let watch = cli.find_subcommand("watch").expect("it is the default");
    let mut page = String::new();
    let shown: Vec<&Arg> = watch.get_arguments().filter(|arg| is_shown(arg)).collect();
    let (positional, flags): (Vec<&Arg>, Vec<&Arg>) =
        shown.into_iter().partition(|arg| arg.is_positional());
    for arg in positional {
        page += &option(arg);
    }
    let mut headings: Vec<_> = flags.iter().map(|arg| arg.get_help_heading()).collect();
    headings.retain({
        let mut known = HashSet::new();
        move |heading| known.insert(*heading)
    });
    for heading in headings {
        writeln!(page, ".SS \"{}\"", heading.unwrap_or("Other options")).unwrap();
        for arg in flags.iter().filter(|arg| arg.get_help_heading() == heading) {
            page += &option(arg);
        }
    }
    page + &roff("= -h, --help\nPrint help; --help prints more than -h.\n")
        + &roff("= -V, --version\nPrint the version.\n")
}

/// `--state`, or `PATTERN`.
fn name(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("`--{long}`"),
        None => format!("*{}*", value_name(arg)),
    }
}

fn value_name(arg: &Arg) -> String {
    arg.get_value_names().into_iter().flatten().map(ToString::to_string).collect()
}

/// An option with its help, its values and its default.
fn option(arg: &Arg) -> String {
    let flags = [
        arg.get_short().map(|short| format!("-{short}")),
        arg.get_long().map(|long| format!("--{long}")),
    ];
    let flags: Vec<String> =
        flags.into_iter().flatten().map(|flag| format!("\\fB{}\\fR", escaped(&flag))).collect();
    let takes_value = arg.get_action().takes_values();
    let value = takes_value.then(|| format!("\\fI{}\\fR", escaped(&value_name(arg))));
    let term = flags.join(", ").trim().to_owned();
    let mut page = format!(".TP\n{}\n", [term, value.unwrap_or_default()].join(" ").trim());
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let (first, more) = help.split_once("\n\n").unwrap_or((&help, ""));
    let mut text = format!("{}.", prose(first));
    if !more.is_empty() {
        write!(text, " {}", prose(more)).unwrap();
    }
    let default: Vec<_> = arg.get_default_values().iter().filter_map(|v| v.to_str()).collect();
    if takes_value && !default.is_empty() {
        write!(text, " The default is `{}`.", default.join(",")).unwrap();
    }
    page += &roff(&text);
    let values: Vec<PossibleValue> =
        arg.get_possible_values().into_iter().filter(|value| value.get_help().is_some()).collect();
    if takes_value && !values.is_empty() {
        page += ".RS\n";
        for value in values {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            page += &roff(&format!("= {}\n{}.\n", value.get_name(), prose(&help)));
        }
        page += ".RE\n";
    }
    page
}

/// Help is one paragraph, and has no markup; a default in brackets becomes a sentence.
fn prose(help: &str) -> String {
    let line = help.split_whitespace().collect::<Vec<_>>().join(" ").replace('*', "\\*");
    match line.split_once(" [default: ") {
        Some((text, default)) => {
            format!("{text}. The default is {}", default.trim_end_matches(']'))
        }
        None => line,
    }
}

fn states() -> String {
    let mut page = String::new();
    for state in State::NAMED {
        let doc = docs::of(state).expect("every named state has a text");
        let StateDoc { brief, meaning, side, duration, many, next, references } = *doc;
        let mut text = format!("# {state}\n\n{}.\n\n{meaning}\n\n", capitalized(brief));
        let sections = [("Which side", side), ("Duration", duration), ("If there are many", many)];
        for (heading, section) in sections {
            write!(text, "= {heading}\n{section}\n\n").unwrap();
        }
        page += &roff(&text.replace('*', "\\*"));
        let entered: Vec<&Edge> = EDGES.iter().filter(|edge| edge.to == state).collect();
        let left: Vec<&Edge> = EDGES.iter().filter(|edge| edge.from == state).collect();
        page += &edges("Entered from", &entered, |edge| edge.from);
        page += &edges("Leaves to", &left, |edge| edge.to);
        let mut commands = String::new();
        for (command, shows) in next {
            write!(commands, "= {command}\n{}.\n\n", capitalized(shows)).unwrap();
        }
        page += &roff(&format!(
            "## Commands\n\n{}## References\n\n{references}\n",
            commands.replace('*', "\\*")
        ));
    }
    page
}

fn edges(heading: &str, edges: &[&Edge], name: impl Fn(&Edge) -> State) -> String {
    let mut text = format!("## {heading}\n\n");
    for edge in edges {
        let side = match edge.actor {
            Actor::Active => "active",
            Actor::Passive => "passive",
            Actor::Both => "both",
            Actor::Kernel => "kernel",
        };
        let linux = if edge.authority == Authority::Linux { ", Linux" } else { "" };
        write!(text, "= {}\n{} ({side}{linux})\n\n", name(edge), edge.cause).unwrap();
    }
    roff(&text)
}
